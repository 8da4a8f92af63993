// Goal: an order becomes processes once, whoever dies in between; nobody is left behind, nobody sees what is not his.
// Method: real sites below temporary roots with the real supervisor. Each test is run in the plain and in the sandboxed form
// where this host permits the latter; as root each site has users of its own.
#include "adapters/site_process/process_site.hpp"

#include "adapters/task_files/disk.hpp"
#include "adapters/task_files/manifest.hpp"
#include "adapters/task_files/task_folder.hpp"
#include "base/random.hpp"
#include "supervisor/call_filter.hpp"
#include "supervisor/processes.hpp"
#include "supervisor/test_rig.hpp"

#include <sys/epoll.h>

namespace tl {

template <class T>
void PrintTo(const expected<T, weir::ports::BackendError>& result, std::ostream* out) {
    *out << (result ? "a value" : result.error().message);
}

}  // namespace tl

namespace weir::site_process {
namespace {

namespace fs = std::filesystem;
using ports::EndReason;
using ports::StartOutcome;
using ports::TaskState;
using supervisor::eventually;
using supervisor::process_lives;
using supervisor::slurp;

/// Users that no other run of these tests has.
uid_t fresh_users() {
    static uid_t next = 0;
    return 1'000'000 + static_cast<uid_t>(getpid()) * 1024 + 16 * next++;
}

ports::BootInstant in_s(std::int64_t length_s) { return {supervisor::boot_now_ns() + length_s * 1'000'000'000}; }

struct Site {
    explicit Site(bool sandbox) {
        std::string name = (fs::temp_directory_path() / "weir-site-XXXXXX").string();
        base = mkdtemp(name.data());
        chmod(base.c_str(), 0755);
        const auto first = fresh_users();
        config = {.root = base / "root", .supervisor = WEIR_SUPERVISOR, .users_lock = base / "lock", .sandbox = sandbox};
        if (geteuid() == 0) {
            config.site_owner = {.uid = first, .gid = first};
            config.users = {.first = first + 1, .count = 8};
        }
        open();
    }
    ~Site() {
        if (backend) {
            for (const auto& task : backend->observe().value()) {
                (void)backend->fence(task.key.job, task.key.generation);
                (void)eventually([&] { return look(task.key).state == TaskState::ended; });
                (void)backend->forget(task.key);
            }
        }
        backend.reset();
        std::error_code ignored;
        fs::remove_all(base, ignored);
    }
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    void open() {
        auto opened = ProcessSite::open(config);
        ASSERT_TRUE(opened.has_value()) << opened.error().message;
        backend = std::move(*opened);
    }
    /// What kill -9 does to an agent: everything that it remembers is gone.
    void crash() {
        backend.reset();
        open();
    }

    [[nodiscard]] ports::TaskObserved look(const ports::TaskKey& key) const {
        for (const auto& task : backend->observe().value()) {
            if (task.key == key) return task;
        }
        return {};
    }
    [[nodiscard]] ports::TaskObserved await_end(const ports::TaskKey& key) const {
        ports::TaskObserved task;
        EXPECT_TRUE(eventually([&] {
            task = look(key);
            return task.state == TaskState::ended;
        }));
        return task;
    }
    [[nodiscard]] std::string log(const ports::TaskKey& key, ports::LogStream stream = ports::LogStream::out) const {
        const auto chunk = backend->read_log(key, 0, stream, 0, 1 << 20);
        return chunk ? chunk->bytes : chunk.error().message;
    }
    /// Waits until the task has printed so many whole lines; the first of them.
    [[nodiscard]] std::string await_line(const ports::TaskKey& key, int lines = 1) const {
        std::string text;
        EXPECT_TRUE(eventually([&] {
            text = log(key);
            return std::count(text.begin(), text.end(), '\n') >= lines;
        })) << log(key, ports::LogStream::err);
        return text.substr(0, text.find('\n'));
    }
    /// Everybody below a task's supervisor.
    [[nodiscard]] std::vector<supervisor::Process> family(const ports::TaskKey& key) const {
        supervisor::ProcessTable table;
        EXPECT_TRUE(table.read());
        const auto found = table.keep_descendants(supervisor_of(key));
        return {found.begin(), found.end()};
    }
    [[nodiscard]] fs::path folder(const ports::TaskKey& key) const {
        return fs::path{config.root} / "tasks" / key.job / std::to_string(key.generation) / std::to_string(key.node_rank);
    }
    [[nodiscard]] pid_t supervisor_of(const ports::TaskKey& key) const {
        supervisor::Status status;
        EXPECT_TRUE(supervisor::parse_status(slurp(folder(key) / "status"), status));
        return static_cast<pid_t>(status.supervisor_pid);
    }

    fs::path base;
    SiteConfig config;
    std::unique_ptr<ProcessSite> backend;
};

ports::TaskSpec task(const std::string& run, const std::string& job = "job-1") {
    return {.key = {.job = job, .generation = 1}, .project = "lab", .run = run, .kill_grace_s = 0, .lease_deadline = in_s(3600)};
}

// Waits for ever without a process of its own.
const std::string wait = "mkfifo $TMPDIR/never; echo up; while :; do read x <> $TMPDIR/never; done";

// A daemon with a session of its own and no parent, deaf, and (with `env -i`) without the marker. It prints its pid.
std::string daemon(const std::string& how) {
    return "mkfifo -m 666 $TMPDIR/never; export T=$TMPDIR; (setsid " + how +
           " sh -c 'trap \"\" TERM HUP; (trap \"\" TERM HUP; sh -c \"echo \\$PPID\"; while :; do read x <> \"$0\"; done) &' $TMPDIR/never "
           "&); ";
}

class ProcessSites : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override {
        if (!GetParam()) return;
        Site probe{true};
        if (!probe.backend->capabilities().sandbox) GTEST_SKIP() << probe.backend->capabilities().isolation[1];
    }
};

INSTANTIATE_TEST_SUITE_P(Forms, ProcessSites, ::testing::Bool(), [](const auto& info) { return info.param ? "Sandboxed" : "Plain"; });

TEST_P(ProcessSites, ATaskRunsPrintsAndEnds) {
    Site site{GetParam()};
    auto order = task("echo rank $RANK of $WORLD_SIZE; echo oops >&2; pwd; exit 5");
    order.processes_per_node = 2;
    order.world_size = 2;
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    const auto seen = site.await_end(order.key);
    EXPECT_EQ(seen.reason, EndReason::exited);
    EXPECT_EQ(seen.exit_code, 5);
    EXPECT_EQ(seen.project, "lab");
    EXPECT_TRUE(seen.meter.final);
    EXPECT_EQ(seen.meter.from_s, seen.started_at_s);
    ASSERT_EQ(seen.exits.size(), 2U);
    EXPECT_EQ(site.log(order.key, ports::LogStream::err), "oops\n");
    const auto chunk = site.backend->read_log(order.key, 1, ports::LogStream::out, 5, 6);
    ASSERT_TRUE(chunk.has_value());
    EXPECT_EQ(chunk->bytes, "1 of 2");
    EXPECT_TRUE(chunk->final);
    EXPECT_TRUE(site.log(order.key).ends_with("/work\n"));
}

TEST_P(ProcessSites, ARepeatedStartIsHarmlessAndAChangedOneIsRefused) {
    Site site{GetParam()};
    auto order = task("echo once >> $WEIR_OUTPUT_DIR/runs; " + wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_line(order.key), "up");
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_running);
    auto changed = order;
    changed.run += " ";
    EXPECT_EQ(site.backend->start(changed).error().fault, BackendFault::differs);
    ASSERT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(site.await_end(order.key).reason, EndReason::stopped);
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_ended);
    EXPECT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(slurp(site.backend->outputs_path(order.key) + "/runs"), "once\n");
}

TEST_P(ProcessSites, AfterAnAgentsDeathItsTasksAreFoundAgain) {
    Site site{GetParam()};
    const auto order = task(wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_line(order.key), "up");
    const auto before = site.look(order.key);
    site.crash();
    const auto after = site.look(order.key);
    EXPECT_EQ(after.state, TaskState::running);
    EXPECT_EQ(after.started_at_s, before.started_at_s);
    EXPECT_GE(after.meter.to_s, before.meter.to_s);
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_running);
    EXPECT_TRUE(site.backend->renew_lease(order.key, in_s(7200)).has_value());
    ASSERT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(site.await_end(order.key).reason, EndReason::stopped);
}

