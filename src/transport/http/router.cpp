#include "transport/http/router.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace weir::http {
namespace {

constexpr std::size_t method_count = 8;

struct Segment {
    std::string_view text;
    bool is_parameter = false;
    bool takes_rest = false;
};

bool is_parameter_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9'); });
}

Result<std::vector<Segment>, RouteRefusal> read_pattern(std::string_view pattern) {
    if (!pattern.starts_with('/')) return fail(RouteRefusal::pattern_not_absolute);
    std::vector<Segment> segments;
    if (pattern == "/") return segments;
    for (std::size_t at = 0; at < pattern.size();) {
        const std::size_t end = std::min(pattern.find('/', at + 1), pattern.size());
        Segment segment{.text = pattern.substr(at + 1, end - at - 1)};
        if (segment.text.empty()) return fail(RouteRefusal::pattern_not_absolute);
        if (segment.text.starts_with('{') && segment.text.ends_with('}')) {
            segment.text = segment.text.substr(1, segment.text.size() - 2);
            segment.is_parameter = true;
            segment.takes_rest = segment.text.ends_with("...");
            if (segment.takes_rest) segment.text.remove_suffix(3);
            if (!is_parameter_name(segment.text) || (segment.takes_rest && end != pattern.size())) return fail(RouteRefusal::bad_parameter);
        } else if (segment.text.find_first_of("{}") != std::string_view::npos) {
            return fail(RouteRefusal::bad_parameter);
        }
        segments.push_back(segment);
        at = end;
    }
    return segments;
}

}  // namespace

struct Router::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    std::unique_ptr<Node> rest;
    std::string name;  ///< Of the parameter that led here.
    std::array<const Route*, method_count> by_method{};
    std::string allow;

    void refresh_allow() {
        allow.clear();
        for (std::size_t i = 1; i < method_count; ++i) {
            const auto method = static_cast<Method>(i);
            const bool by_get = method == Method::head && by_method[static_cast<std::size_t>(Method::get)] != nullptr;
            if (by_method[i] == nullptr && !by_get && method != Method::options) continue;
            if (!allow.empty()) allow += ", ";
            allow += name_of(method);
        }
    }
    [[nodiscard]] bool is_end() const { return !allow.empty(); }
};

Router::Router() : root_{std::make_unique<Node>()} {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

Result<void, RouteRefusal> Router::add(Route route) {
    const auto segments = WEIR_TRY(read_pattern(route.pattern));
    Node* node = root_.get();
    for (const Segment& segment : segments) {
        auto& next = !segment.is_parameter ? node->literals[std::string{segment.text}] : segment.takes_rest ? node->rest : node->parameter;
        if (!next) {
            next = std::make_unique<Node>();
            if (segment.is_parameter) next->name = segment.text;
        } else if (segment.is_parameter && next->name != segment.text) {
            return fail(RouteRefusal::parameter_renamed);
        }
        node = next.get();
    }
    auto& slot = node->by_method.at(static_cast<std::size_t>(route.method));
    if (slot != nullptr) return fail(RouteRefusal::already_routed);
    routes_.push_back(std::make_unique<Route>(std::move(route)));
    slot = routes_.back().get();
    node->refresh_allow();
    return {};
}

Router::Match Router::match(Method method, std::string_view path) const {
    Match match;
    if (!path.starts_with('/')) return match;
    const Node* node = root_.get();
    for (std::size_t at = 0; path != "/" && at < path.size();) {
        const std::size_t end = std::min(path.find('/', at + 1), path.size());
        const std::string_view segment = path.substr(at + 1, end - at - 1);
        const auto literal = node->literals.find(segment);
        if (literal != node->literals.end()) {
            node = literal->second.get();
        } else if (node->parameter && !segment.empty()) {
            node = node->parameter.get();
            match.parameters.push_back({.name = node->name, .value = std::string{segment}});
        } else if (node->rest) {
            node = node->rest.get();
            match.parameters.push_back({.name = node->name, .value = std::string{path.substr(at + 1)}});
            break;
        } else {
            return {};
        }
        at = end;
    }
    if (!node->is_end()) return {};
    match.allow = node->allow;
    match.route = node->by_method.at(static_cast<std::size_t>(method));
    if (match.route == nullptr && method == Method::head) match.route = node->by_method[static_cast<std::size_t>(Method::get)];
    return match;
}

}  // namespace weir::http
