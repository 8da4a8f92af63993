#include "adapters/site_process/process_site.hpp"

#include "adapters/site_process/cards.hpp"
#include "adapters/task_files/lease.hpp"
#include "adapters/task_files/order.hpp"
#include "adapters/site_process/sandbox.hpp"
#include "adapters/site_process/sweep.hpp"
#include "adapters/task_files/task_folder.hpp"
#include "adapters/task_files/tool.hpp"
#include "adapters/site_process/users_claim.hpp"
#include "supervisor/call_filter.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>
#include <tuple>

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::site_process {
ProcessSite::ProcessSite(SiteConfig config)
    : FolderSite{config.root, {.cache_bytes_max = config.cache_bytes_max, .disk_floor_bytes = config.disk_floor_bytes}},
      config_{std::move(config)},
      as_root_{geteuid() == 0} {}

BackendResult<std::unique_ptr<ProcessSite>> ProcessSite::open(SiteConfig config) {
    std::unique_ptr<ProcessSite> site{new ProcessSite{std::move(config)}};
    WEIR_CHECK(site->prepare());
    return site;
}

ProcessSite::~ProcessSite() { cgroups_.remove_all(); }

BackendResult<void> ProcessSite::prepare() {
    if (!config_.root.starts_with('/') || !config_.supervisor.starts_with('/')) {
        return refuse(BackendFault::invalid, fmt::format("the site's root `{}` and supervisor `{}` must be absolute paths; write them so",
                                                         config_.root, config_.supervisor));
    }
    if (access(config_.supervisor.c_str(), X_OK) != 0) return fail(cannot("run the supervisor", config_.supervisor, errno));
    char boot_id[supervisor::boot_id_size + 1];
    supervisor::read_boot_id(boot_id);
    boot_id_ = boot_id;
    if (boot_id_.empty()) return fail(cannot("read", "the boot id of this host", errno));
    changes_ = Fd{epoll_create1(EPOLL_CLOEXEC)};
    if (!changes_) return fail(cannot("make", "an epoll descriptor", errno));
    WEIR_CHECK(check_shared_paths());
    WEIR_CHECK(prepare_root());
    WEIR_CHECK(prepare_users());
    prepare_isolation();
    return {};
}

BackendResult<void> ProcessSite::prepare_root() {
    const bool shared_group = as_root_ && config_.site_owner.gid != 0;
    // Tenants bear the site's group: they pass through to their own folders, and nobody of another site does.
    return open_root(as_root_ ? std::optional{config_.site_owner} : std::nullopt, shared_group ? 0710 : 0700);
}

BackendResult<void> ProcessSite::prepare_users() {
    users_ = std::make_unique<Users>(WEIR_TRY(Users::open(root_.get(), config_.users)));
    if (!as_root_ || config_.users.count == 0) return {};
    if (const auto outside = users_->find_outside()) {
        return refuse(
            BackendFault::refused,
            fmt::format("project {} has user {} by {}/users, and the site's users are {} from {} on: every start of its tasks would "
                        "be refused; give the site the users that it had, or, while no task runs here, remove the lines of "
                        "such projects from that file, and they get others",
                        outside->first, outside->second, config_.root, config_.users.count, config_.users.first));
    }
    auto claim = claim_users(config_.users_lock, config_.users, config_.root);
    if (!claim && claim.error().fault == BackendFault::refused) return fail(std::move(claim.error()));
    if (claim) {
        users_claim_ = std::move(*claim);
    } else {
        remarks_.push_back(fmt::format("whether another site of this host has the same users is not known: {}", claim.error().message));
    }
    return {};
}

BackendResult<void> ProcessSite::check_shared_paths() {
    for (const auto& path : config_.shared_paths) {
        if (!path.starts_with('/')) {
            return refuse(BackendFault::invalid, fmt::format("the shared path `{}` must be absolute; write it so", path));
        }
        // Readable by whoever is not the agent: that is for the tasks to find out, user by user.
        if (access(path.c_str(), R_OK) != 0) remarks_.push_back(cannot("read the shared path", path, errno).message);
    }
    return {};
}

void ProcessSite::prepare_isolation() {
    auto& texts = capabilities_.isolation;
    capabilities_.backend = "process";
    capabilities_.fractions = true;
    capabilities_.checkpoints_beside = true;
    const bool users_given = as_root_ && config_.users.count > 0;
    capabilities_.uid_per_project = users_given;
    if (users_given) {
        texts.push_back(fmt::format("each project runs under a user of its own, {} to {}", config_.users.first,
                                    config_.users.first + config_.users.count - 1));
    } else if (as_root_) {
        texts.emplace_back("the agent is root and has no range of users: every start is refused, tenant code never runs as root");
    } else {
        texts.push_back(
            fmt::format("the agent is not root: all tasks run as its own user {} and can reach each other's files and processes "
                        "outside a sandbox",
                        geteuid()));
    }
    const auto no_sandbox =
        config_.sandbox ? probe_sandbox(as_root_, config_.supervisor, config_.tool_deadline_ms) : std::string{"switched off for this site"};
    capabilities_.sandbox = no_sandbox.empty();
    texts.push_back(capabilities_.sandbox
                        ? "bubblewrap: read-only system, private /tmp and processes, the host's network"
                        : fmt::format("no sandbox: {}; a task sees the host's files and processes as its user does, and one "
                                      "that hides from its supervisor is found by cgroup, session, marker and user only",
                                      no_sandbox));
    texts.emplace_back(
        supervisor::can_filter_calls()
            ? "a task can make no user namespaces: a filter of system calls refuses them"
            : "this kernel takes no filters of system calls: a task can make user namespaces, in which it is root to more of "
              "the kernel");
    if (config_.limits) cgroups_ = Cgroups{fmt::format("weir-{:.12}", sha256(config_.root).text())};
    capabilities_.memory_limit = cgroups_.holds(Controller::memory);
    capabilities_.cpu_limit = cgroups_.holds(Controller::cpu);
    capabilities_.process_limit = cgroups_.holds(Controller::pids);
    const auto remark = config_.limits ? cgroups_.remark()
                                       : std::string{
                                             "control groups are switched off for this site: nothing limits memory, "
                                             "processor and processes"};
    texts.push_back(remark.empty() ? "control groups limit memory, processor and processes" : remark);
    texts.push_back(
        fmt::format("the disk is watched, not limited by the kernel: a task whose files take more than it may is stopped within "
                    "seconds of being seen, and nothing starts with less than {} MiB free",
                    config_.disk_floor_bytes >> 20));
    texts.emplace_back("the network is shared: tasks of one host can reach each other's ports");
}

// --- inventory ---------------------------------------------------------------------------------------------------------

namespace {

void detect(const std::vector<std::string>& tool, CardReading (*read)(std::string_view), int deadline_ms, ports::Inventory& inventory) {
    const auto answer = run_tool(tool, deadline_ms);
    const auto& name = tool.front();
    if (answer.end == ToolEnd::absent) {
        inventory.remarks.push_back(fmt::format("{} is not installed", name));
    } else if (answer.end == ToolEnd::too_late) {
        inventory.remarks.push_back(fmt::format("{} did not answer within {} ms; look at its driver", name, deadline_ms));
    } else if (answer.exit_code != 0) {
        inventory.remarks.push_back(fmt::format("{} exited with {}; run it by hand", name, answer.exit_code));
    } else {
        auto reading = read(answer.printed);
        std::move(reading.cards.begin(), reading.cards.end(), std::back_inserter(inventory.cards));
        if (reading.lines_not_understood > 0) {
            inventory.remarks.push_back(fmt::format("{} lines of {} were not understood", reading.lines_not_understood, name));
        }
    }
}

void declare(const std::vector<EmulatedCards>& declared, ports::Inventory& inventory) {
    std::map<std::pair<std::string, ports::CardStack>, std::int32_t> next;
    for (const auto& group : declared) {
        for (std::int32_t i = 0; i < group.count; ++i) {
            inventory.cards.push_back({.node = group.node,
                                       .index = next[{group.node, group.stack}]++,
                                       .model = group.model,
                                       .stack = group.stack,
                                       .memory_mib = group.memory_mib,
                                       .emulated = true});
        }
    }
}

}  // namespace

BackendResult<ports::Inventory> ProcessSite::inventory() {
    ports::Inventory inventory;
    if (config_.emulated.empty()) {
        detect({"nvidia-smi", "--query-gpu=index,name,memory.total,uuid", "--format=csv,noheader,nounits"}, &read_nvidia,
               config_.tool_deadline_ms, inventory);
        detect({"npu-smi", "info"}, &read_ascend, config_.tool_deadline_ms, inventory);
    } else {
        declare(config_.emulated, inventory);
        inventory.remarks.emplace_back("the cards are emulated: declared in the site's file, not detected");
    }
    std::sort(inventory.cards.begin(), inventory.cards.end(), [](const ports::Card& a, const ports::Card& b) {
        return std::tie(a.node, a.stack, a.index) < std::tie(b.node, b.stack, b.index);
    });
    cpu_set_t processors;
    if (sched_getaffinity(0, sizeof processors, &processors) == 0) inventory.milli_cpus = std::int64_t{CPU_COUNT(&processors)} * 1000;
    inventory.memory_mib = (std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE)) >> 20;
    return inventory;
}

