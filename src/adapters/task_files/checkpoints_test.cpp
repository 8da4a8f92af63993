// Goal: a checkpoint is believed only if every byte of it is what its manifest says, and nothing outside it is ever read.
// Method: checkpoints as a task would write them, good and with one thing wrong each.
#include "adapters/task_files/checkpoints.hpp"

#include "adapters/task_files/manifest.hpp"
#include "base/test_folder.hpp"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

namespace fs = std::filesystem;

class Checkpoints : public ::testing::Test {
protected:
    Checkpoints() {
        for (const char* const folder : {"checkpoints", "manifests", "resume"}) fs::create_directory(root_ / folder);
        published_ = open("checkpoints");
        manifests_ = open("manifests");
        resume_ = open("resume");
    }

    Fd open(const std::string& name) const { return Fd{::open((root_ / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}; }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path, std::ios::binary) << text;
    }
    [[nodiscard]] static std::string line(const std::string& text, const std::string& path) {
        return std::to_string(text.size()) + " " + sha256(text).text() + " " + path + "\n";
    }
    /// A sound checkpoint of two files with its manifest.
    void publish(const std::string& name) const {
        write("checkpoints/" + name + "/weights", "heavy");
        write("checkpoints/" + name + "/optimizer/state one", "light");
        write("checkpoints/" + name + "/MANIFEST", line("heavy", "weights") + line("light", "optimizer/state one"));
    }
    [[nodiscard]] BackendResult<ports::Checkpoint> inspect(const std::string& name) const {
        return inspect_checkpoint(published_.get(), manifests_.get(), name, unhindered);
    }
    /// Fetches from the published one.
    [[nodiscard]] ports::FetchFile copy_of(const std::string& name) const {
        return [this, name](const ports::ManifestEntry& entry, int to) -> BackendResult<void> {
            const auto from = WEIR_TRY(open_checkpoint_file(published_.get(), name, entry.path));
            char room[4096];
            for (ssize_t got = 0; (got = read(from.get(), room, sizeof room)) > 0;) {
                if (!supervisor::write_all(to, {room, static_cast<std::size_t>(got)})) return fail(cannot("copy", entry.path, errno));
            }
            return {};
        };
    }

    mutable ports::Unhindered unhindered;
    const TestFolder made_;
    const fs::path root_ = made_.path();
    Fd published_;
    Fd manifests_;
    Fd resume_;
};

TEST_F(Checkpoints, ASoundOneIsTakenWithAllItsFiles) {
    publish("step-1");
    const auto found = inspect("step-1");
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_TRUE(found->sealed_by_task);
    EXPECT_EQ(found->bytes, 10);
    ASSERT_EQ(found->files.size(), 2U);
    EXPECT_EQ(found->files[0].path, "optimizer/state one");
    EXPECT_EQ(found->digest, sha256(line("light", "optimizer/state one") + line("heavy", "weights")));
}

TEST_F(Checkpoints, OnlyPublishedOnesAreListedOldestFirst) {
    const auto made = [&](const std::string& name) {
        struct statx facts{};
        EXPECT_EQ(::statx(AT_FDCWD, (root_ / "checkpoints" / name).c_str(), 0, STATX_BTIME, &facts), 0);
        return std::pair{facts.stx_btime.tv_sec, facts.stx_btime.tv_nsec};
    };
    publish("step-9");
    if (made("step-9").first == 0) GTEST_SKIP() << "this file system does not know when a folder was made";
    do {  // The clock of files has ticks.
        fs::remove_all(root_ / "checkpoints/step-10");
        publish("step-10");
    } while (made("step-10") == made("step-9"));
    publish(".tmp-11");
    write("checkpoints/REQUEST", "1\n");
    // Who has saved anew may thin out what was there before.
    fs::remove_all(root_ / "checkpoints/step-9/optimizer");
    const auto listed = list_checkpoints(published_.get()).value();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].name, "step-9");
    EXPECT_EQ(listed[1].name, "step-10");
}

