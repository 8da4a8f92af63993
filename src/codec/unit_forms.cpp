#include "codec/unit_forms.hpp"

#include "codec/decode.hpp"
#include "codec/text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace weir::codec {
namespace {

/// Of a length of time, in seconds, also of one in words: it is counted in nanoseconds of 64 bits.
constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;

}  // namespace

std::optional<MiB> Custom<MiB>::parse(std::string_view text) {
    if (text.size() < 4) return std::nullopt;
    const auto unit = text.substr(text.size() - 3);
    const auto number = parse_decimal(text.substr(0, text.size() - 3), 0);
    if (!number) return std::nullopt;
    const std::int64_t factor = unit == "MiB" ? 1 : unit == "GiB" ? 1024 : unit == "TiB" ? 1024 * 1024 : 0;
    const auto mib = checked_mul(*number, factor);
    if (factor == 0 || !mib) return std::nullopt;
    return MiB{*mib};
}

std::string Custom<MiB>::text(const MiB& memory) {
    return memory.value != 0 && memory.value % 1024 == 0 ? fmt::format("{}GiB", memory.value / 1024) : fmt::format("{}MiB", memory.value);
}

bool Custom<Seconds>::from_value(const Value& value, const Place& place, Seconds& out) {
    if (const auto* number = value.integer()) {
        out = Seconds{*number};
        return (*number >= 0 && *number <= longest) ||
               place.refuse(value, Fault::out_of_range, fmt::format("is {} s and must be from 0 to {}", *number, longest));
    }
    const auto* text = value.string();
    const auto length = text == nullptr ? std::nullopt : parse_span(*text);
    if (!length) return place.refuse_type(value, "a length of time, such as 90s, 10m or 2h30m");
    if (length->ns < 0 || length->ns % 1'000'000'000 != 0)
        return place.refuse(value, Fault::out_of_range,
                            fmt::format("is {} and must have whole seconds and not be negative, such as 90s, 10m or 2h30m", show(*text)));
    out = Seconds{length->ns / 1'000'000'000};
    return true;
}

void Custom<Seconds>::to_json(const Seconds& length, std::string& out) { append_integer(out, length.value); }

std::string Custom<Seconds>::schema(SchemaBook&) {
    return R"({"description":"a length of time such as 2h30m or 90s, or whole seconds as a number, as answers have it; in a file of YAML )"
           R"(it needs its unit",)"
           R"("oneOf":[{"type":"integer","minimum":0,"maximum":)" +
           std::to_string(longest) + R"(},{"type":"string","pattern":"^([0-9]+(d|h|m|s))+$"}]})";
}

bool Custom<MilliCpus>::from_value(const Value& value, const Place& place, MilliCpus& out) {
    std::optional<std::int64_t> milli;
    if (const auto* number = value.integer()) {
        milli = *number >= 0 ? checked_mul(*number, 1000) : std::nullopt;
    } else if (const auto* real = value.real()) {
        const double scaled = *real * 1000.0;
        if (scaled >= 0 && scaled < 1e15 && std::abs(scaled - std::round(scaled)) < 1e-6) milli = std::llround(scaled);
    } else if (const auto* text = value.string()) {
        milli = text->ends_with('m') ? parse_decimal(std::string_view{*text}.substr(0, text->size() - 1), 0) : parse_decimal(*text, 3);
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
