// Goal: a gang lands on the cards that a person would choose, and nowhere else.
// Method: one picture per case. A row is a node of one site, a character is a card: `.` is free, `#` was taken before.
// After the plan a digit is the job that got the card. Jobs are queued in the order in which they are listed.
#include "engines/scheduler/worlds.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::scheduler {
namespace {

using namespace worlds;
using Rows = std::vector<std::string>;

std::string node_name(std::size_t row) { return "node-" + std::to_string(row); }

/// A site `chengdu` whose cards are used as drawn; `tenths` reads a digit as tenths of a card in use.
Scheduler draw(const Rows& rows) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    std::uint64_t other = 1'000;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        tell(scheduler, node("chengdu", node_name(row), static_cast<std::int32_t>(rows[row].size())));
        for (std::size_t card = 0; card < rows[row].size(); ++card) {
            const char use = rows[row][card];
            if (use == '.') continue;
            const std::int64_t milli = use == '#' ? 1'000 : (use - '0') * 100;
            tell(scheduler, JobPlaced{uid(++other), 1, {.project = "other", .site = "chengdu", .model = "H800",
                                      .nodes = {{.node = node_name(row), .cards = {{static_cast<std::int32_t>(card), milli, 0}}}}}});
        }
    }
    return scheduler;
}

