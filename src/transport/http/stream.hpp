// transport/http/stream.hpp: an answer that goes on, pushed from any thread into a bounded buffer.
//
// The producer holds a Stream; the answer holds its core. What is pushed waits in the core until the peer
// takes it. A reader that is too slow is dropped and never costs more than its buffer: the bytes already
// waiting are still offered, then, for events, one last comment says why
//
//     : closed: the reader fell behind, N bytes wait and the limit is M; reconnect with Last-Event-ID
//
// and the answer ends. A raw stream has no room for a comment: its connection is cut without the last chunk,
// so that the peer cannot take the part for the whole.
//
// A peer that stops sending counts as gone: clients of a stream keep their half open. Every function may be
// called from any thread.
#pragma once

#include "base/time.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::http {

enum class StreamKind : std::uint8_t {
    events = 1,  ///< Server-sent events: heartbeats and closing comments.
    raw = 2,     ///< Bytes of the handler alone.
};

struct StreamOptions {
    StreamKind kind = StreamKind::events;
    /// Bytes that may wait for the peer. As many again may be on their way through the socket.
    std::size_t buffer_bytes = 32 * 1024;
    /// Quiet time after which an event stream sends a comment; zero or less: never. Kept to the nearest tick
    /// of the server (at most 250 ms).
    Duration heartbeat = seconds(15);
};

/// What became of pushed bytes; the first that applies.
enum class Push : std::uint8_t {
    taken = 1,       ///< They wait in the buffer.
    ended = 2,       ///< Lost: finish() was called, an earlier push overflowed, or the server is stopping.
    gone = 3,        ///< Lost: the peer went away.
    overflowed = 4,  ///< Lost: the reader is too slow. The stream has ended.
};

/// What both ends share. Handlers use Stream; the functions below the line are the server's.
class StreamCore {
public:
    explicit StreamCore(StreamOptions options) : options_{options} {}

    [[nodiscard]] const StreamOptions& options() const { return options_; }
    Push push(std::string_view bytes);
    void finish();
    [[nodiscard]] bool gone() const { return gone_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t waiting();
    void on_gone(std::move_only_function<void()> callback);

    // ---- the server's side ----

    enum class State : std::uint8_t {
        open = 1,
        ended = 2,  ///< Nothing more will come: send the last chunk.
        cut = 3,    ///< Nothing more will come and the body is not whole: close without the last chunk.
    };
    /// `wake` is called, at most once between two take()s, when there is something to take.
    void attach(std::move_only_function<void()> wake);
    /// True once a push found the buffer full.
    [[nodiscard]] bool overflowed() const { return overflowed_.load(std::memory_order_relaxed); }
    /// Moves what waits into `out` (cleared first).
    [[nodiscard]] State take(std::string& out);
    /// Ends the stream from the server's side, with a closing comment where the kind has comments.
    void end_with(std::string_view comment);
    /// The peer is gone: drops what waits and runs the callbacks of on_gone().
    void detach();

private:
    void wake_locked();

    const StreamOptions options_;
    std::atomic<bool> gone_ = false;
    std::atomic<bool> overflowed_ = false;
    std::mutex mutex_;
    std::string waiting_;
    State state_ = State::open;
    bool woken_ = false;
    std::move_only_function<void()> wake_;
    std::move_only_function<void()> on_gone_;
};

/// The producer's handle; copies share one stream, and the stream is finished when the last copy goes.
class Stream {
public:
    [[nodiscard]] static Stream open(StreamOptions options = {});

    /// Queues bytes: for an event stream whole events, see sse.hpp.
    Push push(std::string_view bytes) const { return producer_->core->push(bytes); }
    /// The regular end. Bytes already taken are still delivered.
    void finish() const { producer_->core->finish(); }
    /// True once the peer went away or the server stopped.
    [[nodiscard]] bool gone() const { return producer_->core->gone(); }
    /// Bytes that were pushed and not taken yet: a producer that pushes at 0 alone never overflows a buffer of its size.
    [[nodiscard]] std::size_t waiting() const { return producer_->core->waiting(); }
    /// Runs once when the peer goes away or the answer is complete, on an io thread (at once, on this thread,
    /// where that has already happened). One callback per stream; it must not block.
    void on_gone(std::move_only_function<void()> callback) const { producer_->core->on_gone(std::move(callback)); }
    [[nodiscard]] const std::shared_ptr<StreamCore>& core() const { return producer_->core; }

private:
    struct Producer {
        explicit Producer(std::shared_ptr<StreamCore> made) : core{std::move(made)} {}
        Producer(const Producer&) = delete;
        Producer& operator=(const Producer&) = delete;
        ~Producer() { core->finish(); }
        std::shared_ptr<StreamCore> core;
    };
    explicit Stream(std::shared_ptr<Producer> producer) : producer_{std::move(producer)} {}
    std::shared_ptr<Producer> producer_;
};

}  // namespace weir::http
