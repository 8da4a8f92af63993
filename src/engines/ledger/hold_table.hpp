// engines/ledger/hold_table.hpp: the holds that stand, by id and by the time at which they end.
//
// Only standing holds are here: a resolved one leaves at once, also from the order of times (an indexed heap), so memory
// is that of the holds alive however long their timeouts are.
#pragma once

#include "engines/ledger/fact.hpp"
#include "engines/ledger/slot_index.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::ledger {

/// A pending transfer that is not resolved yet.
struct Hold {
    TransferId id{};
    AccountId debit{};
    AccountId credit{};
    std::int64_t amount = 0;
    Instant at{};
    Instant expires_at = never;
    Uid cause{};
    Fingerprint request{};
    LedgerId ledger = 0;
    std::uint32_t policy_version = 0;
    TransferCode code{};
    friend bool operator==(const Hold&, const Hold&) = default;
};

class HoldTable {
public:
    explicit HoldTable(std::uint64_t seed = 0) : index_(seed) {}

    [[nodiscard]] const Hold* find(TransferId id) const {
        const std::uint32_t slot = slot_of(id);
        return slot == SlotIndex::none ? nullptr : &rows_[slot].hold;
    }
    [[nodiscard]] std::size_t size() const { return index_.size(); }
    void prefetch_cell(TransferId id) const { index_.prefetch(id.uid); }
    void prefetch_row(TransferId id) const {
        if (const std::uint32_t slot = index_.guess(id.uid); slot != SlotIndex::none) __builtin_prefetch(rows_.data() + slot);
    }

    /// Adds a hold that is not there.
    void insert(const Hold& hold);
    /// Removes a hold that is there.
    void erase(TransferId id);

    /// The end of the hold that ends first; nothing where none has an end.
    [[nodiscard]] std::optional<Instant> next_expiry() const;
    /// Up to `limit` holds that have ended by `now`, by end, then by id.
    [[nodiscard]] std::vector<Hold> due(Instant now, std::size_t limit) const;

    /// All holds in the order of their ids.
    [[nodiscard]] std::vector<Hold> sorted() const;

    /// Whether the order of times holds exactly the holds that have an end, each where it believes to be.
    [[nodiscard]] bool is_consistent() const;

private:
    static constexpr std::uint32_t not_in_heap = 0xFFFFFFFF;

    struct Row {
        Hold hold{};
        std::uint32_t heap_at = not_in_heap;
    };
    struct Entry {
        Instant expires_at{};
        std::uint32_t slot = 0;
    };

    [[nodiscard]] std::uint32_t slot_of(TransferId id) const {
        const Row* rows = rows_.data();
        return index_.find(id.uid, [rows](std::uint32_t slot) { return rows[slot].hold.id.uid; });
    }
    [[nodiscard]] bool before(const Entry& a, const Entry& b) const;
    void put(std::size_t at, Entry entry);
    void sift_up(std::size_t at, Entry entry);
    void sift_down(std::size_t at, Entry entry);

    std::vector<Row> rows_;
    std::vector<std::uint32_t> free_;
    SlotIndex index_;
    std::vector<Entry> heap_;  ///< Four children each.
};

}  // namespace weir::ledger
