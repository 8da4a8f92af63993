#include "control/leases.hpp"

#include <algorithm>

namespace weir::control {

Duration lease_of(const Policy& policy, const JobSpec& spec) {
    return spec.on_disconnect == OnDisconnect::run_on ? policy.run_on_lease : policy.task_lease;
}

void LeaseKeeper::heard(const SiteName& site, Instant at) {
    auto& last = heard_.try_emplace(site, at).first->second;
    last = std::max(last, at);
}

Instant LeaseKeeper::last_heard(const SiteName& site) const {
    const auto last = heard_.find(site);
    return last == heard_.end() ? started_ : std::max(started_, last->second);
}

Instant LeaseKeeper::lost_at(const LiveJob& job) const {
    return last_heard(job.placement->site) + lease_of(policy_, job.spec) + policy_.kill_grace + policy_.drift_bound;
}

std::vector<Command> LeaseKeeper::due(const State& state, Instant at) const {
    std::vector<Command> commands;
    for (const auto& [name, site] : state.sites) {
        const auto silent_for = at - last_heard(name);
        if (silent_for < policy_.site_silence) continue;
        if (site.reachable) commands.push_back(SilenceSite{name});
        const auto tasks = state.tasks.find(name);
        if (tasks == state.tasks.end()) continue;
        for (const auto& [id, generation] : tasks->second) {
            if (lost_at(state.jobs.at(id)) <= at) commands.push_back(LoseTask{id, generation});
        }
    }
    return commands;
}

}  // namespace weir::control
