#include "control/core/lease_terms.hpp"

#include <algorithm>

namespace weir::control {
namespace {

Seconds whole(Duration time) { return Seconds{(time.ns + 999'999'999) / 1'000'000'000}; }

LeaseTerms longer_of(const LeaseTerms& a, const LeaseTerms& b) {
    return {std::max(a.task_lease, b.task_lease), std::max(a.run_on_lease, b.run_on_lease), std::max(a.kill_grace, b.kill_grace)};
}

bool runs_on(const JobSpec& spec) { return spec.on_disconnect == OnDisconnect::run_on; }

}  // namespace

Duration lease_of(const Policy& policy, const JobSpec& spec) { return runs_on(spec) ? policy.run_on_lease : policy.task_lease; }

Duration drift_over(const Policy& policy, Duration span) { return std::max(policy.drift_bound, Duration{span.ns / 1000}); }

LeaseTerms terms_of(const Policy& policy) { return {whole(policy.task_lease), whole(policy.run_on_lease), whole(policy.kill_grace)}; }

LeaseTerms terms_to_respect(const State& state, const Policy& policy, Instant now) {
    const auto& last = state.leader;
    // Every grant of the leaders before the last one was given before that one started, and ends by itself. The wall clock may be wrong by
    // as much as the policy tolerates. A task keeps the grace that it began with for as long as it runs.
    const auto longest = std::max(last.respects.task_lease, last.respects.run_on_lease) + last.respects.kill_grace;
    if (now <= last.started_at + seconds(longest.value) + policy.clock_tolerance) return longer_of(last.grants, last.respects);
    return longer_of(last.grants, {Seconds{0}, Seconds{0}, last.respects.kill_grace});
}

LeaseTerms longest_out(const Core& core, Instant now) {
    return longer_of(terms_of(core.policy), terms_to_respect(core.state, core.policy, now));
}

Duration fence_span(const Core& core, const LiveJob& job, Instant now) {
    const auto terms = longest_out(core, now);
    const auto span = seconds((runs_on(*job.spec) ? terms.run_on_lease : terms.task_lease).value + terms.kill_grace.value);
    return span + drift_over(core.policy, span);
}

bool former_agent_may_run(const Core& core, const LiveJob& job, Instant now) {
    const auto& site = core.state.sites.at(job.placement->site);
    const auto ordered_by = job.started_at.value_or(job.since);
    if (ordered_by >= site.session_since) return false;
    // An agent whose sessions follow each other does not put it off for ever: one that spoke until after the deadline has had its time.
    const auto spoke_until = job.deadline ? std::min(site.session_since, *job.deadline) : site.session_since;
    // The wall clock may have been set meanwhile, by as much as is tolerated.
    return now < spoke_until + fence_span(core, job, now) + core.policy.clock_tolerance;
}

}  // namespace weir::control
