#include "engines/ledger/id_memory.hpp"

#include <algorithm>
#include <utility>

namespace weir::ledger {
namespace {

std::int64_t slice_number(TransferId id) { return made_ms(id) / IdMemory::slice_ms; }

}  // namespace

const IdMemory::Slice* IdMemory::slice_of(TransferId id) const {
    const std::int64_t number = slice_number(id);
    if (!slices_.empty() && slices_.back().number == number) return &slices_.back();
    const auto at = std::ranges::lower_bound(slices_, number, {}, &Slice::number);
    return at != slices_.end() && at->number == number ? &*at : nullptr;
}

IdMemory::Slice* IdMemory::slice_of(TransferId id) { return const_cast<Slice*>(std::as_const(*this).slice_of(id)); }

IdMemory::Slice& IdMemory::make_slice(TransferId id) {
    if (Slice* slice = slice_of(id)) return *slice;
    const std::int64_t number = slice_number(id);
    const auto at = std::ranges::lower_bound(slices_, number, {}, &Slice::number);
    return *slices_.insert(at, {.number = number, .index = SlotIndex(seed_)});
}

const SeenId* IdMemory::find(TransferId id) const {
    const Slice* slice = slice_of(id);
    if (slice == nullptr) return nullptr;
    const std::uint32_t slot = slice->find(id);
    return slot == SlotIndex::none ? nullptr : &slice->records[slot];
}

void IdMemory::prefetch_cell(TransferId id) const {
    if (const Slice* slice = slice_of(id)) slice->index.prefetch(id.uid);
}

void IdMemory::insert(const SeenId& seen) {
    Slice& slice = make_slice(seen.id);
    slice.index.insert(seen.id.uid, static_cast<std::uint32_t>(slice.records.size()));
    slice.records.push_back(seen);
    ++size_;
}

void IdMemory::set_fate(TransferId id, Fate fate) {
    Slice* slice = slice_of(id);
    if (slice == nullptr) return;
    const std::uint32_t slot = slice->find(id);
    if (slot != SlotIndex::none) slice->records[slot].fate = fate;
}

void IdMemory::take_back(TransferId id) {
    Slice& slice = *slice_of(id);
    slice.records.pop_back();
    slice.index.erase(id.uid, static_cast<std::uint32_t>(slice.records.size()));
    --size_;
}

void IdMemory::forget(std::int64_t before_ms) {
    if (before_ms <= floor_ms_) return;
    floor_ms_ = before_ms;
    const std::int64_t first_whole = before_ms / slice_ms;
    const auto kept = std::ranges::lower_bound(slices_, first_whole, {}, &Slice::number);
    slices_.erase(slices_.begin(), kept);
    if (!slices_.empty() && slices_.front().number == first_whole && before_ms % slice_ms != 0) {
        Slice slice{.number = first_whole, .index = SlotIndex(seed_)};
        for (const SeenId& seen : slices_.front().records) {
            if (made_ms(seen.id) < before_ms) continue;
            slice.index.insert(seen.id.uid, static_cast<std::uint32_t>(slice.records.size()));
            slice.records.push_back(seen);
        }
        slices_.front() = std::move(slice);
        if (slices_.front().records.empty()) slices_.erase(slices_.begin());
    }
    size_ = 0;
    for (const Slice& slice : slices_) size_ += slice.records.size();
}

std::vector<SeenId> IdMemory::sorted() const {
    std::vector<SeenId> all;
    all.reserve(size_);
    for (const Slice& slice : slices_) all.insert(all.end(), slice.records.begin(), slice.records.end());
    std::ranges::sort(all, {}, &SeenId::id);
    return all;
}

}  // namespace weir::ledger
