// supervisor/supervise.hpp: the life of one task, from its spec to the last of its processes.
//
// It answers one question: may this task still run? It holds the fence: when the lease runs out, on the local boot clock,
// the task is ended, whatever became of the agent or the network. Who gives leases, and why, is decided elsewhere.
//
// One poll loop, no heap, and a second thread that only knows when to kill (fence.hpp). Whatever ends the task, these hold: the
// status file says `ended` only when no process of the task is left; a key that has a status is never started again; a task is
// metered from just before its first process to just after its last.
#pragma once

#include "supervisor/control.hpp"
#include "supervisor/fence.hpp"
#include "supervisor/init.hpp"
#include "supervisor/launch.hpp"
#include "supervisor/log_ring.hpp"
#include "supervisor/reaper.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"

#include <cstdint>

namespace weir::supervisor {

/// How `weir-supervisor` itself exits.
enum class Outcome : int {
    ended = 0,          ///< The task ran and is over, or its lease was over before it began; the status says which.
    bad_usage = 64,
    refused = 65,       ///< The spec is not one that may be obeyed. The status says why, if it can be written.
    not_needed = 66,    ///< Another supervisor has this task, or it has already ended.
    cannot_start = 71,  ///< The directory, a lock or the status file cannot be used.
};

/// Supervises the task whose spec is the file `spec_path`; every other file of the task is beside it. Where `report_to` is a
/// descriptor, one line on it tells whoever waits for the start: `running`, `ended`, or `refused` and the reason.
[[nodiscard]] Outcome supervise(const char* spec_path, int report_to);

}  // namespace weir::supervisor
