#include "transport/http/client/link.hpp"

#include <cerrno>
#include <chrono>
#include <climits>
#include <memory>
#include <utility>

#include <array>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::http {
namespace {

std::int64_t steady_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

LinkFault classify(int error) {
    switch (error) {
        case ECONNREFUSED: return LinkFault::refused;
        case ECONNRESET:
        case EPIPE: return LinkFault::closed;
        default: return LinkFault::unreachable;
    }
}

/// Waits for `events` of `fd`, or an interruption. The events that came.
Result<short, LinkFault> wait_for(int fd, short events, int wake_fd, Deadline deadline) {
    std::array<pollfd, 2> polled{pollfd{.fd = fd, .events = events, .revents = 0}, pollfd{.fd = wake_fd, .events = POLLIN, .revents = 0}};
    while (true) {
        const int ready = ::poll(polled.data(), polled.size(), deadline.left_ms());
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return fail(LinkFault::unreachable);
        if (polled[1].revents != 0) return fail(LinkFault::interrupted);
        if (polled[0].revents != 0) return polled[0].revents;
        if (deadline.left_ms() == 0) return fail(LinkFault::timed_out);
    }
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses, LinkFault> resolve(const Link::Address& address) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return fail(LinkFault::unresolved);
    return Addresses{found, &::freeaddrinfo};
}

Result<Descriptor, LinkFault> connect_to(const addrinfo& to, int wake_fd, Deadline deadline) {
    Descriptor socket{::socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) return fail(LinkFault::unreachable);
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return socket;
    if (errno != EINPROGRESS) return fail(classify(errno));
    const auto events = WEIR_TRY(wait_for(socket.get(), POLLOUT, wake_fd, deadline).map_error([](LinkFault fault) {
        return fault == LinkFault::timed_out ? LinkFault::unreachable : fault;
    }));
    static_cast<void>(events);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(classify(error));
    return socket;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = other.release();
    }
    return *this;
}

void Descriptor::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

int Descriptor::release() { return std::exchange(fd_, -1); }

Deadline Deadline::after(Duration length) { return {steady_ns() + length.ns}; }

int Deadline::left_ms() const {
    const std::int64_t left_ns = at_ns - steady_ns();
    if (left_ns <= 0) return 0;
    const std::int64_t left = (left_ns - 1) / 1'000'000 + 1;
    return left > INT_MAX ? INT_MAX : static_cast<int>(left);
}

Result<Link, LinkFault> Link::connect(const Address& address, int wake_fd, Deadline deadline) {
    const Addresses found = WEIR_TRY(resolve(address));
    LinkFault last = LinkFault::unreachable;
    for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
        auto socket = connect_to(*each, wake_fd, deadline);
        if (socket) return Link{std::move(*socket)};
        last = socket.error();
        if (last == LinkFault::interrupted) break;
    }
    return fail(last);
}

Result<std::size_t, LinkFault> Link::send_some(std::string_view bytes) {
    while (true) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) return static_cast<std::size_t>(sent);
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) return fail(classify(errno));
    }
}

Result<std::optional<std::size_t>, LinkFault> Link::receive_some(std::span<char> into) {
    while (true) {
        const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
        if (got >= 0) return std::optional{static_cast<std::size_t>(got)};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<std::size_t>{};
        if (errno != EINTR) return fail(classify(errno));
    }
}

Result<bool, LinkFault> Link::wait(bool or_room, int wake_fd, Deadline deadline) {
    const auto events = static_cast<short>(or_room ? POLLIN | POLLOUT : POLLIN);
    const short came = WEIR_TRY(wait_for(socket_.get(), events, wake_fd, deadline));
    return (came & (POLLIN | POLLHUP | POLLERR)) != 0;
}

bool Link::is_stale() {
    char byte = 0;
    const ssize_t got = ::recv(socket_.get(), &byte, 1, MSG_PEEK);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace weir::http
