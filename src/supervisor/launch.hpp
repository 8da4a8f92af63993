// supervisor/launch.hpp: makes the task's first process, with the environment that every rank finds.
//
// It answers one question: what exactly does the task start with? A clean environment (no variable of the agent), no
// descriptor but its three, its limits, and the sandbox that the backend chose.
#pragma once

#include "supervisor/spec.hpp"
#include "supervisor/system.hpp"

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include <sys/types.h>

namespace weir::supervisor {

/// The ends that the supervisor keeps.
struct Launched {
    pid_t pid = -1;  ///< The wrapper, or the init where there is none.
    Fd reports;      ///< InitReport records.
    std::array<Fd, 2 * processes_max> streams;  ///< Output and errors of each process, not blocking.
};

/// Starts it. @returns what could not be done, or nullptr; errno says why.
[[nodiscard]] const char* launch(const Spec& spec, Launched& launched);

/// `WEIR_TASK=job/generation/node_rank`: what every process of a task carries in its environment from the start.
[[nodiscard]] bool print_marker(const Spec& spec, std::span<char> room);

/// The plan's bytes, as launch() hands them to the init; nothing where they do not fit into `room`.
[[nodiscard]] std::optional<std::string_view> print_plan(const Spec& spec, std::span<char> room);

}  // namespace weir::supervisor
