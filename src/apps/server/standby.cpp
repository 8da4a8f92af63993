#include "apps/server/standby.hpp"

#include "transport/http/problem.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace weir::server {
namespace {

using http::Method;
using http::Request;
using http::Response;

/// Whoever asks sooner hears the same.
constexpr const char* retry_after_s = "1";

Response refuse(const Request& request) {
    http::Problem problem;
    problem.type = http::problem_type(http::not_leader_code);
    problem.status = 503;
    problem.detail = "this server stands by, and another one leads or is about to; ask the network's other addresses, or again in a second";
    problem.instance = request.path;
    return Response::problem(problem).with_header("Retry-After", retry_after_s);
}

void must_add(http::Router& router, Method method, const std::string& pattern,
              std::move_only_function<Response(const Request&) const> answer) {
    http::Route route;
    route.method = method;
    route.pattern = pattern;
    route.handler = http::answer_with(std::move(answer));
    // The table of routes is the program's own: a refusal is a mistake in it that no run survives.
    if (!router.add(std::move(route))) throw std::logic_error{"route " + pattern + " is refused"};
}

}  // namespace

Result<http::Server, http::StartError> start_standby(http::ServerOptions options, std::string build) {
    http::Router router;
    must_add(router, Method::get, "/healthz",
             [build](const Request&) { return Response::text(200, fmt::format("ok\nweir {}, standing by\n", build)); });
    must_add(router, Method::get, "/metrics", [build = std::move(build)](const Request&) {
        auto response =
            Response::text(200, fmt::format("# HELP weir_build_info The program that answers.\n# TYPE weir_build_info gauge\n"
                                            "weir_build_info{{build=\"{}\"}} 1\n"
                                            "# HELP weir_leads 1 while this server leads its network.\n# TYPE weir_leads gauge\n"
                                            "weir_leads 0\n",
                                            build));
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        return response;
    });
    for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::del})
        must_add(router, method, "/{rest...}", refuse);
    return http::Server::start(std::move(router), std::move(options));
}

}  // namespace weir::server
