// Goal: a job leaves a site on purpose and loses no more than the order says, whatever fails on the way.
// Method: a small town of two sites; each test walks through the steps of one move and looks at what sites are told and who pays.
#include "control/core/test_town.hpp"
#include "codec/encode.hpp"
#include "control/desired.hpp"
#include "domain/desired_list.hpp"

namespace weir::control {
namespace {

class Moves : public testing::Test {
protected:
    Moves() { town_.deposit(1'000'000); }

    static JobSpec training() {
        auto spec = Town::spec();
        spec.checkpoint.protocol = CheckpointProtocol::signal;
        spec.trust = {SiteName{"east"}, SiteName{"west"}};
        return spec;
    }
    /// A job that has run a minute at east, with a checkpoint of that minute.
    JobId running_at_east(const JobSpec& spec) {
        const auto job = town_.submit(spec);
        town_.place();
        EXPECT_EQ(town_.live(job).placement->site.value, "east");
        town_.run(job, "east");
        town_.meter(job, "east", 1, 60);
        if (spec.checkpoint.protocol != CheckpointProtocol::none) checkpoint(job, "one");
        return job;
    }
    void checkpoint(JobId job, const std::string& name) {
        const auto generation = town_.live(job).generation;
        town_.report("east", [&](SiteReport& r) { r.checkpoints = {{job, generation, name, sha256(name), 1, {}}}; });
    }
    void tick() {
        town_.must(Tick{});
        town_.place();
        town_.must(Tick{});
    }
    void prepared(JobId job, const std::string& name) {
        const auto generation = town_.live(job).move->target_generation;
        town_.report("west", [&](SiteReport& r) { r.prepared = {{job, generation, sha256(name)}}; });
    }
    void stopped(JobId job, const std::string& site, std::int64_t ago_ms = 0) {
        const auto generation = town_.live(job).generation;
        town_.report(site, [&](SiteReport& r) {
            r.tasks = {{job, generation, TaskState::ended, Reason::stopped_as_ordered, 0, std::nullopt, ago_ms}};
        });
    }
    std::vector<DesiredTask> told(const std::string& site, bool prepares = true) {
        DesiredAsk ask;
        ask.prepares = prepares;
        const auto page = desired_page(town_.core.state, SiteName{site}, ask);
        EXPECT_EQ(page.digest, digest_of(page.set)) << "the digest is of the list that this agent is told";
        return page.set;
    }
    /// One event of this type, of what the command made.
    template <class E>
    static const E* one(const Decision& decision) {
        for (const auto& event : decision.events) {
            if (const auto* found = std::get_if<E>(&event)) return found;
        }
        return nullptr;
    }
    [[nodiscard]] MilliCardSeconds lost(JobId job, LossCause cause) const {
        MilliCardSeconds sum{};
        for (const auto& usage : town_.live(job).usage) {
            const auto found = usage.lost.find(std::string{codec::name_of(cause)});
            if (found != usage.lost.end()) sum += found->second;
        }
        return sum;
    }

