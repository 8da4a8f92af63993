#include "engines/ledger/judge.hpp"

#include "base/quantity.hpp"

#include <bit>

namespace weir::ledger {
namespace {

using enum TransferOutcome;

constexpr std::int64_t ns_per_ms = 1'000'000;

struct Field {
    int high;      ///< Bits of the tag in tags_high, as a shift and a width; or
    int low;       ///< in tags_low. -1 = not there.
    int width;
    TransferOutcome differs;
};

}  // namespace

TransferOutcome compare_requests(const Fingerprint& before, const Fingerprint& now) {
    if (before == now) return exists;
    static constexpr Field fields[] = {
        {.high = 56, .low = -1, .width = 8, .differs = exists_with_different_flags},
        {.high = 32, .low = -1, .width = 16, .differs = exists_with_different_pending_id},
        {.high = 16, .low = -1, .width = 16, .differs = exists_with_different_timeout},
        {.high = 0, .low = -1, .width = 16, .differs = exists_with_different_debit},
        {.high = -1, .low = 48, .width = 16, .differs = exists_with_different_credit},
        {.high = -1, .low = 32, .width = 16, .differs = exists_with_different_amount},
        {.high = 48, .low = -1, .width = 8, .differs = exists_with_different_ledger},
        {.high = -1, .low = 16, .width = 16, .differs = exists_with_different_code},
        {.high = -1, .low = 0, .width = 16, .differs = exists_with_different_cause},
    };
    const std::uint64_t high = before.tags_high ^ now.tags_high;
    const std::uint64_t low = before.tags_low ^ now.tags_low;
    for (const Field& field : fields) {
        const std::uint64_t mask = (std::uint64_t{1} << field.width) - 1;
        const std::uint64_t difference = field.high >= 0 ? high >> field.high : low >> field.low;
        if ((difference & mask) != 0) return field.differs;
    }
    return exists_with_different_body;
}

TransferOutcome check_form(const Transfer& t, Instant now) {
    const int kinds = std::popcount(static_cast<unsigned>(t.flags & (flag::pending | flag::post_pending | flag::void_pending)));
    if (kinds > 1 || (t.resolves() && t.has(flag::balancing_debit))) return flags_exclude_each_other;
    if (t.amount < 0) return amount_must_not_be_negative;
    if (t.has(flag::void_pending) && t.amount != 0) return amount_must_be_zero;
    if (!t.has(flag::void_pending) && t.amount == 0) return amount_must_be_positive;
    if (!t.resolves() && !t.pending_id.uid.is_nil()) return pending_id_must_be_nil;
    if (t.resolves() && t.pending_id.uid.is_nil()) return pending_id_must_not_be_nil;
    if (t.timeout.ns < 0) return timeout_must_not_be_negative;
    if (t.timeout.ns != 0 && !t.has(flag::pending)) return timeout_needs_pending;
    const auto ends_ns = checked_add(now.ns, t.timeout.ns);
    if (!ends_ns || *ends_ns == never.ns) return timeout_beyond_time;
    if (!is_known(t.code)) return code_is_unknown;
    if (!t.second_actor.is_nil() && t.second_actor == t.actor) return actors_must_differ;
    return applied;
}

TransferOutcome check_resolution(const Transfer& t, const Hold& hold, Instant now) {
    if (hold.expires_at <= now) return hold_expired;
    if (!t.debit.uid.is_nil() && t.debit != hold.debit) return hold_has_different_debit;
    if (!t.credit.uid.is_nil() && t.credit != hold.credit) return hold_has_different_credit;
    if (t.ledger != 0 && t.ledger != hold.ledger) return hold_has_different_ledger;
    if (t.amount > hold.amount && t.amount != whole_amount) return exceeds_hold;
    return applied;
}

TransferOutcome explain_missing_hold(const SeenId* seen) {
    if (seen == nullptr) return hold_not_found;
    switch (seen->fate) {
        case Fate::posted: return hold_already_posted;
        case Fate::voided: return hold_already_voided;
        case Fate::expired: return hold_expired;
        case Fate::settled:
        case Fate::pending: return hold_not_pending;
    }
    return hold_not_found;
}

TransferOutcome check_accounts(const Transfer& t, const Account& debit, const Account& credit) {
    if (debit.ledger != credit.ledger) return accounts_on_different_ledgers;
    if (t.ledger != debit.ledger) return transfer_on_different_ledger;
    if (!may_move(debit.code, credit.code)) return movement_not_allowed;
    if (debit.frozen && !frozen_may_give(t.code)) return debit_is_frozen;
    return applied;
}

TransferOutcome check_balances(std::int64_t amount, const Account& debit, const Account& credit, const LedgerTotals& totals) {
    const auto beyond = [&](TransferOutcome refusal) { return amount > limit_of(refusal, debit, credit, totals); };
    if (beyond(overflows_ledger)) return overflows_ledger;
    if (debit.bound == Bound::debits_may_not_exceed_credits && beyond(exceeds_credits)) return exceeds_credits;
    if (credit.bound == Bound::credits_may_not_exceed_debits && beyond(exceeds_debits)) return exceeds_debits;
    return applied;
}

std::int64_t limit_of(TransferOutcome refusal, const Account& debit, const Account& credit, const LedgerTotals& totals) {
    if (refusal == exceeds_credits) return debit.free_credit();
    if (refusal == exceeds_debits) return credit.free_debit();
    return whole_amount - totals.debits_posted - totals.debits_pending;
}

IdRange id_range(Instant now, const Options& options) {
    const std::int64_t now_ms = now.ns / ns_per_ms;
    return {.oldest_ms = now_ms - options.idempotency_window.ns / ns_per_ms, .newest_ms = now_ms + options.clock_ahead_max.ns / ns_per_ms};
}

}  // namespace weir::ledger
