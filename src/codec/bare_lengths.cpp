#include "codec/bare_lengths.hpp"

#include <fmt/format.h>

#include <string>

namespace weir::codec {
namespace {

const Value* member_at(const Value& document, std::string_view path) {
    const auto* at = &document;
    while (at != nullptr && !path.empty()) {
        const auto dot = path.find('.');
        at = at->find(path.substr(0, dot));
        path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    return at;
}

}  // namespace

Problems bare_lengths(const Value& document, std::span<const std::string_view> paths, std::string_view origin, std::string_view prefix) {
    Problems problems;
    for (const auto path : paths) {
        const auto* value = member_at(document, path);
        const auto* number = value == nullptr ? nullptr : value->integer();
        if (number == nullptr || *number == 0) continue;
        const auto at = value->at();
        problems.push_back({std::string{origin}, prefix.empty() ? std::string{path} : fmt::format("{}.{}", prefix, path), at.line,
                            at.column, Fault::bad_format,
                            fmt::format("is {} without a unit; write {}s for seconds, {}m for minutes or {}h for hours", *number, *number,
                                        *number, *number)});
    }
    return problems;
}

}  // namespace weir::codec
