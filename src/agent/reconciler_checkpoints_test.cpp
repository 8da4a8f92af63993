// Goal: what a task publishes reaches the network's store once, of its true second and newest first, and nothing older takes a job back.
// Method: as in reconciler_test.cpp.
#include "agent/test_reconciler.hpp"

namespace weir::agent {
namespace {

using ports::EndReason;

TEST_F(ReconcilerTest, CheckpointsAreStoredBeforeTheyAreToldAndBeforeTheEnd) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.tasks.at(rank(1, 0)).checkpoints = {{"step-1", "one"}, {"step-2", "two"}};
    at(102);
    EXPECT_TRUE(blobs.blobs.contains(sha256("two")));
    EXPECT_TRUE(blobs.blobs.contains(FakeBackend::checkpoint("step-2", "two").digest));
    ASSERT_EQ(words(), "#3 c1:step-2");
    EXPECT_EQ(agent->report(wall())->checkpoints[0].taken_s, 102) << "when it was seen, not when it had arrived";
    EXPECT_EQ(tell(), "#3 c1:step-2");
    at(103);
    EXPECT_EQ(words(), "");
    backend.tasks.at(rank(1, 0)).checkpoints["step-3"] = "three";
    blobs.down = true;
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(104);
    EXPECT_EQ(tell(), "#4 m1/0:1[101,103)");
    blobs.down = false;
    at(106);
    EXPECT_EQ(tell(), "#5 c1:step-3 1:ended(exited,0)");
}

TEST_F(ReconcilerTest, WhatIsPublishedAnewUnderAKnownNameIsStoredAsWell) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    published = {{"latest", "one"}};
    at(102);
    ASSERT_EQ(words(), "#3 c1:latest");
    const auto first = agent->report(wall())->checkpoints[0].manifest;
    published = {{"latest", "two"}};
    at(103);
    EXPECT_EQ(tell(), "#3 c1:latest") << "the report that waits is sent as it was";
    ASSERT_EQ(words(), "#4 c1:latest");
    EXPECT_NE(agent->report(wall())->checkpoints[0].manifest, first);
    tell();
    // The next agent knows which one is stored.
    restart();
    at(104);
    EXPECT_EQ(words(), "#1 nodes 1:running");
    tell();
    // One that does not hold says nothing of the next one under its name.
    published = {{"latest", "bad"}};
    at(105);
    EXPECT_EQ(words(), "");
    published = {{"latest", "three"}};
    at(106);
    EXPECT_EQ(words(), "#2 c1:latest");
}

TEST_F(ReconcilerTest, ACheckpointIsOfTheSecondInWhichItWasPublished) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    published = {{"step-1", "one"}};
    blobs.down = true;
    at(102);
    published["step-2"] = "two";
    at(103);
    blobs.down = false;
    at(115);
    ASSERT_EQ(words(), "#3 m1/0:1[101,111) c1:step-2");
    EXPECT_EQ(agent->report(wall())->checkpoints[0].taken_s, 103) << "it was there though the store was away";
    tell();
    restart();
    published["step-3"] = "three";
    backend.changed_s = 117;
    at(120);
    ASSERT_EQ(agent->report(wall())->checkpoints.size(), 1U);
    EXPECT_EQ(agent->report(wall())->checkpoints[0].taken_s, 117) << "published while no agent looked";
    tell();
    published["step-4"] = "four";
    backend.changed_s = 500;
    at(121);
    EXPECT_EQ(agent->report(wall())->checkpoints[0].taken_s, 121) << "a folder cannot be of the future";
}

TEST_F(ReconcilerTest, ANewNameMakesNoNewCheckpoint) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    published = {{"newest", "one"}};
    at(102);
    EXPECT_EQ(tell(), "#3 c1:newest");
    published = {{"before", "one"}};
    at(103);
    EXPECT_EQ(words(), "");
    published = {{"before", "one"}, {"newest", "two"}};
    at(104);
    EXPECT_EQ(tell(), "#4 c1:newest");
    published = {{"before", "two"}, {"ancient", "one"}};
    at(105);
    restart();
    at(106);
    EXPECT_EQ(words(), "#1 nodes 1:running") << "also for the next agent";
}

