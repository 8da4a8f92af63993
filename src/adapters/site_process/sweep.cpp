#include "adapters/site_process/sweep.hpp"

#include "supervisor/processes.hpp"
#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <fstream>
#include <set>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::site_process {
namespace {

std::optional<uid_t> owner_of(pid_t pid) {
    struct stat facts{};
    if (stat(fmt::format("/proc/{}", pid).c_str(), &facts) != 0) return std::nullopt;
    return facts.st_uid;
}

bool bears_marker(pid_t pid, const std::string& marker) {
    std::ifstream file(fmt::format("/proc/{}/environ", pid), std::ios::binary);
    const std::string wanted = "WEIR_TASK=" + marker;
    for (std::string variable; std::getline(file, variable, '\0');) {
        if (variable == wanted) return true;
    }
    return false;
}

std::set<pid_t> listed_in(const std::vector<std::string>& cgroups) {
    std::set<pid_t> pids;
    for (const auto& folder : cgroups) {
        std::ifstream file(folder + "/cgroup.procs");
        for (pid_t pid = 0; file >> pid;) {
            if (pid > 1) pids.insert(pid);
        }
    }
    return pids;
}

/// A session keeps its number while anybody is in it. If that number is a younger process now, the session was empty before.
bool session_is_ours(const Leftovers& leftovers) {
    if (leftovers.session <= 1) return false;
    const auto leader = supervisor::read_process(leftovers.session);
    return !leader || leader->start_ticks == leftovers.session_start;
}

bool is_ours(const supervisor::Process& process, const Leftovers& leftovers, const std::set<pid_t>& listed, bool session_ours) {
    if (process.pid <= 1 || process.pid == getpid() || process.zombie) return false;
    if (listed.contains(process.pid)) return true;
    const auto owner = owner_of(process.pid);
    if (!owner || (*owner != leftovers.task_user && *owner != 0)) return false;
    if (*owner == leftovers.task_user && leftovers.user_is_idle) return true;
    if (session_ours && process.session == leftovers.session && process.start_ticks >= leftovers.session_start) return true;
    return bears_marker(process.pid, leftovers.marker);
}

void thaw(const std::vector<std::string>& cgroups) {
    for (const auto& folder : cgroups) {
        const supervisor::Fd state{open((folder + "/freezer.state").c_str(), O_WRONLY | O_CLOEXEC)};
        if (state) (void)supervisor::write_all(state.get(), "THAWED");
    }
}

}  // namespace

Sweep sweep(const Leftovers& leftovers, int deadline_ms) {
    Sweep result;
    std::set<std::pair<pid_t, std::int64_t>> killed;
    const auto deadline_ns = supervisor::boot_now_ns() + std::int64_t{deadline_ms} * 1'000'000;
    // The supervisor may have been killed while the task was frozen, and the frozen do not die.
    thaw(leftovers.cgroups);
    while (true) {
        supervisor::ProcessTable table;
        if (!table.read()) return result;
        const auto listed = listed_in(leftovers.cgroups);
        const bool session_ours = session_is_ours(leftovers);
        bool any = false;
        for (const auto& process : table.all()) {
            if (!is_ours(process, leftovers, listed, session_ours)) continue;
            any = true;
            kill(process.pid, SIGKILL);
            killed.emplace(process.pid, process.start_ticks);
        }
        result.killed = std::ssize(killed);
        result.clean = !any;
        if (!any || supervisor::boot_now_ns() > deadline_ns) return result;
        poll(nullptr, 0, 2);
    }
}

}  // namespace weir::site_process