TEST_P(ProcessSites, WhatEndedWhileNoAgentLookedIsTold) {
    Site site{GetParam()};
    const auto order = task("exit 3");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    site.backend.reset();
    site.open();
    EXPECT_EQ(site.await_end(order.key).exit_code, 3);
}

TEST_P(ProcessSites, WhenTheSupervisorIsKilledNobodyIsLeft) {
    Site site{GetParam()};
    const auto order = task(daemon("") + "echo up; while :; do read x <> $TMPDIR/never; done");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_line(order.key, 2);
    const auto supervisor = site.supervisor_of(order.key);
    const auto family = site.family(order.key);
    ASSERT_GE(family.size(), 3U);
    kill(supervisor, SIGKILL);
    ASSERT_TRUE(eventually([&] { return !process_lives(supervisor); }));
    const auto seen = site.await_end(order.key);
    EXPECT_EQ(seen.reason, EndReason::supervisor_lost);
    EXPECT_TRUE(seen.meter.final);
    for (const auto& process : family) EXPECT_TRUE(eventually([&] { return !process_lives(process.pid); })) << process.pid;
    // It stays told, by another agent as well.
    site.crash();
    EXPECT_EQ(site.look(order.key).reason, EndReason::supervisor_lost);
}

// Whoever of a task is killed, the supervisor among them, alone or together with the agent: the task ends, its end is told
// once and for all, and nobody is left.
TEST_P(ProcessSites, WhoeverIsKilledTheTaskEndsWhole) {
    constexpr int rounds = 12;
    Random random{7, "whoever is killed"};
    Site site{GetParam()};
    for (int round = 0; round < rounds; ++round) {
        auto order = task(daemon("") + "echo up; while :; do read x <> $TMPDIR/never; done", "job-" + std::to_string(round));
        order.kill_grace_s = static_cast<std::int64_t>(random.below(2));
        ASSERT_EQ(site.backend->start(order), StartOutcome::started);
        (void)site.await_line(order.key, 2);
        auto victims = site.family(order.key);
        victims.push_back(*supervisor::read_process(site.supervisor_of(order.key)));
        const auto& victim = victims[random.below(victims.size())];
        kill(victim.pid, SIGKILL);
        if (random.chance(1, 2)) site.crash();
        const bool daemon_died = victim.session != site.supervisor_of(order.key);
        if (daemon_died) EXPECT_TRUE(site.backend->stop(order.key).has_value());  // without which the task goes on
        const auto seen = site.await_end(order.key);
        for (const auto& process : victims) {
            EXPECT_TRUE(eventually([&] { return !process_lives(process.pid); })) << "round " << round << " pid " << process.pid;
        }
        EXPECT_TRUE(seen.meter.final);
        site.crash();
        EXPECT_EQ(site.look(order.key).reason, seen.reason);
        EXPECT_EQ(site.look(order.key).meter, seen.meter);
    }
}

