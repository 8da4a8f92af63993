// transport/http/server/server.hpp: answers HTTP/1.1 on one address.
//
// A server owns one or two io threads. Handlers run on them and must not block; what takes time is answered
// through the Reply from another thread. Requests of one connection are answered in order, one at a time.
//
// Everything has a limit, and each limit has its problem document; see ServerLimits. A server listens on the
// address it is given and on no other.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "transport/http/message.hpp"
#include "transport/http/router.hpp"
#include "transport/http/server/metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

struct ServerLimits {
    std::size_t header_bytes = 16 * 1024;     ///< Request line and fields together; beyond: 431, or 414.
    std::size_t header_fields = 100;          ///< Beyond: 431.
    std::size_t target_bytes = 8 * 1024;      ///< Path and query as sent; beyond: 414.
    std::size_t connections = 20'000;         ///< Open at once; one more takes the place of another, or gets 503 and is closed.
    std::size_t connections_each = 15'000;    ///< Of one holder, and never more than three quarters of all: its oldest idle one is
                                              ///< closed for one more. Who holds most makes room where all are taken.
    std::size_t requests_per_connection = 0;  ///< Then `Connection: close`; 0: no limit.
    Duration idle = seconds(75);              ///< Between two requests; then the connection is closed.
    Duration stranger_idle = seconds(10);     ///< The same before the first request that `admit` gave a caller. Such connections
                                              ///< are closed first, the oldest before the others, where all are taken.
    std::size_t body_bytes = 256U << 20U;     ///< Of all bodies in flight; one more gets 503 and is closed. A quarter is kept for
                                              ///< privileged holders, and of the rest each holder has a share.
    Duration request = seconds(15);           ///< From the first byte of a request to its last; then 408. A body has
                                              ///< this long again for every 64 KiB.
    Duration write = seconds(30);             ///< Without a byte taken by the peer; then the connection is cut.
    Duration linger = seconds(2);             ///< How long an unread body is drained after a refusal.
};

enum class LogLevel : std::uint8_t { info = 1, warning = 2, error = 3 };
/// `event` is a fixed name for programs (`http.reply_missing`), `detail` is for people.
struct LogLine {
    LogLevel level = LogLevel::info;
    std::string_view event;
    std::string detail;
};

/// One answered request, for access logs and metrics by route.
struct Exchange {
    std::string_view method;
    std::string_view target;
    /// Name of the route; empty when none matched.
    std::string_view route;
    std::string_view remote;
    std::uint64_t request_id = 0;
    int status = 0;
    Duration latency;
};

struct ServerOptions {
    /// A numeric address, IPv4 or IPv6.
    std::string address = "127.0.0.1";
    /// 0: the system chooses; see Server::port().
    std::uint16_t port = 0;
    /// 1 to 16.
    int io_threads = 1;
    /// Value of the Server header; empty: none.
    std::string server_name = "weir";
    ServerLimits limits;
    /// Asked once the head is read and a route was found, before the body: authentication and rate limits. A
    /// Response refuses. May leave the caller's identity in Request::caller and on whose account it is in
    /// Request::holder. Runs on io threads, several at once; must not block.
    std::move_only_function<std::optional<Response>(Request&, const Route&) const> admit;
    /// From any thread; must not block.
    std::move_only_function<void(const LogLine&) const> log;
    /// On io threads, after each answer; must not block.
    std::move_only_function<void(const Exchange&) const> on_exchange;
};

/// Why a server did not start; the first that applies.
enum class StartFault : std::uint8_t {
    bad_address = 1,      ///< It is no numeric address.
    address_in_use = 2,   ///< Another process listens there.
    not_permitted = 3,    ///< A port below 1024 without the right to it.
    no_such_address = 4,  ///< No interface of this machine has it.
    system = 5,           ///< Anything else; the message says what.
};
struct StartError {
    StartFault fault = StartFault::system;
    std::string message;
};

/// Raises this process's limit of open files to `wanted`, or as far as it may; the limit now in force. Each
/// connection is an open file, and the usual limit of 1,024 is far below ServerLimits::connections.
std::uint64_t raise_open_files(std::uint64_t wanted);
/// How many connections there may be where so many files may be open and `others` of them are wanted for other things: at most
/// `wanted`, at least a few. Those that are only told that there is no room have theirs too.
[[nodiscard]] std::size_t connections_within(std::uint64_t files, std::uint64_t others, std::size_t wanted);

class Server {
public:
    /// Listens and answers from now on.
    [[nodiscard]] static Result<Server, StartError> start(Router router, ServerOptions options = {});

    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    /// stop() without grace.
    ~Server();

    [[nodiscard]] std::uint16_t port() const;
    /// `http://127.0.0.1:8080`
    [[nodiscard]] std::string url() const;
    [[nodiscard]] const Router& router() const;
    [[nodiscard]] Metrics metrics() const;

    /// Stops listening, closes idle connections, ends streams with the comment `server is stopping`, lets
    /// requests in flight finish for at most `grace`, and cuts what is left. Returns true if nothing had to be
    /// cut. Blocks; not from a handler. Replies that come later are ignored. Further calls do nothing.
    bool stop(Duration grace);

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
