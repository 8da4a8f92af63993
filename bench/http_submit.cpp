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
#include "apps/server/history_views.hpp"
#include "apps/server/network.hpp"
#include "bench/disk.hpp"
#include "bench/load.hpp"
#include "bench/report.hpp"
#include "transport/api/api.hpp"
#include "transport/http/server/server.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <sqlite3.h>
#include <sys/random.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;
namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr int rounds = 3;
constexpr int measure_ms = 3'000;
constexpr int warm_ms = 1'000;
constexpr int sustained_ms = 15'000;
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

Asked ask(Asker& asker, std::uint16_t port, int connections, double rate, const std::string& token, int jobs = 1,
          int for_ms = measure_ms) {
    return asker.ask({.port = port,
                      .connections = connections,
                      .per_second = rate,
                      .warm_ms = warm_ms,
                      .measure_ms = for_ms,
                      .requests = {request_with(token, jobs)}});
}

// ---- the floor: Beast, a queue, a SQLite table

/// Writes what has gathered as one transaction, then runs what waits for it.
class Committer {
public:
    Committer(const std::string& path, std::size_t bytes, int records) : text_(bytes, 'x'), records_{records} {
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
            for (std::size_t i = 0; i < taken.size() * static_cast<std::size_t>(records_); ++i) {
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
    int records_;  ///< For each request.
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
    explicit Floor(std::size_t bytes, int records = 1) : committer_{directory_.file("floor.db"), bytes, records} {
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

/// What weir-server runs, whole, in this process: store, loop, snapshots, views, API.
class Weir {
public:
    Weir() {
        Catalogue catalogue;
        catalogue["A100"].model = "A100";
        auto opened = server::Network::open({.store = directory_.file("weir.db"),
                                             .policy = {},
                                             .catalogue = catalogue,
                                             .loop = {},
                                             .say = [](const std::string&) {},
                                             .fatal = [](const std::string& trouble) { give_up(trouble); }});
        if (!opened) give_up(opened.error());
        network_ = std::move(*opened);
        const auto clocks = server::machine_clocks();
        settle_in(clocks.wall());
        auto views = views::Views::open(directory_.file("views.db"));
        auto trailing = network_->journal().open_reader();
        if (!views || !trailing) give_up(views ? trailing.error().message : views.error());
        history_ = std::make_unique<server::ViewsHistory>(std::move(*views), network_->reader(), std::move(*trailing), give_up);
        watcher_ = network_->reader().on_commit([this](std::uint64_t) { history_->wake(); });
        api::World world{
            .reader = network_->reader(), .loop = network_->loop(), .wall = clocks.wall, .steady = clocks.steady, .random = chance};
        world.history = history_.get();
        api_ = std::make_unique<api::Api>(std::move(world),
                                          api::Options{.rate = {.per_second = 10'000'000, .burst = 10'000'000}, .build = {}});
        http::ServerOptions options;
        api_->guard(options);
        auto server = http::Server::start(api_->router(), std::move(options));
        if (!server) give_up(server.error().message);
        server_ = std::make_unique<http::Server>(std::move(*server));
    }
    Weir(const Weir&) = delete;
    Weir& operator=(const Weir&) = delete;
    ~Weir() {
        api_->stop();
        server_->stop(seconds(5));
        network_->reader().forget(watcher_);
        network_->stop();
    }
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] const std::string& token() const { return secret_; }
    [[nodiscard]] control::LoopFigures figures() const { return network_->loop().figures(); }
    /// What the journal has.
    [[nodiscard]] std::uint64_t head() const { return network_->reader().revision(); }
    /// How far the views are.
    [[nodiscard]] std::uint64_t watermark() const { return history_->watermark(); }
    /// Bytes of journal for each job, of the last thousand records.
    [[nodiscard]] std::size_t bytes_per_job() {
        auto reader = network_->journal().open_reader();
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
    static void chance(std::span<std::uint8_t> out) {
        if (::getrandom(out.data(), out.size(), 0) < 0) give_up("getrandom");
    }
    void must(control::Command command) {
        if (const auto answer = network_->carry_out(std::move(command)); !answer) give_up(answer.error().message);
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
        std::array<std::uint8_t, 32> bytes{};
        chance(bytes);
        secret_ = api::secret_of(bytes);
        Token token;
        token.id = TokenId{make_uid(now, 0, 2)};
        token.subject = SubjectName{"ann"};
        token.hash = api::hash_of_secret(secret_);
        token.scopes = {Scope::write};
        must(control::IssueToken{token});
    }
    Directory directory_;
    std::unique_ptr<server::Network> network_;
    std::unique_ptr<server::ViewsHistory> history_;
    std::uint64_t watcher_ = 0;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<http::Server> server_;
    std::string secret_;
};

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
            Floor floor{bytes};
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
        Floor floor{batch_bytes, batch_jobs};
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
