// Goal: a blob is there whole or not at all, and nobody is ever handed other bytes than those of its digest.
// Method: a real directory; what a crash would leave behind is put there by hand.
#include "adapters/blobs_local/blobs_local.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

/// What was synced, in order. The library below calls this in the place of the C library's.
std::vector<std::string>& synced() {
    static std::vector<std::string> paths;
    return paths;
}

}  // namespace

extern "C" int fsync(int file) {
    std::error_code ignored;
    synced().push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), ignored).string());
    return static_cast<int>(::syscall(SYS_fsync, file));
}

namespace weir::blobs_local {
namespace {

namespace fs = std::filesystem;
using ports::BlobFault;

class LocalBlobsTest : public testing::Test {
protected:
    LocalBlobsTest() {
        blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
    }

    int file_with(const std::string& bytes) {
        const auto path = root / "file";
        std::ofstream(path, std::ios::binary) << bytes;
        return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }
    fs::path stored_at(const Digest& digest) const { return root / "store/blobs" / digest.text().substr(0, 2) / digest.text().substr(2); }
    fs::path partial_at(const Digest& digest) const { return root / "store/partial" / (digest.text() + ".pidu-core"); }
    /// The disk gives other bytes than it was given.
    void rot(const Digest& digest, const std::string& bytes) {
        fs::create_directories(stored_at(digest).parent_path());
        if (fs::exists(stored_at(digest))) fs::permissions(stored_at(digest), fs::perms::owner_all);
        std::ofstream(stored_at(digest), std::ios::binary) << bytes;
    }
    static std::string content_of(const fs::path& path) {
        std::ostringstream read;
        read << std::ifstream(path, std::ios::binary).rdbuf();
        return read.str();
    }

