// The way of an order to a running supervisor, and of a word to one that runs.
#include "adapters/task_files/lease.hpp"
#include "adapters/task_files/order.hpp"
#include "adapters/site_process/process_site.hpp"
#include "adapters/site_process/sandbox.hpp"
#include "adapters/task_files/task_folder.hpp"
#include "supervisor/control.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::site_process {
namespace {

/// `path` without links, or nothing if it is not there.
std::optional<std::string> resolve(const std::string& path) {
    std::error_code error;
    const auto found = std::filesystem::canonical(path, error);
    return error ? std::nullopt : std::optional{found.string()};
}

bool lies_below(const std::string& path, const std::string& folder) {
    return path == folder || folder == "/" || (path.starts_with(folder) && path[folder.size()] == '/');
}

/// Starts the supervisor in the background. @returns 0 or an error of the kernel.
int spawn_supervisor(const std::string& program, const std::string& spec, int report_to) {
    const auto number = std::to_string(report_to);
    const char* const words[] = {"weir-supervisor", "--detach", "--report", number.c_str(), spec.c_str(), nullptr};
    char* const no_variables[] = {nullptr};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    // Onto itself: that alone lets it pass the exec.
    posix_spawn_file_actions_adddup2(&files, report_to, report_to);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int error = posix_spawn(&pid, program.c_str(), &files, &attributes, const_cast<char* const*>(words), no_variables);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) return error;
    // It forks and ends at once: the supervisor itself is nobody's child.
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return 0;
}

/// The supervisor's first line, or empty where it said none in time.
std::string await_report(int descriptor, int deadline_ms) {
    std::string line;
    const auto deadline_ns = supervisor::boot_now_ns() + std::int64_t{deadline_ms} * 1'000'000;
    while (line.size() < 1024) {
        const auto left_ms = (deadline_ns - supervisor::boot_now_ns()) / 1'000'000;
        pollfd source{.fd = descriptor, .events = POLLIN, .revents = 0};
        const int ready = left_ms <= 0 ? 0 : poll(&source, 1, static_cast<int>(left_ms));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return {};
        char room[256];
        const auto got = read(descriptor, room, sizeof room);
        if (got <= 0) return {};
        line.append(room, static_cast<std::size_t>(got));
        if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
    }
    return {};
}

/// A site emulates all the accelerators that it has, or none; processors are there anyway, unless they are declared as emulated too.
bool is_emulated(const SiteConfig& config, ports::CardStack stack) {
    if (stack != ports::CardStack::none) return !config.emulated.empty();
    return std::ranges::any_of(config.emulated, [](const EmulatedCards& cards) { return cards.stack == ports::CardStack::none; });
}

}  // namespace

bool ProcessSite::is_shared(const std::string& path) const {
    const auto found = resolve(path);
    if (!found) return false;
    return std::any_of(config_.shared_paths.begin(), config_.shared_paths.end(), [&](const std::string& shared) {
        const auto folder = resolve(shared);
        return folder && lies_below(*found, *folder);
    });
}

BackendResult<void> ProcessSite::check(const ports::TaskSpec& task) const {
    if (auto fault = find_fault(task)) {
        return refuse(BackendFault::invalid, fmt::format("task {} cannot be started: {}", key_text(task.key), *fault));
    }
    if (as_root_ && config_.users.count == 0) {
        return refuse(BackendFault::refused,
                      "tenant code as root is refused and this site has no range of users; give it one, or run the agent "
                      "as an ordinary user");
    }
    auto paths = task.read_only_paths;
    if (!task.workdir.empty()) paths.push_back(task.workdir);
    for (const auto& path : paths) {
        if (path.starts_with('/') && is_shared(path)) continue;
        return refuse(BackendFault::refused,
                      fmt::format("{} is not there or not below one of the {} paths that this site shares with tasks; ask "
                                  "the site for it",
                                  path, config_.shared_paths.size()));
    }
    return check_fence(task.key);
}

