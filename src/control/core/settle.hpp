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

/// What a job can still spend.
struct Purse {
    std::vector<Fen> free;  ///< Of each hold, once what the job owes so far is taken of it.
    Fen budget;             ///< The same of its budget; as much as there is where it has none.
};
/// As though the job ended now. `unsecured` as for settle().
[[nodiscard]] Purse purse_of(const Core& core, const LiveJob& job, std::optional<LossCause> unsecured);

/// Whether what the job can still spend pays nothing more of its present generation.
[[nodiscard]] bool is_spent(const Core& core, const LiveJob& job);

/// The price of so much use, rounded half up to the fen.
[[nodiscard]] Fen charge_of(MilliCardSeconds used, Fen fen_per_card_hour);

/// What the tenant would owe if the job ended well now.
[[nodiscard]] Fen accrued(const LiveJob& job);

/// What all funding sources hold back for the job together.
[[nodiscard]] Fen held(const LiveJob& job);

}  // namespace weir::control
