// Goal: a site does what was ordered, once, under a lease, and says so until it was heard, whatever is lost, repeated or killed.
// Method: a backend without processes, a clock that the test turns, messages that the test carries, loses and repeats. A story is a
// row of moments; at each the calls to the backend and the report are compared as text. `1/0` is rank 0 of generation 1.
#include "agent/test_reconciler.hpp"

namespace weir::agent {
namespace {

using ports::EndReason;
using ports::LinkFault;

TEST_F(ReconcilerTest, StartsOnceHoweverOftenItIsAsked) {
    greet();
    desire({task(1)});
    EXPECT_EQ(at(101), (Calls{"start 1/0"}));
    EXPECT_EQ(tell(), "#2 1:running");
    desire({task(1)});
    EXPECT_EQ(at(102), (Calls{"renew 1/0 until 131"}));
    EXPECT_EQ(words(), "");
}

// Found by killing supervisors at random: one that died before its first word left a task whose lease was renewed for ever.
TEST_F(ReconcilerTest, AnOrderWhoseSupervisorDiedBeforeItBeganIsStartedAgain) {
    greet();
    desire({task(1)});
    EXPECT_EQ(at(101), (Calls{"start 1/0"}));
    auto& left = backend.tasks.begin()->second.seen;
    left.state = ports::TaskState::starting;
    left.begun = false;
    desire({task(1)});
    EXPECT_EQ(at(102), (Calls{"start 1/0"}));
    EXPECT_EQ(at(103), Calls{}) << "it runs now";
}

TEST_F(ReconcilerTest, StartsNothingWithoutALease) {
    greet();
    desire({task(1)});
    // Sent at 100 with 30 seconds: at 130 that lease is over, and nobody has renewed it.
    EXPECT_EQ(at(130), Calls{});
    EXPECT_EQ(tell(), "");
    EXPECT_EQ(at(131), (Calls{"start 1/0"}));
}

TEST_F(ReconcilerTest, ALeaseCountsFromTheMomentTheReportWasSent) {
    greet();
    auto on = task(1);
    desire({on});
    at(105);
    EXPECT_EQ(backend.tasks.at(rank(1, 0)).deadline, boot(130));
    // Sent at 110, answered at 119.
    now_s = 119;
    agent->hear_answer(boot(110), ReportAnswer{1, 30'000, 3'600'000, 10'000, revision}, wall());
    EXPECT_EQ(at(119), (Calls{"renew 1/0 until 140"}));
    // An answer to an earlier report that comes late shortens nothing.
    agent->hear_answer(boot(108), ReportAnswer{1, 30'000, 3'600'000, 10'000, revision}, wall());
    EXPECT_EQ(at(120), Calls{});
}

TEST_F(ReconcilerTest, WhatAnOlderListAsksForIsNotBegunUnderALeaseThatIsOfANewerOne) {
    (void)order_what_waits_for_its_checkpoint();
    // The link is gone for so long that the server gives the job to another site; then it is back, and the answer to a report is here
    // before the new list.
    blobs.down = false;
    ++revision;
    now_s = 400;
    tell();
    EXPECT_EQ(at(400), Calls{});
    desire({});
    at(401);
    EXPECT_TRUE(backend.tasks.empty());
    // What the newer list asks for is begun.
    ++revision;
    tell();
    desire({task(2)});
    EXPECT_EQ(at(402), (Calls{"fence 1", "start 2/0"}));
}

// Found by a review: after a restart of the server nothing more was begun until the site's list changed.
TEST_F(ReconcilerTest, AListThatIsHeardToBeTheSameIsAsCurrentAsANewOne) {
    const auto on = order_what_waits_for_its_checkpoint();
    blobs.down = false;
    ++revision;
    tell();
    EXPECT_EQ(at(110), (Calls{}));
    agent->hear_revision(revision);
    EXPECT_EQ(at(111), (Calls{"install 1/0 step-1", "start 1/0"}));
    // Of a list that was heard and not yet looked at it is true as well.
    desire({on, task(2)});
    agent->hear_revision(++revision);
    EXPECT_EQ(agent->heard_revision(), revision - 2);
    at(112);
    EXPECT_EQ(agent->heard_revision(), revision);
}

TEST_F(ReconcilerTest, WorkThatRunsOnHasItsOwnLease) {
    greet();
    auto on = task(1);
    on.run_on = true;
    desire({on});
    at(101);
    EXPECT_EQ(backend.tasks.at(rank(1, 0)).deadline, boot(100 + 3600));
}

TEST_F(ReconcilerTest, WorkThatRunsOnIsRenewedAndLeftAloneLongAfterTheLeaseOfOthers) {
    greet();
    auto on = task(1);
    on.run_on = true;
    desire({on});
    at(101);
    tell();
    EXPECT_EQ(at(102), (Calls{"renew 1/0 until 3701"}));
    lose(LinkFault::unreachable);
    for (const std::int64_t s : {131, 500, 3000}) EXPECT_EQ(at(s), Calls{}) << s;
    // An agent that begins anew while the network is away knows no terms: it leaves the task the lease that it has.
    restart();
    EXPECT_EQ(at(3001), Calls{});
    EXPECT_EQ(backend.tasks.at(rank(1, 0)).deadline, boot(101 + 3600));
}

TEST_F(ReconcilerTest, ASupervisorIsToldWhenToAskForACheckpointAndWhenToStop) {
    struct Row {
        CheckpointProtocol protocol;
        std::int64_t asks_before_s;
    };
    const Row table[] = {
        {CheckpointProtocol::none, 0}, {CheckpointProtocol::self, 0}, {CheckpointProtocol::signal, 10}, {CheckpointProtocol::file, 10}};
    greet();
    std::uint32_t generation = 1;
    for (const auto& row : table) {
        auto wanted = task(generation);
        wanted.checkpoint = row.protocol;
        wanted.max_duration = Seconds{600};
        desire({wanted});
        at(101 + generation);
        const auto& spec = backend.tasks.at(rank(generation, 0)).spec;
        EXPECT_EQ(spec.checkpoint_before_s, row.asks_before_s);
        EXPECT_EQ(spec.stop_after_s, 630);
        backend.end(rank(generation, 0), EndReason::exited, 0);
        ++generation;
    }
}

TEST_F(ReconcilerTest, OnlySoManyEndedGenerationsAreKeptThoughTheirLogsAreYoung) {
    greet();
    std::int64_t s = 101;
    for (std::uint32_t generation = 1; generation <= 5; ++generation) {
        desire({task(generation)});
        at(s++);
        tell();
        backend.end(rank(generation, 0), EndReason::exited, 0);
        at(s++);
        tell();
        desire({});
        at(s++);
    }
    EXPECT_EQ(backend.tasks.size(), 3U);
    EXPECT_FALSE(backend.tasks.contains(rank(2, 0)));
    EXPECT_TRUE(backend.tasks.contains(rank(3, 0)));
}

TEST_F(ReconcilerTest, NothingIsRenewedThatIsNotOrdered) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    desire({});
    EXPECT_EQ(at(102), (Calls{"stop 1/0"}));
    tell();
    EXPECT_EQ(at(103), Calls{});
}

TEST_F(ReconcilerTest, GivesEachRankItsPlace) {
    greet();
    auto pair = task(1, 2);
    pair.processes_per_node = 3;
    pair.checkpoint = CheckpointProtocol::signal;
    pair.memory = MiB{512};
    desire({pair});
    EXPECT_EQ(at(101), (Calls{"start 1/0", "start 1/1"}));
    const auto& second = backend.tasks.at(rank(1, 1)).spec;
    EXPECT_EQ(second.rank_offset, 3);
    EXPECT_EQ(second.world_size, 6);
    EXPECT_EQ(second.nnodes, 2);
    EXPECT_EQ(second.cards, std::vector<std::int32_t>{3});
    EXPECT_EQ(second.master_port, 29'000);
    EXPECT_EQ(second.master_address, "127.0.0.1");
    EXPECT_EQ(second.memory_mib, 512);
    EXPECT_EQ(second.checkpoint_signal, SIGUSR1);
    EXPECT_EQ(second.kill_grace_s, 10);
    EXPECT_EQ(backend.tasks.at(rank(1, 0)).spec.cards, std::vector<std::int32_t>{1});
    EXPECT_EQ(tell(), "#2 1:running");
}

TEST_F(ReconcilerTest, StopsOnOrderAndTellsTheEndWithItsWholeMeter) {
    greet();
    auto wanted = task(1);
    desire({wanted});
    at(101);
    tell();
    at(113);
    EXPECT_EQ(tell(), "#3 m1/0:1[101,111)");
    wanted.stop = true;
    desire({wanted});
    EXPECT_EQ(at(114), (Calls{"stop 1/0"}));
    EXPECT_EQ(at(115), Calls{});
    backend.finish_stopping();
    at(116);
    EXPECT_EQ(tell(), "#4 m1/0:2[111,115) 1:ended(stopped_as_ordered,0)");
    desire({});
    at(117);
    EXPECT_EQ(words(), "");
}

TEST_F(ReconcilerTest, AnEndWaitsForTheMeterThatDoesNotFitIntoOneReport) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    at(155);
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(155);
    EXPECT_EQ(tell(), "#3 m1/0:1[101,111) m1/0:2[111,121) m1/0:3[121,131) m1/0:4[131,141)");
    at(155);
    EXPECT_EQ(tell(), "#4 nodes m1/0:5[141,151) m1/0:6[151,155) 1:ended(exited,0)");
}

TEST_F(ReconcilerTest, AStopBeforeTheStartIsAnEnd) {
    greet();
    auto wanted = task(1);
    wanted.stop = true;
    desire({wanted});
    EXPECT_EQ(at(101), Calls{});
    EXPECT_EQ(tell(), "#2 1:ended(site_lost_task,0)");
}

TEST_F(ReconcilerTest, FencesTheOlderGenerationBeforeANewerOneStarts) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    desire({task(2)});
    EXPECT_EQ(at(102), (Calls{"fence 1", "fence 1", "start 2/0"}));
    // An order for the old one that comes late starts it not again.
    desire({task(1)});
    for (const auto& call : at(104)) EXPECT_NE(call, "start 1/0");
}