TEST_P(ProcessSites, EvenADaemonThatHidesIsFoundByItsUser) {
    if (geteuid() != 0) GTEST_SKIP() << "needs users of its own";
    Site site{GetParam()};
    site.config.limits = false;  // or its cgroup would give it away
    site.crash();
    const auto order = task(daemon("env -i"));
    auto other = task(wait, "job-2");
    other.project = "other";
    ASSERT_EQ(site.backend->start(other), StartOutcome::started);
    auto hidden = order;
    hidden.run += "while :; do read x <> $TMPDIR/never; done";
    ASSERT_EQ(site.backend->start(hidden), StartOutcome::started);
    (void)site.await_line(hidden.key);
    const auto supervisor = site.supervisor_of(hidden.key);
    const auto family = site.family(hidden.key);
    kill(supervisor, SIGKILL);
    ASSERT_TRUE(eventually([&] { return !process_lives(supervisor); }));
    EXPECT_EQ(site.await_end(hidden.key).reason, EndReason::supervisor_lost);
    for (const auto& process : family) EXPECT_TRUE(eventually([&] { return !process_lives(process.pid); })) << process.pid;
    EXPECT_EQ(site.look(other.key).state, TaskState::running);  // another project's processes are left alone
}

TEST_P(ProcessSites, ALeaseThatEndsEndsTheTaskAndARenewedOneDoesNot) {
    Site site{GetParam()};
    // A busy machine may not come to the renewal in time: then it is tried again with a lease twice as long.
    std::int64_t lease_ns = 700'000'000;
    for (int attempt = 0;; ++attempt, lease_ns *= 2) {
        ASSERT_LT(attempt, 7);
        const auto name = std::to_string(attempt);
        auto order = task(wait, "ends-" + name);
        auto renewed = task(wait, "renewed-" + name);
        renewed.lease_deadline = order.lease_deadline = {supervisor::boot_now_ns() + lease_ns};
        (void)site.backend->start(renewed);
        if (!site.backend->renew_lease(renewed.key, in_s(3600)).has_value()) continue;
        if (!site.backend->renew_lease(renewed.key, {1}).has_value()) continue;  // a late message
        if (supervisor::boot_now_ns() >= order.lease_deadline.ns) continue;
        (void)site.backend->start(order);
        EXPECT_EQ(site.await_end(order.key).reason, EndReason::lease_ended);
        EXPECT_GE(supervisor::boot_now_ns(), order.lease_deadline.ns);
        EXPECT_EQ(site.look(renewed.key).state, TaskState::running);
        EXPECT_EQ(site.backend->renew_lease(order.key, in_s(3600)).error().fault, BackendFault::ended);
        return;
    }
}

TEST_P(ProcessSites, ALeaseInThePastStartsNothing) {
    Site site{GetParam()};
    auto order = task("touch $WEIR_OUTPUT_DIR/ran");
    order.lease_deadline = {supervisor::boot_now_ns()};
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_ended);
    EXPECT_EQ(site.look(order.key).reason, EndReason::lease_ended);
    EXPECT_FALSE(fs::exists(site.backend->outputs_path(order.key) + "/ran"));
}

TEST_P(ProcessSites, AFenceEndsOldGenerationsAndKeepsThemFromStarting) {
    Site site{GetParam()};
    auto first = task("trap '' TERM; " + wait);
    first.kill_grace_s = 86'400;
    ASSERT_EQ(site.backend->start(first), StartOutcome::started);
    EXPECT_EQ(site.await_line(first.key), "up");
    ASSERT_TRUE(site.backend->fence("job-1", 2).has_value());
    EXPECT_EQ(site.await_end(first.key).reason, EndReason::stopped);
    auto second = task("true");
    second.key.generation = 2;
    EXPECT_EQ(site.backend->start(second).error().fault, BackendFault::fenced);
    site.crash();
    EXPECT_EQ(site.backend->start(second).error().fault, BackendFault::fenced);
    ASSERT_TRUE(site.backend->fence("job-1", 1).has_value());  // a late message lowers nothing
    EXPECT_EQ(site.backend->start(second).error().fault, BackendFault::fenced);
    auto third = task("true");
    third.key.generation = 3;
    EXPECT_EQ(site.backend->start(third), StartOutcome::started);
    EXPECT_EQ(site.await_end(third.key).exit_code, 0);
}

