// control/core/feed.hpp: tells the scheduler what events mean for it. Its facts are derived from the state, always.
#pragma once

#include "control/core/core.hpp"

namespace weir::control {

/// What must be told while the state still has it: called before the event is applied.
void before(Core& core, const Event& event);
/// What must be told of the new state: called after.
void after(Core& core, const Event& event);

/// The ask of a job as the scheduler understands it, `funding` left empty.
[[nodiscard]] scheduler::Ask ask_of(const State& state, const LiveJob& job);

}  // namespace weir::control
