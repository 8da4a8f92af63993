// Goal: what a site says is taken in once, in order, and only as far as it can be.
// Method: that of core_test.cpp.
#include "control/core/test_town.hpp"

#include <gmock/gmock.h>

namespace weir::control {
namespace {

TEST(Report, TheSameTwiceChangesNothing) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    town.place();
    SiteReport r;
    r.site = SiteName{"east"};
    r.session = Town::session();
    r.sequence = 2;
    r.tasks = {{job, 1, TaskState::running, Reason::none, 0, std::nullopt}};
    town.must(r);
    const auto again = town.play(r);
    EXPECT_TRUE(again.answer->repeated);
    EXPECT_TRUE(again.events.empty());
    r.sequence = 4;
    EXPECT_EQ(town.refused(r).code, RefusalCode::stale_sequence);
    r.session = Town::session(0);
    r.sequence = 1;
    EXPECT_EQ(town.refused(r).code, RefusalCode::stale_sequence) << "an agent's former life";
}

TEST(Report, OfASessionWithAnEndlessNameIsRefused) {
    Town town;
    SiteReport r;
    r.site = SiteName{"east"};
    r.session = std::string(65, 's');
    r.sequence = 1;
    EXPECT_EQ(town.refused(r).code, RefusalCode::bad_value);
}

TEST(Report, OfASessionOfNoTimeOrOfALaterOneIsRefused) {
    Town town;
    SiteReport r;
    r.site = SiteName{"east"};
    r.sequence = 1;
    for (const auto* name : {"", "zzz", "s1", "01KAJ3Y0000000000000000000", "01kaj3y00000000000000000000"}) {
        r.session = name;
        EXPECT_EQ(town.refused(r).code, RefusalCode::bad_value) << name;
    }
    const auto at = [&](std::int64_t ahead_s) { return format_uid(make_uid(town.now + seconds(ahead_s), 0, 0)); };
    r.session = at(301);
    const auto refused = town.refused(r);
    EXPECT_EQ(refused.code, RefusalCode::bad_value);
    EXPECT_THAT(refused.message, testing::HasSubstr(format_utc(town.now + seconds(301))));
    EXPECT_THAT(refused.message, testing::HasSubstr(format_utc(town.now)));
    r.session = at(300);
    town.must(r);
}

TEST(Report, OfAThiefShutsTheSitesAgentOutUntilItsTokenIsRevoked) {
    Town town;
    const TokenId stolen{make_uid(town.now, 9, 9)};
    town.must(IssueToken{{stolen, SubjectName{"agent-east"}, sha256("secret"), {Scope::agent}, SiteName{"east"}, town.now, {}}});
    SiteReport r;
    r.site = SiteName{"east"};
    r.sequence = 1;
    r.session = format_uid(make_uid(town.now + seconds(300), 0, 0));
    town.must(r);
    r.session = format_uid(make_uid(town.now + seconds(10), 0, 0));
    EXPECT_EQ(town.refused(r).code, RefusalCode::stale_sequence);
    town.must(RevokeToken{stolen});
    town.must(r);
    EXPECT_EQ(town.core.state.sites.at(r.site).session, r.session);
}

TEST(Report, WhoSpokeBeforeIsRememberedThoughATokenIsRevoked) {
    Town town;
    const auto before = town.core.state.sites.at(SiteName{"east"}).session;
    const TokenId old{make_uid(town.now, 9, 1)};
    town.must(IssueToken{{old, SubjectName{"agent-east"}, sha256("secret"), {Scope::agent}, SiteName{"east"}, town.now, {}}});
    town.must(RevokeToken{old});
    EXPECT_EQ(town.core.state.sites.at(SiteName{"east"}).session, "") << "a thief's session shuts nobody out";
    EXPECT_EQ(town.core.state.sites.at(SiteName{"east"}).session_before, before);
    SiteReport r;
    r.site = SiteName{"east"};
    r.sequence = 1;
    r.session = format_uid(make_uid(town.now + seconds(10), 0, 0));
    town.must(r);
    EXPECT_EQ(town.core.state.sites.at(SiteName{"east"}).session_before, before) << "the one that was ended spoke, nobody since";
}

TEST(Report, HasAThousandLinesOfAKindAtMost) {
    Town town;
    const auto with = [&](std::size_t meters, std::size_t checkpoints, std::size_t tasks) {
        SiteReport r;
        r.site = SiteName{"east"};
        r.session = Town::session();
        r.sequence = town.core.state.sites.at(r.site).sequence + 1;
        r.meters.resize(meters);
        r.checkpoints.resize(checkpoints);
        r.tasks.resize(tasks);
        return r;
    };
    town.must(with(1000, 1000, 1000));
    EXPECT_EQ(town.refused(with(1001, 0, 0)).field, "meters");
    EXPECT_EQ(town.refused(with(0, 1001, 0)).field, "checkpoints");
    const auto refused = town.refused(with(0, 0, 1001));
    EXPECT_EQ(refused.code, RefusalCode::limit_reached);
    EXPECT_THAT(refused.message, testing::HasSubstr("1001 lines of tasks, at most 1000"));
}

TEST(Report, OfACheckpointThatCannotBeIsRefusedWhole) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    town.place();
    SiteReport r;
    r.site = town.live(job).placement->site;
    r.session = Town::session();
    r.sequence = town.core.state.sites.at(r.site).sequence + 1;
    r.checkpoints = {{job, 1, "step-1", sha256("m"), 0}};
    for (const std::int64_t bytes : {std::int64_t{-5}, INT64_MIN, (std::int64_t{1} << 50) + 1, INT64_MAX}) {
        r.checkpoints[0].bytes = bytes;
        EXPECT_EQ(town.refused(r).field, "checkpoints") << bytes;
    }
    EXPECT_TRUE(town.live(job).checkpoints.empty());
    r.checkpoints[0].bytes = (std::int64_t{1} << 50);
    town.must(r);
    EXPECT_EQ(town.live(job).checkpoints.size(), 1U);
}

