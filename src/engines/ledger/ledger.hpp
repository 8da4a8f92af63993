// engines/ledger/ledger.hpp: double entry that cannot lose, double or over-promise value.
//
// It answers: may this value move, and where does it stand now? It does not know what a voucher or a job is, which
// account a name stands for, or what anything costs; its callers do.
//
// Deciding and applying are two things. The decide functions read the books and say what would happen, as facts; apply()
// adds facts up and decides nothing; execute() does both for a batch, one transfer after the other, and hands out the
// facts. Facts applied to a fresh ledger give the same state, digit for digit.
//
// Everything is a function of its arguments: no clock, no I/O, no chance. `now` should never go back; where it does, the
// time of the last fact counts. A time of the ledger never decreases. Not safe for use by several threads at once.
#pragma once

#include "base/result.hpp"
#include "engines/ledger/account_table.hpp"
#include "engines/ledger/batch.hpp"
#include "engines/ledger/fact.hpp"
#include "engines/ledger/hold_table.hpp"
#include "engines/ledger/id_memory.hpp"
#include "engines/ledger/options.hpp"
#include "engines/ledger/outcome.hpp"
#include "engines/ledger/state.hpp"
#include "engines/ledger/violation.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace weir::ledger {

class Ledger {
public:
    explicit Ledger(Options options = {})
        : options_(options), accounts_(options.hash_seed), holds_(options.hash_seed), ids_(options.hash_seed) {}

    // ---- what stands in the books; pointers hold until the next change

    [[nodiscard]] const Account* account(AccountId id) const { return accounts_.find(id); }
    [[nodiscard]] const Hold* hold(TransferId id) const { return holds_.find(id); }
    [[nodiscard]] const SeenId* seen(TransferId id) const { return ids_.find(id); }
    [[nodiscard]] const LedgerTotals* totals(LedgerId ledger) const { return accounts_.totals(ledger); }
    [[nodiscard]] std::size_t account_count() const { return accounts_.size(); }
    [[nodiscard]] std::size_t hold_count() const { return holds_.size(); }
    [[nodiscard]] std::size_t id_count() const { return ids_.size(); }
    [[nodiscard]] std::int64_t ids_floor_ms() const { return ids_.floor_ms(); }
    /// Time of the last fact.
    [[nodiscard]] Instant at() const { return at_; }
    /// When expire_due() next has something to say.
    [[nodiscard]] std::optional<Instant> next_expiry() const { return holds_.next_expiry(); }

    // ---- deciding: what would happen; changes nothing

    [[nodiscard]] Result<AccountOpened, AccountOutcome> decide_account(const AccountSpec& spec, Instant now) const;
    /// Freezes an account (nothing leaves it by its holder's will), or lets it go again.
    [[nodiscard]] Result<AccountFrozen, FreezeOutcome> decide_freeze(AccountId id, bool frozen, Instant now) const;
    /// An account that is even and without holds may leave memory.
    [[nodiscard]] Result<AccountClosed, CloseOutcome> decide_close(AccountId id, Instant now) const;
    /// What execute() would answer and do, for small batches: costs a tree insert per account, hold and id touched.
    [[nodiscard]] BatchResult decide(std::span<const Transfer> batch, Instant now) const { return decide({}, batch, now); }
    /// The same, as if the accounts `opened` (facts of decide_account) were there already.
    [[nodiscard]] BatchResult decide(std::span<const AccountOpened> opened, std::span<const Transfer> batch, Instant now) const;
    /// The ends of holds whose time has run out, at most `limit`, by end, then by id.
    [[nodiscard]] std::vector<Posting> expire_due(Instant now, std::size_t limit) const;
    /// The next ids to forget; nothing while less than a slice of them is older than the window.
    [[nodiscard]] std::optional<IdsForgotten> decide_forget(Instant now) const;

    // ---- applying: adds what a fact carries. A violation means a bug or a damaged journal: stop using the ledger.

    [[nodiscard]] Result<void, Violation> apply(const Fact& fact);

    /// Decides and applies a batch of at most batch_max transfers; `result` gets the answers and the facts.
    [[nodiscard]] Result<void, Violation> execute(std::span<const Transfer> batch, Instant now, BatchResult& result);

    // ---- auditing

    /// Recomputes every law from the accounts and holds up. O(state). Empty = all hold.
    [[nodiscard]] std::vector<Violation> verify() const;
    [[nodiscard]] TrialBalance trial_balance(LedgerId ledger) const;
    /// All ledgers that have accounts, in the order of their ids.
    [[nodiscard]] std::vector<LedgerTotals> ledgers() const { return accounts_.sorted_totals(); }
    [[nodiscard]] LedgerState export_state() const;
    /// A ledger with that state, or the first law that the state breaks.
    [[nodiscard]] static Result<Ledger, Violation> import_state(const LedgerState& state, Options options = {});
    [[nodiscard]] Digest digest() const { return digest_of(export_state()); }

private:
    friend class BatchRun<Ledger>;
    [[nodiscard]] std::optional<Violation> add(const Posting& posting);
    [[nodiscard]] std::optional<Violation> add(const AccountOpened& opened);
    [[nodiscard]] std::optional<Violation> add(const AccountFrozen& frozen);
    [[nodiscard]] std::optional<Violation> add(const AccountClosed& closed);
    [[nodiscard]] std::optional<Violation> add(const IdsForgotten& forgotten);
    void undo(const Posting& posting, const Hold* ended);
    void rewind(Instant at) { at_ = at; }
    void prefetch_cells(const Transfer& transfer) const;
    void prefetch_rows(const Transfer& transfer) const;
    [[nodiscard]] std::optional<Violation> advance(Instant to);
    [[nodiscard]] TransferId lapse_id(TransferId hold, Instant now) const;

    Options options_;
    AccountTable accounts_;
    HoldTable holds_;
    IdMemory ids_;
    Instant at_;
};

}  // namespace weir::ledger
