// transport/http/message.hpp: a request and its answer as plain values.
//
// A handler is a function from the one to the other; it needs no socket to be tested. Nothing here knows who
// asks or what is asked for.
#pragma once

#include "base/time.hpp"
#include "transport/http/body_budget.hpp"
#include "transport/http/headers.hpp"
#include "transport/http/problem.hpp"
#include "transport/http/stream.hpp"
#include "transport/http/target.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

enum class Method : std::uint8_t { get = 1, head = 2, post = 3, put = 4, patch = 5, del = 6, options = 7 };
[[nodiscard]] std::string_view name_of(Method method);
[[nodiscard]] std::optional<Method> parse_method(std::string_view text);

/// `Not Found` for 404; `Unknown` for a status without a phrase.
[[nodiscard]] std::string_view reason_phrase(int status);

struct PathParameter {
    std::string_view name;  ///< Lies in the router, which outlives every request.
    std::string value;
};

struct Request {
    Method method = Method::get;
    /// As received, undecoded: for logs and for `instance`.
    std::string target;
    /// Decoded; see target.hpp for what it cannot hold.
    std::string path;
    std::vector<QueryItem> query;
    /// What the braces of the route's pattern matched.
    std::vector<PathParameter> parameters;
    Headers headers;
    std::string body;
    /// What the body takes of the server's budget; goes with the request.
    BodyShare body_share;
    /// Address and port of the peer: `127.0.0.1:40312`.
    std::string remote;
    /// Unlike any other of this server; format_request_id() is what the peer sees in X-Request-Id.
    std::uint64_t request_id = 0;
    /// Wall clock when the head was complete.
    Instant received_at;
    /// What ServerOptions::admit learnt of the caller, for the handler; the two agree on its type.
    std::shared_ptr<const void> caller;
    /// On whose account the body, the connection and what waits for the answer are kept; set by admit too.
    Holder holder;
    /// Which request the connection waits for an answer to: another number, or 0, where it no longer waits for this one's.
    std::shared_ptr<const std::atomic<std::uint64_t>> awaited;
    std::uint64_t number = 0;

    /// Whether nobody waits for the answer any more: the peer hung up, or its time is over.
    [[nodiscard]] bool is_given_up() const { return awaited && *awaited != number; }

    /// The value of `{name}` in the route's pattern; empty where the pattern has none.
    [[nodiscard]] std::string_view parameter(std::string_view name) const;
    /// The first query item of that name.
    [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
    /// The first header of that name.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const { return headers.find(name); }
    /// The token of `Authorization: Bearer ...`.
    [[nodiscard]] std::optional<std::string_view> bearer_token() const;
};

/// 16 hexadecimal digits.
[[nodiscard]] std::string format_request_id(std::uint64_t id);

/// A body that is pulled as fast as the peer reads: files, stored blobs. Called on the server's io thread; a
/// read may touch the page cache, it must not wait for another machine.
class BodySource {
public:
    BodySource() = default;
    BodySource(const BodySource&) = delete;
    BodySource& operator=(const BodySource&) = delete;
    virtual ~BodySource() = default;
    /// Bytes in all; nothing when unknown, then the body is sent in chunks.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;
    /// Fills the front of `into`; 0 at the end. Nothing: the source is broken, and the connection is cut so
    /// that the peer cannot take the part for the whole.
    [[nodiscard]] virtual std::optional<std::size_t> read(std::span<char> into) = 0;
};

struct Response {
    int status = 200;
    /// Empty: no Content-Type.
    std::string content_type;
    std::string body;
    /// Further headers. Content-Length, Transfer-Encoding, Connection, Date and X-Request-Id are the server's own:
    /// here they are passed over, like names that are no token.
    std::vector<std::pair<std::string, std::string>> headers;
    /// Instead of `body`: pulled from here.
    std::unique_ptr<BodySource> source;
    /// Instead of `body`: pushed by the holder of the Stream.
    std::shared_ptr<StreamCore> stream;
    /// Close the connection after this answer.
    bool close = false;

    [[nodiscard]] static Response json(int status, std::string body);
    [[nodiscard]] static Response text(int status, std::string body);
    [[nodiscard]] static Response empty(int status = 204);
    [[nodiscard]] static Response problem(const Problem& problem);
    /// Server-sent events: text/event-stream, never cached, never buffered by proxies.
    [[nodiscard]] static Response events(const Stream& stream);
    /// Any other pushed body: a log that grows.
    [[nodiscard]] static Response streaming(std::string content_type, const Stream& stream);
    [[nodiscard]] static Response pulled(std::string content_type, std::unique_ptr<BodySource> source);

    Response&& with_header(std::string name, std::string value) &&;
};

/// Answers a request, from any thread, once. A second call is ignored and logged; a Reply that is destroyed
/// unused, or kept beyond the route's deadline, answers 500 and is logged.
using Reply = std::move_only_function<void(Response)>;

/// Called on an io thread, from several of them at once; must not block.
using Handler = std::move_only_function<void(Request, Reply) const>;

/// A handler from a pure function of the request.
[[nodiscard]] Handler answer_with(std::move_only_function<Response(const Request&) const> function);

/// 429 with Retry-After in whole seconds, rounded up, at least 1.
[[nodiscard]] Response too_many_requests(Duration retry_after, std::string detail);

}  // namespace weir::http
