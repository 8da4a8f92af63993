// Goal: the tools are begun with their bound and without secrets, one that hangs is ended, and the real ones carry a store.
// Method: small scripts in place of a tool that note how they were begun; then rclone and rsync themselves to a folder, and rclone to the
// remote that WEIR_TEST_REMOTE names (tests/s3_store_test.py: an S3 server of the test's own).
#include "adapters/blobs_moved/tools.hpp"

#include "adapters/blobs_moved/moved_data.hpp"
#include "base/test_folder.hpp"
#include "ports/blob_store_conformance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

namespace weir::blobs_moved {
namespace {

namespace fs = std::filesystem;
using ports::BlobFault;
using ports::MoveFault;
using testing::HasSubstr;
using testing::Not;

std::string read(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

class ToolsTest : public testing::Test {
protected:
    std::string script(const std::string& name, const std::string& text) {
        const auto path = folder.file(name);
        std::ofstream{path} << "#!/bin/sh\n" << text;
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }
    std::string config(mode_t mode) {
        const auto path = folder.file("rclone.conf");
        std::ofstream{path} << "[s3]\ntype = s3\nsecret_access_key = hush\n";
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        return path;
    }
    ToolOptions options(std::string program, std::string base) {
        return {.program = std::move(program), .base = std::move(base), .config = {}, .aside = folder.file("")};
    }
    std::string file(std::string_view bytes) {
        const auto path = folder.file("file");
        std::ofstream{path, std::ios::binary} << bytes;
        return path;
    }

    TestFolder folder;
    ports::Unhindered unhindered;
};

TEST_F(ToolsTest, TheBoundIsTheToolsOwnOptionAndNoCopyIsWithoutIt) {
    EXPECT_EQ(rate_option("rclone", 64 << 20), "--bwlimit=67108864B");
    EXPECT_EQ(rate_option("/usr/bin/rsync", 64 << 20), "--bwlimit=65536") << "KiB";
    EXPECT_EQ(rate_option("rsync", 1), "--bwlimit=1");
    for (const std::string name : {"rclone", "rsync"}) {
        auto bounded = options(script(name, "echo \"$@\" >> \"$(dirname \"$0\")/$(basename \"$0\").words\"\n"), "/far");
        bounded.bytes_per_s = 1 << 20;
        std::unique_ptr<ports::Mover> mover = std::make_unique<RcloneMover>(bounded);
        if (name == "rsync") mover = std::make_unique<RsyncMover>(bounded);
        EXPECT_TRUE(mover->send(file("bytes"), "blobs/x", unhindered));
        EXPECT_TRUE(mover->fetch("blobs/x", folder.file("got"), 0, unhindered));
        std::istringstream lines{read(folder.file(name + ".words"))};
        int copies = 0;
        for (std::string line; std::getline(lines, line); ++copies) EXPECT_THAT(line, HasSubstr(rate_option(name, 1 << 20)));
        EXPECT_EQ(copies, 2);
    }
}

TEST_F(ToolsTest, WhoListsTheProcessesLearnsNoSecret) {
    ::setenv("WEIR_TOKEN", "hush", 1);
    auto chosen =
        options(script("rclone", "echo \"$@\" > \"$(dirname \"$0\")/words\"\nenv > \"$(dirname \"$0\")/env\"\n"), "s3:weir/store");
    chosen.config = config(0600);
    ASSERT_EQ(fault_of(chosen), std::nullopt);
    RcloneMover mover{chosen};
    EXPECT_TRUE(mover.send(file("bytes"), "blobs/x", unhindered));
    ::unsetenv("WEIR_TOKEN");
    EXPECT_THAT(read(folder.file("words")), HasSubstr("copyto " + folder.file("file") + " s3:weir/store/blobs/x"));
    EXPECT_THAT(read(folder.file("words")), Not(HasSubstr("hush")));
    EXPECT_THAT(read(folder.file("env")), HasSubstr("RCLONE_CONFIG=" + chosen.config));
    EXPECT_THAT(read(folder.file("env")), Not(HasSubstr("hush"))) << "the agent's own secrets are not the tool's";
}

TEST_F(ToolsTest, SecretsThatOthersCouldReadAreRefused) {
    auto chosen = options("rclone", "s3:weir");
    chosen.config = config(0640);
    EXPECT_THAT(fault_of(chosen).value_or(""), HasSubstr("has mode 0640"));
    chosen.config = folder.file("none");
    EXPECT_THAT(fault_of(chosen).value_or(""), HasSubstr("is no file that can be read"));
    chosen.config = config(0600);
    for (const std::string base : {":s3,secret_access_key=hush:weir", "s3,env_auth:weir", "", "-x", "ann:hush@host:/far", "a b"}) {
        chosen.base = base;
        EXPECT_TRUE(fault_of(chosen)) << base;
    }
    auto rsync = options("rsync", "rsync://ann:hush@host/module");
    EXPECT_TRUE(fault_of(rsync));
    for (const std::string base : {"rsync://ann@host:873/module", "ann@host:/far", "/far"}) {
        rsync.base = base;
        EXPECT_EQ(fault_of(rsync), std::nullopt) << base;
    }
}

TEST_F(ToolsTest, OneThatHangsOrDiesIsSaidSo) {
    const auto path = file("bytes");
    const auto send = [&](const std::string& text) {
        auto chosen = options(script("rclone", text), "/far");
        chosen.stall = milliseconds(300);
        const auto done = RcloneMover{chosen}.send(path, "x", unhindered);
        EXPECT_FALSE(done);
        EXPECT_EQ(done.error().fault, MoveFault::failed);
        return done.error().message;
    };
    EXPECT_THAT(send("exec tail -f /dev/null\n"), HasSubstr("made no headway for"));
    EXPECT_THAT(send("while :; do echo '{\"stats\":{\"bytes\":5}}' >&2; done\n"), HasSubstr("made no headway for")) << "talk is no headway";
    EXPECT_THAT(send("exec >&- 2>&-\nwhile :; do :; done\n"), HasSubstr("made no headway for"));
    EXPECT_THAT(send("echo '507 insufficient\nstorage' >&2; exit 9\n"), HasSubstr("ended with 9: 507 insufficient storage"));
    EXPECT_THAT(send("kill -9 $$\n"), HasSubstr("ended with 137"));
    auto missing = options(folder.file("no-such-tool"), "/far");
    EXPECT_THAT(RcloneMover{missing}.send(path, "x", unhindered).error().message, HasSubstr("is not installed here"));
    ports::CutCopy cut{0};
    auto endless = options(script("rclone", "exec tail -f /dev/null\n"), "/far");
    EXPECT_EQ(RcloneMover{endless}.send(path, "x", cut).error().fault, MoveFault::called_off);
}

/// What a store is asked for, of a real tool: with few calls, for each is a process.
void carries_a_store(const std::shared_ptr<ports::Mover>& mover, const std::string& stage,
                     const std::function<void(const Digest&)>& damage) {
    constexpr std::int64_t part_bytes = 100'000;
    const auto open = [&] {
        MovedOptions options{.stage = stage, .prefix = "store/", .writer = "east", .part_bytes = part_bytes};
        options.pause = [](Duration, ports::Copying&) {};
        return MovedData::open(mover, options).value();
    };
    const auto bytes = ports::random_bytes(2 * part_bytes + 5, "real");
    const ports::BytesFile file{bytes};
    {
        auto store = open();
        EXPECT_TRUE(store->list().value().empty()) << "nothing is there yet, not even a folder";
        ports::CutCopy cut{4};
        EXPECT_EQ(store->put(sha256(bytes), std::ssize(bytes), file.get(), cut).error().fault, BlobFault::unavailable);
        EXPECT_TRUE(store->list().value().empty());
    }
    auto store = open();
    ports::Unhindered unhindered;
    const auto done = store->put(sha256(bytes), std::ssize(bytes), file.get(), unhindered);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(store->put_bytes(sha256("small"), "small"));
    ASSERT_TRUE(store->put_bytes(sha256(""), ""));
    EXPECT_EQ(store->fetch_bytes(sha256(bytes), bytes.size()).value(), bytes);
    EXPECT_EQ(store->fetch_bytes(sha256(""), 1).value(), "");
    const auto blobs = store->list().value();
    ASSERT_EQ(blobs.size(), 3U);
    for (const auto& blob : blobs) EXPECT_GT(blob.stored_s, 1'600'000'000);
    EXPECT_EQ(store->fetch_bytes(sha256("never"), 1).error().fault, BlobFault::not_found);
    if (damage) {
        damage(sha256("small"));
        EXPECT_EQ(store->fetch_bytes(sha256("small"), 100).error().fault, BlobFault::damaged);
        ASSERT_TRUE(store->put_bytes(sha256("small"), "small"));
    }
    EXPECT_EQ(store->fetch_bytes(sha256("small"), 100).value(), "small");
    const auto removed = store->remove(std::vector{sha256(bytes), sha256("never")});
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(removed->bytes, std::ssize(bytes));
    EXPECT_EQ(store->list().value().size(), 2U);
    EXPECT_TRUE(mover->list("store/parts").value().empty());
    EXPECT_GT(store->room().value(), 0);
}

std::function<void(const Digest&)> damage_below(const std::string& far) {
    return [far](const Digest& digest) {
        const auto path = far + "/store/blobs/" + digest.text().substr(0, 2) + "/" + digest.text().substr(2);
        auto bytes = read(path);
        ASSERT_FALSE(bytes.empty()) << path;
        bytes.front() ^= 1;
        std::ofstream{path, std::ios::binary} << bytes;
    };
}

TEST_F(ToolsTest, RcloneItselfCarriesAStoreIntoAFolder) {
    const auto far = folder.file("far");
    carries_a_store(std::make_shared<RcloneMover>(options("rclone", far)), folder.file("stage"), damage_below(far));
}

TEST_F(ToolsTest, RsyncItselfCarriesAStoreIntoAFolder) {
    const auto far = folder.file("far");
    carries_a_store(std::make_shared<RsyncMover>(options("rsync", far)), folder.file("stage"), damage_below(far));
}

TEST_F(ToolsTest, RcloneItselfCarriesAStoreToARemote) {
    const char* const remote = std::getenv("WEIR_TEST_REMOTE");
    if (remote == nullptr) GTEST_SKIP() << "WEIR_TEST_REMOTE names none; tests/s3_store_test.py does";
    auto chosen = options("rclone", remote);
    chosen.config = std::getenv("WEIR_TEST_REMOTE_CONFIG");
    ASSERT_EQ(fault_of(chosen), std::nullopt);
    carries_a_store(std::make_shared<RcloneMover>(chosen), folder.file("stage"), {});
}

}  // namespace
}  // namespace weir::blobs_moved
