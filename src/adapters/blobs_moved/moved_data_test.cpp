// Goal: whatever the tool does that carries the bytes, a blob is there whole or not at all, and nobody is handed other bytes.
// Method: the suite of all stores over a far end in memory; then a tool that dies, lies and fills up, at each of its calls in turn.
#include "adapters/blobs_moved/moved_data.hpp"

#include "base/test_folder.hpp"
#include "ports/blob_store_conformance.hpp"
#include "ports/fake_mover.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::blobs_moved {
namespace {

using ports::BlobFault;
using ports::FakeMover;
using ports::FarEnd;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using Trouble = FakeMover::Trouble;

constexpr std::int64_t part_bytes = 4096;

MovedOptions options_in(const TestFolder& folder, std::vector<Duration>* pauses = nullptr) {
    MovedOptions options{.stage = folder.file("stage"), .prefix = "base/", .writer = "east", .part_bytes = part_bytes};
    options.pause = [pauses](Duration duration, ports::Copying&) {
        if (pauses != nullptr) pauses->push_back(duration);
    };
    return options;
}

template <bool NamesWhenWhole>
struct MemoryWorld {
    static constexpr std::size_t large = 5 * part_bytes + 100;
    ports::BlobResult<std::shared_ptr<ports::DataStore>> open() {
        auto opened = MovedData::open(std::make_shared<FakeMover>(far, NamesWhenWhole), options_in(folder));
        if (!opened) return fail(opened.error());
        return std::shared_ptr<ports::DataStore>{*opened};
    }
    void damage(const Digest& digest) {
        for (auto& [name, bytes] : far->files) {
            const bool is_it = name.find("parts/" + digest.text() + "/00001") != std::string::npos ||
                               name.ends_with("blobs/" + digest.text().substr(0, 2) + "/" + digest.text().substr(2));
            if (is_it) bytes[bytes.size() / 2] ^= 1;
        }
    }
    bool fill() {
        far->bytes_max = 2 * part_bytes;
        return true;
    }
    void free() { far->bytes_max = INT64_MAX; }

    TestFolder folder;
    std::shared_ptr<FarEnd> far = std::make_shared<FarEnd>();
};

class MovedTest : public testing::TestWithParam<bool> {
protected:
    ports::BlobResult<void> put(const std::string& bytes) {
        const ports::BytesFile file{bytes};
        ports::Unhindered unhindered;
        return store->put(sha256(bytes), std::ssize(bytes), file.get(), unhindered);
    }
    ports::BlobResult<std::string> fetch(const std::string& bytes) { return store->fetch_bytes(sha256(bytes), 1 << 20); }

    TestFolder folder;
    std::shared_ptr<FarEnd> far = std::make_shared<FarEnd>();
    std::shared_ptr<FakeMover> mover = std::make_shared<FakeMover>(far, GetParam());
    std::vector<Duration> pauses;
    std::shared_ptr<MovedData> store = MovedData::open(mover, options_in(folder, &pauses)).value();
};
INSTANTIATE_TEST_SUITE_P(Movers, MovedTest, testing::Bool());

TEST_P(MovedTest, AToolThatFailsAtAnyOfItsCallsIsFoundOutAndTriedAgain) {
    for (const auto trouble : {Trouble::dies, Trouble::lies, Trouble::lies_idle}) {
        for (std::size_t at = 0; at < 14; ++at) {
            const auto bytes = ports::random_bytes(3 * part_bytes, "trouble " + std::to_string(static_cast<int>(trouble) * 100 + at));
            mover->troubles.assign(at, Trouble::none);
            mover->troubles.push_back(trouble);
            const auto done = put(bytes);
            ASSERT_TRUE(done) << done.error().message;
            mover->troubles.clear();
            EXPECT_EQ(fetch(bytes).value(), bytes) << "trouble " << static_cast<int>(trouble) << " at call " << at;
        }
    }
    const auto bytes = ports::random_bytes(3 * part_bytes, "fetched");
    ASSERT_TRUE(put(bytes));
    for (const auto trouble : {Trouble::dies, Trouble::lies, Trouble::lies_idle}) {
        // The first copy of a fetch is the list of parts.
        for (std::size_t at = 1; at < 5; ++at) {
            mover->troubles.assign(at, Trouble::none);
            mover->troubles.push_back(trouble);
            EXPECT_EQ(fetch(bytes).value(), bytes);
        }
    }
    EXPECT_THAT(pauses, Each(seconds(1))) << "one failure in a row, one pause";
}

TEST_P(MovedTest, OneThatLiesOnIsGivenUpWithADoublingPauseAndNothingBearsTheName) {
    mover->troubles.assign(100, Trouble::lies);
    const auto done = put("content");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, BlobFault::unavailable);
    EXPECT_THAT(done.error().message, HasSubstr("not stored in 5 attempts; the last: a fake mover said that it was sent, and other bytes"));
    EXPECT_THAT(pauses, ElementsAre(seconds(1), seconds(2), seconds(4), seconds(8)));
    mover->troubles.clear();
    EXPECT_TRUE(store->list().value().empty());
    EXPECT_TRUE(put("content"));
    EXPECT_EQ(fetch("content").value(), "content");
}

