#include "control/site_talk.hpp"

#include "control/core/lease_terms.hpp"
#include "control/desired.hpp"

namespace weir::control {

bool is_heartbeat(const State& state, const SiteReport& report) {
    const auto& site = state.sites.at(report.site);
    const bool empty = !report.nodes && report.meters.empty() && report.checkpoints.empty() && report.tasks.empty() &&
                       !report.prepared;
    return empty && site.reachable && !report.session.empty() && report.session == site.session && report.sequence == site.sequence;
}

ReportAnswer answer_to_report(const Core& core, const SiteName& site, Instant now) {
    const auto& known = core.state.sites.at(site);
    const auto out = longest_out(core, now);
    ReportAnswer answer;
    answer.sequence = known.sequence;
    answer.lease_ms = core.policy.task_lease.ns / 1'000'000;
    answer.run_on_lease_ms = core.policy.run_on_lease.ns / 1'000'000;
    answer.kill_grace_ms = core.policy.kill_grace.ns / 1'000'000;
    answer.desired_revision = desired_changed(core.state, site);
    answer.session_before = known.session_before;
    answer.leases_out = LeaseLengths{1000 * out.task_lease.value, 1000 * out.run_on_lease.value, 1000 * out.kill_grace.value};
    return answer;
}

}  // namespace weir::control
