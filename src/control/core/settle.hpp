// control/core/settle.hpp: the end of a job in money: its bill, what each source pays of it, and what goes back.
//
// Rounding happens once per line, half up to the fen. The parts of sources and suppliers sum to the lines exactly.
#pragma once

#include "control/core/core.hpp"

#include <vector>

namespace weir::control {

struct Settlement {
    std::vector<BillLine> bill;
    std::vector<BillPart> paid;
    std::vector<ledger::Transfer> transfers;  ///< Captures, releases and payments to the sites' owners, one linked chain.
};

/// The bill of a job that ends now. `unsecured`: what its present generation used since the last checkpoint counts as
/// lost to this cause; nothing: it was work well done.
[[nodiscard]] Settlement settle(const Core& core, const LiveJob& job, std::optional<LossCause> unsecured, Instant now);

/// The price of so much use, rounded half up to the fen.
[[nodiscard]] Fen charge_of(MilliCardSeconds used, Fen fen_per_card_hour);

/// What the tenant would owe if the job ended well now.
[[nodiscard]] Fen accrued(const LiveJob& job);

/// What all funding sources hold back for the job together.
[[nodiscard]] Fen held(const LiveJob& job);

/// What its payers promised in all. What is held may be more: each source holds what it would pay where it pays most.
[[nodiscard]] Fen promised(const LiveJob& job);

}  // namespace weir::control
