// Goal: a task gets exactly the tree that was ordered, what was there before is not fetched again, and what rots is.
// Method: a real folder; the network's store is a map that counts what is asked of it.
#include "adapters/task_files/site_cache.hpp"

#include "base/test_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SiteCacheTest : public testing::Test {
protected:
    SiteCacheTest() { fs::create_directories(root / "task"); }

    TreeEntry file(const std::string& path, const std::string& bytes, EntryKind kind = EntryKind::file) {
        store[sha256(bytes)] = bytes;
        return {path, kind, static_cast<std::int64_t>(bytes.size()), sha256(bytes), {}};
    }
    BackendResult<void> install(const Tree& tree, const std::string& name = "tree", bool links = true) {
        const Fd task{::open((root / "task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        const ports::FetchFile fetch = [this](const ports::ManifestEntry& entry, int into) -> BackendResult<void> {
            ++fetched;
            const auto& bytes = store.at(entry.sha256);
            if (::write(into, bytes.data(), bytes.size()) != std::ssize(bytes)) return refuse(BackendFault::unavailable, "no room");
            return {};
        };
        return cache.install(task.get(), name, "vision", tree, links, fetch, copying);
    }
    std::string read(const fs::path& path) { return (std::stringstream{} << std::ifstream{root / "task" / path}.rdbuf()).str(); }
    mode_t mode(const fs::path& path) {
        struct stat facts{};
        EXPECT_EQ(::stat((root / "task" / path).c_str(), &facts), 0);
        return facts.st_mode & 07777U;
    }

    TestFolder folder;
    fs::path root = folder.path();
    Fd opened{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    SiteCache cache{opened.get(), 1'000};
    std::map<Digest, std::string> store;
    ports::Unhindered copying;
    int fetched = 0;
};

TEST_F(SiteCacheTest, GivesWhatWasOrderedAndFetchesEachFileOnce) {
    const auto tree = make_tree({file("a", "one"), file("b/c", "two"), file("b/run", "one", EntryKind::executable),
                                 {"b/link", EntryKind::link, 0, {}, "../a"}}).value();
    ASSERT_TRUE(install(tree));
    EXPECT_EQ(read("tree/a"), "one");
    EXPECT_EQ(read("tree/b/link"), "one");
    EXPECT_EQ(mode("tree/a"), 0444U);
    EXPECT_EQ(mode("tree/b/run"), 0555U);
    EXPECT_EQ(fetched, 3) << "a file that may be executed is another than one that may not";
    ASSERT_TRUE(install(tree));
    ASSERT_TRUE(install(tree, "other"));
    EXPECT_EQ(fetched, 3);
    EXPECT_EQ(fs::hard_link_count(root / "task/tree/b/c"), 3U);
    ASSERT_TRUE(install(tree, "copied", false));
    EXPECT_EQ(fs::hard_link_count(root / "task/copied/b/c"), 1U) << "who could change it gets a copy";
    EXPECT_EQ(read("copied/b/c"), "two");
}

TEST_F(SiteCacheTest, OtherBytesThanTheirDigestAreNotGiven) {
    const auto tree = make_tree({file("a", "one")}).value();
    store[sha256("one")] = "two";
    const auto done = install(tree);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, BackendFault::bad_checkpoint);
    EXPECT_FALSE(fs::exists(root / "task/tree"));
    EXPECT_FALSE(cache.has("vision", sha256("one")));
    store[sha256("one")] = "one";
    EXPECT_TRUE(install(tree)) << "what was begun before is in nobody's way";
}

TEST_F(SiteCacheTest, WhatRottedSinceTheLastLifeIsFetchedAnew) {
    const auto tree = make_tree({file("a", "one")}).value();
    ASSERT_TRUE(install(tree));
    const auto digest = sha256("one").text();
    const auto kept = root / "cache/vision" / digest.substr(0, 2) / digest.substr(2);
    fs::remove_all(root / "task/tree");
    fs::permissions(kept, fs::perms::owner_all);
    std::ofstream{kept} << "two";
    SiteCache next{opened.get(), 1'000};
    const Fd task{::open((root / "task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const ports::FetchFile fetch = [](const ports::ManifestEntry&, int into) -> BackendResult<void> {
        if (::write(into, "one", 3) != 3) return refuse(BackendFault::unavailable, "no room");
        return {};
    };
    ASSERT_TRUE(next.install(task.get(), "tree", "vision", tree, true, fetch, copying));
    EXPECT_EQ(read("tree/a"), "one");
}

TEST_F(SiteCacheTest, BeyondItsSizeItLosesWhatWasUsedLongestAgo) {
    const auto age = [&](const std::string& bytes, std::int64_t s) {
        const auto digest = sha256(bytes).text();
        const auto path = root / "cache/vision" / digest.substr(0, 2) / digest.substr(2);
        const timespec then[2] = {{s, 0}, {0, UTIME_OMIT}};
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), then, 0), 0);
    };
    const std::string one(600, '1');
    const std::string two(300, '2');
    const std::string three(300, '3');
    ASSERT_TRUE(install(make_tree({file("a", one), file("b", two), file("c", three)}).value()));
    age(one, 30);
    age(two, 10);
    age(three, 20);
    cache.trim();
    EXPECT_TRUE(cache.has("vision", sha256(one)));
    EXPECT_FALSE(cache.has("vision", sha256(two)));
    EXPECT_TRUE(cache.has("vision", sha256(three)));
    EXPECT_EQ(read("tree/b"), two) << "who has it keeps it";
}

TEST_F(SiteCacheTest, ACopyThatIsCalledOffLeavesNoFolder) {
    class Never final : public ports::Copying {
        ports::Onward onward(std::int64_t) override { return ports::Onward::never; }
    } never;
    const Fd task{::open((root / "task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const ports::FetchFile fetch = [](const ports::ManifestEntry&, int into) -> BackendResult<void> {
        if (::write(into, "one", 3) != 3) return refuse(BackendFault::unavailable, "no room");
        return {};
    };
    const auto done = cache.install(task.get(), "tree", "vision", make_tree({file("a", "one")}).value(), true, fetch, never);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, BackendFault::unavailable);
    EXPECT_FALSE(fs::exists(root / "task/tree"));
}

}  // namespace
}  // namespace weir::task_files
