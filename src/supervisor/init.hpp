// supervisor/init.hpp: the first process inside a task: gives up every privilege, starts the task's processes, reaps.
//
// It answers one question: how does each process of the task end? When to end one is the supervisor's decision. Inside a
// sandbox it is process 1 of its own world; outside it is the supervisor's child. Both go the same way.
//
// It is this same program, started as `weir-supervisor --init` with descriptors in fixed places: 3 a memory file with an
// InitPlan and its strings, 4 the pipe on which it reports, then for each process a pipe for output and one for errors.
// The tenant's environment thus never reaches the command line or environment of anything that still has privileges.
#pragma once

#include "supervisor/spec.hpp"

#include <cstdint>

namespace weir::supervisor {

inline constexpr int plan_descriptor = 3;
inline constexpr int report_descriptor = 4;
inline constexpr int first_stream_descriptor = 5;
inline constexpr std::uint32_t plan_magic = 0x77656972;
inline constexpr std::uint32_t rank_variables = 3;
inline constexpr std::size_t plan_bytes_max = 2 * spec_bytes_max;

/// Head of the plan. NUL-terminated strings follow: workdir, run, the common environment, then rank_variables for each process.
struct InitPlan {
    std::uint32_t magic = plan_magic;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t processes = 0;
    std::uint32_t environment = 0;
};

/// The step at which a start failed. In the order in which they are taken.
enum class InitStep : std::uint8_t { plan = 1, groups = 2, group = 3, user = 4, privileges = 5, workdir = 6, fork = 7, exec = 8 };

struct InitReport {
    enum class Kind : std::uint8_t {
        started = 1,  ///< Every process runs.
        failed = 2,   ///< `step` could not be taken: value is errno.
        ended = 3,    ///< Process `rank` ended: value is its wait status.
    };
    Kind kind{};
    InitStep step{};
    std::uint16_t rank = 0;
    std::int32_t value = 0;
    std::int64_t at_ns = 0;  ///< Of an end: on the boot clock.
};

/// Runs until every process of the task has ended; once its parent has sent SIGTERM, until no process is left below it.
/// @returns the exit code of the program.
[[nodiscard]] int run_init();

/// `change to the working directory` and the like, for a message.
[[nodiscard]] const char* describe(InitStep step);

}  // namespace weir::supervisor