TEST_F(Checkpoints, NoMoreThanAThousandNamesAreLookedAt) {
    fs::create_directories(root_ / "checkpoints");
    for (std::size_t i = 0; i < checkpoint_names_max; ++i) fs::create_directory(root_ / "checkpoints" / std::to_string(i));
    EXPECT_EQ(list_checkpoints(published_.get()).value().size(), checkpoint_names_max);
    write("checkpoints/.one-more", "");
    const auto refused = list_checkpoints(published_.get());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().fault, BackendFault::bad_checkpoint);
}

TEST_F(Checkpoints, EachSingleFaultIsNamed) {
    struct Fault {
        const char* message_part;
        std::function<void()> make;
    };
    const std::string at = "checkpoints/c/";
    const std::vector<Fault> faults{
        {"weights has 6 bytes, its manifest says 5", [&] { write(at + "weights", "heavy!"); }},
        {"weights has digest", [&] { write(at + "weights", "heavx"); }},
        {"weights is not a plain file", [&] { fs::remove(root_ / at / "weights"); }},
        {"weights is not a plain file",
         [&] {
             fs::remove(root_ / at / "weights");
             fs::create_symlink("/etc/hostname", root_ / at / "weights");
         }},
        {"weights is not a plain file",
         [&] {
             fs::remove(root_ / at / "weights");
             mkfifo((root_ / at / "weights").c_str(), 0600);
         }},
        {"optimizer/state one is not a plain file",
         [&] {
             fs::rename(root_ / at / "optimizer", root_ / "moved");
             fs::create_directory_symlink(root_ / "moved", root_ / at / "optimizer");
         }},
        {"its MANIFEST is not a plain file",
         [&] {
             fs::remove(root_ / at / "MANIFEST");
             fs::create_symlink("/etc/hostname", root_ / at / "MANIFEST");
         }},
        {"line 1 is not", [&] { write(at + "MANIFEST", line("x", "../weights")); }},
        {"line 1 is not", [&] { write(at + "MANIFEST", line("x", "/etc/hostname")); }},
        {"line 1 is not", [&] { write(at + "MANIFEST", "5 abc weights\n"); }},
        {"line 1 is not", [&] { write(at + "MANIFEST", "-5 " + sha256("heavy").text() + " weights\n"); }},
        {"line 2 has no end", [&] { write(at + "MANIFEST", line("heavy", "weights") + "5 "); }},
        {"weights stands twice", [&] { write(at + "MANIFEST", line("heavy", "weights") + line("heavy", "weights")); }},
        {"there is no file", [&] { write(at + "MANIFEST", ""); }},
    };
    for (const auto& fault : faults) {
        fs::remove_all(root_ / "checkpoints/c");
        publish("c");
        ASSERT_TRUE(inspect("c").has_value());
        fault.make();
        const auto found = inspect("c");
        ASSERT_FALSE(found.has_value()) << fault.message_part;
        EXPECT_EQ(found.error().fault, BackendFault::bad_checkpoint);
        EXPECT_NE(found.error().message.find(fault.message_part), std::string::npos) << found.error().message;
    }
}

TEST_F(Checkpoints, WithoutAManifestOneIsMadeAndHeldAgainstLaterChanges) {
    write("checkpoints/c/a", "first");
    write("checkpoints/c/b/c", "second");
    const auto found = inspect("c");
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_FALSE(found->sealed_by_task);
    ASSERT_EQ(found->files.size(), 2U);
    EXPECT_EQ(found->files[1].path, "b/c");
    EXPECT_EQ(inspect("c")->digest, found->digest);
    write("checkpoints/c/a", "FIRST");
    EXPECT_EQ(inspect("c").error().fault, BackendFault::bad_checkpoint);
}

