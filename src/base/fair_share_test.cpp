// Goal: nobody's greed shuts another out, and nothing is lost in the counting.
#include "base/fair_share.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

using enum FairShare::Reach;

std::size_t take_all(FairShare& share, const std::string& holder, FairShare::Reach reach, std::size_t step) {
    std::size_t taken = 0;
    while (share.take(holder, reach, step)) taken += step;
    return taken;
}

TEST(FairShare, OneWhoIsGreedyHasHalfAndTheNextAHalfOfTheRest) {
    FairShare share{1000, 200};
    EXPECT_EQ(take_all(share, "greedy", common, 1), 400U);
    EXPECT_TRUE(share.take("modest", common, 100));
    EXPECT_FALSE(share.take("greedy", common, 1));
    EXPECT_EQ(take_all(share, "second", common, 1), 150U);
    EXPECT_TRUE(share.take("agent", kept, 100));
    share.give_back("greedy", 400);
    EXPECT_EQ(share.held("greedy"), 0U);
    EXPECT_EQ(share.used(), 350U);
}

TEST(FairShare, OfTenWhoWantAllEachHasAPartAndWhatIsKeptIsLeft) {
    FairShare share{1200, 100};
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < 10; ++i) more = share.take("greedy-" + std::to_string(i), common, 1) || more;
    }
    EXPECT_EQ(share.used(), 1000U);
    EXPECT_TRUE(share.take("late", common, 50));
    EXPECT_TRUE(share.take("agent", kept, 75));
    EXPECT_FALSE(share.take("late", common, 60));
}

TEST(FairShare, AFirstThingIsTakenAsLongAsItFitsAndTheHouseTakesAll) {
    FairShare share{4, 1};
    EXPECT_TRUE(share.take("a", common, 3));
    EXPECT_FALSE(share.take("b", common, 1)) << "the last is kept";
    EXPECT_TRUE(share.take("b", kept, 1));
    share.give_back("a", 3);
    share.give_back("b", 1);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(share.take("", all, 1));
    EXPECT_FALSE(share.take("", all, 1));
}

RC_GTEST_PROP(FairShare, IsTheSumOfWhatIsHeldAndNeverMore, (const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps)) {
    FairShare share{300, 60};
    std::map<std::string, std::size_t> held;
    for (const auto& [who, amount] : steps) {
        const auto name = std::to_string(who % 4);
        if (who >= 128) {
            const auto back = std::min<std::size_t>(held[name], amount);
            share.give_back(name, back);
            held[name] -= back;
        } else if (share.take(name, who % 3 == 0 ? kept : common, amount)) {
            held[name] += amount;
        }
        std::size_t sum = 0;
        for (const auto& [one, has] : held) {
            sum += has;
            RC_ASSERT(share.held(one) == has);
        }
        RC_ASSERT(share.used() == sum);
        RC_ASSERT(sum <= 300U);
    }
}

}  // namespace
}  // namespace weir
