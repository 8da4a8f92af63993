// codec/unit_forms.hpp: how quantities with a unit are written in files and requests: "4GiB", "2h30m", "500m".
//
// A bare number of memory is refused, because every tool that people come from means another unit by it. The forms
// stand here, below every reader and writer, since the quantities' own header may not know of forms: whoever writes one of
// these types writes it so.
#pragma once

#include "base/quantity.hpp"
#include "codec/custom.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace weir::codec {

/// Memory: a whole number with MiB, GiB or TiB.
template <>
struct Custom<MiB> {
    static std::optional<MiB> parse(std::string_view text);
    static std::string text(const MiB& memory);
    static constexpr std::string_view expected = "memory with its unit, such as 512MiB or 4GiB";
    static constexpr std::string_view pattern = "^[0-9]+(MiB|GiB|TiB)$";
};

/// A length of time: a whole number of seconds, or a text such as `90s`, `10m`, `2h30m`, `1d`. Whole seconds only.
template <>
struct Custom<Seconds> {
    static bool from_value(const Value& value, const Place& place, Seconds& out);
    static void to_json(const Seconds& length, std::string& out);
    static std::string schema(SchemaBook& book);
};

/// Processor cores: a whole number, a decimal with at most three places, or thousandths as `500m`.
template <>
struct Custom<MilliCpus> {
    static bool from_value(const Value& value, const Place& place, MilliCpus& out);
    static void to_json(const MilliCpus& cpus, std::string& out);
    static std::string schema(SchemaBook& book);
};

}  // namespace weir::codec
