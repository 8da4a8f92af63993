#include "transport/http/client/client.hpp"

#include "transport/http/client/link.hpp"
#include "transport/http/client/response_parser.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <sys/eventfd.h>
#include <unistd.h>

namespace weir::http {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

CallFault to_call_fault(LinkFault fault) {
    switch (fault) {
        case LinkFault::unresolved: return CallFault::unresolved;
        case LinkFault::refused: return CallFault::refused;
        case LinkFault::unreachable: return CallFault::unreachable;
        case LinkFault::timed_out: return CallFault::timed_out;
        case LinkFault::closed: return CallFault::closed;
        case LinkFault::interrupted: return CallFault::interrupted;
    }
    return CallFault::closed;
}

std::string_view describe(CallFault fault) {
    switch (fault) {
        case CallFault::unresolved: return "the name has no address; check the spelling";
        case CallFault::refused: return "nobody listens there; start the server or check the port";
        case CallFault::unreachable: return "no connection in time; check the network and the address";
        case CallFault::timed_out: return "connected, but no answer in time; try again or allow more time";
        case CallFault::closed: return "the server closed the connection before its answer was whole";
        case CallFault::protocol: return "what came back is no HTTP";
        case CallFault::too_large: return "the answer exceeds what this client keeps";
        case CallFault::stopped: return "the reader wanted no more";
        case CallFault::interrupted: return "interrupted";
    }
    return "no answer";
}

bool has_body(const Call& call) {
    return call.source || !call.body.empty() || call.method == Method::post || call.method == Method::put || call.method == Method::patch;
}

/// Collects an answer and hands 2xx bodies on.
class Collector final : public ResponseParser::Taker {
public:
    Collector(Consumer* consumer, std::size_t max_body) : consumer_{consumer}, max_body_{max_body} {}

    bool take_head(int status, Headers headers) override {
        answer.status = status;
        answer.headers = std::move(headers);
        return consumer_ == nullptr || !consumer_->on_head || consumer_->on_head(answer);
    }
    bool take_piece(std::string_view piece) override {
        if (consumer_ != nullptr && answer.ok()) return !consumer_->on_piece || consumer_->on_piece(piece);
        if (answer.body.size() + piece.size() > max_body_) {
            too_large = true;
            return false;
        }
        answer.body += piece;
        return true;
    }

    Answer answer;
    bool too_large = false;

private:
    Consumer* consumer_;
    std::size_t max_body_;
};

}  // namespace

struct Client::Impl {
    explicit Impl(ClientOptions given) : options{std::move(given)}, wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

    /// One exchange under way.
    struct Exchange {
        Call& call;
        Duration within;
        bool each_wait;  ///< `within` is for each silence and not for all.
        Deadline deadline;
        bool maybe_sent = false;
        bool cut_short = false;  ///< The answer came before all of the request was sent.
        void extend() {
            if (each_wait) deadline = Deadline::after(within);
        }
    };

    [[nodiscard]] CallError error(CallFault fault, bool maybe_sent, std::string_view detail = {}) const {
        return {fault, maybe_sent,
                fmt::format("{}:{}: {}{}{}", options.host, options.port, describe(fault), detail.empty() ? "" : ": ", detail)};
    }

    [[nodiscard]] std::string head_of(const Call& call) const;
    Result<void, LinkFault> connect();
    Result<void, LinkFault> send_all(std::string_view bytes, Exchange& exchange);
    Result<void, LinkFault> send_request(Exchange& exchange);
    Result<Answer, CallError> receive(Exchange& exchange, Consumer* consumer);
    Result<Answer, CallError> run(Call& call, bool each_wait, Consumer* consumer);

    ClientOptions options;
    Descriptor wake;
    std::optional<Link> link;
};

std::string Client::Impl::head_of(const Call& call) const {
    const bool is_v6 = options.host.contains(':');
    std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}{}{}:{}\r\n", name_of(call.method), call.target, is_v6 ? "[" : "",
                                   options.host, is_v6 ? "]" : "", options.port);
    Headers fields;  // takes line breaks out of values
    for (const auto& [name, value] : options.headers) fields.add(name, value);
    for (const auto& [name, value] : call.headers) fields.add(name, value);
    if (!call.content_type.empty()) fields.add("Content-Type", call.content_type);
    for (std::size_t i = 0; i < fields.size(); ++i) head += fmt::format("{}: {}\r\n", fields[i].name, fields[i].value);
    if (has_body(call)) {
        const auto length = call.source ? call.source->length() : std::optional<std::uint64_t>{call.body.size()};
        head += length ? fmt::format("Content-Length: {}\r\n", *length) : "Transfer-Encoding: chunked\r\n";
    }
    head += "\r\n";
    return head;
}

Result<void, LinkFault> Client::Impl::connect() {
    if (link && !link->is_stale()) return {};
    link.reset();
    link = WEIR_TRY(Link::connect({.host = options.host, .port = options.port}, wake.get(), Deadline::after(options.connect_within)));
    return {};
}

/// Sends until done, or until the server answers early.
Result<void, LinkFault> Client::Impl::send_all(std::string_view bytes, Exchange& exchange) {
    while (!bytes.empty() && !exchange.cut_short) {
        const std::size_t sent = WEIR_TRY(link->send_some(bytes));
        bytes.remove_prefix(sent);
        if (sent > 0) {
            exchange.maybe_sent = true;
            exchange.extend();
        } else {
            exchange.cut_short = WEIR_TRY(link->wait(true, wake.get(), exchange.deadline));
        }
    }
    return {};
}

