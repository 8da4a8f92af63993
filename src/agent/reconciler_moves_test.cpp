// Goal: a job that goes from one site to another loses next to nothing and is nowhere twice: where it comes to, its checkpoint lies before
// it begins, and where it leaves, its last one is stored before its end is told.
// Method: as in reconciler_test.cpp; for copies that take their time a desk that the test plays.
#include "agent/test_reconciler.hpp"

namespace weir::agent {
namespace {

using ports::EndReason;

/// A desk that does nothing until it is told to.
class PlayedDesk final : public CheckpointDesk {
public:
    void order(DeskOrder order) override { orders.push_back(std::move(order)); }
    void drop(const GenerationKey& key) override {
        ++drops;
        dropped_at_work.insert(key);
    }
    [[nodiscard]] bool is_at_work(const GenerationKey& key) const override { return dropped_at_work.contains(key); }
    [[nodiscard]] std::vector<DeskAnswer> take() override { return std::exchange(answers, {}); }

    [[nodiscard]] const PrepareOrder& last_prepare() const { return std::get<PrepareOrder>(orders.back()); }
    [[nodiscard]] const ReplicateOrder& last_replicate() const { return std::get<ReplicateOrder>(orders.back()); }
    void put_in_place(const PrepareOrder& order) {
        answers.emplace_back(Prepared{.key = order.key, .again = false, .name = order.resume[0].name,
                                      .manifest = order.resume[0].manifest, .refused = {}, .remarks = {}});
    }

