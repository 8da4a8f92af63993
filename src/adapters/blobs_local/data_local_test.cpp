// Goal: what a project uploads is there whole or not at all, an upload goes on where it broke off, and projects share nothing.
// Method: a real directory; a disk that is full is a limit of file sizes of this process, which fails a write in its middle.
#include "adapters/blobs_local/data_local.hpp"

#include "base/test_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

namespace weir::blobs_local {
namespace {

namespace fs = std::filesystem;
using ports::BlobFault;
using ports::SizedDigest;
using testing::HasSubstr;
using testing::IsEmpty;

class LocalDataTest : public testing::Test {
protected:
    std::shared_ptr<ports::DataStore> store(const std::string& project = "vision") { return stores->of(ProjectName{project}).value(); }
    static SizedDigest sized(const std::string& bytes) { return {sha256(bytes), static_cast<std::int64_t>(bytes.size())}; }
    static std::vector<SmallBlob> many(int count) {
        std::vector<SmallBlob> blobs;
        for (int i = 0; i < count; ++i) blobs.push_back({sha256("file " + std::to_string(i)), "file " + std::to_string(i)});
        return blobs;
    }
    std::string read(ports::DataStore& from, const std::string& bytes) {
        auto got = from.fetch_bytes(sha256(bytes), 1 << 20);
        return got ? *got : got.error().message;
    }

