// control/core/lease_terms.hpp: how long work may run on unheard.
//
// It answers one question: until when may a process of this generation still be there, though nobody says so? When a site was heard is
// the keeper's (control/leases.hpp); here is what the policy, the leaders before and the agents before allow.
#pragma once

#include "control/core/core.hpp"

namespace weir::control {

/// The lease of a job's tasks under this policy.
[[nodiscard]] Duration lease_of(const Policy& policy, const JobSpec& spec);

/// How far two clocks that only run forward may part over a span: the policy's bound, and for long spans what two clocks may be slewed
/// apart: 500 parts in a million each (Linux, adjtimex(2)), rounded up to one in a thousand for both.
[[nodiscard]] Duration drift_over(const Policy& policy, Duration span);

/// What this policy grants, in whole seconds, rounded up.
[[nodiscard]] LeaseTerms terms_of(const Policy& policy);

/// What leaders before a new one may have granted, and what may still run by it at `now`. The policy may have become stricter meanwhile:
/// supervisors that have heard nothing since count on what was promised to them.
[[nodiscard]] LeaseTerms terms_to_respect(const State& state, const Policy& policy, Instant now);

/// The longest that anybody was granted, by this leader or one before, and that may still run.
[[nodiscard]] LeaseTerms longest_out(const Core& core, Instant now);

/// How long a process of the job may live on after the last word that renewed its lease: lease, kill grace and the drift of clocks.
[[nodiscard]] Duration fence_span(const Core& core, const LiveJob& job, Instant now);

/// Whether an agent that spoke for the site before its present one may still run the job's present generation: it was ordered of that one,
/// and the lease that it was granted outlives its last word. Of a job that is placed.
[[nodiscard]] bool former_agent_may_run(const Core& core, const LiveJob& job, Instant now);

}  // namespace weir::control
