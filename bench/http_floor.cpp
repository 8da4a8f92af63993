// bench/http_floor.cpp: what the HTTP server costs before anyone does any work.
//
// A second process asks over keep-alive connections, one request at a time on each, and says how long the answers took.
// "empty" answers inside the handler; "posted" hands its Reply to another thread that answers whatever has gathered, as the
// core does after a group commit. The floor, measured in between, is a bare epoll loop that sends the bytes of such an answer
// back for each packet and reads nothing of it. All of them share the machine's cores with the asking process.
//
// Then 10,000 event streams are opened and left idle: resident memory of both processes and of the kernel's sockets, and the
// time to tell one event to all.
#include "bench/load.hpp"
#include "bench/report.hpp"
#include "transport/http/server/server.hpp"
#include "transport/http/sse.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <sstream>
#include <utility>

namespace {

using namespace weir;
using namespace weir::http;
using Clock = std::chrono::steady_clock;

constexpr int measure_ms = 1000;
constexpr int warm_ms = 200;
constexpr int runs = 3;
constexpr int streams = 10'000;
constexpr std::array connection_counts{1, 4, 16, 64};

constexpr std::string_view request =
    "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\nContent-Type: "
    "application/json\r\n"
    "User-Agent: bench\r\nAccept: */*\r\nIdempotency-Key: 01KAJ3F0000000000000000000\r\nContent-Length: 53\r\n\r\n"
    "{\"name\":\"bench\",\"resources\":{\"accelerators\":\"cpu:1\"}}";

using bench::connect_to;
using bench::give_up;

/// A number of /proc/self/status or /proc/net/sockstat: the word after `mark`.
std::int64_t proc_number(const std::string& path, const std::string& mark) {
    std::ifstream file{path};
    std::stringstream all;
    all << file.rdbuf();
    std::string text = all.str();
    const std::size_t at = text.find(mark);
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + mark.size()));
}
std::int64_t resident_kib() { return proc_number("/proc/self/status", "VmRSS:"); }
std::int64_t socket_pages() {
    std::ifstream file{"/proc/net/sockstat"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("TCP:")) return std::stoll(line.substr(line.find(" mem ") + 5));
    }
    return 0;
}

double process_core_us() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto us = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); };
    return us(used.ru_utime) + us(used.ru_stime);
}

// ---- the asking processes

struct Measured {
    bench::Asked asked;
    double server_core_us = 0;  ///< Processor time of the answering process per answer.
};

Measured measure(bench::Asker& asker, std::uint16_t port, int connections) {
    const double from_us = process_core_us();
    Measured measured{.asked = asker.ask({.port = port,
                                          .connections = connections,
                                          .warm_ms = warm_ms,
                                          .measure_ms = measure_ms,
                                          .requests = {std::string{request}}})};
    measured.server_core_us = (process_core_us() - from_us) / static_cast<double>(measured.asked.answers);
    return measured;
}

/// One answer, whole: what the bare loop sends back.
std::string answer_of(std::uint16_t port) {
    const int fd = connect_to(port);
    bench::send_all(fd, request);
    std::string answer;
    while (bench::answer_length(answer) == 0) {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) give_up("no answer came");
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return answer;
}