TEST_P(ProcessSites, AnEndIsReadOnceAndIsTheSameToAnAgentThatStartsAnew) {
    Site site{GetParam()};
    const auto order = task("exit 3");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    const auto end = site.await_end(order.key);
    EXPECT_EQ(end.exit_code, 3);
    fs::rename(site.folder(order.key) / "status", site.folder(order.key) / "away");
    const auto remembered = site.look(order.key);
    EXPECT_EQ(std::tie(remembered.state, remembered.exit_code, remembered.meter), std::tie(end.state, end.exit_code, end.meter));
    fs::rename(site.folder(order.key) / "away", site.folder(order.key) / "status");
    site.crash();
    const auto anew = site.look(order.key);
    EXPECT_EQ(std::tie(anew.state, anew.exit_code, anew.meter), std::tie(end.state, end.exit_code, end.meter));
}

TEST_P(ProcessSites, AForgottenTaskIsGoneAndNeverComesBack) {
    Site site{GetParam()};
    const auto order = task("mkdir -p $WEIR_OUTPUT_DIR/a/b; ln -s / $WEIR_OUTPUT_DIR/a/root; chmod 0 $WEIR_OUTPUT_DIR/a/b");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_end(order.key).exit_code, 0);
    ASSERT_TRUE(site.backend->forget(order.key).has_value());
    EXPECT_TRUE(site.backend->observe()->empty());
    EXPECT_FALSE(fs::exists(site.folder(order.key)));
    site.backend->await_removal();
    EXPECT_TRUE(fs::is_empty(fs::path{site.config.root} / removed_folder));
    EXPECT_TRUE(fs::exists("/etc"));
    EXPECT_EQ(site.backend->start(order).error().fault, BackendFault::fenced);
    EXPECT_EQ(site.backend->forget(order.key).error().fault, BackendFault::not_found);
}

TEST_P(ProcessSites, ARunningTaskIsNotForgotten) {
    Site site{GetParam()};
    const auto order = task(wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.backend->forget(order.key).error().fault, BackendFault::refused);
    EXPECT_EQ(site.look(order.key).state, TaskState::running);
}

TEST_P(ProcessSites, SignalsAndCheckpointRequestsReachTheTask) {
    Site site{GetParam()};
    auto order = task("trap 'cat $WEIR_CHECKPOINT_DIR/REQUEST >> $WEIR_OUTPUT_DIR/asked' USR1; trap 'exit 21' USR2; " + wait);
    order.checkpoint_signal = SIGUSR1;
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_line(order.key), "up");
    ASSERT_TRUE(site.backend->request_checkpoint(order.key).has_value());
    EXPECT_TRUE(eventually([&] { return slurp(site.backend->outputs_path(order.key) + "/asked") == "1\n"; }));
    EXPECT_EQ(site.look(order.key).checkpoint_requests, 1);
    EXPECT_EQ(site.backend->signal(order.key, 0).error().fault, BackendFault::invalid);
    ASSERT_TRUE(site.backend->signal(order.key, SIGUSR2).has_value());
    EXPECT_EQ(site.await_end(order.key).exit_code, 21);
    EXPECT_EQ(site.backend->signal(order.key, SIGUSR2).error().fault, BackendFault::ended);
    EXPECT_EQ(site.backend->request_checkpoint(order.key).error().fault, BackendFault::ended);
}

TEST_P(ProcessSites, ACheckpointGoesFromOneSiteToTheNextGenerationAtAnother) {
    Site from{GetParam()};
    Site to{GetParam()};
    const auto first = task("mkdir $WEIR_CHECKPOINT_DIR/.tmp-1; echo learned > $WEIR_CHECKPOINT_DIR/.tmp-1/weights; "
                            "mv $WEIR_CHECKPOINT_DIR/.tmp-1 $WEIR_CHECKPOINT_DIR/step-1");
    ASSERT_EQ(from.backend->start(first), StartOutcome::started);
    (void)from.await_end(first.key);
    ASSERT_EQ(from.backend->list_checkpoints(first.key)->at(0).name, "step-1");
    ports::Unhindered unhindered;
    const auto checkpoint = from.backend->inspect_checkpoint(first.key, "step-1", unhindered);
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;

    auto second = task("cat $WEIR_RESUME_DIR/weights; rm -f $WEIR_RESUME_DIR/nothing");
    second.key.generation = 2;
    second.resume = "step-1";
    EXPECT_EQ(to.backend->start(second).error().fault, BackendFault::not_found);
    const auto fetch = [&](const ports::ManifestEntry& entry, int descriptor) -> BackendResult<void> {
        const Fd source{WEIR_TRY(from.backend->open_checkpoint_file(first.key, "step-1", entry.path))};
        char room[4096];
        const auto got = read(source.get(), room, sizeof room);
        (void)supervisor::write_all(descriptor, {room, static_cast<std::size_t>(got)});
        return {};
    };
    ASSERT_TRUE(to.backend->install_checkpoint(second.key, "lab", *checkpoint, fetch, unhindered).has_value());
    EXPECT_EQ(to.backend->install_checkpoint(second.key, "other", *checkpoint, fetch, unhindered).error().fault, BackendFault::differs);
    ASSERT_EQ(to.backend->start(second), StartOutcome::started);
    EXPECT_EQ(to.await_end(second.key).exit_code, 0);
    EXPECT_EQ(to.log(second.key), "learned\n");
    EXPECT_EQ(to.backend->install_checkpoint(second.key, "lab", *checkpoint, fetch, unhindered).error().fault, BackendFault::ended);
}

