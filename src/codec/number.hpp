// codec/number.hpp: from the spelling of a number to its value, exactly or not at all.
#pragma once

#include "base/result.hpp"
#include "codec/value.hpp"

#include <string>
#include <string_view>

namespace weir::codec {

enum class NumberError : std::uint8_t {
    not_a_number = 1,
    too_big = 2,    ///< An integer beyond uint64 or below int64, or a real beyond double.
    too_small = 3,  ///< A real nearer to zero than double tells from zero.
};

/// The number was refused for that: what to tell.
[[nodiscard]] std::string describe_number(NumberError error, std::string_view spelling);

/// How JSON spells numbers: the length of the number at the front of `text`, or 0 where there is none.
[[nodiscard]] std::size_t json_number_length(std::string_view text);

/// `[+-]digits[.digits][e[+-]digits]`, also `.5` and `5.`. With a point or an exponent it is an integer where its value
/// is one of at most 2^53 (`5.0`, `1e3`), otherwise a real. `-0` is a real, since no integer has its sign.
[[nodiscard]] Result<Value, NumberError> parse_number(std::string_view text, Position at);

}  // namespace weir::codec
