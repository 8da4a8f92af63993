// Goal: time never goes back, follows a wall clock that is right, and is not led astray by one that jumps.
#include "control/checked_clock.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace weir::control {
namespace {

constexpr Instant noon{1'800'000'000'000'000'000};
constexpr Instant boot{77};
constexpr Duration tolerance = hours(1);

/// The clocks so long after the start, the wall clock wrong by `wrong`.
CheckedClock::Look at(Duration after, Duration wrong = {}) { return {noon + after + wrong, boot + after}; }

TEST(CheckedClock, GoesOnByTheSteadyClockWhileTheWallClockIsDaysAhead) {
    CheckedClock clock{at({}), noon - hours(5), tolerance};
    EXPECT_EQ(clock.take(at(seconds(1))), noon + seconds(1));
    const auto days = hours(72);
    for (int i = 2; i < 100; ++i) {
        const auto trouble = clock.trouble_at(at(seconds(i), days));
        ASSERT_TRUE(trouble);
        EXPECT_TRUE(trouble->ahead());
        EXPECT_EQ(trouble->kept, noon + seconds(i));
        EXPECT_EQ(clock.time_at(at(seconds(i), days)), noon + seconds(i));
        EXPECT_EQ(clock.take(at(seconds(i), days)), noon + seconds(i)) << "each look counts from what was believed";
    }
    EXPECT_EQ(clock.take(at(seconds(100))), noon + seconds(100)) << "set right again";
    EXPECT_FALSE(clock.trouble_at(at(seconds(100))));
}

TEST(CheckedClock, TakesAStepWithinTheToleranceAndALongWaitBetweenTwoLooks) {
    CheckedClock clock{at({}), noon, tolerance};
    EXPECT_EQ(clock.take(at(seconds(1), tolerance)), noon + seconds(1) + tolerance);
    EXPECT_EQ(clock.take(at(hours(100), tolerance)), noon + hours(100) + tolerance) << "both clocks agree";
    EXPECT_FALSE(clock.trouble_at(at(hours(100), tolerance)));
}

TEST(CheckedClock, StandsStillBehindTheJournalAndSaysSo) {
    CheckedClock clock{at({}), noon + hours(72), tolerance};
    EXPECT_EQ(clock.take(at(hours(1))), noon + hours(72));
    ASSERT_TRUE(clock.trouble_at(at(hours(1))));
    EXPECT_FALSE(clock.trouble_at(at(hours(1)))->ahead());
    EXPECT_FALSE(clock.trouble_at(at(hours(71) + seconds(1)))) << "within the tolerance";
    EXPECT_EQ(clock.take(at(hours(73))), noon + hours(73));
}

TEST(CheckedClock, BelievesTheWayBackAfterAFallOfDays) {
    CheckedClock clock{at({}), noon, tolerance};
    EXPECT_EQ(clock.take(at(hours(1))), noon + hours(1));
    EXPECT_EQ(clock.take(at(hours(2), hours(-72))), noon + hours(1));
    EXPECT_TRUE(clock.trouble_at(at(hours(2), hours(-72))));
    EXPECT_EQ(clock.take(at(hours(30))), noon + hours(30)) << "a step of three days, and yet no more than went by";
}

TEST(CheckedClock, NeverGoesBackAndNeverRunsFromTheTruthFasterThanTheToleranceFromLookToLook) {
    EXPECT_TRUE(rc::check([] {
        CheckedClock clock{at({}), noon, tolerance};
        Duration after{};
        Instant last = noon;
        Instant last_true = noon;
        for (const auto& [step_s, wrong_s] : *rc::gen::arbitrary<std::vector<std::pair<std::uint16_t, std::int32_t>>>()) {
            after = after + seconds(step_s);
            const auto look = at(after, seconds(wrong_s));
            const auto expected = clock.time_at(look);
            const auto time = clock.take(look);
            RC_ASSERT(time == expected);
            RC_ASSERT(time >= last);
            const auto went_by = (noon + after) - last_true;
            if (time > last) {
                RC_ASSERT(time <= last + went_by + tolerance);
                last_true = noon + after;
            }
            last = time;
        }
    }));
}

TEST(CheckedClock, SaysWhatIsWrongAndWhatToDo) {
    const ClockTrouble ahead{noon + hours(72), noon};
    EXPECT_NE(ahead.text().find(format_utc(noon + hours(72))), std::string::npos);
    EXPECT_NE(ahead.text().find("start the server again"), std::string::npos);
    const ClockTrouble behind{noon, noon + hours(72)};
    EXPECT_NE(behind.text().find("stands still"), std::string::npos);
}

}  // namespace
}  // namespace weir::control
