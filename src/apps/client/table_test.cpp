// Goal: tables fit the terminal by losing what matters least; amounts, times and foreign text are shown as they should.
// Method: pictures of whole tables.
#include "apps/client/table.hpp"

#include "apps/client/format.hpp"
#include "apps/client/journal_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <iostream>
#include <sstream>

namespace weir::cli {
namespace {

Table example() {
    Table table{{{"ID"},
                 {.title = "NAME", .rank = 3, .least = 5},
                 {.title = "STATE", .rank = 2},
                 {.title = "YUAN", .rank = 1, .align = Align::right}}};
    table.add({"job-1", "night training", "running", "12.30"});
    table.add({"job-2", "算力训练任务", "queued", "0.05"});
    return table;
}

TEST(Table, IsAsWideAsItNeedsOffATerminal) {
    EXPECT_EQ(example().text(0),
              "ID     NAME            STATE     YUAN\n"
              "job-1  night training  running  12.30\n"
              "job-2  算力训练任务    queued    0.05\n");
}

TEST(Table, CutsTheColumnOfTheHighestRankFirst) {
    EXPECT_EQ(example().text(30),
              "ID     NAME     STATE     YUAN\n"
              "job-1  night …  running  12.30\n"
              "job-2  算力训…  queued    0.05\n");
}

TEST(Table, LeavesColumnsOutWhereCuttingIsNotEnough) {
    EXPECT_EQ(example().text(24),
              "ID     STATE     YUAN\n"
              "job-1  running  12.30\n"
              "job-2  queued    0.05\n");
    EXPECT_EQ(example().text(3),
              "ID      YUAN\n"
              "job-1  12.30\n"
              "job-2   0.05\n");
}

TEST(Table, RoomThatAColumnLeftGoesBackToTheCutOnes) {
    Table table{
        {{"ID"}, {.title = "NAME", .rank = 2, .least = 5}, {.title = "OWNER", .rank = 3, .least = 5}, {.title = "NOTE", .rank = 4}}};
    table.add({"job-1", "night training", "pidu-core", "twelve letters"});
    EXPECT_EQ(table.text(33),
              "ID     NAME            OWNER\n"
              "job-1  night training  pidu-core\n");
    EXPECT_EQ(table.text(30),
              "ID     NAME            OWNER\n"
              "job-1  night training  pidu-c…\n");
}

TEST(Table, AColumnThatWrapsGoesOnBelowAndStays) {
    Table table{{{"SITE"},
                 {.title = "CARDS", .rank = 9, .least = 11, .wraps = true, .stays = true},
                 {.title = "CPUS", .rank = 2, .align = Align::right}}};
    table.add({"pidu-core", "8 x A100 (emulated), 4 x cpu", "64"});
    table.add({"east", "1 x one-very-long-model", "8"});
    EXPECT_EQ(table.text(38),
              "SITE       CARDS                  CPUS\n"
              "pidu-core  8 x A100 (emulated),     64\n"
              "           4 x cpu\n"
              "east       1 x                       8\n"
              "           one-very-long-model\n");
    EXPECT_EQ(table.text(22),
              "SITE       CARDS\n"
              "pidu-core  8 x A100\n"
              "           (emulated),\n"
              "           4 x cpu\n"
              "east       1 x\n"
              "           one-very-l…\n");
}

TEST(Table, AColumnAtItsLeastIsOneCharacterAndAnEllipsis) {
    EXPECT_EQ(cut("abcdef", 6), "abcdef");
    EXPECT_EQ(cut("abcdef", 5), "abcd…");
    EXPECT_EQ(cut("算力训练", 5), "算力…");
    EXPECT_EQ(cut("算力训练", 4), "算…");
    EXPECT_EQ(cut("abc", 0), "");
}

RC_GTEST_PROP(Table, NoLineIsWiderThanTheTerminalUnlessWhatMustBeShownIs, (const std::vector<std::string>& names)) {
    Table table{{{"ID"}, {.title = "NAME", .rank = 2, .least = 4}, {.title = "NOTE", .rank = 3}}};
    for (const auto& name : names) {
        const auto shown = visible(name);
        table.add({"x", shown, shown});
    }
    const auto width = *rc::gen::inRange<std::size_t>(2, 100);
    std::istringstream lines{table.text(width)};
    for (std::string line; std::getline(lines, line);) RC_ASSERT(display_width(line) <= width);
}

TEST(Fields, StandBelowEachOtherAndEmptyOnesAreLeftOut) {
    Fields fields;
    fields.add("name", "digits");
    fields.add("reason", "");
    fields.add("owed so far", "1.20 yuan");
    EXPECT_EQ(fields.text(0), "name         digits\nowed so far  1.20 yuan\n");
}

TEST(Fields, LongValuesGoOnBelowTheirBeginning) {
    Fields fields;
    fields.add("kinds", "startup, university  [article 2 (1): both]");
    fields.add("id", "a-word-that-does-not-fit");
    EXPECT_EQ(fields.text(20),
              "kinds  startup,\n"
              "       university\n"
              "       [article 2\n"
              "       (1): both]\n"
              "id     a-word-that-does-not-fit\n");
    EXPECT_EQ(fields.text(0), "kinds  startup, university  [article 2 (1): both]\nid     a-word-that-does-not-fit\n");
}

TEST(Format, MoneyIsExactToTheFen) {
    EXPECT_EQ(yuan(0), "0.00");
    EXPECT_EQ(yuan(5), "0.05");
    EXPECT_EQ(yuan(-5), "-0.05");
    EXPECT_EQ(yuan(123456), "1234.56");
    EXPECT_EQ(yuan(INT64_MIN), "-92233720368547758.08");
}

TEST(Format, CardsAndCardSecondsAreExact) {
    EXPECT_EQ(cards(8000), "8");
    EXPECT_EQ(cards(500), "0.5");
    EXPECT_EQ(cards(1125), "1.125");
}

TEST(Format, NothingThatMovesACursorPasses) {
    EXPECT_EQ(visible("a\x1b[2Jb\r\n"), "a?[2Jb??");
    EXPECT_EQ(visible("a\nb", true), "a\nb");
    EXPECT_EQ(visible("\xc2\x9b"
                      "31m"),
              "?31m");
    EXPECT_EQ(visible("算力"), "算力");
    EXPECT_EQ(visible("bad \xff"), "bad ?");
    EXPECT_EQ(visible("\xe2\x80\xae" "gpj.exe"), "?gpj.exe") << "a mark that turns the direction of writing";
}

TEST(Format, LengthsOfTimeAreExactToTheSecond) {
    EXPECT_EQ(span(seconds(5'400)), "1h 30m");
    EXPECT_EQ(span(seconds(600)), "10m");
    EXPECT_EQ(span(seconds(90'061)), "1d 1h 1m 1s");
    EXPECT_EQ(span(seconds(86'405)), "1d 5s");
    EXPECT_EQ(span(milliseconds(900)), "0s");
}

TEST(Format, AZoneStandsBehindATimeOfDay) {
    std::istringstream in;
    std::ostringstream out;
    Console console{.in = in, .out = out, .err = out, .width = 80};
    for (const auto& [offset_s, text] : {std::pair{8 * 3600, "2026-11-22 14:00:00 +08:00"},
                                         {0, "2026-11-22 06:00:00 UTC"},
                                         {-(3 * 3600 + 1800), "2026-11-22 02:30:00 -03:30"}}) {
        console.local_time = [offset_s](Instant at) {
            const std::time_t whole = floor_seconds(at) + offset_s;
            std::tm parts{};
            ::gmtime_r(&whole, &parts);
            parts.tm_gmtoff = offset_s;
            return parts;
        };
        EXPECT_EQ(zoned_text(console, *parse_utc("2026-11-22T06:00:00Z")), text);
    }
}

/// A console in Chengdu, which is eight hours ahead of UTC, at two in the afternoon.
struct Chengdu {
    std::istringstream in;
    std::ostringstream out;
    Console console{.in = in, .out = out, .err = out};

    Chengdu() {
        console.now = [] { return *parse_utc("2026-11-22T06:00:00Z"); };
        console.local_time = [](Instant at) {
            const std::time_t whole = floor_seconds(at) + 8 * 3600;
            std::tm parts{};
            ::gmtime_r(&whole, &parts);
            return parts;
        };
    }
};

TEST(Format, InstantsWithinATextAreLocalTimes) {
    Chengdu there;
    EXPECT_EQ(with_local_times(there.console, "it runs since 2026-11-22T21:55:05.273559862Z; before 2026-11-23T00:00:00Z. 3 of 4"),
              "it runs since 2026-11-23 05:55:05; before 2026-11-23 08:00:00. 3 of 4");
    for (const auto* text : {"", "2026", "2026-11-22T21:55:05", "2026-99-22T21:55:05Z", "tok-01m80b4zf28w", "n1, 算力 2", "12Z", "1"})
        EXPECT_EQ(with_local_times(there.console, text), text);
    there.console.width = 80;
    EXPECT_EQ(with_local_times(there.console, "since 2026-11-22T05:04:03.5Z"), "since 13:04:03");
}

TEST(Format, TimesAreShortOnATerminalAndStableOffIt) {
    Chengdu there;
    auto& console = there.console;
    const auto shown = [&](const char* utc) { return local_text(console, *parse_utc(utc)); };
    EXPECT_EQ(shown("2026-11-22T05:04:03Z"), "2026-11-22 13:04:03");
    console.width = 80;
    EXPECT_EQ(shown("2026-11-21T17:04:03Z"), "01:04:03");
    EXPECT_EQ(shown("2026-11-21T15:04:03Z"), "11-21 23:04");
    EXPECT_EQ(shown("2025-11-21T15:04:03Z"), "2025-11-21");
    const auto voucher = codec::read_json(R"({"valid_to":"2026-12-31T16:00:00Z"})");
    ASSERT_TRUE(voucher);
    EXPECT_EQ(day_of(console, *voucher, "valid_to"), "2027-01-01");
    EXPECT_EQ(last_day_of(console, *voucher, "valid_to"), "2026-12-31") << "to before the first of January";
    EXPECT_EQ(day_of(console, *voucher, "valid_from"), "-");
    EXPECT_EQ(last_day_of(console, *voucher, "valid_from"), "-");
    console.width = 0;
    EXPECT_EQ(day_of(console, *voucher, "valid_to"), "2027-01-01 00:00:00");
}

TEST(Journal, AnEventIsALineOfItsMembers) {
    Chengdu there;
    const auto& console = there.console;
    const auto event = codec::read_json(
        R"({"job":"job-1","generation":2,"placement":{"site":"pidu-core","model":"H800","emulated":true,"nodes":[]},
        "roles":["owner"],"postings":[{},{}],"at":"2026-11-22T05:00:00.273559862Z"})");
    ASSERT_TRUE(event);
    EXPECT_EQ(event_text(console, *event),
              "job=job-1 generation=2 placement=pidu-core/H800 (emulated) roles=owner postings=[2] at=2026-11-22 13:00:00");
    const auto posted = codec::read_json(
        R"({"opened":[],"postings":[{"dr":"acc-1","code":"redeem","amt":3,"rel":189},{"dr":"acc-2","code":"charge","amt":3}]})");
    ASSERT_TRUE(posted);
    EXPECT_EQ(event_text(console, *posted), "postings=redeem 0.03 of 1.92, charge 0.03");
    const auto freed = codec::read_json(R"({"postings":[{"dr":"acc-1","code":"release","amt":0,"rel":384}]})");
    ASSERT_TRUE(freed);
    EXPECT_EQ(event_text(console, *freed), "postings=release 3.84");
    EXPECT_EQ(event_name(41), "job_placed");
    EXPECT_EQ(event_name(99), "type 99");
}

}  // namespace
}  // namespace weir::cli