    Town town_;
};

TEST_F(Moves, AJobGoesOnWhereAPlaceWasHeldAndItsNewestCheckpointLies) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    EXPECT_EQ(town_.live(job).state, JobState::running) << "it runs on while a place is sought";
    tick();
    ASSERT_TRUE(town_.live(job).move->target);
    // West is told to put the checkpoint in place, and to begin nothing.
    const auto at_west = told("west");
    ASSERT_EQ(at_west.size(), 1U);
    EXPECT_TRUE(at_west[0].is_prepare());
    EXPECT_EQ(at_west[0].generation, 2U);
    ASSERT_EQ(at_west[0].resume.size(), 1U);
    EXPECT_EQ(at_west[0].resume[0].name, "one");
    EXPECT_TRUE(told("west", false).empty()) << "an older agent is told nothing that it would begin";
    EXPECT_FALSE(told("east")[0].stop) << "nothing is paused before the checkpoint is there";
    prepared(job, "one");
    tick();
    EXPECT_EQ(town_.live(job).state, JobState::checkpointing);
    EXPECT_TRUE(told("east")[0].stop);
    EXPECT_EQ(told("east")[0].checkpoint_within, Seconds{60});
    EXPECT_EQ(told("east", false)[0].checkpoint_within, std::nullopt);
    town_.meter(job, "east", 2, 10);
    checkpoint(job, "two");
    town_.wait(2);
    stopped(job, "east", 1500);
    EXPECT_EQ(town_.live(job).state, JobState::moving);
    EXPECT_EQ(town_.live(job).generation, 2U);
    EXPECT_TRUE(told("east").empty());
    const auto resumed = told("west");
    ASSERT_EQ(resumed.size(), 1U);
    EXPECT_FALSE(resumed[0].is_prepare());
    EXPECT_EQ(resumed[0].resume[0].name, "two");
    town_.wait(1);
    const auto arrival = town_.report("west", [&](SiteReport& r) { r.tasks = {{job, 2, TaskState::running, Reason::none, 0, {}, 200}}; });
    const auto* arrived = one<JobArrived>(arrival);
    ASSERT_NE(arrived, nullptr);
    EXPECT_EQ(arrived->pause_ms, 1500 + 1000 - 200);
    EXPECT_TRUE(arrived->prepared);
    EXPECT_EQ(arrived->lost.value, 0) << "its last checkpoint held all that it had done";
    EXPECT_EQ(town_.live(job).fault_restarts + town_.live(job).error_restarts, 0U);
    // Both sites are paid for what ran there, and nothing was lost.
    town_.meter(job, "west", 1, 60);
    town_.end(job, "west", Reason::exited);
    EXPECT_EQ(town_.outcome(job), JobState::succeeded);
    EXPECT_EQ(town_.earned(), Fen{(70 * 600 + 1800) / 3600 + (60 * 900 + 1800) / 3600});
}

struct Payment {
    const char* who;
    LossCause cause;
    Payer payer;
};

TEST_F(Moves, WhatIsLostOnTheWayIsPaidByWhoWantedTheMove) {
    town_.must(SetRoles{SubjectName{"luo"}, {}, {Role::operator_}});
    const Actor ann{.kind = Actor::Kind::subject, .subject = SubjectName{"ann"}, .token = town_.issue("ann").id, .site = {}};
    const Actor luo{.kind = Actor::Kind::subject, .subject = SubjectName{"luo"}, .token = town_.issue("luo").id, .site = {}};
    const auto play_as = [&](const Actor& actor, Command command) {
        const auto decision = decide(town_.core, Request{actor, std::move(command)}, town_.now);
        ASSERT_TRUE(decision.answer) << decision.answer.error().message;
        for (const auto& event : decision.events) apply(town_.core, event, ++town_.revision, town_.now);
    };
    for (const auto& [who, cause, payer] :
         {Payment{"ann", LossCause::tenant_move, Payer::tenant}, Payment{"luo", LossCause::move, Payer::network},
          Payment{"drain", LossCause::site_drain, Payer::provider}}) {
        const auto job = running_at_east(training());
        if (std::string_view{who} == "drain") {
            play_as(luo, SetSiteDuty{SiteName{"east"}, SiteDuty::draining, {}});
        } else {
            play_as(std::string_view{who} == "ann" ? ann : luo, MoveJob{job, SiteName{"west"}});
        }
        tick();
        prepared(job, "one");
        tick();
        town_.meter(job, "east", 2, 30);
        stopped(job, "east");
        EXPECT_EQ(town_.live(job).placement->site.value, "west") << who;
        EXPECT_EQ(lost(job, cause).value, 30'000) << who;
        EXPECT_EQ(payer_of(cause), payer) << who;
        town_.must(CancelJob{job});
        stopped(job, "west");
        play_as(luo, SetSiteDuty{SiteName{"east"}, SiteDuty::working, {}});
    }
}

// Goal: where a copy takes its time, nothing stands still for it: the job is asked for a checkpoint, runs on until that lies at the
// target, and leaves at once.
TEST_F(Moves, AJobWhoseCopiesAreSlowLeavesOnceAFreshCheckpointLiesThere) {
    const auto job = running_at_east(training());
    town_.wait(30);
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    EXPECT_FALSE(told("east")[0].checkpoint_wanted) << "how long a copy takes is not known yet";
    town_.wait(5);
    prepared(job, "one");
    tick();
    EXPECT_EQ(told("east")[0].checkpoint_wanted, 2U);
    EXPECT_EQ(told("east", false)[0].checkpoint_wanted, std::nullopt) << "an older agent would not know what is meant";
    EXPECT_FALSE(told("east")[0].stop);
    town_.wait(10);
    town_.meter(job, "east", 2, 10);
    checkpoint(job, "two");
    EXPECT_FALSE(told("east")[0].checkpoint_wanted) << "it came";
    EXPECT_EQ(told("west")[0].resume[0].name, "two") << "and is to be put in place";
    town_.wait(5);
    tick();
    EXPECT_FALSE(town_.live(job).stop_ordered) << "it runs on meanwhile";
    prepared(job, "two");
    tick();
    EXPECT_EQ(town_.live(job).stop_ordered, Reason::moving);
    EXPECT_FALSE(told("east")[0].checkpoint_within) << "a last one would cost as much as it saves";
    town_.meter(job, "east", 3, 5);
    stopped(job, "east");
    EXPECT_EQ(lost(job, LossCause::move).value, 5'000) << "what it did meanwhile is done again";
}

TEST_F(Moves, AProgramThatHearsNoRequestLeavesAllTheSame) {
    const auto job = running_at_east(training());
    town_.wait(30);
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    town_.wait(5);
    prepared(job, "one");
    town_.wait(59);
    tick();
    EXPECT_FALSE(town_.live(job).stop_ordered);
    town_.wait(1);
    tick();
    EXPECT_EQ(town_.live(job).stop_ordered, Reason::moving);
    EXPECT_EQ(told("east")[0].checkpoint_within, Seconds{60}) << "it is asked a last time";
}

TEST_F(Moves, AJobThatHasNoCheckpointYetIsAskedForItsFirstOne) {
    auto spec = training();
    const auto job = town_.submit(spec);
    town_.place();
    town_.run(job, "east");
    town_.meter(job, "east", 1, 60);
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    EXPECT_EQ(told("east")[0].checkpoint_wanted, 2U);
    tick();
    EXPECT_FALSE(town_.live(job).stop_ordered);
    checkpoint(job, "one");
    prepared(job, "one");
    tick();
    EXPECT_EQ(told("east")[0].checkpoint_within, Seconds{60}) << "the copy was quick: a last one is worth its pause";
}

TEST_F(Moves, AMoveIsRefusedWithWhatSpeaksAgainstIt) {
    town_.add_site("other", Tier::cloud, 700);
    auto spec = training();
    spec.checkpoint.protocol = CheckpointProtocol::none;
    spec.residency = "cn/sichuan";
    const auto plain = running_at_east(spec);
    const auto refusal = [&](MoveJob move) { return town_.refused(std::move(move)); };
    EXPECT_EQ(refusal({plain, SiteName{"west"}}).field, "restart") << "it would begin from its start";
    EXPECT_EQ(refusal({plain, SiteName{"nowhere"}, true}).code, RefusalCode::not_found);
    EXPECT_NE(refusal({plain, SiteName{"east"}, true}).message.find("is at east already"), std::string::npos);
    EXPECT_NE(refusal({plain, SiteName{"other"}, true}).message.find("not among the 2 sites"), std::string::npos);
    EXPECT_EQ(refusal({town_.id(), SiteName{"west"}}).code, RefusalCode::not_found);
    town_.must(SetSiteDuty{SiteName{"west"}, SiteDuty::draining, {}});
    EXPECT_NE(refusal({plain, SiteName{"west"}, true}).message.find("takes no new work: it is draining"), std::string::npos);
    town_.must(SetSiteDuty{SiteName{"west"}, SiteDuty::working, {}});
    town_.must(MoveJob{plain, SiteName{"west"}, true});
    EXPECT_TRUE(town_.play(MoveJob{plain, SiteName{"west"}, true}).answer->repeated);
    EXPECT_NE(refusal({plain, std::nullopt, true}).message.find("--call-off"), std::string::npos);
    const auto waiting = town_.submit(Town::spec(2, 2));
    EXPECT_NE(refusal({waiting, SiteName{"west"}, true}).message.find("at no site"), std::string::npos);
}

TEST_F(Moves, AMoveNeverEntersASiteThatItsFundingCannotPay) {
    const auto job = running_at_east(training());
    auto dear = town_.core.state.sites.at(SiteName{"west"}).site;
    dear.tariff[0].fen_per_card_hour = Fen{5000};  // 900 were held when it was submitted.
    town_.must(SetSite{dear});
    const auto refused = town_.refused(MoveJob{job, SiteName{"west"}});
    EXPECT_EQ(refused.code, RefusalCode::funding_not_eligible);
    EXPECT_FALSE(refused.clause.empty());
}

TEST_F(Moves, OnlyStacksThatAreKnownToLoadItsCheckpointsAreEntered) {
    town_.core.catalogue["A100"].stack = "cuda";
    town_.core.catalogue["Ascend"].stack = "cann";
    town_.core.catalogue["Ascend"].model = "Ascend";
    Site far;
    far.name = SiteName{"far"};
    far.owner = OrganisationName{"owner"};
    far.region = "cn/sichuan/chengdu";
    far.tariff = {{"Ascend", Fen{100}}};
    town_.must(SetSite{far});
    town_.report("far", [&](SiteReport& r) {
        auto node = Town::node("n1");
        node.cards[0].model = "Ascend";
        r.nodes = {{node}};
    });
    auto spec = training();
    spec.trust.clear();
    spec.resources.accelerators.push_back({"Ascend", MilliCards{1000}, ""});
    const auto job = running_at_east(spec);
    const auto refused = town_.refused(MoveJob{job, SiteName{"far"}});
    EXPECT_NE(refused.message.find("far has no price for A100"), std::string::npos) << refused.message;
    town_.must(CancelJob{job});
    stopped(job, "east");
    spec.checkpoint.stacks = {"cuda", "cann"};
    const auto portable = running_at_east(spec);
    town_.must(MoveJob{portable, SiteName{"far"}});
    tick();
    ASSERT_TRUE(town_.live(portable).move->target);
    EXPECT_EQ(town_.live(portable).move->target->model, "Ascend");
}

TEST_F(Moves, ACalledOffMoveGivesThePlaceBackAndTheJobRunsOn) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    ASSERT_EQ(told("west").size(), 1U);
    town_.must(MoveJob{job, std::nullopt, false, true});
    EXPECT_TRUE(told("west").empty());
    EXPECT_EQ(town_.live(job).state, JobState::running);
    EXPECT_FALSE(town_.live(job).stop_ordered);
    // Each place that is held takes a generation: nobody may use them up by ordering moves and taking them back.
    EXPECT_EQ(town_.refused(MoveJob{job, SiteName{"west"}}).code, RefusalCode::not_movable);
    town_.wait(2);
    EXPECT_TRUE(town_.play(MoveJob{job, SiteName{"west"}}).answer);
    town_.must(MoveJob{job, std::nullopt, false, true});
    town_.must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {}, {}, 100}});
    // All of west is free again, and a number that west has heard is used by nobody else.
    const auto wide = town_.submit([] {
        auto spec = Town::spec(2, 2);
        spec.trust = {SiteName{"west"}};
        return spec;
    }());
    town_.place();
    EXPECT_TRUE(town_.live(wide).placement);
    town_.end(job, "east", Reason::lease_lost);
    town_.place();
    EXPECT_EQ(town_.live(job).generation, 3U);
}

