#include "engines/ledger/booking.hpp"

#include "base/quantity.hpp"

#include <algorithm>

namespace weir::ledger {
namespace {

struct Change {
    std::int64_t pending = 0;
    std::int64_t posted = 0;
};

Change change_of(const Posting& posting) {
    switch (posting.kind) {
        case PostingKind::moved: return {.pending = 0, .posted = posting.amount};
        case PostingKind::held: return {.pending = posting.amount, .posted = 0};
        case PostingKind::posted: return {.pending = -(posting.amount + posting.released), .posted = posting.amount};
        case PostingKind::voided:
        case PostingKind::expired: return {.pending = -posting.released, .posted = 0};
    }
    return {};
}

void add(Change change, Account& debit, Account& credit, LedgerTotals& totals) {
    debit.debits_pending += change.pending;
    debit.debits_posted += change.posted;
    credit.credits_pending += change.pending;
    credit.credits_posted += change.posted;
    totals.debits_pending += change.pending;
    totals.debits_posted += change.posted;
    totals.credits_pending += change.pending;
    totals.credits_posted += change.posted;
}

Violation broken(Law law, const Posting& posting, const Account& account, std::int64_t left, std::int64_t right) {
    return {.law = law, .ledger = posting.ledger, .account = account.id, .transfer = posting.id, .left = left, .right = right};
}

/// With every total in int64, no account's sum can leave it either.
std::optional<Violation> check_arithmetic(const Posting& posting, const Account& debit, const LedgerTotals& totals) {
    const std::int64_t least = std::min(posting.amount, posting.released);
    if (least < 0) return broken(Law::sum_not_negative, posting, debit, least, 0);
    if (!checked_add(posting.amount, posting.released)) {
        return broken(Law::totals_fit, posting, debit, posting.amount, whole_amount - posting.released);
    }
    const std::int64_t room = whole_amount - totals.debits_posted - totals.debits_pending;
    if (!ends_hold(posting.kind) && posting.amount > room) return broken(Law::totals_fit, posting, debit, posting.amount, room);
    return std::nullopt;
}

std::optional<Violation> check_bound(const Posting& posting, const Account& account) {
    if (account.within_bound()) return std::nullopt;
    if (account.bound == Bound::debits_may_not_exceed_credits) {
        return broken(Law::debits_within_credits, posting, account, account.debits_pending + account.debits_posted, account.credits_posted);
    }
    return broken(Law::credits_within_debits, posting, account, account.credits_pending + account.credits_posted, account.debits_posted);
}

std::optional<Violation> check_sums(const Posting& posting, const Account& debit, const Account& credit, const LedgerTotals& totals) {
    if (debit.debits_pending < 0) return broken(Law::sum_not_negative, posting, debit, debit.debits_pending, 0);
    if (credit.credits_pending < 0) return broken(Law::sum_not_negative, posting, credit, credit.credits_pending, 0);
    if (auto violation = check_bound(posting, debit)) return violation;
    if (auto violation = check_bound(posting, credit)) return violation;
    if (totals.debits_posted != totals.credits_posted) {
        return broken(Law::posted_debits_equal_posted_credits, posting, debit, totals.debits_posted, totals.credits_posted);
    }
    if (totals.debits_pending != totals.credits_pending) {
        return broken(Law::pending_debits_equal_pending_credits, posting, debit, totals.debits_pending, totals.credits_pending);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Violation> book(const Posting& posting, Account& debit, Account& credit, LedgerTotals& totals) {
    if (auto violation = check_arithmetic(posting, debit, totals)) return violation;
    add(change_of(posting), debit, credit, totals);
    return check_sums(posting, debit, credit, totals);
}

void unbook(const Posting& posting, Account& debit, Account& credit, LedgerTotals& totals) {
    const Change change = change_of(posting);
    add({.pending = -change.pending, .posted = -change.posted}, debit, credit, totals);
}

}  // namespace weir::ledger
