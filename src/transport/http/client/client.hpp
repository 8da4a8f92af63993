// transport/http/client/client.hpp: asks one server, one request at a time, and waits for the answer.
//
// Blocking, with a deadline on everything; the connection is kept and reused. A Client is used by one thread at
// a time; only interrupt() may come from another. Whether to try again is the caller's decision: CallError says
// whether the request may have reached the server.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "transport/http/message.hpp"
#include "transport/http/sse.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

struct ClientOptions {
    /// A name or a numeric address (IPv6 without brackets).
    std::string host = "127.0.0.1";
    std::uint16_t port = 80;
    /// For the name and the connection together (a slow resolver is not interrupted).
    Duration connect_within = seconds(5);
    /// From the call to the last byte of the answer, where Call::within says nothing else.
    Duration answer_within = seconds(30);
    /// Largest answer that call() keeps, in bytes. Pieces given to a consumer are not counted.
    std::size_t max_body = std::size_t{64} * 1024 * 1024;
    /// Sent with each request, e.g. Authorization.
    std::vector<std::pair<std::string, std::string>> headers;
};

/// Host and port of `http://host[:port][/]`; nothing for anything else, https included.
[[nodiscard]] std::optional<ClientOptions> parse_base_url(std::string_view url);

struct Call {
    Method method = Method::get;
    /// Path and query, encoded: see percent_encode().
    std::string target = "/";
    std::vector<std::pair<std::string, std::string>> headers;
    /// Of `body` or `source`; empty: none.
    std::string content_type;
    std::string body;
    /// Instead of `body`: pulled as fast as the server reads.
    std::unique_ptr<BodySource> source;
    /// For call(): from now to the last byte of the answer. For download() and events(): the longest silence.
    std::optional<Duration> within;
};

struct Answer {
    int status = 0;
    Headers headers;
    std::string body;
    [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
};

/// Why there is no answer; the first that is met.
enum class CallFault : std::uint8_t {
    unresolved = 1,   ///< The name has no address.
    refused = 2,      ///< Nobody listens there.
    unreachable = 3,  ///< No way to the address, or no connection in time.
    timed_out = 4,    ///< Connected, but no answer in time.
    closed = 5,       ///< The server closed the connection before the answer was whole.
    protocol = 6,     ///< What came is no HTTP, or no event stream.
    too_large = 7,    ///< The answer exceeds ClientOptions::max_body.
    stopped = 8,      ///< The consumer wanted no more.
    interrupted = 9,  ///< interrupt() was called.
};

struct CallError {
    CallFault fault = CallFault::protocol;
    /// True if any byte of the request may have reached the server: a repetition needs an idempotency key.
    bool maybe_sent = false;
    std::string message;
};

/// Takes an answer as it arrives. Empty functions accept everything.
struct Consumer {
    /// Status and headers; false: stop.
    std::move_only_function<bool(const Answer&)> on_head;
    /// A piece of the body of a 2xx answer; false: stop. Other answers keep their body in Answer::body.
    std::move_only_function<bool(std::string_view)> on_piece;
};

class Client {
public:
    explicit Client(ClientOptions options);
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    /// Asks and keeps the whole answer. Any status is an answer.
    [[nodiscard]] Result<Answer, CallError> call(Call call);
    /// Asks and hands the body on as it comes; for logs that grow and stored blobs.
    [[nodiscard]] Result<Answer, CallError> download(Call call, Consumer consumer);
    /// Reads server-sent events until the server ends the stream (an Answer with its status and, in `body`, the
    /// text of the last comment), or `on_event` returns false (CallFault::stopped). A status other than 2xx is an
    /// answer like any other. To resume, send Last-Event-ID in Call::headers.
    [[nodiscard]] Result<Answer, CallError> events(Call call, std::move_only_function<bool(const Event&)> on_event);

    /// From any thread: the call under way, and each later one, ends with CallFault::interrupted.
    void interrupt();

    [[nodiscard]] const ClientOptions& options() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
