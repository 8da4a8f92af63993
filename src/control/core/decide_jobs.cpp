// Jobs come, end, come back, leave.
#include "codec/encode.hpp"
#include "control/core/funding.hpp"
#include "control/core/lease_terms.hpp"
#include "control/core/rules.hpp"
#include "control/core/settle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

/// What is known of a job that another one waits for.
enum class Awaited : std::uint8_t { live = 1, succeeded = 2, failed = 3, unknown = 4 };

Awaited look_up(const State& state, const ProjectName& project, JobId id) {
    if (const auto live = state.jobs.find(id); live != state.jobs.end())
        return live->second.project == project ? Awaited::live : Awaited::unknown;
    const auto gone = state.finished.find(id);
    if (gone == state.finished.end() || gone->second.project != project) return Awaited::unknown;
    return gone->second.outcome == JobState::succeeded ? Awaited::succeeded : Awaited::failed;
}

Result<std::vector<JobId>, Refusal> still_awaited(const State& state, const ProjectName& project, const SubmitJob& command) {
    std::vector<JobId> open;
    for (std::size_t i = 0; i < command.spec->after.size(); ++i) {
        const auto id = command.spec->after[i];
        const auto field = fmt::format("after[{}]", i);
        if (id == command.id)
            return fail(Refusal{
                RefusalCode::bad_value, fmt::format("{} names the job itself, which would wait for ever; remove it", field), field, {}});
        switch (look_up(state, project, id)) {
            case Awaited::live:
                if (std::ranges::find(open, id) == open.end()) open.push_back(id);
                break;
            case Awaited::succeeded: break;
            case Awaited::failed:
                return fail(Refusal{RefusalCode::dependency_failed,
                                    fmt::format("{} names {}, which did not succeed; remove it or run that job again", field, id.text()),
                                    field,
                                    {}});
            case Awaited::unknown:
                return fail(Refusal{RefusalCode::not_found,
                                    fmt::format("{} names {}, which is not known in project {}", field, id.text(), project.value),
                                    field,
                                    {}});
        }
    }
    return open;
}

std::optional<Decision> seen_before(const State& state, const Actor& actor, const SubmitJob& command) {
    const auto differs = [&](const ProjectName& holder) {
        // Whose it is, and that it is a job, is nobody's business but theirs.
        if (!may_see(state, actor, holder)) return refuse(unusable_id(command.id.text()));
        return refuse(RefusalCode::already_exists_different,
                      fmt::format("{} was submitted before with another body; make a new id for a new job", command.id.text()), "id");
    };
    if (const auto live = state.jobs.find(command.id); live != state.jobs.end()) {
        return live->second.body == command.body && live->second.project == command.project ? repeat(command.id.text())
                                                                                            : differs(live->second.project);
    }
    if (const auto gone = state.finished.find(command.id); gone != state.finished.end()) {
        return gone->second.body == command.body && gone->second.project == command.project ? repeat(command.id.text())
                                                                                            : differs(gone->second.project);
    }
    return std::nullopt;
}

/// Doubles with each restart, up to an hour.
Duration backoff(const RetryAsk& retry, std::uint32_t restarts) {
    std::int64_t wait = retry.backoff.value;
    for (std::uint32_t i = 0; i < restarts && wait < 3600; ++i) wait *= 2;
    return seconds(std::min<std::int64_t>(wait, 3600));
}

/// 1 s, 2 s, 4 s and so on, up to a minute.
Duration pause_after_refusal(std::uint32_t restarts) {
    return seconds(std::min<std::int64_t>(std::int64_t{1} << std::min(restarts, 6U), 60));
}

bool retries_on(const RetryAsk& retry, std::int64_t exit_code) {
    return retry.exit_codes.empty() || std::ranges::find(retry.exit_codes, exit_code) != retry.exit_codes.end();
}

std::vector<PlacedNode> blamed_nodes(const LiveJob& job, const std::optional<NodeName>& blamed) {
    std::vector<PlacedNode> nodes;
    if (!blamed || !job.placement) return nodes;
    for (const auto& node : job.placement->nodes) {
        if (node.node == *blamed) nodes.push_back({node.node, {}});
    }
    return nodes;
}

JobState outcome_of_stop(Reason ordered) {
    return ordered == Reason::cancelled_by_tenant || ordered == Reason::cancelled_by_operator ? JobState::cancelled : JobState::failed;
}

LossCause cause_of_stop(Reason ordered) {
    if (ordered == Reason::cancelled_by_operator) return LossCause::network_cancel;
    return ordered == Reason::cancelled_by_tenant ? LossCause::tenant_cancel : LossCause::tenant_error;
}

