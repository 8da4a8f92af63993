// Goal: one site has one agent: of two that speak for it, one stands back, and no generation is run under the leases of both.
// Method: that of reconciler_test.cpp; the other agent is a server that refuses, or one that names its session as the one before.
// Lease 30 s, of work that runs on an hour; kill grace 10 s, and 2 s for clocks: 42 s from the first word. For long
// leases a thousandth for the clocks: 3613.6 s.
#include "agent/test_reconciler.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <string>

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

// Found by a review: an agent on a full disk stood back, though no other one spoke.
TEST_F(ReconcilerTest, WhoeverCannotBeginItsNextSessionDoesNotStandBack) {
    greet();
    const auto file = root / "agent" / "session";
    std::filesystem::remove(file);
    std::filesystem::create_directories(file / "in-the-way");
    for (int times = 0; times < 3; ++times) {
        lose(LinkFault::stale_sequence);
        words();
        EXPECT_FALSE(agent->stands_back());
    }
    std::filesystem::remove_all(file);
    lose(LinkFault::stale_sequence);
    EXPECT_EQ(tell(), "#1 nodes");
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
    spoke = "another";
    at(90);
    desire({task(1)});
    EXPECT_EQ(at(95), Calls{});
    tell();
    EXPECT_EQ(at(100), Calls{});
    EXPECT_EQ(words(), "") << "nothing is said of it";
    EXPECT_FALSE(agent->is_moving()) << "for hours it may be";
    EXPECT_EQ(at(141), Calls{});
    tell();
    EXPECT_EQ(at(142), Calls{}) << "what became of it nobody knows: one generation is not begun twice";
    EXPECT_EQ(tell(), "#2 nodes 1:ended(site_lost_task,0)");
    // What is ordered later was ordered of this agent.
    desire({task(2), another(task(2))});
    at(143);
    EXPECT_EQ(backend.tasks.size(), 2U);
}

