#include "codec/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>

namespace weir::codec {
namespace {

TEST(Text, AnInstantIsWrittenAsBaseWritesIt) {
    EXPECT_TRUE(rc::check("append_utc == format_utc", [](std::int64_t ns, std::uint8_t zeros) {
        const std::int64_t unit = std::array<std::int64_t, 4>{1, 1'000, 1'000'000, 1'000'000'000}[zeros % 4];
        const Instant at{ns / unit * unit};
        std::string out;
        append_utc(out, at);
        RC_ASSERT(out == format_utc(at));
    }));
    for (const auto& [at, written] : {std::pair{Instant{INT64_MIN}, "1677-09-21T00:12:43.145224192Z"},
                                      std::pair{Instant{INT64_MAX}, "2262-04-11T23:47:16.854775807Z"}}) {
        std::string out;
        append_utc(out, at);
        EXPECT_EQ(out, written);
        EXPECT_EQ(format_utc(at), written);
    }
}

TEST(Text, ALengthOfTimeSurvivesItsText) {
    EXPECT_EQ(format_span(seconds(16'200)), "4h30m");
    EXPECT_EQ(format_span({0}), "0s");
    EXPECT_EQ(format_span({-1}), "-1ns");
    EXPECT_EQ(format_span({INT64_MIN}), "-106751d23h47m16s854ms775us808ns");
    EXPECT_EQ(parse_span("90m"), seconds(5400));
    EXPECT_EQ(parse_span("1d36h"), hours(60));
    EXPECT_EQ(parse_span("9223372036854775807ns"), Duration{INT64_MAX});
    for (const std::string_view bad : {"", "-", "5", "h", "1h1h", "1m1h", "1h 1m", "+1h", "1.5h", "1w", "--1h", "1h-1m", "106752d",
                                       "9223372036854775808ns", "99999999999999999999s", "1H"}) {
        EXPECT_EQ(parse_span(bad), std::nullopt) << bad;
    }
    EXPECT_TRUE(rc::check("parse(format(d)) == d", [](std::int64_t ns, std::uint8_t shift) {
        const Duration length{ns >> (shift % 64)};
        RC_ASSERT(parse_span(format_span(length)) == length);
    }));
}

TEST(Text, ADecimalIsExactAndSurvivesItsText) {
    EXPECT_EQ(format_decimal(0, 2), "0.00");
    EXPECT_EQ(format_decimal(-5, 2), "-0.05");
    EXPECT_EQ(format_decimal(123'456, 2), "1234.56");
    EXPECT_EQ(format_decimal(70, 0), "70");
    EXPECT_EQ(format_decimal(INT64_MIN, 3), "-9223372036854775.808");
    EXPECT_EQ(format_decimal_short(500, 3), "0.5");
    EXPECT_EQ(format_decimal_short(8'000, 3), "8");
    EXPECT_EQ(format_decimal_short(-1'000, 3), "-1");
    EXPECT_EQ(format_decimal_short(0, 3), "0");
    EXPECT_EQ(format_decimal_short(100, 0), "100");
    EXPECT_TRUE(rc::check("parse(format(n)) == n", [](std::int64_t any, std::uint8_t shift) {
        const std::int64_t count = (any & INT64_MAX) >> (shift % 63);
        for (const int places : {0, 2, 3}) {
            RC_ASSERT(parse_decimal(format_decimal(count, places), places) == count);
            RC_ASSERT(parse_decimal(format_decimal_short(count, places), places) == count);
        }
    }));
}

TEST(Text, TheNearestWordIsOneThatWasProbablyMeant) {
    constexpr std::array<std::string_view, 4> words{"num_nodes", "name", "resources", "run"};
    EXPECT_EQ(nearest("num_node", words), "num_nodes");
    EXPECT_EQ(nearest("nmae", words), "name");
    EXPECT_EQ(nearest("resorces", words), "resources");
    EXPECT_EQ(nearest("zzz", words), std::nullopt);
    constexpr std::array<std::string_view, 2> states{"succeeded", "failed"};
    EXPECT_EQ(nearest("exited", states), std::nullopt) << "half of it is another word";
    EXPECT_EQ(nearest("", words), std::nullopt);
    EXPECT_EQ(nearest(std::string(1'000'000, 'n'), words), std::nullopt);
}

TEST(Text, ForeignTextIsCutBetweenCharacters) {
    EXPECT_EQ(show("a\nb"), "\"a\\nb\"");
    EXPECT_EQ(show(std::string(59, 'x') + "堰"), "\"" + std::string(59, 'x') + "\"...");
    EXPECT_EQ(count_characters("a堰😀"), 3U);
}

}  // namespace
}  // namespace weir::codec