TEST_F(ReconcilerTest, AServerThatCountsAnewIsHeard) {
    greet();
    desire({});
    at(101);
    agent->hear({0, {task(1)}});
    EXPECT_EQ(at(102), (Calls{"start 1/0"}));
}

TEST_F(ReconcilerTest, AfterASilenceTheNodesAreToldAgain) {
    greet();
    at(105);
    EXPECT_EQ(tell(), "");
    now_s = 110;
    lose(LinkFault::unreachable);
    EXPECT_EQ(words(), "#2 nodes");
    tell();
    EXPECT_EQ(words(), "");
    // Nobody was refused, but the agent itself stood still for longer than the server waits.
    at(130);
    EXPECT_EQ(tell(), "");
    EXPECT_EQ(words(), "#3 nodes");
}

TEST_F(ReconcilerTest, AReportIsSentAgainUnchangedUntilItIsAcknowledged) {
    greet();
    desire({task(1)});
    at(101);
    EXPECT_EQ(words(), "#2 1:running");
    lose(LinkFault::unreachable);
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(112);
    EXPECT_EQ(words(), "#2 1:running");
    // An answer that acknowledges another number is none to this report.
    agent->hear_answer(boot(112), ReportAnswer{1, 30'000, 0, 10'000, revision}, wall());
    EXPECT_EQ(tell(), "#2 1:running");
    at(113);
    EXPECT_EQ(tell(), "#3 nodes 1:ended(exited,0)");
}

