// Goal: the ledger's tables find what was put in and nothing else, and holds come due in the order of time, then id.
// Method: properties against the standard containers, over keys that collide on purpose.
#include "engines/ledger/hold_table.hpp"
#include "engines/ledger/id_memory.hpp"
#include "engines/ledger/slot_index.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace weir::ledger {
namespace {

// 40 keys in a table of 64 cells and less, so that runs of neighbours form, wrap around and are cut.
RC_GTEST_PROP(SlotIndex, IsAMap, (std::vector<std::pair<bool, std::uint8_t>> steps)) {
    SlotIndex index;
    std::map<std::uint64_t, std::uint32_t> wanted;
    std::vector<Uid> keys;
    const auto key_at = [&](std::uint32_t slot) { return keys[slot]; };
    for (const auto& [insert, byte] : steps) {
        const std::uint64_t number = byte % 40;
        const Uid key{0, number};
        if (insert && !wanted.contains(number)) {
            wanted[number] = static_cast<std::uint32_t>(keys.size());
            keys.push_back(key);
            index.insert(key, wanted[number]);
        } else if (!insert && wanted.contains(number)) {
            index.erase(key, wanted[number]);
            wanted.erase(number);
        }
        for (std::uint64_t any = 0; any < 40; ++any) {
            const auto found = wanted.find(any);
            RC_ASSERT(index.find({0, any}, key_at) == (found == wanted.end() ? SlotIndex::none : found->second));
        }
        RC_ASSERT(index.size() == wanted.size());
    }
}

TEST(SlotIndex, GrowsWithoutLosingAKey) {
    SlotIndex index;
    const auto key_of = [](std::uint32_t slot) { return Uid{slot * 7ULL, slot}; };
    for (std::uint32_t slot = 0; slot < 100'000; ++slot) index.insert(key_of(slot), slot);
    for (std::uint32_t slot = 0; slot < 100'000; ++slot) {
        ASSERT_EQ(index.find(key_of(slot), key_of), slot);
        ASSERT_NE(index.guess(key_of(slot)), SlotIndex::none);
    }
    EXPECT_EQ(index.find({1, 1}, key_of), SlotIndex::none);
}

Hold hold_numbered(std::uint64_t number, std::int64_t end_s) {
    Hold hold{.id = {{0, number}}, .amount = 1, .ledger = 1};
    if (end_s != 0) hold.expires_at = Instant{} + seconds(end_s);
    return hold;
}

RC_GTEST_PROP(HoldTable, ComesDueByEndThenById, (std::vector<std::tuple<bool, std::uint8_t, std::uint8_t>> steps, std::uint8_t now_s)) {
    HoldTable table;
    std::map<std::uint64_t, Hold> wanted;
    for (const auto& [insert, byte, end] : steps) {
        const std::uint64_t number = byte % 50;
        if (!insert && wanted.contains(number)) {
            table.erase({{0, number}});
            wanted.erase(number);
        } else if (!wanted.contains(number)) {
            wanted[number] = hold_numbered(number, end % 20);
            table.insert(wanted[number]);
        }
        RC_ASSERT(table.is_consistent());
        RC_ASSERT(table.size() == wanted.size());
    }
    std::vector<std::pair<Instant, TransferId>> due;
    std::optional<Instant> first;
    for (const auto& [number, hold] : wanted) {
        RC_ASSERT(*table.find(hold.id) == hold);
        if (hold.expires_at == never) continue;
        first = std::min(first.value_or(hold.expires_at), hold.expires_at);
        if (hold.expires_at <= Instant{} + seconds(now_s % 20)) due.emplace_back(hold.expires_at, hold.id);
    }
    std::ranges::sort(due);
    RC_ASSERT(table.next_expiry() == first);
    for (const std::size_t limit : {std::size_t{0}, due.size() / 2, due.size(), due.size() + 5}) {
        const auto found = table.due(Instant{} + seconds(now_s % 20), limit);
        RC_ASSERT(found.size() == std::min(limit, due.size()));
        for (std::size_t i = 0; i < found.size(); ++i) RC_ASSERT(found[i].id == due[i].second);
    }
}

RC_GTEST_PROP(IdMemory, ForgetsExactlyWhatWasMadeBefore, (std::vector<std::pair<std::uint16_t, std::uint8_t>> made, std::uint16_t before)) {
    IdMemory memory;
    std::set<TransferId> wanted;
    const auto id_of = [](std::int64_t at_ms, std::uint64_t number) {
        return TransferId{{static_cast<std::uint64_t>(at_ms) << 16, number}};
    };
    const std::int64_t unit_ms = IdMemory::slice_ms / 7;  // several ids a slice, slices cut in the middle
    for (const auto& [at, number] : made) {
        const TransferId id = id_of(at % 100 * unit_ms, number);
        if (wanted.insert(id).second) memory.insert({.id = id});
    }
    for (const std::int64_t floor_ms : {before % 50 * unit_ms, before % 100 * unit_ms}) {
        memory.forget(floor_ms);
        std::erase_if(wanted, [&](TransferId id) { return made_ms(id) < floor_ms; });
    }
    RC_ASSERT(memory.size() == wanted.size());
    for (const auto& [at, number] : made) {
        const TransferId id = id_of(at % 100 * unit_ms, number);
        RC_ASSERT((memory.find(id) != nullptr) == wanted.contains(id));
    }
    const auto sorted = memory.sorted();
    RC_ASSERT(std::ranges::equal(sorted, wanted, {}, &SeenId::id));
}

}  // namespace
}  // namespace weir::ledger
