// Goal: what is sent of a folder is what git would have in it, and a file that did not change is not read.
// Method: folders on the disk; git itself, where it is installed, is asked about the same patterns and paths.
#include "apps/client/ignore_rules.hpp"
#include "apps/client/pack.hpp"
#include "base/random.hpp"
#include "base/test_folder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(IgnoreRules, PatternsMatchAsGitSays) {
    const std::vector<std::tuple<std::string, std::string, bool>> table{
        {"*.o", "a.o", true},       {"*.o", "a.oo", false},      {"a?c", "abc", true},        {"a?c", "a/c", false},
        {"[a-c]x", "bx", true},     {"[!a-c]x", "bx", false},    {"[!a-c]x", "dx", true},     {"**/x", "x", true},
        {"**/x", "a/b/x", true},    {"a/**", "a/b/c", true},     {"a/**", "a", false},        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},{"a**b", "axb", true},       {"a**b", "a/b", false},      {"\\*", "*", true},
        {"\\*", "x", false},        {"[]]x", "]x", true},        {"*", "a/b", false},         {"a[", "a[", false},
    };
    for (const auto& [pattern, text, wanted] : table) EXPECT_EQ(matches(pattern, text), wanted) << pattern << " of " << text;
}

TEST(IgnoreRules, LaterAndDeeperLinesDecide) {
    IgnoreRules rules;
    rules.add("", "# a comment\n*.log\n!keep.log\n/top\nbuild/\nspaced\\ \n\\#hash\n\\!bang\ndoc/*.txt\r\n");
    rules.add("sub", "!*.log\n/top\n");
    const auto out = [&](const char* path, bool folder = false) { return rules.is_left_out(path, folder); };
    EXPECT_TRUE(out("a.log"));
    EXPECT_FALSE(out("keep.log"));
    EXPECT_FALSE(out("sub/a.log"));
    EXPECT_TRUE(out("other/a.log"));
    EXPECT_TRUE(out("top"));
    EXPECT_TRUE(out("sub/top"));
    EXPECT_FALSE(out("other/top"));
    EXPECT_TRUE(out("x/build", true));
    EXPECT_FALSE(out("x/build", false));
    EXPECT_TRUE(out("spaced "));
    EXPECT_TRUE(out("#hash"));
    EXPECT_TRUE(out("!bang"));
    EXPECT_TRUE(out("doc/a.txt"));
    EXPECT_FALSE(out("doc/b/a.txt"));
    EXPECT_TRUE(out(".git", true));
}

class PackTest : public testing::Test {
protected:
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root / path).parent_path());
        std::ofstream{root / path, std::ios::binary} << text;
    }
    std::vector<std::string> paths() {
        const auto packed = pack(root, {});
        EXPECT_TRUE(packed) << packed.error().message;
        std::vector<std::string> found;
        if (packed) {
            for (const auto& entry : packed->tree.entries) found.push_back(entry.path);
        }
        return found;
    }
    std::string refused() {
        const auto packed = pack(root, {});
        return packed ? "packed" : packed.error().message;
    }
    /// As of long ago: its digest may be remembered.
    void age(const std::string& path, std::int64_t s) {
        const timespec then[2] = {{1'700'000'000 + s, 0}, {1'700'000'000 + s, 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (root / path).c_str(), then, 0), 0);
    }

    TestFolder folder;
    fs::path root = folder.path() / "code";
};

