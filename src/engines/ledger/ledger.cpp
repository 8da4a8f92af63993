#include "engines/ledger/ledger.hpp"

#include "base/quantity.hpp"
#include "engines/ledger/booking.hpp"
#include "engines/ledger/overlay.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace weir::ledger {

Result<AccountOpened, AccountOutcome> Ledger::decide_account(const AccountSpec& spec, Instant now) const {
    using enum AccountOutcome;
    if (spec.id.uid.is_nil()) return fail(id_must_not_be_nil);
    if (spec.ledger == 0) return fail(ledger_must_not_be_zero);
    if (!is_known(spec.code)) return fail(code_is_unknown);
    if (!is_known(spec.bound)) return fail(bound_is_unknown);
    if (const Account* before = account(spec.id)) {
        if (before->ledger != spec.ledger) return fail(exists_with_different_ledger);
        if (before->code != spec.code) return fail(exists_with_different_code);
        if (before->bound != spec.bound) return fail(exists_with_different_bound);
        return fail(exists);
    }
    const auto bound = required_bound(spec.code);
    if (bound && *bound != spec.bound) return fail(code_requires_another_bound);
    const LedgerTotals* ledger = totals(spec.ledger);
    if (ledger != nullptr && ledger->family != family_of(spec.code)) return fail(ledger_is_of_another_family);
    if (accounts_.size() >= options_.accounts_max) return fail(too_many_accounts);
    return AccountOpened{.id = spec.id, .at = std::max(now, at_), .ledger = spec.ledger, .code = spec.code, .bound = spec.bound};
}

Result<AccountFrozen, FreezeOutcome> Ledger::decide_freeze(AccountId id, bool frozen, Instant now) const {
    const Account* before = account(id);
    if (before == nullptr) return fail(FreezeOutcome::not_found);
    if (before->frozen == frozen) return fail(FreezeOutcome::already_so);
    return AccountFrozen{.id = id, .at = std::max(now, at_), .frozen = frozen};
}

Result<AccountClosed, CloseOutcome> Ledger::decide_close(AccountId id, Instant now) const {
    const Account* before = account(id);
    if (before == nullptr) return fail(CloseOutcome::not_found);
    if (before->debits_pending != 0 || before->credits_pending != 0) return fail(CloseOutcome::has_holds);
    if (before->debits_posted != before->credits_posted) return fail(CloseOutcome::balance_not_zero);
    return AccountClosed{.id = id, .at = std::max(now, at_), .turnover = before->debits_posted};
}

BatchResult Ledger::decide(std::span<const AccountOpened> opened, std::span<const Transfer> batch, Instant now) const {
    BatchResult result;
    Overlay overlay(*this);
    for (const AccountOpened& account : opened) overlay.open(account);
    // What the overlay is given was just judged on it, so there is no law it could break.
    (void)BatchRun<Overlay>(overlay, batch, std::max(now, at_), options_, result).run();
    return result;
}

std::vector<Posting> Ledger::expire_due(Instant now, std::size_t limit) const {
    now = std::max(now, at_);
    std::vector<Posting> facts;
    for (const Hold& hold : holds_.due(now, limit)) {
        const TransferId id = lapse_id(hold.id, now);
        const Transfer as_asked{.id = id, .pending_id = hold.id, .code = TransferCode::lapse, .flags = flag::void_pending};
        facts.push_back({.id = id,
                         .debit = hold.debit,
                         .credit = hold.credit,
                         .released = hold.amount,
                         .pending_id = hold.id,
                         .at = now,
                         .cause = hold.cause,
                         .request = fingerprint_of(as_asked),
                         .ledger = hold.ledger,
                         .policy_version = hold.policy_version,
                         .code = TransferCode::lapse,
                         .kind = PostingKind::expired});
    }
    return facts;
}

TransferId Ledger::lapse_id(TransferId hold, Instant now) const {
    // A client could have guessed and taken the id; then the next one.
    for (std::uint32_t attempt = 0;; ++attempt) {
        const TransferId id = transfer_id_of(now, "lapse " + hold.text() + " " + std::to_string(attempt));
        if (seen(id) == nullptr && this->hold(id) == nullptr) return id;
    }
}

std::optional<IdsForgotten> Ledger::decide_forget(Instant now) const {
    const Instant at = std::max(now, at_);
    const std::int64_t oldest_ms = id_range(at, options_).oldest_ms;
    const std::int64_t before_ms = oldest_ms - oldest_ms % IdMemory::slice_ms;
    if (before_ms <= ids_.floor_ms()) return std::nullopt;
    return IdsForgotten{.before_ms = before_ms, .at = at};
}

std::optional<Violation> Ledger::advance(Instant to) {
    if (to < at_) return Violation{.law = Law::time_moves_forward, .left = to.ns, .right = at_.ns};
    at_ = to;
    return std::nullopt;
}

Result<void, Violation> Ledger::apply(const Fact& fact) {
    if (const auto violation = std::visit([this](const auto& one) { return add(one); }, fact)) return fail(*violation);
    return {};
}

