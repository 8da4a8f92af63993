// Goal: of what a tenant leaves in his folder of outputs that is taken which can be kept, whole, and read once.
// Method: a real folder with what tenants do to it; the time of a look is given.
#include "adapters/task_files/outputs.hpp"

#include "base/test_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>

namespace weir::task_files {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OutputsTest : public testing::Test {
protected:
    void write(const std::string& path, std::string_view bytes) {
        fs::create_directories((root / path).parent_path());
        std::ofstream{root / path, std::ios::binary} << bytes;
    }
    /// A look `later_s` seconds after a file was changed last.
    ports::Outputs look(ports::OutputLook how = {.bytes_max = 1 << 20}, std::int64_t later_s = 60) {
        const Fd opened{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        ports::Unhindered unhindered;
        auto found = collect_outputs(opened.get(), how, (::time(nullptr) + later_s) * 1'000'000'000, unhindered);
        EXPECT_TRUE(found) << (found ? "" : found.error().message);
        return found ? *std::move(found) : ports::Outputs{};
    }
    static std::vector<std::string> paths(const ports::Outputs& outputs) {
        std::vector<std::string> all;
        for (const auto& entry : outputs.tree.entries) all.push_back(entry.path);
        return all;
    }

    TestFolder made;
    fs::path root = made.path();
};

TEST_F(OutputsTest, FilesAndLinksThatStayAreTakenAndTheRestIsNamed) {
    write("model/weights", "weights");
    write("run.sh", "exit");
    fs::permissions(root / "run.sh", fs::perms::owner_all);
    write(".tmp-half/model", "half");
    write("model/.tmp-1", "half");
    write(".weir-setup", "ours");
    fs::create_symlink("model", root / "latest");
    fs::create_symlink("/etc/passwd", root / "out");
    ::mkfifo((root / "pipe").c_str(), 0600);
    write("caf\xe9", "no UTF-8");
    const auto found = look();
    EXPECT_THAT(paths(found), ElementsAre("latest", "model/weights", "run.sh"));
    EXPECT_EQ(find(found.tree, "run.sh")->kind, EntryKind::executable);
    EXPECT_EQ(find(found.tree, "latest")->target, "model");
    EXPECT_EQ(find(found.tree, "model/weights")->digest, sha256("weights"));
    ASSERT_EQ(found.left_out.size(), 3U);
    EXPECT_THAT(found.left_out[0], HasSubstr("caf\\xe9: "));
    EXPECT_THAT(found.left_out[1], HasSubstr("out: the link "));
    EXPECT_THAT(found.left_out[2], HasSubstr("pipe: it is no plain file"));
    EXPECT_THAT(paths(ports::Outputs{}), IsEmpty());
}

TEST_F(OutputsTest, WhatIsWrittenJustNowIsToldAsItWas) {
    write("log", "one");
    write("model", "model");
    ports::OutputLook how{.bytes_max = 1 << 20, .settled_s = 3};
    EXPECT_THAT(paths(look(how, 0)), IsEmpty()) << "nothing has settled";
    const auto first = look(how, 10);
    EXPECT_THAT(paths(first), ElementsAre("log", "model"));
    write("log", "one two");
    write("new", "new");
    how.known = &first.known;
    const auto second = look(how, 0);
    EXPECT_THAT(paths(second), ElementsAre("log", "model"));
    EXPECT_EQ(find(second.tree, "log")->digest, sha256("one"));
    fs::remove(root / "model");
    how.known = &second.known;
    const auto third = look(how, 10);
    EXPECT_THAT(paths(third), ElementsAre("log", "new"));
    EXPECT_EQ(find(third.tree, "log")->digest, sha256("one two"));
    how.settled_s.reset();
    EXPECT_EQ(look(how, 0).tree, third.tree) << "at the end all counts";
}

TEST_F(OutputsTest, WhatDidNotChangeIsNotReadAgain) {
    write("model", "model");
    auto known = look().known;
    // Were it read again, this would be found to be wrong.
    known.at("model").digest = sha256("as it was remembered");
    const ports::OutputLook how{.bytes_max = 1 << 20, .settled_s = 3, .known = &known};
    EXPECT_EQ(find(look(how).tree, "model")->digest, sha256("as it was remembered"));
    write("model", "other");
    EXPECT_EQ(find(look(how).tree, "model")->digest, sha256("other"));
}

TEST_F(OutputsTest, WhatIsTooMuchIsNotReadAtAll) {
    write("a", std::string(600, 'a'));
    write("b", std::string(600, 'b'));
    const auto found = look({.bytes_max = 1199});
    EXPECT_EQ(found.fault, OutputFault::over_quota);
    EXPECT_EQ(found.bytes, 1200);
    EXPECT_TRUE(found.tree.entries.empty());
    EXPECT_FALSE(look({.bytes_max = 1200}).fault);
}

TEST_F(OutputsTest, FoldersThatLieTooDeepAreLeftOut) {
    std::string path = "d";
    for (int i = 0; i < 99; ++i) path += "/d";
    write(path + "/deep", "deep");
    write("here", "here");
    const auto found = look();
    EXPECT_THAT(paths(found), ElementsAre("here"));
    EXPECT_FALSE(found.left_out.empty());
}

}  // namespace
}  // namespace weir::task_files
