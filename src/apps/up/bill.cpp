#include "apps/up/bill.hpp"

#include "apps/up/network_client.hpp"
#include "codec/text.hpp"

#include <fmt/format.h>

namespace weir::up {
namespace {

std::string yuan(std::int64_t fen) { return codec::format_decimal(fen, 2); }

}  // namespace

void print_bill(const codec::Value& bill) {
    fmt::print("\n          {:<4} {:<14} {:<24} {:>13} {:>12} {:<9} {:>7}  {}\n", "gen", "site", "accelerator", "card-seconds",
               "yuan/card-h", "payer", "yuan", "");
    if (const auto* lines = at(bill, "lines"); lines != nullptr && lines->array() != nullptr) {
        for (const auto& line : *lines->array()) {
            const auto used = number_at(line, "used");
            const auto* emulated = at(line, "emulated");
            const bool is_emulated = emulated != nullptr && emulated->boolean() != nullptr && *emulated->boolean();
            const auto lost = text_at(line, "lost");
            fmt::print("          {:<4} {:<14} {:<24} {:>13} {:>12} {:<9} {:>7}  {}\n", number_at(line, "generation"),
                       text_at(line, "site"), text_at(line, "model") + (is_emulated ? " (emulated)" : ""), codec::format_decimal(used, 3),
                       yuan(number_at(line, "fen_per_card_hour")), text_at(line, "payer"), yuan(number_at(line, "amount")),
                       lost.empty() ? "" : "lost: " + lost);
        }
    }
    if (const auto* parts = at(bill, "paid"); parts != nullptr && parts->array() != nullptr) {
        for (const auto& part : *parts->array()) {
            const auto source = text_at(part, "source");
            fmt::print("          {:<44} held {:>8} yuan, paid {:>8} yuan, the rest went back\n",
                       source == "prepaid" ? "cash (prepaid balance)" : "voucher " + source, yuan(number_at(part, "held")),
                       yuan(number_at(part, "captured")));
        }
    }
    std::fflush(stdout);
}

}  // namespace weir::up
