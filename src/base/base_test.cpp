#include "base/id.hpp"
#include "base/quantity.hpp"
#include "base/random.hpp"
#include "base/sha256.hpp"
#include "base/time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>

namespace weir {
namespace {

// Goal: an instant survives its text, and nothing but a real instant is read.
TEST(Time, TextAndInstantAgree) {
    struct Row {
        std::string_view text;
        std::int64_t ns;
    };
    for (const auto& [text, ns] : std::array{
             Row{"1970-01-01T00:00:00Z", 0}, Row{"1969-12-31T23:59:59.999999999Z", -1},
             Row{"2026-11-22T06:00:00Z", 1'795'327'200'000'000'000}, Row{"2024-02-29T00:00:00.5Z", 1'709'164'800'500'000'000},
             Row{"2026-11-22T14:00:00+08:00", 1'795'327'200'000'000'000}}) {
        EXPECT_EQ(parse_utc(text), Instant{ns}) << text;
    }
    for (const std::string_view bad :
         {"", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00",
          "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01 00:00:00+8", "9999-01-01T00:00:00Z",
          "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224191Z", "2026-01-01T00:00:00Zx"}) {
        EXPECT_EQ(parse_utc(bad), std::nullopt) << bad;
    }
    EXPECT_TRUE(rc::check("format then parse is the identity", [](std::int64_t ns) {
        const Instant t{ns / 2};
        RC_ASSERT(parse_utc(format_utc(t)) == t);
    }));
}

TEST(Time, ACivilDayInChinaBeginsAtItsMidnight) {
    const auto after = [](const char* t, std::int64_t days) { return format_utc(china_day(*parse_utc(t), days)); };
    EXPECT_EQ(after("2026-12-31T23:59:59.999999999+08:00", 0), "2026-12-30T16:00:00Z");
    EXPECT_EQ(after("2026-12-31T23:59:59+08:00", 1), "2026-12-31T16:00:00Z") << "to the end of a year is to before 2027-01-01T00:00+08:00";
    EXPECT_EQ(after("2027-01-01T00:00:00+08:00", 0), "2026-12-31T16:00:00Z");
    EXPECT_EQ(after("2027-01-01T00:00:00+08:00", 1), "2027-01-01T16:00:00Z");
    EXPECT_EQ(after("2028-02-28T12:00:00Z", 2), "2028-02-29T16:00:00Z");
    EXPECT_EQ(after("1969-12-31T15:00:00Z", 0), "1969-12-30T16:00:00Z");
}

TEST(Time, DurationsReadLikeSpeech) {
    EXPECT_EQ(format_duration(seconds(16'200)), "4 h 30 min");
    EXPECT_EQ(format_duration(milliseconds(350)), "350 ms");
    EXPECT_EQ(format_duration(seconds(60)), "1 min");
    EXPECT_EQ(format_duration(seconds(-90)), "-1 min 30 s");
    EXPECT_EQ(format_duration({0}), "0 ms");
}

TEST(Id, NamesAreSafeInPathsUrlsAndLogs) {
    for (const std::string_view good : {"a", "lab-1", "h800.rack-2", "0"}) EXPECT_TRUE(is_name(good)) << good;
    for (const std::string_view bad : {"", "-a", "a-", "A", "a b", "a/b", "..", "a..b", "a@b", "ä", "a_b"}) {
        EXPECT_FALSE(is_name(bad)) << bad;
    }
    EXPECT_TRUE(is_name(std::string(63, 'x')));
    EXPECT_FALSE(is_name(std::string(64, 'x')));
}

TEST(Id, AUidSurvivesItsTextAndSortsByTime) {
    EXPECT_TRUE(rc::check("format then parse is the identity", [](std::uint64_t high, std::uint64_t low) {
        RC_ASSERT(parse_uid(format_uid({high, low})) == (Uid{high, low}));
    }));
    const auto early = make_uid(Instant{1'000'000'000}, ~0ULL, ~0ULL);
    const auto late = make_uid(Instant{1'001'000'000}, 0, 0);
    EXPECT_LT(format_uid(early), format_uid(late));
    EXPECT_EQ(time_of(late), Instant{1'001'000'000});
    EXPECT_EQ(time_of({~0ULL, 0}), Instant{INT64_MAX}) << "a hostile id";
    EXPECT_EQ(parse_uid("8zzzzzzzzzzzzzzzzzzzzzzzzz"), std::nullopt) << "129 bits";
    EXPECT_EQ(parse_uid("0123"), std::nullopt);
}

TEST(Quantity, MulDivRoundsOnceAndRefusesOverflow) {
    EXPECT_EQ(mul_div(7, 1, 2, Rounding::down), 3);
    EXPECT_EQ(mul_div(7, 1, 2, Rounding::half_up), 4);
    EXPECT_EQ(mul_div(7, 1, 3, Rounding::half_up), 2);
    EXPECT_EQ(mul_div(8, 1, 3, Rounding::half_up), 3);
    EXPECT_EQ(mul_div(7, 1, 3, Rounding::up), 3);
    EXPECT_EQ(mul_div(INT64_MAX, INT64_MAX, INT64_MAX, Rounding::down), INT64_MAX);
    EXPECT_EQ(mul_div(INT64_MAX, 2, 1, Rounding::down), std::nullopt);
    EXPECT_EQ(mul_div(1, 1, 0, Rounding::down), std::nullopt);
    EXPECT_EQ(mul_div(-1, 1, 1, Rounding::down), std::nullopt);
    EXPECT_EQ(checked_add(INT64_MAX, 1), std::nullopt);
    EXPECT_EQ(checked_mul(INT64_MIN, -1), std::nullopt);
}

// Published digests: FIPS 180-4 examples.
TEST(Sha256, KnownDigests) {
    EXPECT_EQ(sha256("abc").text(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256("").text(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const auto first = sha256("a");
    EXPECT_EQ(chain(first, "b"), sha256(std::string{reinterpret_cast<const char*>(first.bytes.data()), 32} + "b"));
    EXPECT_EQ(Digest::parse(first.text()), first);
    EXPECT_EQ(Digest::parse("xyz"), std::nullopt);
}

TEST(Random, StreamsAreRepeatableAndApart) {
    Random a{7, "network"}, b{7, "network"}, c{7, "disk"};
    const auto first = a.next();
    EXPECT_EQ(first, b.next());
    EXPECT_NE(first, c.next());
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LT(a.below(10), 10U);
        const auto draw = a.between(-3, 3);
        EXPECT_TRUE(draw >= -3 && draw <= 3);
    }
}

}  // namespace
}  // namespace weir