TEST_F(ReconcilerTest, AStaleSessionBeginsALaterOneWithTheWholePicture) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    at(125);
    EXPECT_EQ(words(), "#3 m1/0:1[101,111) m1/0:2[111,121)");
    const auto before = session;
    lose(LinkFault::stale_sequence);
    EXPECT_EQ(words(), "#1 nodes m1/0:1[101,111) m1/0:2[111,121) 1:running");
    EXPECT_GT(session, before);
    tell();
    EXPECT_EQ(agent->heartbeat()->sequence, 1U);
}

TEST_F(ReconcilerTest, SessionsGrowThoughTheClockGoesBack) {
    greet();
    const auto before = session;
    restart();
    at(50);
    EXPECT_EQ(words(), "#1 nodes");
    EXPECT_GT(session, before);
    // A server that knows a session of next week is reached in a few steps.
    const auto far = format_uid(make_uid(Instant{7LL * 86'400 * 1'000'000'000}, 0, 0));
    int refusals = 0;
    for (; session < far && refusals < 20; ++refusals) {
        lose(LinkFault::stale_sequence);
        words();
    }
    EXPECT_LT(refusals, 20);
}

TEST_F(ReconcilerTest, ARefusedInventoryEndsNoTask) {
    greet();
    desire({task(1)});
    at(101);
    EXPECT_EQ(tell(), "#2 1:running");
    NodeTable other;
    Node node;
    node.name = *NodeName::parse("n1");
    node.cards.resize(1);
    node.cards[0].model = "RENAMED";
    other.nodes.push_back(node);
    agent->set_nodes(other);
    at(110);
    EXPECT_EQ(words(), "#3 nodes");
    const auto before = session;
    lose(LinkFault::refused);
    // The server hears that the agent lives, all but the nodes, and the leases go on.
    EXPECT_EQ(at(120), Calls{});
    EXPECT_EQ(tell(), "#1");
    EXPECT_GT(session, before);
    EXPECT_EQ(at(121), (Calls{"renew 1/0 until 150"}));
    EXPECT_EQ(tell(), "#2 m1/0:1[101,111) m1/0:2[111,121)");
    EXPECT_EQ(words(), "");
    EXPECT_TRUE(agent->heartbeat());
    EXPECT_EQ(at(122), (Calls{"renew 1/0 until 151"}));
    // Nodes and lines go apart until nodes were taken; the nodes after a while, or at once when they are others.
    at(169);
    EXPECT_EQ(tell(), "#3 m1/0:3[121,131) m1/0:4[131,141) m1/0:5[141,151) m1/0:6[151,161)");
    EXPECT_EQ(words(), "");
    at(170);
    EXPECT_EQ(words(), "#4 nodes");
    lose(LinkFault::refused);
    EXPECT_EQ(tell(), "#1");
    EXPECT_EQ(words(), "");
    other.nodes[0].cards[0].model = "L20";
    agent->set_nodes(other);
    EXPECT_EQ(tell(), "#2 nodes");
    EXPECT_EQ(words(), "");
}

