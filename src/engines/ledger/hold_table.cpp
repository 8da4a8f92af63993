#include "engines/ledger/hold_table.hpp"

#include <algorithm>
#include <queue>

namespace weir::ledger {
namespace {

constexpr std::size_t fan_out = 4;

}  // namespace

void HoldTable::insert(const Hold& hold) {
    auto slot = static_cast<std::uint32_t>(rows_.size());
    if (free_.empty()) {
        rows_.push_back({.hold = hold});
    } else {
        slot = free_.back();
        free_.pop_back();
        rows_[slot] = {.hold = hold};
    }
    index_.insert(hold.id.uid, slot);
    if (hold.expires_at == never) return;
    heap_.emplace_back();
    sift_up(heap_.size() - 1, {.expires_at = hold.expires_at, .slot = slot});
}

void HoldTable::erase(TransferId id) {
    const std::uint32_t slot = slot_of(id);
    const std::size_t at = rows_[slot].heap_at;
    if (at != not_in_heap) {
        const Entry last = heap_.back();
        heap_.pop_back();
        if (at < heap_.size()) {
            if (at > 0 && before(last, heap_[(at - 1) / fan_out])) {
                sift_up(at, last);
            } else {
                sift_down(at, last);
            }
        }
    }
    index_.erase(id.uid, slot);
    rows_[slot] = {};
    free_.push_back(slot);
}

std::optional<Instant> HoldTable::next_expiry() const {
    return heap_.empty() ? std::nullopt : std::optional{heap_.front().expires_at};
}

std::vector<Hold> HoldTable::due(Instant now, std::size_t limit) const {
    // The due holds are a subtree at the heap's top: walk it in order without taking anything out.
    const auto later = [this](std::size_t a, std::size_t b) { return before(heap_[b], heap_[a]); };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> next(later);
    if (!heap_.empty()) next.push(0);
    std::vector<Hold> found;
    while (!next.empty() && found.size() < limit) {
        const std::size_t at = next.top();
        next.pop();
        if (heap_[at].expires_at > now) break;
        found.push_back(rows_[heap_[at].slot].hold);
        for (std::size_t child = at * fan_out + 1; child <= at * fan_out + fan_out && child < heap_.size(); ++child) next.push(child);
    }
    return found;
}

std::vector<Hold> HoldTable::sorted() const {
    std::vector<Hold> all;
    all.reserve(size());
    for (const Row& row : rows_) {
        if (row.hold.ledger != 0) all.push_back(row.hold);
    }
    std::ranges::sort(all, {}, &Hold::id);
    return all;
}

bool HoldTable::is_consistent() const {
    std::size_t with_end = 0;
    for (std::uint32_t slot = 0; slot < rows_.size(); ++slot) {
        const Row& row = rows_[slot];
        if (row.hold.ledger == 0) continue;
        if (slot_of(row.hold.id) != slot) return false;
        if (row.hold.expires_at == never) continue;
        ++with_end;
        if (row.heap_at >= heap_.size() || heap_[row.heap_at].slot != slot) return false;
        if (heap_[row.heap_at].expires_at != row.hold.expires_at) return false;
        if (row.heap_at > 0 && before(heap_[row.heap_at], heap_[(row.heap_at - 1) / fan_out])) return false;
    }
    return with_end == heap_.size();
}

bool HoldTable::before(const Entry& a, const Entry& b) const {
    if (a.expires_at != b.expires_at) return a.expires_at < b.expires_at;
    return rows_[a.slot].hold.id < rows_[b.slot].hold.id;
}

void HoldTable::put(std::size_t at, Entry entry) {
    heap_[at] = entry;
    rows_[entry.slot].heap_at = static_cast<std::uint32_t>(at);
}

void HoldTable::sift_up(std::size_t at, Entry entry) {
    while (at > 0) {
        const std::size_t parent = (at - 1) / fan_out;
        if (!before(entry, heap_[parent])) break;
        put(at, heap_[parent]);
        at = parent;
    }
    put(at, entry);
}

void HoldTable::sift_down(std::size_t at, Entry entry) {
    for (;;) {
        const std::size_t first = at * fan_out + 1;
        if (first >= heap_.size()) break;
        std::size_t least = first;
        for (std::size_t child = first + 1; child < first + fan_out && child < heap_.size(); ++child) {
            if (before(heap_[child], heap_[least])) least = child;
        }
        if (!before(heap_[least], entry)) break;
        put(at, heap_[least]);
        at = least;
    }
    put(at, entry);
}

}  // namespace weir::ledger