TEST_F(Checkpoints, AnotherFolderUnderAKnownNameIsAnotherCheckpoint) {
    std::set<std::string> editions;
    std::set<Digest> digests;
    for (const std::string text : {"first", "second", "third"}) {
        fs::remove_all(root_ / "checkpoints/latest");
        write("checkpoints/.tmp-latest/a", text);
        fs::rename(root_ / "checkpoints/.tmp-latest", root_ / "checkpoints/latest");
        const auto listed = list_checkpoints(published_.get()).value();
        ASSERT_EQ(listed.size(), 1U);
        const auto found = inspect("latest");
        ASSERT_TRUE(found.has_value()) << found.error().message;
        EXPECT_EQ(inspect("latest")->digest, found->digest);
        editions.insert(listed.front().edition);
        EXPECT_LT(listed.front().changed_s, INT64_MAX);
        fs::rename(root_ / "checkpoints/latest", root_ / "checkpoints/prev");
        EXPECT_EQ(list_checkpoints(published_.get())->front().edition, listed.front().edition) << "whatever its name";
        fs::rename(root_ / "checkpoints/prev", root_ / "checkpoints/latest");
        digests.insert(found->digest);
        // Somebody begins to remove it, or adds to it: that is no other checkpoint.
        write("checkpoints/latest/b", "more");
        fs::remove(root_ / "checkpoints/latest/a");
        EXPECT_EQ(list_checkpoints(published_.get()).value(), listed);
        EXPECT_EQ(inspect("latest").error().fault, BackendFault::bad_checkpoint);
    }
    EXPECT_EQ(editions.size(), 3U);
    EXPECT_EQ(digests.size(), 3U);
}

TEST_F(Checkpoints, WithoutAManifestALinkMakesItBad) {
    write("checkpoints/c/a", "first");
    fs::create_symlink("/etc/hostname", root_ / "checkpoints/c/stolen");
    EXPECT_EQ(inspect("c").error().fault, BackendFault::bad_checkpoint);
    EXPECT_FALSE(open_checkpoint_file(published_.get(), "c", "stolen").has_value());
}

TEST_F(Checkpoints, WithoutAManifestMoreFilesThanCanBeKeptMakeItBad) {
    for (std::size_t i = 0; i <= manifest_files_max; ++i) write("checkpoints/c/" + std::to_string(i), "");
    const auto found = inspect("c");
    EXPECT_EQ(found.error().fault, BackendFault::bad_checkpoint);
    EXPECT_THAT(found.error().message, testing::HasSubstr("more than 10000 files"));
}

TEST_F(Checkpoints, NoNameLeadsOutside) {
    publish("c");
    write("secret/a", "x");
    for (const char* const name : {"..", ".", "", "../secret", "c/optimizer", ".tmp-1"}) {
        EXPECT_EQ(inspect(name).error().fault, BackendFault::not_found) << name;
    }
    for (const char* const path : {"../../secret/a", "", "/etc/hostname", "optimizer/../weights", "./weights"}) {
        EXPECT_FALSE(open_checkpoint_file(published_.get(), "c", path).has_value()) << path;
    }
    fs::create_directory_symlink(root_ / "secret", root_ / "checkpoints/link");
    EXPECT_EQ(inspect("link").error().fault, BackendFault::not_found);
}

TEST_F(Checkpoints, AnInstalledOneIsTheSameByteForByte) {
    publish("c");
    const auto wanted = inspect("c");
    ASSERT_TRUE(install_checkpoint(resume_.get(), *wanted, std::nullopt, copy_of("c"), unhindered).has_value());
    const auto found = inspect_checkpoint(resume_.get(), manifests_.get(), "c", unhindered);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->digest, wanted->digest);
    // Again, with a source that would be asked in vain.
    const auto never = [](const ports::ManifestEntry&, int) -> BackendResult<void> { return refuse(BackendFault::unavailable, "asked"); };
    EXPECT_TRUE(install_checkpoint(resume_.get(), *wanted, std::nullopt, never, unhindered).has_value());
}

