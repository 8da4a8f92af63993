#include "engines/scheduler/rank_set.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace weir::scheduler {
namespace {

// Goal: a RankSet walks like a std::set, over gaps of words and of whole summaries.
TEST(RankSet, WalksLikeASet) {
    EXPECT_TRUE(rc::check("every next() agrees with lower_bound()", [](const std::vector<std::pair<bool, std::uint16_t>>& steps) {
        RankSet ranks;
        std::set<std::uint32_t> model;
        for (const auto& [in, raw] : steps) {
            const std::uint32_t rank = raw % (raw % 2 == 0 ? 200U : 9'000U);
            if (in) {
                ranks.insert(rank);
                model.insert(rank);
            } else {
                ranks.erase(rank);
                model.erase(rank);
            }
            for (const std::uint32_t from : {0U, rank, rank + 1, 63U, 64U, 4'096U, 100'000U}) {
                const auto at = model.lower_bound(from);
                RC_ASSERT(ranks.next(from) == (at == model.end() ? RankSet::none : *at));
            }
        }
    }));
}

}  // namespace
}  // namespace weir::scheduler
