#include "engines/ledger/violation.hpp"

namespace weir::ledger {

std::string_view name_of(Law law) {
    switch (law) {
        case Law::posted_debits_equal_posted_credits: return "posted_debits_equal_posted_credits";
        case Law::pending_debits_equal_pending_credits: return "pending_debits_equal_pending_credits";
        case Law::debits_within_credits: return "debits_within_credits";
        case Law::credits_within_debits: return "credits_within_debits";
        case Law::sum_not_negative: return "sum_not_negative";
        case Law::totals_match_accounts: return "totals_match_accounts";
        case Law::holds_match_pending: return "holds_match_pending";
        case Law::budget_is_conserved: return "budget_is_conserved";
        case Law::applied_once: return "applied_once";
        case Law::account_exists_once: return "account_exists_once";
        case Law::hold_exists_once: return "hold_exists_once";
        case Law::hold_ends_whole: return "hold_ends_whole";
        case Law::one_ledger: return "one_ledger";
        case Law::time_moves_forward: return "time_moves_forward";
        case Law::closed_account_is_even: return "closed_account_is_even";
        case Law::totals_fit: return "totals_fit";
    }
    return "unknown";
}

}  // namespace weir::ledger
