// transport/http/server/connection_read.cpp: from bytes to a handler's call. No socket is touched here.
#include "transport/http/server/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace weir::http {
namespace {

/// A body that will not be used is still read when it is this small, to keep the connection.
constexpr std::uint64_t skip_bytes = 64 * 1024;
/// A body has ServerLimits::request for each so many bytes.
constexpr std::uint64_t upload_step = 64 * 1024;

Problem make_problem(int status, std::string_view code, std::string detail) {
    Problem problem;
    problem.type = problem_type(code);
    problem.status = status;
    problem.detail = std::move(detail);
    return problem;
}

Problem describe_unreadable(ParseFault fault, const std::string& detail, const ServerLimits& limits) {
    switch (fault) {
        case ParseFault::target_too_long:
            return make_problem(414, "target_too_long",
                                fmt::format("the request target exceeds {} bytes; put the parameters into the body", limits.target_bytes));
        case ParseFault::header_too_large:
            return make_problem(431, "header_too_large",
                                fmt::format("the request head exceeds {} bytes; send fewer or shorter fields", limits.header_bytes));
        case ParseFault::too_many_fields:
            return make_problem(431, "too_many_header_fields",
                                fmt::format("the request has more than {} header fields; send fewer", limits.header_fields));
        case ParseFault::unknown_version:
            return make_problem(505, "unknown_http_version", "this server speaks HTTP/1.1; send HTTP/1.1 or HTTP/1.0");
        case ParseFault::unknown_transfer_coding:
            return make_problem(501, "unknown_transfer_coding",
                                "this server reads the transfer coding chunked alone; send chunked or a Content-Length");
        case ParseFault::bad_host: return make_problem(400, "bad_host", "a request of HTTP/1.1 needs exactly one Host field");
        case ParseFault::refused_by_taker:
        case ParseFault::malformed: break;
    }
    return make_problem(400, "malformed_request",
                        fmt::format("the request cannot be read: {}", detail.empty() ? "it breaks the grammar of HTTP" : detail));
}

}  // namespace

void Connection::advance() {
    while (true) {
        if (writing_) return;  // after_flush() comes back here
        if (out_.full()) return flush();
        Next next = Next::stop;
        if (state_ == State::head) next = read_head();
        if (state_ == State::body && next == Next::stop) next = read_body();
        if (next == Next::go_on) continue;
        if (state_ == State::closed) return;
        if (!out_.empty()) return flush();
        if (next == Next::need_input) read();
        return;
    }
}

Connection::Next Connection::read_head() {
    if (!head_started_) {
        while (!in_.empty() && (in_.view().front() == '\r' || in_.view().front() == '\n')) in_.consume(1);
        if (in_.empty()) return Next::need_input;
        head_started_ = true;
        set_deadline(loop_.shared().options.limits.request);
    }
    const RequestParser::Advance step = parser_->read_head(in_.view());
    in_.consume(step.consumed);
    if (step.step == RequestParser::Step::need_more) return Next::need_input;
    request_id_ = loop_.next_request_id();
    if (step.step == RequestParser::Step::failed) return refuse_unreadable();
    return on_head();
}

