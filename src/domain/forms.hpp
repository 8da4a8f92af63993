// domain/forms.hpp: how a limit on money is written in files and requests: "12.50 yuan".
//
// A bare number is refused: it could be yuan or fen. Memory, time and processor cores: codec/unit_forms.hpp.
#pragma once

#include "base/quantity.hpp"
#include "codec/custom.hpp"

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

template <>
struct Custom<Budget> {
    static std::optional<Budget> parse(std::string_view text);
    static std::string text(const Budget& budget);
    static constexpr std::string_view expected = "an amount with its unit, such as 12.50 yuan or 1250 fen";
    static constexpr std::string_view pattern = "^[0-9]+ fen$|^[0-9]+([.][0-9]{1,2})? yuan$";
};

}  // namespace weir::codec