/// What is fetched, by path, from checkpoints whose files have their path and a version for content.
class Source {
public:
    static ports::Checkpoint checkpoint(const std::string& name, const std::map<std::string, std::string>& files) {
        std::vector<ports::ManifestEntry> entries;
        for (const auto& [path, text] : files) entries.push_back({.size = std::ssize(text), .sha256 = sha256(text), .path = path});
        return make_checkpoint(name, entries, true);
    }
    ports::FetchFile fetch(const std::map<std::string, std::string>& files) {
        return [this, files](const ports::ManifestEntry& entry, int to) -> BackendResult<void> {
            if (entry.path == missing) return refuse(BackendFault::unavailable, "the store is away");
            fetched.insert(entry.path);
            (void)supervisor::write_all(to, files.at(entry.path));
            return {};
        };
    }
    std::set<std::string> fetched;
    std::string missing;
};

TEST_F(Checkpoints, WhatLiesThereAlreadyIsNotFetchedAgain) {
    using Files = std::map<std::string, std::string>;
    Source source;
    const Files one{{"data/a", "fixed"}, {"data/b", "also fixed"}, {"step", "1"}};
    const Files two{{"data/a", "fixed"}, {"data/c", "also fixed"}, {"step", "2"}};
    const auto install = [&](const std::string& name, const Files& files) {
        source.fetched.clear();
        return install_checkpoint(resume_.get(), Source::checkpoint(name, files), std::nullopt, source.fetch(files), unhindered);
    };
    ASSERT_TRUE(install("step-1", one).has_value());
    EXPECT_EQ(source.fetched, (std::set<std::string>{"data/a", "data/b", "step"}));
    EXPECT_EQ(bytes_at_hand(resume_.get(), Source::checkpoint("step-2", two)), 15);
    ASSERT_TRUE(install("step-2", two).has_value());
    EXPECT_EQ(source.fetched, (std::set<std::string>{"step"})) << "whatever the file is called";
    EXPECT_EQ(list_folder(resume_.get()), (std::vector<std::string>{"step-2"}));
    const auto found = inspect_checkpoint(resume_.get(), manifests_.get(), "step-2", unhindered);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->digest, Source::checkpoint("step-2", two).digest);
    // Under the same name too, and two files that are the same stay two.
    const Files twins{{"x", "fixed"}, {"y", "fixed"}, {"step", "2"}};
    ASSERT_TRUE(install("step-2", twins).has_value());
    EXPECT_EQ(source.fetched.size(), 1U);
    struct stat x{};
    struct stat y{};
    ASSERT_EQ(stat((root_ / "resume/step-2/x").c_str(), &x), 0);
    ASSERT_EQ(stat((root_ / "resume/step-2/y").c_str(), &y), 0);
    EXPECT_NE(x.st_ino, y.st_ino);
    EXPECT_EQ(x.st_nlink, 1U) << "nothing else has them";
}

TEST_F(Checkpoints, WhatWasChangedSinceIsFetchedAnew) {
    const std::map<std::string, std::string> files{{"a", "fixed"}, {"step", "1"}};
    Source source;
    ASSERT_TRUE(
        install_checkpoint(resume_.get(), Source::checkpoint("one", files), std::nullopt, source.fetch(files), unhindered).has_value());
    write("resume/one/a", "FIXED");
    source.fetched.clear();
    ASSERT_TRUE(
        install_checkpoint(resume_.get(), Source::checkpoint("two", files), std::nullopt, source.fetch(files), unhindered).has_value());
    EXPECT_EQ(source.fetched, (std::set<std::string>{"a"}));
    EXPECT_TRUE(inspect_checkpoint(resume_.get(), manifests_.get(), "two", unhindered).has_value());
    // Nor does a link lead to what is not a checkpoint's.
    write("secret", "fixed");
    fs::remove(root_ / "resume/two/a");
    fs::create_symlink(root_ / "secret", root_ / "resume/two/a");
    source.fetched.clear();
    ASSERT_TRUE(
        install_checkpoint(resume_.get(), Source::checkpoint("three", files), std::nullopt, source.fetch(files), unhindered).has_value());
    EXPECT_EQ(source.fetched, (std::set<std::string>{"a"}));
}

