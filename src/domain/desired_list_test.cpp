// Goal: a list kept from pages is the server's list, or is asked for again; never anything else.
// Method: pages as one-line pictures, in the orders in which a bad link would bring them. Whole histories against the real server side
// are in control/desired_test.cpp.
#include "domain/desired_list.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace weir {
namespace {

using Heard = DesiredList::Heard;

JobId job(char letter) { return {Uid{0, static_cast<std::uint64_t>(letter)}}; }

/// "a1" is generation 1 of job a; "a1!" should stop; "a1@n2" runs on node n2 instead of n1.
DesiredTask task(const std::string& word) {
    DesiredTask made;
    made.job = job(word[0]);
    made.generation = static_cast<std::uint32_t>(word[1] - '0');
    made.stop = word.ends_with('!');
    made.placement.nodes = {{NodeName{word.find('@') == std::string::npos ? "n1" : "n2"}, {{0, MilliCards{1000}}}}};
    return made;
}

std::vector<DesiredTask> tasks(const std::string& words) {
    std::vector<DesiredTask> made;
    std::istringstream text{words};
    for (std::string word; text >> word;) made.push_back(task(word));
    return made;
}

/// A page: "a1 b2 -c" sets two and removes one. `whole`: the list that the server has then, or nothing where more follows.
DesiredPage page(std::uint64_t revision, bool full, const std::string& words, const std::optional<std::string>& whole) {
    DesiredPage made;
    made.revision = revision;
    made.full = full;
    std::istringstream text{words};
    for (std::string word; text >> word;) {
        if (word[0] == '-') {
            made.removed.push_back(job(word[1]));
        } else {
            made.set.push_back(task(word));
        }
    }
    made.more = !whole;
    if (whole) made.digest = digest_of(tasks(*whole));
    return made;
}

std::string words(const DesiredList& list) {
    std::string text;
    for (const auto& one : list.list().tasks) {
        text += (text.empty() ? "" : " ") + std::string{static_cast<char>(one.job.uid.low)} + std::to_string(one.generation);
        if (one.placement.nodes.front().node == NodeName{"n2"}) text += "@n2";
        if (one.stop) text += "!";
    }
    return text;
}

TEST(DesiredList, IsKeptFromPages) {
    DesiredList list;
    struct Row {
        DesiredPage page;
        Heard heard;
        std::string words;
        std::uint64_t since;
    };
    const std::vector<Row> table{
        {page(7, true, "", ""), Heard::changed, "", 7},
        {page(9, false, "", ""), Heard::same, "", 9},
        {page(12, false, "a1 b1", "a1 b1"), Heard::changed, "a1 b1", 12},
        {page(14, false, "c1", {}), Heard::part, "", 14},
        {page(15, false, "-b", "a1 c1"), Heard::changed, "a1 c1", 15},
        {page(18, false, "a2", "a2 c1"), Heard::changed, "a2 c1", 18},
        {page(19, false, "c1!", "a2 c1!"), Heard::changed, "a2 c1!", 19},
        {page(19, false, "", "a2 c1!"), Heard::same, "a2 c1!", 19},
        {page(25, true, "a3 d1@n2", "a3 d1@n2"), Heard::changed, "a3 d1@n2", 25},
        {page(26, false, "-z", "a3 d1@n2"), Heard::same, "a3 d1@n2", 26},
    };
    for (const auto& row : table) {
        const auto question = list.ask();
        EXPECT_EQ(list.hear(question.number, row.page), row.heard) << row.words;
        EXPECT_EQ(list.is_whole(), row.heard != Heard::part);
        if (list.is_whole()) EXPECT_EQ(words(list), row.words);
        EXPECT_EQ(list.ask().since, row.since);
    }
    EXPECT_EQ(list.times_differed(), 0U);
}

TEST(DesiredList, AsksFromTheStartWhereTheDigestDoesNotHold) {
    for (const std::string other : {"a1", "a1 b2", "a1 b1!", "a1 b1@n2", "a1 b1 c1", ""}) {
        DesiredList list;
        EXPECT_EQ(list.hear(list.ask().number, page(5, true, "a1 b1", other)), Heard::differs) << other;
        EXPECT_FALSE(list.is_whole());
        EXPECT_EQ(list.ask().since, 0U);
        EXPECT_EQ(list.hear(list.ask().number, page(6, true, other, other)), Heard::changed);
        EXPECT_EQ(words(list), other);
        EXPECT_EQ(list.times_differed(), 1U);
    }
}

TEST(DesiredList, HearsEachAnswerOnceAndOnlyToTheLastQuestion) {
    DesiredList list;
    const auto first = list.ask();
    const auto second = list.ask();
    EXPECT_EQ(list.hear(first.number, page(3, true, "a1", "a1")), Heard::ignored);
    EXPECT_EQ(list.hear(second.number, page(5, true, "a2", "a2")), Heard::changed);
    EXPECT_EQ(list.hear(second.number, page(5, true, "a2", "a2")), Heard::ignored);
    EXPECT_EQ(list.hear(first.number, page(3, true, "a1", "a1")), Heard::ignored);
    EXPECT_EQ(words(list), "a2");
    EXPECT_TRUE(list.is_whole());
}

TEST(DesiredList, AListFromTheStartGoesOnWhereItWas) {
    DesiredList list;
    auto first = page(5, true, "a1 b1", {});
    first.after = job('b');
    EXPECT_EQ(list.hear(list.ask().number, first), Heard::part);
    const auto question = list.ask();
    EXPECT_EQ(question.since, 5U);
    EXPECT_EQ(question.after, job('b'));
    EXPECT_EQ(list.hear(question.number, page(5, false, "c1", {})), Heard::part) << "the list was told, changes since 5 follow";
    EXPECT_EQ(list.ask().after, std::nullopt);
    EXPECT_EQ(list.hear(list.ask().number, page(6, false, "-a", "b1 c1")), Heard::changed);
    EXPECT_EQ(words(list), "b1 c1");
}

TEST(DesiredList, APageThatGoesBackWithoutSayingSoIsNoChange) {
    DesiredList list;
    EXPECT_EQ(list.hear(list.ask().number, page(5, true, "a1", "a1")), Heard::changed);
    EXPECT_EQ(list.hear(list.ask().number, page(4, false, "", "a1")), Heard::differs);
    EXPECT_EQ(list.hear(list.ask().number, page(2, true, "b1", "b1")), Heard::changed) << "a server that was restored counts anew";
    EXPECT_EQ(words(list), "b1");
}

TEST(DesiredDigest, IsOfTheLinesAndNotOfTheirOrder) {
    EXPECT_EQ(digest_of(tasks("a1 b1 c1")), digest_of(tasks("c1 a1 b1")));
    EXPECT_EQ(digest_of({}), Digest{});
    EXPECT_NE(digest_of(tasks("a1")), Digest{});
    auto sum = digest_of(tasks("a1 b1"));
    toggle(sum, job('b'), 1, Wanted::run, task("b1").placement);
    EXPECT_EQ(sum, digest_of(tasks("a1")));
}

}  // namespace
}  // namespace weir