TEST_P(ProcessSites, NobodyReadsWhatIsAnotherSitesOrAnotherProjects) {
    if (geteuid() != 0) GTEST_SKIP() << "without root all tasks are the same user";
    Site here{GetParam()};
    Site there{GetParam()};
    const auto secret = task("echo secret > $WEIR_OUTPUT_DIR/secret; chmod -R 777 $WEIR_OUTPUT_DIR");
    ASSERT_EQ(there.backend->start(secret), StartOutcome::started);
    (void)there.await_end(secret.key);
    ASSERT_EQ(here.backend->start(secret), StartOutcome::started);
    (void)here.await_end(secret.key);

    const auto far = there.backend->outputs_path(secret.key);
    const auto near = here.backend->outputs_path(secret.key);
    ASSERT_EQ(slurp(far + "/secret"), "secret\n");
    auto thief =
        task("cat " + far + "/secret " + there.config.root + "/users " + here.config.root + "/users " + here.folder(secret.key).string() +
                 "/spec; ls " + there.config.root + " " + here.config.root + "/tasks; echo done",
             "thief");
    thief.project = "other";
    ASSERT_EQ(here.backend->start(thief), StartOutcome::started);
    EXPECT_EQ(here.await_end(thief.key).exit_code, 0);
    const auto found = here.log(thief.key);
    EXPECT_EQ(found.find("secret"), std::string::npos) << found;
    EXPECT_EQ(found.find("job-1"), std::string::npos) << found;
    EXPECT_TRUE(found.ends_with("done\n")) << found;
    if (GetParam()) {
        auto neighbour = task("cat " + near + "/secret; echo done", "neighbour");
        neighbour.project = "other";
        ASSERT_EQ(here.backend->start(neighbour), StartOutcome::started);
        EXPECT_EQ(here.await_end(neighbour.key).exit_code, 0);
        EXPECT_EQ(here.log(neighbour.key), "done\n");
    }
}

TEST_P(ProcessSites, TheTenantIsTheProjectsUser) {
    if (geteuid() != 0) GTEST_SKIP() << "needs users of its own";
    Site site{GetParam()};
    auto a = task("id -u; id -g; id -G", "a");
    auto b = task("id -u", "b");
    b.project = "other";
    ASSERT_EQ(site.backend->start(a), StartOutcome::started);
    ASSERT_EQ(site.backend->start(b), StartOutcome::started);
    (void)site.await_end(a.key);
    (void)site.await_end(b.key);
    const auto first = std::to_string(site.config.users.first);
    const auto group = std::to_string(site.config.site_owner.gid);
    EXPECT_EQ(site.log(a.key), first + "\n" + group + "\n" + group + "\n");
    EXPECT_EQ(site.log(b.key), std::to_string(site.config.users.first + 1) + "\n");
}

TEST_P(ProcessSites, AsRootWithoutUsersNothingIsStarted) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Site site{GetParam()};
    site.config.users = {};
    site.crash();
    const auto started = site.backend->start(task("true"));
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().fault, BackendFault::refused);
    EXPECT_NE(started.error().message.find("tenant code as root is refused"), std::string::npos);
    EXPECT_TRUE(site.backend->observe()->empty());
}

TEST_P(ProcessSites, AnOrderThatIsWrongLeavesNoTrace) {
    Site site{GetParam()};
    const auto wrong = [&](const std::function<void(ports::TaskSpec&)>& change, BackendFault fault) {
        auto order = task("true");
        change(order);
        const auto started = site.backend->start(order);
        ASSERT_FALSE(started.has_value());
        EXPECT_EQ(started.error().fault, fault) << started.error().message;
    };
    wrong([](auto& order) { order.key.job = "../escape"; }, BackendFault::invalid);
    wrong([](auto& order) { order.key.generation = 0; }, BackendFault::invalid);
    wrong([](auto& order) { order.project = ""; }, BackendFault::invalid);
    wrong([](auto& order) { order.run = ""; }, BackendFault::invalid);
    wrong([](auto& order) { order.run = std::string{"a\0b", 3}; }, BackendFault::invalid);
    wrong([](auto& order) { order.environment["RANK"] = "0"; }, BackendFault::invalid);
    wrong([](auto& order) { order.environment["A B"] = "0"; }, BackendFault::invalid);
    wrong([](auto& order) { order.processes_per_node = 2; }, BackendFault::invalid);
    wrong([](auto& order) { order.memory_mib = -1; }, BackendFault::invalid);
    wrong([](auto& order) { order.kill_grace_s = -1; }, BackendFault::invalid);
    wrong([](auto& order) { order.workdir = "/root"; }, BackendFault::refused);
    wrong([](auto& order) { order.read_only_paths = {"relative"}; }, BackendFault::refused);
    EXPECT_TRUE(site.backend->observe()->empty());
    EXPECT_TRUE(fs::is_empty(site.config.root + "/tasks"));
}

