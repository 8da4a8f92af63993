#include "control/desired.hpp"

#include <algorithm>
#include <map>

namespace weir::control {
namespace {

DesiredTask task_of(const LiveJob& job) {
    DesiredTask task;
    task.job = job.id;
    task.generation = job.generation;
    task.project = job.project;
    task.stop = job.stop_ordered.has_value();
    task.placement = *job.placement;
    task.setup = job.spec->setup;
    task.run = job.spec->run;
    for (const auto& ask : job.spec->resources.accelerators) {
        if (ask.model == job.placement->model && !ask.run.empty()) task.run = ask.run;
    }
    task.envs = job.spec->envs;
    task.processes_per_node = job.spec->processes_per_node;
    task.cpus = job.spec->resources.cpus;
    task.memory = job.spec->resources.memory;
    task.checkpoint = job.spec->checkpoint.protocol;
    task.resume.assign(job.checkpoints.rbegin(), job.checkpoints.rend());
    task.run_on = job.spec->on_disconnect == OnDisconnect::run_on;
    task.max_duration = job.run_for;
    return task;
}

/// A site that was never written about has an empty log and no task.
const DesiredLog& log_of(const State& state, const SiteName& site) {
    static const DesiredLog none;
    const auto log = state.desired_log.find(site);
    return log == state.desired_log.end() ? none : log->second;
}

const std::map<JobId, std::uint32_t>& tasks_of(const State& state, const SiteName& site) {
    static const std::map<JobId, std::uint32_t> none;
    const auto tasks = state.tasks.find(site);
    return tasks == state.tasks.end() ? none : tasks->second;
}

/// Whether every change after `since` is known, so that a list of that revision can be brought up to date.
bool knows_changes(const State& state, const SiteName& site, std::uint64_t since) {
    return since > 0 && since <= state.revision && since >= state.desired_known_from && since >= log_of(state, site).known_from();
}

/// Counts what a page holds.
class Room {
public:
    explicit Room(std::size_t limit) : tasks_{std::clamp<std::size_t>(limit, 1, DesiredAsk::tasks_max)} {}
    [[nodiscard]] bool is_left() const { return tasks_ > 0 && bytes_ < desired_page_bytes; }
    void take() { --tasks_; }
    void take(const DesiredTask& task) {
        take();
        bytes_ += task.setup.size() + task.run.size();
        for (const auto& [name, value] : task.envs) bytes_ += name.size() + value.size();
    }

private:
    std::size_t tasks_;
    std::size_t bytes_ = 0;
};

/// The list in order of job, from the one after `after` on, as of `revision`.
void add_list(const State& state, const SiteName& site, const std::optional<JobId>& after, Room room, DesiredPage& page) {
    const auto& tasks = tasks_of(state, site);
    for (auto at = after ? tasks.upper_bound(*after) : tasks.begin(); at != tasks.end(); ++at) {
        if (!room.is_left()) {
            page.more = true;
            page.after = page.set.back().job;
            return;
        }
        page.set.push_back(task_of(state.jobs.at(at->first)));
        room.take(page.set.back());
    }
    page.more = log_of(state, site).last() > page.revision;
}

/// Changes after `since`: each job as it is now.
void add_changes(const State& state, const SiteName& site, std::uint64_t since, Room room, DesiredPage& page) {
    const auto& tasks = tasks_of(state, site);
    const auto& changes = log_of(state, site).changes();
    for (auto at = changes.upper_bound(since); at != changes.end(); ++at) {
        if (!room.is_left()) {
            page.more = true;
            return;
        }
        page.revision = at->first;
        if (tasks.contains(at->second)) {
            page.set.push_back(task_of(state.jobs.at(at->second)));
            room.take(page.set.back());
        } else {
            page.removed.push_back(at->second);
            room.take();
        }
    }
}

}  // namespace

bool has_desired_news(const State& state, const SiteName& site, std::uint64_t since) {
    return !knows_changes(state, site, since) || log_of(state, site).last() > since;
}

DesiredPage desired_page(const State& state, const SiteName& site, const DesiredAsk& ask) {
    DesiredPage page;
    const Room room{ask.limit};
    page.full = !knows_changes(state, site, ask.since);
    page.revision = page.full ? state.revision : ask.since;
    if (page.full) {
        add_list(state, site, std::nullopt, room, page);
    } else if (ask.after) {
        add_list(state, site, ask.after, room, page);
    } else {
        add_changes(state, site, ask.since, room, page);
    }
    if (page.more) return page;
    page.revision = state.revision;
    page.digest = log_of(state, site).digest;
    return page;
}

std::uint64_t desired_changed(const State& state, const SiteName& site) {
    return std::max(state.desired_known_from, log_of(state, site).last());
}

Desired desired(const State& state, const SiteName& site) {
    Desired answer{desired_changed(state, site), {}};
    for (const auto& [id, generation] : tasks_of(state, site)) answer.tasks.push_back(task_of(state.jobs.at(id)));
    return answer;
}

}  // namespace weir::control
