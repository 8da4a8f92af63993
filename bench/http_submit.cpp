// bench/http_submit.cpp: single jobs submitted over HTTP, durable before they are answered, against the least that could do it.
//
// A second process submits over keep-alive connections, one request at a time on each. "weir" is the whole way: token, rate limit,
// strict decoding, decide, ledger hold, journal with its chain, reader, answer, and beside it the views and the state that snapshots
// are made of. The floor, measured in the same round, is a bare
// Beast server whose commit thread writes as many bytes for each request into a SQLite table, all that gathered in one
// transaction, and answers with as many bytes. Both sync each commit (WAL, synchronous=FULL); a file system that does not sync
// is refused. Both have one io thread and one commit thread; all of them share the machine with the asking process.
//
// Batches of a thousand jobs are counted in jobs; their floor is asked the same, and writes as many bytes for each job as a record of its
// own. Once they are sent for a quarter of a minute: what gathers meanwhile (live jobs, a store that grows, snapshots) is in it.
//
// Then requests are sent at half the rate that weir reached, on time whatever the answers do, and each is timed from the
// moment at which it was due.
#include "bench/floor_sqlite.hpp"
#include "bench/report.hpp"
#include "bench/submit_weir.hpp"

#include <array>
#include <cstdio>
#include <deque>

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 3;
constexpr int measure_ms = 3'000;
constexpr int warm_ms = 1'000;
constexpr int sustained_ms = 15'000;
constexpr std::array connection_counts{16, 64, 256};

using bench::Asked;
using bench::Asker;
using bench::Floor;
using bench::SqliteTable;
using bench::Weir;

constexpr int batch_jobs = 1'000;
constexpr int batch_connections = 4;

Asked ask(Asker& asker, std::uint16_t port, int connections, double rate, const std::string& token, int jobs = 1,
          int for_ms = measure_ms) {
    return asker.ask({.port = port,
                      .connections = connections,
                      .per_second = rate,
                      .warm_ms = warm_ms,
                      .measure_ms = for_ms,
                      .requests = {bench::request_with(token, jobs)}});
}

