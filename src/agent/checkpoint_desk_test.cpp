// Goal: nobody's checkpoint fills the network's store or keeps the others' waiting, and what nobody wants any more is not copied.
// Method: a backend with one checkpoint that never ends; orders of several projects on one desk. Nothing here waits for time to pass: only
// for answers, which come or do not.
#include "agent/checkpoint_desk.hpp"
#include "agent/test_site.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::agent {
namespace {

using testing::HasSubstr;

/// Reads "endless" until it is called off.
class EndlessBackend final : public ports::SiteBackend {
public:
    explicit EndlessBackend(FakeBackend& other) : other_{other} {}
    ports::BackendResult<ports::CheckpointSize> measure_checkpoint(const ports::TaskKey& key, const std::string& at) override {
        if (at == "endless") return ports::CheckpointSize{std::int64_t{1} << 49, std::int64_t{1} << 49};
        return other_.measure_checkpoint(key, at);
    }
    ports::BackendResult<ports::Checkpoint> inspect_checkpoint(const ports::TaskKey& key, const std::string& at,
                                                               ports::Copying& copying) override {
        if (at != "endless") return other_.inspect_checkpoint(key, at, copying);
        ++begun;
        while (copying.onward(1 << 24) == ports::Onward::go_on) {
        }
        ++ended;
        return fail(ports::BackendError{ports::BackendFault::unavailable, "called off"});
    }
    ports::BackendResult<int> open_checkpoint_file(const ports::TaskKey& key, const std::string& at, const std::string& path) override {
        return other_.open_checkpoint_file(key, at, path);
    }
    ports::BackendResult<void> install_checkpoint(const ports::TaskKey& key, const std::string& project, const ports::Checkpoint& from,
                                                  const ports::FetchFile& fetch, ports::Copying& copying) override {
        return other_.install_checkpoint(key, project, from, fetch, copying);
    }
    ports::Capabilities capabilities() const override { return other_.capabilities(); }
    ports::BackendResult<ports::Inventory> inventory() override { return other_.inventory(); }
    ports::BackendResult<ports::StartOutcome> start(const ports::TaskSpec& spec) override { return other_.start(spec); }
    ports::BackendResult<std::vector<ports::TaskObserved>> observe() override { return other_.observe(); }
    ports::BackendResult<void> renew_lease(const ports::TaskKey&, ports::BootInstant) override { return {}; }
    ports::BackendResult<void> stop(const ports::TaskKey&) override { return {}; }
    ports::BackendResult<void> signal(const ports::TaskKey&, int) override { return {}; }
    ports::BackendResult<void> request_checkpoint(const ports::TaskKey&) override { return {}; }
    ports::BackendResult<void> fence(const std::string&, std::int64_t) override { return {}; }
    ports::BackendResult<void> forget(const ports::TaskKey&) override { return {}; }
    ports::BackendResult<void> shed(const ports::TaskKey&) override { return {}; }
    ports::BackendResult<ports::LogChunk> read_log(const ports::TaskKey&, std::int32_t, ports::LogStream, std::int64_t,
                                                   std::int64_t) override {
        return ports::LogChunk{};
    }
    ports::BackendResult<std::vector<ports::PublishedCheckpoint>> list_checkpoints(const ports::TaskKey& key) override {
        return other_.list_checkpoints(key);
    }
    ports::BackendResult<ports::DiskUse> measure_task(const ports::TaskKey& key) override { return other_.measure_task(key); }
    ports::BackendResult<ports::DiskSpace> disk() override { return other_.disk(); }

    std::atomic<int> begun = 0;
    std::atomic<int> ended = 0;

private:
    FakeBackend& other_;
};

class DeskTest : public testing::Test {
protected:
    static GenerationKey key(int number) { return {*JobId::parse(fmt::format("job-{:026}", number)), 1}; }
    ReplicateOrder publish(int number, const std::string& project, const std::string& name, const std::string& content) {
        backend.tasks[{key(number).job.text(), 1, 0}].checkpoints[name] = content;
        return {key(number), *ProjectName::parse(project), {name, content}};
    }
    /// The answer to one order, without a thread.
    Replicated answer_to(const ReplicateOrder& order, const DeskLimits& limits = {}) {
        Errand errand;
        return std::get<Replicated>(carry_out(backend, {blobs}, order, limits, errand));
    }
    /// Until there is one; each answer rings.
    std::vector<DeskAnswer> await_answer(CheckpointDesk& desk) {
        std::unique_lock lock{guard};
        std::vector<DeskAnswer> answers;
        EXPECT_TRUE(rung.wait_for(lock, std::chrono::seconds{60}, [&] {
            for (auto& one : desk.take()) answers.push_back(std::move(one));
            return !answers.empty();
        }));
        return answers;
    }
    std::function<void()> ring() {
        return [this] {
            const std::lock_guard lock{guard};
            rung.notify_all();
        };
    }

