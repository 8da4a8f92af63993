// transport/http/client/link.hpp: a connection that can be waited for, with a deadline, from poll().
//
// The one place of the client that knows what a byte stream is; TLS takes its place here.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::http {

enum class LinkFault : std::uint8_t { unresolved = 1, refused = 2, unreachable = 3, timed_out = 4, closed = 5, interrupted = 6 };

/// A file descriptor with one owner.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_{fd} {}
    Descriptor(Descriptor&& other) noexcept : fd_{other.release()} {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { reset(); }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    void reset();

private:
    int release();
    int fd_ = -1;
};

/// An instant of the steady clock.
struct Deadline {
    std::int64_t at_ns = INT64_MAX;
    [[nodiscard]] static Deadline after(Duration length);
    /// For poll(): milliseconds left, rounded up, 0 when it is over.
    [[nodiscard]] int left_ms() const;
};

class Link {
public:
    struct Address {
        std::string host;
        std::uint16_t port = 0;
    };
    /// `wake_fd` becomes readable to interrupt every wait.
    [[nodiscard]] static Result<Link, LinkFault> connect(const Address& address, int wake_fd, Deadline deadline);

    /// Sends what the socket takes now: 0 when it is full.
    [[nodiscard]] Result<std::size_t, LinkFault> send_some(std::string_view bytes);
    /// Receives what is there: nothing when there is none yet, 0 at the end.
    [[nodiscard]] Result<std::optional<std::size_t>, LinkFault> receive_some(std::span<char> into);
    /// Waits until bytes have come, or room to send is there if that is wanted too. True: bytes have come.
    [[nodiscard]] Result<bool, LinkFault> wait(bool or_room, int wake_fd, Deadline deadline);
    /// True if the peer has closed, or said something unasked: no use for another request.
    [[nodiscard]] bool is_stale();

private:
    explicit Link(Descriptor socket) : socket_{std::move(socket)} {}
    Descriptor socket_;
};

}  // namespace weir::http
