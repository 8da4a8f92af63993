#include "engines/ledger/account_table.hpp"

#include <algorithm>
#include <utility>

namespace weir::ledger {

void AccountTable::insert(const Account& account) {
    auto slot = static_cast<std::uint32_t>(accounts_.size());
    if (free_.empty()) {
        accounts_.push_back(account);
    } else {
        slot = free_.back();
        free_.pop_back();
        accounts_[slot] = account;
    }
    index_.insert(account.id.uid, slot);

    std::uint32_t where = totals_slot(account.ledger);
    if (where == SlotIndex::none) {
        where = static_cast<std::uint32_t>(totals_.size());
        totals_.push_back({.ledger = account.ledger});
        totals_index_.insert(key_of(account.ledger), where);
    }
    LedgerTotals& totals = totals_[where];
    totals.family = family_of(account.code);
    ++totals.accounts;
    totals.debits_pending += account.debits_pending;
    totals.debits_posted += account.debits_posted;
    totals.credits_pending += account.credits_pending;
    totals.credits_posted += account.credits_posted;
}

void AccountTable::erase(AccountId id) {
    const std::uint32_t slot = slot_of(id);
    Account& account = accounts_[slot];
    LedgerTotals& totals = totals_[totals_slot(account.ledger)];
    --totals.accounts;
    totals.debits_pending -= account.debits_pending;
    totals.debits_posted -= account.debits_posted;
    totals.credits_pending -= account.credits_pending;
    totals.credits_posted -= account.credits_posted;
    index_.erase(id.uid, slot);
    account = {};
    free_.push_back(slot);
}

const LedgerTotals* AccountTable::totals(LedgerId ledger) const {
    const std::uint32_t slot = totals_slot(ledger);
    return slot == SlotIndex::none || totals_[slot].accounts == 0 ? nullptr : &totals_[slot];
}

LedgerTotals* AccountTable::totals(LedgerId ledger) { return const_cast<LedgerTotals*>(std::as_const(*this).totals(ledger)); }

std::vector<LedgerTotals> AccountTable::sorted_totals() const {
    std::vector<LedgerTotals> all;
    for (const LedgerTotals& totals : totals_) {
        if (totals.accounts != 0) all.push_back(totals);
    }
    std::ranges::sort(all, {}, &LedgerTotals::ledger);
    return all;
}

std::vector<Account> AccountTable::sorted() const {
    std::vector<Account> all;
    all.reserve(size());
    for (const Account& account : accounts_) {
        if (account.ledger != 0) all.push_back(account);
    }
    std::ranges::sort(all, {}, &Account::id);
    return all;
}

}  // namespace weir::ledger
