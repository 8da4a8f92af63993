// base/time.hpp: instants as values. Nothing here reads a clock; `now` is always an argument.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// Nanoseconds since 1970-01-01T00:00:00Z. Reaches from 1677 to 2262.
struct Instant {
    std::int64_t ns = 0;
    friend constexpr auto operator<=>(const Instant&, const Instant&) = default;
};

/// A length of time in nanoseconds; may be negative.
struct Duration {
    std::int64_t ns = 0;
    friend constexpr auto operator<=>(const Duration&, const Duration&) = default;
};

constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration d, std::int64_t n) { return {d.ns * n}; }

constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }
constexpr Duration hours(std::int64_t n) { return seconds(n * 3600); }

/// Whole seconds, rounded towards the past.
constexpr std::int64_t floor_seconds(Instant t) {
    const std::int64_t q = t.ns / 1'000'000'000;
    return t.ns % 1'000'000'000 < 0 ? q - 1 : q;
}
/// Nanoseconds since that second, 0 to 999,999,999; also of the earliest instant, whose second lies before what 64 bits count.
constexpr std::int64_t past_second(Instant t) {
    const std::int64_t rest = t.ns % 1'000'000'000;
    return rest < 0 ? rest + 1'000'000'000 : rest;
}

/// The first moment of the civil day in China (UTC+8 in all of it, without summer time since 1991) that is `days` after the one in
/// which `t` lies.
constexpr Instant china_day(Instant t, std::int64_t days) {
    constexpr std::int64_t day_s = 86'400;
    constexpr std::int64_t ahead_s = 8 * 3600;
    const std::int64_t local_s = floor_seconds(t) + ahead_s;
    const std::int64_t of_day_s = ((local_s % day_s) + day_s) % day_s;
    return {(local_s - of_day_s + days * day_s - ahead_s) * 1'000'000'000};
}

/// RFC 3339 in UTC with as many fraction digits as needed (none, 3, 6 or 9): `2026-11-22T06:00:00Z`.
[[nodiscard]] std::string format_utc(Instant t);

/// The inverse of format_utc. Also takes an offset (`+08:00`) and 1 to 9 fraction digits; nothing for
/// anything else, for impossible dates, and beyond Instant's range. A leap second (`:60`) is refused.
[[nodiscard]] std::optional<Instant> parse_utc(std::string_view text);

/// A length for people: `4 h 30 min`, `12 s`, `350 ms`. At most two units, the rest cut off.
[[nodiscard]] std::string format_duration(Duration d);

}  // namespace weir