    ports::Unhindered unhindered;
    const TestFolder made;
    const fs::path root = made.path();
    std::unique_ptr<LocalBlobs> blobs;
};

/// Ends with `how` after so many pieces.
struct CalledOff final : ports::Copying {
    CalledOff(int after, ports::Onward what) : pieces{after}, how{what} {}
    ports::Onward onward(std::int64_t) override { return pieces-- > 0 ? ports::Onward::go_on : how; }
    int pieces;
    ports::Onward how;
};

TEST_F(LocalBlobsTest, EveryNameOnTheWayToABlobIsSyncedBeforeItIsStored) {
    synced().clear();
    const auto digest = sha256("weights");
    ASSERT_TRUE(blobs->put_bytes(digest, "weights"));
    const auto at = stored_at(digest);
    for (const auto& folder : {at.parent_path(), at.parent_path().parent_path()}) {
        EXPECT_EQ(std::ranges::count(synced(), folder.string()), 1) << folder;
    }
    EXPECT_EQ(std::ranges::count(synced(), partial_at(digest).string()), 1) << "its bytes, under the name that they had then";
    EXPECT_EQ(synced().back(), at.parent_path().string()) << "its own name comes last";
}

TEST_F(LocalBlobsTest, GivesBackWhatWasPut) {
    const std::string bytes = "the weights";
    EXPECT_FALSE(fs::exists(stored_at(sha256(bytes))));
    const int file = file_with(bytes);
    ASSERT_TRUE(blobs->put(sha256(bytes), 11, file, unhindered));
    ASSERT_TRUE(blobs->put(sha256(bytes), 11, file, unhindered));
    ::close(file);
    EXPECT_TRUE(fs::exists(stored_at(sha256(bytes))));
    EXPECT_EQ(blobs->fetch_bytes(sha256(bytes), 11).value(), bytes);
    EXPECT_TRUE(fs::is_empty(root / "store/partial"));
}

TEST_F(LocalBlobsTest, TakesUpACopyThatBrokeOff) {
    const std::string bytes = "0123456789";
    std::ofstream(partial_at(sha256(bytes))) << "01234";
    // The first half can only come from the copy that is there: the file has other bytes in its place.
    const int file = file_with("xxxxx56789");
    ASSERT_TRUE(blobs->put(sha256(bytes), 10, file, unhindered));
    ::close(file);
    EXPECT_EQ(blobs->fetch_bytes(sha256(bytes), 10).value(), bytes);
}

TEST_F(LocalBlobsTest, HalfACopyThatRottedIsThrownAwayAndMadeAnew) {
    const std::string bytes = "0123456789";
    for (const std::string rotten : {"0?2", "??????????", "longer than it is"}) {
        std::ofstream(partial_at(sha256(bytes))) << rotten;
        ASSERT_TRUE(blobs->put_bytes(sha256(bytes), bytes)) << "the checkpoint itself holds";
        EXPECT_EQ(blobs->fetch_bytes(sha256(bytes), 10).value(), bytes);
        fs::remove(stored_at(sha256(bytes)));
    }
    std::ofstream(partial_at(sha256(bytes))) << "0?2";
    EXPECT_EQ(blobs->put_bytes(sha256(bytes), "0123456780").error().fault, BlobFault::damaged);
    EXPECT_FALSE(fs::exists(stored_at(sha256(bytes))));
    EXPECT_TRUE(fs::is_empty(root / "store/partial"));
}

TEST_F(LocalBlobsTest, RefusesBytesThatAreNotTheDigests) {
    EXPECT_EQ(blobs->put_bytes(sha256("a"), "b").error().fault, BlobFault::damaged);
    const int file = file_with("short");
    EXPECT_EQ(blobs->put(sha256("short"), 6, file, unhindered).error().fault, BlobFault::damaged);
    ::close(file);
    EXPECT_FALSE(fs::exists(stored_at(sha256("short"))));
}

TEST_F(LocalBlobsTest, HandsOnNothingThatRotted) {
    ASSERT_TRUE(blobs->put_bytes(sha256("good"), "good"));
    rot(sha256("good"), "bad!");
    EXPECT_EQ(blobs->fetch_bytes(sha256("good"), 100).error().fault, BlobFault::damaged);
    rot(sha256("good"), "bad!");
    const int into = ::open((root / "out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(blobs->fetch(sha256("good"), into, unhindered).error().fault, BlobFault::damaged);
    ::close(into);
    EXPECT_EQ(fs::file_size(root / "out"), 0U);
    EXPECT_EQ(blobs->fetch_bytes(sha256("never"), 100).error().fault, BlobFault::not_found);
    ASSERT_TRUE(blobs->put_bytes(sha256("good"), "good"));
    EXPECT_EQ(blobs->fetch_bytes(sha256("good"), 3).error().fault, BlobFault::damaged);
    EXPECT_TRUE(fs::exists(stored_at(sha256("good")))) << "it is sound: who asked wanted less of it";
}

TEST_F(LocalBlobsTest, WhatRottedIsSetAsideWhenItIsFetchedAndStoredAnew) {
    const auto digest = sha256("good");
    ASSERT_TRUE(blobs->put_bytes(digest, "good"));
    rot(digest, "bad!");
    const auto refused = blobs->fetch_bytes(digest, 100).error();
    const auto aside = root / "store/damaged" / digest.text();
    EXPECT_NE(refused.message.find("it is kept as " + aside.string()), std::string::npos) << refused.message;
    EXPECT_EQ(content_of(aside), "bad!");
    EXPECT_EQ(blobs->fetch_bytes(digest, 100).error().fault, BlobFault::not_found);
    ASSERT_TRUE(blobs->put_bytes(digest, "good"));
    EXPECT_EQ(blobs->fetch_bytes(digest, 100).value(), "good");
}

TEST_F(LocalBlobsTest, WhatRottedBeforeThisAgentBeganIsNotBelievedWhenItIsStoredAgain) {
    const auto digest = sha256("good");
    for (const std::string rotten : {"bad!", "go", "good and more", ""}) {
        ASSERT_TRUE(blobs->put_bytes(digest, "good"));
        rot(digest, rotten);
        blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
        const int file = file_with("good");
        ASSERT_TRUE(blobs->put(digest, 4, file, unhindered));
        ::close(file);
        EXPECT_EQ(blobs->fetch_bytes(digest, 100).value(), "good") << rotten;
    }
}

TEST_F(LocalBlobsTest, ABlobIsReadOnceInAnAgentsLifeBeforeItIsBelieved) {
    const auto digest = sha256("good");
    ASSERT_TRUE(blobs->put_bytes(digest, "good"));
    blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
    /// Counts what is read.
    struct Counted final : ports::Copying {
        std::int64_t bytes = 0;
        ports::Onward onward(std::int64_t more) override {
            bytes += more;
            return ports::Onward::go_on;
        }
    } counted;
    const int file = file_with("good");
    ASSERT_TRUE(blobs->put(digest, 4, file, counted));
    ASSERT_TRUE(blobs->put(digest, 4, file, counted));
    EXPECT_EQ(counted.bytes, 4);
    // The size is looked at each time.
    rot(digest, "goo");
    ASSERT_TRUE(blobs->put(digest, 4, file, counted));
    EXPECT_EQ(counted.bytes, 12) << "copied and read back";
    ::close(file);
}

TEST_F(LocalBlobsTest, NobodyElseOnTheHostReadsWhatIsStored) {
    const std::string bytes(std::size_t{2} << 20, 'w');
    const int file = file_with(bytes);
    CalledOff later{0, ports::Onward::later};
    EXPECT_FALSE(blobs->put(sha256(bytes), std::ssize(bytes), file, later));
    ::close(file);
    ASSERT_TRUE(blobs->put_bytes(sha256("weights"), "weights"));
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (entry.path() == root / "file") continue;
        const auto others = fs::perms::group_all | fs::perms::others_all;
        EXPECT_EQ(fs::status(entry).permissions() & others, fs::perms::none) << entry.path();
    }
}

TEST_F(LocalBlobsTest, WhatWasOpenToOthersIsNarrowedAndAFolderOfSomebodyElsesIsNamed) {
    for (const auto* folder : {"store", "store/blobs", "store/partial"}) fs::permissions(root / folder, fs::perms(0755));
    blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
    EXPECT_EQ(fs::status(root / "store").permissions(), fs::perms(0755)) << "tenants may have to pass through it";
    EXPECT_EQ(fs::status(root / "store/blobs").permissions(), fs::perms(0700));
    EXPECT_EQ(fs::status(root / "store/partial").permissions(), fs::perms(0700));
    EXPECT_TRUE(blobs->remarks().empty());
    fs::permissions(root / "store", fs::perms(0777));
    blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
    ASSERT_EQ(blobs->remarks().size(), 1U);
    EXPECT_NE(blobs->remarks()[0].find("has mode 0777"), std::string::npos) << blobs->remarks()[0];
}

TEST_F(LocalBlobsTest, ACopyThatIsCalledOffIsTakenUpOrLeavesNothing) {
    const std::string bytes(std::size_t{3} << 20, 'w');
    const int file = file_with(bytes);
    CalledOff later{1, ports::Onward::later};
    EXPECT_EQ(blobs->put(sha256(bytes), std::ssize(bytes), file, later).error().fault, BlobFault::unavailable);
    EXPECT_EQ(fs::file_size(partial_at(sha256(bytes))), std::size_t{2} << 20);
    CalledOff never{0, ports::Onward::never};
    EXPECT_EQ(blobs->put(sha256(bytes), std::ssize(bytes), file, never).error().fault, BlobFault::unavailable);
    EXPECT_TRUE(fs::is_empty(root / "store/partial"));
    EXPECT_FALSE(fs::exists(stored_at(sha256(bytes))));
    // While it is checked, too.
    CalledOff in_the_check{4, ports::Onward::never};
    EXPECT_FALSE(blobs->put(sha256(bytes), std::ssize(bytes), file, in_the_check));
    EXPECT_TRUE(fs::is_empty(root / "store/partial"));
    ASSERT_TRUE(blobs->put(sha256(bytes), std::ssize(bytes), file, unhindered));
    CalledOff reading{2, ports::Onward::never};
    EXPECT_EQ(blobs->fetch(sha256(bytes), file, reading).error().fault, BlobFault::unavailable);
    ::close(file);
}

TEST_F(LocalBlobsTest, TheSameBlobIsWrittenByOneThreadAtATime) {
    const std::string bytes(std::size_t{2} << 20, 'w');
    const int file = file_with(bytes);
    /// Asks for the same while the first copy is under way.
    struct Greedy final : ports::Copying {
        std::function<void()> meanwhile;
        ports::Onward onward(std::int64_t) override {
            meanwhile();
            return ports::Onward::go_on;
        }
    } greedy;
    int asked = 0;
    greedy.meanwhile = [&] {
        const auto second = blobs->put(sha256(bytes), std::ssize(bytes), file, unhindered);
        EXPECT_EQ(second.error().fault, BlobFault::unavailable);
        ++asked;
    };
    ASSERT_TRUE(blobs->put(sha256(bytes), std::ssize(bytes), file, greedy));
    EXPECT_EQ(asked, 4);
    ::close(file);
    EXPECT_TRUE(fs::exists(stored_at(sha256(bytes))));
}

TEST_F(LocalBlobsTest, LeavesTheLastOfItsDiskToOthers) {
    const auto free = fs::space(root).available;
    const auto room = static_cast<std::uint64_t>(blobs->room().value());
    EXPECT_LE(room, free);
    if (free < std::uint64_t{1} << 30U) EXPECT_EQ(room, 0U);
}

RC_GTEST_FIXTURE_PROP(LocalBlobsTest, AnyBytesComeBack, (const std::string& bytes)) {
    RC_ASSERT(blobs->put_bytes(sha256(bytes), bytes).has_value());
    RC_ASSERT(blobs->fetch_bytes(sha256(bytes), bytes.size()).value() == bytes);
    const auto path = root / "out";
    const int into = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    RC_ASSERT(blobs->fetch(sha256(bytes), into, unhindered).has_value());
    ::close(into);
    RC_ASSERT(content_of(path) == bytes);
}

}  // namespace
}  // namespace weir::blobs_local
