#include "control/desired.hpp"

#include <algorithm>

namespace weir::control {
namespace {

DesiredTask task_of(const LiveJob& job) {
    DesiredTask task;
    task.job = job.id;
    task.generation = job.generation;
    task.project = job.project;
    task.stop = job.stop_ordered.has_value();
    task.placement = *job.placement;
    task.setup = job.spec.setup;
    task.run = job.spec.run;
    for (const auto& ask : job.spec.resources.accelerators) {
        if (ask.model == job.placement->model && !ask.run.empty()) task.run = ask.run;
    }
    task.envs = job.spec.envs;
    task.processes_per_node = job.spec.processes_per_node;
    task.cpus = job.spec.resources.cpus;
    task.memory = job.spec.resources.memory;
    task.checkpoint = job.spec.checkpoint.protocol;
    task.resume.assign(job.checkpoints.rbegin(), job.checkpoints.rend());
    task.run_on = job.spec.on_disconnect == OnDisconnect::run_on;
    task.max_duration = job.spec.max_duration;
    return task;
}

}  // namespace

Desired desired(const State& state, const SiteName& site) {
    Desired answer;
    if (const auto changed = state.desired_changed.find(site); changed != state.desired_changed.end()) answer.revision = changed->second;
    const auto tasks = state.tasks.find(site);
    if (tasks == state.tasks.end()) return answer;
    for (const auto& [id, generation] : tasks->second) answer.tasks.push_back(task_of(state.jobs.at(id)));
    return answer;
}

}  // namespace weir::control
