// Goal: nobody holds cards longer than is paid for, and what a run may cost at most is known before it begins.
// Method: a small town whose policy gives a grace; runs are driven to their bounds, and every line of a bill is charged anew.
#include "control/core/settle.hpp"
#include "control/core/test_town.hpp"

#include <rapidcheck.h>

namespace weir::control {
namespace {

struct StrictTown : Town {
    StrictTown() {
        core.policy.kill_grace = seconds(10);
        deposit(100'000);
    }
    JobId run_one(const JobSpec& s) {
        const auto job = submit(s);
        place();
        run(job, live(job).placement->site.value);
        return job;
    }
    void tick_after(std::int64_t s) {
        wait(s);
        must(Tick{});
    }
};

TEST(Bounds, TheGraceInWhichATaskIsStoppedIsHeldFor) {
    StrictTown town;
    const auto job = town.submit(Town::spec());
    EXPECT_EQ(held(town.live(job)), Fen{903}) << "3,610 s at the dearer of both sites";
    town.place();
    EXPECT_EQ(town.live(job).run_for, Seconds{3600});
}

TEST(Bounds, ABudgetBoundsTheTimeThatAJobMayRun) {
    StrictTown town;
    auto spec = Town::spec();
    spec.budget = Budget{Fen{50}};  // 300 s at the east site
    const auto job = town.run_one(spec);
    ASSERT_EQ(town.live(job).placement->site.value, "east");
    EXPECT_EQ(town.live(job).run_for, Seconds{290});
    town.tick_after(289);
    EXPECT_FALSE(town.live(job).stop_ordered);
    town.tick_after(1);
    EXPECT_EQ(town.live(job).stop_ordered, Reason::budget_reached) << "before a meter says so";
    town.meter(job, "east", 1, 10);
    town.end(job, "east", Reason::signalled, 143);
    EXPECT_EQ(town.outcome(job), JobState::failed);
}

TEST(Bounds, ABudgetThatPaysForNoRunIsRefusedWithBothNumbers) {
    StrictTown town;
    auto spec = Town::spec(2, 2);
    spec.budget = Budget{Fen{7}};
    const auto refusal = town.refused(SubmitJob{town.id(), ProjectName{"vision"}, spec, {}});
    EXPECT_EQ(refusal.code, RefusalCode::budget_exceeded);
    EXPECT_EQ(refusal.field, "budget");
    EXPECT_EQ(refusal.message,
              "the shortest run on 2 node(s) with A100 at east, with the grace in which it is stopped, costs 0.08 yuan, and the budget is "
              "0.07 yuan; raise the budget, or choose a cheaper accelerator");
    spec.budget = Budget{Fen{8}};
    const auto job = town.submit(spec);
    town.place();
    EXPECT_EQ(town.live(job).placement->site.value, "east") << "the other site is too dear for it";
    EXPECT_EQ(town.live(job).run_for, Seconds{2});
}

TEST(Bounds, AJobThatCannotPayForAnotherRunEndsInsteadOfWaiting) {
    StrictTown town;
    auto spec = Town::spec();
    spec.budget = Budget{Fen{50}};
    spec.retry.max_restarts = 5;
    const auto job = town.run_one(spec);
    town.meter(job, "east", 1, 291);  // 48.5 fen
    town.end(job, "east", Reason::exit_code, 1);
    EXPECT_EQ(town.outcome(job), JobState::failed);
    EXPECT_EQ(town.prepaid(), Fen{100'000 - 49});

    const auto again = town.run_one(spec);
    town.meter(again, "east", 1, 150);
    town.end(again, "east", Reason::exit_code, 1);
    town.wait(10);
    town.place();
    EXPECT_EQ(town.live(again).run_for, Seconds{140}) << "what its first run has left of the budget";
}

TEST(Bounds, WhatASiteLostIsNotCountedAgainstAnotherRun) {
    StrictTown town;
    auto spec = Town::spec();
    spec.budget = Budget{Fen{50}};
    const auto job = town.run_one(spec);
    town.meter(job, "east", 1, 291);
    town.end(job, "east", Reason::node_lost, 0, town.live(job).placement->nodes[0].node);
    ASSERT_EQ(town.live(job).state, JobState::queued);
    town.place();
    EXPECT_EQ(town.live(job).run_for, Seconds{290});
}

TEST(Bounds, AProgramThatWasDoneBeforeItsOrderToStopHasSucceeded) {
    StrictTown town;
    auto spec = Town::spec();
    spec.budget = Budget{Fen{50}};
    const auto job = town.run_one(spec);
    town.tick_after(290);
    ASSERT_EQ(town.live(job).stop_ordered, Reason::budget_reached);
    town.end(job, "east", Reason::exited, 0);
    EXPECT_EQ(town.outcome(job), JobState::succeeded);
}

TEST(Bounds, AJobThatDoesNotBeginIsStoppedAndTriedAgain) {
    StrictTown town;
    const auto job = town.submit(Town::spec());
    town.place();
    town.tick_after(3599);
    EXPECT_FALSE(town.live(job).stop_ordered);
    town.tick_after(1);
    EXPECT_EQ(town.live(job).stop_ordered, Reason::start_failed);
    town.end(job, "east", Reason::site_lost_task);
    EXPECT_EQ(town.live(job).state, JobState::queued);
    EXPECT_EQ(town.live(job).reason, Reason::start_failed);
    EXPECT_EQ(town.live(job).fault_restarts, 1U);
}

TEST(Bounds, AJobWhoseLeaseEndedBeforeItsTimeWasOverBeginsAnew) {
    StrictTown town;
    const auto job = town.run_one(Town::spec());
    town.meter(job, "east", 1, 10);
    town.tick_after(3590);  // the server was away: it knows nothing of what the site lost meanwhile
    ASSERT_EQ(town.live(job).stop_ordered, Reason::max_duration_reached);
    town.end(job, "east", Reason::lease_lost, 143);
    EXPECT_EQ(town.live(job).state, JobState::queued);
    EXPECT_EQ(town.live(job).reason, Reason::lease_lost);
    EXPECT_EQ(town.live(job).usage[0].lost.at("lease_lost"), MilliCardSeconds{10'000});

    const auto whole = town.run_one(Town::spec());
    town.meter(whole, "east", 1, 3600);
    town.tick_after(1);
    ASSERT_EQ(town.live(whole).stop_ordered, Reason::max_duration_reached);
    town.end(whole, "east", Reason::lease_lost, 143);
    EXPECT_EQ(town.outcome(whole), JobState::failed) << "it had its time";
}

TEST(Bounds, AnOrderToStopHasTheTimeThatTheFenceTakes) {
    StrictTown town;
    town.core.policy.stop_within = seconds(1);
    town.core.policy.task_lease = seconds(60);
    town.core.policy.kill_grace = seconds(10);
    town.core.policy.drift_bound = seconds(2);
    const auto job = town.run_one(Town::spec());
    town.must(CancelJob{job});
    EXPECT_EQ(*town.live(job).deadline, town.now + seconds(72)) << "an agent that does not hear it renews no lease any more";
}

TEST(Bounds, ACancelHoldsAlsoWhereTheStartWasGivenUp) {
    StrictTown town;
    const auto job = town.submit(Town::spec());
    town.place();
    town.tick_after(3600);
    ASSERT_EQ(town.live(job).stop_ordered, Reason::start_failed);
    const auto cancel = town.play(CancelJob{job});
    ASSERT_TRUE(cancel.answer);
    EXPECT_FALSE(cancel.answer->repeated);
    EXPECT_EQ(town.live(job).stop_ordered, Reason::cancelled_by_operator);
    EXPECT_TRUE(town.play(CancelJob{job}).answer->repeated);
    town.end(job, "east", Reason::site_lost_task);
    EXPECT_EQ(town.outcome(job), JobState::cancelled) << "it does not begin anew";
}

TEST(Bounds, AJobThatObeyedItsOrderHasHadItsTimeWhateverItsHostsClockSays) {
    for (const auto said : {Reason::stopped_as_ordered, Reason::site_lost_task}) {
        StrictTown town;
        town.deposit(1'000'000);
        auto spec = Town::spec();
        spec.max_duration = Seconds{3600};
        const auto job = town.run_one(spec);
        town.meter(job, "east", 1, 3590);
        town.tick_after(10);
        ASSERT_EQ(town.live(job).stop_ordered, Reason::max_duration_reached);
        town.end(job, "east", said);
        ASSERT_TRUE(town.core.state.finished.contains(job)) << "it begins anew: " << static_cast<int>(said);
        EXPECT_EQ(town.outcome(job), JobState::failed);
        EXPECT_GT(town.earned().value, 0) << "its provider is paid for it";
    }
}

TEST(Bounds, AJobWhoseSupervisorDiedBeforeItsTimeWasOverBeginsAnew) {
    StrictTown town;
    town.deposit(1'000'000);
    const auto job = town.run_one(Town::spec());
    town.meter(job, "east", 1, 1800);
    town.tick_after(1800);
    ASSERT_EQ(town.live(job).stop_ordered, Reason::max_duration_reached);
    town.end(job, "east", Reason::site_lost_task);
    EXPECT_EQ(town.live(job).state, JobState::queued);
}

TEST(Bounds, ACancelChangesNotWhoPaysForWhatWasBefore) {
    const auto payer_of_cancelled = [](bool began, auto reason) {
        StrictTown town;
        town.deposit(1'000'000);
        const auto job = began ? town.run_one(Town::spec()) : town.submit(Town::spec());
        if (!began) town.place();
        if (began) town.meter(job, "east", 1, 3600);
        else town.tick_after(3600);
        if (began) town.tick_after(0);
        EXPECT_TRUE(town.live(job).stop_ordered);
        town.must(CancelJob{job});
        if (!began) town.meter(job, "east", 1, 60);
        const auto decision = town.end(job, "east", reason);
        EXPECT_EQ(town.outcome(job), JobState::cancelled);
        for (const auto& event : decision.events) {
            if (const auto* finished = std::get_if<JobFinished>(&event)) return finished->bill.front().payer;
        }
        return Payer::network;
    };
    EXPECT_EQ(payer_of_cancelled(true, Reason::stopped_as_ordered), Payer::tenant) << "an operator cancelled what had had its time";
    EXPECT_EQ(payer_of_cancelled(false, Reason::stopped_as_ordered), Payer::provider) << "a start that was given up";
}

TEST(Bounds, AnOrderToStopThatASiteDoesNotObeyEndsTheJobThere) {
    StrictTown town;
    const auto job = town.run_one(Town::spec());
    town.meter(job, "east", 1, 60);
    town.must(CancelJob{job});
    town.tick_after(599);
    EXPECT_TRUE(town.core.state.jobs.contains(job));
    town.must(SilenceSite{SiteName{"east"}});
    town.tick_after(1);
    EXPECT_TRUE(town.core.state.jobs.contains(job)) << "of a silent site the leases decide";
    town.report("east", [](SiteReport& r) { r.nodes = {{Town::node("n1")}}; });
    town.tick_after(599);
    EXPECT_TRUE(town.core.state.jobs.contains(job)) << "it is heard again, and has so long to tell what it did meanwhile";
    town.tick_after(1);
    EXPECT_EQ(town.outcome(job), JobState::cancelled);
    EXPECT_EQ(town.prepaid(), Fen{100'000}) << "an operator ended it";
}

// Found by a review: a site that fell silent for a moment every few minutes kept a cancelled job, and what was held for it, for ever.
TEST(Bounds, ASiteThatKeepsFallingSilentDoesNotKeepWhatItWasToldToStop) {
    StrictTown town;
    const auto job = town.run_one(Town::spec());
    town.must(CancelJob{job});
    const auto told = town.now;
    while (town.core.state.jobs.contains(job)) {
        town.must(SilenceSite{SiteName{"east"}});
        town.report("east", [](SiteReport& r) { r.nodes = {{Town::node("n1")}}; });
        ASSERT_LT(town.now, told + hours(2));
        town.tick_after(300);
    }
    EXPECT_EQ(town.now, told + seconds(600 + 6 * 600)) << "the time to stop, and six times more";
    EXPECT_EQ(town.outcome(job), JobState::cancelled);
    EXPECT_EQ(town.prepaid(), Fen{100'000});
}

// A trap of SIGTERM outlives the grace that was held for.
TEST(Bounds, EveryLineOfABillIsChargedForWhatItSays) {
    EXPECT_TRUE(rc::check("use beyond the holds is cut so that both parts are charged right", [] {
        StrictTown town;
        const auto price = *rc::gen::inRange<std::int64_t>(1, 200'000);
        town.add_site("south", Tier::edge, price);
        auto spec = Town::spec(*rc::gen::inRange(1, 3));
        spec.max_duration = Seconds{*rc::gen::inRange<std::int64_t>(1, 400)};
        spec.trust = {SiteName{"south"}};
        const auto job = town.run_one(spec);
        std::uint64_t sequence = 0;
        for (std::int64_t left = *rc::gen::inRange<std::int64_t>(1, 1'200); left > 0; left -= 100)
            town.meter(job, "south", static_cast<std::int64_t>(++sequence), std::min<std::int64_t>(left, 100));
        const auto all = town.live(job).usage.back().at_risk;
        const auto settlement = settle(town.core, town.live(job), LossCause::tenant_error, town.now);
        MilliCardSeconds used{0};
        Fen owed{0};
        for (const auto& line : settlement.bill) {
            used += line.used;
            owed += line.amount;
            RC_ASSERT(line.used > MilliCardSeconds{0});
            RC_ASSERT(line.lost && line.payer == payer_of(*line.lost));
            if (line.payer != Payer::provider) RC_ASSERT(line.amount == charge_of(line.used, Fen{price}));
        }
        RC_ASSERT(used == all);
        RC_ASSERT(owed <= charge_of(all, Fen{price}));
        if (settlement.bill.back().payer != Payer::provider) RC_ASSERT(owed == charge_of(all, Fen{price}));
    }));
}

TEST(Bounds, OfTwoLinesWithTheSameRemainderTheEarlierGetsTheFen) {
    StrictTown town;
    auto job = town.live(town.run_one(Town::spec()));
    job.usage.resize(1);
    job.usage[0].at_risk = MilliCardSeconds{0};
    job.usage[0].secured = MilliCardSeconds{3'600'000 / job.usage[0].fen_per_card_hour.value};  // a fen
    job.usage.push_back(job.usage[0]);
    job.usage[1].generation = 2;
    job.holds.front().amount = Fen{1};
    const auto bill = settle(town.core, job, std::nullopt, town.now).bill;
    ASSERT_EQ(bill.size(), 2U);
    EXPECT_EQ(bill[0].generation, 1U);
    EXPECT_EQ(bill[0].payer, Payer::tenant);
    EXPECT_EQ(bill[1].generation, 2U);
    EXPECT_EQ(bill[1].lost, LossCause::overrun);
}

TEST(Bounds, AMeterCountsNoMoreSecondsThanWentByWhateverItsClockSays) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    town.place();
    town.run(job, "east");
    town.wait(60);
    std::uint64_t sequence = 0;
    const auto counts = [&](std::int64_t from, std::int64_t to) {
        const auto before = town.live(job).usage[0].at_risk;
        town.report("east", [&](SiteReport& r) { r.meters = {{job, 1, 0, ++sequence, from, to}}; });
        return (town.live(job).usage[0].at_risk - before).value;
    };
    const auto tomorrow = floor_seconds(town.now) + 86'400;
    EXPECT_EQ(counts(tomorrow, tomorrow + 60), 60'000) << "its clock is a day ahead";
    EXPECT_EQ(counts(tomorrow + 60, tomorrow + 160), 5'000) << "more than went by, but for what clocks may differ by";
    town.wait(100);
    EXPECT_EQ(counts(tomorrow + 160, tomorrow + 260), 100'000) << "what counted nothing has moved the meter, and stops nothing";
    EXPECT_EQ(counts(tomorrow + 260, tomorrow + 261), 0);
    town.wait(100);
    EXPECT_EQ(counts(tomorrow + 261, tomorrow + 262), 97'000) << "our clock had stood still: what was told counts once so much went by";
}

TEST(Bounds, AProgrammeAwardsNothingToWhomItExcludes) {
    StrictTown town;
    Programme p;
    p.name = ProgrammeName{"sichuan"};
    p.title = "Sichuan";
    p.fiscal_year = 2026;
    p.effective_from = town.now - hours(24);
    p.effective_to = town.now + hours(24);
    p.funder = "city";
    p.budget = Fen{1'000};
    p.entity_cap = Fen{1'000};
    p.ratio = {{{}, std::nullopt, 600, "60 %"}};
    p.registered_in = {{"cn/sichuan"}, "article 2: registered in Sichuan"};
    p.validity_days = 30;
    town.must(OpenProgramme{p});
    town.must(SetOrganisation{{OrganisationName{"bj"}, OrganisationKind::university, "BJ", "", SizeClass::small, "cn/beijing", ""}});
    const auto award = [&](const std::string& to) {
        return AwardVoucher{VoucherId{make_uid(town.now, 2, ++town.ids)}, p.name, OrganisationName{to}, Fen{100}};
    };
    const auto refusal = town.refused(award("bj"));
    EXPECT_EQ(refusal.code, RefusalCode::funding_not_eligible);
    EXPECT_EQ(refusal.message,
              "programme sichuan is not for bj, university and registered in cn/beijing: article 2: registered in Sichuan");
    town.must(award("lab"));
}

TEST(Bounds, OneSiteCannotPushOutWhatAnotherMade) {
    StrictTown town;
    const auto job = town.run_one(Town::spec());
    const auto publish = [&](const std::string& site, std::uint32_t generation, const std::string& name) {
        town.report(site, [&](SiteReport& r) { r.checkpoints = {{job, generation, name, sha256(name), 1, {}}}; });
    };
    publish("east", 1, "a1");
    publish("east", 1, "a2");
    publish("east", 1, "a3");
    town.must(SilenceSite{SiteName{"east"}});
    town.must(LoseTask{job, 1});
    town.place();
    ASSERT_EQ(town.live(job).placement->site.value, "west");
    for (const std::string name : {"b1", "b2", "b3"}) publish("west", 2, name);
    std::string kept;
    for (const auto& one : town.live(job).checkpoints) kept += one.name + " ";
    EXPECT_EQ(kept, "a3 b2 b3 ");
}

TEST(Bounds, PausesBetweenRunsDoubleUpToAnHourAndBetweenRefusedStartsUpToAMinute) {
    StrictTown town;
    town.deposit(10'000'000);
    auto spec = Town::spec();
    spec.retry = {.max_restarts = 10, .max_restarts_on_site_fault = 10, .backoff = Seconds{600}, .exit_codes = {}};
    const auto job = town.run_one(spec);
    for (const std::int64_t pause : {600, 1200, 2400, 3600, 3600}) {
        town.end(job, town.live(job).placement->site.value, Reason::exit_code, 1);
        EXPECT_EQ(town.live(job).not_before, town.now + seconds(pause));
        town.wait(pause);
        town.place();
    }
    for (const std::int64_t pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
        town.end(job, town.live(job).placement->site.value, Reason::start_failed);
        EXPECT_EQ(town.live(job).not_before, town.now + seconds(pause));
        town.wait(pause);
        town.place();
    }
}

TEST(Bounds, WhoIsOfAHigherClassIsPlacedFirst) {
    StrictTown town;
    std::vector<JobId> jobs;
    for (const auto priority : {PriorityClass::low, PriorityClass::normal, PriorityClass::high}) {
        auto spec = Town::spec(2, 2);
        spec.priority = priority;
        jobs.push_back(town.submit(spec));
    }
    town.place();
    EXPECT_TRUE(town.live(jobs[2]).placement);
    EXPECT_FALSE(town.live(jobs[1]).placement) << "the quota is used up";
    town.end(jobs[2], town.live(jobs[2]).placement->site.value, Reason::exited);
    town.place();
    EXPECT_TRUE(town.live(jobs[1]).placement);
    EXPECT_FALSE(town.live(jobs[0]).placement);
}

TEST(Bounds, TimersAreSoManyAPass) {
    StrictTown town;
    town.core.policy.timers_per_pass = 2;
    std::vector<JobId> jobs;
    for (int i = 0; i < 3; ++i) jobs.push_back(town.run_one(Town::spec()));
    town.wait(3600);
    const auto stopped = [&] {
        return std::ranges::count_if(jobs, [&](JobId job) { return town.live(job).stop_ordered.has_value(); });
    };
    town.must(Tick{});
    EXPECT_EQ(stopped(), 2);
    town.must(Tick{});
    EXPECT_EQ(stopped(), 3);
}

TEST(Bounds, ASubjectHasSoManyTokens) {
    Town town;
    Token token;
    token.subject = SubjectName{"ann"};
    token.scopes = {Scope::read};
    const auto issue = [&](std::size_t number) {
        token.id = {make_uid(town.now, 3, number)};
        token.hash = sha256(std::to_string(number));
        return IssueToken{token};
    };
    for (std::size_t i = 0; i < limits::tokens_per_subject_max; ++i) town.must(issue(i));
    EXPECT_EQ(town.refused(issue(limits::tokens_per_subject_max)).code, RefusalCode::limit_reached);
    token.subject = SubjectName{"bob"};
    town.must(issue(limits::tokens_per_subject_max));
}

TEST(Bounds, ALongJobIsRememberedFromItsEndOn) {
    StrictTown town;
    auto spec = Town::spec();
    spec.max_duration = Seconds{30 * 86'400};
    town.deposit(1'000'000);
    const auto job = town.run_one(spec);
    town.now = town.now + town.core.policy.remember + hours(24);
    town.must(Tick{});
    town.end(job, "east", Reason::exited);
    town.tick_after(2 * 3600);
    EXPECT_TRUE(town.core.state.finished.contains(job));
    town.now = town.now + town.core.policy.remember + hours(2);
    town.must(Tick{});
    EXPECT_FALSE(town.core.state.finished.contains(job));
}

}  // namespace
}  // namespace weir::control
