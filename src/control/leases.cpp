#include "control/leases.hpp"

#include <algorithm>

namespace weir::control {

void LeaseKeeper::heard(const SiteName& site, Instant at) {
    auto& last = heard_.try_emplace(site, at).first->second;
    last = std::max(last, at);
}

Instant LeaseKeeper::last_heard(const SiteName& site) const {
    const auto last = heard_.find(site);
    return last == heard_.end() ? started_ : std::max(started_, last->second);
}

Instant LeaseKeeper::lost_at(const LiveJob& job) const {
    const auto end_after = [&](Instant granted, Duration lease, Duration grace) {
        return granted + lease + grace + drift_over(policy_, lease + grace);
    };
    const auto grace = std::max(policy_.kill_grace, seconds(respected_.kill_grace.value));
    const bool runs_on = job.spec->on_disconnect == OnDisconnect::run_on;
    const auto earlier = seconds((runs_on ? respected_.run_on_lease : respected_.task_lease).value);
    // A report was heard, and whether its answer arrived nobody knows: what was granted before this leader may still be counted on.
    return std::max(end_after(last_heard(job.placement->site), lease_of(policy_, job.spec), grace), end_after(started_, earlier, grace));
}

std::vector<Command> LeaseKeeper::due(const State& state, Instant at) const {
    std::vector<Command> commands;
    std::vector<SiteName> silent;
    for (const auto& [name, site] : state.sites) {
        const auto silent_for = at - last_heard(name);
        if (silent_for < policy_.site_silence) continue;
        if (site.reachable) commands.push_back(SilenceSite{name});
        silent.push_back(name);
    }
    std::size_t room = policy_.timers_per_pass;
    for (const auto& name : silent) {
        const auto tasks = state.tasks.find(name);
        if (tasks == state.tasks.end()) continue;
        for (const auto& [id, generation] : tasks->second) {
            if (lost_at(state.jobs.at(id)) > at) continue;
            if (room-- == 0) return commands;
            commands.push_back(LoseTask{id, generation});
        }
    }
    return commands;
}

}  // namespace weir::control