TEST(Report, WithNothingNewIsEnoughToBeHeardAgain) {
    Town town;
    town.must(SilenceSite{SiteName{"east"}});
    SiteReport r;
    r.site = SiteName{"east"};
    r.session = Town::session();
    r.sequence = town.core.state.sites.at(r.site).sequence;
    town.must(r);
    EXPECT_TRUE(town.core.state.sites.at(r.site).reachable);
    EXPECT_TRUE(town.play(r).events.empty());
}

TEST(Report, OfAnOlderGenerationIsNotHeard) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    town.place();
    town.must(LoseTask{job, 1});
    town.place();
    EXPECT_EQ(town.live(job).generation, 2U);
    const auto site = town.live(job).placement->site.value;
    town.report(site, [&](SiteReport& r) { r.tasks = {{job, 1, TaskState::ended, Reason::exited, 0, std::nullopt}}; });
    EXPECT_EQ(town.live(job).state, JobState::placed) << "the end of generation 1 is not the end of the job";
}

TEST(Report, TheEndOfAnOlderGenerationDoesNotHideThatOfTheNext) {
    Town town;
    town.deposit(100'000);
    const auto job = town.submit(Town::spec());
    town.place();
    const auto site = town.live(job).placement->site.value;
    town.must(LoseTask{job, 1});
    town.place();
    ASSERT_EQ(town.live(job).generation, 2U);
    // The site lost its power twice and was cut off between: it tells of both ends at once, the older first.
    town.report(site, [&](SiteReport& r) {
        r.tasks = {{job, 1, TaskState::ended, Reason::node_lost, 0, NodeName{"n1"}},
                   {job, 2, TaskState::ended, Reason::exited, 0, std::nullopt},
                   {job, 2, TaskState::ended, Reason::exited, 0, std::nullopt}};
    });
    EXPECT_EQ(town.outcome(job), JobState::succeeded);
}

TEST(Report, ThatContradictsItselfMovesAJobOnlyForward) {
    Town town;
    town.deposit(100'000);
    const auto job = town.submit(Town::spec());
    town.place();
    const auto site = town.live(job).placement->site.value;
    const auto line = [&](TaskState state) {
        return TaskReport{job, 1, state, state == TaskState::ended ? Reason::exited : Reason::none, 0, std::nullopt};
    };
    const auto twice = town.report(site, [&](SiteReport& r) {
        r.tasks = {line(TaskState::running), line(TaskState::starting), line(TaskState::running)};
    });
    EXPECT_EQ(twice.events.size(), 2U) << "it runs, and the report was taken";
    EXPECT_EQ(town.live(job).state, JobState::running);
    town.report(site, [&](SiteReport& r) { r.tasks = {line(TaskState::ended), line(TaskState::running), line(TaskState::starting)}; });
    EXPECT_FALSE(town.core.state.jobs.contains(job)) << "nothing runs after its end";
}

TEST(Report, MetersAreTakenOnceInOrderAndWithoutOverlap) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    town.place();
    town.run(job, "east");
    const auto t = floor_seconds(town.now);
    town.wait(60);
    const auto used = [&] { return town.live(job).usage[0].at_risk.value; };
    const auto send = [&](std::uint64_t sequence, std::int64_t from, std::int64_t to) {
        town.report("east", [&](SiteReport& r) { r.meters = {{job, 1, 0, sequence, t + from, t + to}}; });
    };
    send(2, 0, 10);
    EXPECT_EQ(used(), 0) << "number 1 is missing";
    send(1, 0, 10);
    EXPECT_EQ(used(), 10'000);
    send(1, 0, 10);
    EXPECT_EQ(used(), 10'000) << "repeated";
    send(2, 5, 20);
    EXPECT_EQ(used(), 10'000) << "overlaps";
    send(2, INT64_MIN, INT64_MAX - t);  // t is positive: the sums stay in range, the length would not
    send(2, 10, INT64_MAX - t);
    EXPECT_EQ(used(), 10'000) << "longer than any task can run";
    send(2, 10, 20);
    EXPECT_EQ(used(), 20'000);
}

TEST(Report, AnEndWhoseReasonAndCodeContradictEachOtherIsRefused) {
    const struct {
        Reason reason;
        std::int64_t code;
        bool taken;
    } rows[]{{Reason::exited, 0, true},      {Reason::exited, 1, false},     {Reason::exit_code, 1, true},
             {Reason::exit_code, 255, true}, {Reason::exit_code, 0, false},  {Reason::exit_code, 256, false},
             {Reason::signalled, 137, true}, {Reason::exit_code, INT64_MAX, false}};
    for (const auto& row : rows) {
        Town town;
        town.deposit(10'000);
        const auto job = town.submit(Town::spec());
        town.place();
        town.run(job, "east");
        SiteReport report;
        report.site = SiteName{"east"};
        report.session = Town::session();
        report.sequence = town.core.state.sites.at(report.site).sequence + 1;
        report.tasks = {{job, 1, TaskState::ended, row.reason, row.code, std::nullopt}};
        const auto answer = town.play(report).answer;
        EXPECT_EQ(answer.has_value(), row.taken) << row.code;
        if (!answer) {
            EXPECT_EQ(answer.error().field, "tasks");
            EXPECT_EQ(town.live(job).state, JobState::running);
        }
    }
}

}  // namespace
}  // namespace weir::control
