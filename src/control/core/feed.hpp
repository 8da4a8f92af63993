// control/core/feed.hpp: tells the scheduler what events mean for it. Its facts are derived from the state, always.
#pragma once

#include "control/core/core.hpp"

namespace weir::control {

/// What must be told while the state still has it: called before the event is applied.
void before(Core& core, const Event& event);
/// What must be told of the new state: called after.
void after(Core& core, const Event& event);

/// Which of the job's alternatives it may run by now, by their places in its specification: of one that moves those whose stack is known
/// to load its checkpoints, which is that of its present cards and what its specification says was tried.
[[nodiscard]] std::vector<std::size_t> ways_of(const Catalogue& catalogue, const LiveJob& job);

/// The ask of a job as the scheduler understands it, of the alternatives in ways_of(), `funding` left empty.
[[nodiscard]] scheduler::Ask ask_of(const State& state, const Catalogue& catalogue, const LiveJob& job);

/// What the scheduler is told of a job that waits, the `funding` of its ask left empty.
[[nodiscard]] scheduler::JobQueued queued_of(const Core& core, const LiveJob& job);

}  // namespace weir::control