    TestFolder folder;
    fs::path root = folder.path();
    std::unique_ptr<LocalDataStores> stores = LocalDataStores::open(root / "store", "network").value();
};

TEST_F(LocalDataTest, ManySmallBlobsAreStoredAtOnceAndAgainWithoutHarm) {
    const auto blobs = many(300);
    std::vector<SizedDigest> wanted;
    for (const auto& blob : blobs) wanted.push_back(sized(blob.bytes));
    EXPECT_EQ(store()->lacking(wanted).value(), wanted);
    ASSERT_TRUE(store()->put_all(blobs));
    ASSERT_TRUE(store()->put_all(blobs));
    EXPECT_THAT(store()->lacking(wanted).value(), IsEmpty());
    EXPECT_EQ(read(*store(), "file 299"), "file 299");
    EXPECT_EQ(store()->list().value().size(), 300U);
    EXPECT_TRUE(fs::is_empty(root / "store/projects/vision/partial"));
}

TEST_F(LocalDataTest, ProjectsShareNothing) {
    const auto blobs = many(1);
    ASSERT_TRUE(store("vision")->put_all(blobs));
    const std::vector wanted{sized("file 0")};
    EXPECT_EQ(store("speech")->lacking(wanted).value(), wanted) << "who knows a digest does not have the file";
    EXPECT_EQ(store("speech")->fetch_bytes(wanted[0].digest, 100).error().fault, BlobFault::not_found);
    EXPECT_EQ(stores->projects().value(), (std::vector{ProjectName{"speech"}, ProjectName{"vision"}}));
}

TEST_F(LocalDataTest, ABlobOfAnotherContentIsRefusedAndNothingOfTheLotIsNamed) {
    auto blobs = many(2);
    blobs[1].bytes = "another";
    EXPECT_EQ(store()->put_all(blobs).error().fault, BlobFault::damaged);
    EXPECT_THAT(store()->list().value(), IsEmpty());
}

// At every place where an upload may be cut, the next piece goes on there, and a store that was opened anew knows where that is.
TEST_F(LocalDataTest, AnUploadInPiecesGoesOnWhereItBrokeOff) {
    std::string bytes(10'000, 'x');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + i % 23);
    const auto blob = sized(bytes);
    for (std::size_t at = 0; at < bytes.size();) {
        stores = LocalDataStores::open(root / "store", "network").value();
        EXPECT_EQ(store()->uploaded(blob).value(), static_cast<std::int64_t>(at));
        const auto wrong = store()->append(blob, static_cast<std::int64_t>(at) + 1, "y");
        ASSERT_FALSE(wrong);
        EXPECT_THAT(wrong.error().message, HasSubstr(std::to_string(at) + " of 10000 are here"));
        const auto piece = bytes.substr(at, 999);
        EXPECT_EQ(store()->append(blob, static_cast<std::int64_t>(at), piece).value(), static_cast<std::int64_t>(at + piece.size()));
        at += piece.size();
    }
    EXPECT_EQ(store()->uploaded(blob).value(), 10'000);
    EXPECT_EQ(read(*store(), bytes), bytes);
    EXPECT_EQ(store()->append(blob, 0, "anything").value(), 10'000) << "what is stored is not sent again";
}

TEST_F(LocalDataTest, AnUploadThatMakesAnotherDigestBeginsAnew) {
    const auto blob = sized("right");
    EXPECT_EQ(store()->append(blob, 0, "wrong").error().fault, BlobFault::damaged);
    EXPECT_EQ(store()->uploaded(blob).value(), 0);
    EXPECT_EQ(store()->append(blob, 0, "right").value(), 5);
}

/// While it lives no file of this process may grow beyond so many bytes: a write ends in the middle, as on a full disk.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) : before_{std::signal(SIGXFSZ, SIG_IGN)} {
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const rlimit tight{bytes, old_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &tight);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &old_);
        std::signal(SIGXFSZ, before_);
    }

private:
    rlimit old_{};
    void (*before_)(int);
};

TEST_F(LocalDataTest, ADiskThatIsFullInTheMiddleLosesNothing) {
    const auto there = many(3);
    ASSERT_TRUE(store()->put_all(there));
    const std::string bytes(100'000, 'z');
    const auto blob = sized(bytes);
    {
        const FullDisk full{64 << 10};
        const auto cut = store()->append(blob, 0, bytes);
        ASSERT_FALSE(cut);
        EXPECT_EQ(cut.error().fault, BlobFault::unavailable);
        EXPECT_THAT(cut.error().message, HasSubstr("File too large"));
        const std::vector<SmallBlob> small{{blob.digest, bytes}};
        EXPECT_FALSE(store()->put_all(small));
    }
    EXPECT_EQ(store()->list().value().size(), 3U);
    EXPECT_EQ(read(*store(), "file 2"), "file 2");
    const auto have = store()->uploaded(blob).value();
    EXPECT_EQ(have, 64 << 10) << "what was written is not sent again";
    EXPECT_EQ(store()->append(blob, have, bytes.substr(static_cast<std::size_t>(have))).value(), 100'000);
    EXPECT_EQ(read(*store(), bytes), bytes);
}

TEST_F(LocalDataTest, WhatIsRemovedIsGoneAndCanComeAgain) {
    const auto blobs = many(3);
    ASSERT_TRUE(store()->put_all(blobs));
    const std::vector gone{blobs[0].digest, blobs[1].digest, sha256("never there")};
    const auto removed = store()->remove(gone).value();
    EXPECT_EQ(removed.files, 2);
    EXPECT_EQ(removed.bytes, 12);
    EXPECT_EQ(store()->open(blobs[0].digest).error().fault, BlobFault::not_found);
    ASSERT_TRUE(store()->put_all(blobs));
    EXPECT_EQ(read(*store(), "file 0"), "file 0");
}

TEST_F(LocalDataTest, UploadsThatNobodyGoesOnWithGo) {
    const auto blob = sized("right");
    ASSERT_TRUE(store()->append(blob, 0, "ri"));
    EXPECT_EQ(store()->remove_uploads(0).value().files, 0);
    EXPECT_EQ(store()->remove_uploads(INT64_MAX).value().files, 1);
    EXPECT_EQ(store()->uploaded(blob).value(), 0);
}

TEST_F(LocalDataTest, ABlobOfAnotherSizeIsLackingAndAnUploadMendsIt) {
    const auto blob = sized("right");
    ASSERT_TRUE(store()->append(blob, 0, "right"));
    const auto path = root / "store/projects/vision/blobs" / blob.digest.text().substr(0, 2) / blob.digest.text().substr(2);
    fs::permissions(path, fs::perms::owner_all);
    std::ofstream{path} << "rotten!";
    const std::vector wanted{blob};
    EXPECT_EQ(store()->lacking(wanted).value(), wanted);
    EXPECT_EQ(store()->append(blob, 0, "right").value(), 5);
    EXPECT_EQ(read(*store(), "right"), "right");
}

}  // namespace
}  // namespace weir::blobs_local
