// Goal: a waiting job says what it lacks, with both numbers, in a form for everyone and one for operators.
#include "engines/scheduler/reason_text.hpp"
#include "engines/scheduler/worlds.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::scheduler {
namespace {

using namespace worlds;
using testing::ElementsAre;

/// One site of two nodes with 8 H800, of which `used` cards of the first are taken by somebody else.
Scheduler city(std::int32_t used) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 8));
    tell(scheduler, node("chengdu", "b", 8));
    NodeShare share{.node = "a"};
    for (std::int32_t card = 0; card < used; ++card) share.cards.push_back({card, 1'000, 0});
    if (used > 0) tell(scheduler, JobPlaced{uid(900), 1, {.project = "rival-lab", .site = "chengdu", .model = "H800", .nodes = {share}}});
    return scheduler;
}

std::vector<std::string> texts(const Scheduler& scheduler, Uid job, Audience audience = Audience::tenant, Instant now = {}) {
    std::vector<std::string> all;
    for (const Reason& reason : scheduler.why(job, now).reasons) all.push_back(reason_text(reason, audience));
    return all;
}

TEST(Why, SaysWhatAGangLacks) {
    Scheduler scheduler = city(4);
    tell(scheduler, queued(1, ask(2, 8)));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    EXPECT_THAT(texts(scheduler, uid(1)),
                ElementsAre("chengdu: 2 nodes with 8 x H800 each were asked, 1 node has room now and 12 of 16 are free in pieces; "
                            "wait, or ask for fewer, or name another model"));
    EXPECT_THAT(texts(scheduler, uid(1), Audience::operations),
                ElementsAre("chengdu: 2 nodes with 8 x H800 each were asked, 1 node has room now and 12 of 16 are free in pieces; "
                            "wait, or ask for fewer, or name another model; of 2 nodes: 1 short of free cards"));
}

TEST(Why, NeverTellsWhoHoldsTheCards) {
    Scheduler scheduler = city(8);
    tell(scheduler, queued(1, ask(2, 8)));
    for (const Audience audience : {Audience::tenant, Audience::operations}) {
        for (const std::string& text : texts(scheduler, uid(1), audience)) EXPECT_EQ(text.find("rival"), std::string::npos) << text;
    }
}

TEST(Why, TellsAllThatIsOfTheJob) {
    Scheduler scheduler = city(0);
    JobQueued held = queued(1, ask(1, 8));
    held.dependencies = 2;
    held.not_before = Instant{} + seconds(60);
    tell(scheduler, held);
    tell(scheduler, QuotaSet{"lab", "H800", 7'000});
    EXPECT_THAT(texts(scheduler, uid(1)),
                ElementsAre("2 jobs must end first; it is considered when they have ended",
                            "it backs off until 1970-01-01T00:01:00Z after an attempt that ended; it is considered again then",
                            "8 x H800 were asked, the project may hold 7 at once; ask for fewer, or for a larger quota"));
    EXPECT_TRUE(scheduler.plan(Instant{} + seconds(61)).placements.empty());
}

TEST(Why, AJobThatFitsAwaitsThePlan) {
    Scheduler scheduler = city(0);
    tell(scheduler, queued(1, ask(1, 8)));
    EXPECT_THAT(texts(scheduler, uid(1)), ElementsAre("chengdu: 8 x H800 on one node were asked, 2 nodes have room; the next plan "
                                                      "takes it unless a job before it needs the room"));
    commit(scheduler, scheduler.plan({}));
    EXPECT_EQ(scheduler.why(uid(1), {}).standing, JobStanding::placed);
    EXPECT_EQ(scheduler.why(uid(2), {}).standing, JobStanding::unknown);
}

TEST(Why, EveryConstraintRefusesByItsName) {
    struct Case {
        ReasonCode code;
        std::function<void(Ask&, SiteSet&, Scheduler&)> spoil;
        std::string text;
    };
    const std::vector<Case> cases{
        {ReasonCode::site_closed, [](Ask&, SiteSet& s, Scheduler&) { s.open = false; },
         "chengdu: the site is closed or out of reach and takes no new work now; wait until it opens"},
        {ReasonCode::site_not_trusted, [](Ask& a, SiteSet&, Scheduler&) { a.trusted_sites = {"mianyang"}; },
         "chengdu: the site is not on the job's trust list; add it there to use it"},
        {ReasonCode::site_excluded, [](Ask& a, SiteSet&, Scheduler&) { a.excluded_sites = {"chengdu"}; },
         "chengdu: the job excludes the site; take it off that list to use it"},
        {ReasonCode::outside_residency, [](Ask& a, SiteSet&, Scheduler&) { a.residency = {"cn/sichuan/cheng"}; },
         "chengdu: the site is in cn/sichuan/chengdu, outside the job's residency; widen the residency to use it"},
        {ReasonCode::tier_differs, [](Ask& a, SiteSet&, Scheduler&) { a.required_tier = Tier::core; },
         "chengdu: tier core is required, the site is cloud; leave the tier out to run at any"},
        {ReasonCode::funding_unanswered, [](Ask& a, SiteSet&, Scheduler&) { a.funding = "voucher"; },
         "chengdu: the site has no price for H800; wait until it has one, or submit it again for a model that it lists"},
        {ReasonCode::funding_refused,
         [](Ask& a, SiteSet&, Scheduler& scheduler) {
             a.funding = "voucher";
             tell(scheduler,
                  FundingSet{"voucher", {{"chengdu", {{"H800", {false, {{"voucher-2026", "only sites of tier core, clause 4"}}}}}}}});
         },
         "chengdu: the job's funding does not pay for H800 here (voucher-2026: only sites of tier core, clause 4); submit it again with "
         "funding that does"},
        {ReasonCode::level_unknown, [](Ask& a, SiteSet&, Scheduler&) { a.required_level = "block"; },
         "chengdu: the job must stay in one block, the site declares no such level; ask for another level"},
    };
    for (const Case& one : cases) {
        Scheduler scheduler = city(0);
        Ask wanted = ask(2, 1);
        SiteSet changed = site("chengdu");
        one.spoil(wanted, changed, scheduler);
        tell(scheduler, changed);
        tell(scheduler, queued(1, wanted));
        EXPECT_TRUE(scheduler.plan({}).placements.empty()) << one.text;
        const Why why = scheduler.why(uid(1), {});
        ASSERT_EQ(why.reasons.size(), 1U) << one.text;
        EXPECT_EQ(why.reasons[0].code, one.code) << reason_name(why.reasons[0].code);
        EXPECT_EQ(reason_text(why.reasons[0], Audience::tenant), one.text);
        EXPECT_EQ(scheduler.can_ever_fit(wanted).fits, one.code == ReasonCode::site_closed) << one.text;
    }
}

TEST(Why, ConstraintsLetPassWhatTheyShould) {
    Scheduler scheduler = city(0);
    tell(scheduler, FundingSet{"cash", {{"chengdu", {{"H800", {true, {{"voucher", "spent"}}}}}}}});
    Ask wanted = ask(2, 1);
    wanted.trusted_sites = {"mianyang", "chengdu"};
    wanted.excluded_sites = {"mianyang"};
    wanted.residency = {"cn/yunnan", "cn/sichuan"};
    wanted.required_tier = Tier::cloud;
    wanted.funding = "cash";
    tell(scheduler, queued(1, wanted));
    EXPECT_EQ(scheduler.plan({}).placements.size(), 1U);
    tell(scheduler, FundingSet{"cash", {{"chengdu", {{"H800", {false, {{"cash", "spent"}}}}}}}});
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "the answer counts at the moment of the plan";
}

TEST(Why, FundingIsAskedOfEachAlternative) {
    Scheduler scheduler = city(0);
    tell(scheduler, FundingSet{"voucher", {{"chengdu", {{"H800", {false, {{"voucher", "domestic cards only"}}}}, {"910B", {true, {}}}}}}});
    Ask wanted = ask(1, 8);
    wanted.funding = "voucher";
    wanted.alternatives.push_back({.model = "910B", .milli_cards = 8'000});
    wanted.alternatives.push_back({.model = "H20", .milli_cards = 8'000});
    tell(scheduler, queued(1, wanted));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    EXPECT_THAT(
        texts(scheduler, uid(1)),
        ElementsAre(
            "chengdu: the job's funding does not pay for H800 here (voucher: domestic cards only); submit it again with funding that does",
            "chengdu: 8 x 910B on one node were asked, the site has no 910B; name another model as an alternative",
            "chengdu: the site has no price for H20; wait until it has one, or submit it again for a model that it lists"));
    EXPECT_FALSE(scheduler.can_ever_fit(wanted).fits);
    tell(scheduler, node("chengdu", "c", 8, "910B"));
    tell(scheduler, node("chengdu", "d", 8, "H20"));
    EXPECT_TRUE(scheduler.can_ever_fit(wanted).fits);
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 1U);
    EXPECT_EQ(plan.placements[0].allocation.model, "910B") << "preferred cards that are free are no reason to owe what cannot be paid";
}

TEST(Why, QuarantinedNodesAreNotUsed) {
    Scheduler scheduler = city(0);
    Ask wanted = ask(1, 1);
    wanted.excluded_nodes = {{"chengdu", "a"}, {"mianyang", "b"}};
    tell(scheduler, queued(1, wanted));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 1U);
    EXPECT_EQ(plan.placements[0].allocation.nodes[0].node, "b");
    wanted.excluded_nodes.push_back({"chengdu", "b"});
    tell(scheduler, queued(1, wanted));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    EXPECT_EQ(scheduler.why(uid(1), {}).reasons.at(0).room.short_of_trust, 2);
    EXPECT_FALSE(scheduler.can_ever_fit(wanted).fits);
}

TEST(Why, EmulatedCardsAreShownAndCanBeRefused) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    NodeSet made = node("chengdu", "a", 2);
    made.accelerators[0].emulated = true;
    tell(scheduler, made);
    Ask wanted = ask(1, 1);
    tell(scheduler, queued(1, wanted));
    EXPECT_TRUE(scheduler.plan({}).placements.at(0).allocation.nodes.at(0).emulated);
    wanted.accepts_emulated = false;
    tell(scheduler, queued(1, wanted));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    EXPECT_EQ(scheduler.why(uid(1), {}).reasons.at(0).room.short_of_reality, 1);
}

TEST(Why, QuotaHoldsAtItsExactBoundary) {
    Scheduler scheduler = city(0);
    tell(scheduler, QuotaSet{"lab", "H800", 4'500});
    for (std::uint64_t n = 1; n <= 3; ++n) tell(scheduler, queued(n, ask(1, 2)));
    tell(scheduler, queued(4, fraction(500)));
    tell(scheduler, queued(5, fraction(1)));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 3U);
    EXPECT_EQ(plan.placements[2].job, uid(4)) << "2 + 2 + 0.5 is exactly 4.5";
    commit(scheduler, plan);
    EXPECT_THAT(texts(scheduler, uid(3)), ElementsAre("2 x H800 were asked, the project holds 4.5 and may hold 4.5; wait for its own jobs "
                                                      "to end, or ask for a larger quota"));
    tell(scheduler, JobReleased{uid(1), 1});
    EXPECT_EQ(scheduler.plan({}).placements.at(0).job, uid(3));
    tell(scheduler, QuotaSet{"lab", "H800", 0});
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "0 is nothing";
    tell(scheduler, QuotaSet{"lab", "H800", std::nullopt});
    EXPECT_EQ(scheduler.plan({}).placements.size(), 2U) << "no limit is all";
}

TEST(Why, TellsWaitingFromNever) {
    Scheduler scheduler = city(8);
    EXPECT_TRUE(scheduler.can_ever_fit(ask(2, 8)).fits) << "it only has to wait";
    const EverFit never = scheduler.can_ever_fit(ask(1, 9));
    ASSERT_FALSE(never.fits);
    ASSERT_EQ(never.reasons.size(), 1U);
    EXPECT_EQ(reason_text(never.reasons[0], Audience::tenant),
              "chengdu: 9 x H800 on one node were asked, no node has room even when all is free (8 at most on one node); ask for fewer, "
              "or name another model");
    EXPECT_EQ(scheduler.can_ever_fit(ask(3, 1)).reasons.at(0).room.nodes_fit, 2);
    EXPECT_EQ(scheduler.can_ever_fit(ask(1, 1, "H20")).reasons.at(0).code, ReasonCode::model_absent);
    NodeSet sick = node("chengdu", "a", 8);
    sick.healthy = false;
    tell(scheduler, sick);
    EXPECT_TRUE(scheduler.can_ever_fit(ask(2, 8)).fits) << "a node can recover";
    tell(scheduler, NodeRemoved{"chengdu", "a"});
    EXPECT_FALSE(scheduler.can_ever_fit(ask(2, 8)).fits);
    tell(scheduler, SiteRemoved{"chengdu"});
    EXPECT_EQ(scheduler.can_ever_fit(ask(1, 1)).reasons.at(0).code, ReasonCode::no_sites);
}

// Goal: the numbers that are told are those of what is missing, and what to do would help.
TEST(Why, NamesTheResourceThatIsMissing) {
    Scheduler scheduler = city(8);
    const auto told = [&](const Ask& wanted) { return reason_text(scheduler.can_ever_fit(wanted).reasons.at(0), Audience::tenant); };
    Ask wanted = ask(1, 1);
    wanted.memory_mib = 900 * 1024;
    EXPECT_EQ(told(wanted), "chengdu: 900 GiB of memory on one node were asked, and no node with H800 has more than 500 GiB; ask for less");
    wanted = ask(1, 1);
    wanted.cpus_milli = 65'500;
    EXPECT_EQ(told(wanted), "chengdu: 65.5 CPU cores on one node were asked, and no node with H800 has more than 64; ask for fewer");
    wanted = ask(1, 1);
    wanted.alternatives[0].memory_mib = 81'000;
    EXPECT_EQ(told(wanted),
              "chengdu: 81000 MiB of memory on each card were asked, and no H800 has more than 80000 MiB; ask for less, or name "
              "another model");
    for (const auto* name : {"a", "b"}) {
        NodeSet whole = node("chengdu", name, 8);
        whole.accelerators[0].slicing = Slicing::exclusive;
        tell(scheduler, whole);
    }
    EXPECT_EQ(told(fraction(500)), "chengdu: 0.5 of one H800 was asked, and the site gives H800 only whole; ask for 1");
}

TEST(Why, SaysThatASiteIsOutOfService) {
    Scheduler scheduler = city(8);
    for (const auto* name : {"a", "b"}) {
        NodeSet paused = node("chengdu", name, 8);
        paused.healthy = false;
        tell(scheduler, paused);
    }
    tell(scheduler, queued(1, ask(1, 1)));
    EXPECT_EQ(
        reason_text(scheduler.why(uid(1), {}).reasons.at(0), Audience::tenant),
        "chengdu: 1 x H800 on one node was asked, and the site is paused or not healthy (2 nodes with H800, none takes work now); wait "
        "until it is back");
}

TEST(Why, UnhealthyNodesAreNotUsed) {
    Scheduler scheduler = city(0);
    NodeSet sick = node("chengdu", "a", 8);
    sick.healthy = false;
    tell(scheduler, sick);
    tell(scheduler, queued(1, ask(1, 1)));
    EXPECT_EQ(scheduler.plan({}).placements.at(0).allocation.nodes.at(0).node, "b");
    tell(scheduler, queued(2, ask(2, 1)));
    EXPECT_EQ(scheduler.why(uid(2), {}).reasons.at(0).room.short_of_health, 1);
}

}  // namespace
}  // namespace weir::scheduler
