// Goal: work may start elsewhere when the old site's supervisors have surely ended it, and not a moment earlier.
// Method: a silent site with one job of each choice; a table says at which second who is given up. Then a bound over any times.
#include "control/leases.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace weir::control {
namespace {

const SiteName east{"east"};

Policy policy() {
    Policy made;
    made.task_lease = seconds(30);
    made.run_on_lease = seconds(300);
    made.kill_grace = seconds(10);
    made.drift_bound = seconds(2);
    made.site_silence = seconds(15);
    return made;
}

/// One site with job 1, which stops when it is cut off, and job 2, which runs on.
State two_jobs(bool reachable) {
    State state;
    state.sites[east].reachable = reachable;
    for (const std::uint64_t number : {1, 2}) {
        LiveJob job;
        job.id = JobId{Uid{0, number}};
        job.generation = 1;
        job.placement = Placement{};
        job.placement->site = east;
        JobSpec spec;
        spec.on_disconnect = number == 1 ? OnDisconnect::checkpoint_stop : OnDisconnect::run_on;
        job.spec = std::move(spec);
        state.tasks[east][job.id] = 1;
        state.jobs[job.id] = job;
    }
    return state;
}

Instant at(std::int64_t s) { return Instant{s * 1'000'000'000}; }

/// "silent lose1 lose2"
std::string due(const LeaseKeeper& keeper, const State& state, std::int64_t s) {
    std::string text;
    for (const auto& command : keeper.due(state, at(s))) {
        text += text.empty() ? "" : " ";
        if (const auto* lost = std::get_if<LoseTask>(&command)) {
            text += "lose" + std::to_string(lost->job.uid.low);
        } else if (std::holds_alternative<SilenceSite>(command)) {
            text += "silent";
        }
    }
    return text;
}

TEST(LeaseKeeper, GivesWorkUpAfterLeaseGraceAndDriftByItsClass) {
    LeaseKeeper keeper{policy(), at(0)};
    keeper.heard(east, at(1000));
    struct Row {
        std::int64_t s;
        bool reachable;
        std::string due;
    };
    const Row table[] = {
        {1014, true, ""},
        {1015, true, "silent"},
        {1041, false, ""},
        {1042, false, "lose1"},           // 30 + 10 + 2
        {1311, false, "lose1"},
        {1312, false, "lose1 lose2"},     // 300 + 10 + 2
    };
    for (const auto& row : table) EXPECT_EQ(due(keeper, two_jobs(row.reachable), row.s), row.due) << row.s;
}

TEST(LeaseKeeper, AReportThatCameLaterCountsAndOneThatCameEarlierDoesNot) {
    LeaseKeeper keeper{policy(), at(0)};
    keeper.heard(east, at(1000));
    keeper.heard(east, at(900));
    EXPECT_EQ(due(keeper, two_jobs(false), 1041), "");
    keeper.heard(east, at(1010));
    EXPECT_EQ(due(keeper, two_jobs(false), 1051), "");
    EXPECT_EQ(due(keeper, two_jobs(false), 1052), "lose1");
}

TEST(LeaseKeeper, ANewLeaderGrantsEverySiteOneFullLeaseOfEachClass) {
    const LeaseKeeper keeper{policy(), at(5000)};
    EXPECT_EQ(due(keeper, two_jobs(false), 5041), "");
    EXPECT_EQ(due(keeper, two_jobs(false), 5042), "lose1");
    EXPECT_EQ(due(keeper, two_jobs(false), 5312), "lose1 lose2");
}

TEST(LeaseKeeper, AStricterLeaderWaitsForWhatItsPredecessorsGranted) {
    auto strict = policy();
    strict.task_lease = seconds(10);
    strict.run_on_lease = seconds(60);
    strict.kill_grace = seconds(1);
    LeaseKeeper keeper{strict, at(5000), {Seconds{30}, Seconds{300}, Seconds{10}}};
    // Heard by this leader, but the answer with the new terms may be lost: the old ones hold from its start on.
    keeper.heard(east, at(5001));
    EXPECT_EQ(due(keeper, two_jobs(false), 5041), "");
    EXPECT_EQ(due(keeper, two_jobs(false), 5042), "lose1");
    EXPECT_EQ(due(keeper, two_jobs(false), 5311), "lose1");
    EXPECT_EQ(due(keeper, two_jobs(false), 5312), "lose1 lose2");
    // Later only the present terms count, with the grace that a task may have begun with.
    keeper.heard(east, at(9000));
    EXPECT_EQ(due(keeper, two_jobs(false), 9021), "");
    EXPECT_EQ(due(keeper, two_jobs(false), 9022), "lose1");
}

TEST(LeaseKeeper, SaysHowMuchIsLostALittleAtATime) {
    auto made = policy();
    made.timers_per_pass = 1;
    const LeaseKeeper keeper{made, at(0)};
    EXPECT_EQ(due(keeper, two_jobs(true), 1000), "silent lose1");
}

TEST(LeaseKeeper, ClocksPartMoreOverALongLease) {
    auto made = policy();
    EXPECT_EQ(drift_over(made, seconds(40)), seconds(2));
    EXPECT_EQ(drift_over(made, hours(6)), milliseconds(21'600)) << "one in a thousand: two clocks, each slewed by 500 ppm";
}

/// A supervisor counts its lease from before the report came to us; its clock may differ by the drift bound; then it takes the grace.
RC_GTEST_PROP(LeaseKeeper, NobodyIsGivenUpBeforeItsSupervisorHasEndedIt, ()) {
    const auto sent_s = *rc::gen::inRange<std::int64_t>(0, 1000);
    const auto took_s = *rc::gen::inRange<std::int64_t>(0, 60);
    const auto drift_s = *rc::gen::inRange<std::int64_t>(0, 3);
    const auto grace_s = *rc::gen::inRange<std::int64_t>(0, 11);
    const auto asked_s = *rc::gen::inRange<std::int64_t>(0, 2000);
    LeaseKeeper keeper{policy(), at(0)};
    keeper.heard(east, at(sent_s + took_s));
    const auto text = due(keeper, two_jobs(false), asked_s);
    const auto gone_s = [&](std::int64_t lease_s) { return sent_s + lease_s + drift_s + grace_s; };
    if (text.find("lose1") != std::string::npos) RC_ASSERT(asked_s >= gone_s(30));
    if (text.find("lose2") != std::string::npos) RC_ASSERT(asked_s >= gone_s(300));
}

}  // namespace
}  // namespace weir::control
