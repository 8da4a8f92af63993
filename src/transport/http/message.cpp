#include "transport/http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::http {
namespace {

constexpr std::array<std::string_view, 8> method_names{"", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

}  // namespace

std::string_view name_of(Method method) { return method_names.at(static_cast<std::size_t>(method)); }

std::optional<Method> parse_method(std::string_view text) {
    for (std::size_t i = 1; i < method_names.size(); ++i) {
        if (method_names[i] == text) return static_cast<Method>(i);
    }
    return std::nullopt;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 425: return "Too Early";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default: return "Unknown";
    }
}

std::string_view Request::parameter(std::string_view name) const {
    const auto found = std::ranges::find(parameters, name, &PathParameter::name);
    return found == parameters.end() ? std::string_view{} : std::string_view{found->value};
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    const auto found = std::ranges::find(query, name, &QueryItem::name);
    return found == query.end() ? std::nullopt : std::optional<std::string_view>{found->value};
}

std::optional<std::string_view> Request::bearer_token() const {
    constexpr std::string_view scheme = "Bearer ";
    const auto value = headers.find("Authorization");
    if (!value || value->size() <= scheme.size() || !same_name(value->substr(0, scheme.size()), scheme)) return std::nullopt;
    return value->substr(scheme.size());
}

std::string format_request_id(std::uint64_t id) { return fmt::format("{:016x}", id); }

Response Response::json(int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = "application/json";
    response.body = std::move(body);
    return response;
}

Response Response::text(int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = std::move(body);
    return response;
}

Response Response::empty(int status) {
    Response response;
    response.status = status;
    return response;
}

Response Response::problem(const Problem& problem) {
    Response response;
    response.status = problem.status;
    response.content_type = problem_media_type;
    response.body = render_json(problem);
    return response;
}

Response Response::events(const Stream& stream) {
    return streaming("text/event-stream", stream).with_header("Cache-Control", "no-store").with_header("X-Accel-Buffering", "no");
}

Response Response::streaming(std::string content_type, const Stream& stream) {
    Response response;
    response.content_type = std::move(content_type);
    response.stream = stream.core();
    return response;
}

Response Response::pulled(std::string content_type, std::unique_ptr<BodySource> source) {
    Response response;
    response.content_type = std::move(content_type);
    response.source = std::move(source);
    return response;
}

Response&& Response::with_header(std::string name, std::string value) && {
    headers.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
}

Handler answer_with(std::move_only_function<Response(const Request&) const> function) {
    return [function = std::move(function)](const Request& request, Reply reply) { reply(function(request)); };
}

Response too_many_requests(Duration retry_after, std::string detail) {
    const std::int64_t wait_s = std::max<std::int64_t>(1, (retry_after.ns + 999'999'999) / 1'000'000'000);
    Problem problem;
    problem.type = problem_type("too_many_requests");
    problem.status = 429;
    problem.detail = std::move(detail);
    problem.members.push_back({.name = "retry_after_s", .value = wait_s});
    return Response::problem(problem).with_header("Retry-After", std::to_string(wait_s));
}

}  // namespace weir::http
