// Goal: what a task leaves is stored while it runs and whole before its end is told, and what cannot be stored is told with its numbers.
// Method: a site without processes whose tasks have outputs as a map; a store of projects in memory; a clock that the test turns.
#include "agent/test_reconciler.hpp"
#include "ports/fake_data_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class OutputsTest : public ReconcilerTest {
protected:
    OutputsTest() {
        slow = &with_data;
        restart();
    }
    DesiredTask kept(std::uint32_t generation, std::size_t nodes = 1) {
        auto wanted = task(generation, nodes);
        wanted.output_bytes_max = 1000;
        return wanted;
    }
    void run(const DesiredTask& wanted) {
        greet();
        desire({wanted});
        at(101);
    }
    /// What the next report says of outputs: name, files, bytes or fault.
    std::vector<std::string> told() {
        const auto* report = agent->report(wall());
        std::vector<std::string> lines;
        for (const auto& one : report != nullptr ? report->outputs.value_or(std::vector<OutputReport>{}) : std::vector<OutputReport>{}) {
            last = one;
            lines.push_back(one.fault ? fmt::format("{} {} {} of {}", one.name, boost::describe::enum_to_string(*one.fault, "?"), one.bytes,
                                                    *one.bytes_max)
                                      : fmt::format("{} {} files", one.name, one.files));
        }
        return lines;
    }
    /// All that the next reports say: a meter may take several.
    std::string all_words() {
        std::string all;
        for (int i = 0; i < 20; ++i) all += tell();
        return all;
    }
    std::vector<std::string> paths() {
        const auto store = stores.fake(*ProjectName::parse("lab"));
        std::vector<std::string> all;
        for (const auto& entry : parse_tree(store->fetch_bytes(last.tree, 1 << 20).value()).value().entries) all.push_back(entry.path);
        return all;
    }

    ports::FakeDataStores stores;
    InlineDesk with_data{backend, blobs, {}, &stores};
    OutputReport last;
};

TEST_F(OutputsTest, AreStoredWhileTheTaskRunsAndOnlyWhereTheyChanged) {
    run(kept(1));
    backend.outputs[rank(1, 0)]["log"] = "one";
    EXPECT_EQ(at(130), Calls{}) << "a minute after its start";
    EXPECT_THAT(at(165), ElementsAre("look 1/0", "read log"));
    EXPECT_THAT(told(), ElementsAre("so-far 1 files"));
    tell();
    EXPECT_THAT(at(230), ElementsAre("look 1/0")) << "nothing is copied again";
    EXPECT_THAT(told(), IsEmpty());
    tell();
    backend.outputs[rank(1, 0)]["model"] = "model";
    EXPECT_THAT(at(295), ElementsAre("look 1/0", "read model"));
    EXPECT_THAT(told(), ElementsAre("so-far 2 files"));
    tell();
    backend.end(rank(1, 0), ports::EndReason::exited, 0);
    EXPECT_THAT(at(300), ElementsAre("last look 1/0"));
    EXPECT_THAT(told(), ElementsAre("final 2 files")) << "the same, and whole now";
    EXPECT_THAT(all_words(), testing::HasSubstr("1:ended(exited,0)")) << "and then the end";
    EXPECT_THAT(paths(), ElementsAre("log", "model"));
}

TEST_F(OutputsTest, TheEndWaitsForThemAndNotForLong) {
    run(kept(1));
    backend.outputs[rank(1, 0)]["model"] = "model";
    const auto store = stores.fake(*ProjectName::parse("lab"));
    store->free_bytes = 3;
    backend.end(rank(1, 0), ports::EndReason::exited, 0);
    at(110);
    EXPECT_THAT(words(), testing::Not(testing::HasSubstr("ended")));
    at(160);
    EXPECT_THAT(words(), testing::Not(testing::HasSubstr("ended")));
    tell();
    at(161);
    at(162);
    EXPECT_THAT(told(), ElementsAre("final store_full 5 of 3"));
    EXPECT_THAT(words(), testing::HasSubstr("1:ended(exited,0)"));
}

TEST_F(OutputsTest, WhatIsBeyondTheQuotaIsToldAndTheJobGoesOn) {
    run(kept(1));
    backend.outputs[rank(1, 0)]["model"] = std::string(1001, 'x');
    at(165);
    EXPECT_THAT(told(), ElementsAre("so-far over_quota 1001 of 1000"));
    tell();
    at(230);
    EXPECT_THAT(told(), IsEmpty()) << "once";
    tell();
    backend.end(rank(1, 0), ports::EndReason::exited, 0);
    at(240);
    EXPECT_THAT(told(), ElementsAre("final over_quota 1001 of 1000"));
    EXPECT_THAT(all_words(), testing::HasSubstr("1:ended(exited,0)"));
}

TEST_F(OutputsTest, OfEachNodeWhereTheJobNamesAll) {
    auto wanted = kept(1, 2);
    wanted.output_nodes = OutputNodes::all;
    run(wanted);
    backend.outputs[rank(1, 0)]["log"] = "zero";
    backend.outputs[rank(1, 1)]["log"] = "one";
    at(165);
    EXPECT_THAT(told(), ElementsAre("so-far 2 files"));
    EXPECT_THAT(paths(), ElementsAre("node-0/log", "node-1/log"));
}

TEST_F(OutputsTest, WhatAnEarlierGenerationLeftStaysUnderItsOtherPaths) {
    run(kept(1));
    backend.outputs[rank(1, 0)] = {{"log", "of one"}, {"sample", "sample"}};
    at(165);
    ASSERT_THAT(told(), ElementsAre("so-far 2 files"));
    tell();
    backend.end(rank(1, 0), ports::EndReason::signalled, 137);
    at(170);
    (void)told();
    tell();
    auto next = kept(2);
    next.outputs_before = last.tree;
    desire({next});
    at(171);
    backend.outputs[rank(2, 0)] = {{"log", "of two"}};
    backend.end(rank(2, 0), ports::EndReason::exited, 0);
    at(180);
    ASSERT_THAT(told(), ElementsAre("final 2 files"));
    EXPECT_THAT(paths(), ElementsAre("log", "sample"));
    const auto store = stores.fake(*ProjectName::parse("lab"));
    const auto tree = parse_tree(store->fetch_bytes(last.tree, 1 << 20).value()).value();
    EXPECT_EQ(find(tree, "log")->digest, sha256("of two"));
}

TEST_F(OutputsTest, WhatAKilledAgentHadStoredIsNotCopiedAgainAndIsWholeInTheEnd) {
    run(kept(1));
    backend.outputs[rank(1, 0)]["log"] = "one";
    at(165);
    ASSERT_THAT(told(), ElementsAre("so-far 1 files"));
    restart();
    at(170);
    desire({kept(1)});
    at(171);
    tell();
    EXPECT_THAT(at(240), testing::Contains("look 1/0"));
    EXPECT_THAT(at(240), testing::Not(testing::Contains("read log")));
    backend.end(rank(1, 0), ports::EndReason::exited, 0);
    at(250);
    EXPECT_THAT(told(), ElementsAre("final 1 files"));
}

TEST_F(OutputsTest, OfAJobThatWasCancelledTheyAreKeptToo) {
    run(kept(1));
    backend.outputs[rank(1, 0)]["log"] = "one";
    auto stop = kept(1);
    stop.stop = true;
    desire({stop});
    at(110);
    backend.finish_stopping();
    at(112);
    EXPECT_THAT(told(), ElementsAre("final 1 files"));
    EXPECT_THAT(words(), testing::HasSubstr("1:ended"));
}

}  // namespace
}  // namespace weir::agent
