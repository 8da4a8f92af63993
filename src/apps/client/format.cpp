#include "apps/client/format.hpp"

#include "apps/client/characters.hpp"
#include "codec/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace weir::cli {
std::string visible(std::string_view text, bool lines) {
    std::string out;
    while (!text.empty()) {
        const auto one = character_of(text);
        const bool line_end = lines && text.front() == '\n';
        if (one.kind == Character::Kind::plain || line_end) {
            out += text.substr(0, one.bytes);
        } else {
            out += '?';
        }
        text.remove_prefix(one.bytes);
    }
    return out;
}

std::string yuan(std::int64_t fen) { return codec::format_decimal(fen, 2); }

std::string money(std::int64_t fen) { return "CNY " + yuan(fen); }

std::string span(Duration length) {
    auto left = floor_seconds(Instant{length.ns});
    if (left < 0) return "-" + span(Duration{-length.ns});
    std::string out;
    for (const auto& [unit_s, name] : {std::pair{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}, {1, 's'}}) {
        if (left >= unit_s) out += fmt::format("{}{}{}", out.empty() ? "" : " ", left / unit_s, name);
        left %= unit_s;
    }
    return out.empty() ? "0s" : out;
}

std::string cards(std::int64_t milli_cards) { return codec::format_decimal_short(milli_cards, 3); }

std::string model_label(std::string_view model, bool emulated) {
    return fmt::format("{}{}", visible(model), emulated ? " (emulated)" : "");
}

namespace {

std::string date_text(const std::tm& then) {
    return fmt::format("{:04}-{:02}-{:02}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday);
}

}  // namespace

std::string local_text(const Console& console, Instant at) {
    const auto then = console.local_time(at);
    const auto today = console.local_time(console.now());
    const auto date = date_text(then);
    const auto clock = fmt::format("{:02}:{:02}:{:02}", then.tm_hour, then.tm_min, then.tm_sec);
    if (console.width == 0) return date + " " + clock;
    if (then.tm_year != today.tm_year) return date;
    return then.tm_yday == today.tm_yday ? clock : date.substr(5) + " " + clock.substr(0, 5);
}

std::string with_local_times(const Console& console, std::string_view text) {
    std::string out;
    for (;;) {
        const auto begin = std::min(text.find_first_of("0123456789"), text.size());
        out += text.substr(0, begin);
        text.remove_prefix(begin);
        if (text.empty()) return out;
        const auto word = text.substr(0, text.find_first_not_of("0123456789-:.T"));
        const auto at = parse_utc(text.substr(0, word.size() + 1));
        out += at ? local_text(console, *at) : std::string{word};
        text.remove_prefix(word.size() + (at ? 1 : 0));
    }
}

std::string zoned_text(const Console& console, Instant at) {
    const auto then = console.local_time(at);
    const auto text = fmt::format("{} {:02}:{:02}:{:02}", date_text(then), then.tm_hour, then.tm_min, then.tm_sec);
    const auto minutes = std::abs(then.tm_gmtoff) / 60;
    if (minutes == 0) return text + " UTC";
    return fmt::format("{} {}{:02}:{:02}", text, then.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::string text_of(const codec::Value& value) {
    if (const auto* text = value.string()) return visible(*text);
    if (const auto* flag = value.boolean()) return *flag ? "yes" : "no";
    if (const auto* array = value.array()) {
        std::string out;
        for (const auto& one : *array) out += (out.empty() ? "" : ", ") + text_of(one);
        return out;
    }
    if (value.is_null()) return {};
    std::string out;
    codec::write_json(value, out);
    return visible(out);
}

std::string text_of(const codec::Value& value, std::string_view key) {
    const auto* found = value.find(key);
    return found != nullptr ? text_of(*found) : std::string{};
}

std::int64_t integer_of(const codec::Value& value, std::string_view key) {
    const auto* found = value.find(key);
    if (found == nullptr) return 0;
    if (const auto* number = found->integer()) return *number;
    std::int64_t number = 0;  // Beyond 2^53 an integer travels as a string.
    if (const auto* text = found->string()) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

bool flag_of(const codec::Value& value, std::string_view key) {
    const auto* found = value.find(key);
    const auto* flag = found != nullptr ? found->boolean() : nullptr;
    return flag != nullptr && *flag;
}

const codec::Value::Array& items_of(const codec::Value& value, std::string_view key) {
    static const codec::Value::Array none;
    const auto* found = value.find(key);
    const auto* array = found != nullptr ? found->array() : nullptr;
    return array != nullptr ? *array : none;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 4> units{"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
    std::size_t unit = 0;
    std::uint64_t scale = 1024;
    for (; unit + 1 < units.size() && bytes / scale >= 1024; scale *= 1024) ++unit;
    const auto tenths = bytes / scale * 10 + bytes % scale * 10 / scale;
    return fmt::format("{}.{} {}", tenths / 10, tenths % 10, units[unit]);
}

std::string time_of(const Console& console, const codec::Value& value, std::string_view key) {
    const auto at = parse_utc(text_of(value, key));
    return at ? local_text(console, *at) : "-";
}

std::string zoned_time_of(const Console& console, const codec::Value& value, std::string_view key) {
    const auto at = parse_utc(text_of(value, key));
    return at ? zoned_text(console, *at) : std::string{};
}

std::string day_of(const Console& console, const codec::Value& value, std::string_view key) {
    const auto at = parse_utc(text_of(value, key));
    if (!at) return "-";
    return console.width == 0 ? local_text(console, *at) : date_text(console.local_time(*at));
}

std::string last_day_of(const Console& console, const codec::Value& value, std::string_view key) {
    const auto end = parse_utc(text_of(value, key));
    if (!end || console.width == 0) return day_of(console, value, key);
    return date_text(console.local_time(*end - seconds(1)));
}

std::string model_of(const codec::Value& value) {
    const auto model = text_of(value, "model");
    return model.empty() ? model : model_label(model, flag_of(value, "emulated"));
}

std::string when_text(const Console& console, const codec::Value& value, std::string_view name) {
    const auto at = parse_utc(text_of(value, name));
    if (!at) return {};
    const auto now = console.now();
    const auto away = *at > now ? "in " + span(seconds(((*at - now).ns + 999'999'999) / 1'000'000'000))
                                : span(seconds((now - *at).ns / 1'000'000'000)) + " ago";
    return fmt::format("{} ({})", zoned_time_of(console, value, name), away);
}

}  // namespace weir::cli