    std::vector<DeskOrder> orders;
    std::vector<DeskAnswer> answers;
    std::set<GenerationKey> dropped_at_work;
    int drops = 0;
};

class MovesTest : public ReconcilerTest {
protected:
    DesiredTask held(std::vector<StoredCheckpoint> resume) {
        auto wanted = task(2);
        wanted.prepare = true;
        wanted.resume = std::move(resume);
        return wanted;
    }
    static DesiredTask begun(DesiredTask wanted) {
        wanted.prepare.reset();
        return wanted;
    }
    /// It runs since second 101, its first report is taken in, and its lease renewed by that.
    DesiredTask run(CheckpointProtocol protocol, std::size_t nodes = 1) {
        greet();
        auto wanted = task(1, nodes);
        wanted.checkpoint = protocol;
        desire({wanted});
        at(101);
        tell();
        at(101);
        return wanted;
    }
    void order_to_leave(DesiredTask wanted, std::optional<Seconds> within = Seconds{60}) {
        wanted.stop = true;
        wanted.checkpoint_within = within;
        desire({wanted});
    }
    std::map<std::string, std::string>& published() { return backend.tasks.at(rank(1, 0)).checkpoints; }
    std::vector<PreparedReport> prepared() {
        const auto* report = agent->report(wall());
        return report == nullptr ? std::vector<PreparedReport>{} : report->prepared.value_or(std::vector<PreparedReport>{});
    }
    void play_the_desk() {
        slow = &played;
        restart();
        greet();
    }
    PlayedDesk played;
};

// ---- where it comes to

TEST_F(MovesTest, AHeldPlaceGetsItsCheckpointAndBeginsNothing) {
    greet();
    const auto first = stored("step-1", "one");
    desire({held({first})});
    EXPECT_EQ(at(101), (Calls{"fence 1", "install 2/0 step-1"}));
    EXPECT_EQ(prepared(), (std::vector<PreparedReport>{{job, 2, first.manifest}}));
    EXPECT_EQ(tell(), "#2 p2");
    EXPECT_FALSE(agent->is_moving());
    EXPECT_FALSE(agent->has_live_tasks());
    EXPECT_EQ(at(102), Calls{});
    EXPECT_EQ(words(), "") << "it is told once";
    const auto second = stored("step-2", "two");
    desire({held({second, first})});
    EXPECT_EQ(at(103), (Calls{"install 2/0 step-2"}));
    EXPECT_EQ(prepared(), (std::vector<PreparedReport>{{job, 2, second.manifest}}));
    tell();
    desire({begun(held({second, first}))});
    EXPECT_EQ(at(104), (Calls{"fence 1", "start 2/0"})) << "what was fetched is used";
    EXPECT_EQ(backend.tasks.at(rank(2, 0)).spec.resume, "step-2");
    EXPECT_NE(backend.tasks.at(rank(2, 0)).spec.master_port, 0);
    EXPECT_EQ(words(), "#4 2:running");
}

TEST_F(MovesTest, ACheckpointThatCameWhileItLeftIsPutInPlaceBeforeItBegins) {
    greet();
    const auto first = stored("step-1", "one");
    desire({held({first})});
    at(101);
    tell();
    auto wanted = begun(held({stored("step-2", "two"), first}));
    desire({wanted});
    EXPECT_EQ(at(102), (Calls{"fence 1", "install 2/0 step-2", "start 2/0"}));
    EXPECT_EQ(backend.tasks.at(rank(2, 0)).spec.resume, "step-2");
    // Once it runs its own checkpoints are in the list too.
    wanted.resume = {stored("step-3", "three"), wanted.resume[0]};
    desire({wanted});
    EXPECT_EQ(at(103), Calls{});
}

TEST_F(MovesTest, TheNextAgentKnowsWhatLiesThere) {
    greet();
    const auto first = stored("step-1", "one");
    desire({held({first})});
    at(101);
    tell();
    restart();
    desire({held({first})});
    EXPECT_EQ(at(102), Calls{});
    EXPECT_EQ(tell(), "#1 nodes p2");
    desire({begun(held({first}))});
    EXPECT_EQ(at(103), (Calls{"fence 1", "start 2/0"}));
}

TEST_F(MovesTest, AMoveThatIsCalledOffLeavesNothing) {
    greet();
    desire({held({stored("step-1", "one")})});
    at(101);
    tell();
    desire({});
    EXPECT_EQ(at(102), (Calls{"forget 2/0"}));
    EXPECT_EQ(words(), "");
    EXPECT_TRUE(agent->cards_in_use().empty());
    restart();
    EXPECT_TRUE(agent->cards_in_use().empty()) << "nor is it remembered";
}

TEST_F(MovesTest, AHeldPlaceWaitsForItsStoreAsLongAsItIsHeld) {
    greet();
    const auto first = stored("step-1", "one");
    blobs.down = true;
    desire({held({first})});
    for (std::int64_t s = 101; s < 1000; s += 10) {
        at(s);
        EXPECT_EQ(tell(), "") << "nothing is said of a task that was not told to begin";
    }
    desire({begun(held({first}))});
    EXPECT_EQ(at(1000), (Calls{"fence 1"})) << "it is tried at once, and the store does not answer";
    blobs.down = false;
    EXPECT_EQ(at(1001), (Calls{"install 2/0 step-1", "start 2/0"}));
}

TEST_F(MovesTest, APausedSitePreparesAndSaysNothing) {
    greet();
    agent->set_paused(true);
    desire({held({stored("step-1", "one")})});
    EXPECT_EQ(at(101), Calls{});
    EXPECT_EQ(words(), "#2 sick-nodes");
    EXPECT_FALSE(agent->is_moving());
}

TEST_F(MovesTest, WhatWasHeldWhileAnotherAgentSpokeWasBegunByNobody) {
    const auto first = stored("step-1", "one");
    spoke = "00000000000000000000000000";
    desire({held({first})});
    at(100);
    EXPECT_EQ(tell(), "#1 nodes");
    EXPECT_EQ(at(101), (Calls{"fence 1", "install 2/0 step-1"}));
    tell();
    desire({begun(held({first}))});
    at(102);
    tell();
    EXPECT_TRUE(backend.tasks.contains(rank(2, 0)));
}

TEST_F(MovesTest, ACopyForLaterIsEndedAndACopyForNowMakesWay) {
    play_the_desk();
    const auto first = stored("step-1", "one");
    const auto second = stored("step-2", "two");
    const auto third = stored("step-3", "three");
    desire({held({first})});
    at(101);
    ASSERT_EQ(played.orders.size(), 1U);
    desire({held({second, first})});
    at(102);
    EXPECT_EQ(played.orders.size(), 1U) << "a job that publishes often would never be told of one";
    played.put_in_place(played.last_prepare());
    at(103);
    EXPECT_EQ(prepared(), (std::vector<PreparedReport>{{job, 2, first.manifest}}));
    tell();
    ASSERT_EQ(played.orders.size(), 2U);
    EXPECT_EQ(played.last_prepare().resume[0].manifest, second.manifest);
    desire({begun(held({third, second}))});
    at(104);
    EXPECT_EQ(played.drops, 1);
    ASSERT_EQ(played.orders.size(), 3U);
    EXPECT_EQ(played.last_prepare().resume[0].manifest, third.manifest);
    EXPECT_TRUE(backend.tasks.empty());
    played.put_in_place(played.last_prepare());
    at(105);
    EXPECT_EQ(backend.tasks.at(rank(2, 0)).spec.resume, "step-3");
}

TEST_F(MovesTest, WhatIsBeingCopiedForAMoveThatIsCalledOffIsRemovedOnceNobodyWritesThere) {
    play_the_desk();
    desire({held({stored("step-1", "one")})});
    at(101);
    backend.installed.insert(rank(2, 0));
    desire({});
    EXPECT_EQ(at(102), Calls{});
    EXPECT_EQ(played.drops, 1);
    played.dropped_at_work.clear();
    EXPECT_EQ(at(103), (Calls{"forget 2/0"}));
}

// ---- where it leaves

TEST_F(MovesTest, ALeavingTaskIsAskedOnceAndStoppedWhenItHasPublished) {
    const auto wanted = run(CheckpointProtocol::file);
    published() = {{"step-1", "one"}};
    at(102);
    EXPECT_EQ(tell(), "#3 c1:step-1");
    at(102);
    order_to_leave(wanted);
    EXPECT_EQ(at(103), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(104), Calls{});
    EXPECT_EQ(words(), "");
    EXPECT_FALSE(agent->is_moving()) << "it may take minutes";
    published()["step-2"] = "two";
    EXPECT_EQ(at(105), (Calls{"stop 1/0"}));
    EXPECT_EQ(tell(), "#4 c1:step-2") << "it is stored while the task comes to its end";
    backend.finish_stopping();
    at(106);
    EXPECT_EQ(words(), "#5 m1/0:1[101,105) 1:ended(stopped_as_ordered,0)");
}

TEST_F(MovesTest, OneThatRunsOnIsAskedOnceForEachCheckpointThatIsWanted) {
    auto wanted = run(CheckpointProtocol::signal);
    wanted.checkpoint_wanted = 2;
    desire({wanted});
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(103), Calls{});
    restart();
    desire({wanted});
    EXPECT_EQ(at(104), Calls{}) << "the agent before this one asked";
    tell();
    at(104);
    wanted.checkpoint_wanted = 3;
    desire({wanted});
    EXPECT_EQ(at(105), (Calls{"checkpoint 1/0"}));
    order_to_leave(wanted);
    EXPECT_EQ(at(106), (Calls{"checkpoint 1/0"})) << "the last one is another";
}

TEST_F(MovesTest, OneThatPublishesByItselfIsNotAskedForAnother) {
    auto wanted = run(CheckpointProtocol::self);
    wanted.checkpoint_wanted = 2;
    desire({wanted});
    EXPECT_EQ(at(102), Calls{});
}

TEST_F(MovesTest, ALeavingTaskThatPublishesNothingIsStoppedAllTheSame) {
    order_to_leave(run(CheckpointProtocol::signal));
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(161), Calls{});
    EXPECT_EQ(at(162), (Calls{"stop 1/0"}));
    backend.finish_stopping();
    at(163);
    EXPECT_EQ(tell().find("ended"), std::string::npos) << "first all of its meter";
    EXPECT_EQ(tell(), "#4 nodes m1/0:5[141,151) m1/0:6[151,161) m1/0:7[161,162) 1:ended(stopped_as_ordered,0)");
}