TEST_F(Moves, AJobWhoseSiteIsLostOnTheWayGoesOnAtThePlaceThatIsHeld) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    town_.meter(job, "east", 2, 30);
    town_.must(LoseTask{job, 1});
    EXPECT_EQ(town_.live(job).state, JobState::moving);
    EXPECT_EQ(town_.live(job).placement->site.value, "west");
    EXPECT_EQ(town_.live(job).fault_restarts, 1U) << "the fault counts as one";
    EXPECT_EQ(lost(job, LossCause::lease_lost).value, 30'000) << "and the provider bears it";
}

TEST_F(Moves, ATargetThatIsLostBeforeThePauseEndsTheMove) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    town_.must(SilenceSite{SiteName{"west"}});
    town_.must(Tick{});
    EXPECT_FALSE(town_.live(job).move);
    EXPECT_EQ(town_.live(job).state, JobState::running);
}

TEST_F(Moves, ATargetThatIsLostAfterThePauseSendsTheJobBackToTheQueue) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    prepared(job, "one");
    tick();
    town_.must(SilenceSite{SiteName{"west"}});
    stopped(job, "east");
    EXPECT_EQ(town_.live(job).state, JobState::queued);
    town_.place();
    EXPECT_EQ(town_.live(job).placement->site.value, "east") << "its last good checkpoint is there as well as anywhere";
}

