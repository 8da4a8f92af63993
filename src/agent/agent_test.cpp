// Goal: the loop acts when something happens, not when a timer allows it, and ends when it is told to.
// Method: the real loop and its threads over a backend without processes; the server's part is played by the test, which waits for each
// message with a deadline that no healthy run comes near.
#include "agent/agent.hpp"

#include "agent/pause.hpp"
#include "agent/test_link.hpp"
#include "agent/test_site.hpp"
#include "base/test_folder.hpp"

#include <thread>

namespace weir::agent {
namespace {

namespace fs = std::filesystem;

class AgentTest : public testing::Test {
protected:
    AgentTest() {
        config.site = *SiteName::parse("pidu-core");
        config.root = root;
        NodeDeclaration node;
        node.name = *NodeName::parse("n1");
        config.nodes.push_back(node);
    }

    void run() {
        thread = std::jthread{[this](const std::stop_token& stop) {
            const AgentParts parts{.backend = backend, .link = link, .store = blobs};
            EXPECT_TRUE(run_agent(config, parts, stop));
        }};
    }
    /// Runs, and was heard once: what is ordered now was ordered of this agent.
    void greet() {
        run();
        ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.sequence == 1; }));
    }
    static DesiredTask task(std::uint32_t generation) {
        DesiredTask wanted;
        wanted.job = *JobId::parse("job-01k00000000000000000000001");
        wanted.generation = generation;
        wanted.project = *ProjectName::parse("lab");
        wanted.run = "train";
        wanted.placement.nodes.push_back({*NodeName::parse("n1"), {}});
        return wanted;
    }
    static auto told(std::uint32_t generation, TaskState state) {
        return [=](const SiteReport& report) {
            return std::ranges::any_of(report.tasks, [&](const auto& one) { return one.generation == generation && one.state == state; });
        };
    }

    const TestFolder made;
    const fs::path root = made.path();
    AgentConfig config;
    FakeBackend backend;
    FakeBlobs blobs;
    FakeLink link;
    std::jthread thread;
};

TEST_F(AgentTest, StartsWhatIsOrderedAndSaysSo) {
    run();
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.sequence == 1 && report.nodes; }));
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
}

TEST_F(AgentTest, ComesBackAfterTheServerWasAway) {
    link.fail_times(3);
    run();
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.sequence == 1; }));
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
}

TEST_F(AgentTest, AServerThatRefusesItsNodesStillHearsOfItsTasks) {
    link.refuse_where([](const SiteReport& report) { return report.nodes.has_value(); });
    greet();
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
}

TEST_F(AgentTest, AThreadPreparesWhatATaskResumesFrom) {
    const auto checkpoint = FakeBackend::checkpoint("step-1", "one");
    ASSERT_TRUE(blobs.put_bytes(sha256("one"), "one"));
    ASSERT_TRUE(blobs.put_bytes(checkpoint.digest, manifest_text(checkpoint.files)));
    backend.checkpoints_beside = true;
    greet();
    auto wanted = task(2);
    wanted.resume = {{1, "step-1", checkpoint.digest, checkpoint.bytes, Instant{}}};
    link.desire({wanted});
    ASSERT_TRUE(link.wait_for(told(2, TaskState::running)));
    thread = {};
    EXPECT_EQ(backend.tasks.begin()->second.spec.resume, "step-1");
}

TEST_F(AgentTest, ADeclarationThatBecameSmallerHoldsOnceItsTasksHaveLeft) {
    const auto declare = [&](std::int32_t count) {
        config.nodes[0].cards.resize(1);
        config.nodes[0].cards[0] = {.model = "L20", .count = count, .memory = MiB{1024}, .emulated = true};
        backend.host.cards.clear();
        for (std::int32_t i = 0; i < count; ++i)
            backend.host.cards.push_back({.node = "n1", .index = i, .model = "L20", .stack = ports::CardStack::cuda, .emulated = true});
    };
    declare(2);
    greet();
    auto wanted = task(1);
    wanted.placement.model = "L20";
    wanted.placement.nodes = {{*NodeName::parse("n1"), {{1, MilliCards{1000}}}}};
    link.desire({wanted});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
    thread = {};
    // One card less, and the task that held it ends.
    backend.end({wanted.job.text(), 1, 0}, ports::EndReason::exited, 0);
    declare(1);
    link.resume();
    run();
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.nodes && !report.nodes->front().healthy; }));
    EXPECT_TRUE(link.wait_for([](const SiteReport& report) {
        return report.nodes && report.nodes->front().healthy && report.nodes->front().cards.front().count == 1;
    }));
}

