// codec/text.hpp: scalars as text, and text for people.
//
// Answers: how is this number, string, instant or length of time spelled? The parts that need no
// template, shared by the readers, the decoder and the writer.
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::codec {

/// The largest magnitude that every reader of JSON holds exactly: 2^53. Integers beyond are written as strings.
inline constexpr std::int64_t largest_plain_integer = 9'007'199'254'740'992;

/// Decimal digits, without quotes.
void append_number(std::string& out, std::int64_t number);
void append_number(std::string& out, std::uint64_t number);
/// The shortest text that reads back as the same double; `null` where it is not finite.
void append_number(std::string& out, double number);
/// Decimal digits, in quotes beyond 2^53.
void append_integer(std::string& out, std::int64_t number);
void append_integer(std::string& out, std::uint64_t number);

/// A JSON string. Bytes that are not UTF-8 become U+FFFD, so that the output can always be read.
void append_quoted(std::string& out, std::string_view text);

/// Whether all of it is UTF-8 (RFC 3629: no surrogates, no overlong forms). If not, `bad_at` is the first wrong byte.
struct Utf8Check {
    bool good = true;
    std::size_t bad_at = 0;
};
[[nodiscard]] Utf8Check check_utf8(std::string_view text);
/// How many code points the UTF-8 text has.
[[nodiscard]] std::size_t count_characters(std::string_view text);
/// Appends the UTF-8 form of a code point.
void append_utf8(std::string& out, std::uint32_t code_point);

/// As format_utc(), appended.
void append_utc(std::string& out, Instant at);

/// A length of time for machines and people, exact: `4h30m`, `1d12h`, `250ms`, `-1s`, `0s`. Units d, h, m, s,
/// ms, us, ns from the longest to the shortest, each at most once.
[[nodiscard]] std::string format_span(Duration length);
/// The inverse; also takes more than the next unit holds (`90m`). Nothing for other text or beyond int64.
[[nodiscard]] std::optional<Duration> parse_span(std::string_view text);

/// A decimal that is not negative, with at most `places` digits after the point, as a count of its smallest unit: `0.5` of
/// two places is 50. Nothing for other text or beyond int64.
[[nodiscard]] std::optional<std::int64_t> parse_decimal(std::string_view text, int places);

/// The inverse, with all places: 50 of two places is `0.50`, -5 is `-0.05`.
[[nodiscard]] std::string format_decimal(std::int64_t count, int places);
/// As format_decimal(), without the zeros at the end: `0.5`, `8`.
[[nodiscard]] std::string format_decimal_short(std::int64_t count, int places);

/// A piece of foreign text for a message: in quotes, control characters and bad UTF-8 replaced, cut at 60 bytes.
[[nodiscard]] std::string show(std::string_view text);

/// The candidate that the word was probably meant to be, or nothing: by edit distance.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace weir::codec