/// Watches how long ago the oldest revision that the views lack was made durable; as a person who asks every 10 ms sees it.
class LagWatch {
public:
    explicit LagWatch(const Weir& weir) : weir_{weir}, thread_{[this](const std::stop_token& stop) { watch(stop); }} {}
    /// The greatest lag that was seen, in milliseconds.
    [[nodiscard]] double most_ms() {
        thread_.request_stop();
        if (thread_.joinable()) thread_.join();
        return most_ms_;
    }

private:
    void watch(const std::stop_token& stop) {
        std::deque<std::pair<std::uint64_t, Clock::time_point>> heads;
        while (!stop.stop_requested()) {
            const auto now = Clock::now();
            if (const auto head = weir_.head(); heads.empty() || heads.back().first < head) heads.emplace_back(head, now);
            const auto seen = weir_.watermark();
            while (!heads.empty() && heads.front().first <= seen) heads.pop_front();
            if (!heads.empty())
                most_ms_ = std::max(most_ms_, std::chrono::duration<double, std::milli>(now - heads.front().second).count());
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
    }
    const Weir& weir_;
    double most_ms_ = 0;
    std::jthread thread_;
};

// ---- the report

struct Round {
    Asked weir;
    Asked floor;
    double jobs_per_commit = 0;
    double lag_ms = 0;  ///< Most that the views were behind.
};

double lag_of(const Round& round) { return round.lag_ms; }

std::string series(std::string_view name, const std::vector<Round>& all, double (*of)(const Round&), std::string_view format) {
    std::vector<double> values;
    for (const auto& one : all) values.push_back(of(one));
    std::string runs;
    for (const auto value : values) runs += (runs.empty() ? "" : ", ") + fmt::format(fmt::runtime(format), value);
    return fmt::format(R"("{}": {{"median": {}, "runs": [{}]}})", name, fmt::format(fmt::runtime(format), bench::median(values)), runs);
}

void measure_all() {
    Asker asker;  // forked before any thread begins
    std::size_t bytes = 0;
    std::string shapes;
    double best = 0;
    for (const int connections : connection_counts) {
        std::vector<Round> all;
        for (int i = 0; i < rounds; ++i) {
            Round round;
            {
                Weir weir;
                LagWatch lag{weir};
                const auto before = weir.figures();
                round.weir = ask(asker, weir.port(), connections, 0, weir.token());
                const auto after = weir.figures();
                round.jobs_per_commit = static_cast<double>(round.weir.answers) / static_cast<double>(after.commits - before.commits);
                round.lag_ms = lag.most_ms();
                bytes = weir.bytes_per_job();
            }
            Floor floor{std::make_unique<SqliteTable>(bytes)};
            round.floor = ask(asker, floor.port(), connections, 0, "weir_" + std::string(64, '0'));
            all.push_back(round);
        }
        best = std::max(best, bench::median({all[0].weir.per_second, all[1].weir.per_second, all[2].weir.per_second}));
        shapes += fmt::format("{}\n    {{\"connections\": {}, {}, {}, {},\n     {}, {}, {}, {},\n     {}}}", shapes.empty() ? "" : ",",
                              connections,
                              series(
                                  "weir_per_second", all, [](const Round& r) { return r.weir.per_second; }, "{:.0f}"),
                              series(
                                  "floor_per_second", all, [](const Round& r) { return r.floor.per_second; }, "{:.0f}"),
                              series(
                                  "ratio_to_floor", all, [](const Round& r) { return r.weir.per_second / r.floor.per_second; }, "{:.2f}"),
                              series(
                                  "weir_p50_ms", all, [](const Round& r) { return static_cast<double>(r.weir.p50_us) / 1e3; }, "{:.2f}"),
                              series(
                                  "weir_p99_ms", all, [](const Round& r) { return static_cast<double>(r.weir.p99_us) / 1e3; }, "{:.2f}"),
                              series(
                                  "floor_p99_ms", all, [](const Round& r) { return static_cast<double>(r.floor.p99_us) / 1e3; }, "{:.2f}"),
                              series(
                                  "weir_jobs_per_commit", all, [](const Round& r) { return r.jobs_per_commit; }, "{:.1f}"),
                              series("views_lag_most_ms", all, lag_of, "{:.0f}"));
    }
    std::vector<Round> batches;
    std::size_t batch_bytes = 0;
    for (int i = 0; i < rounds; ++i) {
        Round round;
        {
            Weir weir;
            LagWatch lag{weir};
            round.weir = ask(asker, weir.port(), batch_connections, 0, weir.token(), batch_jobs);
            round.lag_ms = lag.most_ms();
            batch_bytes = weir.bytes_per_job();
        }
        Floor floor{std::make_unique<SqliteTable>(batch_bytes), batch_jobs};
        round.floor = ask(asker, floor.port(), batch_connections, 0, "weir_" + std::string(64, '0'), batch_jobs);
        batches.push_back(round);
    }
    Round sustained;
    {
        Weir weir;
        LagWatch lag{weir};
        sustained.weir = ask(asker, weir.port(), batch_connections, 0, weir.token(), batch_jobs, sustained_ms);
        sustained.lag_ms = lag.most_ms();
    }
    std::vector<Round> paced;
    for (int i = 0; i < rounds; ++i) {
        Weir weir;
        LagWatch lag{weir};
        paced.push_back({ask(asker, weir.port(), 256, best / 2, weir.token()), {}, 0, 0});
        paced.back().lag_ms = lag.most_ms();
    }
    fmt::print(
        "{{\"benchmark\": \"http_submit\", {}, \"rounds\": {}, \"measured_ms\": {}, \"journal_bytes_per_job\": {},\n  "
        "\"as_fast_as_it_goes\": [{}\n  ],\n",
        bench::provenance(), rounds, measure_ms, bytes, shapes);
    fmt::print("  \"batches\": {{\"jobs_of_a_batch\": {}, \"connections\": {}, \"journal_bytes_per_job\": {}, {}, {}, {}, {}, {}}},\n",
               batch_jobs, batch_connections, batch_bytes,
               series(
                   "jobs_per_second", batches, [](const Round& r) { return r.weir.per_second * batch_jobs; }, "{:.0f}"),
               series(
                   "floor_jobs_per_second", batches, [](const Round& r) { return r.floor.per_second * batch_jobs; }, "{:.0f}"),
               series(
                   "ratio_to_floor", batches, [](const Round& r) { return r.weir.per_second / r.floor.per_second; }, "{:.2f}"),
               series(
                   "p99_ms", batches, [](const Round& r) { return static_cast<double>(r.weir.p99_us) / 1e3; }, "{:.2f}"),
               series("views_lag_most_ms", batches, lag_of, "{:.0f}"));
    fmt::print(
        "  \"batches_without_a_pause\": {{\"measured_ms\": {}, \"jobs_per_second\": {:.0f}, \"p99_ms\": {:.2f}, \"views_lag_most_ms\": "
        "{:.0f}}},\n",
        sustained_ms, sustained.weir.per_second * batch_jobs, static_cast<double>(sustained.weir.p99_us) / 1e3, sustained.lag_ms);
    fmt::print("  \"at_half_rate\": {{\"asked_per_second\": {:.0f}, {}, {}, {}, {}}}}}\n", best / 2,
               series("answered_per_second", paced, [](const Round& r) { return r.weir.per_second; }, "{:.0f}"),
               series("p50_ms", paced, [](const Round& r) { return static_cast<double>(r.weir.p50_us) / 1e3; }, "{:.2f}"),
               series("p99_ms", paced, [](const Round& r) { return static_cast<double>(r.weir.p99_us) / 1e3; }, "{:.2f}"),
               series("views_lag_most_ms", paced, lag_of, "{:.0f}"));
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
