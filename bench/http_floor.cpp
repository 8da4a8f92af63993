// bench/http_floor.cpp: what the HTTP server costs before anyone does any work.
//
// A second process asks over keep-alive connections, one request at a time on each, and says how long the answers took.
// "empty" answers inside the handler; "posted" hands its Reply to another thread that answers whatever has gathered, as the
// core does after a group commit. The floor, measured in between, is a bare epoll loop that sends the same number of bytes
// back for each packet and reads nothing of it. All of them share the machine's cores with the asking process.
//
// Then 10,000 event streams are opened and left idle: resident memory of both processes and of the kernel's sockets, and the
// time to tell one event to all.
#include "bench/report.hpp"
#include "transport/http/server/server.hpp"
#include "transport/http/sse.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <sstream>
#include <utility>

namespace {

using namespace weir;
using namespace weir::http;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t measure_ms = 1000;
constexpr std::int64_t warm_ms = 200;
constexpr int runs = 3;
constexpr int streams = 10'000;
constexpr std::array connection_counts{1, 4, 16, 64};

constexpr std::string_view request =
    "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\nContent-Type: "
    "application/json\r\n"
    "User-Agent: bench\r\nAccept: */*\r\nIdempotency-Key: 01KAJ3F0000000000000000000\r\nContent-Length: 53\r\n\r\n"
    "{\"name\":\"bench\",\"resources\":{\"accelerators\":\"cpu:1\"}}";

[[noreturn]] void give_up(std::string_view what) {
    std::perror(std::string{what}.c_str());
    std::exit(1);
}

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) give_up("connect");
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

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

// ---- the asking process ----

struct Asked {
    double per_second = 0;
    std::int64_t answers = 0;  ///< The warm-up included.
    std::int64_t p50_us = 0;
    std::int64_t p99_us = 0;
    double server_core_us = 0;  ///< Processor time of the answering process per answer.
};

struct Peer {
    int fd = -1;
    std::size_t missing = 0;
    Clock::time_point asked_at{};
};

/// Reads one answer to learn how long they all are: everything that varies in them has a fixed width.
std::size_t answer_length(int fd) {
    std::array<char, 4096> buffer{};
    if (::send(fd, request.data(), request.size(), 0) < 0) give_up("send");
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) give_up("recv");
    return static_cast<std::size_t>(got);
}

