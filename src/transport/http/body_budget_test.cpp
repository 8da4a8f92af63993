// Goal: shares of all bodies never exceed the budget, and come back however a request ends.
#include "transport/http/body_budget.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace weir::http {
namespace {

TEST(BodyBudget, RefusesWhatIsTooMuchAndTakesNothingThen) {
    const auto budget = std::make_shared<BodyBudget>(100);
    BodyShare a{budget};
    BodyShare b{budget};
    EXPECT_TRUE(a.grow_to(60));
    EXPECT_TRUE(a.grow_to(50)) << "it has more already";
    EXPECT_FALSE(b.grow_to(41));
    EXPECT_EQ(budget->used(), 60U);
    EXPECT_EQ(budget->refused(), 1U);
    EXPECT_TRUE(b.grow_to(40));
    a = BodyShare{};
    EXPECT_EQ(budget->used(), 40U);
    BodyShare moved{std::move(b)};
    EXPECT_EQ(budget->used(), 40U);
    EXPECT_EQ(moved.bytes(), 40U);
    EXPECT_FALSE(moved.grow_to(SIZE_MAX)) << "no overflow";
}

TEST(BodyBudget, IsTheSumOfWhatIsHeldAtEveryMoment) {
    EXPECT_TRUE(rc::check([] {
        const auto budget = std::make_shared<BodyBudget>(1000);
        std::vector<BodyShare> shares(4);
        for (const auto& [which, bytes] : *rc::gen::arbitrary<std::vector<std::pair<std::uint8_t, std::uint16_t>>>()) {
            auto& share = shares[which % shares.size()];
            if (bytes % 5 == 0) share = BodyShare{budget};
            const auto before = share.bytes();
            const bool grown = share.grow_to(bytes % 700);
            RC_ASSERT(share.bytes() == (grown ? std::max<std::size_t>(before, bytes % 700) : before));
            std::size_t sum = 0;
            for (const auto& one : shares) sum += one.bytes();
            RC_ASSERT(budget->used() <= 1000U);
            RC_ASSERT(budget->used() <= sum);
        }
        shares.clear();
        RC_ASSERT(budget->used() == 0U);
    }));
}

}  // namespace
}  // namespace weir::http
