// Goal: what is read from the host and prepared for it: control groups, the sandbox, users, logs, tools.
// Method: texts as kernels print them; a log that is read while it grows; tools that hang, fail and flood.
#include "adapters/site_process/cgroups.hpp"

#include "adapters/task_files/log_reader.hpp"
#include "adapters/task_files/order.hpp"
#include "adapters/site_process/process_site.hpp"
#include "adapters/site_process/sandbox.hpp"
#include "adapters/task_files/tool.hpp"
#include "adapters/site_process/users.hpp"
#include "adapters/site_process/users_claim.hpp"
#include "base/test_folder.hpp"
#include "supervisor/log_ring.hpp"
#include "supervisor/spec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace weir::site_process {
namespace {

namespace fs = std::filesystem;

struct Folder {
    const TestFolder made;
    const fs::path path = made.path();
    Fd descriptor{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST(OwnGroups, OfVersion1AreFoundThroughTheMounts) {
    const auto own = find_own_groups(
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
        "39 31 0:36 /docker/abc /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        "8:pids:/docker/abc/inner\n4:memory:/api/x\n1:cpu,cpuacct:/\n0::/user.slice\n");
    EXPECT_EQ(own.version_1.at(Controller::cpu), "/sys/fs/cgroup/cpu,cpuacct");
    EXPECT_EQ(own.version_1.at(Controller::memory), "/sys/fs/cgroup/memory/api/x");
    EXPECT_EQ(own.version_1.at(Controller::pids), "/sys/fs/cgroup/pids/inner");
    EXPECT_FALSE(own.version_1.contains(Controller::freezer));
    EXPECT_EQ(own.version_2, "/sys/fs/cgroup/unified/user.slice");
}

RC_GTEST_PROP(OwnGroups, AnyTextIsReadWithoutHarm, (const std::string& mounts, const std::string& groups)) {
    (void)find_own_groups("1 2 3 / /x - cgroup " + mounts, "1:memory" + groups);
}

TEST(Sandbox, ShowsWhatIsSharedAndNothingElse) {
    const auto words = sandbox_arguments({.as_root = true, .supervisor = "/w/sup", .read_only = {"/data"}, .writable = {"/t/work"}});
    const auto has = [&words](const std::vector<std::string>& row) {
        return std::search(words.begin(), words.end(), row.begin(), row.end()) != words.end();
    };
    EXPECT_TRUE(has({"--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"}));
    EXPECT_TRUE(has({"--ro-bind", "/data", "/data"}));
    EXPECT_TRUE(has({"--bind", "/t/work", "/t/work"}));
    EXPECT_TRUE(has({"--ro-bind", "/w/sup", "/.weir/init", "--"}));
    EXPECT_TRUE(has({"--die-with-parent"}));
    EXPECT_EQ(words.back(), "--");
    EXPECT_FALSE(has({"--ro-bind", "/sys", "/sys"}));
    EXPECT_EQ(std::count(words.begin(), words.end(), "--bind"), 1);
}

TEST(Sandbox, PassesTheCardsThatWereGivenAlone) {
    EXPECT_EQ(device_files(ports::CardStack::cann, {4}),
              (std::vector<std::string>{"/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc", "/dev/davinci4"}));
    EXPECT_EQ(device_files(ports::CardStack::cuda, {1, 3}).back(), "/dev/nvidia3");
    EXPECT_TRUE(device_files(ports::CardStack::cuda, {}).empty());
    EXPECT_TRUE(device_files(ports::CardStack::none, {1}).empty());
}

TEST(Users, KeepAProjectsUserForEverAndNeverGiveOneTwice) {
    Folder folder;
    {
        auto users = *Users::open(folder.descriptor.get(), {.first = 5000, .count = 2});
        EXPECT_EQ(users.of("zeta"), 5000U);
        EXPECT_EQ(users.of("alpha"), 5001U);
        EXPECT_EQ(users.of("zeta"), 5000U);
        EXPECT_EQ(users.of("third").error().fault, BackendFault::refused);
    }
    auto users = *Users::open(folder.descriptor.get(), {.first = 5000, .count = 3});
    EXPECT_EQ(users.of("alpha"), 5001U);
    EXPECT_EQ(users.of("third"), 5002U);
}

TEST(Users, AProjectWhoseUserIsOfAnotherRangeIsFound) {
    Folder folder;
    EXPECT_EQ((*Users::open(folder.descriptor.get(), {.first = 5000, .count = 2})).of("alpha"), 5000U);
    EXPECT_EQ((*Users::open(folder.descriptor.get(), {.first = 5000, .count = 2})).find_outside(), std::nullopt);
    const auto outside = (*Users::open(folder.descriptor.get(), {.first = 5001, .count = 9})).find_outside();
    EXPECT_EQ(outside, (std::pair<std::string, uid_t>{"alpha", 5000}));
}

TEST(SiteRoot, IsWaitedForWhileAChildOfAKilledAgentHasIt) {
    const Folder host;
    const auto root = host.path / "root";
    fs::create_directory(root);
    fs::permissions(root, fs::perms{0755});
    const Fd folder{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    auto held = supervisor::take_lock(folder.get(), "agent.lock");
    ASSERT_TRUE(held);
    SiteConfig config{.root = root, .supervisor = "/bin/true", .users_lock = host.path / "lock"};
    if (geteuid() == 0) config.users = {.first = 5000, .count = 2};
    auto opened = std::async(std::launch::async, [&] { return ProcessSite::open(config).has_value(); });
    // It sets the mode of the root just before it asks for the lock.
    const auto waits = [&] { return opened.wait_for(std::chrono::seconds{0}) == std::future_status::timeout; };
    while (fs::status(root).permissions() == fs::perms{0755} && waits()) std::this_thread::yield();
    EXPECT_TRUE(waits()) << "it does not wait for the lock";
    held.reset();
    EXPECT_TRUE(opened.get());
}

TEST(UsersClaim, NoTwoSitesOfAHostHaveAUserInCommon) {
    Folder host;
    const auto lock = (host.path / "lock").string();
    auto first = claim_users(lock, {.first = 5000, .count = 10}, "/lib/first");
    ASSERT_TRUE(first) << first.error().message;
    struct Case {
        UserRange range;
        bool free;
    };
    for (const auto& [range, free] : {Case{{4990, 10}, true}, Case{{4990, 11}, false}, Case{{5003, 1}, false}, Case{{5009, 9}, false},
                                      Case{{5010, 9}, true}, Case{{4000, 9999}, false}}) {
        const auto other = claim_users(lock, range, "/lib/second");
        EXPECT_EQ(other.has_value(), free) << range.first;
        if (other) continue;
        EXPECT_EQ(other.error().fault, BackendFault::refused);
        EXPECT_NE(other.error().message.find("at /lib/first, 5000 to 5009"), std::string::npos) << other.error().message;
    }
    // It ends with the agent.
    *first = Fd{};
    EXPECT_TRUE(claim_users(lock, {.first = 5003, .count = 1}, "/lib/second"));
}

TEST(UsersClaim, AFolderThatIsNotTheAgentsOwnSaysNothing) {
    Folder host;
    const auto lock = host.path / "lock";
    EXPECT_EQ(claim_users(lock / "nowhere", {.first = 5000, .count = 10}, "/lib").error().fault, BackendFault::unavailable);
    fs::create_directory(lock);
    fs::permissions(lock, fs::perms(0777));
    EXPECT_EQ(claim_users(lock, {.first = 5000, .count = 10}, "/lib").error().fault, BackendFault::unavailable);
    fs::create_directory_symlink(host.path, host.path / "link");
    EXPECT_EQ(claim_users(host.path / "link", {.first = 5000, .count = 10}, "/lib").error().fault, BackendFault::unavailable);
}

/// A site whose tasks are never started.
SiteConfig quiet_site(const fs::path& host, const std::string& name) {
    SiteConfig config{.root = host / name, .supervisor = "/bin/false", .users_lock = host / "lock", .sandbox = false, .limits = false};
    if (geteuid() == 0) {
        config.site_owner = {.uid = 4000, .gid = 4000};
        config.users = {.first = 5000, .count = 10};
    }
    return config;
}

TEST(SiteAtItsStart, IsRefusedUsersThatAreAnothersOrNotItsProjects) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Folder host;
    const auto first = ProcessSite::open(quiet_site(host.path, "first"));
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_TRUE((*first)->remarks().empty());
    const auto second = ProcessSite::open(quiet_site(host.path, "second"));
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find((host.path / "first").string()), std::string::npos) << second.error().message;

    fs::create_directory(host.path / "third");
    std::ofstream(host.path / "third/users") << "alpha 6000\n";
    const auto third = ProcessSite::open(quiet_site(host.path, "third"));
    ASSERT_FALSE(third);
    EXPECT_NE(third.error().message.find("alpha has user 6000 by " + (host.path / "third/users").string()), std::string::npos)
        << third.error().message;

    auto unlocked = quiet_site(host.path, "fourth");
    unlocked.users_lock = "/proc/weir";
    const auto fourth = ProcessSite::open(unlocked);
    ASSERT_TRUE(fourth) << fourth.error().message;
    ASSERT_EQ((*fourth)->remarks().size(), 1U);
    EXPECT_NE((*fourth)->remarks()[0].find("could not make /proc/weir"), std::string::npos) << (*fourth)->remarks()[0];
}

TEST(SiteAtItsStart, SaysWhichSharedPathsAreNotThere) {
    Folder host;
    auto config = quiet_site(host.path, "site");
    config.shared_paths = {host.path, host.path / "nowhere"};
    {
        const auto site = ProcessSite::open(config);
        ASSERT_TRUE(site) << site.error().message;
        ASSERT_EQ((*site)->remarks().size(), 1U);
        EXPECT_NE((*site)->remarks()[0].find((host.path / "nowhere").string()), std::string::npos) << (*site)->remarks()[0];
    }
    config.shared_paths = {"data"};
    const auto refused = ProcessSite::open(config);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, BackendFault::invalid);
}

TEST(Users, ADamagedFileIsNotGuessedAt) {
    for (const char* const text : {"alpha\n", "alpha x\n", "alpha 0\n", "alpha -1\n", "alpha 5000 \n"}) {
        Folder folder;
        std::ofstream(folder.path / "users") << text;
        EXPECT_FALSE(Users::open(folder.descriptor.get(), {.first = 5000, .count = 2}).has_value()) << text;
    }
}

// Whoever reads piece by piece, from wherever, sees the bytes that were written at those offsets.
RC_GTEST_PROP(LogReader, AnOffsetMeansTheSameByteForEver, (std::vector<std::uint16_t> sizes, std::uint16_t from, std::uint8_t step)) {
    Folder folder;
    supervisor::LogRing ring;
    ring.open(folder.descriptor.get(), "0.out", 20'000);
    std::string all;
    for (const auto size : sizes) {
        std::string piece;
        for (std::uint16_t i = 0; i < size; ++i) piece += static_cast<char>('a' + (all.size() + i) % 23);
        all += piece;
        ring.append(piece);
    }
    const std::int64_t piece_bytes = 1 + 64 * step;
    std::int64_t offset = from;
    std::int64_t first = -1;
    while (true) {
        const auto chunk = read_log(folder.descriptor.get(), "0.out", offset, piece_bytes);
        RC_ASSERT(chunk.end == std::ssize(all));
        if (first < 0) first = chunk.offset;
        RC_ASSERT(std::ssize(chunk.bytes) <= piece_bytes);
        RC_ASSERT(all.substr(static_cast<std::size_t>(chunk.offset), chunk.bytes.size()) == chunk.bytes);
        if (chunk.bytes.empty()) {
            RC_ASSERT(chunk.offset == std::ssize(all));
            break;
        }
        if (offset != from) RC_ASSERT(chunk.offset == offset);
        offset = chunk.offset + std::ssize(chunk.bytes);
    }
    RC_ASSERT(first >= std::min<std::int64_t>(from, std::ssize(all)));
    RC_ASSERT(first <= std::max<std::int64_t>(from, std::ssize(all) - 10'000));
}

// A site's own user may write any names there: what no log ring makes is passed over, and nothing is counted beyond its type.
TEST(LogReader, SegmentsThatNoTaskWroteDoNotMisleadIt) {
    Folder folder;
    const auto write = [&](const std::string& start, const std::string& bytes) {
        std::ofstream(folder.path / ("0.out." + start)) << bytes;
    };
    write("00000000000000000000", "abcdefgh");
    write("00000000000000000002", "CD");
    write("-0000000000000000001", "no offset");
    write("09223372036854775807", "the last number");
    write("01152921504606846977", "one above the largest offset");
    write("00000000000000000008", "");
    fs::resize_file(folder.path / "0.out.00000000000000000008", 4);
    for (std::int64_t from = 0; from <= 12; ++from) {
        const auto chunk = read_log(folder.descriptor.get(), "0.out", from, 100);
        EXPECT_EQ(chunk.end, 12) << from;
        EXPECT_EQ(chunk.offset, from);
        EXPECT_EQ(chunk.bytes, (std::string{"abcdefgh"} + std::string(4, '\0')).substr(static_cast<std::size_t>(from)));
    }
}

TEST(Tool, SaysWhatItPrintedAndHowItEnded) {
    const auto answer = run_tool({"sh", "-c", "echo out; echo err >&2; env | grep -c SECRET; exit 3"}, 10'000);
    EXPECT_EQ(answer.end, ToolEnd::exited);
    EXPECT_EQ(answer.exit_code, 3);
    EXPECT_EQ(answer.printed, "out\n0\n");
}

TEST(Tool, ThatIsAbsentHangsOrFloodsIsNotWaitedFor) {
    EXPECT_EQ(run_tool({"no-such-tool-here"}, 10'000).end, ToolEnd::absent);
    EXPECT_EQ(run_tool({"sh", "-c", "echo begun; trap '' TERM; while :; do read x; done < /dev/zero"}, 100).end, ToolEnd::too_late);
    EXPECT_EQ(run_tool({"sh", "-c", "exec >&-; while :; do read x; done < /dev/zero"}, 100).end, ToolEnd::too_late);
    EXPECT_EQ(run_tool({"yes"}, 10'000, 4096).end, ToolEnd::too_late);
}

TEST(Order, IsTheSameTextForTheSameTaskWhateverItsLease) {
    ports::TaskSpec a{.key = {.job = "j", .generation = 1}, .project = "p", .run = "true"};
    auto b = a;
    b.lease_deadline = {77};
    EXPECT_EQ(order_text(a), order_text(b));
    b.memory_mib = 1;
    EXPECT_NE(order_text(a), order_text(b));
}

TEST(Order, EverySoundOneIsASpecThatTheSupervisorTakes) {
    const ports::TaskSpec task{.key = {.job = "job-01K", .generation = 2, .node_rank = 1},
                               .project = "lab",
                               .run = "torchrun x",
                               .environment = {{"PATH", "/mine"}},
                               .nnodes = 2,
                               .processes_per_node = 1,
                               .rank_offset = 1,
                               .world_size = 2,
                               .stack = ports::CardStack::cuda,
                               .cards = {0, 1, 2, 3},
                               .checkpoint_signal = 10};
    ASSERT_EQ(find_fault(task), std::nullopt);
    const auto text = spec_text(task, {.owner = {.uid = 7, .gid = 8}, .emulated = true, .workdir = "/w", .home = "/h", .temporary = "/tmp",
                                       .checkpoint_dir = "/c", .resume_dir = "/r", .output_dir = "/o", .cgroups = {"/g"}});
    supervisor::Spec spec;
    ASSERT_FALSE(supervisor::parse_spec(text, spec).has_value());
    EXPECT_EQ(spec.nproc_per_node, 4);
    EXPECT_EQ(spec.rank_offset, 1);
    EXPECT_TRUE(spec.emulated);
    EXPECT_STREQ(spec.resume_dir, "/r");
    std::vector<std::string> variables(spec.environment.all().begin(), spec.environment.all().end());
    EXPECT_EQ(variables, (std::vector<std::string>{"HOME=/h", "LANG=C.UTF-8", "TMPDIR=/tmp", "PATH=/mine"}));
}

TEST(MeterSlices, AreTheSameForWhoeverCutsThem) {
    const ports::MeterInterval running{.from_s = 100, .to_s = 165};
    const ports::MeterInterval over{.from_s = 100, .to_s = 165, .final = true};
    const std::vector<ports::MeterSlice> whole{{.seq = 1, .from_s = 100, .to_s = 130}, {.seq = 2, .from_s = 130, .to_s = 160}};
    EXPECT_EQ(ports::meter_slices(running, 30, 0, 10), whole);
    EXPECT_EQ(ports::meter_slices(over, 30, 2, 10), (std::vector<ports::MeterSlice>{{.seq = 3, .from_s = 160, .to_s = 165}}));
    EXPECT_TRUE(ports::meter_slices(over, 30, 3, 10).empty());
    EXPECT_EQ(ports::meter_slices(over, 30, 0, 1).size(), 1U);
}

}  // namespace
}  // namespace weir::site_process
