// engines/ledger/id_memory.hpp: which transfer ids were applied, as far back as the idempotency window.
//
// It answers: was this id seen, with which body, and what became of the hold it made? Ids carry the millisecond in which
// they were made; the memory is cut into slices of that time, so forgetting a window's worth is dropping whole slices.
#pragma once

#include "engines/ledger/slot_index.hpp"
#include "engines/ledger/transfer.hpp"

#include <cstdint>
#include <vector>

namespace weir::ledger {

/// What became of an applied transfer. Stored: append only.
enum class Fate : std::uint8_t {
    settled = 1,  ///< Not a hold: it was final when it was applied.
    pending = 2,
    posted = 3,
    voided = 4,
    expired = 5,
};

struct SeenId {
    TransferId id{};
    Fingerprint request{};
    Fate fate = Fate::settled;
    friend bool operator==(const SeenId&, const SeenId&) = default;
};

class IdMemory {
public:
    /// Length of a slice: 2^18 ms, about four minutes. Only memory and speed depend on it.
    static constexpr std::int64_t slice_ms = std::int64_t{1} << 18;

    explicit IdMemory(std::uint64_t seed = 0) : seed_(seed) {}

    [[nodiscard]] const SeenId* find(TransferId id) const;
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Ids made before this are not remembered, whether they were applied or not. Milliseconds since 1970.
    [[nodiscard]] std::int64_t floor_ms() const { return floor_ms_; }
    void prefetch_cell(TransferId id) const;

    /// Adds an id that is not there.
    void insert(const SeenId& seen);
    /// Sets what became of a hold, if its id is still remembered.
    void set_fate(TransferId id, Fate fate);
    /// Takes back the insert of `id`: only the last one of its slice can be.
    void take_back(TransferId id);
    /// Drops all ids made before `before_ms`.
    void forget(std::int64_t before_ms);

    /// All records in the order of their ids.
    [[nodiscard]] std::vector<SeenId> sorted() const;

private:
    struct Slice {
        std::int64_t number = 0;
        std::vector<SeenId> records{};
        SlotIndex index;

        [[nodiscard]] std::uint32_t find(TransferId id) const {
            const SeenId* at = records.data();
            return index.find(id.uid, [at](std::uint32_t slot) { return at[slot].id.uid; });
        }
    };

    [[nodiscard]] const Slice* slice_of(TransferId id) const;
    [[nodiscard]] Slice* slice_of(TransferId id);
    [[nodiscard]] Slice& make_slice(TransferId id);

    std::vector<Slice> slices_;  ///< In the order of their numbers.
    std::size_t size_ = 0;
    std::int64_t floor_ms_ = 0;
    std::uint64_t seed_;
};

}  // namespace weir::ledger
