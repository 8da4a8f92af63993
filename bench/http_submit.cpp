// bench/http_submit.cpp: single jobs submitted over HTTP, durable before they are answered, against the least that could do it.
//
// A second process submits over keep-alive connections, one request at a time on each. "weir" is the whole way: token, rate limit,
// strict decoding, decide, ledger hold, journal with its chain, reader, answer. The floor, measured in the same round, is a bare
// Beast server whose commit thread writes as many bytes for each request into a SQLite table, all that gathered in one
// transaction, and answers with as many bytes. Both sync each commit (WAL, synchronous=FULL); a file system that does not sync
// is refused. Both have one io thread and one commit thread; all of them share the machine with the asking process.
//
// Batches of a thousand jobs are counted in jobs.
//
// Then requests are sent at half the rate that weir reached, on time whatever the answers do, and each is timed from the
// moment at which it was due.
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "bench/disk.hpp"
#include "bench/load.hpp"
#include "bench/report.hpp"
#include "control/loop.hpp"
#include "control/recover.hpp"
#include "transport/api/api.hpp"
#include "transport/http/server/server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <sqlite3.h>
#include <sys/random.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;
namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr int rounds = 3;
constexpr int measure_ms = 3'000;
constexpr int warm_ms = 1'000;
constexpr std::array connection_counts{16, 64, 256};

using bench::Asked;
using bench::Asker;
using bench::Directory;
using bench::give_up;

constexpr int batch_jobs = 1'000;
constexpr int batch_connections = 4;

/// One job, or a batch of so many.
std::string request_with(const std::string& token, int jobs) {
    const std::string job =
        R"({"project":"bench","spec":{"name":"bench","resources":{"accelerators":["A100:1"],"cpus":8,"memory":"32GiB"},)"
        R"("run":"python3 train.py --epochs 10","envs":{"SEED":"1"},"max_duration":"1h"}})";
    std::string body = job;
    if (jobs > 1) {
        body = R"({"jobs":[)" + job;
        for (int i = 1; i < jobs; ++i) body += "," + job;
        body += "]}";
    }
    return bench::post_request(jobs > 1 ? "/v1/jobs:batch" : "/v1/jobs", bench::bearer(token), body);
}

Asked ask(Asker& asker, std::uint16_t port, int connections, double rate, const std::string& token, int jobs = 1) {
    return asker.ask({.port = port,
                      .connections = connections,
                      .per_second = rate,
                      .warm_ms = warm_ms,
                      .measure_ms = measure_ms,
                      .requests = {request_with(token, jobs)}});
}

// ---- the floor: Beast, a queue, a SQLite table

/// Writes what has gathered as one transaction, then runs what waits for it.
class Committer {
public:
    Committer(const std::string& path, std::size_t bytes) : text_(bytes, 'x') {
        const auto run = [&](const char* sql) {
            if (::sqlite3_exec(store_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(::sqlite3_errmsg(store_));
        };
        if (::sqlite3_open(path.c_str(), &store_) != SQLITE_OK) give_up("sqlite3_open");
        run("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
            "CREATE TABLE journal(revision INTEGER PRIMARY KEY, text TEXT NOT NULL)");
        ::sqlite3_stmt* level = nullptr;
        ::sqlite3_prepare_v2(store_, "PRAGMA synchronous", -1, &level, nullptr);
        if (::sqlite3_step(level) != SQLITE_ROW || ::sqlite3_column_int(level, 0) != 2) give_up("SQLite does not sync each commit");
        ::sqlite3_finalize(level);
        ::sqlite3_prepare_v2(store_, "INSERT INTO journal(text) VALUES(?)", -1, &insert_, nullptr);
        thread_ = std::jthread{[this](const std::stop_token& stop) { run_until(stop); }};
    }
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;
    ~Committer() {
        thread_.request_stop();
        thread_.join();
        ::sqlite3_finalize(insert_);
        ::sqlite3_close(store_);
    }
    void add(std::move_only_function<void()> then) {
        const std::scoped_lock lock{mutex_};
        waiting_.push_back(std::move(then));
        changed_.notify_one();
    }

private:
    void run_until(const std::stop_token& stop) {
        std::vector<std::move_only_function<void()>> taken;
        while (!stop.stop_requested()) {
            {
                std::unique_lock lock{mutex_};
                changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
                std::swap(taken, waiting_);
            }
            if (taken.empty()) continue;
            ::sqlite3_exec(store_, "BEGIN", nullptr, nullptr, nullptr);
            for (std::size_t i = 0; i < taken.size(); ++i) {
                ::sqlite3_bind_text(insert_, 1, text_.data(), static_cast<int>(text_.size()), SQLITE_STATIC);
                if (::sqlite3_step(insert_) != SQLITE_DONE) give_up(::sqlite3_errmsg(store_));
                ::sqlite3_reset(insert_);
            }
            if (::sqlite3_exec(store_, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) give_up(::sqlite3_errmsg(store_));
            for (auto& then : taken) then();
            taken.clear();
        }
    }
    std::string text_;
    ::sqlite3* store_ = nullptr;
    ::sqlite3_stmt* insert_ = nullptr;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::move_only_function<void()>> waiting_;
    std::jthread thread_;
};

class FloorConnection : public std::enable_shared_from_this<FloorConnection> {
public:
    FloorConnection(asio::ip::tcp::socket socket, Committer& committer) : socket_{std::move(socket)}, committer_{committer} {
        socket_.set_option(asio::ip::tcp::no_delay{true});
    }
    void read() {
        request_ = {};
        beast::http::async_read(socket_, buffer_, request_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error) return;
            self->committer_.add([self] { asio::post(self->socket_.get_executor(), [self] { self->answer(); }); });
        });
    }

private:
    void answer() {
        answer_ = {beast::http::status::created, 11};
        answer_.set(beast::http::field::content_type, "application/json");
        answer_.set("Weir-Revision", "1234567");
        answer_.set("Location", "/v1/jobs/job-01kaj3f0000000000000000000");
        answer_.body() = R"({"id":"job-01kaj3f0000000000000000000","repeated":false,"revision":1234567})";
        answer_.prepare_payload();
        beast::http::async_write(socket_, answer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (!error) self->read();
        });
    }
    asio::ip::tcp::socket socket_;
    Committer& committer_;
    beast::flat_buffer buffer_;
    beast::http::request<beast::http::string_body> request_;
    beast::http::response<beast::http::string_body> answer_;
};

