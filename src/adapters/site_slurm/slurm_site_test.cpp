// Goal: whatever Slurm does, and whoever of it dies, a gang begins once and its end is told in the port's words.
// Method: a real Slurm with emulated nodes and cards; its daemons, our supervisor and the agent's notes are killed and cut.
#include "adapters/site_slurm/test_cluster.hpp"

namespace weir::site_slurm {
namespace {

using ports::EndReason;
using ports::StartOutcome;
using ports::TaskState;

class SlurmSites : public testing::Test {
protected:
    void SetUp() override {
        if (const auto why = World::why_not(); !why.empty()) GTEST_SKIP() << why;
    }
    ports::TaskSpec task(const std::string& run, const std::string& job, std::int32_t rank = 0, std::int32_t nnodes = 1) {
        ports::TaskSpec spec;
        spec.key = {.job = job, .generation = 1, .node_rank = rank};
        spec.project = "lab";
        spec.node = World::node(rank);
        spec.run = run;
        spec.nnodes = nnodes;
        spec.world_size = nnodes;
        spec.rank_offset = rank;
        spec.kill_grace_s = 0;
        spec.lease_deadline = World::in_s(3600);
        return spec;
    }
    ports::TaskSpec with_cards(ports::TaskSpec spec, std::int32_t count) {
        spec.stack = ports::CardStack::cuda;
        for (std::int32_t card = 0; card < count; ++card) spec.cards.push_back(card);
        return spec;
    }
    void must_start(const ports::TaskSpec& spec) {
        const auto outcome = world_.site->start(spec);
        ASSERT_TRUE(outcome) << outcome.error().message;
    }
    std::string log(const ports::TaskKey& key) { return world_.site->read_log(key, 0, ports::LogStream::out, 0, 1 << 20)->bytes; }