TEST_F(ReconcilerTest, ALineThatIsRefusedWaitsWhileAllOthersAreTold) {
    greet();
    std::vector<DesiredTask> wanted;
    for (std::uint32_t i = 1; i <= 4; ++i) {
        auto one = task(i);
        one.job = *JobId::parse(fmt::format("job-01k0000000000000000000000{}", i));
        wanted.push_back(one);
    }
    const auto disliked = wanted[2].job;
    desire(wanted);
    at(101);
    std::set<JobId> heard;
    std::set<std::string> sessions;
    const auto talk = [&](std::int64_t s) {
        at(s);
        for (int message = 0; message < 20; ++message) {
            const auto text = words();
            if (text.empty()) return;
            const auto report = *agent->report(wall());
            sessions.insert(report.session);
            if (std::ranges::any_of(report.tasks, [&](const auto& line) { return line.job == disliked; })) {
                lose(LinkFault::refused);
                continue;
            }
            for (const auto& line : report.tasks) heard.insert(line.job);
            tell();
        }
        FAIL() << "the agent does not come to rest";
    };
    talk(101);
    EXPECT_EQ(heard.size(), 3U);
    EXPECT_FALSE(heard.contains(disliked));
    EXPECT_TRUE(agent->heartbeat());
    // It is tried again, and not all the time.
    const auto sessions_before = sessions.size();
    talk(150);
    EXPECT_EQ(sessions.size(), sessions_before);
    talk(162);
    EXPECT_LE(sessions.size(), sessions_before + 3);
    at(230);
    while (!words().empty()) {
        for (const auto& line : agent->report(wall())->tasks) heard.insert(line.job);
        tell();
    }
    EXPECT_TRUE(heard.contains(disliked));
}

