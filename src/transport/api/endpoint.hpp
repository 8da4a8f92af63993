// transport/api/endpoint.hpp: one route with all that the OpenAPI document says of it.
#pragma once

#include "codec/schema.hpp"
#include "control/core/access.hpp"
#include "transport/http/router.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::api {

/// A query parameter. What is not listed is refused.
struct Parameter {
    enum class Kind : std::uint8_t { natural = 1, text = 2, flag = 3, word = 4 };
    std::string_view name;
    Kind kind = Kind::text;
    std::string_view doc{};
    std::uint64_t max = UINT64_MAX;                    ///< Of a natural.
    std::span<const std::string_view> words{};         ///< Of a word.
};

inline constexpr std::uint64_t page_max = 500;
inline constexpr Parameter limit_parameter{.name = "limit", .kind = Parameter::Kind::natural, .doc = "items of a page", .max = page_max};
inline constexpr Parameter cursor_parameter{.name = "cursor", .doc = "next_cursor of the page before"};
inline constexpr Parameter min_revision_parameter{.name = "min_revision", .kind = Parameter::Kind::natural,
                                                  .doc = "wait until the answer shows this revision, at most some seconds"};

using SchemaMaker = std::string (*)(codec::SchemaBook& book);
template <class T>
inline constexpr SchemaMaker schema_of = [](codec::SchemaBook& book) { return book.add<T>(); };

/// Whether the actor may ask this at all, as far as the head of the request tells.
using Permission = std::function<Result<void, control::Refusal>(const control::State&, const control::Actor&, const http::Request&)>;

struct Endpoint {
    http::Method method = http::Method::get;
    std::string pattern;
    std::string name;                    ///< operationId, and the route's name in metrics.
    std::string summary;
    std::vector<Parameter> query{};
    std::vector<Parameter> headers{};    ///< That mean something here and nowhere else.
    SchemaMaker body = nullptr;
    bool takes_yaml = false;
    std::string body_type{};             ///< Of a body that is no JSON; empty: what `body` says.
    SchemaMaker answer = nullptr;        ///< Of `answer_type`; none: any text.
    std::string answer_type = "application/json";
    int success = 200;
    std::vector<int> problems{};         ///< Statuses beyond those of every route.
    bool needs_token = true;
    std::uint64_t max_body = 1U << 20U;
    Duration reply_within = seconds(30);
    http::Handler handler{};
    Permission allowed{};                ///< Asked before the body is read; none: whoever has a token.
};

/// The document of the routes, as JSON text.
[[nodiscard]] std::string openapi_document(std::span<const Endpoint> endpoints, std::string_view build);

}  // namespace weir::api
