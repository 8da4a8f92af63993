// Goal: whatever a tenant left is removed in the end, by whom it may concern, and nothing beside it.
// Method: folders below a temporary root; a thread that is waited for by its own word.
#include "adapters/task_files/remover.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

namespace fs = std::filesystem;

class RemoverTest : public testing::Test {
protected:
    RemoverTest() {
        folder = Fd{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    }

    void open() { remover = Remover::open(folder.get()).value(); }
    void write(const fs::path& path) const { std::ofstream{root / path} << "text"; }

    const TestFolder made;
    const fs::path root = made.path();
    Fd folder;
    std::unique_ptr<Remover> remover;
};

TEST_F(RemoverTest, TakesAwayAtOnceAndRemovesBeside) {
    open();
    fs::create_directories(root / "task/work/a/b");
    for (int i = 0; i < 300; ++i) fs::create_directories(root / "task/work/a" / std::to_string(i));
    write("task/work/a/b/file");
    write("kept");
    fs::create_directory_symlink(root, root / "task/work/a/round");
    fs::permissions(root / "task/work/a/b", fs::perms::none);
    EXPECT_TRUE(remover->take(folder.get(), "task"));
    EXPECT_FALSE(fs::exists(root / "task"));
    EXPECT_TRUE(remover->take(folder.get(), "task")) << "what is not there is gone";
    remover->await_empty();
    EXPECT_TRUE(fs::is_empty(root / removed_folder));
    EXPECT_TRUE(fs::exists(root / "kept")) << "no link is followed";
}

TEST_F(RemoverTest, NoDepthIsTooDeep) {
    open();
    ASSERT_EQ(mkdirat(folder.get(), "deep", 0700), 0);
    Fd at = open_folder(folder.get(), "deep");
    for (int i = 0; i < 400; ++i) {
        ASSERT_EQ(mkdirat(at.get(), "d", 0700), 0);
        at = open_folder(at.get(), "d");
    }
    EXPECT_TRUE(remover->take(folder.get(), "deep"));
    remover->await_empty();
    EXPECT_TRUE(fs::is_empty(root / removed_folder));
}

TEST_F(RemoverTest, WhatAKilledAgentLeftGoesTooAndNoNameIsTakenTwice) {
    fs::create_directories(root / removed_folder / "7/below");
    write(fs::path{removed_folder} / "7/below/file");
    write(fs::path{removed_folder} / "stray");
    fs::create_directory(root / "task");
    open();
    EXPECT_TRUE(remover->take(folder.get(), "task"));
    remover->await_empty();
    EXPECT_TRUE(fs::is_empty(root / removed_folder));
}

TEST_F(RemoverTest, AnAgentThatEndsDoesNotWait) {
    fs::create_directory(root / "task");
    for (int i = 0; i < 600; ++i) fs::create_directory(root / "task" / std::to_string(i));
    open();
    EXPECT_TRUE(remover->take(folder.get(), "task"));
    remover.reset();
    open();
    remover->await_empty();
    EXPECT_TRUE(fs::is_empty(root / removed_folder));
}

}  // namespace
}  // namespace weir::task_files