/// The drawing with the cards of each placed job marked by its number.
Rows mark_jobs(Rows rows, const Plan& plan) {
    for (const Placement& placement : plan.placements) {
        for (const NodeShare& share : placement.allocation.nodes) {
            const auto row = static_cast<std::size_t>(share.node.back() - '0');
            for (const CardShare& card : share.cards) {
                EXPECT_EQ(card.milli, 1'000);
                char& at = rows[row][static_cast<std::size_t>(card.card)];
                EXPECT_EQ(at, '.') << "card given twice";
                at = static_cast<char>('0' + placement.job.low);
            }
        }
    }
    return rows;
}

struct GangPicture {
    std::string_view name;
    Rows before;
    std::vector<Ask> jobs;
    Rows after;
};

TEST(Placement, WholeCardsAndGangs) {
    const std::vector<GangPicture> pictures{
        {"the tightest node that is enough", {"....", "##..", "#..."}, {ask(1, 2)}, {"....", "##00", "#..."}},
        {"a tie goes to the smaller name", {"....", "...."}, {ask(1, 1)}, {"0...", "...."}},
        {"an exact fit is a fit", {"####", "...."}, {ask(1, 4)}, {"####", "0000"}},
        {"one card short waits", {"###.", "#..."}, {ask(1, 4)}, {"###.", "#..."}},
        {"free cards of two nodes are no node", {"##..", "##.."}, {ask(1, 4)}, {"##..", "##.."}},
        {"a gang takes distinct nodes", {"....", "...."}, {ask(2, 2)}, {"00..", "00.."}},
        {"a gang is all or nothing", {"....", "###."}, {ask(2, 2)}, {"....", "###."}},
        {"gangs do not share cards", {"....", "...."}, {ask(2, 2), ask(2, 2)}, {"0011", "0011"}},
        {"a small job behind a blocked gang starts", {"##..", "####"}, {ask(2, 2), ask(1, 1)}, {"##1.", "####"}},
        {"holes between used cards count", {"#.#."}, {ask(1, 2)}, {"#0#0"}},
        {"large holes stay whole", {"....", "###.", "##.."}, {ask(1, 1), ask(1, 2), ask(1, 4)}, {"2222", "###0", "##11"}},
    };
    for (const GangPicture& picture : pictures) {
        Scheduler scheduler = draw(picture.before);
        for (std::size_t i = 0; i < picture.jobs.size(); ++i) tell(scheduler, queued(i, picture.jobs[i]));
        EXPECT_EQ(mark_jobs(picture.before, scheduler.plan({})), picture.after) << picture.name;
    }
}

// The same for fractions: a digit is the card's use in tenths; `card` is where the job of `tenths` must land.
TEST(Placement, FractionsShareTheFullestCardThatIsEnough) {
    struct Picture {
        std::string_view name;
        Rows before;
        std::int64_t tenths;
        int row;  ///< -1: it must wait.
        int card;
    };
    const std::vector<Picture> pictures{
        {"join the fullest", {"3.", "6."}, 4, 1, 0},     {"exactly the rest of a card", {"36", ".."}, 7, 0, 0},
        {"too large for any part", {"67", "#."}, 5, 1, 1}, {"a fresh card of the fullest node", {"..", "#."}, 5, 1, 1},
        {"whole cards are not shared", {"##"}, 1, -1, 0},  {"no part is enough", {"56", "##"}, 6, -1, 0},
        {"ties go to the smaller name, then card", {".55", "55."}, 5, 0, 1},
    };
    for (const Picture& picture : pictures) {
        Scheduler scheduler = draw(picture.before);
        tell(scheduler, queued(0, fraction(picture.tenths * 100)));
        const Plan plan = scheduler.plan({});
        ASSERT_EQ(plan.placements.size(), picture.row < 0 ? 0U : 1U) << picture.name;
        if (picture.row < 0) continue;
        const NodeShare& share = plan.placements[0].allocation.nodes[0];
        EXPECT_EQ(share.node, node_name(static_cast<std::size_t>(picture.row))) << picture.name;
        EXPECT_EQ(share.cards, (std::vector<CardShare>{{picture.card, picture.tenths * 100, 0}})) << picture.name;
    }
}

TEST(Placement, FractionsShareTheMemoryOfACard) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "node-0", 2));
    tell(scheduler, queued(0, fraction(100, 60'000)));
    tell(scheduler, queued(1, fraction(100, 30'000)));  // 100 milli are left beside job 0, 20 000 MiB are not enough.
    tell(scheduler, queued(2, fraction(100, 20'000)));
    tell(scheduler, queued(3, fraction(100, 80'001)));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 3U);
    EXPECT_EQ(plan.placements[0].allocation.nodes[0].cards[0].card, 0);
    EXPECT_EQ(plan.placements[1].allocation.nodes[0].cards[0].card, 1);
    EXPECT_EQ(plan.placements[2].allocation.nodes[0].cards[0].card, 0);
}

TEST(Placement, OnlyAnOwnerOfSlicingSharesCards) {
    struct Row {
        Slicing slicing;
        std::string owner;
        bool shares;
    };
    for (const auto& [slicing, owner, shares] : {Row{Slicing::fractional, "hami", true}, Row{Slicing::fractional, "none", false},
                                                 Row{Slicing::fractional, "", false}, Row{Slicing::exclusive, "weir", false},
                                                 Row{Slicing::fixed, "mig", false}}) {
        Scheduler scheduler;
        tell(scheduler, site("chengdu"));
        NodeSet made = node("chengdu", "node-0", 1);
        made.accelerators[0].slicing = slicing;
        made.accelerators[0].slicing_owner = owner;
        tell(scheduler, made);
        tell(scheduler, queued(0, fraction(500)));
        EXPECT_EQ(scheduler.plan({}).placements.size(), shares ? 1U : 0U) << owner;
        tell(scheduler, JobRemoved{uid(0)});
        tell(scheduler, queued(1, ask(1, 1)));
        EXPECT_EQ(scheduler.plan({}).placements.size(), 1U) << "whole cards are always given";
    }
}

TEST(Placement, CpusAndMemoryOfANodeAreCharged) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "gpu", 4));
    tell(scheduler, node("chengdu", "cpu", 0));
    Ask wanted{.project = "lab", .alternatives = {{}}, .cpus_milli = 32'000, .memory_mib = 1};
    for (std::uint64_t i = 0; i < 5; ++i) tell(scheduler, queued(i, wanted));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 4U);  // 64 cores each: two on the node without cards first, then two on the other.
    EXPECT_EQ(plan.placements[1].allocation.nodes[0].node, "cpu");
    EXPECT_EQ(plan.placements[2].allocation.nodes[0].node, "gpu");
    commit(scheduler, plan);
    tell(scheduler, queued(9, ask(1, 1)));
    EXPECT_EQ(scheduler.plan({}).placements.size(), 1U) << "a job that asks no CPUs needs none";
    Ask hungry = ask(1, 1);
    hungry.cpus_milli = 1;
    tell(scheduler, queued(9, hungry));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
}

TEST(Placement, PriorityThenAgeThenUid) {
    Scheduler scheduler = draw({"."});
    const auto first = [&] {
        const Plan plan = scheduler.plan({});
        return plan.placements.empty() ? 0 : plan.placements.at(0).job.low;
    };
    JobQueued one = queued(7, ask(1, 1));
    tell(scheduler, one);
    EXPECT_EQ(first(), 7U);
    one.job = uid(6);
    tell(scheduler, one);
    EXPECT_EQ(first(), 6U) << "the smaller Uid of equals";
    one.job = uid(8);
    one.queued_at = Instant{0};
    tell(scheduler, one);
    EXPECT_EQ(first(), 8U) << "the older";
    one.job = uid(9);
    one.queued_at = Instant{99};
    one.priority = 1;
    tell(scheduler, one);
    EXPECT_EQ(first(), 9U) << "the larger priority";
    tell(scheduler, JobRemoved{uid(9)});
    EXPECT_EQ(first(), 8U);
}

TEST(Placement, ALevelKeepsAGangTogether) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    for (const auto& [name, rack] : {std::pair{"a", "r1"}, {"b", "r2"}, {"c", "r1"}, {"d", "r2"}, {"e", "r3"}}) {
        NodeSet made = node("chengdu", name, name == std::string{"a"} ? 1 : 2);
        made.position = {rack};
        tell(scheduler, made);
    }
    Ask together = ask(2, 2);
    together.required_level = "rack";
    tell(scheduler, queued(1, together));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 1U);
    EXPECT_EQ(plan.placements[0].allocation.nodes[0].node, "b");
    EXPECT_EQ(plan.placements[0].allocation.nodes[1].node, "d");
    commit(scheduler, plan);
    tell(scheduler, queued(2, together));
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "c and e are free, but in two racks";
    EXPECT_EQ(scheduler.why(uid(2), {}).reasons.at(0).room.nodes_fit, 1);
    tell(scheduler, queued(3, ask(2, 2)));
    EXPECT_EQ(scheduler.plan({}).placements.size(), 1U) << "without the level they are a gang";
}

TEST(Placement, SoftTermsChooseTheSiteAndAreVisible) {
    Scheduler scheduler;
    SiteSet cheap = site("cheap");
    cheap.price_fen = {{"H800", 900}, {"A800", 500}};
    SiteSet dear = site("dear");
    dear.price_fen = {{"H800", 1'000}};
    dear.tier = Tier::core;
    tell(scheduler, cheap);
    tell(scheduler, dear);
    tell(scheduler, node("cheap", "a", 4));
    tell(scheduler, node("cheap", "b", 4, "A800"));
    tell(scheduler, node("dear", "c", 4));
    const auto choice = [&](const Ask& wanted) {
        tell(scheduler, queued(1, wanted));
        const Plan plan = scheduler.plan({});
        return plan.placements.at(0);
    };
    Ask wanted = ask(1, 1);
    EXPECT_EQ(choice(wanted).allocation.site, "cheap");
    EXPECT_EQ(choice(wanted).score, (Score{.price = -900, .packing = -75}));
    wanted.preferred_tier = Tier::core;
    EXPECT_EQ(choice(wanted).allocation.site, "dear");
    EXPECT_EQ(choice(wanted).score, (Score{.price = -1'000, .tier = 5'000, .packing = -75}));
    wanted = ask(1, 1);
    wanted.alternatives.push_back({.model = "A800", .milli_cards = 2'000});
    EXPECT_EQ(choice(wanted).alternative, 0) << "the first alternative, though the second is cheaper";
    std::swap(wanted.alternatives[0], wanted.alternatives[1]);
    EXPECT_EQ(choice(wanted).allocation.model, "A800");
    tell(scheduler, NodeRemoved{"cheap", "b"});
    EXPECT_EQ(choice(wanted).alternative, 1) << "the second where the first is nowhere";
    EXPECT_EQ(choice(wanted).score, (Score{.price = -450, .model = -100'000, .packing = -75})) << "half a card per card of the first";
}

TEST(Placement, PackingDecidesBetweenSitesThatAreElseEqual) {
    Scheduler scheduler;
    tell(scheduler, site("a"));
    tell(scheduler, site("b"));
    tell(scheduler, node("a", "large", 8));
    tell(scheduler, node("b", "small", 2));
    tell(scheduler, queued(1, ask(1, 2)));
    const Plan plan = scheduler.plan({});
    EXPECT_EQ(plan.placements.at(0).allocation.site, "b") << "a full node loses nothing";
    EXPECT_EQ(plan.placements.at(0).score.packing, 0);
    tell(scheduler, NodeRemoved{"b", "small"});
    EXPECT_EQ(scheduler.plan({}).placements.at(0).score.packing, -75);
}

// Found by the simulator (seed 11763): the class that a job had left stood in the list of a pool under that job's place in the queue. The
// class that the job came back in, with the same need, was taken for it and never looked at again.
TEST(Placement, AJobThatWaitsAnewWithOtherTermsKeepsItsTurn) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan(Instant{}));
    tell(scheduler, queued(2, ask(1, 1)));
    tell(scheduler, queued(3, ask(1, 1)));
    EXPECT_TRUE(scheduler.plan(Instant{}).placements.empty());
    auto other_terms = ask(1, 1);
    other_terms.trusted_sites = {"chengdu"};
    tell(scheduler, queued(2, other_terms));
    EXPECT_TRUE(scheduler.plan(Instant{}).placements.empty());
    tell(scheduler, JobRemoved{uid(1)});
    const auto plan = scheduler.plan(Instant{});
    ASSERT_EQ(plan.placements.size(), 1U);
    EXPECT_EQ(plan.placements.front().job, uid(2));
}

}  // namespace
}  // namespace weir::scheduler
