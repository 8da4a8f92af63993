#include "base/time.hpp"

#include "base/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace weir {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;

/// Reads exactly `count` digits at `at`, or nothing.
std::optional<std::int64_t> digits(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return std::nullopt;
    std::int64_t number = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    return number;
}

struct Fraction {
    std::int64_t ns = 0;
    std::size_t length = 0;  ///< Characters taken, the dot included.
};

std::optional<Fraction> fraction(std::string_view rest) {
    if (rest.empty() || rest[0] != '.') return Fraction{};
    std::size_t n = 1;
    std::int64_t ns = 0;
    while (n < rest.size() && rest[n] >= '0' && rest[n] <= '9') {
        if (n > 9) return std::nullopt;
        ns = ns * 10 + (rest[n] - '0');
        ++n;
    }
    if (n == 1) return std::nullopt;
    for (std::size_t i = n; i <= 9; ++i) ns *= 10;
    return Fraction{ns, n};
}

/// Seconds east of UTC: `Z`, `+08:00`.
std::optional<std::int64_t> offset_seconds(std::string_view zone) {
    if (zone == "Z" || zone == "z") return 0;
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
    const auto h = digits(zone, 1, 2);
    const auto m = digits(zone, 4, 2);
    if (!h || !m || *h > 23 || *m > 59) return std::nullopt;
    const std::int64_t offset = (*h * 60 + *m) * 60;
    return zone[0] == '-' ? -offset : offset;
}

}  // namespace

namespace {

std::optional<Instant> sum_of(std::int64_t whole, std::int64_t part) {
    const auto scaled = checked_mul(whole, ns_per_s);
    const auto ns = scaled ? checked_add(*scaled, part) : std::nullopt;
    return ns ? std::optional{Instant{*ns}} : std::nullopt;
}

}  // namespace

std::string format_utc(Instant t) {
    using namespace std::chrono;
    const std::int64_t whole = floor_seconds(t);
    const std::int64_t part = past_second(t);
    const sys_seconds point{std::chrono::seconds{whole}};
    const auto day = floor<days>(point);
    const year_month_day date{day};
    const hh_mm_ss clock{point - day};
    auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                            clock.hours().count(), clock.minutes().count(), clock.seconds().count());
    if (part == 0) return text + "Z";
    if (part % 1'000'000 == 0) return text + fmt::format(".{:03}Z", part / 1'000'000);
    if (part % 1'000 == 0) return text + fmt::format(".{:06}Z", part / 1'000);
    return text + fmt::format(".{:09}Z", part);
}

std::optional<Instant> parse_utc(std::string_view text) {
    using namespace std::chrono;
    const auto y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2);
    const auto h = digits(text, 11, 2), mi = digits(text, 14, 2), s = digits(text, 17, 2);
    if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
    const char separator = text[10];
    if (text[4] != '-' || text[7] != '-' || (separator != 'T' && separator != 't' && separator != ' ')) return std::nullopt;
    if (text[13] != ':' || text[16] != ':' || *h > 23 || *mi > 59 || *s > 59) return std::nullopt;
    const year_month_day date{year{static_cast<int>(*y)}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
    if (!date.ok() || *y < 1677 || *y > 2262) return std::nullopt;
    const auto part = fraction(text.substr(19));
    if (!part) return std::nullopt;
    const auto offset = offset_seconds(text.substr(19 + part->length));
    if (!offset) return std::nullopt;
    const std::int64_t day_count = sys_days{date}.time_since_epoch().count();
    const std::int64_t whole = ((day_count * 24 + *h) * 60 + *mi) * 60 + *s - *offset;
    // The first second of the range begins before it; only its fraction lies within.
    return whole < 0 ? sum_of(whole + 1, part->ns - ns_per_s) : sum_of(whole, part->ns);
}

std::string format_duration(Duration d) {
    if (d.ns < 0) return "-" + format_duration({-d.ns});
    struct Unit {
        std::int64_t ns;
        std::string_view name;
    };
    static constexpr std::array units{Unit{86'400 * ns_per_s, "d"}, Unit{3'600 * ns_per_s, "h"}, Unit{60 * ns_per_s, "min"},
                                      Unit{ns_per_s, "s"},          Unit{1'000'000, "ms"}};
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto [size, name] = units[i];
        if (d.ns < size) continue;
        auto text = fmt::format("{} {}", d.ns / size, name);
        const std::int64_t rest = d.ns % size;
        if (i < 3 && rest / units[i + 1].ns > 0) text += fmt::format(" {} {}", rest / units[i + 1].ns, units[i + 1].name);
        return text;
    }
    return "0 ms";
}

}  // namespace weir