Result<void, LinkFault> Client::Impl::send_request(Exchange& exchange) {
    std::string head = head_of(exchange.call);
    BodySource* source = exchange.call.source.get();
    if (source == nullptr) {
        if (exchange.call.body.size() > piece_bytes) {
            WEIR_CHECK(send_all(head, exchange));
            return send_all(exchange.call.body, exchange);
        }
        return send_all(head += exchange.call.body, exchange);
    }
    WEIR_CHECK(send_all(head, exchange));
    const bool chunked = !source->length();
    std::string piece(piece_bytes, '\0');
    while (!exchange.cut_short) {
        const auto read = source->read(piece);
        if (!read) return fail(LinkFault::closed);
        const std::string_view bytes = std::string_view{piece}.substr(0, *read);
        if (chunked) WEIR_CHECK(send_all(fmt::format("{:x}\r\n", bytes.size()), exchange));
        WEIR_CHECK(send_all(bytes, exchange));
        if (chunked) WEIR_CHECK(send_all("\r\n", exchange));
        if (bytes.empty()) break;
    }
    return {};
}

Result<Answer, CallError> Client::Impl::receive(Exchange& exchange, Consumer* consumer) {
    Collector collector{consumer, options.max_body};
    ResponseParser parser{collector, exchange.call.method == Method::head};
    std::string pending;
    std::string buffer(piece_bytes, '\0');
    while (true) {
        const auto got = link->receive_some(buffer);
        if (!got) return fail(error(to_call_fault(got.error()), true));
        if (!*got) {
            const auto came = link->wait(false, wake.get(), exchange.deadline);
            if (!came) return fail(error(to_call_fault(came.error()), true));
            continue;
        }
        exchange.extend();
        pending.append(buffer, 0, **got);
        std::string_view input = pending;
        const auto step = **got == 0 ? parser.end() : parser.feed(input);
        pending.erase(0, pending.size() - input.size());
        switch (step) {
            case ResponseParser::Step::need_more: continue;
            case ResponseParser::Step::stopped:
                return fail(error(collector.too_large ? CallFault::too_large : CallFault::stopped, true));
            case ResponseParser::Step::failed:
                return fail(error(**got == 0 ? CallFault::closed : CallFault::protocol, true, parser.detail()));
            case ResponseParser::Step::complete: break;
        }
        if (!parser.keep_alive() || !pending.empty() || **got == 0) link.reset();
        return std::move(collector.answer);
    }
}

Result<Answer, CallError> Client::Impl::run(Call& call, bool each_wait, Consumer* consumer) {
    const Duration within = call.within.value_or(options.answer_within);
    if (const auto connected = connect(); !connected) return fail(error(to_call_fault(connected.error()), false));
    Exchange exchange{.call = call, .within = within, .each_wait = each_wait, .deadline = Deadline::after(within)};
    const auto sent = send_request(exchange);
    const bool hung_up = !sent && sent.error() == LinkFault::closed && exchange.maybe_sent;
    if (!sent && !hung_up) {
        link.reset();
        return fail(error(to_call_fault(sent.error()), exchange.maybe_sent));
    }
    // A server that refuses a body may close before it has read it all: its answer is still to be read.
    auto answer = receive(exchange, consumer);
    if (!answer || hung_up || exchange.cut_short) link.reset();
    return answer;
}

Client::Client(ClientOptions options) : impl_{std::make_unique<Impl>(std::move(options))} {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

const ClientOptions& Client::options() const { return impl_->options; }

Result<Answer, CallError> Client::call(Call call) { return impl_->run(call, false, nullptr); }

Result<Answer, CallError> Client::download(Call call, Consumer consumer) { return impl_->run(call, true, &consumer); }

Result<Answer, CallError> Client::events(Call call, std::move_only_function<bool(const Event&)> on_event) {
    EventParser parser;
    bool unreadable = false;
    call.headers.emplace_back("Accept", "text/event-stream");
    Consumer consumer;
    consumer.on_head = [&](const Answer& head) {
        const auto type = head.headers.find("Content-Type");
        unreadable = head.ok() && !(type && type->starts_with("text/event-stream"));
        return !unreadable;
    };
    consumer.on_piece = [&](std::string_view piece) {
        unreadable = !parser.feed(piece);
        while (const auto event = parser.next()) {
            if (!on_event(*event)) return false;
        }
        return !unreadable;
    };
    auto answer = impl_->run(call, true, &consumer);
    if (!answer && unreadable) return fail(impl_->error(CallFault::protocol, true, "this is no event stream"));
    if (answer && answer->ok()) answer->body = parser.last_comment();
    return answer;
}

void Client::interrupt() {
    const std::uint64_t one = 1;
    static_cast<void>(::write(impl_->wake.get(), &one, sizeof one));
}

std::optional<ClientOptions> parse_base_url(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    if (!url.starts_with(scheme)) return std::nullopt;
    url.remove_prefix(scheme.size());
    if (url.ends_with('/')) url.remove_suffix(1);
    if (url.empty() || url.find_first_of("/?#@ ") != std::string_view::npos) return std::nullopt;
    ClientOptions options;
    const bool bracketed = url.starts_with('[');
    const std::size_t end = bracketed ? url.find(']') : std::min(url.find(':'), url.size());
    if (end == std::string_view::npos) return std::nullopt;
    options.host = url.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
    std::string_view rest = url.substr(end + (bracketed ? 1 : 0));
    if (options.host.empty()) return std::nullopt;
    if (rest.empty()) return options;
    if (!rest.starts_with(':')) return std::nullopt;
    rest.remove_prefix(1);
    const auto [stop, code] = std::from_chars(rest.data(), rest.data() + rest.size(), options.port);
    if (code != std::errc{} || stop != rest.data() + rest.size() || options.port == 0) return std::nullopt;
    return options;
}

}  // namespace weir::http
