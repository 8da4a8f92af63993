// Goal: every fact is taken or refused for the first reason that applies, and sleeping classes wake for what concerns them only.
#include "engines/scheduler/worlds.hpp"

#include <gtest/gtest.h>

namespace weir::scheduler {
namespace {

using namespace worlds;

TEST(Ask, IsRefusedForTheFirstReasonThatApplies) {
    struct Row {
        AskRefusal refusal;
        void (*spoil)(Ask&);
    };
    // Each row spoils the ask further, from the last reason to the first.
    Ask bad = ask(1, 1);
    EXPECT_TRUE(check_ask(bad));
    for (const auto& [refusal, spoil] : {
             Row{AskRefusal::list_too_long, [](Ask& a) { a.residency.resize(ask_list_max + 1); }},
             Row{AskRefusal::amount_out_of_range, [](Ask& a) { a.cpus_milli = -1; }},
             Row{AskRefusal::cards_not_whole, [](Ask& a) { a.alternatives[0].milli_cards = 1'500; }},
             Row{AskRefusal::model_without_cards, [](Ask& a) { a.alternatives[0].model = ""; }},
             Row{AskRefusal::alternatives_out_of_range, [](Ask& a) { a.alternatives.clear(); }},
             Row{AskRefusal::nodes_out_of_range, [](Ask& a) { a.nodes = 0; }},
             Row{AskRefusal::project_is_empty, [](Ask& a) { a.project = ""; }},
         }) {
        spoil(bad);
        ASSERT_FALSE(check_ask(bad));
        EXPECT_EQ(check_ask(bad).error(), refusal);
    }
}

TEST(Ask, BoundsAreInclusive) {
    Ask wanted = ask(gang_nodes_max, node_cards_max);
    wanted.cpus_milli = wanted.memory_mib = amount_max;
    wanted.alternatives.resize(alternatives_max, wanted.alternatives[0]);
    EXPECT_TRUE(check_ask(wanted));
    EXPECT_FALSE(check_ask(ask(gang_nodes_max + 1, 1)));
    EXPECT_FALSE(check_ask(ask(1, node_cards_max + 1)));
    EXPECT_TRUE(check_ask(fraction(999)));
    EXPECT_FALSE(check_ask(fraction(1'001)));
    EXPECT_FALSE(check_ask(fraction(-1)));
    EXPECT_FALSE(check_ask(fraction(0)));
}

TEST(Delta, IsRefusedAndChangesNothing) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 2));
    const Allocation held{.project = "lab", .site = "chengdu", .model = "H800", .nodes = {{.node = "a", .cards = {{0, 1'000, 0}}}}};
    tell(scheduler, JobPlaced{uid(1), 1, held});
    NodeSet twice = node("chengdu", "b", 2);
    twice.accelerators.push_back(twice.accelerators[0]);
    NodeSet large = node("chengdu", "b", node_cards_max + 1);
    Allocation beyond = held;
    beyond.nodes[0].cards[0].card = node_cards_max;
    Allocation more = held;
    more.nodes[0].cards[0].milli = 1'001;
    SiteSet paid = site("chengdu");
    paid.price_fen["H800"] = -1;
    const std::vector<std::pair<Delta, DeltaRefusal>> rows{
        {SiteSet{}, DeltaRefusal::name_is_empty},
        {paid, DeltaRefusal::amount_out_of_range},
        {SiteRemoved{"mianyang"}, DeltaRefusal::site_is_unknown},
        {node("chengdu", "", 1), DeltaRefusal::name_is_empty},
        {node("mianyang", "a", 1), DeltaRefusal::site_is_unknown},
        {twice, DeltaRefusal::model_is_repeated},
        {large, DeltaRefusal::amount_out_of_range},
        {NodeRemoved{"mianyang", "a"}, DeltaRefusal::site_is_unknown},
        {NodeRemoved{"chengdu", "b"}, DeltaRefusal::node_is_unknown},
        {FundingSet{}, DeltaRefusal::name_is_empty},
        {FundingRemoved{"cash"}, DeltaRefusal::funding_is_unknown},
        {QuotaSet{"", "H800", 1}, DeltaRefusal::name_is_empty},
        {QuotaSet{"lab", "H800", -1}, DeltaRefusal::amount_out_of_range},
        {queued(2, ask(0, 1)), DeltaRefusal::ask_is_malformed},
        {JobPlaced{uid(2), 1, {}}, DeltaRefusal::name_is_empty},
        {JobPlaced{uid(2), 1, beyond}, DeltaRefusal::amount_out_of_range},
        {JobPlaced{uid(2), 1, more}, DeltaRefusal::amount_out_of_range},
        {JobPlaced{uid(1), 1, held}, DeltaRefusal::generation_is_held},
        {JobReleased{uid(2), 1}, DeltaRefusal::job_is_unknown},
        {JobReleased{uid(1), 2}, DeltaRefusal::generation_is_unknown},
        {JobRemoved{uid(2)}, DeltaRefusal::job_is_unknown},
        {JobWithdrawn{uid(2)}, DeltaRefusal::job_is_unknown},
    };
    const auto facts = scheduler.facts();
    const auto print = scheduler.fingerprint();
    for (const auto& [delta, refusal] : rows) {
        const auto taken = scheduler.apply(delta);
        const auto row = &delta - &rows.front().first;
        ASSERT_FALSE(taken) << row;
        EXPECT_EQ(taken.error(), refusal) << row;
    }
    EXPECT_EQ(scheduler.facts(), facts);
    EXPECT_EQ(scheduler.fingerprint(), print);
}

TEST(Delta, AMovingJobWaitsAndHoldsAtOnce) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan({}));
    Ask elsewhere = ask(1, 1);
    elsewhere.excluded_nodes = {{"chengdu", "a"}};
    tell(scheduler, queued(1, elsewhere));
    EXPECT_EQ(scheduler.why(uid(1), {}).standing, JobStanding::waiting);
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    tell(scheduler, node("chengdu", "b", 1));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 1U);
    tell(scheduler, JobPlaced{uid(1), 2, plan.placements[0].allocation});
    tell(scheduler, queued(2, ask(1, 1)));
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "both generations hold their cards";
    tell(scheduler, JobReleased{uid(1), 1});
    EXPECT_EQ(scheduler.plan({}).placements.at(0).allocation.nodes.at(0).node, "a");
    EXPECT_EQ(scheduler.why(uid(1), {}).standing, JobStanding::placed);
}

// A project that uses all it may can still move what it has, and to no other model.
TEST(Delta, AMovingJobIsNotRefusedByTheQuotaThatItGivesBack) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, node("chengdu", "b", 1));
    tell(scheduler, node("chengdu", "c", 1, "A100"));
    tell(scheduler, QuotaSet{"lab", "H800", 1'000});
    tell(scheduler, QuotaSet{"lab", "A100", 0});
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan({}));
    Ask elsewhere = ask(1, 1);
    elsewhere.alternatives.insert(elsewhere.alternatives.begin(), {.model = "A100", .milli_cards = 1'000});
    tell(scheduler, queued(1, elsewhere));
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "its quota is used up, by itself";
    elsewhere.held_model = "H800";
    tell(scheduler, queued(1, elsewhere));
    const Plan plan = scheduler.plan({});
    ASSERT_EQ(plan.placements.size(), 1U);
    EXPECT_EQ(plan.placements[0].allocation.model, "H800");
}

TEST(Delta, AJobThatWaitsNoMoreKeepsWhatItHolds) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan({}));
    tell(scheduler, queued(1, ask(1, 1)));
    tell(scheduler, JobWithdrawn{uid(1)});
    EXPECT_EQ(scheduler.why(uid(1), {}).standing, JobStanding::placed);
    tell(scheduler, queued(2, ask(1, 1)));
    EXPECT_TRUE(scheduler.plan({}).placements.empty()) << "its card is still held";
    tell(scheduler, node("chengdu", "b", 1));
    EXPECT_EQ(scheduler.plan({}).placements.at(0).job, uid(2)) << "nothing is sought for it any more";
}

TEST(Delta, WhatIsHeldOnALostNodeIsThereWhenItReturns) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 2));
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan({}));
    tell(scheduler, NodeRemoved{"chengdu", "a"});
    tell(scheduler, node("chengdu", "a", 2));
    tell(scheduler, queued(2, ask(1, 2)));
    EXPECT_TRUE(scheduler.plan({}).placements.empty());
    tell(scheduler, JobRemoved{uid(1)});
    EXPECT_EQ(scheduler.plan({}).placements.size(), 1U);
}

TEST(Delta, BackoffEndsAtItsInstant) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    JobQueued late = queued(1, ask(1, 1));
    late.not_before = Instant{} + seconds(10);
    tell(scheduler, late);
    const Plan before = scheduler.plan(Instant{late.not_before.ns - 1});
    EXPECT_TRUE(before.placements.empty());
    EXPECT_EQ(before.counts.held_by_time, 1U);
    EXPECT_EQ(scheduler.plan(late.not_before).placements.size(), 1U);
}