TEST_P(ProcessSites, OnlyWhatTheSiteSharesIsSeen) {
    Site site{GetParam()};
    fs::create_directories(site.base / "shared/program");
    fs::create_directories(site.base / "private");
    std::ofstream(site.base / "shared/program/run.sh") << "echo from the shared program; pwd\n";
    fs::create_directory_symlink(site.base / "private", site.base / "shared/way-out");
    site.config.shared_paths = {(site.base / "shared").string()};
    site.crash();
    auto order = task("sh run.sh; touch $PWD/mine");
    order.workdir = (site.base / "shared/program").string();
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_end(order.key);
    EXPECT_EQ(site.log(order.key), "from the shared program\n" + order.workdir + "\n");
    if (GetParam() || geteuid() == 0) EXPECT_FALSE(fs::exists(site.base / "shared/program/mine"));
    auto escape = task("true", "escape");
    escape.workdir = (site.base / "shared/way-out").string();
    EXPECT_EQ(site.backend->start(escape).error().fault, BackendFault::refused);
    escape.workdir = (site.base / "shared/../private").string();
    EXPECT_EQ(site.backend->start(escape).error().fault, BackendFault::refused);
}

TEST_P(ProcessSites, TheEndOfATaskWakesWhoeverWaits) {
    Site site{GetParam()};
    const auto order = task(wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    pollfd source{.fd = site.backend->change_descriptor(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&source, 1, 0), 0);
    ASSERT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(poll(&source, 1, supervisor::patience_ms), 1);
    EXPECT_EQ(site.look(order.key).state, TaskState::ended);
    EXPECT_EQ(poll(&source, 1, 0), 0);
}

TEST_P(ProcessSites, WhoNeedsMoreMemoryThanItAskedForIsToldSo) {
    Site site{GetParam()};
    if (!site.backend->capabilities().memory_limit) GTEST_SKIP() << site.backend->capabilities().isolation[2];
    auto order = task("exec python3 -c 'print(len(bytearray(400 << 20)))'");
    order.memory_mib = 64;
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    const auto seen = site.await_end(order.key);
    EXPECT_EQ(seen.reason, EndReason::out_of_memory);
    EXPECT_EQ(seen.exit_code, 128 + SIGKILL);
    EXPECT_NE(seen.detail.find("more memory"), std::string::npos);
}

TEST_P(ProcessSites, AForkBombStaysSmallAndDies) {
    Site site{GetParam()};
    if (!site.backend->capabilities().process_limit) GTEST_SKIP() << site.backend->capabilities().isolation[2];
    auto order = task("echo up; f() { f & f; }; f 2>/dev/null; while :; do f; done 2>/dev/null");
    order.processes_max = 64;
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_line(order.key), "up");
    ASSERT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(site.await_end(order.key).state, TaskState::ended);
}

TEST_P(ProcessSites, NoLimitOfATaskOutlivesIt) {
    Site site{GetParam()};
    if (!site.backend->capabilities().process_limit) GTEST_SKIP() << site.backend->capabilities().isolation[2];
    const auto order = task("cat /proc/self/cgroup");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_end(order.key);
    const auto spec = slurp(site.folder(order.key) / "spec");
    const auto at = spec.find("cgroup=/");
    ASSERT_NE(at, std::string::npos);
    const std::string group = spec.c_str() + at + 7;
    EXPECT_FALSE(fs::exists(group)) << group;
}

TEST(ProcessSiteSandbox, SeesOnlyItsOwnProcessesAndAPrivateTmp) {
    Site site{true};
    if (!site.backend->capabilities().sandbox) GTEST_SKIP() << site.backend->capabilities().isolation[1];
    const auto outside = site.base / "outside";
    std::ofstream{outside} << "of the host";
    chmod(outside.c_str(), 0644);
    const auto order = task("ls /proc | grep -c '^[0-9]'; touch /tmp/mine /dev/shm/mine && ls /tmp | grep mine; "
                            "touch /usr/mine /etc/mine 2>/dev/null || echo no; unshare -U true 2>/dev/null || echo shut; ls " +
                            site.config.root + " 2>/dev/null; cat " + outside.string());
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_end(order.key).reason, EndReason::exited);
    const auto text = site.log(order.key);
    EXPECT_EQ(text.substr(text.find('\n')), "\nmine\nno\nshut\ntasks\n") << site.log(order.key, ports::LogStream::err);
    EXPECT_LE(std::stoi(text), 4);
    EXPECT_FALSE(fs::exists("/tmp/mine"));
}

TEST(ProcessSite, TwoAgentsDoNotShareARoot) {
    Site site{false};
    const auto second = ProcessSite::open(site.config);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().fault, BackendFault::unavailable);
}

