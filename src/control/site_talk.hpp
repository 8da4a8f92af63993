// control/site_talk.hpp: what is said to a site's agent when it reports, by whoever carries its words: the HTTP API, or the simulator.
#pragma once

#include "control/core/core.hpp"
#include "domain/agent_link.hpp"

namespace weir::control {

/// Whether a report of a known site brings nothing new: it renews leases and writes nothing. What is acknowledged is compared, so a
/// repeated report of news is none.
[[nodiscard]] bool is_heartbeat(const State& state, const SiteReport& report);

/// The answer to a report that was taken, as of now: what is acknowledged, and the leases that tasks of this site have.
[[nodiscard]] ReportAnswer answer_to_report(const Core& core, const SiteName& site, Instant now);

}  // namespace weir::control
