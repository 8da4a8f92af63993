#include "transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::http {
namespace {

using testing::ElementsAre;

std::vector<Event> events_of(EventParser& parser) {
    std::vector<Event> events;
    while (auto event = parser.next()) events.push_back(std::move(*event));
    return events;
}

std::vector<Event> read(std::string_view text) {
    EventParser parser;
    EXPECT_TRUE(parser.feed(text));
    return events_of(parser);
}

TEST(Events, PrintLineByLine) {
    EXPECT_EQ(format_event({.id = "7", .name = "job", .data = "a\nb"}), "id: 7\nevent: job\ndata: a\ndata: b\n\n");
    EXPECT_EQ(format_event({.id = "1\n2", .name = "x\r\ndata: y", .data = ""}), "id: 12\nevent: xdata: y\ndata: \n\n");
    EXPECT_EQ(format_event({.id = "", .name = "", .data = "a\r\nb\rc"}), "data: a\ndata: b\ndata: c\n\n");
    EXPECT_EQ(format_comment("two\nlines"), ": two\n: lines\n\n");
}

// Goal: the format is read as browsers read it.
TEST(Events, AreReadAsBrowsersDo) {
    EXPECT_THAT(read("data: YHOO\ndata: +2\ndata: 10\n\n"), ElementsAre(Event{"", "", "YHOO\n+2\n10"}));
    EXPECT_THAT(read(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
                ElementsAre(Event{"1", "", "first event"}, Event{"", "", "second event"}, Event{"", "", " third event"}));
    EXPECT_THAT(read("data\n\ndata\ndata\n\ndata:"), ElementsAre(Event{"", "", ""}, Event{"", "", "\n"}));
    EXPECT_THAT(read("id: 5\ndata: a\n\ndata: b\n\n"), ElementsAre(Event{"5", "", "a"}, Event{"5", "", "b"}));
    EXPECT_THAT(read("event: x\n\ndata: y\n\n"), ElementsAre(Event{"", "", "y"}));
    EXPECT_THAT(read("\xEF\xBB\xBF" "data: a\r\rdata: b\r\n\r\n"), ElementsAre(Event{"", "", "a"}, Event{"", "", "b"}));
    EXPECT_THAT(read("unknown: x\ndata: a\n\n"), ElementsAre(Event{"", "", "a"}));
}

TEST(Events, ParserKeepsWhatAReconnectionNeeds) {
    EventParser parser;
    ASSERT_TRUE(parser.feed("retry: 2500\nretry: x\nid: 9\ndata: a\n\n: closed: too slow\n"));
    EXPECT_EQ(parser.last_id(), "9");
    EXPECT_EQ(parser.retry_ms(), 2500);
    EXPECT_EQ(parser.last_comment(), "closed: too slow");
}

TEST(Events, AnEventHasALimit) {
    EventParser parser{10};
    EXPECT_TRUE(parser.feed("data: 1234\n\n"));
    EXPECT_FALSE(parser.feed("data: 12345678"));
    EXPECT_FALSE(parser.feed("\n"));
    EventParser many{64};
    EXPECT_TRUE(many.feed("data: 0123456789012345678\ndata: 0123456789012345678\n"));
    EXPECT_FALSE(many.feed("data: 0123456789012345678\ndata: 0123456789012345678\n"));
}

TEST(Events, SurviveTheirTextHoweverItIsCut) {
    EXPECT_TRUE(rc::check("format then parse is the identity",
                          [](const std::string& data, std::uint32_t id, const std::vector<std::uint8_t>& cuts) {
        Event event{.id = std::to_string(id), .name = "job", .data = data};
        std::erase(event.data, '\r');
        const std::string text = format_comment("heartbeat") + format_event(event) + format_event(event);
        EventParser parser;
        std::string_view rest = text;
        for (const std::uint8_t cut : cuts) {
            RC_ASSERT(parser.feed(rest.substr(0, cut % 7)).has_value());
            rest.remove_prefix(std::min<std::size_t>(cut % 7, rest.size()));
        }
        RC_ASSERT(parser.feed(rest).has_value());
        RC_ASSERT(events_of(parser) == (std::vector{event, event}));
    }));
}

}  // namespace
}  // namespace weir::http