Asked ask(std::uint16_t port, int connections) {
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Peer> peers(static_cast<std::size_t>(connections));
    std::size_t length = 0;
    for (std::size_t i = 0; i < peers.size(); ++i) {
        peers[i].fd = connect_to(port);
        length = answer_length(peers[i].fd);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        ::epoll_ctl(poller, EPOLL_CTL_ADD, peers[i].fd, &event);
    }
    const auto begin_one = [&](Peer& peer) {
        peer.missing = length;
        peer.asked_at = Clock::now();
        if (::send(peer.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) give_up("send");
    };
    for (Peer& peer : peers) begin_one(peer);
    std::vector<std::int64_t> latencies_us;
    latencies_us.reserve(1'000'000);
    std::int64_t answers = 0;
    const auto warm_until = Clock::now() + std::chrono::milliseconds{warm_ms};
    const auto until = warm_until + std::chrono::milliseconds{measure_ms};
    std::array<epoll_event, 64> events{};
    std::array<char, 4096> buffer{};
    for (auto now = Clock::now(); now < until;) {
        const int ready = ::epoll_wait(poller, events.data(), events.size(), 1000);
        for (int i = 0; i < ready; ++i) {
            Peer& peer = peers[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = ::recv(peer.fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) give_up("recv");
            peer.missing -= std::min(peer.missing, static_cast<std::size_t>(got));
            if (peer.missing > 0) continue;
            ++answers;
            now = Clock::now();
            if (now >= warm_until)
                latencies_us.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - peer.asked_at).count());
            begin_one(peer);
        }
    }
    for (const Peer& peer : peers) ::close(peer.fd);
    ::close(poller);
    std::ranges::sort(latencies_us);
    return {.per_second = static_cast<double>(latencies_us.size()) * 1000.0 / static_cast<double>(measure_ms),
            .answers = answers,
            .p50_us = latencies_us[latencies_us.size() / 2],
            .p99_us = latencies_us[latencies_us.size() * 99 / 100]};
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

/// Does what the lines of `orders` say until they end.
[[noreturn]] void serve_orders(int orders_fd, int answers_fd) {
    FILE* orders = ::fdopen(orders_fd, "r");
    FILE* answers = ::fdopen(answers_fd, "w");
    const auto say = [&](const std::string& line) {
        fmt::print(answers, "{}\n", line);
        std::fflush(answers);
    };
    int port = 0;
    int connections = 0;
    while (std::fscanf(orders, "%d %d", &port, &connections) == 2) {
        if (connections == 0) {
            hold_streams(static_cast<std::uint16_t>(port), say);
            continue;
        }
        const Asked asked = ask(static_cast<std::uint16_t>(port), connections);
        say(fmt::format("{} {} {} {}", asked.per_second, asked.p50_us, asked.p99_us, asked.answers));
    }
    std::_Exit(0);
}

class Asker {
public:
    Asker() {
        std::array<int, 2> orders{};
        std::array<int, 2> answers{};
        if (::pipe(orders.data()) != 0 || ::pipe(answers.data()) != 0) give_up("pipe");
        child_ = ::fork();
        if (child_ == 0) {
            ::close(orders[1]);
            ::close(answers[0]);
            serve_orders(orders[0], answers[1]);
        }
        ::close(orders[0]);
        ::close(answers[1]);
        orders_ = ::fdopen(orders[1], "w");
        answers_ = ::fdopen(answers[0], "r");
    }
    ~Asker() {
        std::fclose(orders_);
        std::fclose(answers_);
        ::waitpid(child_, nullptr, 0);
    }
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    void order(std::uint16_t port, int connections) {
        fmt::print(orders_, "{} {}\n", port, connections);
        std::fflush(orders_);
    }
    std::string answer() {
        std::array<char, 256> line{};
        if (std::fgets(line.data(), line.size(), answers_) == nullptr) give_up("the asking process said nothing");
        return line.data();
    }
    Asked measure(std::uint16_t port, int connections) {
        order(port, connections);
        Asked asked;
        const double from_us = process_core_us();
        double answers = 0;
        std::stringstream{answer()} >> asked.per_second >> asked.p50_us >> asked.p99_us >> answers;
        asked.server_core_us = (process_core_us() - from_us) / answers;
        return asked;
    }

private:
    pid_t child_ = -1;
    FILE* orders_ = nullptr;
    FILE* answers_ = nullptr;
};

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
    explicit Bare(std::size_t answer_bytes) : answer_(answer_bytes, 'x'), listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
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
std::string print_series(std::string_view name, int connections, const std::vector<Asked>& series) {
    std::vector<double> per_second;
    std::vector<double> p50_us;
    std::vector<double> p99_us;
    std::vector<double> core_us;
    for (const Asked& asked : series) {
        per_second.push_back(asked.per_second);
        p50_us.push_back(static_cast<double>(asked.p50_us));
        p99_us.push_back(static_cast<double>(asked.p99_us));
        core_us.push_back(asked.server_core_us);
    }
    return fmt::format(
        R"(    {{"server": "{}", "connections": {}, {}, "p50_us": {:.0f}, "p99_us": {:.0f}, "server_core_us_per_answer": {:.1f}}})", name,
        connections, bench::rates("requests_per_second", per_second), bench::median(p50_us), bench::median(p99_us), bench::median(core_us));
}

std::string measure_streams(Asker& asker, const Server& server, Subscribers& subscribers) {
    const std::int64_t before_kib = resident_kib();
    const std::int64_t pages_before = socket_pages();
    asker.order(server.port(), 0);
    const std::int64_t client_kib = std::stoll(asker.answer());
    const std::int64_t server_kib = resident_kib() - before_kib;
    const std::int64_t kernel_kib = (socket_pages() - pages_before) * 4;
    const auto from = Clock::now();
    {
        const std::string event = format_event({.id = "1", .name = "job", .data = R"({"job":"job-1","state":"running"})"});
        const std::scoped_lock lock{subscribers.mutex};
        for (const Stream& stream : subscribers.streams) stream.push(event);
    }
    static_cast<void>(asker.answer());
    const auto told_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - from).count();
    return fmt::format(
        R"("idle_streams": {{"count": {}, "server_kib": {}, "server_bytes_per_stream": {}, "client_kib": {}, "socket_buffers_kib": {}, )"
        R"("server_resident_kib_in_all": {}, "one_event_to_all_ms": {}}})",
        streams, server_kib, server_kib * 1024 / streams, client_kib, kernel_kib, resident_kib(), told_ms);
}

}  // namespace

int main() {
    if (raise_open_files(streams + 1000) < streams + 1000) give_up("open files");
    double load_before = 0;  // of other people's work: a busy machine shows in the rates, not in the processor time
    ::getloadavg(&load_before, 1);
    Asker asker;
    Committer committer;
    Subscribers subscribers;
    const Server empty_1 = make_server(committer, subscribers, false, 1);
    const Server empty_2 = make_server(committer, subscribers, false, 2);
    const Server posted_1 = make_server(committer, subscribers, true, 1);
    const Bare bare{answer_length(connect_to(empty_1.port()))};
    const std::array servers{std::pair{"bare epoll loop", bare.port()}, std::pair{"empty, 1 io thread", empty_1.port()},
                             std::pair{"empty, 2 io threads", empty_2.port()}, std::pair{"posted, 1 io thread", posted_1.port()}};
    std::vector<std::string> lines;
    for (const int connections : connection_counts) {
        std::array<std::vector<Asked>, servers.size()> series;
        for (int run = 0; run < runs; ++run) {
            for (std::size_t i = 0; i < servers.size(); ++i) series.at(i).push_back(asker.measure(servers.at(i).second, connections));
        }
        for (std::size_t i = 0; i < servers.size(); ++i) lines.push_back(print_series(servers.at(i).first, connections, series.at(i)));
    }
    const std::string idle = measure_streams(asker, empty_1, subscribers);
    fmt::print(
        "{{\n  \"benchmark\": \"http_floor\", {},\n  \"request_bytes\": {}, \"measured_ms\": {}, \"load_average_before\": {:.1f},\n  "
        "\"keep_alive\": [\n{}\n  ],\n  "
        "{}\n}}\n",
        bench::provenance(), request.size(), measure_ms, load_before, fmt::join(lines, ",\n"), idle);
    subscribers.streams.clear();
    return 0;
}