TEST_P(MovedTest, NobodyIsHandedWhatALyingToolBrings) {
    ASSERT_TRUE(put("content"));
    mover->troubles.assign(100, Trouble::lies);
    const ports::BytesFile into;
    ports::Unhindered unhindered;
    const auto done = store->fetch(sha256("content"), into.get(), unhindered);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, BlobFault::damaged);
    EXPECT_EQ(into.text(), "");
    mover->troubles.clear();
    EXPECT_EQ(fetch("content").value(), "content") << "the far end lost nothing by it";
}

TEST_P(MovedTest, ACopyThatWasCutSendsWhatLacksAlone) {
    const auto bytes = ports::random_bytes(8 * part_bytes, "resumed");
    const ports::BytesFile file{bytes};
    // Each part is read, sent and fetched back: with these the first three are there.
    ports::CutCopy cut{20};
    EXPECT_FALSE(store->put(sha256(bytes), std::ssize(bytes), file.get(), cut));
    const auto before = std::ranges::count_if(mover->calls, [](const auto& call) { return call.starts_with("send"); });
    ASSERT_GE(before, 2);
    mover->calls.clear();
    // Another agent goes on: nothing of the first is left but what lies at the far end.
    store = MovedData::open(mover, options_in(folder, &pauses)).value();
    ASSERT_TRUE(put(bytes));
    const auto sent = std::ranges::count_if(mover->calls, [](const auto& call) { return call.starts_with("send"); });
    EXPECT_LE(before + sent, 8 + 1 + 1) << "eight parts and their list, and one that was cut";
    EXPECT_LT(sent, 8);
    EXPECT_EQ(fetch(bytes).value(), bytes);
}

TEST_P(MovedTest, WhatNobodyGoesOnWithIsRemovedAndWhatIsWholeIsNot) {
    const auto bytes = ports::random_bytes(4 * part_bytes, "whole");
    ASSERT_TRUE(put(bytes));
    const auto other = ports::random_bytes(4 * part_bytes, "half");
    const ports::BytesFile file{other};
    ports::CutCopy cut{8};
    EXPECT_FALSE(store->put(sha256(other), std::ssize(other), file.get(), cut));
    EXPECT_EQ(store->remove_uploads(far->now_s).value().files, 0) << "it is not old yet";
    EXPECT_GT(store->remove_uploads(far->now_s + 1).value().files, 0);
    EXPECT_EQ(fetch(bytes).value(), bytes);
    for (const auto& [name, content] : far->files) EXPECT_EQ(name.find(sha256(other).text().substr(2)), std::string::npos) << name;
    EXPECT_EQ(store->remove(std::vector{sha256(bytes)}).value().bytes, std::ssize(bytes));
    EXPECT_TRUE(far->files.empty()) << far->files.begin()->first;
}

TEST_P(MovedTest, ProjectsShareNothingAndAreListed) {
    MovedStores stores{mover, options_in(folder)};
    const auto vision = stores.of(ProjectName{"vision"}).value();
    const auto other = stores.of(ProjectName{"other"}).value();
    ASSERT_TRUE(vision->put_bytes(sha256("secret"), "secret"));
    EXPECT_EQ(other->fetch_bytes(sha256("secret"), 100).error().fault, BlobFault::not_found);
    EXPECT_EQ(stores.of(ProjectName{"vision"}).value(), vision);
    EXPECT_THAT(stores.projects().value(), ElementsAre(ProjectName{"vision"}));
    ASSERT_TRUE(other->put_bytes(sha256("secret"), "secret"));
    ASSERT_TRUE(other->remove(std::vector{sha256("secret")}));
    EXPECT_EQ(vision->fetch_bytes(sha256("secret"), 100).value(), "secret");
}

}  // namespace
}  // namespace weir::blobs_moved

namespace weir::ports {
INSTANTIATE_TYPED_TEST_SUITE_P(MovedAndRenamed, BlobStoreConformance, blobs_moved::MemoryWorld<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(MovedByName, BlobStoreConformance, blobs_moved::MemoryWorld<true>);
}  // namespace weir::ports