// The cost of a plan follows what changed, not what waits.
TEST(Work, ClassesSleepUntilSomethingCouldHelpThem) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1, "H800"));
    tell(scheduler, node("chengdu", "b", 1, "A800"));
    tell(scheduler, queued(1, ask(1, 1, "H800")));
    tell(scheduler, queued(2, ask(1, 1, "A800")));
    commit(scheduler, scheduler.plan({}));
    for (std::uint64_t n = 10; n < 50; ++n) tell(scheduler, queued(n, ask(1, 1, n % 2 == 0 ? "H800" : "A800")));
    const Plan first = scheduler.plan({});
    EXPECT_EQ(first.work.classes_tried, 2U) << "forty jobs are two classes";
    EXPECT_EQ(first.work.searches, 2U);
    EXPECT_EQ(first.counts.ready, 40U);
    for (std::uint64_t n = 50; n < 90; ++n) tell(scheduler, queued(n, ask(1, 1, "H800")));
    EXPECT_EQ(scheduler.plan({}).work.classes_tried, 0U) << "more of the same changes nothing";
    Ask other = ask(1, 1, "H800");
    other.project = "other";
    tell(scheduler, queued(90, other));
    const Plan shared = scheduler.plan({});
    EXPECT_EQ(shared.work.classes_tried, 1U);
    EXPECT_EQ(shared.work.searches, 0U) << "another project's ask of the same shape shares the answer";
    tell(scheduler, JobReleased{uid(2), 1});
    const Plan third = scheduler.plan({});
    EXPECT_EQ(third.work.classes_tried, 1U) << "a free A800 helps nobody who waits for an H800";
    EXPECT_EQ(third.placements.at(0).job, uid(11));
    commit(scheduler, third);
    EXPECT_EQ(scheduler.plan({}).work.searches, 0U) << "what the plan promised is what control told";
}

