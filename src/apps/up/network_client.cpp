#include "apps/up/network_client.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace weir::up {
namespace {

http::ClientOptions options_of(const std::string& url, const std::string& token) {
    auto options = http::parse_base_url(url).value_or(http::ClientOptions{});
    options.headers.emplace_back("Authorization", "Bearer " + token);
    return options;
}

}  // namespace

NetworkClient::NetworkClient(const std::string& url, std::string token) : client_{options_of(url, token)} {}

Result<codec::Value, std::string> NetworkClient::ask(http::Method method, const std::string& target, const std::string& body,
                                                     std::string content_type) {
    http::Call call;
    call.method = method;
    call.target = target;
    call.body = body;
    if (!body.empty()) call.content_type = std::move(content_type);
    auto answer = client_.call(std::move(call));
    if (!answer) return fail(fmt::format("{}: {}", target, answer.error().message));
    auto value = codec::read_json(answer->body);
    if (!answer->ok()) return fail(fmt::format("{}: {} {}", target, answer->status, value ? text_at(*value, "detail") : answer->body));
    if (!value) return fail(fmt::format("{}: the answer is no JSON: {}", target, value.error().message));
    return std::move(*value);
}

Result<codec::Value, std::string> NetworkClient::get(const std::string& target) { return ask(http::Method::get, target, {}); }
Result<codec::Value, std::string> NetworkClient::post(const std::string& target, const std::string& json) {
    return ask(http::Method::post, target, json);
}
Result<codec::Value, std::string> NetworkClient::post_yaml(const std::string& target, const std::string& yaml) {
    return ask(http::Method::post, target, yaml, "application/yaml");
}
Result<codec::Value, std::string> NetworkClient::put(const std::string& target, const std::string& json) {
    return ask(http::Method::put, target, json);
}

Result<codec::Value, std::string> NetworkClient::remove(const std::string& target) { return ask(http::Method::del, target, {}); }

std::optional<std::string> NetworkClient::text(const std::string& target) {
    http::Call call;
    call.target = target;
    auto answer = client_.call(std::move(call));
    return answer && answer->ok() ? std::optional{std::move(answer->body)} : std::nullopt;
}

const codec::Value* at(const codec::Value& value, std::string_view path) {
    const auto* here = &value;
    while (here != nullptr && !path.empty()) {
        const auto dot = path.find('.');
        here = here->find(path.substr(0, dot));
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    return here;
}

std::string text_at(const codec::Value& value, std::string_view path) {
    const auto* found = at(value, path);
    return found != nullptr && found->string() != nullptr ? *found->string() : std::string{};
}

std::int64_t number_at(const codec::Value& value, std::string_view path) {
    const auto* found = at(value, path);
    if (found == nullptr) return 0;
    if (const auto* number = found->integer()) return *number;
    std::int64_t number = 0;
    if (const auto* text = found->string()) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

}  // namespace weir::up
