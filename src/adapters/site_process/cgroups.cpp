#include "adapters/site_process/cgroups.hpp"

#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::site_process {
namespace {

struct Named {
    Controller controller;
    const char* name;
};

constexpr std::array controllers{Named{Controller::memory, "memory"}, Named{Controller::cpu, "cpu"}, Named{Controller::pids, "pids"},
                                 Named{Controller::freezer, "freezer"}};

bool lists(std::string_view comma_separated, std::string_view name) {
    while (!comma_separated.empty()) {
        const auto comma = comma_separated.find(',');
        if (comma_separated.substr(0, comma) == name) return true;
        if (comma == std::string_view::npos) return false;
        comma_separated.remove_prefix(comma + 1);
    }
    return false;
}

struct Mount {
    std::string root;    ///< Which folder of the hierarchy is mounted.
    std::string target;
    std::string kind;
    std::string options;
};

/// One line: `31 23 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu`.
std::optional<Mount> parse_mount(const std::string& line) {
    std::istringstream stream(line);
    Mount mount;
    std::string skipped;
    stream >> skipped >> skipped >> skipped >> mount.root >> mount.target;
    while (stream >> skipped && skipped != "-") {
    }
    if (!(stream >> mount.kind >> skipped >> mount.options)) return std::nullopt;
    return mount;
}

/// Where the group `path` of a hierarchy is found under its mount.
std::string below_mount(const Mount& mount, std::string path) {
    if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
    while (path.ends_with('/')) path.pop_back();
    return mount.target + path;
}

/// A limit is the answer to a write to one file of the group.
bool set(const std::string& folder, const char* file, const std::string& value) {
    const supervisor::Fd limit{open((folder + "/" + file).c_str(), O_WRONLY | O_CLOEXEC)};
    return limit && supervisor::write_all(limit.get(), value);
}

bool make_group(const std::string& folder) { return mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST; }

constexpr std::int64_t cpu_period_us = 100'000;

bool set_version_1(Controller controller, const std::string& folder, const Limits& limits) {
    if (controller == Controller::memory && limits.memory_mib > 0) {
        const auto bytes = fmt::format("{}", limits.memory_mib << 20);
        if (!set(folder, "memory.limit_in_bytes", bytes)) return false;
        // Counts swap where the kernel does; without it the limit of memory stands alone.
        (void)set(folder, "memory.memsw.limit_in_bytes", bytes);
    }
    if (controller == Controller::cpu && limits.milli_cpus > 0) {
        const auto quota_us = std::max<std::int64_t>(limits.milli_cpus * cpu_period_us / 1000, 1000);
        return set(folder, "cpu.cfs_period_us", fmt::format("{}", cpu_period_us)) &&
               set(folder, "cpu.cfs_quota_us", fmt::format("{}", quota_us));
    }
    if (controller == Controller::pids && limits.processes_max > 0) return set(folder, "pids.max", fmt::format("{}", limits.processes_max));
    return true;
}

bool set_version_2(const std::string& folder, const Limits& limits) {
    bool done = true;
    if (limits.memory_mib > 0) done = set(folder, "memory.max", fmt::format("{}", limits.memory_mib << 20));
    if (limits.milli_cpus > 0) {
        const auto quota_us = std::max<std::int64_t>(limits.milli_cpus * cpu_period_us / 1000, 1000);
        done = set(folder, "cpu.max", fmt::format("{} {}", quota_us, cpu_period_us)) && done;
    }
    if (limits.processes_max > 0) done = set(folder, "pids.max", fmt::format("{}", limits.processes_max)) && done;
    return done;
}

std::string read_all(const char* path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

OwnGroups find_own_groups(std::string_view mountinfo, std::string_view cgroup) {
    OwnGroups own;
    std::istringstream mounts{std::string{mountinfo}};
    for (std::string line; std::getline(mounts, line);) {
        const auto mount = parse_mount(line);
        if (!mount || (mount->kind != "cgroup" && mount->kind != "cgroup2")) continue;
        std::istringstream groups{std::string{cgroup}};
        for (std::string group; std::getline(groups, group);) {
            const auto first = group.find(':');
            const auto second = first == std::string::npos ? first : group.find(':', first + 1);
            if (second == std::string::npos) continue;
            const auto names = group.substr(first + 1, second - first - 1);
            const auto path = group.substr(second + 1);
            if (mount->kind == "cgroup2" && names.empty()) own.version_2 = below_mount(*mount, path);
            if (mount->kind != "cgroup") continue;
            for (const auto& [controller, name] : controllers) {
                if (lists(mount->options, name) && lists(names, name)) own.version_1[controller] = below_mount(*mount, path);
            }
        }
    }
    return own;
}

Cgroups::Cgroups(const std::string& name) {
    const auto own = find_own_groups(read_all("/proc/self/mountinfo"), read_all("/proc/self/cgroup"));
    for (const auto& [controller, folder] : own.version_1) {
        const auto group = folder + "/" + name;
        if (make_group(group) && access((group + "/cgroup.procs").c_str(), W_OK) == 0) folders_[controller] = group;
    }
    if (!folders_.empty() || !own.version_2) return;
    if (!set(*own.version_2, "cgroup.subtree_control", "+memory +cpu +pids")) return;
    const auto group = *own.version_2 + "/" + name;
    if (!make_group(group) || !set(group, "cgroup.subtree_control", "+memory +cpu +pids")) return;
    version_2_ = true;
    for (const auto& [controller, controller_name] : controllers) folders_[controller] = group;
}

std::string Cgroups::remark() const {
    std::string missing;
    for (const auto& [controller, name] : controllers) {
        if (!holds(controller)) missing += missing.empty() ? name : fmt::format(", {}", name);
    }
    if (missing.empty()) return version_2_ ? "limits are held by control groups of version 2, which is untested" : "";
    return fmt::format("no control group for {}: the kernel lacks it or the agent may not write it", missing);
}

std::optional<std::vector<std::string>> Cgroups::make(const std::string& task, const Limits& limits) const {
    std::vector<std::string> made;
    std::set<std::string> seen;
    // To join a group of version 1 costs milliseconds each: only those are made that limit something or find the task's processes.
    const auto is_needed = [&](Controller controller) {
        switch (controller) {
            case Controller::memory: return limits.memory_mib > 0;
            case Controller::cpu: return limits.milli_cpus > 0;
            case Controller::pids: return true;
            case Controller::freezer: return !holds(Controller::pids);
        }
        return true;
    };
    for (const auto& [controller, folder] : folders_) {
        if (!version_2_ && !is_needed(controller)) continue;
        const auto group = folder + "/" + task;
        if (seen.insert(group).second) {
            if (!make_group(group)) return std::nullopt;
            made.push_back(group);
            if (version_2_ && !set_version_2(group, limits)) return std::nullopt;
        }
        if (!version_2_ && !set_version_1(controller, group, limits)) return std::nullopt;
    }
    return made;
}

void Cgroups::remove(const std::vector<std::string>& folders) {
    for (const auto& folder : folders) rmdir(folder.c_str());
}

void Cgroups::remove_all() {
    for (const auto& [controller, folder] : folders_) rmdir(folder.c_str());
    folders_.clear();
}

}  // namespace weir::site_process
