#include "transport/api/job_views.hpp"

#include "codec/encode.hpp"
#include "control/core/feed.hpp"
#include "control/core/quotes.hpp"
#include "control/core/settle.hpp"
#include "control/core/lease_terms.hpp"
#include "engines/scheduler/reason_text.hpp"

#include <fmt/format.h>

namespace weir::api {

using control::LiveJob;

void fill(JobSummary& view, const JobSpec& spec, const std::optional<Placement>& placement) {
    view.name = spec.name;
    view.type = spec.type;
    view.priority = spec.priority;
    view.num_nodes = spec.num_nodes;
    if (!placement) return;
    view.site = placement->site;
    view.model = placement->model;
    view.emulated = placement->emulated;
}

JobSummary summary_of(const LiveJob& job) {
    JobSummary view;
    view.id = job.id;
    view.project = job.project;
    view.submitter = job.submitter;
    view.state = job.state;
    view.reason = job.reason;
    view.since = job.since;
    view.submitted_at = job.submitted_at;
    view.generation = job.generation;
    fill(view, job.spec, job.placement);
    return view;
}

JobDetail detail_of(const LiveJob& job, std::uint64_t revision) {
    JobDetail view;
    static_cast<JobSummary&>(view) = summary_of(job);
    view.spec = job.spec;
    view.waits_for = job.waits_for;
    view.placement = job.placement;
    view.stop_ordered = job.stop_ordered;
    view.started_at = job.started_at;
    if (job.not_before.ns > 0) view.not_before = job.not_before;
    view.error_restarts = job.error_restarts;
    view.fault_restarts = job.fault_restarts;
    view.move = job.move;
    view.arrival = job.arrival;
    if (!job.moved.empty()) view.moves = job.moved;
    view.checkpoints = job.checkpoints;
    view.usage = job.usage;
    view.holds = job.holds;
    view.held_fen = control::held(job);
    view.accrued_fen = control::accrued(job);
    view.revision = revision;
    return view;
}

JobSummary summary_of(JobId id, const control::Tombstone& gone) {
    JobSummary view;
    view.id = id;
    view.project = gone.project;
    view.state = gone.outcome;
    view.since = gone.finished_at;
    view.submitted_at = time_of(id.uid);
    return view;
}

BillView bill_of(const control::Core& core, const LiveJob& job, Instant now) {
    auto settlement = control::settle(core, job, std::nullopt, now);
    return {job.id, false, std::move(settlement.bill), std::move(settlement.paid), core.state.revision};
}

namespace {

/// `; it waits for job-..., job-... and 3 more`
std::string awaited_text(const LiveJob& job) {
    constexpr std::size_t told_max = 8;
    std::string text;
    std::size_t told = 0;
    for (const auto& id : job.waits_for) {
        if (told++ == told_max) return text + fmt::format(" and {} more", job.waits_for.size() - told_max);
        text += (text.empty() ? "; it waits for " : ", ") + id.text();
    }
    return text;
}

WhyReason reason_of(const scheduler::Reason& reason, bool for_operations) {
    WhyReason view;
    view.code = std::string{scheduler::reason_name(reason.code)};
    if (!reason.site.empty()) view.site = reason.site;
    if (!reason.model.empty()) view.model = reason.model;
    view.text = scheduler::reason_text(reason, scheduler::Audience::tenant);
    if (for_operations) view.operator_text = scheduler::reason_text(reason, scheduler::Audience::operations);
    for (const auto& clause : reason.clauses) view.clauses.push_back({clause.source, clause.clause});
    return view;
}

/// A job whose site is not heard: since when, and what follows if that stays so. Nothing where the site is heard, or there is none.
std::optional<WhyReason> silence_of(const control::Core& core, const LiveJob& job, Instant now) {
    if (!job.placement) return std::nullopt;
    const auto found = core.state.sites.find(job.placement->site);
    if (found == core.state.sites.end() || found->second.reachable) return std::nullopt;
    // When a site is found silent it has been so for that long; heartbeats are written nowhere.
    const auto heard = found->second.reachable_since - core.policy.site_silence;
    const auto& leader = core.state.leader;
    const auto& spec = *job.spec;
    const auto granted = control::lease_of(core.policy, spec);
    // What leaders before this one granted may still run, whatever the policy is now.
    const auto earlier =
        seconds((spec.on_disconnect == OnDisconnect::run_on ? leader.respects.run_on_lease : leader.respects.task_lease).value);
    const auto ends = std::max(std::max(heard, leader.started_at) + granted, leader.started_at + earlier);
    const auto grace = std::max(core.policy.kill_grace, seconds(leader.respects.kill_grace.value));
    const auto lost = ends + grace + control::drift_over(core.policy, std::max(granted, earlier) + grace);
    WhyReason view;
    view.code = "site_silent";
    view.site = job.placement->site.value;
    view.text = fmt::format(
        "site {} has not been heard since about {}; the lease of this task {} {}, and unless the site is heard before {} the job goes back "
        "to the queue, or ends where its restarts are used up",
        job.placement->site.value, control::moment(heard), ends > now ? "ends at" : "ended at",
        control::moment(ends), control::moment(lost));
    return view;
}

/// How far a move has come.
std::string move_text(const Move& move) {
    if (!move.target) {
        return fmt::format("; it is to move {}, and a place is sought since {}", move.to ? "to " + move.to->value : "elsewhere",
                           format_utc(move.ordered_at));
    }
    return fmt::format("; a place is held for it at {}, {}", move.target->site.value,
                       move.prepared ? "and its checkpoint lies there"
                                     : "where its checkpoint is awaited until " + format_utc(move.prepare_by) + " at the latest");
}

/// A job that waits for nothing: where it is, and since when.
WhyReason standing_of(const LiveJob& job) {
    const std::string state{codec::name_of(job.state)};
    WhyReason view;
    view.code = state;
    if (job.placement) {
        view.site = job.placement->site.value;
        view.model = job.placement->model;
        view.text = fmt::format("it is {} at {} since {}", state, job.placement->site.value, format_utc(job.since));
        if (job.state == JobState::running) {
            view.text += " and waits for nothing";
        } else if (!job.stop_ordered && job.deadline) {
            view.text += fmt::format("; unless the site says before {} that it runs, it is tried elsewhere", format_utc(*job.deadline));
        }
    } else {
        view.text = fmt::format("it is {} since {}; the next plan looks at it", state, format_utc(job.since));
    }
    if (job.move) view.text += move_text(*job.move);
    if (job.arrival)
        view.text += fmt::format("; it comes from {}, where it ended at {}", job.arrival->from.value, format_utc(job.arrival->paused_at));
    if (job.stop_ordered) view.text += fmt::format("; its stop was ordered: {}", codec::name_of(*job.stop_ordered));
    return view;
}

}  // namespace

std::vector<WhyReason> why_never(const control::Core& core, const ProjectName& project, const Frozen<JobSpec>& spec) {
    constexpr std::size_t told_max = 8;
    if (!core.state.projects.contains(project)) return {};
    LiveJob job;
    job.project = project;
    job.spec = spec;
    const auto ask = control::ask_of(core.state, core.catalogue, job);
    // What is wrong with the ask itself is refused by whoever decides.
    if (!scheduler::check_ask(ask)) return {};
    std::vector<WhyReason> told;
    for (const auto& reason : core.scheduler.can_ever_fit(ask).reasons) {
        if (told.size() < told_max) told.push_back(reason_of(reason, false));
    }
    return told;
}

std::vector<WhyReason> unused_funding(const control::Core& core, const ProjectName& project, const JobSpec& spec, Instant now) {
    const auto known = core.state.projects.find(project);
    if (known == core.state.projects.end()) return {};
    std::vector<WhyReason> told;
    for (const auto& idle : control::idle_vouchers(core, known->second, spec, now)) {
        told.push_back({.code = "funding_unused",
                        .site = {},
                        .model = {},
                        .text = fmt::format("{} pays nothing of it: {}", idle.source, idle.clause),
                        .operator_text = {},
                        .clauses = {}});
    }
    return told;
}

WhyView why_of(const control::Core& core, const LiveJob& job, bool for_operations, Instant now) {
    WhyView view;
    view.job = job.id;
    view.state = job.state;
    view.revision = core.state.revision;
    const auto why = core.scheduler.why(job.id.uid, now);
    view.waiting = why.standing == scheduler::JobStanding::waiting;
    for (const auto& reason : why.reasons) {
        auto told = reason_of(reason, for_operations);
        if (reason.code == scheduler::ReasonCode::dependency_unresolved) told.text += awaited_text(job);
        if (told.operator_text && reason.code == scheduler::ReasonCode::dependency_unresolved) *told.operator_text += awaited_text(job);
        view.reasons.push_back(std::move(told));
    }
    if (view.reasons.empty()) {
        view.reasons.push_back(standing_of(job));
        if (auto silence = silence_of(core, job, now)) view.reasons.push_back(std::move(*silence));
    }
    return view;
}

}  // namespace weir::api