TEST(Work, ABlockedClassWithoutReadyJobsAsksForNothing) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, queued(1, ask(1, 1)));
    commit(scheduler, scheduler.plan({}));
    JobQueued held = queued(3, ask(1, 1));
    held.dependencies = 1;
    tell(scheduler, held);
    tell(scheduler, queued(2, ask(1, 1)));
    EXPECT_EQ(scheduler.plan({}).work.classes_tried, 1U);
    tell(scheduler, JobRemoved{uid(2)});
    tell(scheduler, JobReleased{uid(1), 1});
    const Plan plan = scheduler.plan({});
    EXPECT_EQ(plan.work.classes_tried, 0U);
    EXPECT_EQ(plan.counts.held_by_dependency, 1U);
    held.dependencies = 0;
    tell(scheduler, held);
    EXPECT_EQ(scheduler.plan({}).placements.at(0).job, uid(3));
}

TEST(Work, APlanThatWasNotTakenUpBindsNobody) {
    Scheduler scheduler;
    tell(scheduler, site("chengdu"));
    tell(scheduler, site("mianyang"));
    tell(scheduler, node("chengdu", "a", 1));
    tell(scheduler, node("mianyang", "a", 1));
    tell(scheduler, QuotaSet{"lab", "H800", 1'000});
    for (const auto& [n, where] : {std::pair{1U, "chengdu"}, {2U, "mianyang"}}) {
        Ask wanted = ask(1, 1);
        wanted.trusted_sites = {where};
        tell(scheduler, queued(n, wanted));
    }
    EXPECT_EQ(scheduler.plan({}).placements.at(0).job, uid(1)) << "the quota is for one";
    tell(scheduler, JobRemoved{uid(1)});
    const Plan next = scheduler.plan({});
    ASSERT_EQ(next.placements.size(), 1U);
    EXPECT_EQ(next.placements[0].job, uid(2));
}

}  // namespace
}  // namespace weir::scheduler
