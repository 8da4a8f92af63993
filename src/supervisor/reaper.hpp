// supervisor/reaper.hpp: finds, signals and ends every process of a task.
//
// It answers one question: is anybody left? The caller is the subreaper of the task, so whoever detaches himself comes back
// as its child; what joined the task's cgroups is found there as well.
#pragma once

#include "supervisor/processes.hpp"
#include "supervisor/spec.hpp"

#include <cstdint>

#include <sys/types.h>

namespace weir::supervisor {

/// Who of the task's processes a signal is for.
struct Family {
    pid_t first = -1;        ///< The child that was launched: the wrapper, or the init.
    bool wrapped = false;    ///< `first` is a wrapper; its child is the init.
};

/// SIGTERM to the init first, so that it waits for what it started, then to all of the tenant's processes.
void ask_to_end(const Family& family);

/// `number` to all of the tenant's processes, or to those alone that catch it. @returns how many.
[[nodiscard]] std::int64_t signal_tenant(const Family& family, int number, bool only_catching);

/// Who of a task is still there. In descending precedence.
enum class Left : std::uint8_t {
    living = 1,  ///< Or it could not be seen.
    dead = 2,  ///< Waiting to be reaped.
    nobody = 3,
};

[[nodiscard]] Left who_is_left(const Spec& spec);

/// SIGKILL to everybody of the task, once; a walk of /proc and of the cgroups. @returns who was there.
Left kill_everybody(const Spec& spec);

/// Times that the kernel killed in the task's memory cgroup because it was full; 0 where there is none.
[[nodiscard]] std::int64_t count_memory_kills(const Spec& spec);

/// Removes the task's empty cgroups.
void remove_limits(const Spec& spec);

}  // namespace weir::supervisor
