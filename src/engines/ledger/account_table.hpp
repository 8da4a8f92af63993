// engines/ledger/account_table.hpp: the accounts in memory, and per ledger the totals that are kept with every entry.
#pragma once

#include "engines/ledger/account.hpp"
#include "engines/ledger/slot_index.hpp"

#include <cstdint>
#include <vector>

namespace weir::ledger {

/// The four sums over all accounts of a ledger, kept entry by entry. They fit in int64, so each account's sums do.
struct LedgerTotals {
    LedgerId ledger = 0;
    Family family{};
    std::int64_t accounts = 0;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    friend bool operator==(const LedgerTotals&, const LedgerTotals&) = default;
};

class AccountTable {
public:
    explicit AccountTable(std::uint64_t seed = 0) : index_(seed) {}

    [[nodiscard]] const Account* find(AccountId id) const {
        const std::uint32_t slot = slot_of(id);
        return slot == SlotIndex::none ? nullptr : &accounts_[slot];
    }
    [[nodiscard]] Account* find(AccountId id) {
        const std::uint32_t slot = slot_of(id);
        return slot == SlotIndex::none ? nullptr : &accounts_[slot];
    }
    [[nodiscard]] std::size_t size() const { return index_.size(); }
    /// Two steps that hide the latency of memory: the index's cell first, some time later the account it leads to.
    void prefetch_cell(AccountId id) const { index_.prefetch(id.uid); }
    void prefetch_row(AccountId id) const {
        if (const std::uint32_t slot = index_.guess(id.uid); slot != SlotIndex::none) __builtin_prefetch(accounts_.data() + slot);
    }

    /// Adds an account that is not there; its sums, which may be other than zero, join the totals. The caller has made
    /// sure that they fit.
    void insert(const Account& account);
    /// Removes an account that is there, and its sums from the totals.
    void erase(AccountId id);

    /// The totals of a ledger, or nothing while it has no account.
    [[nodiscard]] const LedgerTotals* totals(LedgerId ledger) const;
    [[nodiscard]] LedgerTotals* totals(LedgerId ledger);
    /// All ledgers that have accounts, in the order of their ids.
    [[nodiscard]] std::vector<LedgerTotals> sorted_totals() const;

    /// All accounts in the order of their ids.
    [[nodiscard]] std::vector<Account> sorted() const;

private:
    [[nodiscard]] std::uint32_t slot_of(AccountId id) const {
        const Account* accounts = accounts_.data();
        return index_.find(id.uid, [accounts](std::uint32_t slot) { return accounts[slot].id.uid; });
    }
    [[nodiscard]] std::uint32_t totals_slot(LedgerId ledger) const {
        const LedgerTotals* totals = totals_.data();
        return totals_index_.find(key_of(ledger), [totals](std::uint32_t slot) { return key_of(totals[slot].ledger); });
    }
    static constexpr Uid key_of(LedgerId ledger) { return {.high = 0, .low = ledger}; }

    std::vector<Account> accounts_;  ///< A free slot has ledger 0.
    std::vector<std::uint32_t> free_;
    SlotIndex index_;
    std::vector<LedgerTotals> totals_;
    SlotIndex totals_index_;
};

}  // namespace weir::ledger