    FakeBackend backend;
    FakeBlobs blobs;
    std::mutex guard;
    std::condition_variable rung;
};

TEST_F(DeskTest, WhatIsLargerThanTheSiteTakesIsNotRead) {
    const auto order = publish(1, "lab", "step-1", std::string(100, 'x'));
    const auto refused = answer_to(order, {.checkpoint_bytes_max = 99});
    EXPECT_FALSE(refused.again);
    EXPECT_THAT(refused.fault, HasSubstr("have 100 bytes and at most 99 are taken"));
    EXPECT_TRUE(blobs.blobs.empty());
    EXPECT_EQ(answer_to(order, {.checkpoint_bytes_max = 100}).fault, "");
}

TEST_F(DeskTest, FilesWithHolesAreNotBlownUp) {
    const auto order = publish(1, "lab", "step-1", "x");
    backend.seems = {std::int64_t{30} << 30, 4096};
    const auto refused = answer_to(order);
    EXPECT_FALSE(refused.again);
    EXPECT_THAT(refused.fault, HasSubstr("files with holes are not stored"));
    EXPECT_TRUE(blobs.blobs.empty());
    // A disk that compresses holds less than files say.
    backend.seems = {std::int64_t{30} << 30, std::int64_t{4} << 30};
    EXPECT_EQ(answer_to(order).fault, "");
}

TEST_F(DeskTest, WhatTheStoreHasNoRoomForWaits) {
    const auto order = publish(1, "lab", "step-1", std::string(100, 'x'));
    blobs.room_bytes = 99;
    const auto refused = answer_to(order);
    EXPECT_TRUE(refused.again);
    EXPECT_THAT(refused.fault, HasSubstr("has 100 bytes and the network's store has room for 99"));
    blobs.room_bytes = 100;
    EXPECT_FALSE(answer_to(order).again);
}

TEST_F(DeskTest, WhatGrowsWhileItIsCopiedIsGivenUp) {
    const auto order = publish(1, "lab", "step-1", std::string(std::size_t{5} << 20, 'x'));
    backend.seems = {10, 10};
    const auto refused = answer_to(order);
    EXPECT_FALSE(refused.again);
    EXPECT_THAT(refused.fault, HasSubstr("it grew while it was copied"));
}

TEST_F(DeskTest, NobodyWaitsForAnothersLargeCheckpoint) {
    EndlessBackend endless{backend};
    ThreadDesk desk{endless, blobs, ring(), {.checkpoint_bytes_max = std::int64_t{1} << 50}};
    // More than one project may have under way, and more than take their turn at once.
    for (int i = 1; i <= 6; ++i) desk.order(publish(i, "greedy", "endless", ""));
    desk.order(publish(7, "modest", "step-1", "one"));
    const auto answers = await_answer(desk);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(std::get<Replicated>(answers[0]).key, key(7));
    EXPECT_EQ(std::get<Replicated>(answers[0]).fault, "");
    EXPECT_LE(endless.begun, 4) << "half of the threads are kept for others";
}

TEST_F(DeskTest, WhatIsDroppedEndsAndIsNotAnswered) {
    EndlessBackend endless{backend};
    {
        ThreadDesk desk{endless, blobs, ring(), {.checkpoint_bytes_max = std::int64_t{1} << 50}};
        for (int i = 1; i <= 5; ++i) desk.order(publish(i, "greedy", "endless", ""));
        desk.order(publish(6, "greedy", "step-1", "one"));
        // The sixth waits until one of the four that are under way has ended; the fifth never begins.
        for (int i = 5; i >= 1; --i) desk.drop(key(i));
        const auto answers = await_answer(desk);
        ASSERT_EQ(answers.size(), 1U);
        EXPECT_EQ(std::get<Replicated>(answers[0]).key, key(6));
    }
    EXPECT_LE(endless.begun, 4);
    EXPECT_EQ(endless.begun, endless.ended);
}

TEST_F(DeskTest, NobodyWorksOnAGenerationBesideWhatWasDroppedThere) {
    EndlessBackend endless{backend};
    const auto dropped = publish(1, "lab", "endless", "");
    const auto wanted = publish(1, "lab", "step-1", "one");
    ThreadDesk desk{endless, blobs, ring(), {.checkpoint_bytes_max = std::int64_t{1} << 50}};
    desk.order(dropped);
    while (endless.begun == 0) std::this_thread::yield();
    EXPECT_TRUE(desk.is_at_work(key(1)));
    EXPECT_FALSE(desk.is_at_work(key(2)));
    desk.drop(key(1));
    desk.order(wanted);
    const auto answers = await_answer(desk);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(std::get<Replicated>(answers[0]).published.name, "step-1");
    EXPECT_EQ(endless.ended, 1) << "before the next began";
    EXPECT_FALSE(desk.is_at_work(key(1)));
}

TEST_F(DeskTest, ACheckpointThatWasCalledOffIsPutBeforeNoRank) {
    Errand errand;
    errand.drop(ports::Onward::never);
    const auto checkpoint = FakeBackend::checkpoint("step-1", "one");
    (void)blobs.put_bytes(sha256("one"), "one");
    (void)blobs.put_bytes(checkpoint.digest, manifest_text(checkpoint.files));
    const PrepareOrder order{key(1), *ProjectName::parse("lab"), 2, {{1, "step-1", checkpoint.digest, checkpoint.bytes, Instant{}}}};
    const auto answer = std::get<Prepared>(carry_out(backend, {blobs}, order, {}, errand));
    EXPECT_TRUE(answer.again);
    EXPECT_TRUE(backend.calls.empty());
    Errand other;
    EXPECT_EQ(std::get<Prepared>(carry_out(backend, {blobs}, order, {}, other)).manifest, checkpoint.digest);
}

TEST_F(DeskTest, AnAgentThatEndsDoesNotWaitForACopy) {
    EndlessBackend endless{backend};
    {
        ThreadDesk desk{endless, blobs, ring(), {.checkpoint_bytes_max = std::int64_t{1} << 50}};
        desk.order(publish(1, "greedy", "endless", ""));
        while (endless.begun == 0) std::this_thread::yield();
    }
    EXPECT_EQ(endless.ended, 1);
}

}  // namespace
}  // namespace weir::agent
