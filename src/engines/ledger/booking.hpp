// engines/ledger/booking.hpp: one entry's effect on two accounts and their ledger's totals, with the laws checked.
#pragma once

#include "engines/ledger/account_table.hpp"
#include "engines/ledger/fact.hpp"
#include "engines/ledger/hold_table.hpp"
#include "engines/ledger/id_memory.hpp"
#include "engines/ledger/violation.hpp"

#include <optional>

namespace weir::ledger {

/// Adds the entry. Returns the first law that does not hold: a law of arithmetic before anything is added, a law of the
/// sums after.
[[nodiscard]] std::optional<Violation> book(const Posting& posting, Account& debit, Account& credit, LedgerTotals& totals);

/// Takes back what book() added, while nothing booked later on these accounts remains.
void unbook(const Posting& posting, Account& debit, Account& credit, LedgerTotals& totals);

[[nodiscard]] constexpr bool ends_hold(PostingKind kind) { return kind >= PostingKind::posted; }

/// What became of the hold that an entry of this kind ends.
[[nodiscard]] constexpr Fate fate_after(PostingKind kind) {
    if (kind == PostingKind::posted) return Fate::posted;
    return kind == PostingKind::voided ? Fate::voided : Fate::expired;
}

/// The hold that an entry of kind held makes.
[[nodiscard]] constexpr Hold hold_of(const Posting& posting) {
    return {.id = posting.id,
            .debit = posting.debit,
            .credit = posting.credit,
            .amount = posting.amount,
            .at = posting.at,
            .expires_at = posting.expires_at,
            .cause = posting.cause,
            .request = posting.request,
            .ledger = posting.ledger,
            .policy_version = posting.policy_version,
            .code = posting.code};
}

/// The memory of an entry's id.
[[nodiscard]] constexpr SeenId seen_of(const Posting& posting) {
    return {.id = posting.id, .request = posting.request, .fate = posting.kind == PostingKind::held ? Fate::pending : Fate::settled};
}

}  // namespace weir::ledger
