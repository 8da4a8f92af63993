// transport/http/server/server_kit.hpp: for tests: requests as bytes, routers that echo, a log that can be waited for.
#pragma once

#include "transport/http/server/server.hpp"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace weir::http {

constexpr std::string_view host = "Host: x\r\n";

inline std::string get(std::string_view target, std::string_view fields = "") {
    return "GET " + std::string{target} + " HTTP/1.1\r\n" + std::string{host} + std::string{fields} + "\r\n";
}
inline std::string post(std::string_view target, std::string_view body, std::string_view fields = "") {
    return "POST " + std::string{target} + " HTTP/1.1\r\n" + std::string{host} + std::string{fields} +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

inline Response echo(const Request& request) {
    std::string text = std::string{name_of(request.method)} + " " + request.path;
    for (const auto& [name, value] : request.parameters) text += " " + std::string{name} + "=" + value;
    for (const auto& [name, value] : request.query) text += " ?" + name + "=" + value;
    if (!request.body.empty()) text += " " + request.body;
    return Response::text(200, text);
}

inline void add(Router& router, Method method, std::string pattern, Handler handler, RouteOptions options = {}) {
    ASSERT_TRUE(
        router.add({.method = method, .pattern = std::move(pattern), .handler = std::move(handler), .options = std::move(options)}));
}

inline Router echo_router() {
    Router router;
    add(router, Method::get, "/echo", answer_with(echo));
    add(router, Method::get, "/echo/{name}", answer_with(echo));
    add(router, Method::post, "/echo", answer_with(echo));
    RouteOptions small;
    small.max_body = 10;
    add(router, Method::post, "/small", answer_with(echo), std::move(small));
    return router;
}

inline Server start(Router router, ServerOptions options = {}) {
    auto server = Server::start(std::move(router), std::move(options));
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
}

/// Collects what a server logs; `first` is fulfilled by the first line.
struct Log {
    std::mutex mutex;
    std::string lines;
    std::promise<void> first;
    void add(const LogLine& line) {
        const std::scoped_lock lock{mutex};
        if (lines.empty()) first.set_value();
        lines += std::string{line.event} + ": " + line.detail + "\n";
    }
};

}  // namespace weir::http
