// domain/forms.hpp: how units are written in files and requests: "4GiB", "2h30m", "500m", "12.50 yuan".
//
// A bare number of memory or money is refused, because every tool that people come from means another unit by it.
#pragma once

#include "base/quantity.hpp"
#include "codec/kinds.hpp"
#include "codec/schema.hpp"
#include "codec/value.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// A limit on money, written with its unit: `1250 fen`, `12.50 yuan`.
struct Budget {
    Fen fen;
    bool operator==(const Budget&) const = default;
};

}  // namespace weir

namespace weir::codec {

class Place;

/// Memory: a whole number with MiB, GiB or TiB.
template <>
struct Custom<MiB> {
    static std::optional<MiB> parse(std::string_view text);
    static std::string text(const MiB& memory);
    static constexpr std::string_view expected = "memory with its unit, such as 512MiB or 4GiB";
    static constexpr std::string_view pattern = "^[0-9]+(MiB|GiB|TiB)$";
};

template <>
struct Custom<Budget> {
    static std::optional<Budget> parse(std::string_view text);
    static std::string text(const Budget& budget);
    static constexpr std::string_view expected = "an amount with its unit, such as 12.50 yuan or 1250 fen";
    static constexpr std::string_view pattern = "^[0-9]+ fen$|^[0-9]+([.][0-9]{1,2})? yuan$";
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