// --- what is observed --------------------------------------------------------------------------------------------------

bool ProcessSite::has_begun(int folder) const {
    const auto record = read_record(folder, boot_id_);
    return record.status || record.alive;
}

bool ProcessSite::is_silent(int folder) const {
    const auto record = read_record(folder, boot_id_);
    return !record.alive && record.status.has_value();
}

BackendResult<std::vector<ports::TaskObserved>> ProcessSite::observe() {
    forget_ended_watches();
    std::vector<ports::TaskObserved> all;
    std::vector<std::string> alive;
    std::vector<std::size_t> dead;
    for (auto& [key, end] : list_.all()) {
        if (end) {
            all.push_back(std::move(*end));
            continue;
        }
        const Fd folder = open_folder(root_.get(), folder_of(key));
        if (!folder || !open_regular(folder.get(), order_file)) continue;
        const auto record = read_record(folder.get(), boot_id_);
        if (record.alive) {
            alive.push_back(record.project);
            if (record.status) watch(static_cast<pid_t>(record.status->supervisor_pid));
        } else if (record.status && record.status->phase != supervisor::Phase::ended) {
            dead.push_back(all.size());
        }
        all.push_back(observe_record(key, record));
        if (all.back().state == ports::TaskState::ended) list_.keep_end(all.back());
    }
    for (const auto at : dead) {
        const Fd folder = open_folder(root_.get(), folder_of(all[at].key));
        if (folder) bury(folder.get(), all[at].key, all[at], alive);
    }
    return all;
}