std::optional<Violation> Ledger::add(const Posting& posting) {
    const auto broken = [&](Law law, AccountId id, std::int64_t left, std::int64_t right) {
        return Violation{.law = law, .ledger = posting.ledger, .account = id, .transfer = posting.id, .left = left, .right = right};
    };
    if (posting.at < at_) return broken(Law::time_moves_forward, {}, posting.at.ns, at_.ns);
    if (ids_.find(posting.id) != nullptr) return broken(Law::applied_once, {}, 2, 1);
    Account* debit = accounts_.find(posting.debit);
    Account* credit = accounts_.find(posting.credit);
    if (debit == nullptr) return broken(Law::account_exists_once, posting.debit, 0, 1);
    if (credit == nullptr) return broken(Law::account_exists_once, posting.credit, 0, 1);
    if (debit->ledger != posting.ledger) return broken(Law::one_ledger, posting.debit, posting.ledger, debit->ledger);
    if (credit->ledger != posting.ledger) return broken(Law::one_ledger, posting.credit, posting.ledger, credit->ledger);
    if (ends_hold(posting.kind)) {
        const Hold* hold = holds_.find(posting.pending_id);
        if (hold == nullptr) return broken(Law::hold_exists_once, posting.debit, 0, 1);
        if (hold->debit != posting.debit || hold->credit != posting.credit) return broken(Law::hold_exists_once, posting.debit, 0, 1);
        const auto whole = checked_add(posting.amount, posting.released);
        if (whole != hold->amount) return broken(Law::hold_ends_whole, posting.debit, whole.value_or(whole_amount), hold->amount);
    } else if (posting.kind == PostingKind::held && holds_.find(posting.id) != nullptr) {
        return broken(Law::hold_exists_once, posting.debit, 2, 1);
    }
    if (auto violation = book(posting, *debit, *credit, *accounts_.totals(posting.ledger))) return violation;

    if (posting.kind == PostingKind::held) holds_.insert(hold_of(posting));
    if (ends_hold(posting.kind)) {
        holds_.erase(posting.pending_id);
        ids_.set_fate(posting.pending_id, fate_after(posting.kind));
    }
    ids_.insert(seen_of(posting));
    at_ = posting.at;
    return std::nullopt;
}

std::optional<Violation> Ledger::add(const AccountOpened& opened) {
    if (accounts_.find(opened.id) != nullptr) {
        return Violation{.law = Law::account_exists_once, .ledger = opened.ledger, .account = opened.id, .left = 1, .right = 0};
    }
    const LedgerTotals* ledger = accounts_.totals(opened.ledger);
    if (opened.ledger == 0 || (ledger != nullptr && ledger->family != family_of(opened.code))) {
        return Violation{.law = Law::one_ledger, .ledger = opened.ledger, .account = opened.id, .left = 0, .right = 1};
    }
    if (auto violation = advance(opened.at)) return violation;
    accounts_.insert({.id = opened.id, .ledger = opened.ledger, .code = opened.code, .bound = opened.bound});
    return std::nullopt;
}

std::optional<Violation> Ledger::add(const AccountFrozen& frozen) {
    Account* account = accounts_.find(frozen.id);
    if (account == nullptr) return Violation{.law = Law::account_exists_once, .account = frozen.id, .left = 0, .right = 1};
    if (auto violation = advance(frozen.at)) return violation;
    account->frozen = frozen.frozen;
    return std::nullopt;
}

std::optional<Violation> Ledger::add(const AccountClosed& closed) {
    const Account* account = accounts_.find(closed.id);
    if (account == nullptr) return Violation{.law = Law::account_exists_once, .account = closed.id, .left = 0, .right = 1};
    const auto uneven = [&](std::int64_t sum) {
        return Violation{
            .law = Law::closed_account_is_even, .ledger = account->ledger, .account = closed.id, .left = sum, .right = closed.turnover};
    };
    if (account->debits_posted != closed.turnover) return uneven(account->debits_posted);
    if (account->credits_posted != closed.turnover) return uneven(account->credits_posted);
    if (account->debits_pending != 0 || account->credits_pending != 0) return uneven(account->debits_pending + account->credits_pending);
    if (auto violation = advance(closed.at)) return violation;
    accounts_.erase(closed.id);
    return std::nullopt;
}

std::optional<Violation> Ledger::add(const IdsForgotten& forgotten) {
    if (auto violation = advance(forgotten.at)) return violation;
    ids_.forget(forgotten.before_ms);
    return std::nullopt;
}

void Ledger::undo(const Posting& posting, const Hold* ended) {
    unbook(posting, *accounts_.find(posting.debit), *accounts_.find(posting.credit), *accounts_.totals(posting.ledger));
    ids_.take_back(posting.id);
    if (posting.kind == PostingKind::held) holds_.erase(posting.id);
    if (ended == nullptr) return;
    holds_.insert(*ended);
    ids_.set_fate(ended->id, Fate::pending);
}

void Ledger::prefetch_cells(const Transfer& transfer) const {
    ids_.prefetch_cell(transfer.id);
    if (transfer.resolves()) return holds_.prefetch_cell(transfer.pending_id);
    accounts_.prefetch_cell(transfer.debit);
    accounts_.prefetch_cell(transfer.credit);
}

void Ledger::prefetch_rows(const Transfer& transfer) const {
    if (transfer.resolves()) return holds_.prefetch_row(transfer.pending_id);
    accounts_.prefetch_row(transfer.debit);
    accounts_.prefetch_row(transfer.credit);
}

Result<void, Violation> Ledger::execute(std::span<const Transfer> batch, Instant now, BatchResult& result) {
    if (const auto violation = BatchRun<Ledger>(*this, batch, std::max(now, at_), options_, result).run()) return fail(*violation);
    return {};
}

}  // namespace weir::ledger
