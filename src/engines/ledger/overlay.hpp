// engines/ledger/overlay.hpp: what the books would be, without touching them.
//
// A batch decided on an overlay sees its own effects; the ledger below stays as it is. Its cost is that of the accounts,
// holds and ids touched.
#pragma once

#include "engines/ledger/ledger.hpp"

#include <map>
#include <optional>

namespace weir::ledger {

class Overlay {
public:
    explicit Overlay(const Ledger& below) : below_(below), at_(below.at()) {}

    [[nodiscard]] const Account* account(AccountId id) const;
    [[nodiscard]] const Hold* hold(TransferId id) const;
    [[nodiscard]] const SeenId* seen(TransferId id) const;
    [[nodiscard]] const LedgerTotals* totals(LedgerId ledger) const;
    [[nodiscard]] std::size_t hold_count() const { return below_.hold_count() + holds_made_ - holds_ended_; }
    [[nodiscard]] std::size_t id_count() const { return below_.id_count() + ids_made_; }
    [[nodiscard]] std::int64_t ids_floor_ms() const { return below_.ids_floor_ms(); }
    [[nodiscard]] Instant at() const { return at_; }
    void prefetch_cells(const Transfer&) const {}
    void prefetch_rows(const Transfer&) const {}

    /// An account that is decided and not yet applied.
    void open(const AccountOpened& opened);
    [[nodiscard]] std::optional<Violation> add(const Posting& posting);
    void undo(const Posting& posting, const Hold* ended);
    void rewind(Instant at) { at_ = at; }

private:
    [[nodiscard]] Account& own_account(AccountId id);
    [[nodiscard]] LedgerTotals& own_totals(LedgerId ledger);
    void set_fate(TransferId id, Fate fate);

    const Ledger& below_;
    Instant at_;
    std::map<AccountId, Account> accounts_;
    std::map<LedgerId, LedgerTotals> totals_;
    std::map<TransferId, std::optional<Hold>> holds_;   ///< Nothing: not there any more.
    std::map<TransferId, std::optional<SeenId>> seen_;  ///< Nothing: taken back.
    std::size_t holds_made_ = 0;
    std::size_t holds_ended_ = 0;
    std::size_t ids_made_ = 0;
};

}  // namespace weir::ledger
