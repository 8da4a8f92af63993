// Goal: the copies of a site are together as fast as it says, and no faster, whoever is at work.
// Method: a clock that the test turns; an errand that rests by turning it.
#include "agent/checkpoint_desk.hpp"
#include "agent/pace.hpp"

#include <gtest/gtest.h>

namespace weir::agent {
namespace {

constexpr std::int64_t mib = std::int64_t{1} << 20;
ports::BootInstant at_ms(std::int64_t ms) { return {ms * 1'000'000}; }

TEST(Pace, ACopyWaitsForAsLongAsItsBytesTake) {
    Pace pace{10 * mib};
    EXPECT_EQ(pace.book(5 * mib, at_ms(1'000)), milliseconds(500));
    EXPECT_EQ(pace.book(10 * mib, at_ms(1'500)), milliseconds(1'000));
    EXPECT_EQ(pace.book(0, at_ms(2'500)), milliseconds(0));
}

TEST(Pace, SeveralWaitBehindEachOther) {
    Pace pace{10 * mib};
    EXPECT_EQ(pace.book(10 * mib, at_ms(0)), milliseconds(1'000));
    EXPECT_EQ(pace.book(10 * mib, at_ms(0)), milliseconds(2'000));
    EXPECT_EQ(pace.book(10 * mib, at_ms(500)), milliseconds(2'500));
}

TEST(Pace, IdleTimeIsNotSavedUp) {
    Pace pace{10 * mib};
    EXPECT_EQ(pace.book(10 * mib, at_ms(0)), milliseconds(1'000));
    EXPECT_EQ(pace.book(10 * mib, at_ms(60'000)), milliseconds(1'000));
}

TEST(Pace, AnyBoundAndAnySizeCanBeCounted) {
    Pace slow{1};
    EXPECT_EQ(slow.book(3, at_ms(0)), seconds(3));
    Pace fast{std::int64_t{1} << 50};
    EXPECT_EQ(fast.book(std::int64_t{1} << 52, at_ms(0)), seconds(4));
    EXPECT_NEAR(static_cast<double>(fast.book((std::int64_t{1} << 50) - 1, at_ms(4'000)).ns), 1e9, 1e6);
}

/// Rests by turning the clock.
class Sleeper final : public Errand {
public:
    explicit Sleeper(Pace& pace) : Errand{nullptr, &pace} {}
    std::int64_t rested_ns = 0;

protected:
    [[nodiscard]] ports::BootInstant now() const override { return {rested_ns}; }
    void rest(Duration duration) override { rested_ns += duration.ns; }
};

TEST(Pace, IsForWhatTravelsAndCountsItOnce) {
    Pace pace{10 * mib};
    Sleeper errand{pace};
    EXPECT_EQ(errand.onward(100 * mib), ports::Onward::go_on);
    EXPECT_EQ(errand.rested_ns, 0) << "read on the site itself";
    errand.travel(20 * mib);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(errand.onward(mib), ports::Onward::go_on);
    EXPECT_EQ(Duration{errand.rested_ns}, seconds(2));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(errand.onward(mib), ports::Onward::go_on);
    EXPECT_EQ(Duration{errand.rested_ns}, seconds(2)) << "read back to be compared";
}

TEST(Pace, WhoeverRestsIsWokenWhenNobodyWantsItAnyMore) {
    Pace pace{1};
    Errand errand{nullptr, &pace};
    errand.travel(3'000'000'000);
    errand.drop(ports::Onward::never);
    EXPECT_EQ(errand.onward(3'000'000'000), ports::Onward::never) << "and not in a hundred years";
}

}  // namespace
}  // namespace weir::agent
