// transport/http/router.hpp: which handler answers this path?
//
// A pattern is a path whose segments are literals or `{name}`; the last may be `{name...}`, which takes the
// rest of the path with its slashes. At each segment a literal goes before `{name}` before `{name...}`, and
// the choice is not taken back. GET answers HEAD, and OPTIONS is answered for every known path.
#pragma once

#include "base/result.hpp"
#include "transport/http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// Takes a body in pieces as it arrives, on an io thread. Destroyed without finish(): the upload broke off.
class BodySink {
public:
    BodySink() = default;
    BodySink(const BodySink&) = delete;
    BodySink& operator=(const BodySink&) = delete;
    virtual ~BodySink() = default;
    /// Takes the next piece; a Response refuses the rest and is sent at once.
    [[nodiscard]] virtual std::optional<Response> write(std::string_view piece) = 0;
    /// All bytes are there. `request.body` is empty. What must wait (fsync) does so on another thread.
    virtual void finish(Request request, Reply reply) = 0;
};

/// Opens the sink once the head is read, before a byte of the body; a Response refuses.
using SinkFactory = std::move_only_function<Result<std::unique_ptr<BodySink>, Response>(const Request&) const>;

struct RouteOptions {
    /// Largest body in bytes; a larger one is answered 413.
    std::uint64_t max_body = 1024 * 1024;
    /// How long the handler may keep its Reply. Long polls set more than they wait.
    Duration reply_within = seconds(30);
    /// Stable name of the operation: for metrics and the OpenAPI document.
    std::string name;
    /// For the one who made the route: admit() finds it again here, for example as the place in a table of scopes.
    std::size_t tag = 0;
    /// For uploads: takes the body instead of Request::body; the handler is then not called.
    SinkFactory sink;
};

struct Route {
    Method method = Method::get;
    std::string pattern;
    Handler handler;
    RouteOptions options;
};

/// Why a route is not taken; the first that applies.
enum class RouteRefusal : std::uint8_t {
    pattern_not_absolute = 1,   ///< It must start with '/' and have no empty segment.
    bad_parameter = 2,          ///< Braces must enclose a name, be a whole segment, and "..." stands only at the end.
    parameter_renamed = 3,      ///< Another route calls the parameter at this place by another name.
    already_routed = 4,         ///< The same method and pattern twice.
};

class Router {
public:
    Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;
    ~Router();

    Result<void, RouteRefusal> add(Route route);

    struct Match {
        /// The route; null when there is none.
        const Route* route = nullptr;
        std::vector<PathParameter> parameters;
        /// For a known path: the methods it has, as `Allow` prints them. Empty: the path is unknown.
        std::string_view allow;
    };
    [[nodiscard]] Match match(Method method, std::string_view path) const;

    /// Every route in the order added. Addresses stay.
    [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

private:
    struct Node;
    std::vector<std::unique_ptr<Route>> routes_;
    std::unique_ptr<Node> root_;
};

}  // namespace weir::http
