#include "codec/text.hpp"

#include "base/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

namespace weir::codec {
namespace {

template <class Number>
void append_digits(std::string& out, Number number) {
    const fmt::format_int digits{number};
    out.append(digits.data(), digits.size());
}

constexpr std::string_view hex_digits = "0123456789abcdef";

/// 0: copied as it is; 1: needs an escape; 2: not ASCII.
constexpr auto byte_class = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < 0x20; ++i) table[i] = 1;
    for (std::size_t i = 0x80; i < 256; ++i) table[i] = 2;
    table['"'] = 1;
    table['\\'] = 1;
    return table;
}();

/// The length of the UTF-8 sequence at the front of `text`, or 0 where there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return i < text.size() && byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = first == 0xED ? 0x9F : 0xBF;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80;
        const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\n': out += "\\n"; return;
        case '\t': out += "\\t"; return;
        case '\r': out += "\\r"; return;
        default: break;
    }
    out += "\\u00";
    out.push_back(hex_digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(hex_digits[static_cast<unsigned char>(c) & 15]);
}

struct Unit {
    std::string_view name;
    std::int64_t ns;
};
constexpr std::array units{Unit{"d", 86'400'000'000'000}, Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
                           Unit{"ms", 1'000'000},         Unit{"us", 1'000},            Unit{"ns", 1}};

constexpr std::size_t longest_word = 64;

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`; both at most longest_word long.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::array<std::array<std::size_t, longest_word + 1>, longest_word + 1> cost{};
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace

void append_number(std::string& out, std::int64_t number) { append_digits(out, number); }
void append_number(std::string& out, std::uint64_t number) { append_digits(out, number); }

void append_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 32> text{};
    char* const last = text.data() + text.size();
    // With an exponent where the digits alone would look like an integer that no type holds.
    const bool large = std::abs(number) >= static_cast<double>(largest_plain_integer);
    const auto end = large ? std::to_chars(text.data(), last, number, std::chars_format::scientific).ptr
                           : std::to_chars(text.data(), last, number).ptr;
    out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void append_integer(std::string& out, std::int64_t number) {
    if (number >= -largest_plain_integer && number <= largest_plain_integer) return append_digits(out, number);
    out.push_back('"');
    append_digits(out, number);
    out.push_back('"');
}

void append_integer(std::string& out, std::uint64_t number) {
    if (number <= static_cast<std::uint64_t>(largest_plain_integer)) return append_digits(out, number);
    out.push_back('"');
    append_digits(out, number);
    out.push_back('"');
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    std::size_t copied = 0;
    std::size_t i = 0;
    const auto flush = [&] { out.append(text.data() + copied, i - copied); };
    while (i < text.size()) {
        const auto kind = byte_class[static_cast<unsigned char>(text[i])];
        if (kind == 0) {
            ++i;
            continue;
        }
        if (kind == 2) {
            if (const std::size_t length = sequence_length(text.substr(i)); length != 0) {
                i += length;
                continue;
            }
            flush();
            out += "\xEF\xBF\xBD";
        } else {
            flush();
            append_escape(out, text[i]);
        }
        copied = ++i;
    }
    flush();
    out.push_back('"');
}

Utf8Check check_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        std::uint64_t block = 0;
        while (i + sizeof block <= text.size()) {
            std::memcpy(&block, text.data() + i, sizeof block);
            if ((block & 0x8080808080808080ULL) != 0) break;
            i += sizeof block;
        }
        if (i >= text.size()) break;
        const std::size_t length = sequence_length(text.substr(i));
        if (length == 0) return {.good = false, .bad_at = i};
        i += length;
    }
    return {};
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void append_utf8(std::string& out, std::uint32_t code_point) {
    const auto tail = [&](unsigned shift) { out.push_back(static_cast<char>(0x80 | ((code_point >> shift) & 0x3F))); };
    if (code_point < 0x80) {
        out.push_back(static_cast<char>(code_point));
    } else if (code_point < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (code_point >> 6)));
        tail(0);
    } else if (code_point < 0x10000) {
        out.push_back(static_cast<char>(0xE0 | (code_point >> 12)));
        tail(6);
        tail(0);
    } else {
        out.push_back(static_cast<char>(0xF0 | (code_point >> 18)));
        tail(12);
        tail(6);
        tail(0);
    }
}

void append_utc(std::string& out, Instant at) {
    using namespace std::chrono;
    const std::int64_t whole = floor_seconds(at);
    const std::int64_t part = past_second(at);
    const auto day = floor<days>(sys_seconds{std::chrono::seconds{whole}});
    const year_month_day date{day};
    const std::int64_t of_day = whole - day.time_since_epoch().count() * 86'400LL;
    std::array<char, 30> text{};
    const auto put = [&](std::size_t where, std::size_t width, std::int64_t number) {
        for (std::size_t i = width; i-- > 0; number /= 10) text[where + i] = static_cast<char>('0' + number % 10);
    };
    put(0, 4, static_cast<int>(date.year()));
    text[4] = '-';
    put(5, 2, static_cast<unsigned>(date.month()));
    text[7] = '-';
    put(8, 2, static_cast<unsigned>(date.day()));
    text[10] = 'T';
    put(11, 2, of_day / 3600);
    text[13] = ':';
    put(14, 2, of_day / 60 % 60);
    text[16] = ':';
    put(17, 2, of_day % 60);
    std::size_t length = 19;
    if (part != 0) {
        text[length++] = '.';
        const std::size_t width = part % 1'000'000 == 0 ? 3 : part % 1'000 == 0 ? 6 : 9;
        put(length, width, width == 3 ? part / 1'000'000 : width == 6 ? part / 1'000 : part);
        length += width;
    }
    text[length++] = 'Z';
    out.append(text.data(), length);
}

std::string format_span(Duration length) {
    if (length.ns == 0) return "0s";
    std::string out;
    // Towards zero from either side: int64's lowest has no positive twin.
    auto rest = length.ns < 0 ? 0 - static_cast<std::uint64_t>(length.ns) : static_cast<std::uint64_t>(length.ns);
    if (length.ns < 0) out.push_back('-');
    for (const Unit& unit : units) {
        const std::uint64_t count = rest / static_cast<std::uint64_t>(unit.ns);
        if (count == 0) continue;
        append_number(out, count);
        out += unit.name;
        rest -= count * static_cast<std::uint64_t>(unit.ns);
    }
    return out;
}

std::optional<Duration> parse_span(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
    __extension__ __int128 total = 0;
    std::size_t next_unit = 0;
    while (!text.empty()) {
        std::uint64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc{} || count > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        std::size_t letters = 0;
        while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
        const auto name = text.substr(0, letters);
        while (next_unit < units.size() && units[next_unit].name != name) ++next_unit;
        if (next_unit == units.size()) return std::nullopt;
        total += static_cast<__int128>(count) * units[next_unit].ns;
        ++next_unit;
        text.remove_prefix(letters);
    }
    if (negative) total = -total;
    if (total > INT64_MAX || total < INT64_MIN) return std::nullopt;
    return Duration{static_cast<std::int64_t>(total)};
}

namespace {

std::optional<std::int64_t> parse_digits(std::string_view digits) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || digits[0] == '-') return std::nullopt;
    return number;
}

}  // namespace

std::optional<std::int64_t> parse_decimal(std::string_view text, int places) {
    std::int64_t scale = 1;
    for (int i = 0; i < places; ++i) scale *= 10;
    const auto dot = text.find('.');
    const auto ones = parse_digits(text.substr(0, dot));
    if (!ones) return std::nullopt;
    std::int64_t fraction = 0;
    if (dot != std::string_view::npos) {
        auto digits = std::string{text.substr(dot + 1)};
        if (digits.empty() || std::cmp_greater(digits.size(), places)) return std::nullopt;
        digits.resize(static_cast<std::size_t>(places), '0');
        const auto part = parse_digits(digits);
        if (!part) return std::nullopt;
        fraction = *part;
    }
    const auto scaled = checked_mul(*ones, scale);
    return scaled ? checked_add(*scaled, fraction) : std::nullopt;
}

std::string format_decimal(std::int64_t count, int places) {
    // Towards zero from either side: int64's lowest has no positive twin.
    std::string digits;
    append_number(digits, count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count));
    const auto after = static_cast<std::size_t>(places);
    if (digits.size() <= after) digits.insert(0, after + 1 - digits.size(), '0');
    if (after > 0) digits.insert(digits.size() - after, 1, '.');
    return count < 0 ? "-" + digits : digits;
}

std::string format_decimal_short(std::int64_t count, int places) {
    auto text = format_decimal(count, places);
    if (places == 0) return text;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

std::string show(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string_view part = text;
    if (part.size() > longest) {
        part = part.substr(0, longest);
        while (!part.empty() && (static_cast<unsigned char>(text[part.size()]) & 0xC0) == 0x80) part.remove_suffix(1);
    }
    std::string out;
    append_quoted(out, part);
    if (part.size() < text.size()) out += "...";
    return out;
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > longest_word) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = 0;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > longest_word) continue;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance >= std::max(word.size(), candidate.size()) || distance > word.size() / 4 + 1) continue;
        if (!best || distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace weir::codec