bool is_site_fault(Reason reason) {
    return reason == Reason::lease_lost || reason == Reason::node_lost || reason == Reason::site_lost_task;
}

bool is_done(const TaskEnd& end) { return end.reason == Reason::exited && end.exit_code == 0; }

/// Seconds that the present generation is known to have run.
std::int64_t known_to_have_run_s(const LiveJob& job) {
    std::int64_t most = 0;
    for (const auto& meter : job.meters) {
        if (meter.generation == job.generation) most = std::max(most, meter.used.value / job.placement->per_node.value);
    }
    return most;
}

/// Whether a task that was told to have run so long may have had its time: its host's clock, its start and its end are not ours. A
/// hundredth and some seconds, more than any of them takes.
bool may_have_run(std::int64_t told_s, Seconds time) { return told_s + told_s / 100 + 5 >= time.value; }

/// The network says that a job's time is over by its own clock, also of one whose site was cut off and whose lease ended long before: that
/// one has not had its time, and begins anew as if nothing had been ordered. One that obeyed says so, except where its agent is of before
/// that word: it then says what one says whose supervisor died.
bool was_cut_short(const Core& core, const LiveJob& job, Reason ordered, const TaskEnd& end) {
    const bool time_is_over = ordered == Reason::max_duration_reached || ordered == Reason::budget_reached;
    if (!time_is_over || !is_site_fault(end.reason)) return false;
    const bool spent = job.placement->fen_per_card_hour.value > 0 && is_spent(core, job);
    const auto ran_s = known_to_have_run_s(job);
    return !spent && (end.reason == Reason::site_lost_task ? !may_have_run(ran_s, job.run_for) : ran_s < job.run_for.value);
}

LossCause cause_of_fault(Reason reason) { return reason == Reason::lease_lost ? LossCause::lease_lost : LossCause::provider_fault; }

/// Why what the ended generation of a stopped job used since its last checkpoint is lost. A cancel says that a job does not begin anew, and
/// not who pays for what was over before it: that says the order which it overruled.
LossCause cause_of_stopped(const Core& core, const LiveJob& job, const TaskEnd& end) {
    const auto first = job.stop_overruled.value_or(*job.stop_ordered);
    if (first == Reason::start_failed) return is_done(end) ? cause_of_stop(*job.stop_ordered) : LossCause::provider_fault;
    return was_cut_short(core, job, first, end) ? cause_of_fault(end.reason) : cause_of_stop(first);
}

}  // namespace

Decision decide(const Core& core, const Actor& actor, const SubmitJob& command, Instant now) {
    const auto& state = core.state;
    if (auto allowed = permit(state, actor, Action::submit, command.project); !allowed) return refuse(allowed.error());
    const auto project = state.projects.find(command.project);
    if (project == state.projects.end())
        return refuse(RefusalCode::not_found,
                      fmt::format("project {} is not known here; list yours with: weir project list", command.project.value), "project");
    if (auto earlier = seen_before(state, actor, command)) return std::move(*earlier);
    if (state.suspended.contains(project->second.organisation)) {
        return refuse(RefusalCode::suspended,
                      fmt::format("organisation {} is suspended: its jobs wait, and it submits none; ask an operator of the network",
                                  project->second.organisation.value),
                      "project");
    }
    if (auto fresh = check_new_id(core, command.id.uid, command.id.text(), now); !fresh) return refuse(fresh.error());
    if (auto flaw = first_of(flaws(command.spec, core.catalogue), "job")) return refuse(*flaw);
    if (const auto& deadline = command.spec->deadline; deadline && *deadline <= now) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("deadline is {}, and now it is {}; choose a later time or leave it out", moment(*deadline),
                                  moment(now)),
                      "deadline");
    }
    if (auto refusal = check_workdir(state, command.project, command.spec)) return refuse(std::move(*refusal));
    if (auto refusal = check_keep(core.policy, command.spec)) return refuse(std::move(*refusal));
    const auto live = state.live_jobs.find(command.project);
    if (live != state.live_jobs.end() && live->second >= project->second.live_jobs_max) {
        return refuse(
            RefusalCode::limit_reached,
            fmt::format("project {} has {} live jobs, at most {} may wait and run; wait for some to end or ask an operator for more",
                        command.project.value, live->second, project->second.live_jobs_max));
    }
    const auto left = state.finished_of.find(command.project);
    if (left != state.finished_of.end() && left->second >= limits::finished_per_project_max) {
        return refuse(RefusalCode::limit_reached,
                      fmt::format("{} jobs of project {} ended in the last {} and are remembered, at most {} are; do more in one job, or "
                                  "submit it later",
                                  left->second, command.project.value, format_duration(core.policy.remember),
                                  limits::finished_per_project_max));
    }
    const auto known_bytes = state.live_bytes.find(command.project);
    const auto have = known_bytes == state.live_bytes.end() ? 0 : known_bytes->second;
    if (const auto more = bytes_of(command.spec); more > 0 && have + more > limits::live_bytes_per_project_max) {
        return refuse(
            RefusalCode::limit_reached,
            fmt::format("the commands and variables of the live jobs of project {} take {} bytes and this one {}, {} fit; put what is "
                        "long into files, or wait for some jobs to end",
                        command.project.value, have, more, limits::live_bytes_per_project_max));
    }
    for (const auto& site : command.spec->trust) {
        if (!state.sites.contains(site))
            return refuse(RefusalCode::not_found,
                          fmt::format("trust names the site {}, which is not known; see: weir site list", site.value), "trust");
    }
    auto awaited = still_awaited(state, command.project, command);
    if (!awaited) return refuse(awaited.error());
    auto holds = plan_holds(core, project->second, command.spec, command.id, now);
    if (!holds) return refuse(holds.error());

    Decision decision = accept(command.id.text(), {});
    if (!holds->transfers.empty()) {
        auto facts = post(core, holds->transfers, now);
        if (!facts) return refuse(facts.error());
        decision.events.push_back(std::move(*facts));
    }
    decision.events.push_back(
        JobSubmitted{command.id, command.project, actor.subject, command.body, command.spec, std::move(holds->holds), std::move(*awaited)});
    return decision;
}

