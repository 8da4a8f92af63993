// transport/http/server/connection.cpp: the socket's side of a connection, and its answers.
#include "transport/http/server/connection.hpp"

#include "transport/http/server/render.hpp"

#include <boost/asio/buffer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace weir::http {
namespace {

constexpr std::size_t small_input = 4 * 1024;
constexpr std::size_t stream_input = 64;
constexpr std::size_t upload_input = 64 * 1024;
constexpr std::size_t idle_bytes = 16 * 1024;
constexpr std::size_t source_bytes = 64 * 1024;
/// An answer that takes longer is waited for with an ear to the peer.
constexpr std::int64_t hang_up_after_ns = 500'000'000;
/// Of a body that was refused, so much is read before the connection is cut.
constexpr std::uint64_t drain_bytes = 1024 * 1024;

std::string describe_peer(const Socket& socket) {
    ErrorCode code;
    const auto peer = socket.remote_endpoint(code);
    if (code) return "unknown";
    return peer.address().is_v6() ? fmt::format("[{}]:{}", peer.address().to_string(), peer.port())
                                  : fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

}  // namespace

template <class Step>
void Connection::guarded(Step step) {
    try {
        step();
    } catch (const std::exception& error) {
        loop_.shared().log(LogLevel::error, "http.exception", fmt::format("{}: {}; the connection was closed", remote_, error.what()));
        close();
    }
}

Connection::Connection(Loop& loop, Socket socket, ConnectionId id)
    : loop_{loop}, socket_{std::move(socket)}, id_{id}, remote_{describe_peer(socket_)} {}

void Connection::start(Welcome welcome) {
    ErrorCode ignored;
    socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
    const ServerLimits& limits = loop_.shared().options.limits;
    parser_ = std::make_unique<RequestParser>(RequestParser::Limits{
        .header_bytes = limits.header_bytes, .header_fields = limits.header_fields, .target_bytes = limits.target_bytes});
    if (welcome == Welcome::served) {
        known_ = !loop_.shared().options.admit;
        await_head();
        return read();
    }
    Problem problem;
    problem.type = problem_type("too_many_connections");
    problem.status = 503;
    problem.detail = fmt::format("{} connections are open, which is the limit; try again in a second", limits.connections);
    request_id_ = loop_.next_request_id();
    answered_since_ns_ = loop_.now_ns();
    keep_alive_ = false;
    linger_after_ = true;
    respond(Response::problem(problem).with_header("Retry-After", "1"));
    flush();
}

// ---- deadlines ----

void Connection::set_deadline(Duration from_now) {
    state_deadline_ns_ = from_now.ns > 0 ? loop_.now_ns() + from_now.ns : no_deadline;
    publish_deadline();
}

void Connection::publish_deadline() { loop_.set_deadline(id_, std::min(state_deadline_ns_, write_deadline_ns_)); }

void Connection::on_deadline(std::int64_t now) {
    if (write_deadline_ns_ <= now) {
        Counters::add(loop_.counters().timeouts);
        return close();
    }
    guarded([this] { end_state(); });
}

/// The time of this state is over.
void Connection::end_state() {
    Counters& counters = loop_.counters();
    switch (state_) {
        case State::head:
            if (!head_started_) return close();
            [[fallthrough]];
        case State::body: {
            Counters::add(counters.timeouts);
            Problem problem;
            problem.type = problem_type("request_timeout");
            problem.status = 408;
            problem.detail = fmt::format("the request was not complete after {}; send it faster or in smaller parts",
                                         format_duration(loop_.shared().options.limits.request));
            sink_.reset();
            early_.reset();
            static_cast<void>(refuse(problem));
            return flush();
        }
        case State::waiting:
            Counters::add(counters.timeouts);
            reply_is_missing("its time is over");
            return advance();
        case State::streaming:
            if (!writing_) out_.text() += is_http_11_ ? "4\r\n: \n\n\r\n" : ": \n\n";
            set_deadline(stream_->options().heartbeat);
            return writing_ ? void() : flush();
        case State::sourcing:
        case State::closing:
        case State::closed: return;
        case State::lingering: return close();
    }
}

// ---- reading ----

void Connection::read() {
    if (reading_ || state_ == State::closed) return;
    reading_ = true;
    std::size_t wanted = small_input;
    if (state_ == State::streaming) wanted = stream_input;
    if (state_ == State::body && (sink_ || parser_->head().content_length.value_or(upload_input) > idle_bytes)) wanted = upload_input;
    if (state_ == State::head && !head_started_) {
        if (in_.empty() && in_.capacity() > idle_bytes) in_.release();
        out_.shrink(idle_bytes);
    }
    const auto room = in_.room(wanted);
    socket_.async_read_some(asio::buffer(room.data(), room.size()),
                            [self = shared_from_this()](const ErrorCode& code, std::size_t n) { self->on_read(code, n); });
}

void Connection::on_read(const ErrorCode& code, std::size_t n) {
    reading_ = false;
    if (state_ == State::closed) return;
    in_.commit(n);
    Counters::add(loop_.counters().received, n);
    if (code) return close();
    guarded([this, n] { go_on_reading(n); });
}

void Connection::go_on_reading(std::size_t n) {
    switch (state_) {
        case State::head:
        case State::body: return advance();
        case State::streaming:
            in_.consume(in_.size());  // a peer with an open stream has nothing more to say
            in_.release();
            return read();
        case State::lingering:
            drained_bytes_ += n;
            in_.consume(in_.size());
            return drained_bytes_ > drain_bytes ? close() : read();
        default: return;
    }
}

// ---- writing ----

void Connection::flush() {
    if (writing_ || state_ == State::closed || out_.empty()) return;
    writing_ = true;
    out_.load();
    write_deadline_ns_ = loop_.now_ns() + loop_.shared().options.limits.write.ns;
    publish_deadline();
    write_some();
}

void Connection::write_some() {
    const auto rest = out_.remaining();
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(rest[0].data(), rest[0].size()),
                                                    asio::buffer(rest[1].data(), rest[1].size())};
    socket_.async_write_some(buffers, [self = shared_from_this()](const ErrorCode& code, std::size_t n) { self->on_write(code, n); });
}

