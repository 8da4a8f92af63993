// transport/http/problem.hpp: a refusal that says what was asked, both numbers and what to do (RFC 9457).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::http {

/// JSON text that is put into a document as it stands; the maker answers for its syntax.
struct RawJson {
    std::string text;
};

/// A problem document. Empty strings are left out of the print; an empty type means "about:blank".
struct Problem {
    struct Member {
        std::string name;
        std::variant<std::string, std::int64_t, bool, RawJson> value;
    };
    /// A URI that names the case for programs: problem_type("body_too_large").
    std::string type;
    /// The case in a few words, the same for each occurrence. Empty: the reason phrase of the status.
    std::string title;
    int status = 500;
    /// This occurrence: what was asked, both numbers, what to do.
    std::string detail;
    /// The request it happened in.
    std::string instance;
    /// Further members, e.g. {"limit_bytes", 1048576}; they follow in this order.
    std::vector<Member> members;
};

/// The type of a problem from its code: `urn:weir:problem:body_too_large`.
[[nodiscard]] std::string problem_type(std::string_view code);

/// The document as JSON text; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string render_json(const Problem& problem);

/// Appends `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

/// Of several servers this one does not lead: nothing was done, another one may be asked.
constexpr std::string_view not_leader_code = "not_leader";

constexpr std::string_view problem_media_type = "application/problem+json";

}  // namespace weir::http
