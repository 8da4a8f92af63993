#include "transport/http/rate_limit.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::http {
namespace {

constexpr Instant start{1'000'000'000'000};

TEST(TokenBucket, ABurstThenOneTokenPerPeriod) {
    const Rate rate{.per_second = 10, .burst = 3};
    TokenBucket bucket;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(rate, start)) << i;
    const auto refused = bucket.take(rate, start);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), milliseconds(100));
    EXPECT_FALSE(bucket.take(rate, start + milliseconds(99)));
    EXPECT_TRUE(bucket.take(rate, start + milliseconds(100)));
    EXPECT_FALSE(bucket.take(rate, start + milliseconds(100)));
    EXPECT_FALSE(bucket.full(start + milliseconds(399)));
    EXPECT_TRUE(bucket.full(start + milliseconds(400)));
}

TEST(TokenBucket, ACostBeyondTheBurstWaitsForAFullBucket) {
    const Rate rate{.per_second = 1, .burst = 2};
    TokenBucket bucket;
    EXPECT_TRUE(bucket.take(rate, start, 100));
    EXPECT_EQ(bucket.take(rate, start, 100).error(), seconds(2));
}

TEST(TokenBucket, NeverGivesMoreThanBurstAndRate) {
    EXPECT_TRUE(rc::check("taken <= burst + elapsed * rate", [](const std::vector<std::uint8_t>& steps_ms) {
        const Rate rate{.per_second = 100, .burst = 5};
        TokenBucket bucket;
        Instant now = start;
        std::int64_t taken = 0;
        for (const std::uint8_t step : steps_ms) {
            now = now + milliseconds(step);
            while (true) {
                const auto took = bucket.take(rate, now);
                if (!took) {
                    // The time it names is the first at which a token is there.
                    TokenBucket later = bucket;
                    RC_ASSERT(later.take(rate, now + took.error()).has_value());
                    RC_ASSERT(!bucket.take(rate, now + took.error() - Duration{1}).has_value());
                    break;
                }
                ++taken;
            }
        }
        RC_ASSERT(taken <= 5 + (now - start).ns / milliseconds(10).ns);
    }));
}

TEST(RateLimiter, KeysHaveBucketsOfTheirOwnInABoundedTable) {
    RateLimiter limiter{{.per_second = 1, .burst = 1}, 2};
    EXPECT_TRUE(limiter.take("a", start));
    EXPECT_FALSE(limiter.take("a", start));
    EXPECT_TRUE(limiter.take("b", start));
    EXPECT_FALSE(limiter.take("a", start));  // "b" is now the one that asked longest ago
    EXPECT_TRUE(limiter.take("c", start));
    EXPECT_EQ(limiter.size(), 2U);
    EXPECT_FALSE(limiter.take("a", start));
    EXPECT_TRUE(limiter.take("b", start));
}

}  // namespace
}  // namespace weir::http