BackendResult<Owner> ProcessSite::owner_of(const std::string& project) {
    if (!as_root_) return Owner{.uid = geteuid(), .gid = getegid()};
    const std::lock_guard guard{users_guard_};
    const auto uid = WEIR_TRY(users_->of(project));
    // The range may have changed since this was written down.
    if (!config_.users.contains(uid) || uid < 1000 || config_.users.contains(config_.site_owner.uid) || config_.site_owner.gid == 0) {
        return refuse(
            BackendFault::refused,
            fmt::format("project {} would run as user {} (by {}/users) and group {}; the site's users must be from {} on, not below 1000, "
                        "{} of them, without the site's own, and its group not 0",
                        project, uid, config_.root, config_.site_owner.gid, config_.users.first, config_.users.count));
    }
    return Owner{.uid = uid, .gid = config_.site_owner.gid};
}

BackendResult<void> ProcessSite::write_spec(int folder, const ports::TaskSpec& task, Owner owner) {
    const auto path = fmt::format("{}/{}", config_.root, folder_of(task.key));
    HostPart host{.owner = owner,
                  .emulated = !task.cards.empty() && is_emulated(config_, task.stack),
                  .workdir = task.workdir.empty() ? fmt::format("{}/{}", path, work_folder) : task.workdir,
                  .home = fmt::format("{}/{}", path, work_folder),
                  .temporary = capabilities_.sandbox ? "/tmp" : fmt::format("{}/{}", path, temporary_folder),
                  .checkpoint_dir = fmt::format("{}/{}", path, checkpoints_folder),
                  .output_dir = fmt::format("{}/{}", path, outputs_folder)};
    if (!task.resume.empty()) {
        host.resume_dir = fmt::format("{}/{}/{}", path, resume_folder, task.resume);
        if (!open_folder(folder, fmt::format("{}/{}", resume_folder, task.resume))) {
            return refuse(BackendFault::not_found, fmt::format("checkpoint {} is not installed for task {}; install it before the start",
                                                               task.resume, key_text(task.key)));
        }
    }
    std::string tree;
    if (!task.tree.empty()) {
        if (!parse_tree_name(task.tree) || !open_folder(folder, task.tree)) {
            return refuse(BackendFault::not_found, fmt::format("{} is not in place for task {}; install it before the start", task.tree,
                                                               key_text(task.key)));
        }
        tree = fmt::format("{}/{}", path, task.tree);
        host.workdir = tree;
    }
    if (capabilities_.sandbox) {
        SandboxPlan plan{.as_root = as_root_, .supervisor = config_.supervisor, .read_only = task.read_only_paths};
        std::copy_if(config_.shared_paths.begin(), config_.shared_paths.end(), std::back_inserter(plan.read_only),
                     [](const std::string& shared) { return resolve(shared).has_value(); });
        if (!task.workdir.empty()) plan.read_only.push_back(task.workdir);
        if (!host.resume_dir.empty()) plan.read_only.push_back(host.resume_dir);
        if (!tree.empty()) plan.read_only.push_back(tree);
        plan.writable = {host.home, host.checkpoint_dir, host.output_dir};
        plan.real_cards = !task.cards.empty() && task.stack != ports::CardStack::none && !host.emulated;
        if (plan.real_cards) plan.devices = device_files(task.stack, task.cards);
        host.wrapper = sandbox_arguments(plan);
        host.init = init_in_sandbox;
    }
    auto groups = cgroups_.make(fmt::format("{}.{}.{}", task.key.job, task.key.generation, task.key.node_rank),
                                {.memory_mib = task.memory_mib,
                                 .milli_cpus = task.milli_cpus,
                                 .processes_max = task.processes_max > 0 ? task.processes_max : config_.processes_max});
    if (!groups) return fail(cannot("set the limits of", key_text(task.key), errno));
    host.cgroups = std::move(*groups);
    const auto text = spec_text(task, host);
    supervisor::Spec checked;
    if (const auto error = supervisor::parse_spec(text, checked)) {
        Cgroups::remove(host.cgroups);
        return refuse(BackendFault::invalid, fmt::format("task {} cannot be started: {}: {}", key_text(task.key), error->key,
                                                         supervisor::describe(error->fault)));
    }
    if (supervisor::replace_file(folder, supervisor::spec_file, "spec.new", text, 0600, supervisor::Durable::no)) return {};
    const int error = errno;
    Cgroups::remove(host.cgroups);
    return fail(cannot("write the spec of", key_text(task.key), error));
}

