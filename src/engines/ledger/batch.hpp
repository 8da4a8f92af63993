// engines/ledger/batch.hpp: transfers one after the other, chains of them all or none.
//
// A chain is a run of linked transfers and the first one after it that is not. Its transfers see each other's effects;
// if one is refused, all are taken back. A chain that was applied before answers `exists` for each of its transfers. One
// of which only a part was applied before is refused: its old transfers answer `exists`, the others linked_event_failed.
#pragma once

#include "engines/ledger/booking.hpp"
#include "engines/ledger/judge.hpp"

#include <optional>
#include <span>
#include <vector>

namespace weir::ledger {

/// Reused from batch to batch, it allocates nothing.
struct BatchResult {
    std::vector<TransferOutcome> outcomes;  ///< One per transfer, in order.
    /// One per transfer: where the answer compares amounts (exceeds_hold, overflows_ledger, exceeds_credits,
    /// exceeds_debits), what would have been possible at that moment; 0 otherwise.
    std::vector<std::int64_t> limits;
    std::vector<Posting> facts;  ///< What happened, in order; refused transfers leave none.
};

/// Runs a batch on `Books`, which beside what Judge needs has at(), rewind(at), add(posting), undo(posting, ended hold)
/// prefetch_cells(transfer) and prefetch_rows(transfer).
template <class Books>
class BatchRun {
public:
    BatchRun(Books& books, std::span<const Transfer> batch, Instant now, const Options& options, BatchResult& result)
        : books_(books), judge_(books, now, options), batch_(batch), outcomes_(result.outcomes), limits_(result.limits),
          facts_(result.facts) {
        facts_.clear();
        limits_.assign(batch.size(), 0);
        outcomes_.assign(batch.size(), TransferOutcome::linked_event_failed);
    }

    [[nodiscard]] std::optional<Violation> run() {
        if (batch_.size() > batch_max) {
            outcomes_.assign(batch_.size(), TransferOutcome::batch_too_large);
            return std::nullopt;
        }
        for (std::size_t first = 0; first < batch_.size();) {
            const std::size_t end = end_of_chain(first);
            if (batch_[end - 1].has(flag::linked)) {
                outcomes_[end - 1] = TransferOutcome::linked_chain_open;
            } else if (auto violation = end - first == 1 ? run_single(first) : run_chain(first, end)) {
                return violation;
            }
            first = end;
        }
        return std::nullopt;
    }

private:
    /// How many transfers before its turn a transfer's index cells, and then its rows, are asked for.
    static constexpr std::size_t cells_ahead = 16;
    static constexpr std::size_t rows_ahead = 6;

    [[nodiscard]] std::size_t end_of_chain(std::size_t first) const {
        std::size_t last = first;
        while (last + 1 < batch_.size() && batch_[last].has(flag::linked)) ++last;
        return last + 1;
    }

    /// Judges a transfer; if it is to be applied, its posting is the last of facts_.
    TransferOutcome decide(std::size_t i) {
        if (i + cells_ahead < batch_.size()) books_.prefetch_cells(batch_[i + cells_ahead]);
        if (i + rows_ahead < batch_.size()) books_.prefetch_rows(batch_[i + rows_ahead]);
        outcomes_[i] = judge_.judge(batch_[i], facts_.emplace_back());
        if (outcomes_[i] != TransferOutcome::applied) {
            limits_[i] = judge_.limit();
            facts_.pop_back();
        }
        return outcomes_[i];
    }

    std::optional<Violation> run_single(std::size_t i) {
        if (decide(i) != TransferOutcome::applied) return std::nullopt;
        return books_.add(facts_.back());
    }

    std::optional<Violation> run_chain(std::size_t first, std::size_t end) {
        const std::size_t facts_before = facts_.size();
        const Instant at_before = books_.at();
        ended_.clear();
        bool some_exist = false;
        bool stands = true;
        for (std::size_t i = first; i < end && stands; ++i) {
            const TransferOutcome outcome = decide(i);
            const bool some_applied = facts_.size() > facts_before;
            if (outcome == TransferOutcome::exists) {
                some_exist = true;
                stands = !some_applied;
            } else if (outcome != TransferOutcome::applied) {
                stands = false;
            } else if (some_exist) {
                facts_.pop_back();
                outcomes_[i] = TransferOutcome::linked_event_failed;
                stands = false;
            } else {
                const Posting& posting = facts_.back();
                if (ends_hold(posting.kind)) ended_.push_back(*books_.hold(posting.pending_id));
                if (auto violation = books_.add(posting)) return violation;
            }
        }
        if (!stands) take_back(first, facts_before, at_before);
        return std::nullopt;
    }

    void take_back(std::size_t first, std::size_t facts_before, Instant at_before) {
        for (; facts_.size() > facts_before; facts_.pop_back()) {
            const Posting& posting = facts_.back();
            if (ends_hold(posting.kind)) {
                books_.undo(posting, &ended_.back());
                ended_.pop_back();
            } else {
                books_.undo(posting, nullptr);
            }
        }
        books_.rewind(at_before);
        for (std::size_t i = first; i < batch_.size() && outcomes_[i] == TransferOutcome::applied; ++i) {
            outcomes_[i] = TransferOutcome::linked_event_failed;
        }
    }

    Books& books_;
    Judge<Books> judge_;
    std::span<const Transfer> batch_;
    std::vector<TransferOutcome>& outcomes_;
    std::vector<std::int64_t>& limits_;
    std::vector<Posting>& facts_;
    std::vector<Hold> ended_;  ///< The holds that the chain at hand has ended, for taking it back.
};

}  // namespace weir::ledger
