// bench/store_submit.cpp: submissions on a PostgreSQL store beside those on a SQLite store, each against the floor of its own kind.
//
// As in http_submit a second process submits single jobs over keep-alive connections, and batches, which are counted in jobs. The floor is
// the bare Beast server with a table in the same kind of store: SQLite with a sync at each commit, or a PostgreSQL 15 of its own (fsync
// on, synchronous_commit on, COPY into one table: its fastest way in) on the same disk. Everything shares the machine: client, server, and
// the database's own processes.
#include "adapters/store_postgres/test_database.hpp"
#include "bench/floor_sqlite.hpp"
#include "bench/report.hpp"
#include "bench/submit_weir.hpp"

#include <array>
#include <cstdio>

namespace {

using namespace weir;

constexpr int rounds = 3;
constexpr int measure_ms = 3'000;
constexpr int warm_ms = 1'000;

/// The floor's table in a database of its own.
class PostgresTable final : public bench::FloorTable {
public:
    PostgresTable(store::test::TestDatabase& database, std::size_t bytes) : line_(bytes, 'x') {
        auto opened = store::PgConnection::open(database.fresh());
        if (!opened) bench::give_up(opened.error().message);
        connection_ = std::move(*opened);
        if (auto made = connection_.run("create table journal(revision bigserial primary key, text text not null)"); !made)
            bench::give_up(made.error().message);
        line_ += '\n';
    }
    void write(std::size_t records) override {
        lines_.clear();
        for (std::size_t i = 0; i < records; ++i) lines_ += line_;
        if (auto copied = connection_.copy_in("copy journal(text) from stdin", lines_); !copied) bench::give_up(copied.error().message);
    }

private:
    store::PgConnection connection_;
    std::string line_;
    std::string lines_;
};

struct Shape {
    int connections = 0;
    int jobs = 1;  ///< Of one request.
};
constexpr std::array shapes{Shape{16, 1}, Shape{64, 1}, Shape{256, 1}, Shape{4, 1'000}};

struct Figures {
    std::vector<double> weir, floor, ratio, p99_ms;
};

double jobs_per_second(bench::Asker& asker, std::uint16_t port, const Shape& shape, const std::string& token, double& p99_ms) {
    const auto asked = asker.ask({.port = port,
                                  .connections = shape.connections,
                                  .warm_ms = warm_ms,
                                  .measure_ms = measure_ms,
                                  .requests = {bench::request_with(token, shape.jobs)}});
    p99_ms = static_cast<double>(asked.p99_us) / 1e3;
    return asked.per_second * shape.jobs;
}

/// `database`: none for SQLite.
void measure(bench::Asker& asker, const Shape& shape, store::test::TestDatabase* database, Figures& into) {
    double p99_ms = 0;
    double floor_p99_ms = 0;
    std::size_t bytes = 0;
    {
        bench::Weir weir{database ? database->fresh_address() : std::string{}};
        into.weir.push_back(jobs_per_second(asker, weir.port(), shape, weir.token(), p99_ms));
        into.p99_ms.push_back(p99_ms);
        bytes = weir.bytes_per_job();
    }
    std::unique_ptr<bench::FloorTable> table;
    if (database) table = std::make_unique<PostgresTable>(*database, bytes);
    else table = std::make_unique<bench::SqliteTable>(bytes);
    bench::Floor floor{std::move(table), shape.jobs};
    into.floor.push_back(jobs_per_second(asker, floor.port(), shape, "weir_" + std::string(64, '0'), floor_p99_ms));
    into.ratio.push_back(into.weir.back() / into.floor.back());
}

std::string said(std::string_view name, const Figures& figures) {
    return fmt::format("\"{}\": {{{},\n      {},\n      {},\n      {}}}", name, bench::series("jobs_per_second", figures.weir, 0),
                       bench::series("floor_jobs_per_second", figures.floor, 0), bench::series("ratio_to_floor", figures.ratio),
                       bench::series("p99_ms", figures.p99_ms));
}

void measure_all() {
    bench::Asker asker;  // forked before any thread begins
    const bench::Directory disk;  // refuses where a sync is nothing
    store::test::TestDatabase database{true};
    std::string all;
    for (const auto& shape : shapes) {
        Figures sqlite;
        Figures postgres;
        for (int i = 0; i < rounds; ++i) {
            measure(asker, shape, nullptr, sqlite);
            measure(asker, shape, &database, postgres);
        }
        std::vector<double> ratio;
        for (int i = 0; i < rounds; ++i)
            ratio.push_back(postgres.weir[static_cast<std::size_t>(i)] / sqlite.weir[static_cast<std::size_t>(i)]);
        all += fmt::format("{}\n    {{\"connections\": {}, \"jobs_of_a_request\": {},\n     {},\n     {},\n     {}}}",
                           all.empty() ? "" : ",", shape.connections, shape.jobs, said("sqlite", sqlite), said("postgresql", postgres),
                           bench::series("postgresql_to_sqlite", ratio));
    }
    fmt::print(
        "{{\"benchmark\": \"store_submit\", {}, \"sync_us\": {:.0f}, \"rounds\": {}, \"measured_ms\": {},\n  \"shapes\": [{}\n  ]}}\n",
        bench::provenance(), disk.sync_us(), rounds, measure_ms, all);
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