TEST_F(ReconcilerTest, WhatWasMadeBeforeTheNewestIsNeverStoredAfterIt) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    backend.made = {{"best", 1}, {"latest", 2}};
    published = {{"best", "one"}, {"latest", "two"}};
    at(102);
    EXPECT_EQ(tell(), "#3 c1:latest");
    published = {{"best", "one"}};  // the next one is being written
    at(103);
    EXPECT_EQ(words(), "");
    restart();
    at(104);
    EXPECT_EQ(tell(), "#1 nodes 1:running");
    backend.made["latest"] = 3;
    published = {{"best", "one"}, {"latest", "three"}};
    at(105);
    EXPECT_EQ(words(), "#2 c1:latest");
}

TEST_F(ReconcilerTest, WhatWasMadeFirstAndPublishedLastIsOld) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    backend.made = {{"best", 1}, {"last", 2}, {"other", 3}};
    published = {{"last", "two"}};
    at(102);
    EXPECT_EQ(tell(), "#3 c1:last");
    published = {{"best", "one"}, {"last", "two"}};
    at(103);
    EXPECT_EQ(words(), "");
    published = {{"last", "two"}, {"other", "three"}};
    at(104);
    EXPECT_EQ(tell(), "#4 c1:other");
    published = {{"other", "three"}};
    at(105);
    published = {{"last", "two"}, {"other", "three"}};
    at(106);
    EXPECT_EQ(words(), "") << "it was hidden, and is as old as before";
}

/// The second at which a checkpoint is made.
constexpr std::int64_t second(std::int64_t s) { return s * 1'000'000'000; }

TEST_F(ReconcilerTest, AClockThatIsSetBackKeepsNoCheckpointFromTheStore) {
    at(1000);
    tell();
    desire({task(1)});
    at(1001);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    backend.made["first"] = second(1002);
    published = {{"first", "one"}};
    at(1002);
    EXPECT_EQ(tell(), "#3 c1:first");
    const auto set_back_to = [this](std::int64_t s) {
        now_s = s;
        agent->step(boot(2000 + s), s);
    };
    backend.made["latest"] = second(499);
    published["latest"] = "two";
    set_back_to(500);
    EXPECT_EQ(tell(), "#4 c1:latest");
    // The agent after this one knows no more of the clock than that a folder is not of the future.
    backend.made["latest"] = second(502);
    published["latest"] = "three";
    restart();
    set_back_to(503);
    EXPECT_EQ(tell(), "#1 nodes c1:latest 1:running");
}

TEST_F(ReconcilerTest, AFileSystemWhoseClockRunsAheadHidesNoCheckpoint) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto& published = backend.tasks.at(rank(1, 0)).checkpoints;
    backend.made["step-1"] = second(500);
    published["step-1"] = "one";
    at(102);
    EXPECT_EQ(tell(), "#3 c1:step-1");
    backend.made["step-2"] = second(501);
    published["step-2"] = "two";
    at(103);
    EXPECT_EQ(tell(), "#4 c1:step-2");
    backend.made["step-0"] = second(1);
    published["step-0"] = "made first, published last";
    restart();
    at(104);
    EXPECT_EQ(tell(), "#1 nodes 1:running");
    backend.made["step-3"] = second(504);
    published["step-3"] = "three";
    backend.made["best"] = second(2);
    published["best"] = "made first, published last";
    at(105);
    EXPECT_EQ(tell(), "#2 c1:step-3");
    at(106);
    EXPECT_EQ(words(), "");
}

TEST_F(ReconcilerTest, AnEndDoesNotWaitForAStoreForEver) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.tasks.at(rank(1, 0)).checkpoints = {{"step-1", "one"}};
    blobs.down = true;
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(102);
    EXPECT_EQ(words(), "");
    at(160);
    EXPECT_EQ(words(), "");
    at(161);
    EXPECT_EQ(words(), "#3 1:ended(exited,0)");
}