BackendResult<ports::StartOutcome> ProcessSite::start(const ports::TaskSpec& task) {
    WEIR_CHECK(check(task));
    // Whoever was ordered before is not refused for what came later.
    const Fd known = open_folder(root_.get(), folder_of(task.key));
    if (!known || !open_regular(known.get(), order_file)) WEIR_CHECK(check_disk());
    const auto owner = WEIR_TRY(owner_of(task.project));
    const Fd folder = WEIR_TRY(make_task_folder(task.key, task.project, owner));
    WEIR_CHECK(write_order(folder.get(), task));
    const auto record = read_record(folder.get(), boot_id_);
    if (!record.alive && record.status) return ports::StartOutcome::already_ended;
    WEIR_CHECK(write_lease(folder.get(), supervisor::lease_file, boot_id_, task.lease_deadline));
    if (record.alive) return ports::StartOutcome::already_running;
    WEIR_CHECK(write_spec(folder.get(), task, owner));
    return launch(folder.get(), task.key);
}

BackendResult<ports::StartOutcome> ProcessSite::launch(int folder, const ports::TaskKey& key) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(cannot("make", "a pipe", errno));
    const Fd reading{ends[0]};
    Fd writing{ends[1]};
    const auto spec = fmt::format("{}/{}/{}", config_.root, folder_of(key), supervisor::spec_file);
    if (const int error = spawn_supervisor(config_.supervisor, spec, writing.get()); error != 0) {
        return fail(cannot("run the supervisor", config_.supervisor, error));
    }
    writing.reset();
    const auto line = await_report(reading.get(), config_.start_deadline_ms);
    const auto record = read_record(folder, boot_id_);
    if (record.status) watch(static_cast<pid_t>(record.status->supervisor_pid));
    if (line == "running") return ports::StartOutcome::started;
    const bool ended = record.status && record.status->phase == supervisor::Phase::ended;
    if (ended && record.status->reason == supervisor::Reason::start_failed) {
        return refuse(BackendFault::start_failed, fmt::format("task {} did not start: {}", key_text(key), record.status->detail));
    }
    if (ended) return ports::StartOutcome::already_ended;
    if (record.alive) return ports::StartOutcome::already_running;
    return refuse(BackendFault::unavailable, line.empty()
                                                 ? fmt::format("the supervisor of task {} ended, or said nothing for {} ms; try again",
                                                               key_text(key), config_.start_deadline_ms)
                                                 : fmt::format("the supervisor of task {} said `{}`; try again", key_text(key), line));
}

BackendResult<void> ProcessSite::tell(const ports::TaskKey& key, const std::string& command) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    const bool to_end = command == "stop" || command == "kill";
    if (!record.status && !record.alive && to_end) return end_unbegun(folder.get(), boot_id_, supervisor::Reason::stopped, "");
    if (!record.alive) return refuse(BackendFault::ended, fmt::format("task {} is over or not begun; observe it", key_text(key)));
    const Fd socket = supervisor::connect_control(folder.get());
    const bool sent = socket && send(socket.get(), command.data(), command.size(), MSG_NOSIGNAL) == std::ssize(command);
    char room[supervisor::control_bytes_max];
    ssize_t got = -1;
    if (sent) {
        pollfd source{.fd = socket.get(), .events = POLLIN, .revents = 0};
        if (poll(&source, 1, config_.start_deadline_ms) > 0) got = recv(socket.get(), room, sizeof room, 0);
    }
    const std::string_view answer{room, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    if (answer.starts_with("ok")) return {};
    // It may have ended while it was being asked.
    if (!read_record(folder.get(), boot_id_).alive)
        return refuse(BackendFault::ended, fmt::format("task {} has just ended", key_text(key)));
    return refuse(BackendFault::unavailable,
                  fmt::format("the supervisor of task {} answered `{}` to `{}`; try again", key_text(key), answer, command));
}

}  // namespace weir::site_process
