// transport/http/target.hpp: what a request line asks for, as text that is safe to use.
//
// The path is split at '/' first and decoded after, and a decoded segment may hold neither '/' nor be "." or
// "..": so a path means the same to everyone who reads it, and cannot climb out of a folder. In a query '+'
// is a space, as forms write it.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

struct QueryItem {
    std::string name;
    std::string value;
    friend bool operator==(const QueryItem&, const QueryItem&) = default;
};

struct Target {
    /// Decoded, starts with '/'; "*" for `OPTIONS *`.
    std::string path;
    /// Decoded, in the order given; a name may repeat.
    std::vector<QueryItem> query;
    friend bool operator==(const Target&, const Target&) = default;
};

/// Why a target is refused; the first that is met from left to right is given.
enum class TargetFault : std::uint8_t {
    not_absolute = 1,         ///< It is neither a path, nor http://host/path, nor "*".
    bad_character = 2,        ///< Not allowed unescaped: a control, a quote, a backslash, '#', a byte beyond ASCII.
    bad_escape = 3,           ///< '%' without two hexadecimal digits.
    bad_text = 4,             ///< Decodes to a control character or to no UTF-8.
    path_escape = 5,          ///< A segment that decodes to ".", "..", or holds '/' or a backslash.
    empty_segment = 6,        ///< "//" inside the path.
    too_many_parameters = 7,  ///< More query items than max_query_items.
};
[[nodiscard]] std::string_view describe(TargetFault fault);

constexpr std::size_t max_query_items = 64;

/// Reads origin form (`/a?b=c`), absolute form (`http://host/a`) and `*`.
[[nodiscard]] Result<Target, TargetFault> parse_target(std::string_view raw);

/// Escapes all but unreserved characters, for one path segment or one query name or value.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace weir::http
