// transport/http/utf8.hpp: is this text? Shared by the target parser and the JSON printer.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::http {

/// Length in bytes of the well-formed UTF-8 sequence that starts at `at`, or 0: overlong forms, surrogates
/// and code points beyond U+10FFFF are not text. `at` < text.size().
[[nodiscard]] std::size_t utf8_sequence(std::string_view text, std::size_t at);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace weir::http
