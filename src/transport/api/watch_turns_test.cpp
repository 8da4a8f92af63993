// Goal: whoever is up to date waits for a bounded amount of others' work, and those who catch up share it fairly.
// Method: watches as numbers, served in passes as the hub does it; work is counted in watches served, not in time.
#include "transport/api/watch_turns.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <ranges>

namespace weir::api {
namespace {

struct Watcher {
    std::string subject;
    std::uint64_t sent = 0;
    std::size_t served = 0;
};

std::vector<HungryWatch> hungry_of(const std::vector<Watcher>& watchers, std::uint64_t head) {
    std::vector<HungryWatch> hungry;
    for (std::size_t i = 0; i < watchers.size(); ++i)
        if (watchers[i].sent < head) hungry.push_back({i, watchers[i].sent, watchers[i].subject});
    return hungry;
}

/// One pass: everybody served gets so many revisions. @returns who was served, in order.
std::vector<std::size_t> serve(WatchTurns& turns, std::vector<Watcher>& watchers, std::uint64_t head, std::uint64_t revisions) {
    const auto hungry = hungry_of(watchers, head);
    const auto turn = turns.next(hungry, head);
    std::vector<std::size_t> served;
    for (const auto* const list : {&turn.live, &turn.catching_up}) {
        EXPECT_TRUE(std::ranges::is_sorted(*list, {}, &HungryWatch::sent)) << "a window only moves on";
        for (const auto& one : *list) {
            auto& watcher = watchers[one.index];
            watcher.sent = std::min(head, watcher.sent + revisions);
            ++watcher.served;
            served.push_back(one.index);
        }
    }
    EXPECT_EQ(turn.complete, served.size() == hungry.size());
    return served;
}

TEST(WatchTurns, ALiveWatchIsServedInEachPassHoweverManyCatchUp) {
    for (const std::size_t laggards : {0UZ, 1UZ, catching_up_at_once, 5'000UZ}) {
        WatchTurns turns;
        std::uint64_t head = 1'000'000;
        std::vector<Watcher> watchers(laggards, Watcher{.subject = "script"});
        watchers.push_back({.subject = "ann", .sent = head});
        for (int pass = 0; pass < 100; ++pass) {
            ++head;
            const auto served = serve(turns, watchers, head, 200);
            ASSERT_EQ(served.front(), laggards) << "before all others";
            ASSERT_EQ(served.size(), 1 + std::min(laggards, catching_up_at_once));
        }
    }
}

TEST(WatchTurns, TheRoomForThoseWhoCatchUpIsSharedBetweenSubjects) {
    WatchTurns turns;
    constexpr std::uint64_t head = 1'000'000'000;
    std::vector<Watcher> watchers(5'000, Watcher{.subject = "script"});
    for (int i = 0; i < 50; ++i) watchers.push_back({.subject = "subject-" + std::to_string(i), .sent = 500'000'000});
    constexpr std::size_t passes = 51 * 10;
    for (std::size_t pass = 0; pass < passes; ++pass) serve(turns, watchers, head, 200);
    std::map<std::string, std::size_t> served;
    for (const auto& watcher : watchers) served[watcher.subject] += watcher.served;
    for (const auto& [subject, times] : served) EXPECT_EQ(times, passes * catching_up_at_once / served.size()) << subject;
}

TEST(WatchTurns, EverybodyCatchesUp) {
    EXPECT_TRUE(rc::check([] {
        const auto head = *rc::gen::inRange<std::uint64_t>(1, 5'000);
        std::vector<Watcher> watchers;
        for (const auto place : *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, head + 1)))
            watchers.push_back({.subject = std::string(1, static_cast<char>('a' + place % 3)), .sent = place});
        WatchTurns turns;
        const auto passes_max = watchers.size() * (head / 500 + 1);
        std::size_t passes = 0;
        while (!hungry_of(watchers, head).empty()) {
            RC_ASSERT(++passes <= passes_max);
            RC_ASSERT(!serve(turns, watchers, head, 500).empty());
        }
    }));
}

}  // namespace
}  // namespace weir::api
