// engines/ledger/judge.hpp: what should happen to one transfer, given the books as they are?
//
// Reads, never changes. `Books` is the ledger itself or an overlay of it (overlay.hpp); both answer account(), hold(),
// seen(), totals(), hold_count(), id_count() and ids_floor_ms(). The order of the checks is the precedence of
// TransferOutcome.
#pragma once

#include "engines/ledger/account_table.hpp"
#include "engines/ledger/fact.hpp"
#include "engines/ledger/hold_table.hpp"
#include "engines/ledger/id_memory.hpp"
#include "engines/ledger/options.hpp"
#include "engines/ledger/outcome.hpp"

#include <algorithm>

namespace weir::ledger {

/// `exists`, or the first field in which a request differs from the one applied before under its id.
[[nodiscard]] TransferOutcome compare_requests(const Fingerprint& before, const Fingerprint& now);

/// The answers that need nothing but the transfer: from flags_exclude_each_other to actors_must_differ, or applied.
[[nodiscard]] TransferOutcome check_form(const Transfer& transfer, Instant now);

/// Whether a hold can be captured or released as asked: from hold_expired to exceeds_hold, or applied.
[[nodiscard]] TransferOutcome check_resolution(const Transfer& transfer, const Hold& hold, Instant now);

/// Why there is no hold to resolve, from what is remembered of its id (nullptr: nothing).
[[nodiscard]] TransferOutcome explain_missing_hold(const SeenId* seen);

/// The two accounts of a movement or hold: from accounts_on_different_ledgers to debit_is_frozen, or applied.
[[nodiscard]] TransferOutcome check_accounts(const Transfer& transfer, const Account& debit, const Account& credit);

/// What the two accounts can bear: from overflows_ledger to exceeds_debits, or applied.
[[nodiscard]] TransferOutcome check_balances(std::int64_t amount, const Account& debit, const Account& credit, const LedgerTotals& totals);

/// The greatest amount that check_balances() would not have refused for this reason; may be negative.
[[nodiscard]] std::int64_t limit_of(TransferOutcome refusal, const Account& debit, const Account& credit, const LedgerTotals& totals);

/// Which ids are neither too old nor too new, milliseconds since 1970, both included.
struct IdRange {
    std::int64_t oldest_ms = 0;
    std::int64_t newest_ms = 0;
};
[[nodiscard]] IdRange id_range(Instant now, const Options& options);

template <class Books>
class Judge {
public:
    Judge(const Books& books, Instant now, const Options& options)
        : books_(books), options_(options), now_(now), ids_(id_range(now, options)) {
        ids_.oldest_ms = std::max(ids_.oldest_ms, books.ids_floor_ms());
    }

    /// If the answer is applied, `posting` is the entry to book; otherwise it is worth nothing.
    [[nodiscard]] TransferOutcome judge(const Transfer& transfer, Posting& posting) {
        limit_ = 0;
        if ((transfer.flags & ~flag::all) != 0) return TransferOutcome::flag_is_unknown;
        if (transfer.id.uid.is_nil()) return TransferOutcome::id_must_not_be_nil;

        const Fingerprint request = fingerprint_of(transfer);
        if (const SeenId* seen = books_.seen(transfer.id)) return compare_requests(seen->request, request);
        const std::int64_t made = made_ms(transfer.id);
        if (made < ids_.oldest_ms) {
            // A hold outlives the memory of its id, and still knows what was asked.
            const Hold* hold = books_.hold(transfer.id);
            return hold != nullptr ? compare_requests(hold->request, request) : TransferOutcome::id_too_old;
        }
        if (made > ids_.newest_ms) return TransferOutcome::id_too_new;
        if (const auto form = check_form(transfer, now_); form != TransferOutcome::applied) return form;

        posting.id = transfer.id;
        posting.at = now_;
        posting.cause = transfer.cause;
        posting.actor = transfer.actor;
        posting.second_actor = transfer.second_actor;
        posting.request = request;
        posting.policy_version = transfer.policy_version;
        posting.code = transfer.code;
        return transfer.resolves() ? judge_resolution(transfer, posting) : judge_movement(transfer, posting);
    }

    /// Of the last answer, if it compares amounts: the amount that would have been possible. 0 otherwise.
    [[nodiscard]] std::int64_t limit() const { return limit_; }

private:
    [[nodiscard]] TransferOutcome judge_resolution(const Transfer& transfer, Posting& posting) {
        const Hold* hold = books_.hold(transfer.pending_id);
        if (hold == nullptr) return explain_missing_hold(books_.seen(transfer.pending_id));
        if (const auto form = check_resolution(transfer, *hold, now_); form != TransferOutcome::applied) {
            if (form == TransferOutcome::exceeds_hold) limit_ = hold->amount;
            return form;
        }
        const bool captures = transfer.has(flag::post_pending);
        if (captures) {
            const Account* debit = books_.account(hold->debit);
            if (debit->frozen && !frozen_may_give(transfer.code)) return TransferOutcome::debit_is_frozen;
        }
        // Never refused for want of ids: what was promised can always end, and only as many can as there are holds.
        posting.kind = captures ? PostingKind::posted : PostingKind::voided;
        posting.debit = hold->debit;
        posting.credit = hold->credit;
        posting.ledger = hold->ledger;
        posting.pending_id = hold->id;
        posting.amount = captures ? std::min(transfer.amount, hold->amount) : 0;
        posting.released = hold->amount - posting.amount;
        return TransferOutcome::applied;
    }

    [[nodiscard]] TransferOutcome judge_movement(const Transfer& transfer, Posting& posting) {
        if (transfer.ledger == 0) return TransferOutcome::ledger_must_not_be_zero;
        if (transfer.debit.uid.is_nil()) return TransferOutcome::debit_must_not_be_nil;
        if (transfer.credit.uid.is_nil()) return TransferOutcome::credit_must_not_be_nil;
        if (transfer.debit == transfer.credit) return TransferOutcome::accounts_must_differ;
        const Account* debit = books_.account(transfer.debit);
        if (debit == nullptr) return TransferOutcome::debit_not_found;
        const Account* credit = books_.account(transfer.credit);
        if (credit == nullptr) return TransferOutcome::credit_not_found;
        if (const auto accounts = check_accounts(transfer, *debit, *credit); accounts != TransferOutcome::applied) return accounts;

        std::int64_t amount = transfer.amount;
        if (transfer.has(flag::balancing_debit)) {
            amount = std::min(amount, debit->free_credit());
            if (amount <= 0) return TransferOutcome::nothing_to_balance;
        }
        const LedgerTotals* totals = books_.totals(transfer.ledger);
        if (const auto balances = check_balances(amount, *debit, *credit, *totals); balances != TransferOutcome::applied) {
            limit_ = limit_of(balances, *debit, *credit, *totals);
            return balances;
        }

        const bool holds = transfer.has(flag::pending);
        if (holds && books_.hold_count() >= options_.holds_max) return TransferOutcome::too_many_holds;
        if (books_.id_count() >= options_.ids_max && !pays_out(transfer.code)) return TransferOutcome::too_many_ids;

        posting.kind = holds ? PostingKind::held : PostingKind::moved;
        posting.debit = transfer.debit;
        posting.credit = transfer.credit;
        posting.ledger = transfer.ledger;
        posting.amount = amount;
        if (transfer.timeout.ns != 0) posting.expires_at = now_ + transfer.timeout;
        return TransferOutcome::applied;
    }

    const Books& books_;
    const Options& options_;
    Instant now_;
    IdRange ids_;
    std::int64_t limit_ = 0;
};

}  // namespace weir::ledger