/// Ends what a dead supervisor left and writes the end that it could not write. Where somebody cannot be killed yet, the task stays
/// `stopping`: its card is not free.
void ProcessSite::bury(int folder, const ports::TaskKey& key, ports::TaskObserved& observed, const std::vector<std::string>& alive) {
    auto record = read_record(folder, boot_id_);
    if (!record.status || record.alive) return;
    auto& status = *record.status;
    if (status.phase != supervisor::Phase::ended) {
        const bool same_boot = boot_id_ == status.boot_id;
        const auto facts = read_spec_facts(folder);
        if (same_boot) {
            const bool idle =
                as_root_ && config_.users.contains(facts.uid) && std::find(alive.begin(), alive.end(), record.project) == alive.end();
            const auto swept = sweep({.marker = key_text(key),
                                      .session = static_cast<pid_t>(status.supervisor_pid),
                                      .session_start = status.supervisor_start,
                                      .cgroups = facts.cgroups,
                                      .task_user = facts.uid,
                                      .user_is_idle = idle},
                                     config_.sweep_deadline_ms);
            observed.swept_processes = swept.killed;
            if (!swept.clean) {
                observed.state = ports::TaskState::stopping;
                observed.detail = fmt::format("the supervisor was killed; {} processes are being ended, some do not die yet", swept.killed);
                return;
            }
        }
        Cgroups::remove(facts.cgroups);
        status.phase = supervisor::Phase::ended;
        status.reason = same_boot ? supervisor::Reason::supervisor_lost : supervisor::Reason::host_restarted;
        status.exit_code = 137;
        status.metered_s = record.alive_s;
        status.ended_at_s = status.started_at_s + record.alive_s;
        if (status.began_ns > 0) status.ended_ns = status.began_ns + record.alive_s * 1'000'000'000;
        if (!write_end(folder, status)) return;
    }
    const auto swept_processes = observed.swept_processes;
    observed = observe_record(key, record);
    observed.swept_processes = swept_processes;
}

