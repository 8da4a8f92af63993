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

/// A job that runs, and what its site says of its outputs.
class OutputsTest : public DataTest {
protected:
    JobId begin(std::optional<OutputAsk> ask) {
        town.deposit(100'000);
        auto spec = Town::spec();
        spec.outputs = std::move(ask);
        const auto job = town.submit(spec);
        town.place();
        site = town.live(job).placement->site.value;
        town.run(job, site);
        return job;
    }
    void tell(OutputReport report) {
        town.report(site, [&](SiteReport& r) { r.outputs = std::vector{std::move(report)}; });
    }
    void publish(const JobId& job, int number, std::int64_t bytes, std::string_view name = outputs_so_far) {
        tell({job, 1, std::string{name}, tree(number), bytes, 2});
    }
    bool keeps_outputs(const JobId& job) { return town.core.state.data.contains(vision) && data().outputs.contains(job); }
    std::string site;
};

TEST_F(OutputsTest, AJobThatDoesNotSayHasItsOutputsKeptAsThePolicySays) {
    const auto job = begin(std::nullopt);
    publish(job, 1, mib);
    EXPECT_EQ(data().outputs.at(job).retention, Seconds{30 * 86'400});
    EXPECT_FALSE(data().outputs.at(job).keep_until) << "it is not over";
    publish(job, 1, mib, outputs_final);
    EXPECT_EQ(data().outputs.at(job).name, outputs_final) << "the same files, and whole now";
    EXPECT_TRUE(data().dropped.empty());
    town.end(job, site, Reason::exited);
    town.wait(30 * 86'400 - 1);
    tick();
    EXPECT_TRUE(keeps_outputs(job));
    town.wait(1);
    tick();
    EXPECT_FALSE(keeps_outputs(job));
}

TEST_F(OutputsTest, WhatIsNotToBeKeptIsNot) {
    const auto job = begin(OutputAsk{.keep = Seconds{0}});
    publish(job, 1, mib);
    EXPECT_FALSE(keeps_outputs(job));
    town.core.policy.output_keep = {};
    const auto other = begin(std::nullopt);
    publish(other, 1, mib);
    EXPECT_FALSE(keeps_outputs(other)) << "the policy keeps none by itself";
    auto spec = Town::spec();
    town.core.policy.output_keep_max = seconds(3600);
    spec.outputs = OutputAsk{.keep = Seconds{7200}};
    const auto refusal = town.refused(SubmitJob{town.id(), vision, spec, sha256("body")});
    EXPECT_EQ(refusal.message,
              "outputs are to be kept for 2 h, and this network keeps them for at most 1 h; ask for less, and fetch them "
              "before (weir get)");
    spec.outputs = OutputAsk{.keep = Seconds{60}, .retention = Seconds{60}};
    EXPECT_THAT(town.refused(SubmitJob{town.id(), vision, spec, sha256("body")}).message, HasSubstr("first name of keep"));
}

TEST_F(OutputsTest, BeyondTheQuotaWhatWasKeptBeforeStaysAndTheRefusalIsAnEvent) {
    town.must(SetDataQuota{vision, 10 * mib});
    const auto job = begin(std::nullopt);
    publish(job, 1, 4 * mib);
    keep(7, 4 * mib);
    publish(job, 2, 11 * mib);
    EXPECT_EQ(data().outputs.at(job).tree, tree(1));
    const RefusedOutputs refused{1, OutputFault::over_quota, 11 * mib, 6 * mib};
    EXPECT_EQ(town.live(job).outputs_refused, refused);
    const auto revision = town.core.state.revision;
    publish(job, 2, 11 * mib);
    EXPECT_EQ(town.core.state.revision, revision + 1) << "the report alone: what is known is not said again";
    EXPECT_TRUE(data().trees.contains(tree(7))) << "a refusal displaces nothing";
    publish(job, 3, 9 * mib);
    EXPECT_EQ(data().outputs.at(job).tree, tree(3));
    EXPECT_FALSE(data().trees.contains(tree(7))) << "nobody used it";
    EXPECT_FALSE(town.live(job).outputs_refused);
    tell({job, 1, "so-far", {}, 99 * mib, 2, OutputFault::store_full, mib});
    EXPECT_EQ(town.live(job).outputs_refused, (RefusedOutputs{1, OutputFault::store_full, 99 * mib, mib}));
    EXPECT_EQ(data().outputs.at(job).tree, tree(3));
}

TEST_F(OutputsTest, TwoOfOneReportAreReckonedTogether) {
    town.must(SetDataQuota{vision, 10 * mib});
    const auto one = begin(std::nullopt);
    const auto other = begin(std::nullopt);
    ASSERT_EQ(town.live(one).placement->site.value, site);
    town.report(site, [&](SiteReport& r) {
        r.outputs = std::vector<OutputReport>{{one, 1, "so-far", tree(1), 6 * mib, 1}, {other, 1, "so-far", tree(2), 6 * mib, 1}};
    });
    EXPECT_TRUE(keeps_outputs(one));
    EXPECT_FALSE(keeps_outputs(other));
    EXPECT_EQ(town.live(other).outputs_refused, (RefusedOutputs{1, OutputFault::over_quota, 6 * mib, 4 * mib}));
}

}  // namespace
}  // namespace weir::control
