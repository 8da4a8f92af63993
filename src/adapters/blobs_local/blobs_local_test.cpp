// Goal: a blob is there whole or not at all, and nobody is ever handed other bytes than those of its digest.
// Method: a real directory; what a crash would leave behind is put there by hand.
#include "adapters/blobs_local/blobs_local.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
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
        std::string pattern = (fs::temp_directory_path() / "weir-blobs-XXXXXX").string();
        root = ::mkdtemp(pattern.data());
        blobs = std::move(LocalBlobs::open(root / "store", "pidu-core").value());
    }
    ~LocalBlobsTest() override { fs::remove_all(root); }

    int file_with(const std::string& bytes) {
        const auto path = root / "file";
        std::ofstream(path, std::ios::binary) << bytes;
        return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }
    fs::path stored_at(const Digest& digest) const { return root / "store/blobs" / digest.text().substr(0, 2) / digest.text().substr(2); }
    fs::path partial_at(const Digest& digest) const { return root / "store/partial" / (digest.text() + ".pidu-core"); }
    void overwrite(const fs::path& path, const std::string& bytes) {
        fs::permissions(path, fs::perms::owner_all);
        std::ofstream(path, std::ios::binary) << bytes;
    }

    ports::Unhindered unhindered;
    fs::path root;
    std::unique_ptr<LocalBlobs> blobs;
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
    EXPECT_FALSE(blobs->has(sha256(bytes)).value());
    const int file = file_with(bytes);
    ASSERT_TRUE(blobs->put(sha256(bytes), 11, file, unhindered));
    ASSERT_TRUE(blobs->put(sha256(bytes), 11, file, unhindered));
    ::close(file);
    EXPECT_TRUE(blobs->has(sha256(bytes)).value());
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

TEST_F(LocalBlobsTest, ADamagedCopyIsThrownAwayAndMadeAnew) {
    const std::string bytes = "0123456789";
    std::ofstream(partial_at(sha256(bytes))) << "0?2";
    EXPECT_EQ(blobs->put_bytes(sha256(bytes), bytes).error().fault, BlobFault::damaged);
    EXPECT_FALSE(blobs->has(sha256(bytes)).value());
    ASSERT_TRUE(blobs->put_bytes(sha256(bytes), bytes));
    EXPECT_TRUE(blobs->has(sha256(bytes)).value());
}

TEST_F(LocalBlobsTest, RefusesBytesThatAreNotTheDigests) {
    EXPECT_EQ(blobs->put_bytes(sha256("a"), "b").error().fault, BlobFault::damaged);
    const int file = file_with("short");
    EXPECT_EQ(blobs->put(sha256("short"), 6, file, unhindered).error().fault, BlobFault::damaged);
    ::close(file);
    EXPECT_FALSE(blobs->has(sha256("short")).value());
}

TEST_F(LocalBlobsTest, HandsOnNothingThatRotted) {
    ASSERT_TRUE(blobs->put_bytes(sha256("good"), "good"));
    overwrite(stored_at(sha256("good")), "bad!");
    EXPECT_EQ(blobs->fetch_bytes(sha256("good"), 100).error().fault, BlobFault::damaged);
    const int into = ::open((root / "out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(blobs->fetch(sha256("good"), into, unhindered).error().fault, BlobFault::damaged);
    ::close(into);
    EXPECT_EQ(fs::file_size(root / "out"), 0U);
    EXPECT_EQ(blobs->fetch_bytes(sha256("never"), 100).error().fault, BlobFault::not_found);
    EXPECT_EQ(blobs->fetch_bytes(sha256("good"), 3).error().fault, BlobFault::damaged);
}

/// Ends with `how` after so many pieces.
struct CalledOff final : ports::Copying {
    CalledOff(int after, ports::Onward what) : pieces{after}, how{what} {}
    ports::Onward onward(std::int64_t) override { return pieces-- > 0 ? ports::Onward::go_on : how; }
    int pieces;
    ports::Onward how;
};

TEST_F(LocalBlobsTest, ACopyThatIsCalledOffIsTakenUpOrLeavesNothing) {
    const std::string bytes(std::size_t{3} << 20, 'w');
    const int file = file_with(bytes);
    CalledOff later{1, ports::Onward::later};
    EXPECT_EQ(blobs->put(sha256(bytes), std::ssize(bytes), file, later).error().fault, BlobFault::unavailable);
    EXPECT_EQ(fs::file_size(partial_at(sha256(bytes))), std::size_t{2} << 20);
    CalledOff never{0, ports::Onward::never};
    EXPECT_EQ(blobs->put(sha256(bytes), std::ssize(bytes), file, never).error().fault, BlobFault::unavailable);
    EXPECT_TRUE(fs::is_empty(root / "store/partial"));
    EXPECT_FALSE(blobs->has(sha256(bytes)).value());
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
    EXPECT_TRUE(blobs->has(sha256(bytes)).value());
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
    std::ostringstream read;
    read << std::ifstream(path, std::ios::binary).rdbuf();
    RC_ASSERT(read.str() == bytes);
}

}  // namespace
}  // namespace weir::blobs_local
