#include "control/desired.hpp"

#include "control/core/move_steps.hpp"
#include "domain/desired_list.hpp"
#include "domain/tree.hpp"

#include <algorithm>
#include <map>

namespace weir::control {
namespace {

/// The job as one of its placements has it: the one where it runs, or the one that is held for it.
DesiredTask task_of(const LiveJob& job, const Placement& placement, std::uint32_t generation) {
    DesiredTask task;
    task.job = job.id;
    task.generation = generation;
    task.project = job.project;
    task.placement = placement;
    task.setup = job.spec->setup;
    task.run = job.spec->run;
    for (const auto& ask : job.spec->resources.accelerators) {
        if (ask.model == placement.model && !ask.run.empty()) task.run = ask.run;
    }
    task.envs = job.spec->envs;
    task.processes_per_node = job.spec->processes_per_node;
    task.cpus = job.spec->resources.cpus;
    task.memory = job.spec->resources.memory;
    task.checkpoint = job.spec->checkpoint.protocol;
    task.resume.assign(job.checkpoints.rbegin(), job.checkpoints.rend());
    task.run_on = job.spec->on_disconnect == OnDisconnect::run_on;
    return task;
}

/// How much more than what its outputs take now a job's project may keep.
std::int64_t room_for_outputs(const State& state, const LiveJob& job) {
    const auto data = state.data.find(job.project);
    if (data == state.data.end()) return limits::data_quota_bytes;
    const auto own = data->second.outputs.find(job.id);
    auto room = quota_of(data->second) - kept_bytes(data->second) + (own == data->second.outputs.end() ? 0 : own->second.size.bytes);
    // What no job uses goes where there is no room.
    for (const auto& [digest, tree] : data->second.trees) {
        if (!state.tree_uses.contains({job.project, digest})) room += tree.size.bytes;
    }
    return std::max<std::int64_t>(room, 0);
}

/// The folder that the task begins in, and whether what it leaves is kept. An agent that cannot fetch the one would begin it without.
void add_data(const State& state, const LiveJob& job, bool carries_data, DesiredTask& task) {
    if (job.spec->workdir) {
        if (carries_data) {
            task.workdir = parse_tree_name(*job.spec->workdir);
        } else {
            task.processes_per_node = 0;
        }
    }
    const auto& ask = job.spec->outputs;
    if (!carries_data || (ask && ask->asked() == Seconds{0})) return;
    task.output_bytes_max = room_for_outputs(state, job);
    if (ask) task.output_nodes = ask->nodes;
    const auto data = state.data.find(job.project);
    if (data == state.data.end()) return;
    const auto before = data->second.outputs.find(job.id);
    if (before != data->second.outputs.end() && before->second.generation < task.generation) task.outputs_before = before->second.tree;
}

/// What a site should do with a job of its list.
DesiredTask task_at(const State& state, const SiteName& site, JobId id, bool prepares) {
    const auto& job = state.jobs.at(id);
    if (!job.placement || job.placement->site != site) {
        auto task = task_of(job, *job.move->target, job.move->target_generation);
        add_data(state, job, prepares, task);
        task.prepare = true;
        return task;
    }
    auto task = task_of(job, *job.placement, job.generation);
    add_data(state, job, prepares, task);
    task.stop = job.stop_ordered.has_value();
    task.max_duration = job.run_for;
    if (prepares && task.stop) task.checkpoint_within = job.stop_within;
    if (prepares && wants_checkpoint(job)) task.checkpoint_wanted = job.move->target_generation;
    return task;
}

/// A site that was never written about has an empty log and no task.
const DesiredLog& log_of(const State& state, const SiteName& site) {
    static const DesiredLog none;
    const auto log = state.desired_log.find(site);
    return log == state.desired_log.end() ? none : log->second;
}

using Jobs = std::map<JobId, std::uint32_t>;

const Jobs& no_jobs() {
    static const Jobs none;
    return none;
}

const Jobs& jobs_of(const std::map<SiteName, Jobs>& sites, const SiteName& site) {
    const auto jobs = sites.find(site);
    return jobs == sites.end() ? no_jobs() : jobs->second;
}

/// The list of a site, in order of job: what should run or stop there and, for whom that is told, what is to be prepared. No job is both.
class List {
public:
    List(const State& state, const SiteName& site, bool prepares)
        : tasks_{jobs_of(state.tasks, site)}, held_{prepares ? jobs_of(state.places_held, site) : no_jobs()} {}
    [[nodiscard]] bool contains(JobId job) const { return tasks_.contains(job) || held_.contains(job); }
    /// The first after this one; nothing: there is none.
    [[nodiscard]] std::optional<JobId> next(const std::optional<JobId>& after) const {
        const auto first = [&](const Jobs& jobs) { return after ? jobs.upper_bound(*after) : jobs.begin(); };
        const auto task = first(tasks_);
        const auto held = first(held_);
        if (task == tasks_.end() && held == held_.end()) return std::nullopt;
        if (held == held_.end() || (task != tasks_.end() && task->first < held->first)) return task->first;
        return held->first;
    }

private:
    const Jobs& tasks_;
    const Jobs& held_;
};

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
void add_list(const State& state, const SiteName& site, const DesiredAsk& ask, std::optional<JobId> after, Room room, DesiredPage& page) {
    const List list{state, site, ask.prepares};
    for (auto job = list.next(after); job; job = list.next(job)) {
        if (!room.is_left()) {
            page.more = true;
            page.after = page.set.back().job;
            return;
        }
        page.set.push_back(task_at(state, site, *job, ask.prepares));
        room.take(page.set.back());
    }
    page.more = log_of(state, site).last() > page.revision;
}

/// Changes after `since`: each job as it is now.
void add_changes(const State& state, const SiteName& site, const DesiredAsk& ask, Room room, DesiredPage& page) {
    const List list{state, site, ask.prepares};
    const auto& changes = log_of(state, site).changes();
    for (auto at = changes.upper_bound(ask.since); at != changes.end(); ++at) {
        if (!room.is_left()) {
            page.more = true;
            return;
        }
        page.revision = at->first;
        if (list.contains(at->second)) {
            page.set.push_back(task_at(state, site, at->second, ask.prepares));
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
        add_list(state, site, ask, std::nullopt, room, page);
    } else if (ask.after) {
        add_list(state, site, ask, ask.after, room, page);
    } else {
        add_changes(state, site, ask, room, page);
    }
    if (page.more) return page;
    page.revision = state.revision;
    const auto& log = log_of(state, site);
    page.digest = ask.prepares ? joined(log.digest, log.places_held) : log.digest;
    return page;
}

std::uint64_t desired_changed(const State& state, const SiteName& site) {
    return std::max(state.desired_known_from, log_of(state, site).last());
}

Desired desired(const State& state, const SiteName& site) {
    Desired answer{desired_changed(state, site), {}};
    for (const auto& [id, generation] : jobs_of(state.tasks, site)) answer.tasks.push_back(task_at(state, site, id, false));
    return answer;
}

}  // namespace weir::control