TEST(ProcessSite, AnUnbegunTaskCanBeStoppedForGood) {
    Site site{false};
    auto order = task("true");
    site.config.supervisor = "/bin/false";  // stands for an agent that died before its supervisor ran
    site.crash();
    EXPECT_EQ(site.backend->start(order).error().fault, BackendFault::unavailable);
    EXPECT_EQ(site.look(order.key).state, TaskState::starting);
    site.config.supervisor = WEIR_SUPERVISOR;
    site.crash();
    ASSERT_TRUE(site.backend->stop(order.key).has_value());
    EXPECT_EQ(site.look(order.key).reason, EndReason::stopped);
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_ended);
}

TEST(ProcessSite, AnUnbegunTaskIsBegunByTheNextStart) {
    Site site{false};
    auto order = task("exit 6");
    site.config.supervisor = "/bin/false";
    site.crash();
    EXPECT_FALSE(site.backend->start(order).has_value());
    EXPECT_FALSE(site.look(order.key).begun);
    site.config.supervisor = WEIR_SUPERVISOR;
    site.crash();
    EXPECT_FALSE(site.look(order.key).begun);
    EXPECT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_TRUE(site.look(order.key).begun);
    EXPECT_EQ(site.await_end(order.key).exit_code, 6);
}

TEST(ProcessSite, ATaskOfAnotherBootIsOver) {
    Site site{false};
    const auto order = task(wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_line(order.key), "up");
    kill(site.supervisor_of(order.key), SIGKILL);
    ASSERT_TRUE(eventually(
        [&] { return !supervisor::is_locked(open_folder(AT_FDCWD, ".") ? AT_FDCWD : -1, (site.folder(order.key) / "lock").c_str()); }));
    auto text = slurp(site.folder(order.key) / "status");
    const auto at = text.find("boot_id ");
    text.replace(at + 8, 8, "00000000");
    std::ofstream(site.folder(order.key) / "status") << text;
    EXPECT_EQ(site.look(order.key).reason, EndReason::host_restarted);
}

TEST(ProcessSite, DeclaredCardsAreLabelledAsEmulated) {
    Site site{false};
    site.config.emulated = {{.node = "n1", .model = "Ascend910B3", .stack = ports::CardStack::cann, .memory_mib = 65536, .count = 2},
                            {.node = "n1", .model = "cpu", .memory_mib = 1024, .count = 1},
                            {.node = "n2", .model = "Ascend910B3", .stack = ports::CardStack::cann, .memory_mib = 65536, .count = 1}};
    site.crash();
    const auto inventory = site.backend->inventory();
    ASSERT_TRUE(inventory.has_value());
    ASSERT_EQ(inventory->cards.size(), 4U);
    for (const auto& card : inventory->cards) EXPECT_TRUE(card.emulated);
    EXPECT_EQ(inventory->cards[2].index, 1);
    EXPECT_EQ(inventory->cards[3].node, "n2");
    EXPECT_EQ(inventory->cards[3].index, 0);
    EXPECT_GT(inventory->milli_cpus, 0);
    auto order = task("echo $WEIR_CARDS_EMULATED $ASCEND_RT_VISIBLE_DEVICES $WEIR_NPROC_PER_NODE");
    order.stack = ports::CardStack::cann;
    order.cards = {0, 1};
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_end(order.key);
    EXPECT_EQ(site.log(order.key), "1 0,1 2\n");
}

TEST(ProcessSite, DetectedCardsComeFromTheTools) {
    Site site{false};
    fs::create_directories(site.base / "bin");
    const auto install = [&](const std::string& name, const std::string& script) {
        std::ofstream(site.base / "bin" / name) << "#!/bin/sh\n" << script << "\n";
        fs::permissions(site.base / "bin" / name, fs::perms::all);
    };
    const std::string path = getenv("PATH");
    setenv("PATH", ((site.base / "bin").string() + ":" + path).c_str(), 1);
    install("nvidia-smi", "[ \"$1\" = --query-gpu=index,name,memory.total,uuid ] && echo '0, NVIDIA H20, 97871, GPU-1'");
    install("npu-smi", "exit 3");
    auto inventory = site.backend->inventory();
    ASSERT_EQ(inventory->cards.size(), 1U);
    EXPECT_EQ(inventory->cards[0].model, "NVIDIA H20");
    EXPECT_FALSE(inventory->cards[0].emulated);
    EXPECT_EQ(inventory->remarks, std::vector<std::string>{"npu-smi exited with 3; run it by hand"});

    install("nvidia-smi", "while :; do read x; done < /dev/zero");
    site.config.tool_deadline_ms = 200;
    site.crash();
    inventory = site.backend->inventory();
    setenv("PATH", path.c_str(), 1);
    EXPECT_TRUE(inventory->cards.empty());
    EXPECT_EQ(inventory->remarks[0], "nvidia-smi did not answer within 200 ms; look at its driver");
}

TEST_P(ProcessSites, WhatATaskHasWrittenIsMeasuredByBlocks) {
    Site site{GetParam()};
    const auto order = task("head -c 8388608 /dev/zero > big; truncate -s 30G hole; ln big twin; mkdir -p a/b; "
                            "head -c 1048576 /dev/zero > a/b/more; ln -s /usr elsewhere");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_end(order.key);
    const auto use = site.backend->measure_task(order.key);
    ASSERT_TRUE(use.has_value()) << use.error().message;
    EXPECT_TRUE(use->whole);
    EXPECT_GE(use->bytes, 9 << 20);
    EXPECT_LE(use->bytes, 11 << 20) << "neither the hole nor the second name nor what a link leads to";
}

