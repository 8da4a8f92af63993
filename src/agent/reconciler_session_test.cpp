// Goal: one site has one agent: of two that speak for it, one stands back, and no generation is run under the leases of both.
// Method: that of reconciler_test.cpp; the other agent is a server that refuses, or a list that names what this root does not know.
#include "agent/test_reconciler.hpp"

namespace weir::agent {
namespace {

using ports::LinkFault;

DesiredTask another(DesiredTask task) {
    task.job = *JobId::parse("job-01k00000000000000000000002");
    return task;
}

TEST_F(ReconcilerTest, WhoeverIsSupersededByAnotherAgentStandsBack) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    const auto taken = session;
    lose(LinkFault::stale_sequence);
    EXPECT_EQ(words(), "#1 nodes 1:running");
    EXPECT_EQ(session.substr(0, 8), taken.substr(0, 8));
    EXPECT_FALSE(agent->stands_back()) << "a server that was restored takes the next session";
    lose(LinkFault::stale_sequence);
    EXPECT_TRUE(agent->stands_back());
    desire({task(1), another(task(1))});
    EXPECT_EQ(at(110), Calls{}) << "nothing is renewed, nothing started";
    EXPECT_EQ(words(), "");
    EXPECT_FALSE(agent->heartbeat());
    // Started again it speaks.
    restart();
    at(120);
    EXPECT_EQ(words().substr(0, 8), "#1 nodes");
    EXPECT_FALSE(agent->stands_back());
}

TEST_F(ReconcilerTest, AServerThatWasRestoredIsNoOtherAgent) {
    for (int restored = 0; restored < 3; ++restored) {
        at(100 + restored);
        tell();
        lose(LinkFault::stale_sequence);
        tell();
        EXPECT_FALSE(agent->stands_back());
    }
}

TEST_F(ReconcilerTest, WhatWasOrderedBeforeItsFirstWordMayRunElsewhereUntilALeaseIsOver) {
    at(90);
    desire({task(1)});
    EXPECT_EQ(at(95), Calls{});
    tell();
    EXPECT_EQ(at(100), Calls{});
    EXPECT_EQ(words(), "") << "nothing is said of it";
    // Lease 30 s, kill grace 10 s, and 2 s for clocks.
    EXPECT_EQ(at(141), Calls{});
    tell();
    EXPECT_EQ(at(142), Calls{"start 1/0"});
    // What is ordered later was ordered of this agent.
    desire({task(1), another(task(1))});
    at(143);
    EXPECT_EQ(backend.tasks.size(), 2U);
}

TEST_F(ReconcilerTest, TheEndOfWhatMayRunElsewhereIsNotToldBeforeItsLeaseIsOver) {
    at(90);
    auto stopped = task(1);
    stopped.stop = true;
    desire({stopped});
    at(95);
    EXPECT_EQ(tell(), "#1 nodes");
    at(96);
    at(137);
    EXPECT_EQ(tell(), "") << "it may run elsewhere";
    at(138);
    EXPECT_EQ(words(), "#2 nodes 1:ended(site_lost_task,0)");
}

TEST_F(ReconcilerTest, WhatItsRootKnowsIsItsOwn) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    restart();
    desire({task(1)});
    at(102);
    tell();
    EXPECT_EQ(at(103), Calls{"renew 1/0 until 132"});
}

}  // namespace
}  // namespace weir::agent