TEST_F(Checkpoints, ACopyThatBrokeOffIsGoneOnWithAndWhatWasThereStays) {
    const std::map<std::string, std::string> one{{"a", "old"}};
    const std::map<std::string, std::string> two{{"a", "large"}, {"b", "small"}};
    Source source;
    ASSERT_TRUE(
        install_checkpoint(resume_.get(), Source::checkpoint("latest", one), std::nullopt, source.fetch(one), unhindered).has_value());
    source.missing = "b";
    EXPECT_EQ(install_checkpoint(resume_.get(), Source::checkpoint("latest", two), std::nullopt, source.fetch(two), unhindered)
                  .error()
                  .fault,
              BackendFault::unavailable);
    EXPECT_EQ(inspect_checkpoint(resume_.get(), manifests_.get(), "latest", unhindered)->digest, Source::checkpoint("latest", one).digest);
    source.missing.clear();
    source.fetched.clear();
    ASSERT_TRUE(
        install_checkpoint(resume_.get(), Source::checkpoint("latest", two), std::nullopt, source.fetch(two), unhindered).has_value());
    EXPECT_EQ(source.fetched, (std::set<std::string>{"b"}));
    EXPECT_EQ(list_folder(resume_.get()), (std::vector<std::string>{"latest"}));
    EXPECT_EQ(inspect_checkpoint(resume_.get(), manifests_.get(), "latest", unhindered)->digest, Source::checkpoint("latest", two).digest);
    ASSERT_TRUE(drop_installed(resume_.get()).has_value());
    EXPECT_TRUE(list_folder(resume_.get()).empty());
}

TEST_F(Checkpoints, WhatArrivesDamagedIsNotInstalled) {
    publish("c");
    const auto wanted = inspect("c");
    const auto damaged = [](const ports::ManifestEntry& entry, int to) -> BackendResult<void> {
        (void)supervisor::write_all(to, std::string(static_cast<std::size_t>(entry.size), '?'));
        return {};
    };
    EXPECT_EQ(install_checkpoint(resume_.get(), *wanted, std::nullopt, damaged, unhindered).error().fault, BackendFault::bad_checkpoint);
    EXPECT_FALSE(fs::exists(root_ / "resume/c"));
    // What was left half done does not stand in the way.
    EXPECT_TRUE(install_checkpoint(resume_.get(), *wanted, std::nullopt, copy_of("c"), unhindered).has_value());
}

TEST_F(Checkpoints, AListThatLiesAboutItselfIsNotInstalled) {
    publish("c");
    auto wanted = *inspect("c");
    wanted.files[0].path = "../escape";
    EXPECT_EQ(install_checkpoint(resume_.get(), wanted, std::nullopt, copy_of("c"), unhindered).error().fault, BackendFault::invalid);
    wanted = *inspect("c");
    wanted.files.pop_back();
    EXPECT_EQ(install_checkpoint(resume_.get(), wanted, std::nullopt, copy_of("c"), unhindered).error().fault, BackendFault::invalid);
}

RC_GTEST_PROP(Manifest, WhatIsPrintedIsRead, (std::vector<std::pair<std::uint32_t, std::string>> seeds)) {
    std::map<std::string, ports::ManifestEntry> files;
    for (const auto& [size, text] : seeds) {
        if (is_safe_path(text) && text != manifest_file) files[text] = {.size = size, .sha256 = sha256(text), .path = text};
    }
    files["always"] = {.size = 0, .sha256 = sha256(""), .path = "always"};
    std::vector<ports::ManifestEntry> wanted;
    for (const auto& [path, entry] : files) wanted.push_back(entry);
    const auto found = parse_manifest(print_manifest(wanted));
    RC_ASSERT(found.has_value());
    RC_ASSERT(*found == wanted);
}

