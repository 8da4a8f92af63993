// bench/load.hpp: a process that asks an HTTP server over keep-alive connections and says how long the answers took.
//
// One request at a time on each connection. The asking process is forked before any thread begins, so that it shares nothing with the
// server but the machine. It sends the bytes that it is given and looks only at the status and the length of what comes back.
#pragma once

#include "bench/disk.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {

[[nodiscard]] inline int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        give_up(fmt::format("nobody answers at port {}", port));
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

inline void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) give_up("a connection broke while a request was sent");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// The whole request; `headers` are lines that each end in CRLF.
[[nodiscard]] inline std::string post_request(std::string_view target, std::string_view headers, std::string_view body) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", target,
                       headers, body.size(), body);
}
[[nodiscard]] inline std::string bearer(std::string_view token) { return fmt::format("Authorization: Bearer {}\r\n", token); }

/// The length of the whole answer at the front of `got`, or 0 while it is not whole.
[[nodiscard]] inline std::size_t answer_length(std::string_view got) {
    const auto end = got.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    constexpr std::string_view name = "content-length: ";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    const auto head = got.substr(0, end);
    const auto field = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
    if (field == head.end()) give_up("an answer without a length: " + std::string{got.substr(0, 200)});
    std::size_t length = 0;
    std::from_chars(head.data() + (field - head.begin()) + static_cast<std::ptrdiff_t>(name.size()), head.data() + head.size(), length);
    return got.size() >= end + 4 + length ? end + 4 + length : 0;
}

struct Asked {
    double per_second = 0;
    std::int64_t p50_us = 0;
    std::int64_t p99_us = 0;
    std::int64_t answers = 0;  ///< The warm-up included.
    std::int64_t refused = 0;  ///< Answers other than 2xx.
};

/// What to ask: the requests in turn, each by whichever connection is free.
struct Load {
    std::uint16_t port = 0;
    int connections = 1;
    double per_second = 0;  ///< 0: each asks again as soon as it has its answer.
    int warm_ms = 1'000;
    int measure_ms = 3'000;
    std::vector<std::string> requests{};
};

/// Carries out one Load.
class Loader {
public:
    explicit Loader(const Load& load) : load_{load}, poller_{::epoll_create1(EPOLL_CLOEXEC)} {
        peers_.resize(static_cast<std::size_t>(load.connections));
        for (std::size_t i = 0; i < peers_.size(); ++i) {
            peers_[i].fd = connect_to(load.port);
            epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
            ::epoll_ctl(poller_, EPOLL_CTL_ADD, peers_[i].fd, &event);
        }
        warm_until_ = Clock::now() + std::chrono::milliseconds{load.warm_ms};
        until_ = warm_until_ + std::chrono::milliseconds{load.measure_ms};
    }
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;
    ~Loader() {
        for (const auto& peer : peers_) ::close(peer.fd);
        ::close(poller_);
    }

    [[nodiscard]] Asked run() {
        if (load_.per_second > 0) {
            on_time();
        } else {
            as_fast_as_it_goes();
        }
        return result();
    }

private:
    using Clock = std::chrono::steady_clock;

    /// One connection: what it waits for, since when.
    struct Peer {
        int fd = -1;
        std::string got;
        Clock::time_point due{};
    };

    void as_fast_as_it_goes() {
        for (auto& peer : peers_) send(peer, Clock::now());
        while (Clock::now() < until_) {
            take(1000, [&](Peer& peer) { send(peer, Clock::now()); });
        }
    }

    /// Each due at its own instant; one that finds no free connection waits for one and counts from when it was due.
    void on_time() {
        std::deque<Clock::time_point> late;
        std::deque<Peer*> idle;  // in turn: a server closes connections that never asked
        for (auto& peer : peers_) idle.push_back(&peer);
        const auto step = std::chrono::nanoseconds{static_cast<std::int64_t>(1e9 / load_.per_second)};
        for (auto next = Clock::now(); Clock::now() < until_;) {
            for (const auto now = Clock::now(); next <= now; next += step) late.push_back(next);
            while (!late.empty() && !idle.empty()) {
                send(*idle.front(), late.front());
                idle.pop_front();
                late.pop_front();
            }
            take(1, [&](Peer& peer) { idle.push_back(&peer); });
        }
    }

    void send(Peer& peer, Clock::time_point due) {
        peer.due = due;
        send_all(peer.fd, load_.requests[next_++ % load_.requests.size()]);
    }

