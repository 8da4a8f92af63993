// adapters/site_process/sweep.hpp: ends what a task left behind when its supervisor was killed.
//
// It answers one question: which processes of this host belong to a task that has no parent any more? Direct children and
// everything in a sandbox die with the supervisor by themselves; this finds the rest: by cgroup, by the marker WEIR_TASK in
// their environment, by their session, and (as root) by a user of the site's range that has no living task.
#pragma once

#include "ports/site_backend.hpp"
#include "supervisor/status.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace weir::site_process {

struct Leftovers {
    std::string marker{};                  ///< `job/generation/node_rank`.
    pid_t session = 0;                   ///< The dead supervisor's pid; 0 where it is not known.
    std::int64_t session_start = 0;      ///< When it began, in ticks: nobody of its session is older.
    std::vector<std::string> cgroups{};
    uid_t task_user = 0;                 ///< Only processes of this user (or root's, for the sandbox's own) bear a true marker.
    bool user_is_idle = false;           ///< No living task of this site runs as task_user: all its processes are leftovers.
};

struct Sweep {
    std::int64_t killed = 0;
    bool clean = false;  ///< Nobody was found in the last look.
};

/// Kills until a look finds nobody, for as long as that takes progress and at most `deadline_ms`.
[[nodiscard]] Sweep sweep(const Leftovers& leftovers, int deadline_ms);

}  // namespace weir::site_process
