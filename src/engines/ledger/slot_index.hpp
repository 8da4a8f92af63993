// engines/ledger/slot_index.hpp: where in a dense table does a 128-bit key stand?
//
// Open addressing with linear probing over cells of eight bytes: 32 bits of the key's hash and the slot. Growing needs
// only the cells, never the keys, and a removal shifts its followers back, so there are no tombstones. The order of the
// cells reaches no decision.
#pragma once

#include "engines/ledger/mix.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::ledger {

class SlotIndex {
public:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    explicit SlotIndex(std::uint64_t seed = 0) : cells_(cells_min), mask_(cells_min - 1), seed_(seed) {}

    /// The slot of `key`, or none. `key_at(slot)` gives the key that a slot of the table holds.
    template <class KeyAt>
    [[nodiscard]] std::uint32_t find(Uid key, KeyAt&& key_at) const {
        const std::uint32_t tag = tag_of(key);
        const Cell* cells = cells_.data();
        for (std::size_t at = tag & mask_;; at = (at + 1) & mask_) {
            const Cell cell = cells[at];
            if (cell.slot == none) return none;
            if (cell.tag == tag && key_at(cell.slot) == key) return cell.slot;
        }
    }

    /// Adds a key that is not there.
    void insert(Uid key, std::uint32_t slot) {
        if ((size_ + 1) * 8 > cells_.size() * 5) grow();
        place({.tag = tag_of(key), .slot = slot});
        ++size_;
    }

    /// Removes a key that is there, at `slot`.
    void erase(Uid key, std::uint32_t slot) {
        std::size_t hole = tag_of(key) & mask_;
        while (cells_[hole].slot != slot) hole = (hole + 1) & mask_;
        for (std::size_t at = (hole + 1) & mask_; cells_[at].slot != none; at = (at + 1) & mask_) {
            const std::size_t home = cells_[at].tag & mask_;
            // The follower may move into the hole unless its home lies after the hole on its way here.
            if (((at - home) & mask_) >= ((at - hole) & mask_)) {
                cells_[hole] = cells_[at];
                hole = at;
            }
        }
        cells_[hole].slot = none;
        --size_;
    }

    /// Asks the processor to fetch the first cell of `key`.
    void prefetch(Uid key) const { __builtin_prefetch(cells_.data() + (tag_of(key) & mask_)); }

    /// The slot that `key` most likely has: the first whose hash agrees. For prefetching only.
    [[nodiscard]] std::uint32_t guess(Uid key) const {
        const std::uint32_t tag = tag_of(key);
        std::size_t at = tag & mask_;
        while (cells_[at].slot != none && cells_[at].tag != tag) at = (at + 1) & mask_;
        return cells_[at].slot;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Cell {
        std::uint32_t tag = 0;
        std::uint32_t slot = none;
    };
    static constexpr std::size_t cells_min = 16;

    [[nodiscard]] std::uint32_t tag_of(Uid key) const { return static_cast<std::uint32_t>(mix(key, seed_) >> 32); }

    void place(Cell cell) {
        std::size_t at = cell.tag & mask_;
        while (cells_[at].slot != none) at = (at + 1) & mask_;
        cells_[at] = cell;
    }

    void grow() {
        std::vector<Cell> before(cells_.size() * 2);
        before.swap(cells_);
        mask_ = cells_.size() - 1;
        for (const Cell cell : before) {
            if (cell.slot != none) place(cell);
        }
    }

    std::vector<Cell> cells_;
    std::size_t mask_;
    std::size_t size_ = 0;
    std::uint64_t seed_;
};

}  // namespace weir::ledger