TEST_F(AgentTest, AFileInItsRootPausesIt) {
    run();
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.nodes.has_value(); }));
    EXPECT_EQ(pause_site(root, Instant{}), PauseChange::made);
    EXPECT_EQ(pause_site(root, Instant{}), PauseChange::was_so);
    EXPECT_TRUE(is_paused(root));
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.nodes && !report.nodes->front().healthy; }));
    EXPECT_EQ(resume_site(root), PauseChange::made);
    EXPECT_EQ(resume_site(root), PauseChange::was_so);
    EXPECT_FALSE(is_paused(root));
    ASSERT_TRUE(
        link.wait_for([](const SiteReport& report) { return report.sequence == 3 && report.nodes && report.nodes->front().healthy; }));
}

TEST_F(AgentTest, APausedSiteIsEmptiedWhileTheServerIsAway) {
    greet();
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
    link.fail_times(1'000'000);
    EXPECT_EQ(pause_site(root, Instant{}), PauseChange::made);
    ASSERT_TRUE(backend.wait_for_call("stop 1/0"));
}

TEST_F(AgentTest, APauseOfAPlaceThatIsNotThereIsRefused) {
    EXPECT_FALSE(pause_site(root / "nowhere", Instant{}));
    EXPECT_EQ(resume_site(root / "nowhere"), PauseChange::was_so);
}

TEST_F(AgentTest, AListThatIsNotTheServersIsAskedForAgainAndNotObeyed) {
    greet();
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
    link.damage_pages(2);  // the only task of the list is missing: obeyed, it would stop
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for_question([](const DesiredQuestion& question) { return question.number > 3 && question.since == 0; }));
    link.desire({task(2)});
    ASSERT_TRUE(link.wait_for(told(2, TaskState::running)));
    thread = {};
    EXPECT_EQ(std::ranges::count(backend.calls, "stop 1/0"), 0);
}

TEST_F(AgentTest, WhatWasOrderedBeforeItSpokeIsHeardBeforeItSpeaks) {
    link.hear_another();
    link.desire({task(1)});
    run();
    ASSERT_TRUE(link.wait_for([](const SiteReport& report) { return report.sequence == 1; }));
    EXPECT_TRUE(link.wait_for_question([](const DesiredQuestion& question) { return question.since == 1; }));
    thread = {};
    EXPECT_TRUE(backend.tasks.empty()) << "another agent may be running it";
}

// Its next heartbeat would be 100 s later: what another agent has begun would run twice meanwhile.
TEST_F(AgentTest, WhoeverIsToldThatALaterSessionSpeaksAsksNoMoreAndSaysSoAtOnce) {
    greet();
    ASSERT_TRUE(link.wait_for_question([](const DesiredQuestion& question) { return question.number == 2 && !question.session.empty(); }));
    link.hear_another_from_now_on();
    EXPECT_TRUE(link.wait_for_stale(2)) << "its session, and its next one: it stands back";
}

TEST_F(AgentTest, AListThatIsStillTheSameMuchLaterIsCurrent) {
    link.begin_at(3);
    greet();
    link.desire({task(1)});
    ASSERT_TRUE(link.wait_for_question([](const DesiredQuestion& question) { return question.since == 1; }));
    link.pass();
    link.pass();
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
}

TEST_F(AgentTest, AnAgentThatComesBackBeginsAtOnceWhatWasOrderedMeanwhile) {
    greet();
    thread = {};
    link.resume();
    link.desire({task(1)});
    run();
    ASSERT_TRUE(link.wait_for(told(1, TaskState::running)));
}

TEST(Port, IsFreeAndNotTaken) {
    const auto first = pick_free_port({});
    EXPECT_NE(first, 0);
    EXPECT_NE(pick_free_port({first}), first);
}

}  // namespace
}  // namespace weir::agent