TEST_F(ReconcilerTest, AnAgentThatIsRefusedAltogetherTellsItsNodesAsSoonAsItIsNot) {
    at(100);
    EXPECT_EQ(words(), "#1 nodes");
    lose(LinkFault::refused);
    EXPECT_EQ(words(), "#1");
    const auto second = session;
    lose(LinkFault::refused);
    EXPECT_EQ(words(), "#1");
    EXPECT_EQ(session, second);
    tell();
    EXPECT_EQ(words(), "#2 nodes");
}

TEST_F(ReconcilerTest, AHeartbeatHasTheNumberOfTheLastReport) {
    at(100);
    EXPECT_FALSE(agent->heartbeat());
    tell();
    const auto heartbeat = agent->heartbeat();
    ASSERT_TRUE(heartbeat);
    EXPECT_EQ(heartbeat->sequence, 1U);
    EXPECT_EQ(heartbeat->session, session);
    EXPECT_TRUE(heartbeat->tasks.empty() && heartbeat->meters.empty() && !heartbeat->nodes);
}

TEST_F(ReconcilerTest, WhenOneRankFailsTheOthersAreStopped) {
    greet();
    desire({task(1, 2)});
    at(101);
    tell();
    at(104);
    backend.end(rank(1, 1), EndReason::exited, 3);
    EXPECT_EQ(at(105), (Calls{"stop 1/0"}));
    EXPECT_EQ(words(), "#3 m1/1:1[101,104)");
    tell();
    backend.finish_stopping();
    at(106);
    EXPECT_EQ(tell(), "#4 m1/0:1[101,105) 1:ended(exit_code,3)");
    EXPECT_EQ(at(107), Calls{});
}

TEST_F(ReconcilerTest, ARestartedAgentTakesUpWhatRuns) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    at(112);
    EXPECT_EQ(tell(), "#3 m1/0:1[101,111)");
    restart();
    // Nothing was heard yet: nothing is started, stopped or renewed.
    EXPECT_EQ(at(113), Calls{});
    EXPECT_EQ(tell(), "#1 nodes 1:running");
    EXPECT_EQ(at(114), Calls{});
    desire({task(1)});
    EXPECT_EQ(at(122), (Calls{"renew 1/0 until 143"}));
    EXPECT_EQ(tell(), "#2 m1/0:2[111,121)");
}

TEST_F(ReconcilerTest, ARestartedAgentGivesTheGangTheSamePort) {
    greet();
    desire({task(1, 2)});
    at(101);
    backend.tasks.erase(rank(1, 1));  // Killed between the starts of the two ranks.
    const auto port = backend.tasks.at(rank(1, 0)).spec.master_port;
    restart();
    at(102);
    tell();
    desire({task(1, 2)});
    const auto calls = at(103);
    EXPECT_NE(std::ranges::find(calls, "start 1/1"), calls.end());
    EXPECT_EQ(std::ranges::find(calls, "start 1/0"), calls.end());
    EXPECT_EQ(backend.tasks.at(rank(1, 1)).spec.master_port, port);
}