/// Opens the streams, says so, waits for one event on each, and says so again.
void hold_streams(std::uint16_t port, const std::function<void(const std::string&)>& say) {
    constexpr std::string_view get = "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n";
    const std::int64_t before_kib = resident_kib();
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<int> peers;
    std::array<char, 4096> buffer{};
    for (int i = 0; i < streams; ++i) {
        peers.push_back(connect_to(port));
        if (::send(peers.back(), get.data(), get.size(), 0) < 0 || ::recv(peers.back(), buffer.data(), buffer.size(), 0) <= 0)
            give_up("stream");
        epoll_event event{.events = EPOLLIN, .data = {.fd = peers.back()}};
        ::epoll_ctl(poller, EPOLL_CTL_ADD, peers.back(), &event);
    }
    say(fmt::format("{}", resident_kib() - before_kib));
    std::array<epoll_event, 256> events{};
    for (int told = 0; told < streams;) {
        const int ready = ::epoll_wait(poller, events.data(), events.size(), 10'000);
        if (ready <= 0) give_up("event");
        for (int i = 0; i < ready; ++i) {
            const ssize_t got = ::recv(events[static_cast<std::size_t>(i)].data.fd, buffer.data(), buffer.size(), 0);
            if (got > 0 && std::string_view{buffer.data(), static_cast<std::size_t>(got)}.contains("data:")) ++told;
        }
    }
    say("told");
    for (const int fd : peers) ::close(fd);
}

/// Holds streams at each port that it is told.
void serve_orders(FILE* orders, FILE* answers) {
    const auto say = [&](const std::string& line) {
        fmt::print(answers, "{}\n", line);
        std::fflush(answers);
    };
    int port = 0;
    while (std::fscanf(orders, "%d", &port) == 1) hold_streams(static_cast<std::uint16_t>(port), say);
}

// ---- what is asked ----

/// Answers on its own thread whatever has gathered since the last time.
class Committer {
public:
    Committer() : thread_{[this](const std::stop_token& stop) { run(stop); }} {}
    void add(Reply reply) {
        const std::scoped_lock lock{mutex_};
        waiting_.push_back(std::move(reply));
        changed_.notify_one();
    }

private:
    void run(const std::stop_token& stop) {
        std::vector<Reply> taken;
        while (!stop.stop_requested()) {
            {
                std::unique_lock lock{mutex_};
                changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
                std::swap(taken, waiting_);
            }
            for (Reply& reply : taken) reply(Response::json(201, R"({"id":"job-01KAJ3F0000000000000000000"})"));
            taken.clear();
        }
    }
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<Reply> waiting_;
    std::jthread thread_;
};

/// The bare loop: one thread, fixed bytes for each packet.
class Bare {
public:
    explicit Bare(std::string answer) : answer_{std::move(answer)}, listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 128) != 0) give_up("listen");
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    void run(const std::stop_token& stop) {
        const int poller = ::epoll_create1(EPOLL_CLOEXEC);
        const auto watch = [&](int fd) {
            epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
            ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        };
        watch(listener_);
        std::array<epoll_event, 64> events{};
        std::array<char, 4096> buffer{};
        while (!stop.stop_requested()) {
            const int ready = ::epoll_wait(poller, events.data(), events.size(), 50);
            for (int i = 0; i < ready; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) {
                    watch(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
                } else if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0) {
                    ::close(fd);
                } else if (::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL) < 0) {
                    ::close(fd);
                }
            }
        }
        ::close(listener_);
        ::close(poller);
    }
    std::string answer_;
    int listener_;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

struct Subscribers {
    std::mutex mutex;
    std::vector<Stream> streams;
};

Router make_router(Committer& committer, Subscribers& subscribers, bool posted) {
    Router router;
    const auto add = [&](Method method, std::string pattern, Handler handler) {
        if (!router.add({.method = method, .pattern = std::move(pattern), .handler = std::move(handler), .options = {}})) give_up("route");
    };
    add(Method::get, "/events", [&](const Request&, Reply reply) {
        Stream stream = Stream::open();
        reply(Response::events(stream));
        const std::scoped_lock lock{subscribers.mutex};
        subscribers.streams.push_back(std::move(stream));
    });
    if (posted) {
        add(Method::post, "/v1/jobs", [&](const Request&, Reply reply) { committer.add(std::move(reply)); });
    } else {
        add(Method::post, "/v1/jobs",
            answer_with([](const Request&) { return Response::json(201, R"({"id":"job-01KAJ3F0000000000000000000"})"); }));
    }
    return router;
}

Server make_server(Committer& committer, Subscribers& subscribers, bool posted, int io_threads) {
    ServerOptions options;
    options.io_threads = io_threads;
    options.limits.connections = streams + 1000;
    auto server = Server::start(make_router(committer, subscribers, posted), std::move(options));
    if (!server) give_up(server.error().message);
    return std::move(*server);
}

