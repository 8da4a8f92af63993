// Goal: a project keeps what fits its quota, for as long as somebody needs it, and what goes leaves a receipt.
// Method: commands on the core, read back from its state; a state that is rebuilt has the same derived parts.
#include "control/core/test_town.hpp"
#include "domain/tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::control {
namespace {

using testing::HasSubstr;

class DataTest : public testing::Test {
protected:
    static constexpr std::int64_t mib = 1 << 20;
    const ProjectName vision{"vision"};
    static Digest tree(int number) { return sha256(std::to_string(number)); }
    void keep(int number, std::int64_t bytes) { town.must(KeepTree{vision, tree(number), {bytes, 1}}); }
    JobId begin_in(int number) {
        town.deposit(100'000);
        auto spec = Town::spec();
        spec.workdir = tree_name(tree(number));
        return town.submit(spec);
    }
    const ProjectData& data() { return town.core.state.data.at(vision); }
    void tick() {
        town.play(Tick{});
        auto again = town.core.state;
        rebuild(again);
        EXPECT_EQ(again.tree_uses, town.core.state.tree_uses);
        EXPECT_EQ(again.unused_trees, town.core.state.unused_trees);
        EXPECT_EQ(again.output_ends, town.core.state.output_ends);
        EXPECT_EQ(again.receipts, town.core.state.receipts);
    }
    Town town;
};

TEST_F(DataTest, AJobBeginsInATreeThatItsProjectKeeps) {
    auto spec = Town::spec();
    spec.workdir = tree_name(tree(1));
    town.deposit(100'000);
    const auto submit = [&] { return SubmitJob{town.id(), vision, spec, sha256("body")}; };
    EXPECT_EQ(town.refused(submit()).code, RefusalCode::not_found);
    keep(1, mib);
    town.must(submit());
    spec.workdir = "./code";
    EXPECT_THAT(town.refused(submit()).message, HasSubstr("weir submit packs a folder"));
    EXPECT_EQ(town.refused(KeepTree{ProjectName{"nobody"}, tree(1), {1, 1}}).code, RefusalCode::not_found);
}

TEST_F(DataTest, WhatNobodyUsesMakesRoomAndWhatIsUsedIsRefusedWithBothNumbers) {
    town.must(SetDataQuota{vision, 10 * mib});
    keep(1, 4 * mib);
    town.wait(1);
    keep(2, 4 * mib);
    const auto job = begin_in(1);
    keep(3, 4 * mib);
    EXPECT_TRUE(data().trees.contains(tree(1))) << "a live job begins in it";
    EXPECT_FALSE(data().trees.contains(tree(2)));
    EXPECT_EQ(data().dropped.at(tree(2)).reason, DropReason::displaced);
    const auto refusal = town.refused(KeepTree{vision, tree(4), {7 * mib, 1}});
    EXPECT_EQ(refusal.code, RefusalCode::limit_reached);
    EXPECT_THAT(refusal.message, HasSubstr("7340032 bytes are to be kept for project vision, which keeps 4194304"));
    EXPECT_THAT(refusal.message, HasSubstr("may keep 10485760"));
    EXPECT_TRUE(data().trees.contains(tree(3))) << "a refusal changes nothing";
    town.must(CancelJob{job});
    keep(4, 7 * mib);
    EXPECT_EQ(data().trees.size(), 1U);
}

TEST_F(DataTest, ATreeGoesWhenNoJobHasUsedItForLong) {
    keep(1, mib);
    const auto job = begin_in(1);
    town.wait(8 * 86'400);
    tick();
    EXPECT_TRUE(data().trees.contains(tree(1)));
    town.must(CancelJob{job});
    tick();
    EXPECT_TRUE(data().trees.contains(tree(1))) << "it was used just now";
    EXPECT_THAT(town.refused(RemoveTree{vision, tree(2)}).message, HasSubstr("keeps no tree-"));
    town.wait(7 * 86'400);
    tick();
    EXPECT_FALSE(data().trees.contains(tree(1)));
    EXPECT_EQ(data().dropped.at(tree(1)).reason, DropReason::unused);
}

TEST_F(DataTest, AReceiptIsOfWhatIsGoneAndNotOfWhatCameAgain) {
    keep(1, mib);
    keep(2, mib);
    town.must(RemoveTree{vision, tree(1)});
    town.must(RemoveTree{vision, tree(2)});
    keep(2, mib);
    const std::vector<ErasedCopy> copies{{"network", town.now, 3, mib}};
    town.must(ConfirmErased{vision, tree(1), sha256("list"), copies});
    town.must(ConfirmErased{vision, tree(2), sha256("list"), copies});
    EXPECT_TRUE(data().dropped.empty());
    ASSERT_EQ(data().erased.size(), 1U);
    const auto& receipt = data().erased.at(tree(1));
    EXPECT_EQ(receipt.list, sha256("list"));
    EXPECT_EQ(receipt.copies, copies);
    EXPECT_EQ(receipt.reason, DropReason::removed);
    EXPECT_GT(receipt.revision, 0U);
    town.wait(368 * 86'400);
    tick();
    EXPECT_TRUE(data().erased.empty()) << "it stays in the journal";
}

TEST_F(DataTest, TheFilesOfAProjectChangeAsOneAndNeverBehindAnybodysBack) {
    town.must(SetFiles{vision, std::nullopt, tree(1), {mib, 2}});
    EXPECT_EQ(town.refused(SetFiles{vision, std::nullopt, tree(2), {mib, 2}}).code, RefusalCode::already_exists_different);
    town.must(SetFiles{vision, tree(1), tree(2), {mib, 2}});
    EXPECT_EQ(data().files->tree, tree(2));
    EXPECT_EQ(data().dropped.at(tree(1)).reason, DropReason::replaced);
    town.must(SetFiles{vision, tree(2), std::nullopt, {}});
    EXPECT_FALSE(data().files);
    EXPECT_EQ(data().dropped.at(tree(2)).reason, DropReason::removed);
}

TEST_F(DataTest, OutputsAreKeptFromTheEndOfTheirJobOn) {
    town.deposit(100'000);
    auto spec = Town::spec();
    spec.outputs = OutputAsk{Seconds{3600}};
    const auto job = town.submit(spec);
    town.place();
    const auto site = town.live(job).placement->site.value;
    town.run(job, site);
    const auto publish = [&](int number) {
        town.report(site, [&](SiteReport& r) { r.outputs = {{{job, 1, "final", tree(number), mib, 2}}}; });
    };
    publish(1);
    publish(1);
    publish(2);
    EXPECT_EQ(data().outputs.at(job).tree, tree(2));
    EXPECT_EQ(data().dropped.at(tree(1)).reason, DropReason::replaced);
    EXPECT_EQ(town.refused(RemoveOutputs{job}).code, RefusalCode::limit_reached);
    town.end(job, site, Reason::exited);
    tick();
    town.wait(3599);
    tick();
    EXPECT_TRUE(data().outputs.contains(job));
    town.wait(1);
    tick();
    EXPECT_FALSE(data().outputs.contains(job));
    EXPECT_EQ(data().dropped.at(tree(2)).reason, DropReason::retention_over);
}

TEST_F(DataTest, OutputsOfAJobThatAskedForNoneAreNotTaken) {
    town.deposit(100'000);
    const auto job = town.submit(Town::spec());
    town.place();
    const auto site = town.live(job).placement->site.value;
    town.report(site, [&](SiteReport& r) { r.outputs = {{{job, 1, "final", tree(1), mib, 2}}}; });
    EXPECT_TRUE(town.core.state.data.empty() || data().outputs.empty());
}

}  // namespace
}  // namespace weir::control
