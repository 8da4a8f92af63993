// control/desired.hpp: what should run at a site. Level, not edge: the answer is the whole truth each time it changes.
//
// The agent makes the site so: it starts what is here and not there, stops what is there and not here (or is here with
// `stop`), and never lets two generations of a job run at once.
#pragma once

#include "control/core/core.hpp"
#include "domain/agent_link.hpp"

namespace weir::control {

[[nodiscard]] Desired desired(const State& state, const SiteName& site);

}  // namespace weir::control
