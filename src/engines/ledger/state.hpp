// engines/ledger/state.hpp: the whole state as plain values, for snapshots and digests.
//
// Everything is in the order of ids, so equal states are equal bytes however they came about. Totals and indexes are not
// here: they follow from the rest.
#pragma once

#include "base/sha256.hpp"
#include "engines/ledger/account.hpp"
#include "engines/ledger/hold_table.hpp"
#include "engines/ledger/id_memory.hpp"

#include <vector>

namespace weir::ledger {

struct LedgerState {
    Instant at{};                    ///< Time of the last fact.
    std::int64_t ids_floor_ms = 0; ///< Ids made before are forgotten.
    std::vector<Account> accounts{};
    std::vector<Hold> holds{};
    std::vector<SeenId> seen{};
    friend bool operator==(const LedgerState&, const LedgerState&) = default;
};

/// The SHA-256 that stands for a state, on every machine.
[[nodiscard]] Digest digest_of(const LedgerState& state);

/// The sums of the accounts of one code on one ledger.
struct TrialRow {
    AccountCode code{};
    std::int64_t accounts = 0;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    friend bool operator==(const TrialRow&, const TrialRow&) = default;
};

/// The rows add up to as much on the left as on the right, held and posted.
struct TrialBalance {
    LedgerId ledger = 0;
    std::vector<TrialRow> rows{};  ///< In the order of their codes; only codes that have accounts.
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    friend bool operator==(const TrialBalance&, const TrialBalance&) = default;
};

}  // namespace weir::ledger
