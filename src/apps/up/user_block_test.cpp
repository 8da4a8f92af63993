// Goal: two demonstrations on one host never share a user, and one that is over gives its users back.
#include "apps/up/user_block.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace weir::up {
namespace {

TEST(UserBlock, IsNobodyElsesUntilItIsOver) {
    // Demonstrations that run beside this test have blocks of their own.
    std::vector<UserBlock> mine;
    std::set<unsigned> firsts;
    while (auto block = UserBlock::claim()) {
        EXPECT_TRUE(firsts.insert(block->first()).second);
        EXPECT_EQ((block->first() - UserBlock::first_user) % UserBlock::users, 0U);
        mine.push_back(*std::move(block));
    }
    ASSERT_FALSE(mine.empty());
    EXPECT_LE(mine.size(), UserBlock::blocks);
    const auto last = mine.back().first();
    mine.pop_back();
    const auto again = UserBlock::claim();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->first(), last);
}

}  // namespace
}  // namespace weir::up