void Connection::on_write(const ErrorCode& code, std::size_t n) {
    if (state_ == State::closed) return;
    if (code) return close();
    out_.sent(n);
    Counters::add(loop_.counters().sent, n);
    if (!out_.done()) {
        write_deadline_ns_ = loop_.now_ns() + loop_.shared().options.limits.write.ns;
        publish_deadline();
        return write_some();
    }
    writing_ = false;
    write_deadline_ns_ = no_deadline;
    publish_deadline();
    guarded([this] { after_flush(); });
}

void Connection::after_flush() {
    if (!out_.empty()) return flush();
    switch (state_) {
        case State::head:
        case State::body: return advance();
        case State::streaming: return pump_stream();
        case State::sourcing: return pump_source();
        case State::closing: return finish();
        default: return;
    }
}

// ---- answering ----

void Connection::receive(Mail mail) {
    guarded([&] {
        if (mail.kind == MailKind::stream_news) {
            if (state_ == State::streaming && !writing_) pump_stream();
        } else if (take_reply(std::move(mail))) {
            advance();
        }
    });
}

/// False for a reply that nobody waits for any more.
bool Connection::take_reply(Mail mail) {
    if (mail.kind == MailKind::repeated || state_ != State::waiting || mail.request != requests_) {
        Counters::add(loop_.counters().replies_late);
        if (mail.kind == MailKind::repeated)
            loop_.shared().log(LogLevel::error, "http.reply_repeated", "a handler replied twice; the second answer was dropped");
        if (mail.response && mail.response->stream) mail.response->stream->detach();
        return false;
    }
    if (mail.kind == MailKind::abandoned) {
        reply_is_missing("it was dropped unused");
    } else {
        respond(std::move(*mail.response));
    }
    return true;
}

void Connection::reply_is_missing(std::string_view why) {
    Counters::add(loop_.counters().replies_missing);
    loop_.shared().log(LogLevel::error, "http.reply_missing",
                       fmt::format("{} {}: the handler gave no reply, {}", name_of(method_), route_->pattern, why));
    Problem problem;
    problem.type = problem_type("no_reply");
    problem.status = 500;
    problem.detail = fmt::format("the server did not finish this request; it may or may not have taken effect; report request {}",
                                 format_request_id(request_id_));
    respond(Response::problem(problem));
}

void Connection::count_answer(int status) {
    const Duration latency{loop_.now_ns() - answered_since_ns_};
    loop_.counters().answered(status, latency);
    if (state_ == State::waiting) Counters::subtract(loop_.counters().in_flight);
    const ServerOptions& options = loop_.shared().options;
    if (!options.on_exchange) return;
    options.on_exchange({.method = name_of(method_),
                         .target = target_,
                         .route = route_ != nullptr ? std::string_view{route_->options.name} : std::string_view{},
                         .remote = remote_,
                         .request_id = request_id_,
                         .status = status,
                         .latency = latency});
}

/// Puts the answer into the output; the caller flushes, or reads on to gather more answers.
void Connection::respond(Response response) {
    *awaited_ = 0;
    count_answer(response.status);
    const bool bodiless = response.status == 204 || response.status == 304;
    HeadFacts facts{
        .date = loop_.date(), .server_name = loop_.shared().options.server_name, .request_id = request_id_, .is_http_11 = is_http_11_};
    std::optional<std::uint64_t> length = response.body.size();
    if (response.source) length = response.source->length();
    if (response.stream) length = std::nullopt;
    facts.length = length.value_or(0);
    facts.framing = bodiless ? Framing::none : length ? Framing::length : is_http_11_ ? Framing::chunked : Framing::until_close;
    keep_alive_ = keep_alive_ && !response.close && !loop_.shared().draining && facts.framing != Framing::until_close && !response.stream;
    facts.keep_alive = keep_alive_;
    chunked_answer_ = facts.framing == Framing::chunked;
    append_head(out_.text(), response, facts);

    const bool no_body = bodiless || head_only_;
    if (response.stream && no_body) response.stream->detach();
    if (response.stream && !no_body) return begin_stream(std::move(response.stream));
    if (response.source && !no_body) {
        source_ = std::move(response.source);
        source_left_ = facts.length;
        state_ = State::sourcing;
        state_deadline_ns_ = no_deadline;
        return flush();
    }
    if (!no_body) out_.add_body(std::move(response.body));
    end_request();
}