Connection::Next Connection::on_head() {
    loop_.forget_stranger(id_);
    RequestHead& head = parser_->head();
    is_http_11_ = head.is_http_11;
    const std::uint64_t most = loop_.shared().options.limits.requests_per_connection;
    ++requests_;
    keep_alive_ = head.keep_alive && !loop_.shared().draining && (most == 0 || requests_ < most);
    answered_since_ns_ = loop_.now_ns();
    body_bytes_ = 0;
    const auto expectation = head.headers.find("Expect");
    const bool known = expectation && same_name(*expectation, "100-continue") && head.headers.count("Expect") == 1;
    expects_continue_ = known && head.is_http_11;
    if (expectation && !known) {
        return answer_early(Response::problem(
            make_problem(417, "unknown_expectation", fmt::format("Expect: {} cannot be met; leave it out", *expectation))));
    }

    const auto method = parse_method(head.method);
    if (!method) {
        return answer_early(
            Response::problem(make_problem(501, "unknown_method", fmt::format("the method {} is not known; see Allow", head.method)))
                .with_header("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    method_ = *method;
    head_only_ = method_ == Method::head;
    auto target = parse_target(head.target);
    if (!target) return answer_early(Response::problem(make_problem(400, "bad_target", std::string{describe(target.error())})));

    request_ = {};
    request_.method = method_;
    request_.path = std::move(target->path);
    request_.query = std::move(target->query);
    request_.target = std::move(head.target);
    request_.headers = std::move(head.headers);
    request_.remote = remote_;
    request_.request_id = request_id_;
    request_.received_at = Instant{
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
    if (loop_.shared().options.on_exchange) target_ = request_.target;

    if (auto refusal = find_route()) return answer_early(std::move(*refusal));
    return begin_body();
}

/// Sets route_, or says why there is none, or what admit() has against the request.
std::optional<Response> Connection::find_route() {
    const Shared& shared = loop_.shared();
    Router::Match match = shared.router.match(method_, request_.path);
    if (match.route == nullptr) {
        if (method_ == Method::options && request_.path == "*")
            return Response::empty().with_header("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        if (match.allow.empty()) {
            Problem problem = make_problem(404, "no_such_path", fmt::format("nothing is at {}", request_.path));
            problem.instance = request_.target;
            return Response::problem(problem);
        }
        if (method_ == Method::options) return Response::empty().with_header("Allow", std::string{match.allow});
        Problem problem = make_problem(405, "method_not_allowed",
                                       fmt::format("{} is not possible at {}; it takes {}", name_of(method_), request_.path, match.allow));
        problem.instance = request_.target;
        return Response::problem(problem).with_header("Allow", std::string{match.allow});
    }
    route_ = match.route;
    request_.parameters = std::move(match.parameters);
    if (!shared.options.admit) return std::nullopt;
    auto refusal = shared.options.admit(request_, *route_);
    if (request_.caller != nullptr) known_ = true;
    if (refusal && refusal->status == 401) known_ = false;
    if (!known_ || refusal || loop_.hold(id_, request_.holder)) return refusal;
    keep_alive_ = false;
    Problem problem = make_problem(
        503, "too_many_connections",
        fmt::format("{} has as many connections as one may have and all are busy; close some, or ask in a second", request_.holder.name));
    problem.instance = request_.target;
    return Response::problem(problem).with_header("Retry-After", "1");
}

Connection::Next Connection::begin_body() {
    const RequestHead& head = parser_->head();
    const std::uint64_t limit = route_->options.max_body;
    if (head.content_length && *head.content_length > limit) return answer_early(Response::problem(too_large(limit)));
    if (route_->options.sink) {
        auto sink = route_->options.sink(request_);
        if (!sink) return answer_early(std::move(sink).error());
        sink_ = std::move(*sink);
    }
    if (!head.has_body) return dispatch();
    request_.body_share = BodyShare{loop_.shared().bodies, request_.holder};
    if (head.content_length && !sink_ && !make_room(std::min<std::uint64_t>(*head.content_length, upload_step)))
        return answer_early(no_room());
    if (expects_continue_ && in_.empty()) out_.text() += "HTTP/1.1 100 Continue\r\n\r\n";
    state_ = State::body;
    return Next::go_on;
}

Problem Connection::too_large(std::uint64_t limit) const {
    const auto length = parser_->head().content_length;
    Problem problem =
        make_problem(413, "body_too_large",
                     length ? fmt::format("the body has {} bytes and at most {} are taken here; send less", *length, limit)
                            : fmt::format("the body has more than {} bytes, which is all that is taken here; send less", limit));
    problem.members.push_back({.name = "limit_bytes", .value = static_cast<std::int64_t>(limit)});
    return problem;
}

bool Connection::make_room(std::uint64_t bytes) {
    const std::uint64_t have = request_.body_share.bytes();
    if (bytes <= have) return true;
    // Doubled, as the text would do by itself, but never beyond what may come.
    const auto most = parser_->head().content_length.value_or(route_->options.max_body);
    const auto wanted = std::max(bytes, std::min(2 * have, most));
    if (!request_.body_share.grow_to(wanted)) return false;
    request_.body.reserve(wanted);
    return true;
}

Response Connection::no_room() const {
    const auto& bodies = *loop_.shared().bodies;
    const auto& holder = request_.holder;
    const auto own = holder.name.empty() ? std::string{} : fmt::format(", {} of them {}'s", bodies.held(holder), holder.name);
    Problem problem = make_problem(503, "too_much_in_flight",
                                   fmt::format("the bodies of all requests in flight take {} bytes and may take {}{}, this one has no "
                                               "room; send it again in a second",
                                               bodies.used(), bodies.most(), own));
    problem.instance = request_.target;
    return Response::problem(problem).with_header("Retry-After", "1");
}

Connection::Next Connection::read_body() {
    const RequestParser::Advance step = parser_->read_body(in_.view(), *this);
    in_.consume(step.consumed);
    switch (step.step) {
        case RequestParser::Step::need_more:
            // Only chunk heads and trailers wait to be whole, and they fit into the limit of a head.
            if (in_.size() > loop_.shared().options.limits.header_bytes) return refuse_unreadable();
            return Next::need_input;
        case RequestParser::Step::failed:
            if (parser_->fault() != ParseFault::refused_by_taker) return refuse_unreadable();
            linger_after_ = true;
            keep_alive_ = false;
            respond(early_ ? std::move(*std::exchange(early_, std::nullopt)) : Response::problem(too_large(skip_bytes)));
            return Next::go_on;
        case RequestParser::Step::complete: break;
    }
    if (!early_) return dispatch();
    respond(std::move(*std::exchange(early_, std::nullopt)));
    return Next::go_on;
}

bool Connection::take_piece(std::string_view piece) {
    const std::uint64_t before = body_bytes_;
    body_bytes_ += piece.size();
    if (early_) return body_bytes_ <= skip_bytes;
    if (body_bytes_ > route_->options.max_body) {
        early_ = Response::problem(too_large(route_->options.max_body));
        return false;
    }
    if (before / upload_step != body_bytes_ / upload_step) set_deadline(loop_.shared().options.limits.request);
    if (!sink_) {
        if (!make_room(body_bytes_)) {
            early_ = no_room();
            return false;
        }
        request_.body += piece;
        return true;
    }
    early_ = sink_->write(piece);
    return !early_;
}

Connection::Next Connection::refuse_unreadable() {
    Counters::add(loop_.counters().malformed);
    return refuse(describe_unreadable(parser_->fault(), parser_->detail(), loop_.shared().options.limits));
}

/// Answers and closes: what follows in the stream cannot be trusted to be a request.
Connection::Next Connection::refuse(const Problem& problem) {
    keep_alive_ = false;
    linger_after_ = true;
    answered_since_ns_ = loop_.now_ns();
    respond(Response::problem(problem));
    return Next::go_on;
}

/// Answers before the body was read: a small one is skipped to keep the connection, otherwise it is closed.
Connection::Next Connection::answer_early(Response response) {
    const RequestHead& head = parser_->head();
    if (head.has_body) {
        if (!head.chunked && *head.content_length <= skip_bytes && !expects_continue_) {
            early_ = std::move(response);
            state_ = State::body;
            return Next::go_on;
        }
        keep_alive_ = false;
        linger_after_ = true;
    }
    respond(std::move(response));
    return Next::go_on;
}

Connection::Next Connection::dispatch() {
    Shared& shared = loop_.shared();
    state_ = State::waiting;
    *awaited_ = requests_;
    request_.awaited = awaited_;
    request_.number = requests_;
    answered_since_ns_ = loop_.now_ns();
    set_deadline(route_->options.reply_within);
    Counters::add(loop_.counters().in_flight);
    Mailbox::Counter counter{.to = id_, .request = requests_, .handed = std::nullopt};
    loop_.mailbox()->open_counter(&counter);
    try {
        Reply reply{Ticket{loop_.mailbox(), id_, requests_}};
        if (sink_) {
            sink_->finish(std::move(request_), std::move(reply));
        } else {
            route_->handler(std::move(request_), std::move(reply));
        }
    } catch (const std::exception& error) {
        shared.log(LogLevel::error, "http.handler_threw", fmt::format("{} {}: {}", name_of(method_), route_->pattern, error.what()));
    }
    loop_.mailbox()->open_counter(nullptr);
    sink_.reset();
    if (!counter.handed) return Next::stop;
    static_cast<void>(take_reply(std::move(*counter.handed)));
    return Next::go_on;
}

}  // namespace weir::http