TEST_F(ReconcilerTest, ABadCheckpointIsPassedOverForTheOneBefore) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.tasks.at(rank(1, 0)).checkpoints = {{"step-1", "one"}, {"step-2", "bad"}};
    at(102);
    EXPECT_EQ(tell(), "#3 c1:step-1");
    at(103);
    EXPECT_EQ(words(), "");
}

TEST_F(ReconcilerTest, ResumesFromTheNewestCheckpointThatHolds) {
    greet();
    auto wanted = task(2, 2);
    wanted.resume = {stored("step-3", "three"), stored("step-2", "two"), stored("step-1", "one")};
    blobs.blobs[sha256("three")] = "rotten";
    blobs.blobs.erase(wanted.resume[1].manifest);
    desire({wanted});
    EXPECT_EQ(at(101), (Calls{"fence 1", "install 2/0 step-1", "install 2/1 step-1", "start 2/0", "start 2/1"}));
    EXPECT_EQ(backend.tasks.at(rank(2, 1)).spec.resume, "step-1");
}

TEST_F(ReconcilerTest, WaitsForAStoreRatherThanStartingAfresh) {
    greet();
    auto wanted = task(2);
    wanted.resume = {stored("step-1", "one")};
    blobs.down = true;
    desire({wanted});
    EXPECT_EQ(at(101), (Calls{"fence 1"}));
    blobs.down = false;
    EXPECT_EQ(at(103), (Calls{"install 2/0 step-1", "start 2/0"}));
}

TEST_F(ReconcilerTest, APausedSiteIsEmptiedAfterACheckpointAndOffersNothing) {
    run_what_can_be_asked_for_a_checkpoint();
    tell();
    // With the network down: no answer comes from here on.
    agent->set_paused(true);
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(103), Calls{});
    backend.tasks.at(rank(1, 0)).checkpoints = {{"step-1", "one"}};
    EXPECT_EQ(at(104), (Calls{"stop 1/0"}));
    backend.finish_stopping();
    at(105);
    EXPECT_EQ(words(), "#3 sick-nodes m1/0:1[101,104) c1:step-1 1:ended(site_lost_task,0)");
    tell();
    desire({task(2)});
    EXPECT_EQ(at(106), Calls{});
    agent->set_paused(false);
    const auto calls = at(107);
    EXPECT_EQ(calls.back(), "start 2/0");
    EXPECT_EQ(words(), "#4 nodes 2:running");
}

TEST_F(ReconcilerTest, APauseIsContentWithACheckpointUnderAKnownName) {
    run_what_can_be_asked_for_a_checkpoint();
    backend.tasks.at(rank(1, 0)).checkpoints = {{"latest", "one"}};
    agent->set_paused(true);
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    backend.tasks.at(rank(1, 0)).checkpoints = {{"prev", "one"}};
    EXPECT_EQ(at(103), Calls{}) << "it makes room for the next one";
    backend.tasks.at(rank(1, 0)).checkpoints = {{"latest", "two"}, {"prev", "one"}};
    EXPECT_EQ(at(104), (Calls{"stop 1/0"}));
}

TEST_F(ReconcilerTest, WhatAPauseStoppedHasNotObeyedTheOrderThatCameAfterIt) {
    greet();
    auto wanted = task(1);
    desire({wanted});
    at(101);
    tell();
    agent->set_paused(true);
    EXPECT_EQ(at(102), (Calls{"stop 1/0"}));
    wanted.stop = true;
    desire({wanted});
    at(103);
    backend.finish_stopping();
    at(104);
    EXPECT_NE(words().find("1:ended(site_lost_task,0)"), std::string::npos) << "the site stopped it, and the tenant pays for nothing";
}

TEST_F(ReconcilerTest, APauseWaitsForACheckpointNoLongerThanItsGrace) {
    greet();
    auto wanted = task(1);
    wanted.checkpoint = CheckpointProtocol::signal;
    desire({wanted});
    at(101);
    agent->set_paused(true);
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(131), Calls{});
    EXPECT_EQ(at(132), (Calls{"stop 1/0"}));
}

}  // namespace
}  // namespace weir::agent