/// One line of the report: the three runs of one shape.
std::string print_series(std::string_view name, int connections, const std::vector<Measured>& series) {
    std::vector<double> per_second;
    std::vector<double> p50_us;
    std::vector<double> p99_us;
    std::vector<double> core_us;
    for (const auto& [asked, server_core_us] : series) {
        per_second.push_back(asked.per_second);
        p50_us.push_back(static_cast<double>(asked.p50_us));
        p99_us.push_back(static_cast<double>(asked.p99_us));
        core_us.push_back(server_core_us);
    }
    return fmt::format(
        R"(    {{"server": "{}", "connections": {}, {}, "p50_us": {:.0f}, "p99_us": {:.0f}, "server_core_us_per_answer": {:.1f}}})", name,
        connections, bench::rates("requests_per_second", per_second), bench::median(p50_us), bench::median(p99_us), bench::median(core_us));
}

std::string measure_streams(bench::Helper& holder, const Server& server, Subscribers& subscribers) {
    const std::int64_t before_kib = resident_kib();
    const std::int64_t pages_before = socket_pages();
    holder.order(fmt::format("{}\n", server.port()));
    const std::int64_t client_kib = std::stoll(holder.answer());
    const std::int64_t server_kib = resident_kib() - before_kib;
    const std::int64_t kernel_kib = (socket_pages() - pages_before) * 4;
    const auto from = Clock::now();
    {
        const std::string event = format_event({.id = "1", .name = "job", .data = R"({"job":"job-1","state":"running"})"});
        const std::scoped_lock lock{subscribers.mutex};
        for (const Stream& stream : subscribers.streams) stream.push(event);
    }
    static_cast<void>(holder.answer());
    const auto told_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - from).count();
    return fmt::format(
        R"("idle_streams": {{"count": {}, "server_kib": {}, "server_bytes_per_stream": {}, "client_kib": {}, "socket_buffers_kib": {}, )"
        R"("server_resident_kib_in_all": {}, "one_event_to_all_ms": {}}})",
        streams, server_kib, server_kib * 1024 / streams, client_kib, kernel_kib, resident_kib(), told_ms);
}

void measure_all() {
    if (raise_open_files(streams + 1000) < streams + 1000) give_up("open files");
    double load_before = 0;  // of other people's work: a busy machine shows in the rates, not in the processor time
    ::getloadavg(&load_before, 1);
    bench::Asker asker;  // both forked before any thread begins
    bench::Helper holder{serve_orders};
    Committer committer;
    Subscribers subscribers;
    const Server empty_1 = make_server(committer, subscribers, false, 1);
    const Server empty_2 = make_server(committer, subscribers, false, 2);
    const Server posted_1 = make_server(committer, subscribers, true, 1);
    const Bare bare{answer_of(empty_1.port())};
    const std::array servers{std::pair{"bare epoll loop", bare.port()}, std::pair{"empty, 1 io thread", empty_1.port()},
                             std::pair{"empty, 2 io threads", empty_2.port()}, std::pair{"posted, 1 io thread", posted_1.port()}};
    std::vector<std::string> lines;
    for (const int connections : connection_counts) {
        std::array<std::vector<Measured>, servers.size()> series;
        for (int run = 0; run < runs; ++run) {
            for (std::size_t i = 0; i < servers.size(); ++i) series.at(i).push_back(measure(asker, servers.at(i).second, connections));
        }
        for (std::size_t i = 0; i < servers.size(); ++i) lines.push_back(print_series(servers.at(i).first, connections, series.at(i)));
    }
    const std::string idle = measure_streams(holder, empty_1, subscribers);
    fmt::print(
        "{{\n  \"benchmark\": \"http_floor\", {},\n  \"request_bytes\": {}, \"measured_ms\": {}, \"load_average_before\": {:.1f},\n  "
        "\"keep_alive\": [\n{}\n  ],\n  "
        "{}\n}}\n",
        bench::provenance(), request.size(), measure_ms, load_before, fmt::join(lines, ",\n"), idle);
    subscribers.streams.clear();
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
