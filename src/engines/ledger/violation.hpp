// engines/ledger/violation.hpp: a law of the ledger that does not hold, with both numbers.
//
// A violation is never an answer to a caller: it means a bug or a damaged journal. Whoever gets one stops using the ledger.
#pragma once

#include "engines/ledger/transfer.hpp"

#include <cstdint>
#include <string_view>

namespace weir::ledger {

/// `left` and `right` of a Violation are the two sides of the comparison in the comment.
enum class Law : std::uint8_t {
    posted_debits_equal_posted_credits = 1,    ///< Per ledger: debits posted = credits posted.
    pending_debits_equal_pending_credits = 2,  ///< Per ledger: debits pending = credits pending.
    debits_within_credits = 3,                 ///< debits pending + posted <= credits posted.
    credits_within_debits = 4,                 ///< credits pending + posted <= debits posted.
    sum_not_negative = 5,                      ///< The smallest of the four sums >= 0.
    totals_match_accounts = 6,                 ///< A total kept per transfer = the same sum over all accounts.
    holds_match_pending = 7,                   ///< Sum of an account's holds = its pending sum.
    budget_is_conserved = 8,                   ///< Appropriated = available + vouchers + redeemed + expired + revoked.
    applied_once = 9,                          ///< Times an id is remembered = at most 1.
    account_exists_once = 10,                  ///< Times an account is found = 1, or 0 before it is opened.
    hold_exists_once = 11,                     ///< Times a hold is found = 1, or 0 before it is made.
    hold_ends_whole = 12,                      ///< Captured + released = held.
    one_ledger = 13,                           ///< Ledger of the entry = ledger of its account.
    time_moves_forward = 14,                   ///< Time of the fact >= time of the one before.
    closed_account_is_even = 15,               ///< Debits posted = credits posted = the turnover stated.
    totals_fit = 16,                           ///< A total stays within int64: what was added <= what there was room for.
};

struct Violation {
    Law law{};
    LedgerId ledger = 0;
    AccountId account{};
    TransferId transfer{};
    std::int64_t left = 0;
    std::int64_t right = 0;
    friend bool operator==(const Violation&, const Violation&) = default;
};

/// The name of the enumerator, as in this file.
[[nodiscard]] std::string_view name_of(Law law);

}  // namespace weir::ledger
