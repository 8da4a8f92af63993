// bench/watch_streams.cpp: ten thousand watches of one weir-server, open while jobs are submitted.
//
// A process of its own holds the streams: a hundred projects, each watched by a hundred connections, of 16 people. Another submits
// single jobs at a steady rate, to the projects in turn, so that each job is told to a hundred watchers. A watcher's delay runs from
// the instant in the event (when its commit began: the sync of the journal is within it) to the reading of its bytes; all processes
// share the machine and its clock. Resident memory is what the kernel says of the server's process.
#include "bench/load.hpp"
#include "bench/real_network.hpp"
#include "bench/report.hpp"

#include "base/time.hpp"
#include "transport/http/server/server.hpp"

#include <time.h>

#include <array>
#include <thread>

namespace {

using namespace weir;
using bench::give_up;

constexpr int streams = 10'000;
constexpr int projects = 100;
constexpr int people = 16;
constexpr double jobs_per_second = 50;
constexpr int submit_ms = 15'000;
constexpr std::uint64_t files_wanted = streams + 1'000;
constexpr std::int64_t goal_kib = 1'000'000;

std::int64_t wall_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

/// One open watch: what has come and is no whole event yet.
struct Watch {
    int fd = -1;
    std::string got;
};

/// Holds the watches and times what comes; does what its orders say.
class Holder {
public:
    void open(std::uint16_t port, const std::vector<std::string>& secrets) {
        poller_ = ::epoll_create1(EPOLL_CLOEXEC);
        watches_.resize(streams);
        for (std::size_t i = 0; i < watches_.size(); ++i) {
            watches_[i].fd = bench::connect_to(port);
            bench::send_all(watches_[i].fd, fmt::format("GET /v1/watch?project=bench-{} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: "
                                                        "text/event-stream\r\n{}\r\n",
                                                        i % projects, bench::bearer(secrets[i % secrets.size()])));
            if (i % 64 == 63 || i + 1 == watches_.size()) take_heads(i / 64 * 64, i + 1);
        }
    }

    /// Reads until nothing has come for so long and `done`, a time of the wall clock, is over.
    void listen(std::int64_t until_ns) {
        std::array<epoll_event, 256> events{};
        while (wall_ns() < until_ns) {
            const int ready = ::epoll_wait(poller_, events.data(), events.size(), 50);
            for (int i = 0; i < ready; ++i) take(watches_[events[static_cast<std::size_t>(i)].data.u64]);
        }
    }
    [[nodiscard]] std::string figures() {
        if (delays_ms_.empty()) give_up("no event came to any watch");
        const auto p50 = bench::percentile(delays_ms_, 0.5);
        const auto p99 = bench::percentile(delays_ms_, 0.99);
        return fmt::format("{} {} {} {}", delays_ms_.size(), p50, p99, std::ranges::max(delays_ms_));
    }

private:
    /// The answers to the requests that were just sent: each must open a stream.
    void take_heads(std::size_t from, std::size_t to) {
        std::array<char, 4096> buffer{};
        for (auto i = from; i < to; ++i) {
            auto& watch = watches_[i];
            while (!watch.got.contains("\r\n\r\n")) {
                const ssize_t got = ::recv(watch.fd, buffer.data(), buffer.size(), 0);
                if (got <= 0) give_up(fmt::format("watch {} was not opened", i));
                watch.got.append(buffer.data(), static_cast<std::size_t>(got));
            }
            if (!watch.got.starts_with("HTTP/1.1 200")) give_up("a watch was refused: " + watch.got.substr(0, 600));
            watch.got.clear();
            epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
            ::epoll_ctl(poller_, EPOLL_CTL_ADD, watch.fd, &event);
        }
    }

    void take(Watch& watch) {
        std::array<char, 65'536> buffer{};
        const ssize_t got = ::recv(watch.fd, buffer.data(), buffer.size(), 0);
        const auto now_ns = wall_ns();
        if (got <= 0) give_up("the server closed a watch");
        watch.got.append(buffer.data(), static_cast<std::size_t>(got));
        for (auto end = watch.got.find("\n\n"); end != std::string::npos; end = watch.got.find("\n\n")) {
            constexpr std::string_view mark = R"("at":")";
            const auto at = watch.got.find(mark);
            if (at < end) {
                const auto text = std::string_view{watch.got}.substr(at + mark.size());
                const auto instant = parse_utc(text.substr(0, text.find('"')));
                if (!instant) give_up("an event without a time: " + watch.got.substr(0, 200));
                delays_ms_.push_back(static_cast<double>(now_ns - instant->ns) / 1e6);
            }
            watch.got.erase(0, end + 2);
        }
    }

    int poller_ = -1;
    std::vector<Watch> watches_;
    std::vector<double> delays_ms_;
};