class Floor {
public:
    explicit Floor(std::size_t bytes) : committer_{directory_.file("floor.db"), bytes} {
        accept();
        thread_ = std::jthread{[this] { context_.run(); }};
    }
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;
    ~Floor() {
        context_.stop();
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    void accept() {
        acceptor_.async_accept([this](beast::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            std::make_shared<FloorConnection>(std::move(socket), committer_)->read();
            accept();
        });
    }
    Directory directory_;
    asio::io_context context_{1};
    asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
    Committer committer_;
    std::jthread thread_;
};

// ---- weir

class Network {
public:
    Network() {
        auto opened = store::open_journal({.path = directory_.file("weir.db")});
        if (!opened) give_up(opened.error().message);
        journal_ = std::move(*opened);
        Catalogue catalogue;
        catalogue["A100"].model = "A100";
        reader_ = std::make_unique<control::Reader>(recovered(catalogue));
        writer_ = std::make_unique<control::Writer>(recovered(catalogue), *journal_);
        const auto wall = [] {
            return Instant{
                std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
        };
        const auto steady = [] { return Instant{Clock::now().time_since_epoch().count()}; };
        loop_ = std::make_unique<control::Loop>(*writer_, *reader_, control::Clocks{wall, steady}, control::LoopOptions{},
                                                [](const ports::JournalError& error) { give_up(error.message); });
        settle_in(wall());
        api::World world{.reader = *reader_, .loop = *loop_, .wall = wall, .steady = steady, .random = [](std::span<std::uint8_t> out) {
                             if (::getrandom(out.data(), out.size(), 0) < 0) give_up("getrandom");
                         }};
        api_ = std::make_unique<api::Api>(std::move(world),
                                          api::Options{.rate = {.per_second = 10'000'000, .burst = 10'000'000}, .build = {}});
        http::ServerOptions options;
        api_->guard(options);
        auto server = http::Server::start(api_->router(), std::move(options));
        if (!server) give_up(server.error().message);
        server_ = std::make_unique<http::Server>(std::move(*server));
    }
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    ~Network() {
        api_->stop();
        server_->stop(seconds(5));
        loop_->stop();
    }
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] const std::string& token() const { return secret_; }
    [[nodiscard]] control::LoopFigures figures() const { return loop_->figures(); }
    /// Bytes of journal for each job, of the last thousand records.
    [[nodiscard]] std::size_t bytes_per_job() {
        auto reader = journal_->open_reader();
        const auto head = (*reader)->head();
        const auto records = (*reader)->read(head->revision > 1'000 ? head->revision - 999 : 1, 1'000, 64U << 20U);
        std::size_t bytes = 0;
        std::size_t jobs = 0;
        for (const auto& record : *records) {
            bytes += record.text.size();
            jobs += record.text.find(R"("type":40,)") != std::string::npos ? 1 : 0;
        }
        return jobs == 0 ? 0 : bytes / jobs;
    }

private:
    control::Core recovered(const Catalogue& catalogue) {
        auto recovery = control::recover(*journal_, {}, catalogue);
        if (!recovery) give_up(recovery.error());
        return std::move(recovery->core);
    }
    void must(control::Command command) {
        std::promise<bool> done;
        loop_->submit(control::Request{control::Actor{}, std::move(command)},
                      [&](const control::Answer& answer, std::uint64_t) { done.set_value(answer.has_value()); });
        if (!done.get_future().get()) give_up("a command of the preparation was refused");
    }
    void settle_in(Instant now) {
        must(control::SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn/sichuan", ""}});
        must(control::SetProject{{ProjectName{"bench"}, OrganisationName{"lab"}, {}, {}, 1'000'000}});
        must(control::SetRoles{SubjectName{"ann"}, ProjectName{"bench"}, {Role::member}});
        must(control::Deposit{make_uid(now, 0, 1), OrganisationName{"lab"}, Fen{10'000'000'000'00}});
        Site site;
        site.name = SiteName{"east"};
        site.owner = OrganisationName{"lab"};
        site.region = "cn/sichuan";
        site.tariff = {{"A100", Fen{600}}};
        must(control::SetSite{site});
        std::array<std::uint8_t, 32> chance{};
        if (::getrandom(chance.data(), chance.size(), 0) < 0) give_up("getrandom");
        secret_ = api::secret_of(chance);
        Token token;
        token.id = TokenId{make_uid(now, 0, 2)};
        token.subject = SubjectName{"ann"};
        token.hash = api::hash_of_secret(secret_);
        token.scopes = {Scope::write};
        must(control::IssueToken{token});
    }
    Directory directory_;
    std::unique_ptr<ports::Journal> journal_;
    std::unique_ptr<control::Reader> reader_;
    std::unique_ptr<control::Writer> writer_;
    std::unique_ptr<control::Loop> loop_;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<http::Server> server_;
    std::string secret_;
};

// ---- the report

struct Round {
    Asked weir;
    Asked floor;
    double jobs_per_commit = 0;
};

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
                Network network;
                const auto before = network.figures();
                round.weir = ask(asker, network.port(), connections, 0, network.token());
                const auto after = network.figures();
                round.jobs_per_commit = static_cast<double>(round.weir.answers) / static_cast<double>(after.commits - before.commits);
                bytes = network.bytes_per_job();
            }
            Floor floor{bytes};
            round.floor = ask(asker, floor.port(), connections, 0, "weir_" + std::string(64, '0'));
            all.push_back(round);
        }
        best = std::max(best, bench::median({all[0].weir.per_second, all[1].weir.per_second, all[2].weir.per_second}));
        shapes += fmt::format("{}\n    {{\"connections\": {}, {}, {}, {},\n     {}, {}, {}, {}}}", shapes.empty() ? "" : ",", connections,
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
                              series("weir_jobs_per_commit", all, [](const Round& r) { return r.jobs_per_commit; }, "{:.1f}"));
    }
    std::vector<Round> batches;
    for (int i = 0; i < rounds; ++i) {
        Network network;
        batches.push_back({ask(asker, network.port(), batch_connections, 0, network.token(), batch_jobs), {}, 0});
    }
    std::vector<Round> paced;
    for (int i = 0; i < rounds; ++i) {
        Network network;
        paced.push_back({ask(asker, network.port(), 256, best / 2, network.token()), {}, 0});
    }
    fmt::print(
        "{{\"benchmark\": \"http_submit\", {}, \"rounds\": {}, \"measured_ms\": {}, \"journal_bytes_per_job\": {},\n  "
        "\"as_fast_as_it_goes\": [{}\n  ],\n",
        bench::provenance(), rounds, measure_ms, bytes, shapes);
    fmt::print("  \"batches\": {{\"jobs_of_a_batch\": {}, \"connections\": {}, {}, {}}},\n", batch_jobs, batch_connections,
               series("jobs_per_second", batches, [](const Round& r) { return r.weir.per_second * batch_jobs; }, "{:.0f}"),
               series("p99_ms", batches, [](const Round& r) { return static_cast<double>(r.weir.p99_us) / 1e3; }, "{:.2f}"));
    fmt::print("  \"at_half_rate\": {{\"asked_per_second\": {:.0f}, {}, {}, {}}}}}\n", best / 2,
               series("answered_per_second", paced, [](const Round& r) { return r.weir.per_second; }, "{:.0f}"),
               series("p50_ms", paced, [](const Round& r) { return static_cast<double>(r.weir.p50_us) / 1e3; }, "{:.2f}"),
               series("p99_ms", paced, [](const Round& r) { return static_cast<double>(r.weir.p99_us) / 1e3; }, "{:.2f}"));
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
