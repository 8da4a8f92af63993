// adapters/task_files/task_folder.hpp: where a task's files are, and what they say.
//
//     <root>/                         0710 (0700 where the agent is no root), of the site's user
//       agent.lock                    held by the one agent of this root
//       users                         project and user, one per line
//       removed/                      what is being removed (remover.hpp)
//       tasks/<job>/fenced            the highest generation that must not be started any more
//       tasks/<job>/<generation>/<node_rank>/
//         order, project              what was asked for, and for whom
//         spec, lease                 to the supervisor        (supervisor/spec.hpp, status.hpp)
//         status, alive, lock, control, logs/   from the supervisor
//         manifests/                  of checkpoints that the task did not seal
//         resume/                     checkpoints that were installed before the start
//         tree-<digest>/              the folder that it begins in, read-only
//         checkpoints/ outputs/ work/ tmp/      the tenant's own, 0700
//
// It answers one question: what is known of this task on disk?
#pragma once

#include "adapters/task_files/files.hpp"
#include "ports/site_backend.hpp"
#include "supervisor/status.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::task_files {

inline constexpr const char* order_file = "order";
inline constexpr const char* project_file = "project";
inline constexpr const char* fence_file = "fenced";
inline constexpr const char* tasks_folder = "tasks";
inline constexpr const char* checkpoints_folder = "checkpoints";
inline constexpr const char* outputs_folder = "outputs";
inline constexpr const char* work_folder = "work";
inline constexpr const char* temporary_folder = "tmp";
inline constexpr const char* resume_folder = "resume";
inline constexpr const char* manifests_folder = "manifests";

/// The path of a task's folder below the site's root.
[[nodiscard]] std::string folder_of(const ports::TaskKey& key);

/// All keys that have a folder below `tasks`, sorted.
[[nodiscard]] std::vector<ports::TaskKey> list_keys(int tasks);

/// The highest fenced generation of a job; 0 where none is.
[[nodiscard]] std::int64_t read_fence(int tasks, const std::string& job);
/// Raises it, durably; never lowers it.
[[nodiscard]] BackendResult<void> raise_fence(int tasks, const std::string& job, std::int64_t generation);

/// Removes the oldest fences of jobs that have nothing else left here, down to `keep`, once a quarter more than that are there.
void prune_fences(int tasks, std::size_t keep);

/// What a task's files say at one moment.
struct TaskRecord {
    std::string project;
    bool alive = false;                        ///< A supervisor has it.
    std::optional<supervisor::Status> status;  ///< Nothing: it never began.
    std::int64_t alive_s = 0;                  ///< Metered seconds at the last sign of life.
    bool is_of_this_boot = false;              ///< What its status says by the boot clock can be compared with now.
};

/// Reads them in the order in which no end can be missed: first who lives, then what he wrote.
[[nodiscard]] TaskRecord read_record(int folder, const std::string& boot_id);

/// Whether its end was written down: nothing of it runs or writes any more.
[[nodiscard]] bool is_over(int folder);

/// Writes a final status in a dead supervisor's place.
[[nodiscard]] BackendResult<void> write_end(int folder, const supervisor::Status& status);

/// The cgroups and the user that the spec names; empty where there is no readable spec.
struct SpecFacts {
    std::vector<std::string> cgroups;
    uid_t uid = 0;
};
[[nodiscard]] SpecFacts read_spec_facts(int folder);

[[nodiscard]] ports::TaskObserved observe_record(const ports::TaskKey& key, const TaskRecord& record);

}  // namespace weir::task_files
