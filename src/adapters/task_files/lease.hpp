// adapters/task_files/lease.hpp: gives a task its lease, and ends one that will never begin.
//
// It answers one question: until when may it run? Who keeps that is the task's supervisor.
#pragma once

#include "adapters/task_files/files.hpp"
#include "supervisor/status.hpp"

#include <string>

namespace weir::task_files {

/// Writes the file `name` of a lease on the boot `boot_id`; an earlier deadline than the one there changes nothing.
[[nodiscard]] BackendResult<void> write_lease(int folder, const char* name, const std::string& boot_id, ports::BootInstant deadline);

/// A task that was ordered and never begun ends here, under the lock that a supervisor would need: none can begin it after that.
/// unavailable where one just does; nothing is changed where it has begun.
[[nodiscard]] BackendResult<void> end_unbegun(int folder, const std::string& boot_id, supervisor::Reason reason, const std::string& detail);

}  // namespace weir::task_files