TEST_F(MovesTest, OneThatPublishesByItselfIsNotAskedAndItsNextIsWaitedFor) {
    const auto wanted = run(CheckpointProtocol::self);
    published() = {{"latest", "one"}};
    order_to_leave(wanted);
    EXPECT_EQ(at(102), Calls{});
    EXPECT_EQ(at(103), Calls{}) << "that one was there";
    published() = {{"latest", "two"}};
    EXPECT_EQ(at(104), (Calls{"stop 1/0"}));
}

TEST_F(MovesTest, WhatCannotPublishIsStoppedAtOnce) {
    order_to_leave(run(CheckpointProtocol::none));
    EXPECT_EQ(at(102), (Calls{"stop 1/0"}));
}

TEST_F(MovesTest, AGangThatLostOneIsStoppedAtOnce) {
    order_to_leave(run(CheckpointProtocol::file, 2));
    backend.end(rank(1, 1), EndReason::exited, 1);
    EXPECT_EQ(at(102), (Calls{"stop 1/0"}));
}

TEST_F(MovesTest, AnOrderToStopAtOnceOverrulesTheOneToLeave) {
    const auto wanted = run(CheckpointProtocol::file);
    order_to_leave(wanted);
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    order_to_leave(wanted, std::nullopt);
    EXPECT_EQ(at(103), (Calls{"stop 1/0"}));
    published() = {{"step-1", "one"}};
    backend.finish_stopping();
    at(104);
    EXPECT_EQ(words().find("c1:"), std::string::npos) << "nobody goes on from it";
}

TEST_F(MovesTest, TheLeaseOfALeavingTaskIsRenewed) {
    order_to_leave(run(CheckpointProtocol::file));
    at(102);
    now_s = 120;
    tell();
    EXPECT_EQ(at(121), (Calls{"renew 1/0 until 150"}));
}

TEST_F(MovesTest, TheNextAgentNeitherAsksAgainNorWaitsLonger) {
    order_to_leave(run(CheckpointProtocol::file));
    backend.changed_s = 90;
    published() = {{"step-1", "one"}};
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    const auto wanted = [] {
        auto left = task(1);
        left.checkpoint = CheckpointProtocol::file;
        return left;
    };
    restart();
    order_to_leave(wanted());
    EXPECT_EQ(at(110), Calls{});
    EXPECT_EQ(at(161), Calls{});
    EXPECT_EQ(at(162), (Calls{"stop 1/0"}));
}