TEST(SafePath, IsPlainAndRelative) {
    for (const char* const path : {"a", "a/b c/d", "..a", "a..", ".hidden", "\xe5\xa0\xb0"}) EXPECT_TRUE(is_safe_path(path)) << path;
    for (const char* const path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\nb", "a\x7f"}) {
        EXPECT_FALSE(is_safe_path(path)) << path;
    }
}

TEST_F(Checkpoints, AreMeasuredWithoutBeingRead) {
    publish("step-1");
    const auto size = measure_checkpoint(published_.get(), "step-1");
    ASSERT_TRUE(size.has_value());
    EXPECT_EQ(size->bytes, 10 + std::ssize(line("heavy", "weights")) + std::ssize(line("light", "optimizer/state one")));
    write("checkpoints/hole/f", "");
    fs::resize_file(root_ / "checkpoints/hole/f", std::uintmax_t{30} << 30U);
    const auto hole = measure_checkpoint(published_.get(), "hole");
    ASSERT_TRUE(hole.has_value());
    EXPECT_EQ(hole->bytes, std::int64_t{30} << 30U);
    EXPECT_LT(hole->on_disk_bytes, 1 << 20);
    write("checkpoints/twins/0", std::string(40'000, 'x'));
    for (int i = 1; i < 10; ++i) fs::create_hard_link(root_ / "checkpoints/twins/0", root_ / "checkpoints/twins" / std::to_string(i));
    const auto twins = measure_checkpoint(published_.get(), "twins");
    ASSERT_TRUE(twins.has_value());
    EXPECT_EQ(twins->bytes, 400'000) << "each becomes a file of its own where it is copied to";
    EXPECT_LT(twins->on_disk_bytes, 80'000);
    write("checkpoints/pipe/f", "x");
    ASSERT_EQ(mkfifo((root_ / "checkpoints/pipe/g").c_str(), 0600), 0);
    EXPECT_EQ(measure_checkpoint(published_.get(), "pipe").error().fault, BackendFault::bad_checkpoint);
    EXPECT_EQ(measure_checkpoint(published_.get(), "none").error().fault, BackendFault::not_found);
}

/// Does something when the first piece was read, and lets the reading go on or not.
struct Meddler final : ports::Copying {
    ports::Onward onward(std::int64_t) override {
        ++pieces;
        if (then) std::exchange(then, {})();
        return answer;
    }
    std::function<void()> then;
    ports::Onward answer = ports::Onward::go_on;
    int pieces = 0;
};

TEST_F(Checkpoints, AFileThatGrowsWhileItIsReadIsReadNoFurther) {
    write("checkpoints/step-1/log", std::string(std::size_t{3} << 20, 'x'));
    Meddler meddler;
    meddler.then = [this] { fs::resize_file(root_ / "checkpoints/step-1/log", std::uintmax_t{30} << 30U); };
    const auto found = inspect_checkpoint(published_.get(), manifests_.get(), "step-1", meddler);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().fault, BackendFault::bad_checkpoint);
    EXPECT_LE(meddler.pieces, 4);
}

TEST_F(Checkpoints, AReadingThatIsCalledOffEndsAtTheNextPiece) {
    write("checkpoints/step-1/weights", std::string(std::size_t{5} << 20, 'x'));
    Meddler meddler;
    meddler.answer = ports::Onward::never;
    EXPECT_EQ(inspect_checkpoint(published_.get(), manifests_.get(), "step-1", meddler).error().fault, BackendFault::unavailable);
    EXPECT_EQ(meddler.pieces, 1);
    publish("step-2");
    EXPECT_EQ(inspect_checkpoint(published_.get(), manifests_.get(), "step-2", meddler).error().fault, BackendFault::unavailable);
    const auto wanted = inspect("step-2");
    EXPECT_EQ(install_checkpoint(resume_.get(), *wanted, std::nullopt, copy_of("step-2"), meddler).error().fault,
              BackendFault::unavailable);
    EXPECT_FALSE(fs::exists(root_ / "resume/step-2"));
}

}  // namespace
}  // namespace weir::task_files