Decision decide(const Core& core, const Actor& actor, const CancelJob& command, Instant now) {
    // An agent may not cancel, and does not learn here which jobs there are.
    if (actor.kind == Actor::Kind::agent) {
        if (auto allowed = permit(core.state, actor, Action::cancel); !allowed) return refuse(allowed.error());
    }
    const auto job = core.state.jobs.find(command.job);
    const auto gone = core.state.finished.find(command.job);
    const auto unknown = [&] {
        return refuse(RefusalCode::not_found, fmt::format("{} is not known here; list yours with: weir job list", command.job.text()),
                      "job");
    };
    const bool is_live = job != core.state.jobs.end();
    if (!is_live && gone == core.state.finished.end()) return unknown();
    const auto& project = is_live ? job->second.project : gone->second.project;
    if (auto allowed = permit(core.state, actor, Action::cancel, project); !allowed) {
        return allowed.error().code == RefusalCode::not_found ? unknown() : refuse(allowed.error());
    }
    if (!is_live) {
        if (gone->second.outcome == JobState::cancelled) return repeat(command.job.text());
        return refuse(RefusalCode::already_finished,
                      fmt::format("{} has {} at {}; there is nothing left to cancel", command.job.text(),
                                  codec::name_of(gone->second.outcome), moment(gone->second.finished_at)),
                      "job");
    }
    const bool theirs = actor.kind == Actor::Kind::subject && may_as_member(core.state, actor.subject, Action::cancel, project);
    const auto reason = theirs ? Reason::cancelled_by_tenant : Reason::cancelled_by_operator;
    std::vector<Event> events;
    if (!job->second.placement) {
        finish(core, job->second, JobState::cancelled, reason, 0, cause_of_stop(reason), now, events);
        return accept(command.job.text(), std::move(events));
    }
    // After an order of the network's own the job may begin anew; after this one it does not.
    if (job->second.stop_ordered && outcome_of_stop(*job->second.stop_ordered) == JobState::cancelled) return repeat(command.job.text());
    events.push_back(stop_order(core, job->second, reason, now));
    return accept(command.job.text(), std::move(events));
}

Decision decide(const Core& core, const Actor& actor, const LoseTask& command, Instant now) {
    if (actor.kind != Actor::Kind::system) return refuse(RefusalCode::forbidden, "only the keeper of leases says that a task is lost");
    const auto job = core.state.jobs.find(command.job);
    if (job == core.state.jobs.end() || job->second.generation != command.generation || !job->second.placement)
        return repeat(command.job.text());
    Decision decision = accept(command.job.text(), {});
    end_generation(core, job->second, {Reason::lease_lost, 0, std::nullopt}, now, decision.events);
    return decision;
}

Reason longest_run_reached(const LiveJob& job) {
    return job.run_for < job.spec->max_duration ? Reason::budget_reached : Reason::max_duration_reached;
}

JobStopOrdered stop_order(const Core& core, const LiveJob& job, Reason reason, Instant now, std::optional<Seconds> checkpoint_within) {
    // An agent that does not hear the order renews no lease after it: the fence has stopped the task by then.
    const auto first = seconds(checkpoint_within.value_or(Seconds{0}).value);
    return {job.id, job.generation, reason, now + first + std::max(core.policy.stop_within, fence_span(core, job, now)), checkpoint_within};
}

