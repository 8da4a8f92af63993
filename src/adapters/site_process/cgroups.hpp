// adapters/site_process/cgroups.hpp: limits of memory, processor and number of processes, one group per task.
//
// It answers one question: which limits can the kernel hold for us here, and where? Groups are made below the agent's own
// group of each hierarchy, so that whoever limits the agent limits its tasks too.
//
// Control groups of version 1 are what this is tested with. The path for version 2 is written after the kernel's
// documentation and is UNTESTED.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::site_process {

enum class Controller : std::uint8_t { memory = 1, cpu = 2, pids = 3, freezer = 4 };

/// Where the agent's own groups are, by controller, as the kernel's two tables say.
struct OwnGroups {
    std::map<Controller, std::string> version_1;  ///< Absolute folders.
    std::optional<std::string> version_2;
};

/// From the text of /proc/self/mountinfo and /proc/self/cgroup.
[[nodiscard]] OwnGroups find_own_groups(std::string_view mountinfo, std::string_view cgroup);

struct Limits {
    std::int64_t memory_mib = 0;  ///< 0: none, for each of these.
    std::int64_t milli_cpus = 0;
    std::int64_t processes_max = 0;
};

class Cgroups {
public:
    Cgroups() = default;
    /// Makes the group `name` below the agent's own ones, where that is permitted.
    explicit Cgroups(const std::string& name);

    [[nodiscard]] bool holds(Controller controller) const { return folders_.contains(controller); }
    /// Why what is missing is missing, for people; empty where all is held.
    [[nodiscard]] std::string remark() const;

    /// Makes the task's groups and sets its limits. @returns the folders that its first process has to join, or what the kernel refused.
    [[nodiscard]] std::optional<std::vector<std::string>> make(const std::string& task, const Limits& limits) const;

    /// Removes what is empty of a task's groups.
    static void remove(const std::vector<std::string>& folders);
    /// Removes the site's own groups, where no task is in them.
    void remove_all();

private:
    std::map<Controller, std::string> folders_;
    bool version_2_ = false;
};

}  // namespace weir::site_process