void Connection::end_request() {
    route_ = nullptr;
    request_ = {};
    target_.clear();
    method_ = {};
    head_only_ = false;
    source_.reset();
    sink_.reset();
    if (!keep_alive_) {
        state_ = State::closing;
        state_deadline_ns_ = no_deadline;
        return flush();
    }
    state_ = State::head;
    head_started_ = false;
    parser_->restart();
    await_head();
}

void Connection::await_head() {
    const ServerLimits& limits = loop_.shared().options.limits;
    set_deadline(known_ ? limits.idle : std::min(limits.idle, limits.stranger_idle));
    if (!known_) loop_.meet_stranger(id_);
}

// ---- pushed and pulled bodies ----

void Connection::begin_stream(std::shared_ptr<StreamCore> stream) {
    stream_ = std::move(stream);
    state_ = State::streaming;
    Counters::add(loop_.counters().streams);
    parser_.reset();
    request_ = {};
    if (!reading_) in_.release();  // A read that listens for the peer's end may be under way.
    stream_->attach([mailbox = loop_.mailbox(), id = id_] {
        mailbox->post({.kind = MailKind::stream_news, .to = id, .request = 0, .response = std::nullopt});
    });
    if (loop_.shared().draining) stream_->end_with("closed: the server is stopping; reconnect with Last-Event-ID");
    set_deadline(stream_->options().kind == StreamKind::events ? stream_->options().heartbeat : Duration{});
    read();
    flush();
}

void Connection::pump_stream() {
    out_.shrink(0);
    std::string payload;
    const StreamCore::State news = stream_->take(payload);
    if (!payload.empty()) {
        if (chunked_answer_) wrap_chunk(payload, out_.text());
        out_.add_body(std::move(payload));
        if (stream_->options().kind == StreamKind::events) set_deadline(stream_->options().heartbeat);
        return flush();
    }
    if (news == StreamCore::State::open) return;
    if (news == StreamCore::State::cut) return close();
    if (chunked_answer_) out_.text() += last_chunk;
    state_ = State::closing;
    state_deadline_ns_ = no_deadline;
    return out_.empty() ? finish() : flush();
}

void Connection::pump_source() {
    std::string piece = out_.take_spent_body();
    piece.resize(source_bytes);
    const auto read = source_->read(piece);
    const bool too_much = read && !chunked_answer_ && keep_alive_ && *read > source_left_;
    if (!read || too_much || (*read == 0 && keep_alive_ && !chunked_answer_ && source_left_ > 0)) {
        loop_.shared().log(LogLevel::error, "http.source_broken",
                           "the source of a body ended too early or too late; the connection was cut");
        return close();
    }
    piece.resize(*read);
    source_left_ -= std::min<std::uint64_t>(source_left_, *read);
    if (piece.empty()) {
        if (chunked_answer_) out_.text() += last_chunk;
        end_request();
        return state_ == State::closing && out_.empty() ? finish() : advance();
    }
    if (chunked_answer_) wrap_chunk(piece, out_.text());
    out_.add_body(std::move(piece));
    flush();
}

// ---- the end ----

void Connection::finish() {
    if (!linger_after_) return close();
    state_ = State::lingering;
    end_sending(socket_);
    in_.consume(in_.size());
    set_deadline(loop_.shared().options.limits.linger);
    read();
}

void Connection::drain() {
    if (state_ == State::streaming) {
        stream_->end_with("closed: the server is stopping; reconnect with Last-Event-ID");
    } else if (state_ == State::head && !head_started_ && in_.empty() && !writing_) {
        close();
    } else {
        keep_alive_ = false;
    }
}

void Connection::watch_peer(std::int64_t now) {
    if (state_ == State::waiting && !reading_ && in_.empty() && now - answered_since_ns_ > hang_up_after_ns) read();
}

void Connection::close() {
    if (state_ == State::closed) return;
    *awaited_ = 0;
    const auto self = shared_from_this();
    // Count first, then close: whoever sees the end of the connection sees the counts too.
    if (state_ == State::waiting) Counters::subtract(loop_.counters().in_flight);
    state_ = State::closed;
    const auto stream = std::exchange(stream_, nullptr);
    if (stream) {
        Counters::subtract(loop_.counters().streams);
        if (stream->overflowed()) Counters::add(loop_.counters().streams_dropped);
    }
    loop_.release(id_);
    close_socket(socket_);
    sink_.reset();
    source_.reset();
    if (stream) stream->detach();
}

}  // namespace weir::http
