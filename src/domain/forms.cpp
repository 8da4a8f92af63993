#include "domain/forms.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>

namespace weir::codec {

std::optional<Budget> Custom<Budget>::parse(std::string_view text) {
    if (text.ends_with(" fen")) {
        const auto fen = parse_decimal(text.substr(0, text.size() - 4), 0);
        return fen ? std::optional{Budget{Fen{*fen}}} : std::nullopt;
    }
    if (text.ends_with(" yuan")) {
        const auto fen = parse_decimal(text.substr(0, text.size() - 5), 2);
        return fen ? std::optional{Budget{Fen{*fen}}} : std::nullopt;
    }
    return std::nullopt;
}

std::string Custom<Budget>::text(const Budget& budget) { return fmt::format("{} fen", budget.fen.value); }

}  // namespace weir::codec
