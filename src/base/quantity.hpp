// base/quantity.hpp: integers that know their unit, and arithmetic that knows when it overflows.
//
// Everything owed or counted in Weir is one of these. They convert to each other only by a named
// function that says how it rounds.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace weir {

/// An integer amount of one unit. `Tag` names the unit; two units never mix.
template <class Tag>
struct Quantity {
    std::int64_t value = 0;

    friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;
    constexpr Quantity& operator+=(Quantity other) { value += other.value; return *this; }
    constexpr Quantity& operator-=(Quantity other) { value -= other.value; return *this; }
    friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.value + b.value}; }
    friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.value - b.value}; }
    friend constexpr Quantity operator-(Quantity a) { return {-a.value}; }
    friend constexpr Quantity operator*(Quantity a, std::int64_t times) { return {a.value * times}; }
};

using Fen = Quantity<struct FenTag>;                           ///< 0.01 yuan: ledgers, invoices.
using MicroYuan = Quantity<struct MicroYuanTag>;               ///< 1e-6 yuan: inside rating only.
using MilliCards = Quantity<struct MilliCardsTag>;             ///< 1/1000 of an accelerator card.
using MilliCardSeconds = Quantity<struct MilliCardSecondsTag>; ///< What a meter counts.
using MilliCpus = Quantity<struct MilliCpusTag>;               ///< 1/1000 of a processor core.
using MiB = Quantity<struct MiBTag>;                           ///< 2^20 bytes.
using Seconds = Quantity<struct SecondsTag>;                   ///< Whole seconds.
using Joules = Quantity<struct JoulesTag>;                     ///< Energy.

/// a + b, or nothing where int64 cannot hold it.
[[nodiscard]] constexpr std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional{sum};
}

/// a * b, or nothing where int64 cannot hold it.
[[nodiscard]] constexpr std::optional<std::int64_t> checked_mul(std::int64_t a, std::int64_t b) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional{product};
}

enum class Rounding : std::uint8_t { down = 1, half_up = 2, up = 3 };

/// a * b / divisor for a, b >= 0 and divisor > 0, exact in between, rounded once; nothing where the
/// result does not fit or an argument is out of range.
[[nodiscard]] constexpr std::optional<std::int64_t> mul_div(std::int64_t a, std::int64_t b, std::int64_t divisor,
                                                            Rounding rounding) {
    if (a < 0 || b < 0 || divisor <= 0) return std::nullopt;
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * static_cast<Wide>(b);
    const Wide by = static_cast<Wide>(divisor);
    Wide extra = 0;
    if (rounding == Rounding::up) extra = by - 1;
    if (rounding == Rounding::half_up) extra = by / 2;
    // Half-up of an odd divisor: (2p + d) / 2d is the same as (p + floor(d/2)) / d for integers p.
    const Wide quotient = (product + extra) / by;
    if (quotient > static_cast<Wide>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(quotient);
}

}  // namespace weir
