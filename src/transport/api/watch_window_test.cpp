// Goal: however many stand at however many places, one window of a bounded size serves them, and each event is printed once.
#include "transport/api/watch_window.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace weir::api {
namespace {

/// A history of events of some sizes, of which those up to `gone` are no longer kept.
struct Past {
    std::vector<std::size_t> sizes;
    std::uint64_t gone = 0;
    std::size_t at_once = 3;
    std::size_t printed = 0;

    std::optional<std::vector<WatchLine>> after(std::uint64_t revision) {
        if (revision < gone) return std::nullopt;
        std::vector<WatchLine> lines;
        for (auto at = revision; at < sizes.size() && lines.size() < at_once; ++at)
            lines.push_back({.revision = at + 1, .text = std::string(sizes[at], 'x')});
        printed += lines.size();
        return lines;
    }
};

TEST(WatchWindow, ServesEveryPlaceFromOneWindowOfABoundedSize) {
    Past past{.sizes = std::vector<std::size_t>(10'000, 1'000)};
    WatchWindow window{[&](std::uint64_t revision) { return past.after(revision); }, 10'000};
    for (std::uint64_t place = 0; place < past.sizes.size(); ++place) {
        ASSERT_TRUE(window.move_to(place));
        ASSERT_EQ(window.lines().front().revision, place + 1);
        ASSERT_LT(window.bytes(), 10'000U + 3 * 1'000U);
    }
    EXPECT_EQ(past.printed, past.sizes.size()) << "each event once";
    EXPECT_TRUE(window.move_to(past.sizes.size()));
    EXPECT_TRUE(window.lines().empty());
    EXPECT_EQ(window.bytes(), 0U);
}

TEST(WatchWindow, SaysWhatIsNoLongerKept) {
    Past past{.sizes = std::vector<std::size_t>(10, 1), .gone = 4};
    WatchWindow window{[&](std::uint64_t revision) { return past.after(revision); }, 100};
    EXPECT_FALSE(window.move_to(3));
    EXPECT_TRUE(window.move_to(4)) << "and those that stand further on are served";
    EXPECT_EQ(window.lines().size(), 6U);
}

TEST(WatchWindow, HasWhatFollowsEachPlaceWithoutAGap) {
    EXPECT_TRUE(rc::check([] {
        Past past;
        past.sizes = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 50));
        past.at_once = *rc::gen::inRange<std::size_t>(1, 5);
        const auto enough = *rc::gen::inRange<std::size_t>(1, 100);
        WatchWindow window{[&](std::uint64_t revision) { return past.after(revision); }, enough};
        auto places = *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, past.sizes.size() + 1));
        std::ranges::sort(places);
        for (const auto place : places) {
            RC_ASSERT(window.move_to(place));
            std::size_t bytes = 0;
            for (std::size_t i = 0; i < window.lines().size(); ++i) {
                RC_ASSERT(window.lines()[i].revision == place + 1 + i);
                bytes += window.lines()[i].text.size();
            }
            RC_ASSERT(bytes == window.bytes());
            RC_ASSERT(bytes >= enough || place + window.lines().size() == past.sizes.size());
            RC_ASSERT(bytes < enough + past.at_once * 50);
        }
    }));
}

}  // namespace
}  // namespace weir::api