TEST_F(Moves, ACancelledJobDoesNotArrive) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    prepared(job, "one");
    tick();
    town_.must(CancelJob{job});
    EXPECT_TRUE(told("west").empty());
    stopped(job, "east");
    EXPECT_EQ(town_.outcome(job), JobState::cancelled);
}

TEST_F(Moves, AProgramThatIsDoneBeforeItIsStoppedHasSucceeded) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    prepared(job, "one");
    tick();
    town_.end(job, "east", Reason::exited);
    EXPECT_EQ(town_.outcome(job), JobState::succeeded);
    EXPECT_TRUE(told("west").empty());
}

TEST_F(Moves, AMoveWaitsNoLongerForItsCheckpointThanThePolicySays) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    EXPECT_FALSE(town_.live(job).stop_ordered);
    town_.now = town_.now + town_.core.policy.prepare_within;
    town_.must(Tick{});
    EXPECT_EQ(town_.live(job).stop_ordered, Reason::moving);
}

TEST_F(Moves, ADrainedSiteGivesItsWorkAwayAndStopsTheRestAtItsDeadline) {
    auto spec = training();
    const auto movable = running_at_east(spec);
    spec.checkpoint.protocol = CheckpointProtocol::none;
    const auto rooted = running_at_east(spec);
    town_.must(SetSiteDuty{SiteName{"east"}, SiteDuty::draining, town_.now + hours(1)});
    tick();
    EXPECT_EQ(town_.live(movable).move->cause, MoveCause::site_drain);
    EXPECT_EQ(town_.live(movable).move->target->site.value, "west");
    EXPECT_FALSE(town_.live(rooted).move) << "it would begin from its start: it may end by itself until the deadline";
    prepared(movable, "one");
    town_.must(Tick{});
    stopped(movable, "east");
    EXPECT_EQ(town_.live(movable).placement->site.value, "west");
    town_.now = town_.now + hours(1);
    town_.must(Tick{});
    EXPECT_EQ(town_.live(rooted).stop_ordered, Reason::site_drained);
    stopped(rooted, "east");
    EXPECT_EQ(town_.live(rooted).state, JobState::queued);
    EXPECT_EQ(town_.live(rooted).fault_restarts, 0U);
    EXPECT_EQ(lost(rooted, LossCause::site_drain).value, 60'000);
    town_.place();
    EXPECT_EQ(town_.live(rooted).placement->site.value, "west") << "nothing new comes to a site that is drained";
}

TEST_F(Moves, AResumedSiteKeepsWhatHasNotLeftYet) {
    const auto job = running_at_east(training());
    town_.must(SetSiteDuty{SiteName{"east"}, SiteDuty::draining, {}});
    tick();
    ASSERT_TRUE(town_.live(job).move);
    town_.must(SetSiteDuty{SiteName{"east"}, SiteDuty::working, {}});
    town_.must(Tick{});
    EXPECT_FALSE(town_.live(job).move);
    EXPECT_EQ(town_.live(job).state, JobState::running);
}

TEST_F(Moves, AStoppedSiteEndsAllItsWorkAtOnce) {
    const auto job = running_at_east(training());
    town_.must(SetSiteDuty{SiteName{"east"}, SiteDuty::stopped, {}});
    town_.must(Tick{});
    EXPECT_EQ(town_.live(job).stop_ordered, Reason::site_stopped);
    EXPECT_FALSE(town_.live(job).stop_within) << "nobody's checkpoint is waited for";
    stopped(job, "east");
    town_.place();
    EXPECT_EQ(town_.live(job).placement->site.value, "west");
}

TEST_F(Moves, ASuspendedOrganisationWaitsWithAllItsJobs) {
    const auto job = running_at_east(training());
    town_.must(SuspendOrganisation{OrganisationName{"lab"}});
    EXPECT_EQ(town_.refused(SubmitJob{town_.id(), ProjectName{"vision"}, Town::spec(), sha256("body")}).code, RefusalCode::suspended);
    town_.must(Tick{});
    EXPECT_EQ(town_.live(job).stop_ordered, Reason::suspended);
    stopped(job, "east");
    town_.place();
    EXPECT_EQ(town_.live(job).state, JobState::queued);
    EXPECT_FALSE(town_.live(job).placement);
    town_.must(SuspendOrganisation{OrganisationName{"lab"}, false});
    town_.place();
    EXPECT_TRUE(town_.live(job).placement);
    EXPECT_FALSE(told("east").at(0).resume.empty()) << "it goes on from where it was";
}

TEST_F(Moves, AProviderEmptiesItsOwnSitesAndNoOthers) {
    town_.must(SetOrganisation{{OrganisationName{"elsewhere"}, OrganisationKind::enterprise, "", "", SizeClass::small, "cn", ""}});
    town_.must(SetProject{{ProjectName{"desk"}, OrganisationName{"owner"}, {}, {}, 1}});
    town_.must(SetProject{{ProjectName{"away"}, OrganisationName{"elsewhere"}, {}, {}, 1}});
    town_.must(SetRoles{SubjectName{"pia"}, ProjectName{"desk"}, {Role::provider}});
    town_.must(SetRoles{SubjectName{"sam"}, ProjectName{"away"}, {Role::provider}});
    const auto drain_as = [&](const std::string& who) {
        const Actor actor{.kind = Actor::Kind::subject, .subject = SubjectName{who}, .token = town_.issue(who).id, .site = {}};
        return decide(town_.core, Request{actor, SetSiteDuty{SiteName{"east"}, SiteDuty::draining, {}}}, town_.now).answer;
    };
    EXPECT_TRUE(drain_as("pia"));
    EXPECT_EQ(drain_as("sam").error().code, RefusalCode::forbidden);
    EXPECT_EQ(drain_as("ann").error().code, RefusalCode::forbidden);
}

TEST_F(Moves, AfterARestartEverythingIsAsItWas) {
    const auto job = running_at_east(training());
    town_.must(MoveJob{job, SiteName{"west"}});
    tick();
    const auto west = told("west");
    const auto held = [&] {
        auto facts = town_.core.scheduler.facts();
        std::erase_if(facts, [](const auto& fact) { return !std::holds_alternative<scheduler::JobPlaced>(fact); });
        return facts;
    };
    const auto before = held();
    EXPECT_EQ(before.size(), 2U) << "both places are held";
    rebuild(town_.core);
    EXPECT_EQ(town_.core.facts_refused, 0U);
    EXPECT_EQ(told("west"), west);
    EXPECT_TRUE(held() == before);
    EXPECT_TRUE(town_.core.state.moves.contains(job));
}

}  // namespace
}  // namespace weir::control
