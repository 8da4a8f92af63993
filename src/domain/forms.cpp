#include "domain/forms.hpp"

#include "codec/decode.hpp"
#include "codec/text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace weir::codec {
namespace {

std::optional<std::int64_t> whole(std::string_view digits) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || digits[0] == '-') return std::nullopt;
    return number;
}

/// A decimal with at most `places` digits after the point, as a count of its smallest unit.
std::optional<std::int64_t> decimal(std::string_view text, int places) {
    std::int64_t scale = 1;
    for (int i = 0; i < places; ++i) scale *= 10;
    const auto dot = text.find('.');
    const auto units = whole(text.substr(0, dot));
    if (!units) return std::nullopt;
    std::int64_t fraction = 0;
    if (dot != std::string_view::npos) {
        auto digits = std::string{text.substr(dot + 1)};
        if (digits.empty() || std::cmp_greater(digits.size(), places)) return std::nullopt;
        digits.resize(static_cast<std::size_t>(places), '0');
        const auto part = whole(digits);
        if (!part) return std::nullopt;
        fraction = *part;
    }
    const auto scaled = checked_mul(*units, scale);
    return scaled ? checked_add(*scaled, fraction) : std::nullopt;
}

}  // namespace

std::optional<MiB> Custom<MiB>::parse(std::string_view text) {
    if (text.size() < 4) return std::nullopt;
    const auto unit = text.substr(text.size() - 3);
    const auto number = whole(text.substr(0, text.size() - 3));
    if (!number) return std::nullopt;
    const std::int64_t factor = unit == "MiB" ? 1 : unit == "GiB" ? 1024 : unit == "TiB" ? 1024 * 1024 : 0;
    const auto mib = checked_mul(*number, factor);
    if (factor == 0 || !mib) return std::nullopt;
    return MiB{*mib};
}

std::string Custom<MiB>::text(const MiB& memory) {
    return memory.value != 0 && memory.value % 1024 == 0 ? fmt::format("{}GiB", memory.value / 1024) : fmt::format("{}MiB", memory.value);
}

std::optional<Budget> Custom<Budget>::parse(std::string_view text) {
    if (text.ends_with(" fen")) {
        const auto fen = whole(text.substr(0, text.size() - 4));
        return fen ? std::optional{Budget{Fen{*fen}}} : std::nullopt;
    }
    if (text.ends_with(" yuan")) {
        const auto fen = decimal(text.substr(0, text.size() - 5), 2);
        return fen ? std::optional{Budget{Fen{*fen}}} : std::nullopt;
    }
    return std::nullopt;
}

std::string Custom<Budget>::text(const Budget& budget) { return fmt::format("{} fen", budget.fen.value); }

bool Custom<Seconds>::from_value(const Value& value, const Place& place, Seconds& out) {
    if (const auto* number = value.integer()) {
        out = Seconds{*number};
        return *number >= 0 || place.refuse(value, Fault::out_of_range, fmt::format("is {} s and must not be negative", *number));
    }
    const auto* text = value.string();
    const auto length = text == nullptr ? std::nullopt : parse_span(*text);
    if (!length) return place.refuse_type(value, "a length of time, such as 90s, 10m or 2h30m");
    if (length->ns < 0 || length->ns % 1'000'000'000 != 0)
        return place.refuse(value, Fault::out_of_range, "must be a whole number of seconds and not negative");
    out = Seconds{length->ns / 1'000'000'000};
    return true;
}

void Custom<Seconds>::to_json(const Seconds& length, std::string& out) { append_integer(out, length.value); }

std::string Custom<Seconds>::schema(SchemaBook&) {
    return R"({"description":"a length of time: seconds, or such as 2h30m",)"
           R"("oneOf":[{"type":"integer","minimum":0},{"type":"string","pattern":"^([0-9]+(d|h|m|s))+$"}]})";
}

bool Custom<MilliCpus>::from_value(const Value& value, const Place& place, MilliCpus& out) {
    std::optional<std::int64_t> milli;
    if (const auto* number = value.integer()) {
        milli = *number >= 0 ? checked_mul(*number, 1000) : std::nullopt;
    } else if (const auto* real = value.real()) {
        const double scaled = *real * 1000.0;
        if (scaled >= 0 && scaled < 1e15 && std::abs(scaled - std::round(scaled)) < 1e-6) milli = std::llround(scaled);
    } else if (const auto* text = value.string()) {
        milli = text->ends_with('m') ? whole(std::string_view{*text}.substr(0, text->size() - 1)) : decimal(*text, 3);
    }
    if (!milli) return place.refuse_type(value, "a number of processor cores, such as 4, 0.5 or 500m");
    out = MilliCpus{*milli};
    return true;
}

void Custom<MilliCpus>::to_json(const MilliCpus& cpus, std::string& out) {
    if (cpus.value % 1000 == 0) return append_integer(out, cpus.value / 1000);
    out += fmt::format("\"{}m\"", cpus.value);
}

std::string Custom<MilliCpus>::schema(SchemaBook&) {
    return R"({"description":"processor cores: 4, 0.5 or 500m",)"
           R"("oneOf":[{"type":"number","minimum":0},{"type":"string","pattern":"^[0-9]+m$|^[0-9]+([.][0-9]{1,3})?$"}]})";
}

}  // namespace weir::codec