TEST_P(ProcessSites, EmptyFilesAreCountedTooAndALookAtTooManyEnds) {
    Site site{GetParam()};
    const auto order = task("i=0; while [ $i -lt 300 ]; do : > $i || exit 1; i=$((i + 1)); done");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_end(order.key).exit_code, 0);
    const auto use = site.backend->measure_task(order.key);
    ASSERT_TRUE(use.has_value());
    EXPECT_GE(use->files, 300);
    EXPECT_GE(use->bytes, 300 * 4096);
    const Fd folder{::open(site.folder(order.key).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    EXPECT_EQ(disk_use(folder.get(), 50).files, 51);
}

TEST_P(ProcessSites, AnEndedTaskGivesBackItsWorkAndKeepsWhatIsAskedFor) {
    Site site{GetParam()};
    const auto order = task("echo printed; echo worked > file; echo put out > $WEIR_OUTPUT_DIR/file; chmod 0 .");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_end(order.key).exit_code, 0);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(site.backend->shed(order.key).has_value());
    for (const char* const gone : {work_folder, temporary_folder, resume_folder}) EXPECT_FALSE(fs::exists(site.folder(order.key) / gone));
    EXPECT_EQ(site.log(order.key), "printed\n");
    EXPECT_EQ(slurp(site.folder(order.key) / outputs_folder / "file"), "put out\n");
    EXPECT_EQ(site.look(order.key).state, TaskState::ended);
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_ended);
    const auto runs = task(wait, "job-2");
    ASSERT_EQ(site.backend->start(runs), StartOutcome::started);
    EXPECT_EQ(site.backend->shed(runs.key).error().fault, BackendFault::refused);
}

TEST_P(ProcessSites, ALeaseIsRenewedWhereThereIsNoRoomForAnotherFile) {
    Site site{GetParam()};
    const auto order = task(wait);
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    // What a full disk does: no other file can be written beside the lease.
    fs::create_directory(site.folder(order.key) / "lease.new");
    const auto until = in_s(7200);
    ASSERT_TRUE(site.backend->renew_lease(order.key, until).has_value());
    const auto lease = supervisor::parse_lease(slurp(site.folder(order.key) / supervisor::lease_file));
    ASSERT_TRUE(lease.has_value());
    EXPECT_EQ(lease->deadline_ns, until.ns);
    fs::remove(site.folder(order.key) / "lease.new");
}

TEST_P(ProcessSites, WhatLiesTooDeepIsSaidToBe) {
    Site site{GetParam()};
    const auto order = task("i=0; while [ $i -lt 70 ]; do mkdir d && cd d || exit 1; i=$((i + 1)); done");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    EXPECT_EQ(site.await_end(order.key).exit_code, 0);
    EXPECT_FALSE(site.backend->measure_task(order.key)->whole);
    ASSERT_TRUE(site.backend->forget(order.key).has_value());
    site.backend->await_removal();
    EXPECT_TRUE(fs::is_empty(fs::path{site.config.root} / removed_folder));
}

TEST_P(ProcessSites, NothingIsStartedBelowTheFloorOfTheDisk) {
    Site site{GetParam()};
    const auto order = task("true");
    ASSERT_EQ(site.backend->start(order), StartOutcome::started);
    (void)site.await_end(order.key);
    site.config.disk_floor_bytes = INT64_MAX / 2;
    site.crash();
    EXPECT_EQ(site.backend->start(order), StartOutcome::already_ended) << "what was ordered before stays what it is";
    auto late = task("true", "job-2");
    const auto refused = site.backend->start(late);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().fault, BackendFault::refused);
    EXPECT_NE(refused.error().message.find("nothing is started below"), std::string::npos);
    EXPECT_FALSE(fs::exists(site.folder(late.key)));
    const auto disk = site.backend->disk();
    ASSERT_TRUE(disk.has_value());
    EXPECT_LT(disk->free_bytes, disk->floor_bytes);
}

TEST(ProcessSite, CapabilitiesSayInWordsWhatIsAndIsNotEnforced) {
    Site site{false};
    site.config.limits = false;
    site.crash();
    const auto capabilities = site.backend->capabilities();
    EXPECT_EQ(capabilities.backend, "process");
    EXPECT_FALSE(capabilities.sandbox);
    EXPECT_FALSE(capabilities.memory_limit);
    ASSERT_EQ(capabilities.isolation.size(), 6U);
    EXPECT_NE(capabilities.isolation[1].find("no sandbox: switched off"), std::string::npos);
    EXPECT_NE(capabilities.isolation[2].find(supervisor::can_filter_calls() ? "can make no user namespaces" : "can make user namespaces"),
              std::string::npos);
    EXPECT_NE(capabilities.isolation[3].find("switched off"), std::string::npos);
}

}  // namespace
}  // namespace weir::site_process
