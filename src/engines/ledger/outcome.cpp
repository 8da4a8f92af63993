#include "engines/ledger/outcome.hpp"

namespace weir::ledger {

std::string_view name_of(TransferOutcome outcome) {
    switch (outcome) {
        case TransferOutcome::applied: return "applied";
        case TransferOutcome::linked_event_failed: return "linked_event_failed";
        case TransferOutcome::linked_chain_open: return "linked_chain_open";
        case TransferOutcome::batch_too_large: return "batch_too_large";
        case TransferOutcome::flag_is_unknown: return "flag_is_unknown";
        case TransferOutcome::id_must_not_be_nil: return "id_must_not_be_nil";
        case TransferOutcome::exists_with_different_flags: return "exists_with_different_flags";
        case TransferOutcome::exists_with_different_pending_id: return "exists_with_different_pending_id";
        case TransferOutcome::exists_with_different_timeout: return "exists_with_different_timeout";
        case TransferOutcome::exists_with_different_debit: return "exists_with_different_debit";
        case TransferOutcome::exists_with_different_credit: return "exists_with_different_credit";
        case TransferOutcome::exists_with_different_amount: return "exists_with_different_amount";
        case TransferOutcome::exists_with_different_ledger: return "exists_with_different_ledger";
        case TransferOutcome::exists_with_different_code: return "exists_with_different_code";
        case TransferOutcome::exists_with_different_cause: return "exists_with_different_cause";
        case TransferOutcome::exists_with_different_body: return "exists_with_different_body";
        case TransferOutcome::exists: return "exists";
        case TransferOutcome::id_too_old: return "id_too_old";
        case TransferOutcome::id_too_new: return "id_too_new";
        case TransferOutcome::flags_exclude_each_other: return "flags_exclude_each_other";
        case TransferOutcome::amount_must_not_be_negative: return "amount_must_not_be_negative";
        case TransferOutcome::amount_must_be_zero: return "amount_must_be_zero";
        case TransferOutcome::amount_must_be_positive: return "amount_must_be_positive";
        case TransferOutcome::pending_id_must_be_nil: return "pending_id_must_be_nil";
        case TransferOutcome::pending_id_must_not_be_nil: return "pending_id_must_not_be_nil";
        case TransferOutcome::timeout_must_not_be_negative: return "timeout_must_not_be_negative";
        case TransferOutcome::timeout_needs_pending: return "timeout_needs_pending";
        case TransferOutcome::timeout_beyond_time: return "timeout_beyond_time";
        case TransferOutcome::code_is_unknown: return "code_is_unknown";
        case TransferOutcome::actors_must_differ: return "actors_must_differ";
        case TransferOutcome::hold_not_found: return "hold_not_found";
        case TransferOutcome::hold_not_pending: return "hold_not_pending";
        case TransferOutcome::hold_already_posted: return "hold_already_posted";
        case TransferOutcome::hold_already_voided: return "hold_already_voided";
        case TransferOutcome::hold_expired: return "hold_expired";
        case TransferOutcome::hold_has_different_debit: return "hold_has_different_debit";
        case TransferOutcome::hold_has_different_credit: return "hold_has_different_credit";
        case TransferOutcome::hold_has_different_ledger: return "hold_has_different_ledger";
        case TransferOutcome::exceeds_hold: return "exceeds_hold";
        case TransferOutcome::ledger_must_not_be_zero: return "ledger_must_not_be_zero";
        case TransferOutcome::debit_must_not_be_nil: return "debit_must_not_be_nil";
        case TransferOutcome::credit_must_not_be_nil: return "credit_must_not_be_nil";
        case TransferOutcome::accounts_must_differ: return "accounts_must_differ";
        case TransferOutcome::debit_not_found: return "debit_not_found";
        case TransferOutcome::credit_not_found: return "credit_not_found";
        case TransferOutcome::accounts_on_different_ledgers: return "accounts_on_different_ledgers";
        case TransferOutcome::transfer_on_different_ledger: return "transfer_on_different_ledger";
        case TransferOutcome::movement_not_allowed: return "movement_not_allowed";
        case TransferOutcome::debit_is_frozen: return "debit_is_frozen";
        case TransferOutcome::nothing_to_balance: return "nothing_to_balance";
        case TransferOutcome::overflows_ledger: return "overflows_ledger";
        case TransferOutcome::exceeds_credits: return "exceeds_credits";
        case TransferOutcome::exceeds_debits: return "exceeds_debits";
        case TransferOutcome::too_many_holds: return "too_many_holds";
        case TransferOutcome::too_many_ids: return "too_many_ids";
    }
    return "unknown";
}

std::string_view name_of(AccountOutcome outcome) {
    switch (outcome) {
        case AccountOutcome::id_must_not_be_nil: return "id_must_not_be_nil";
        case AccountOutcome::ledger_must_not_be_zero: return "ledger_must_not_be_zero";
        case AccountOutcome::code_is_unknown: return "code_is_unknown";
        case AccountOutcome::bound_is_unknown: return "bound_is_unknown";
        case AccountOutcome::exists_with_different_ledger: return "exists_with_different_ledger";
        case AccountOutcome::exists_with_different_code: return "exists_with_different_code";
        case AccountOutcome::exists_with_different_bound: return "exists_with_different_bound";
        case AccountOutcome::exists: return "exists";
        case AccountOutcome::code_requires_another_bound: return "code_requires_another_bound";
        case AccountOutcome::ledger_is_of_another_family: return "ledger_is_of_another_family";
        case AccountOutcome::too_many_accounts: return "too_many_accounts";
    }
    return "unknown";
}

std::string_view name_of(FreezeOutcome outcome) {
    switch (outcome) {
        case FreezeOutcome::not_found: return "not_found";
        case FreezeOutcome::already_so: return "already_so";
    }
    return "unknown";
}

std::string_view name_of(CloseOutcome outcome) {
    switch (outcome) {
        case CloseOutcome::not_found: return "not_found";
        case CloseOutcome::has_holds: return "has_holds";
        case CloseOutcome::balance_not_zero: return "balance_not_zero";
    }
    return "unknown";
}

}  // namespace weir::ledger