TEST_F(ReconcilerTest, AnEndIsToldUntilItIsHeardAndItsFolderIsKeptForAWhile) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    at(105);
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(105);
    EXPECT_EQ(words(), "#3 m1/0:1[101,105) 1:ended(exited,0)");
    restart();
    at(106);
    EXPECT_EQ(words(), "#1 nodes m1/0:1[101,105) 1:ended(exited,0)");
    desire({});
    EXPECT_EQ(at(5000), Calls{});
    tell();
    EXPECT_EQ(at(105 + 3599), Calls{});
    EXPECT_EQ(at(105 + 3600), (Calls{"forget 1/0"}));
    at(105 + 3601);
    EXPECT_FALSE(std::filesystem::exists(root / "agent" / (job.text() + ".1.json")));
}

TEST_F(ReconcilerTest, AnEndThatIsHeardIsNotStartedAgainWhileItIsStillOrdered) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(102);
    tell();
    restart();
    desire({task(1)});
    EXPECT_EQ(at(103), Calls{});
    tell();
    EXPECT_EQ(at(104), Calls{});
}

struct EndPicture {
    const char* name;
    EndReason reason;
    int exit_code;
    const char* told;
};
constexpr EndPicture ends[] = {
    {"done", EndReason::exited, 0, "1:ended(exited,0)"},
    {"its own error", EndReason::exited, 9, "1:ended(exit_code,9)"},
    {"a signal", EndReason::signalled, 137, "1:ended(signalled,137)"},
    {"memory", EndReason::out_of_memory, 137, "1:ended(out_of_memory,137)"},
    {"the lease", EndReason::lease_ended, 0, "1:ended(lease_lost,0)"},
    {"its longest duration", EndReason::duration_ended, 0, "1:ended(max_duration_reached,0)"},
    {"no start", EndReason::start_failed, 0, "1:ended(start_failed,0)"},
    {"no supervisor", EndReason::supervisor_lost, 0, "1:ended(site_lost_task,0)"},
    {"no host", EndReason::host_restarted, 0, "1:ended(node_lost,0)@n1"},
};

TEST_F(ReconcilerTest, EachEndHasItsReason) {
    greet();
    std::uint32_t generation = 1;
    for (const auto& picture : ends) {
        SCOPED_TRACE(picture.name);
        desire({task(generation)});
        at(101);
        tell();
        backend.end(rank(generation, 0), picture.reason, picture.exit_code);
        at(101);
        const auto told = fmt::format("{}{}", generation, std::string_view{picture.told}.substr(1));
        const auto text = tell();
        EXPECT_TRUE(text.ends_with(" " + told)) << text;
        ++generation;
    }
}

TEST_F(ReconcilerTest, WhatTheBackendRefusesHasEnded) {
    greet();
    backend.start_fault = ports::BackendFault::refused;
    desire({task(1)});
    at(101);
    EXPECT_EQ(tell(), "#2 1:ended(start_failed,0)");
    backend.start_fault.reset();
    EXPECT_EQ(at(102), Calls{});
}

TEST_F(ReconcilerTest, ACardThatIsNotHereIsRefused) {
    greet();
    auto wanted = task(1);
    wanted.placement.nodes[0].cards[0].index = 2;
    desire({wanted});
    EXPECT_EQ(at(101), Calls{});
    EXPECT_EQ(tell(), "#2 1:ended(start_failed,0)");
}

TEST_F(ReconcilerTest, WhatTheHostCannotDoNowIsTriedAgain) {
    greet();
    backend.start_fault = ports::BackendFault::unavailable;
    desire({task(1)});
    EXPECT_EQ(at(101), Calls{});
    EXPECT_TRUE(agent->is_moving());
    backend.start_fault.reset();
    EXPECT_EQ(at(102), (Calls{"start 1/0"}));
}

TEST_F(ReconcilerTest, TasksThatAreNotOfThisNetworkAreLeftAlone) {
    greet();
    FakeBackend::Task foreign;
    foreign.seen.key = {"somebody-elses", 1, 0};
    foreign.seen.state = ports::TaskState::running;
    backend.tasks.emplace(foreign.seen.key, foreign);
    desire({});
    EXPECT_EQ(at(101), Calls{});
    EXPECT_EQ(words(), "");
}

}  // namespace
}  // namespace weir::agent