TEST_F(ReconcilerTest, TheEndOfWhatMayRunElsewhereIsNotToldBeforeItsLeaseIsOver) {
    spoke = "another";
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

// Found by a review: a list that came after the first answer was not doubted, and a standby ran what the agent before it still ran.
TEST_F(ReconcilerTest, WhatItHearsFirstAfterItsFirstWordMayRunElsewhereToo) {
    spoke = "another";
    at(90);
    tell();
    at(95);
    desire({task(1)});
    EXPECT_EQ(at(96), Calls{});
    EXPECT_EQ(words(), "");
    desire({task(1), another(task(1))});
    EXPECT_EQ(at(97), Calls{"start 1/0"}) << "ordered of this agent";
    tell();
    EXPECT_EQ(backend.tasks.begin()->first.job, another(task(1)).job.text());
    at(125);
    tell();
    EXPECT_EQ(at(136), Calls{"renew 1/0 until 155"});
    EXPECT_EQ(tell().find("ended"), std::string::npos);
    EXPECT_EQ(at(137), Calls{"renew 1/0 until 166"});
    EXPECT_EQ(words(), "#5 m1/0:4[127,137) 1:ended(site_lost_task,0)");
}

TEST_F(ReconcilerTest, WhatWasOrderedBetweenTheListAndItsFirstWordMayRunElsewhereToo) {
    spoke = "another";
    desire({});
    at(90);
    ++revision;  // ordered, and heard by the other
    tell();
    agent->hear({revision, {task(1)}});
    EXPECT_EQ(at(95), Calls{});
    desire({task(1), another(task(1))});
    EXPECT_EQ(at(96), Calls{"start 1/0"}) << "ordered of this agent";
}

// Found by a review: work that runs on and was placed while its agent was upgraded waited for six hours.
TEST_F(ReconcilerTest, WhatWasOrderedWhileItWasAwayIsBegunAtOnceWhereNobodyElseSpoke) {
    auto on = task(1);
    on.run_on = true;
    greet();
    restart();
    desire({on});
    EXPECT_EQ(at(103), Calls{}) << "nobody knows yet";
    tell();
    EXPECT_EQ(at(103), Calls{"start 1/0"});
    // The answer may come before the list, and lives that the server never heard of may lie between.
    for (int life = 0; life < 3; ++life) {
        restart();
        at(104 + life);
        words();
    }
    tell();
    auto other = another(on);
    desire({on, other});
    EXPECT_EQ(at(107), (Calls{"renew 1/0 until 3706", "start 1/0"}));
}

TEST_F(ReconcilerTest, NothingIsInDoubtAtASiteForWhichNobodyEverSpoke) {
    at(90);
    desire({task(1)});
    EXPECT_EQ(at(95), Calls{});
    tell();
    EXPECT_EQ(at(95), Calls{"start 1/0"});
}

TEST_F(ReconcilerTest, AFirstReportThatIsRefusedRaisesNoDoubt) {
    greet();
    restart();
    at(103);
    desire({task(1)});
    at(103);
    words();
    lose(LinkFault::refused);
    tell();
    EXPECT_EQ(at(104), Calls{"start 1/0"});
}

TEST_F(ReconcilerTest, WhereItIsNotKnownWhoSpokeBeforeALeaseIsWaitedFor) {
    struct Row {
        const char* why;
        std::function<void()> happens;
    };
    const Row table[] = {{"another agent spoke meanwhile", [&] { spoke = "another"; }},
                         {"the server forgot who spoke", [&] { spoke.clear(); }},
                         {"the server is older", [&] { names_sessions = false; }},
                         {"the root was copied to another host", [&] { restart("boot-2"); }}};
    const auto base = root;
    std::int64_t s = 100;
    for (const auto& row : table) {
        SCOPED_TRACE(row.why);
        root = base / std::to_string(s);
        std::filesystem::create_directory(root);
        backend.tasks.clear();
        spoke.clear();
        names_sessions = true;
        restart();
        at(s);
        tell();
        restart();
        row.happens();
        desire({task(1)});
        EXPECT_EQ(at(s + 1), Calls{});
        tell();
        EXPECT_EQ(at(s + 1), Calls{});
        at(s + 30);
        tell();
        EXPECT_EQ(at(s + 42), Calls{});
        EXPECT_EQ(tell().find("ended"), std::string::npos);
        EXPECT_EQ(at(s + 43), Calls{});
        EXPECT_THAT(words(), testing::EndsWith("1:ended(site_lost_task,0)"));
        s += 100;
    }
    root = base;
}

// Found by a review: an operator had shortened the lease, and a fresh agent began what the one before it still ran under the old one.
TEST_F(ReconcilerTest, ADoubtLastsAsLongAsTheLongestLeaseThatMayStillRun) {
    spoke = "another";
    leases_out = LeaseLengths{120'000, 3'600'000, 20'000};
    at(90);
    desire({task(1)});
    tell();
    at(90);
    leases_out.reset();  // the lives of servers that granted it are over meanwhile; what was granted goes on
    for (std::int64_t s = 110; s <= 230; s += 20) {
        at(s);
        tell();
    }
    EXPECT_EQ(at(231), Calls{});
    EXPECT_EQ(tell().find("ended"), std::string::npos);
    EXPECT_EQ(at(232), Calls{});
    EXPECT_THAT(words(), testing::EndsWith(" 1:ended(site_lost_task,0)"));
}

TEST_F(ReconcilerTest, ADoubtOutlivesTheAgent) {
    spoke = "another";
    at(90);
    desire({task(1)});
    tell();
    EXPECT_EQ(at(91), Calls{});
    restart();
    desire({task(1)});
    tell();
    EXPECT_EQ(at(95), Calls{}) << "the session before is its own, and began in doubt";
    at(120);
    tell();
    EXPECT_EQ(at(136), Calls{});
    EXPECT_EQ(tell().find("ended"), std::string::npos);
    EXPECT_EQ(at(137), Calls{});
    EXPECT_THAT(words(), testing::EndsWith(" 1:ended(site_lost_task,0)"));
    restart();
    desire({task(1)});
    tell();
    EXPECT_EQ(at(138), Calls{}) << "nor does the next one begin it, as long as the server has not heard of its end";
}

TEST_F(ReconcilerTest, AnAgentThatHasOutlivedEveryLeaseOfTheOneBeforeVouchesForTheNext) {
    spoke = "another";
    at(90);
    tell();
    at(90);
    at(90 + 3613);
    restart();
    tell();
    desire({task(1)});
    EXPECT_EQ(at(3704), Calls{}) << "a second too early";
    at(3704 + 3614);
    EXPECT_EQ(tell(), "#2 1:ended(site_lost_task,0)");
    desire({});
    at(3704 + 3614);
    restart();
    tell();
    desire({another(task(1))});
    EXPECT_EQ(at(3704 + 3615), Calls{"start 1/0"});
}

TEST_F(ReconcilerTest, ALaterSessionAfterItsOwnChangesNothing) {
    greet();
    desire({task(1)});
    EXPECT_EQ(at(101), Calls{"start 1/0"});
    lose(LinkFault::stale_sequence);
    tell();
    desire({task(1), another(task(1))});
    EXPECT_EQ(at(102), (Calls{"renew 1/0 until 131", "start 1/0"}));
}

// Found by a review: under a session that nobody had answered yet an agent heard what was ordered of another one, and began it too.
TEST_F(ReconcilerTest, NothingIsBegunBeforeTheFirstAnswerToASession) {
    greet();
    desire({another(task(1))});
    at(100);
    EXPECT_EQ(words(), "#2 1:running");
    lose(LinkFault::refused);
    desire({another(task(1)), task(1)});
    EXPECT_EQ(at(101), Calls{}) << "its lease of before runs on";
    spoke = "another";
    tell();
    EXPECT_EQ(at(102), Calls{"renew 1/0 until 131"}) << "it may have been ordered of that one";
    at(130);
    tell();
    EXPECT_EQ(at(142), Calls{"renew 1/0 until 160"});
    EXPECT_EQ(at(144), Calls{});
    EXPECT_THAT(words(), testing::EndsWith(" 1:ended(site_lost_task,0)"));
}

TEST_F(ReconcilerTest, WhatAnotherAgentMayHaveBegunBetweenTwoOfItsSessionsIsInDoubt) {
    auto on = task(1);
    on.resume = {stored("step-1", "one")};
    blobs.down = true;
    greet();
    desire({on});
    at(101);
    EXPECT_EQ(words(), "#2 1:starting");
    lose(LinkFault::refused);
    blobs.down = false;
    spoke = "another";
    EXPECT_EQ(tell(), "#1");
    EXPECT_EQ(at(110), Calls{}) << "it is known here, and was not begun here";
    at(130);
    tell();
    EXPECT_EQ(at(151), Calls{});
    EXPECT_EQ(at(152), Calls{});
    at(170);  // what was refused is told a minute later
    EXPECT_THAT(words(), testing::EndsWith("1:ended(site_lost_task,0)"));
}

// Found by the simulator (seed 170): an agent whose questions for what should run were lost renewed the lease of a task that had been
// stopped, for as long as its reports came through; the network gave the cards to another.
TEST_F(ReconcilerTest, AnAnswerRenewsNoLeaseBeforeWhatItTellsOfIsHeard) {
    greet();
    desire({task(1)});
    EXPECT_EQ(at(105), (Calls{"start 1/0"}));
    tell();
    EXPECT_EQ(at(106), (Calls{"renew 1/0 until 135"}));

    ++revision;  // something changed, and the agent was not told what
    at(115);
    tell();
    EXPECT_EQ(at(116), Calls{}) << "it may be an order to stop";
    at(120);
    tell();
    EXPECT_EQ(at(121), Calls{});

    agent->hear_revision(revision);
    EXPECT_EQ(at(122), (Calls{"renew 1/0 until 150"})) << "it was not: all answers count from when they were asked for";
}

}  // namespace
}  // namespace weir::agent