void ProcessSite::watch(pid_t supervisor) {
    if (supervisor <= 1 || watched_.contains(supervisor)) return;
    Fd handle{static_cast<int>(syscall(SYS_pidfd_open, supervisor, 0))};
    epoll_event event{.events = EPOLLIN, .data = {.fd = supervisor}};
    if (handle && epoll_ctl(changes_.get(), EPOLL_CTL_ADD, handle.get(), &event) == 0) watched_[supervisor] = std::move(handle);
}

void ProcessSite::forget_ended_watches() {
    epoll_event events[64];
    for (int count = 64; count == 64;) {
        count = epoll_wait(changes_.get(), events, 64, 0);
        for (int i = 0; i < count; ++i) watched_.erase(events[i].data.fd);
    }
}

// --- what is asked of a running task -----------------------------------------------------------------------------------

BackendResult<void> ProcessSite::renew_lease(const ports::TaskKey& key, ports::BootInstant deadline) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    if (record.status && record.status->phase == supervisor::Phase::ended) {
        return refuse(BackendFault::ended, fmt::format("task {} is over; its lease cannot be renewed", key_text(key)));
    }
    return write_lease(folder.get(), supervisor::lease_file, boot_id_, deadline);
}

BackendResult<void> ProcessSite::stop(const ports::TaskKey& key) {
    const auto told = tell(key, "stop");
    if (!told && told.error().fault == BackendFault::ended) return {};
    return told;
}

BackendResult<void> ProcessSite::signal(const ports::TaskKey& key, int number) {
    if (number < 1 || number > 64) return refuse(BackendFault::invalid, fmt::format("signal {} is not between 1 and 64", number));
    return tell(key, fmt::format("signal {}", number));
}

BackendResult<void> ProcessSite::request_checkpoint(const ports::TaskKey& key) { return tell(key, "checkpoint"); }

BackendResult<void> ProcessSite::fence(const std::string& job, std::int64_t generation) {
    if (!is_safe_name(job) || generation < 1)
        return refuse(BackendFault::invalid, fmt::format("`{}` at {} is no generation of a job", job, generation));
    WEIR_TRY(make_folder(tasks_.get(), job, passage(), std::nullopt));
    WEIR_CHECK(raise_fence(tasks_.get(), job, generation));
    for (const auto& [key, end] : list_.all()) {
        if (end || key.job != job || key.generation > generation) continue;
        const auto told = tell(key, "kill");
        if (!told && told.error().fault != BackendFault::ended && told.error().fault != BackendFault::not_found) return told;
    }
    return {};
}

BackendResult<void> ProcessSite::forget(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    if (record.alive || (record.status && record.status->phase != supervisor::Phase::ended)) {
        return refuse(BackendFault::refused, fmt::format("task {} has not ended; stop it and observe its end first", key_text(key)));
    }
    const auto cgroups = read_spec_facts(folder.get()).cgroups;
    WEIR_CHECK(bury_folder(key, config_.fences_max));
    Cgroups::remove(cgroups);
    return {};
}

}  // namespace weir::site_process