// The same random rules and paths are shown to git. Names are few and short, so that rules hit.
TEST_F(PackTest, LeavesOutWhatGitLeavesOut) {
    if (std::system("git --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "git is not installed";
    Random random{7, "ignore rules"};
    const std::array<std::string, 6> names{"a", "b", "a.o", "b.txt", "build", "x y"};
    const std::array<std::string, 14> rules{"*.o", "!a.o", "/a", "build/", "a/b",   "**/b",   "a/**", "!build/a",
                                            "*",   "!*/",  "b*", "[ab]",   "x\\ y", "/**/a/b"};
    for (int round = 0; round < 25; ++round) {
        fs::remove_all(root);
        fs::create_directories(root);
        const auto any = [&](const auto& from) { return from[static_cast<std::size_t>(random.between(0, std::ssize(from) - 1))]; };
        for (int i = 0; i < 25; ++i) {
            std::string path = any(names);
            for (auto depth = random.between(0, 2); depth > 0; --depth) path += "/" + any(names);
            std::error_code error;
            fs::create_directories((root / path).parent_path(), error);
            if (!error && !fs::exists(root / path)) std::ofstream{root / path} << path;
        }
        for (const std::string where : {"", "a/", "build/"}) {
            if (!fs::is_directory(root / where)) continue;
            std::ofstream file{root / (where + ".gitignore")};
            for (auto lines = random.between(1, 4); lines > 0; --lines) file << any(rules) << "\n";
        }
        const auto command = fmt::format(
            "cd '{}' && git -c init.defaultBranch=m init -q . 2>/dev/null && git -c core.excludesFile=/dev/null ls-files -z -o "
            "--exclude-per-directory=.gitignore",
            root.string());
        const std::unique_ptr<FILE, int (*)(FILE*)> git{::popen(command.c_str(), "r"), ::pclose};
        std::set<std::string> wanted;
        std::string name;
        for (int c = std::fgetc(git.get()); c != EOF; c = std::fgetc(git.get())) {
            if (c != 0) {
                name += static_cast<char>(c);
            } else {
                wanted.insert(std::exchange(name, {}));
            }
        }
        const auto have = paths();
        std::string told;
        for (const auto& entry : fs::recursive_directory_iterator{root}) {
            if (entry.path().filename() == ".gitignore")
                told += entry.path().string() + ":\n" + (std::stringstream{} << std::ifstream{entry.path()}.rdbuf()).str();
        }
        EXPECT_EQ(std::set<std::string>(have.begin(), have.end()), wanted) << told;
    }
}

TEST_F(PackTest, WeirignoreComesAfterGitignore) {
    write(".gitignore", "*.csv\n");
    write(".weirignore", "!small.csv\nnotes/\n");
    write("small.csv", "1");
    write("large.csv", "2");
    write("notes/a", "3");
    write("train.py", "4");
    EXPECT_THAT(paths(), ElementsAre(".gitignore", ".weirignore", "small.csv", "train.py"));
}

TEST_F(PackTest, KeepsLinksThatStayAndModesThatMatter) {
    write("lib/a", "1");
    write("run.sh", "2");
    fs::permissions(root / "run.sh", fs::perms::owner_all);
    fs::create_symlink("../run.sh", root / "lib/run");
    const auto packed = pack(root, {}).value();
    EXPECT_EQ(find(packed.tree, "lib/run")->target, "../run.sh");
    EXPECT_EQ(find(packed.tree, "run.sh")->kind, EntryKind::executable);
    EXPECT_EQ(find(packed.tree, "lib/a")->kind, EntryKind::file);
    fs::create_symlink("/etc/passwd", root / "lib/out");
    EXPECT_THAT(refused(), HasSubstr("'lib/out' is a link to '/etc/passwd', outside of the folder"));
}

TEST_F(PackTest, WhatCannotBeSentIsNamed) {
    write("a", "1");
    ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
    EXPECT_THAT(refused(), HasSubstr("'pipe' is a FIFO, which cannot be sent"));
    write(".weirignore", "pipe\n");
    EXPECT_EQ(refused(), "packed");
    write("caf\xe9", "2");
    EXPECT_THAT(refused(), HasSubstr("'caf\\xe9' is not UTF-8"));
    EXPECT_THAT(pack(root / "nowhere", {}).error().message, HasSubstr("is no folder here"));
}

TEST_F(PackTest, TwoNamesThatDifferInCaseAloneAreWarnedOf) {
    write("Readme", "1");
    write("README", "2");
    EXPECT_THAT(pack(root, {}).value().warnings, ElementsAre(HasSubstr("'README' and 'Readme' differ in case alone")));
}

TEST_F(PackTest, ReadsOnlyWhatChanged) {
    const auto memory = folder.file("memory");
    for (int i = 0; i < 20; ++i) {
        write(fmt::format("f{}", i), fmt::format("text {}", i));
        age(fmt::format("f{}", i), i);
    }
    const auto first = pack(root, memory).value();
    EXPECT_EQ(first.files_read, 20);
    // A file's change time cannot be set back: what changed just now is read once more, whatever its other times say.
    EXPECT_EQ(pack(root, memory).value().tree, first.tree);
    write("f3", "other 3");
    age("f3", 3);
    const auto second = pack(root, memory).value();
    EXPECT_GE(second.files_read, 1);
    EXPECT_EQ(find(second.tree, "f3")->digest, sha256("other 3")) << "of the same size and times, but not the same";
    std::ofstream{memory} << "weir-digests 1 broken\nbroken\n";
    EXPECT_EQ(pack(root, memory).value().tree, second.tree);
}

}  // namespace
}  // namespace weir::cli