    const std::string wait_ = "echo up; while :; do sleep 100 & wait; done";
    World world_;
};

TEST_F(SlurmSites, OffersTheCardsOfItsNodesLabelledAsEmulated) {
    const auto inventory = world_.site->inventory();
    ASSERT_TRUE(inventory) << inventory.error().message;
    ASSERT_EQ(inventory->cards.size(), 8U);
    EXPECT_EQ(inventory->cards[0],
              (ports::Card{.node = "n1", .index = 0, .model = "L20", .stack = ports::CardStack::cuda, .emulated = true}));
    EXPECT_EQ(inventory->cards[7].node, "n2");
    EXPECT_EQ(inventory->milli_cpus, 32'000);
    world_.config.partition = "nobody-has-it";
    world_.restart();
    EXPECT_TRUE(world_.site->inventory()->cards.empty());
}

TEST_F(SlurmSites, AGangIsOneJobWithoutRequeueAndItsTasksHaveTheCardsThatSlurmGave) {
    const auto run = "echo $CUDA_VISIBLE_DEVICES; echo $WEIR_CARDS_EMULATED; cat /proc/self/environ | tr '\\0' '\\n' | grep -c ^SLURM";
    const auto first = with_cards(task(run, "cards", 0, 2), 2);
    const auto second = with_cards(task(run, "cards", 1, 2), 2);
    ASSERT_EQ(world_.site->start(first), StartOutcome::started);
    EXPECT_TRUE(world_.jobs_of(first.key).empty()) << "a gang is submitted when all of it is ordered";
    ASSERT_EQ(world_.site->start(second), StartOutcome::started);
    const auto jobs = world_.jobs_of(first.key);
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_FALSE(jobs[0].requeue);
    EXPECT_EQ(world_.await_state(first.key, TaskState::ended).reason, EndReason::exited);
    EXPECT_EQ(world_.await_state(second.key, TaskState::ended).reason, EndReason::exited);
    EXPECT_EQ(log(first.key), "0,1\n1\n0\n") << "cards by Slurm's numbers, labelled; nothing of Slurm's variables";
    EXPECT_TRUE(World::eventually([&] { return world_.jobs_of(first.key).at(0).state == "COMPLETED"; }));
}

TEST_F(SlurmSites, ACrashBetweenSubmissionAndNoteMakesNoSecondJob) {
    const auto spec = task(wait_, "crash");
    ASSERT_EQ(world_.site->start(spec), StartOutcome::started);
    const auto before = world_.jobs_of(spec.key);
    ASSERT_EQ(before.size(), 1U);
    // What an agent leaves that died while Slurm was being asked.
    const auto note = world_.folder(spec.key).parent_path() / "slurm";
    ASSERT_EQ(parse_note(supervisor::slurp(note)), (GangNote{.job = before[0].id}));
    std::ofstream(note) << print_note({});
    world_.restart();
    EXPECT_FALSE(world_.look(spec.key).begun) << "so that the agent orders it again";
    (void)world_.site->start(spec);
    const auto after = world_.jobs_of(spec.key);
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(parse_note(supervisor::slurp(note)), (GangNote{.job = before[0].id}));
    EXPECT_EQ(world_.await_state(spec.key, TaskState::running).begun, true);
}

TEST_F(SlurmSites, WhoWaitsInSlurmsQueueIsStartingAndCanBeStoppedForGood) {
    const auto first = with_cards(task(wait_, "holds"), 4);
    const auto second = with_cards(task("echo never", "waits"), 4);
    const auto third = with_cards(task("echo never", "cancelled"), 4);
    must_start(first);
    (void)world_.await_state(first.key, TaskState::running);
    must_start(second);
    must_start(third);
    EXPECT_TRUE(World::eventually([&] { return world_.look(second.key).detail.find("PENDING: ") != std::string::npos; }));
    const auto waits = world_.look(second.key);
    EXPECT_EQ(waits.state, TaskState::starting);
    EXPECT_TRUE(waits.begun);
    EXPECT_EQ(waits.meter.to_s, waits.meter.from_s) << "who waits owes nothing";
    ASSERT_TRUE(world_.site->stop(second.key));
    EXPECT_EQ(world_.look(second.key).reason, EndReason::stopped);
    EXPECT_TRUE(World::eventually([&] {
        (void)world_.site->observe();
        return world_.jobs_of(second.key).at(0).state == "CANCELLED";
    }));
    // An operator of the cluster.
    ASSERT_TRUE(SlurmRest{world_.config.rest}.cancel(world_.jobs_of(third.key).at(0).id));
    const auto end = world_.await_state(third.key, TaskState::ended);
    EXPECT_EQ(end.reason, EndReason::start_failed);
    EXPECT_NE(end.detail.find("CANCELLED"), std::string::npos) << end.detail;
    EXPECT_EQ(log(second.key) + log(third.key), "");
}

TEST_F(SlurmSites, ALostControllerEndsNothingAndIsSaidToBeAway) {
    const auto spec = task(wait_, "runs");
    must_start(spec);
    (void)world_.await_state(spec.key, TaskState::running);
    Cluster::get().say("kill slurmctld");
    EXPECT_EQ(world_.look(spec.key).state, TaskState::running);
    EXPECT_TRUE(world_.site->renew_lease(spec.key, World::in_s(7200)));
    const auto next = task("echo next", "next");
    const auto refused = world_.site->start(next);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, BackendFault::unavailable) << refused.error().message;
    EXPECT_FALSE(world_.site->inventory());
    Cluster::get().say("start slurmctld");
    EXPECT_TRUE(World::eventually([&] {
        (void)world_.site->start(next);
        return world_.look(next.key).state == TaskState::ended;
    })) << world_.look(next.key).detail;
    EXPECT_EQ(log(next.key), "next\n") << world_.look(next.key).detail;
    EXPECT_EQ(world_.jobs_of(next.key).size(), 1U);
    EXPECT_EQ(world_.look(spec.key).state, TaskState::running) << world_.look(spec.key).detail;
}

TEST_F(SlurmSites, ALostNodeDaemonEndsNothingThatRuns) {
    const auto spec = task(wait_, "stays");
    must_start(spec);
    (void)world_.await_state(spec.key, TaskState::running);
    Cluster::get().say("kill n1");
    ASSERT_TRUE(world_.site->stop(spec.key)) << "what is asked of a task does not go through Slurm";
    EXPECT_EQ(world_.await_state(spec.key, TaskState::ended).reason, EndReason::stopped);
    Cluster::get().say("start n1");
}

TEST_F(SlurmSites, WhenTheSupervisorIsKilledSlurmEndsTheRestAndItIsTold) {
    const auto spec = task("echo $$; " + wait_, "orphan");
    must_start(spec);
    EXPECT_TRUE(World::eventually([&] { (void)world_.site->observe(); return log(spec.key).ends_with("up\n"); }));
    supervisor::Status status;
    ASSERT_TRUE(supervisor::parse_status(supervisor::slurp(world_.folder(spec.key) / "status"), status));
    const auto tenant = static_cast<pid_t>(std::stol(log(spec.key)));
    kill(static_cast<pid_t>(status.supervisor_pid), SIGKILL);
    const auto end = world_.await_state(spec.key, TaskState::ended);
    EXPECT_EQ(end.reason, EndReason::supervisor_lost);
    EXPECT_EQ(end.exit_code, 137);
    EXPECT_TRUE(end.meter.final);
    EXPECT_TRUE(World::eventually([&] { return !supervisor::process_lives(tenant); })) << "nobody is left";
    EXPECT_TRUE(is_over(world_.jobs_of(spec.key).at(0).state));
}

TEST_F(SlurmSites, AnOrderThatSlurmOrTheSiteCannotTakeIsRefusedWithItsFigures) {
    const auto many = world_.site->start(with_cards(task("echo never", "many"), 9));
    ASSERT_FALSE(many);
    EXPECT_EQ(many.error().fault, BackendFault::refused);
    EXPECT_NE(many.error().message.find("Slurm says"), std::string::npos) << many.error().message;
    auto nowhere = task("echo never", "nowhere");
    nowhere.node = "";
    EXPECT_EQ(world_.site->start(nowhere).error().fault, BackendFault::invalid);
    auto twice = task("echo never", "twice", 1, 2);
    twice.node = World::node(0);
    must_start(task("echo never", "twice", 0, 2));
    EXPECT_EQ(world_.site->start(twice).error().fault, BackendFault::invalid) << "two ranks on one node";
}

TEST_F(SlurmSites, IsOpenedOnlyWhereItsTenantsAreKnownToShareAUser) {
    world_.site.reset();
    auto config = world_.config;
    config.tenants_share_user = false;
    EXPECT_EQ(SlurmSite::open(config).error().fault, BackendFault::refused);
    config = world_.config;
    config.supervisor = "/nowhere/weir-supervisor";
    EXPECT_EQ(SlurmSite::open(config).error().fault, BackendFault::unavailable);
}

}  // namespace
}  // namespace weir::site_slurm
