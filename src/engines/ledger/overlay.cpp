#include "engines/ledger/overlay.hpp"

#include "engines/ledger/booking.hpp"

namespace weir::ledger {

const Account* Overlay::account(AccountId id) const {
    const auto own = accounts_.find(id);
    return own != accounts_.end() ? &own->second : below_.account(id);
}

const Hold* Overlay::hold(TransferId id) const {
    const auto own = holds_.find(id);
    if (own == holds_.end()) return below_.hold(id);
    return own->second ? &*own->second : nullptr;
}

const SeenId* Overlay::seen(TransferId id) const {
    const auto own = seen_.find(id);
    if (own == seen_.end()) return below_.seen(id);
    return own->second ? &*own->second : nullptr;
}

const LedgerTotals* Overlay::totals(LedgerId ledger) const {
    const auto own = totals_.find(ledger);
    return own != totals_.end() ? &own->second : below_.totals(ledger);
}

void Overlay::open(const AccountOpened& opened) {
    accounts_[opened.id] = Account{.id = opened.id, .ledger = opened.ledger, .code = opened.code, .bound = opened.bound};
    auto& totals = totals_.try_emplace(opened.ledger, LedgerTotals{}).first->second;
    if (const auto* below = below_.totals(opened.ledger)) totals = *below;
    totals.ledger = opened.ledger;
    totals.family = family_of(opened.code);
}

std::optional<Violation> Overlay::add(const Posting& posting) {
    if (auto violation = book(posting, own_account(posting.debit), own_account(posting.credit), own_totals(posting.ledger))) {
        return violation;
    }
    if (posting.kind == PostingKind::held) {
        holds_[posting.id] = hold_of(posting);
        ++holds_made_;
    }
    if (ends_hold(posting.kind)) {
        holds_[posting.pending_id] = std::nullopt;
        ++holds_ended_;
        set_fate(posting.pending_id, fate_after(posting.kind));
    }
    seen_[posting.id] = seen_of(posting);
    ++ids_made_;
    at_ = posting.at;
    return std::nullopt;
}

void Overlay::undo(const Posting& posting, const Hold* ended) {
    unbook(posting, own_account(posting.debit), own_account(posting.credit), own_totals(posting.ledger));
    if (posting.kind == PostingKind::held) {
        holds_[posting.id] = std::nullopt;
        --holds_made_;
    }
    if (ended != nullptr) {
        holds_[ended->id] = *ended;
        --holds_ended_;
        set_fate(ended->id, Fate::pending);
    }
    seen_[posting.id] = std::nullopt;
    --ids_made_;
}

Account& Overlay::own_account(AccountId id) { return accounts_.try_emplace(id, *account(id)).first->second; }

LedgerTotals& Overlay::own_totals(LedgerId ledger) { return totals_.try_emplace(ledger, *totals(ledger)).first->second; }

void Overlay::set_fate(TransferId id, Fate fate) {
    const SeenId* before = seen(id);
    if (before == nullptr) return;
    SeenId after = *before;
    after.fate = fate;
    seen_[id] = after;
}

}  // namespace weir::ledger