TEST_F(MovesTest, TheNextAgentSeesWhatWasPublishedMeanwhile) {
    order_to_leave(run(CheckpointProtocol::file));
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    backend.changed_s = 105;
    published() = {{"step-1", "one"}};
    restart();
    auto wanted = task(1);
    wanted.checkpoint = CheckpointProtocol::file;
    order_to_leave(wanted);
    EXPECT_EQ(at(110), (Calls{"stop 1/0"}));
}

TEST_F(MovesTest, AMoveAfterAPauseThatEndedAsksAnew) {
    const auto wanted = run(CheckpointProtocol::file);
    agent->set_paused(true);
    EXPECT_EQ(at(102), (Calls{"checkpoint 1/0"}));
    agent->set_paused(false);
    at(103);
    published() = {{"step-1", "one"}};
    at(104);
    order_to_leave(wanted);
    EXPECT_EQ(at(200), (Calls{"checkpoint 1/0"}));
    EXPECT_EQ(at(201), Calls{});
}

TEST_F(MovesTest, TheEndOfALeavingTaskWaitsForItsLastCheckpoint) {
    const auto wanted = run(CheckpointProtocol::file);
    order_to_leave(wanted);
    at(102);
    blobs.down = true;
    published() = {{"step-1", "one"}};
    at(103);
    backend.finish_stopping();
    at(104);
    EXPECT_EQ(tell(), "#3 m1/0:1[101,103)");
    at(300);
    EXPECT_EQ(words(), "");
    // The next agent waits as well.
    restart();
    order_to_leave(wanted);
    at(301);
    EXPECT_EQ(tell(), "#1 nodes");
    blobs.down = false;
    at(304);
    EXPECT_EQ(words(), "#2 c1:step-1 1:ended(stopped_as_ordered,0)");
}

TEST_F(MovesTest, TheEndOfALeavingTaskIsToldWithoutItsLastCheckpointInTheEnd) {
    order_to_leave(run(CheckpointProtocol::file));
    at(102);
    blobs.down = true;
    published() = {{"step-1", "one"}};
    at(103);
    backend.finish_stopping();
    at(104);
    tell();
    at(402);
    EXPECT_EQ(words(), "");
    at(403);
    EXPECT_EQ(words(), "#4 1:ended(stopped_as_ordered,0)");
}

TEST_F(MovesTest, ACopyOfAnOlderCheckpointMakesWayForTheLast) {
    play_the_desk();
    auto wanted = task(1);
    wanted.checkpoint = CheckpointProtocol::file;
    desire({wanted});
    at(101);
    tell();
    published() = {{"step-1", "one"}};
    at(102);
    ASSERT_EQ(played.orders.size(), 1U);
    published()["step-2"] = "two";
    at(103);
    EXPECT_EQ(played.drops, 0) << "as long as it runs each copy comes to its end";
    order_to_leave(wanted);
    at(104);
    EXPECT_EQ(played.drops, 1) << "what comes later would wait for it";
    EXPECT_EQ(played.last_replicate().published.name, "step-2");
    at(105);
    EXPECT_EQ(played.orders.size(), 2U);
}

// ---- how long ago

TEST_F(MovesTest, AReportSaysHowLongAgoATaskBeganAndEnded) {
    greet();
    desire({task(1)});
    at(101);
    now_s = 104;
    at(104);
    ASSERT_EQ(words(), "#2 1:running");
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, 3'000);
    tell();
    at(105);
    backend.end(rank(1, 0), EndReason::exited, 0);
    at(112);
    ASSERT_EQ(words(), "#3 m1/0:1[101,105) 1:ended(exited,0)");
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, 7'000);
    lose(ports::LinkFault::unreachable);
    at(130);
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, 25'000) << "the same report, later";
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, 25'000);
}

TEST_F(MovesTest, WithoutAWordOfItsSupervisorTheSecondsAreCounted) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.end(rank(1, 0), EndReason::exited, 0);
    backend.tasks.at(rank(1, 0)).seen.ended.reset();
    at(108);
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, 7'000);
}

TEST_F(MovesTest, WhatNeverBeganWasNotLongAgo) {
    greet();
    auto wanted = task(1);
    wanted.stop = true;
    desire({wanted});
    at(101);
    ASSERT_EQ(words(), "#2 1:ended(site_lost_task,0)");
    EXPECT_EQ(agent->report(wall())->tasks[0].ago_ms, std::nullopt);
}

}  // namespace
}  // namespace weir::agent