/// Orders: port, number of tokens, tokens; then until when to listen.
void hold(FILE* orders, FILE* answers) {
    if (http::raise_open_files(files_wanted) < files_wanted)
        give_up("10,000 streams need as many open files; raise the hard limit (ulimit -Hn)");
    const auto say = [&](const std::string& line) {
        fmt::print(answers, "{}\n", line);
        std::fflush(answers);
    };
    int port = 0;
    std::size_t count = 0;
    if (std::fscanf(orders, "%d %zu", &port, &count) != 2) return;
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < count; ++i) {
        std::array<char, 128> secret{};
        if (std::fscanf(orders, "%127s", secret.data()) != 1) return;
        secrets.emplace_back(secret.data());
    }
    Holder holder;
    holder.open(static_cast<std::uint16_t>(port), secrets);
    say("open");
    long until_ns = 0;
    if (std::fscanf(orders, "%ld", &until_ns) != 1) return;
    holder.listen(until_ns);
    say(holder.figures());
    // The streams stay open until nobody wants to know more.
    (void)std::fgetc(orders);
    (void)std::fgetc(orders);
}

void measure_all() {
    bench::Asker asker;
    bench::Helper holder{hold};
    const bench::Directory directory;
    const double sync_us = directory.sync_us();
    bench::RealNetwork network{directory, {.projects = projects, .people = people}};
    const auto rss_kib = [&] { return bench::status_number(network.server_pid(), "VmRSS:"); };
    const auto before_kib = rss_kib();
    const auto from = std::chrono::steady_clock::now();
    holder.order(fmt::format("{} {} {}\n", network.port(), people, fmt::join(network.tokens(), " ")));
    if (holder.answer() != "open") give_up("the watches were not opened");
    const auto opened_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
    const auto idle_kib = rss_kib();

    bench::Load load{.port = network.port(), .connections = projects, .per_second = jobs_per_second, .warm_ms = 0, .measure_ms = submit_ms};
    for (int i = 0; i < projects; ++i)
        load.requests.push_back(bench::submission(network.tokens()[static_cast<std::size_t>(i) % network.tokens().size()], i));
    holder.order(fmt::format("{}\n", wall_ns() + (std::int64_t{submit_ms} + 2'000) * 1'000'000));
    asker.begin(load);
    std::int64_t busy_kib = 0;
    for (int i = 0; i < submit_ms / 250; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{250});
        busy_kib = std::max(busy_kib, rss_kib());
    }
    const auto asked = asker.end();
    if (asked.refused > 0) give_up(fmt::format("{} of {} submissions were refused", asked.refused, asked.answers));
    std::size_t deliveries = 0;
    double p50_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
    if (std::sscanf(holder.answer().c_str(), "%zu %lf %lf %lf", &deliveries, &p50_ms, &p99_ms, &max_ms) != 4) give_up("no figures came");
    const auto peak_kib = bench::status_number(network.server_pid(), "VmHWM:");
    const auto client_kib = bench::status_number(holder.pid(), "VmRSS:");
    const auto due = static_cast<std::size_t>(asked.answers) * (streams / projects);
    fmt::print("{{\"benchmark\": \"watch_streams\", {}, \"sync_of_4_kib_us\": {:.0f},\n", bench::provenance(), sync_us);
    fmt::print("  \"streams\": {}, \"projects\": {}, \"people\": {}, \"opened_in_s\": {:.1f},\n", streams, projects, people, opened_s);
    fmt::print(
        "  \"server_resident_kib\": {{\"before\": {}, \"streams_idle\": {}, \"while_jobs_come\": {}, \"peak\": {}, \"goal\": {}}},\n",
        before_kib, idle_kib, busy_kib, peak_kib, goal_kib);
    fmt::print("  \"server_bytes_per_stream\": {}, \"client_resident_kib\": {},\n", (idle_kib - before_kib) * 1024 / streams, client_kib);
    fmt::print("  \"jobs_per_second\": {{\"asked\": {:.0f}, \"answered\": {:.1f}}}, \"submit_ms\": {{\"p50\": {:.2f}, \"p99\": {:.2f}}},\n",
               jobs_per_second, asked.per_second, static_cast<double>(asked.p50_us) / 1e3, static_cast<double>(asked.p99_us) / 1e3);
    fmt::print("  \"events_delivered\": {}, \"job_events_due\": {}, \"deliveries_per_second\": {:.0f},\n", deliveries, due,
               static_cast<double>(deliveries) * 1e3 / submit_ms);
    fmt::print("  \"commit_to_delivery_ms\": {{\"p50\": {:.2f}, \"p99\": {:.2f}, \"max\": {:.2f}}}}}\n", p50_ms, p99_ms, max_ms);
    holder.order("\n");
    if (deliveries < due) give_up(fmt::format("{} of {} events did not reach their watchers", due - deliveries, due));
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