void end_generation(const Core& core, const LiveJob& job, const TaskEnd& end, Instant now, std::vector<Event>& events) {
    // It may have begun since, too late: the site had its time, and the job begins anew.
    const bool start_given_up = job.stop_ordered == Reason::start_failed && !is_done(end);
    const bool leaves = job.stop_ordered && is_leave(*job.stop_ordered);
    if (job.stop_ordered && !start_given_up && !leaves && !was_cut_short(core, job, *job.stop_ordered, end)) {
        // A program that was done before the order reached it has succeeded, unless somebody wanted it gone.
        if (!is_done(end) || outcome_of_stop(*job.stop_ordered) == JobState::cancelled)
            return finish(core, job, outcome_of_stop(*job.stop_ordered), *job.stop_ordered, end.exit_code, cause_of_stopped(core, job, end),
                          now, events);
    }
    const bool obeyed = leaves && (end.reason == Reason::stopped_as_ordered || end.reason == Reason::site_lost_task);
    const auto reason = start_given_up ? Reason::start_failed : obeyed ? *job.stop_ordered : end.reason;
    const auto& retry = job.spec->retry;
    const auto requeue = [&](LossCause cause, Instant not_before) {
        if (!pays_again(core, job, cause, now))
            return finish(core, job, JobState::failed, Reason::budget_reached, end.exit_code, cause, now, events);
        if (cause != LossCause::tenant_error) {
            if (auto moved = arrive(core, job, reason, cause, now - end.ago, now)) {
                events.emplace_back(*std::move(moved));
                return;
            }
        }
        events.push_back(JobRequeued{job.id, job.generation, reason, cause, not_before, blamed_nodes(job, end.blamed)});
    };
    switch (reason) {
        case Reason::exited: return finish(core, job, JobState::succeeded, Reason::exited, end.exit_code, std::nullopt, now, events);
        case Reason::exit_code:
        case Reason::signalled:
        case Reason::out_of_memory:
        case Reason::disk_exceeded:
            if (std::cmp_less(job.error_restarts, retry.max_restarts) && retries_on(retry, end.exit_code)) {
                return requeue(LossCause::tenant_error, now + backoff(retry, job.error_restarts));
            }
            return finish(core, job, JobState::failed, end.reason, end.exit_code, LossCause::tenant_error, now, events);
        case Reason::max_duration_reached:
            // Its supervisor stopped it while the site was cut off: as if our own order had reached it.
            return finish(core, job, JobState::failed, longest_run_reached(job), end.exit_code, LossCause::tenant_error, now, events);
        case Reason::node_lost:
            if (job.nodes_killed + 1 >= core.policy.nodes_killed_max) {
                return finish(core, job, JobState::failed, Reason::quarantined, end.exit_code, LossCause::provider_fault, now, events);
            }
            [[fallthrough]];
        default: break;
    }
    if (obeyed) return requeue(cause_of_leave(job, *job.stop_ordered), now);
    const auto cause = cause_of_fault(reason);
    if (std::cmp_less(job.fault_restarts, retry.max_restarts_on_site_fault)) {
        // A site that refuses a start refuses the next one a moment later too: the pause keeps it from using up all restarts at once.
        return requeue(cause, reason == Reason::start_failed ? now + pause_after_refusal(job.fault_restarts) : now);
    }
    finish(core, job, JobState::failed, Reason::restarts_exhausted, end.exit_code, cause, now, events);
}

void finish(const Core& core, const LiveJob& job, JobState outcome, Reason reason, std::int64_t exit_code,
            std::optional<LossCause> unsecured, Instant now, std::vector<Event>& events) {
    auto settlement = settle(core, job, unsecured, now);
    if (!settlement.transfers.empty()) {
        auto facts = post(core, settlement.transfers, now);
        // The holds were made for this: a capture within them and payments from it cannot be refused (ledger, M3; the ledger keeps
        // room for what settles its holds). A job that left without it would be billed for what nobody paid: rather the process ends.
        events.push_back(std::move(facts).value());
    }
    events.push_back(JobFinished{job.id, outcome, reason, exit_code, std::move(settlement.bill), std::move(settlement.paid)});
}

std::vector<Event> decide_forsaken(const Core& core, Instant now, std::size_t at_most) {
    std::vector<Event> events;
    for (const auto& id : core.state.forsaken) {
        if (at_most-- == 0) break;
        finish(core, core.state.jobs.at(id), JobState::failed, Reason::dependency_failed, 0, LossCause::tenant_error, now, events);
    }
    return events;
}

}  // namespace weir::control
