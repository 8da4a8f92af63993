// transport/http/server/connection.hpp: the life of one connection.
//
//     head -> body -> waiting -> head ...            a request at a time, answers in order
//                            \-> streaming, sourcing  the body is pushed or pulled
//     any  -> closing -> lingering -> closed
//
// A state machine and no coroutine: an idle stream then costs one small object, and every wait is a state with
// a deadline in the loop's table. At most one read and one write are under way; each holds the connection.
//
// Private to the server: includes Asio.
#pragma once

#include "transport/http/server/input_buffer.hpp"
#include "transport/http/server/loop.hpp"
#include "transport/http/server/output_buffer.hpp"
#include "transport/http/server/request_parser.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace weir::http {

class Connection final : public std::enable_shared_from_this<Connection>, private PieceTaker {
public:
    enum class Welcome : std::uint8_t { served = 1, refused = 2 };

    Connection(Loop& loop, Socket socket, ConnectionId id);

    void start(Welcome welcome);
    /// A reply, or news of the stream.
    void receive(Mail mail);
    /// A deadline of this connection has passed; `now` in nanoseconds of the steady clock.
    void on_deadline(std::int64_t now);
    /// The server is stopping: closes if idle, ends a stream; a request in flight is the last one.
    void drain();
    /// Cuts the connection at once.
    void close();
    /// Whether no request is under way.
    [[nodiscard]] bool is_idle() const { return state_ == State::head && !head_started_ && !writing_; }
    /// Listens for the peer's end where it has waited for an answer for a while: a question whose asker is gone need not be answered.
    void watch_peer(std::int64_t now);

private:
    enum class State : std::uint8_t { head = 1, body, waiting, streaming, sourcing, closing, lingering, closed };
    /// What the reading of buffered bytes came to.
    enum class Next : std::uint8_t { go_on = 1, need_input, stop };

    /// Runs one step of the machine; an exception of a handler's code closes this connection and no other.
    template <class Step>
    void guarded(Step step);

    // Reading, connection_read.cpp.
    void advance();
    [[nodiscard]] Next read_head();
    [[nodiscard]] Next on_head();
    [[nodiscard]] Next begin_body();
    [[nodiscard]] Next read_body();
    [[nodiscard]] std::optional<Response> find_route();
    bool take_piece(std::string_view piece) override;
    [[nodiscard]] Next refuse(const Problem& problem);
    [[nodiscard]] Next refuse_unreadable();
    [[nodiscard]] Next answer_early(Response response);
    [[nodiscard]] Next dispatch();
    [[nodiscard]] Problem too_large(std::uint64_t limit) const;
    /// Room for a body of so many bytes; false where all bodies together take too much.
    [[nodiscard]] bool make_room(std::uint64_t bytes);
    [[nodiscard]] Response no_room() const;

    // Sockets and answering, connection.cpp.
    void read();
    void on_read(const ErrorCode& code, std::size_t n);
    void go_on_reading(std::size_t n);
    void flush();
    void write_some();
    void on_write(const ErrorCode& code, std::size_t n);
    void end_state();
    void after_flush();
    [[nodiscard]] bool take_reply(Mail mail);
    void respond(Response response);
    void begin_stream(std::shared_ptr<StreamCore> stream);
    void end_request();
    void pump_stream();
    void pump_source();
    void finish();
    /// The next request may come.
    void await_head();
    void set_deadline(Duration from_now);
    void publish_deadline();
    void reply_is_missing(std::string_view why);
    void count_answer(int status);

    Loop& loop_;
    Socket socket_;
    ConnectionId id_;
    std::string remote_;

    State state_ = State::head;
    bool reading_ = false;
    bool writing_ = false;
    bool linger_after_ = false;  ///< Close only after draining what the peer still sends.
    bool keep_alive_ = true;     ///< After the answer under way.
    bool head_started_ = false;  ///< A byte of the next head is here: its deadline runs.
    bool known_ = false;         ///< admit() gave a request of it a caller.
    bool head_only_ = false;
    bool is_http_11_ = true;
    bool chunked_answer_ = false;
    bool expects_continue_ = false;
    std::uint64_t requests_ = 0;  ///< Numbers the requests of this connection.
    std::uint64_t request_id_ = 0;
    std::shared_ptr<std::atomic<std::uint64_t>> awaited_ = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::uint64_t drained_bytes_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t source_left_ = 0;
    std::int64_t answered_since_ns_ = 0;
    std::int64_t state_deadline_ns_ = no_deadline;
    std::int64_t write_deadline_ns_ = no_deadline;

    InputBuffer in_;
    OutputBuffer out_;
    std::unique_ptr<RequestParser> parser_;
    Request request_;
    std::string target_;  ///< Kept for on_exchange only.
    Method method_{};     ///< No method at all until a head is read.
    const Route* route_ = nullptr;
    std::unique_ptr<BodySink> sink_;
    std::optional<Response> early_;  ///< Decided before the body was read.
    std::unique_ptr<BodySource> source_;
    std::shared_ptr<StreamCore> stream_;
};

}  // namespace weir::http