    template <class Next>
    void take(int wait_ms, Next&& next) {
        std::array<epoll_event, 256> events{};
        std::array<char, 65'536> buffer{};
        const int ready = ::epoll_wait(poller_, events.data(), events.size(), wait_ms);
        for (int i = 0; i < ready; ++i) {
            Peer& peer = peers_[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = ::recv(peer.fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) give_up("a connection was closed before its answer was whole");
            peer.got.append(buffer.data(), static_cast<std::size_t>(got));
            if (answer_length(peer.got) == 0) continue;
            const auto now = Clock::now();
            if (!peer.got.starts_with("HTTP/1.1 2") && ++refused_ == 1) fmt::print(stderr, "refused: {}\n", peer.got.substr(0, 600));
            if (now >= warm_until_) latencies_us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - peer.due).count());
            ++answers_;
            peer.got.clear();
            next(peer);
        }
    }

    Asked result() {
        std::ranges::sort(latencies_us_);
        if (latencies_us_.empty()) give_up("no answer came in time");
        return {static_cast<double>(latencies_us_.size()) * 1000.0 / load_.measure_ms, latencies_us_[latencies_us_.size() / 2],
                latencies_us_[latencies_us_.size() * 99 / 100], answers_, refused_};
    }

    const Load& load_;
    int poller_;
    std::vector<Peer> peers_;
    std::size_t next_ = 0;
    Clock::time_point warm_until_{};
    Clock::time_point until_{};
    std::vector<std::int64_t> latencies_us_;
    std::int64_t answers_ = 0;
    std::int64_t refused_ = 0;
};

/// A forked process that does `work(orders, answers)`, with pipes to it and back as stdio streams.
class Helper {
public:
    template <class Work>
    explicit Helper(Work&& work) {
        std::array<int, 2> orders{};
        std::array<int, 2> answers{};
        if (::pipe2(orders.data(), O_CLOEXEC) != 0 || ::pipe2(answers.data(), O_CLOEXEC) != 0) give_up("no pipe is left");
        child_ = ::fork();
        if (child_ == 0) {
            ::close(orders[1]);
            ::close(answers[0]);
            FILE* from = ::fdopen(orders[0], "r");
            FILE* to = ::fdopen(answers[1], "w");
            // Nothing of the parent's is unwound here.
            std::_Exit(run([&] { work(from, to); }));
        }
        ::close(orders[0]);
        ::close(answers[1]);
        orders_ = ::fdopen(orders[1], "w");
        answers_ = ::fdopen(answers[0], "r");
    }
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;
    ~Helper() {
        std::fclose(orders_);
        std::fclose(answers_);
        ::waitpid(child_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return child_; }
    void order(const std::string& text) {
        std::fwrite(text.data(), 1, text.size(), orders_);
        std::fflush(orders_);
    }
    /// The next line that it says, without its end.
    [[nodiscard]] std::string answer() {
        std::string line;
        for (int c = std::fgetc(answers_); c != '\n'; c = std::fgetc(answers_)) {
            if (c == EOF) give_up("the asking process said nothing more");
            line.push_back(static_cast<char>(c));
        }
        return line;
    }

private:
    pid_t child_ = -1;
    FILE* orders_ = nullptr;
    FILE* answers_ = nullptr;
};

/// Carries out the loads that it is told, in a process of its own.
class Asker {
public:
    Asker() : helper_{serve} {}

    void begin(const Load& load) {
        std::string text = fmt::format("{} {} {} {} {} {}\n", load.port, load.connections, load.per_second, load.warm_ms, load.measure_ms,
                                       load.requests.size());
        for (const auto& request : load.requests) text += fmt::format("{}\n{}", request.size(), request);
        helper_.order(text);
    }
    [[nodiscard]] Asked end() {
        Asked asked;
        const auto line = helper_.answer();
        if (std::sscanf(line.c_str(), "%lf %ld %ld %ld %ld", &asked.per_second, &asked.p50_us, &asked.p99_us, &asked.answers,
                        &asked.refused) != 5)
            give_up("the asking process said: " + line);
        return asked;
    }
    /// Ends the benchmark where any answer is a refusal.
    [[nodiscard]] Asked ask(const Load& load) {
        begin(load);
        const auto asked = end();
        if (asked.refused > 0) give_up(fmt::format("{} of {} requests were refused", asked.refused, asked.answers));
        return asked;
    }

private:
    static void serve(FILE* orders, FILE* answers) {
        int port = 0;
        std::size_t count = 0;
        Load load;
        while (std::fscanf(orders, "%d %d %lf %d %d %zu", &port, &load.connections, &load.per_second, &load.warm_ms, &load.measure_ms,
                           &count) == 6) {
            load.port = static_cast<std::uint16_t>(port);
            load.requests.assign(count, {});
            for (auto& request : load.requests) {
                std::size_t bytes = 0;
                if (std::fscanf(orders, "%zu", &bytes) != 1 || std::fgetc(orders) != '\n') std::_Exit(1);
                request.resize(bytes);
                if (std::fread(request.data(), 1, bytes, orders) != bytes) std::_Exit(1);
            }
            const auto asked = Loader{load}.run();
            fmt::print(answers, "{} {} {} {} {}\n", asked.per_second, asked.p50_us, asked.p99_us, asked.answers, asked.refused);
            std::fflush(answers);
        }
    }

    Helper helper_;
};

}  // namespace weir::bench
