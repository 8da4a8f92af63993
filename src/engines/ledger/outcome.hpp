// engines/ledger/outcome.hpp: every answer the ledger can give, one enum per operation.
//
// Each enum is in descending precedence: when several answers apply, the one listed first is given. Numbers are stored
// with what they answered, so they are append only; a new answer takes the next free number and is documented at its
// place. Words for people are made at the edge, from the answer and the numbers of the request.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::ledger {

enum class TransferOutcome : std::uint8_t {
    applied = 1,  ///< Only if nothing below applies.

    linked_event_failed = 2,  ///< Another transfer of its chain was refused, so this one was not applied either.
    linked_chain_open = 3,    ///< The last transfer of the batch is linked, to nothing.
    batch_too_large = 4,      ///< More than batch_max transfers; none was looked at.

    flag_is_unknown = 5,
    id_must_not_be_nil = 6,

    exists_with_different_flags = 7,
    exists_with_different_pending_id = 8,
    exists_with_different_timeout = 9,
    exists_with_different_debit = 10,
    exists_with_different_credit = 11,
    exists_with_different_amount = 12,
    exists_with_different_ledger = 13,
    exists_with_different_code = 14,
    exists_with_different_cause = 15,
    /// Differs in an actor or the policy version; or in one field above whose 8- or 16-bit tag happens to be equal.
    exists_with_different_body = 16,
    exists = 17,  ///< The same request was applied before; nothing was done now.

    id_too_old = 18,  ///< Made before the idempotency window: it can no longer be told whether it was applied.
    id_too_new = 19,  ///< Made further in the future than clocks may differ.

    flags_exclude_each_other = 20,  ///< At most one of pending, post_pending, void_pending; balancing_debit only without the last two.
    amount_must_not_be_negative = 21,
    amount_must_be_zero = 22,      ///< A release returns all that is held.
    amount_must_be_positive = 23,  ///< To capture nothing, release.
    pending_id_must_be_nil = 24,
    pending_id_must_not_be_nil = 25,
    timeout_must_not_be_negative = 26,
    timeout_needs_pending = 27,
    timeout_beyond_time = 28,  ///< now + timeout is not an instant any more.
    code_is_unknown = 29,
    actors_must_differ = 30,  ///< Whoever approves is not who asks.

    hold_not_found = 31,    ///< Never seen, or resolved before the idempotency window.
    hold_not_pending = 32,  ///< pending_id names a transfer that is not a hold.
    hold_already_posted = 33,
    hold_already_voided = 34,
    hold_expired = 35,
    hold_has_different_debit = 36,
    hold_has_different_credit = 37,
    hold_has_different_ledger = 38,
    exceeds_hold = 39,

    ledger_must_not_be_zero = 40,
    debit_must_not_be_nil = 41,
    credit_must_not_be_nil = 42,
    accounts_must_differ = 43,
    debit_not_found = 44,
    credit_not_found = 45,
    accounts_on_different_ledgers = 46,
    transfer_on_different_ledger = 47,
    movement_not_allowed = 48,  ///< Voucher value would leave towards something that is not a voucher's end.
    debit_is_frozen = 49,
    nothing_to_balance = 50,  ///< A balancing transfer whose debit account has nothing free.
    overflows_ledger = 51,    ///< The sum of the ledger's debits would leave int64.
    exceeds_credits = 52,     ///< The debit account's free credit is smaller than the amount.
    exceeds_debits = 53,      ///< The credit account's free debit is smaller than the amount.
    too_many_holds = 54,
    too_many_ids = 55,
};

enum class AccountOutcome : std::uint8_t {
    id_must_not_be_nil = 1,
    ledger_must_not_be_zero = 2,
    code_is_unknown = 3,
    bound_is_unknown = 4,
    exists_with_different_ledger = 5,
    exists_with_different_code = 6,
    exists_with_different_bound = 7,
    exists = 8,
    code_requires_another_bound = 9,
    ledger_is_of_another_family = 10,
    too_many_accounts = 11,
};

enum class FreezeOutcome : std::uint8_t {
    not_found = 1,
    already_so = 2,
};

enum class CloseOutcome : std::uint8_t {
    not_found = 1,
    has_holds = 2,
    balance_not_zero = 3,
};

/// The name of the enumerator, as in this file.
[[nodiscard]] std::string_view name_of(TransferOutcome outcome);
[[nodiscard]] std::string_view name_of(AccountOutcome outcome);
[[nodiscard]] std::string_view name_of(FreezeOutcome outcome);
[[nodiscard]] std::string_view name_of(CloseOutcome outcome);

}  // namespace weir::ledger
