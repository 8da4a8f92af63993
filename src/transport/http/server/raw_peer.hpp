// transport/http/server/raw_peer.hpp: for tests: a client that sends exactly the bytes it is told to.
//
// Waits end after `patience_ms`, so that a server that says nothing fails a test and does not hang it.
#pragma once

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace weir::http {

class RawPeer {
public:
    static constexpr int patience_ms = 20'000;

    explicit RawPeer(std::uint16_t port, int receive_buffer_bytes = 0) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        if (receive_buffer_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    RawPeer(RawPeer&& other) noexcept
        : fd_{std::exchange(other.fd_, -1)}, connected_{other.connected_}, pending_{std::move(other.pending_)} {}
    RawPeer& operator=(RawPeer&&) = delete;
    ~RawPeer() { hang_up(); }

    [[nodiscard]] bool connected() const { return connected_; }
    void hang_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    /// False when the server has closed.
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void end_sending() const { ::shutdown(fd_, SHUT_WR); }

    struct Answer {
        int status = 0;
        std::string head;
        std::string body;
        [[nodiscard]] bool has(std::string_view field) const { return head.contains(field); }
    };
    /// The next answer with a Content-Length or none; nothing when the connection ended before it was whole.
    std::optional<Answer> answer(bool head_only = false) {
        const auto end = receive_until("\r\n\r\n");
        if (!end) return std::nullopt;
        Answer answer;
        answer.head = pending_.substr(0, *end + 4);
        pending_.erase(0, *end + 4);
        answer.status = static_cast<int>(number_at(answer.head, 9));
        constexpr std::string_view field = "Content-Length: ";
        const std::size_t at = answer.head.find(field);
        const std::size_t length =
            at == std::string::npos || head_only ? 0 : number_at(answer.head, at + field.size());
        while (pending_.size() < length) {
            if (!receive()) return std::nullopt;
        }
        answer.body = pending_.substr(0, length);
        pending_.erase(0, length);
        return answer;
    }
    /// Position of `mark` in what has come; nothing when the connection ended without it.
    std::optional<std::size_t> receive_until(std::string_view mark) {
        while (true) {
            if (const std::size_t at = pending_.find(mark); at != std::string::npos) return at;
            if (!receive()) return std::nullopt;
        }
    }
    /// Everything up to the end of the connection.
    std::string rest() {
        while (receive()) {
        }
        return std::exchange(pending_, {});
    }
    [[nodiscard]] std::string& pending() { return pending_; }
    /// True when the server closed, and said nothing more.
    bool closed() { return rest().empty() && ended_; }

private:
    static std::size_t number_at(std::string_view text, std::size_t at) {
        std::size_t number = 0;
        std::from_chars(text.data() + at, text.data() + text.size(), number);
        return number;
    }
    bool receive() {
        pollfd polled{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&polled, 1, patience_ms) <= 0) return false;
        std::array<char, 16 * 1024> buffer{};
        const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
        ended_ = got == 0 || (got < 0 && errno == ECONNRESET);
        if (got <= 0) return false;
        pending_.append(buffer.data(), static_cast<std::size_t>(got));
        return true;
    }

    int fd_;
    bool connected_ = false;
    bool ended_ = false;
    std::string pending_;
};

}  // namespace weir::http
