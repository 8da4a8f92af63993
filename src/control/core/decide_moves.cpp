// Work that leaves a site on purpose: what people order, and what follows from it with time. Until a job was told to stop, its move can be
// given up and nothing is lost; from then on it goes on elsewhere, at the place that is held for it or at another.
#include "codec/encode.hpp"
#include "control/core/feed.hpp"
#include "control/core/funding.hpp"
#include "control/core/move_steps.hpp"
#include "control/core/rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

bool takes_checkpoints(const LiveJob& job) { return job.spec->checkpoint.protocol != CheckpointProtocol::none; }

/// How long a program that publishes by itself may take to its next checkpoint; none is waited for longer.
constexpr std::int64_t own_checkpoint_s_max = 600;

/// How long the job may take to publish what it goes on from; nothing where it does not, or does not run yet.
std::optional<Seconds> checkpoint_time(const Core& core, const LiveJob& job) {
    if (!takes_checkpoints(job) || !job.started_at) return std::nullopt;
    const auto asked_s = std::max<std::int64_t>(core.policy.checkpoint_within.ns / 1'000'000'000, 1);
    if (job.spec->checkpoint.protocol != CheckpointProtocol::self) return Seconds{asked_s};
    const auto interval_s = job.spec->checkpoint.interval.value;
    return Seconds{std::clamp(2 * interval_s, std::min(asked_s, own_checkpoint_s_max), own_checkpoint_s_max)};
}

bool takes_work(const SiteState& site) { return site.site.open && site.reachable && site.duty == SiteDuty::working; }

/// What the site's rules and the job's say against going there, before anybody looks for room.
std::optional<Refusal> refused_there(const Core& core, const LiveJob& job, const SiteName& to, Instant now) {
    const auto refused = [&](RefusalCode code, std::string message, std::string field, std::string clause = {}) {
        return Refusal{code, std::move(message), std::move(field), std::move(clause)};
    };
    const auto site = core.state.sites.find(to);
    if (site == core.state.sites.end())
        return refused(RefusalCode::not_found, fmt::format("site {} is not known; see: weir site list", to.value), "to");
    const auto id = job.id.text();
    if (to == job.placement->site)
        return refused(RefusalCode::not_movable, fmt::format("{} is at {} already; name another site", id, to.value), "to");
    const auto& spec = *job.spec;
    const auto& trusted = spec.trust.empty() ? core.state.projects.at(job.project).trusted : spec.trust;
    if (!trusted.empty() && std::ranges::find(trusted, to) == trusted.end()) {
        return refused(RefusalCode::not_movable,
                       fmt::format("{} is not among the {} sites that {} trusts; add it there, or name one of them", to.value,
                                   trusted.size(), spec.trust.empty() ? "project " + job.project.value : "the job"),
                       "to");
    }
    const auto& there = site->second.site;
    if (!lies_within(there.region, spec.residency)) {
        return refused(RefusalCode::not_movable,
                       fmt::format("{} lies in {} and the job must stay in {}; name a site there", to.value, there.region, spec.residency),
                       "to");
    }
    if (spec.tier && *spec.tier != there.tier) {
        return refused(RefusalCode::not_movable,
                       fmt::format("{} is of the tier {} and the job asked for {}; name a site of that tier", to.value,
                                   codec::name_of(there.tier), codec::name_of(*spec.tier)),
                       "to");
    }
    if (site->second.duty != SiteDuty::working || !there.open) {
        return refused(RefusalCode::not_movable,
                       fmt::format("{} takes no new work: it is {}; name another site, or wait until it does", to.value,
                                   there.open ? codec::name_of(site->second.duty) : "closed"),
                       "to");
    }
    auto as_moving = job;
    as_moving.move = Move{};
    as_moving.move->ordered_at = now;
    const auto answers = funding_answers(core, as_moving, now);
    const auto here = answers.find(to.value);
    std::string clause;
    std::string models;
    for (const auto way : ways_of(core.catalogue, as_moving)) {
        const auto& model = spec.resources.accelerators[way].model;
        models += (models.empty() ? "" : ", ") + model;
        if (here == answers.end()) continue;
        const auto answer = here->second.find(model);
        if (answer == here->second.end()) continue;
        if (answer->second.eligible) return std::nullopt;
        for (const auto& one : answer->second.clauses) clause += (clause.empty() ? "" : "; ") + one.source + ": " + one.clause;
    }
    if (clause.empty()) {
        return refused(RefusalCode::not_movable,
                       fmt::format("{} has no price for {}, which {} may go on with (it runs on {}); name another site, or say with "
                                   "checkpoint.stacks where else its checkpoints were seen to load",
                                   to.value, models, id, job.placement->model),
                       "to");
    }
    return refused(
        RefusalCode::funding_not_eligible,
        fmt::format("nothing that pays for {} pays for it at {}; name another site, or submit it with other funding", id, to.value), "to",
        std::move(clause));
}

/// The job that somebody may steer, or why not.
Result<const LiveJob*, Refusal> steered(const Core& core, const Actor& actor, JobId id) {
    if (actor.kind == Actor::Kind::agent) WEIR_CHECK(permit(core.state, actor, Action::move_job));
    const auto unknown =
        Refusal{RefusalCode::not_found, fmt::format("{} is not known here; list yours with: weir job list", id.text()), "job", {}};
    const auto job = core.state.jobs.find(id);
    const auto gone = core.state.finished.find(id);
    if (job == core.state.jobs.end() && gone == core.state.finished.end()) return fail(unknown);
    const auto& project = job != core.state.jobs.end() ? job->second.project : gone->second.project;
    if (auto allowed = permit(core.state, actor, Action::move_job, project); !allowed)
        return fail(allowed.error().code == RefusalCode::not_found ? unknown : allowed.error());
    if (job != core.state.jobs.end()) return &job->second;
    return fail(Refusal{RefusalCode::already_finished,
                        fmt::format("{} has {} at {}; there is nothing left to move", id.text(), codec::name_of(gone->second.outcome),
                                    moment(gone->second.finished_at)),
                        "job",
                        {}});
}

Decision call_off(const LiveJob& job) {
    if (!job.move) return repeat(job.id.text());
    if (job.stop_ordered) {
        return refuse(RefusalCode::not_movable,
                      fmt::format("{} was told to stop at {} already and goes on elsewhere; move it back once it runs", job.id.text(),
                                  job.placement->site.value),
                      "job");
    }
    return accept(job.id.text(), {JobMoveEnded{job.id, MoveEnd::called_off}});
}

std::string told_of(const LiveJob& job) { return job.move->to ? job.move->to->value : "wherever it fits"; }

}  // namespace

bool is_leave(Reason ordered) {
    return ordered == Reason::moving || ordered == Reason::site_drained || ordered == Reason::site_stopped || ordered == Reason::suspended;
}

LossCause cause_of_leave(const LiveJob& job, Reason ordered) {
    if (ordered == Reason::site_drained || ordered == Reason::site_stopped) return LossCause::site_drain;
    if (ordered == Reason::suspended) return LossCause::suspension;
    if (!job.move) return LossCause::move;
    switch (job.move->cause) {
        case MoveCause::tenant: return LossCause::tenant_move;
        case MoveCause::site_drain: return LossCause::site_drain;
        case MoveCause::operator_: return LossCause::move;
    }
    return LossCause::move;
}

std::optional<JobMoved> arrive(const Core& core, const LiveJob& job, Reason reason, LossCause cause, Instant paused_at, Instant now) {
    if (!job.move || !job.move->target) return std::nullopt;
    const auto& target = *job.move->target;
    const auto site = core.state.sites.find(target.site);
    if (site == core.state.sites.end() || !takes_work(site->second)) return std::nullopt;
    const auto is_there = [&](const PlacedNode& placed) {
        const auto node = site->second.nodes.find(placed.node);
        return node != site->second.nodes.end() && node->second.healthy;
    };
    if (!std::ranges::all_of(target.nodes, is_there)) return std::nullopt;
    // What it can still spend is judged once what it lost is charged to who pays for the cause.
    auto after = job;
    for (auto& usage : after.usage) {
        if (usage.generation != job.generation) continue;
        usage.lost[std::string{codec::name_of(cause)}] += usage.at_risk;
        usage.at_risk = {};
    }
    const auto answers = funding_answers(core, after, now);
    const auto there = answers.find(target.site.value);
    if (there == answers.end()) return std::nullopt;
    const auto answer = there->second.find(target.model);
    if (answer == there->second.end() || !answer->second.eligible) return std::nullopt;
    const auto& tariff = site->second.site.tariff;
    const auto price = std::ranges::find(tariff, target.model, &TariffLine::model);
    const auto& asks = job.spec->resources.accelerators;
    const auto ask = std::ranges::find_if(
        asks, [&](const AcceleratorAsk& one) { return one.model == target.model && one.per_node == target.per_node; });
    if (price == tariff.end() || ask == asks.end()) return std::nullopt;
    JobMoved moved{job.id, job.generation, reason, cause, shares_of(core, after, site->second.site, target.model, now), {}, {},
                   {},     paused_at};
    moved.fen_per_card_hour = price->fen_per_card_hour;
    moved.run_for = run_for(core, after, *ask, price->fen_per_card_hour, moved.shares);
    moved.start_by = start_by(core.policy, moved.shares.value_or(std::vector<SourceShare>{}), moved.run_for, now);
    return moved;
}

Decision decide(const Core& core, const Actor& actor, const MoveJob& command, Instant now) {
    const auto found = steered(core, actor, command.job);
    if (!found) return refuse(found.error());
    const auto& job = **found;
    const auto id = job.id.text();
    if (command.call_off) return call_off(job);
    if (!job.placement) {
        return refuse(
            RefusalCode::not_movable,
            fmt::format("{} is {} and at no site; cancel it, and submit it with other sites in `trust`", id, codec::name_of(job.state)),
            "job");
    }
    if (job.move) {
        if (job.move->to == command.to && job.move->restart == command.restart) return repeat(id);
        return refuse(RefusalCode::not_movable,
                      fmt::format("{} is on its way to {} already; call that off first: weir job move {} --call-off", id, told_of(job), id),
                      "job");
    }
    if (job.stop_ordered) {
        return refuse(RefusalCode::not_movable, fmt::format("{} was told to stop ({}); it cannot be moved any more", id,
                                                            codec::name_of(*job.stop_ordered)),
                      "job");
    }
    if (now < job.move_ended_at + between_moves) {
        return refuse(RefusalCode::not_movable,
                      fmt::format("{} moved, or its move was called off, less than {} s ago; ask again then", id,
                                  between_moves.ns / 1'000'000'000),
                      "job");
    }
    if (!takes_checkpoints(job) && !command.restart) {
        return refuse(RefusalCode::not_movable,
                      fmt::format("{} has no checkpoint protocol and would begin from its start elsewhere; if that is meant, say so with "
                                  "--restart",
                                  id),
                      "restart");
    }
    if (command.to) {
        if (auto refused = refused_there(core, job, *command.to, now)) return refuse(*std::move(refused));
    }
    const bool theirs = actor.kind == Actor::Kind::subject && may_as_member(core.state, actor.subject, Action::move_job, job.project);
    return accept(id, {JobMoveOrdered{job.id, job.generation, theirs ? MoveCause::tenant : MoveCause::operator_, command.to,
                                      command.restart, std::nullopt}});
}

Decision decide(const Core& core, const Actor& actor, const SetSiteDuty& command, Instant now) {
    const auto known = core.state.sites.find(command.site);
    if (known == core.state.sites.end()) {
        if (auto allowed = permit(core.state, actor, Action::see_network); !allowed) return refuse(allowed.error());
        return refuse(RefusalCode::not_found, fmt::format("site {} is not known; see: weir site list", command.site.value), "site");
    }
    if (auto allowed = permit_running(core.state, actor, known->second); !allowed) return refuse(allowed.error());
    if (command.deadline && command.duty != SiteDuty::draining)
        return refuse(RefusalCode::bad_value, "a deadline belongs to a drain; leave it out", "deadline");
    if (command.deadline && *command.deadline <= now) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("deadline is {}, and now it is {}; choose a later time, or stop the site", moment(*command.deadline),
                                  moment(now)),
                      "deadline");
    }
    if (known->second.duty == command.duty && known->second.drained_by == command.deadline) return repeat(command.site.value);
    return accept(command.site.value, {SiteDutySet{command.site, command.duty, command.deadline}});
}

Decision decide(const Core& core, const Actor& actor, const SuspendOrganisation& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    if (!core.state.organisations.contains(command.organisation)) {
        return refuse(RefusalCode::not_found,
                      fmt::format("organisation {} is not known; list them with: weir org list", command.organisation.value),
                      "organisation");
    }
    if (core.state.suspended.contains(command.organisation) == command.suspended) return repeat(command.organisation.value);
    return accept(command.organisation.value, {OrganisationSuspended{command.organisation, command.suspended}});
}

namespace {

/// One pass: at most policy.timers_per_pass events; what is left comes with the next tick.
class Steering {
public:
    Steering(const Core& core, Instant now, std::vector<Event>& events) : core_{core}, now_{now}, events_{events} {}

    void run() {
        for (const auto& [name, site] : core_.state.sites) {
            if (site.duty != SiteDuty::working) empty_site(name, site);
        }
        for (const auto& id : core_.state.unwelcome) {
            const auto& job = core_.state.jobs.at(id);
            if (has_room() && !job.stop_ordered) stop(job, Reason::suspended);
        }
        for (const auto& id : core_.state.moves) {
            if (has_room() && !handled_.contains(id)) go_on(core_.state.jobs.at(id));
        }
    }

private:
    [[nodiscard]] bool has_room() const { return events_.size() < core_.policy.timers_per_pass; }

    void stop(const LiveJob& job, Reason reason) {
        if (!handled_.insert(job.id).second) return;
        // A site that is stopped at once waits for nobody's checkpoint.
        const bool at_once = reason == Reason::site_stopped || (reason == Reason::moving && leaves_at_once(job));
        const auto within = at_once ? std::nullopt : checkpoint_time(core_, job);
        events_.push_back(stop_order(core_, job, reason, now_, within));
    }

    void empty_site(const SiteName& name, const SiteState& site) {
        const auto tasks = core_.state.tasks.find(name);
        if (tasks == core_.state.tasks.end()) return;
        const bool is_over = site.drained_by && *site.drained_by <= now_;
        for (const auto& [id, generation] : tasks->second) {
            if (!has_room()) return;
            const auto& job = core_.state.jobs.at(id);
            if (job.stop_ordered) continue;
            if (site.duty == SiteDuty::stopped) {
                stop(job, Reason::site_stopped);
            } else if (!job.started_at || (is_over && !(job.move && job.move->target))) {
                // What does not run yet has nothing to lose; what found no place until the deadline waits for one in the queue.
                stop(job, Reason::site_drained);
            } else if (!job.move && takes_checkpoints(job) && !is_over && now_ >= job.move_ended_at + between_moves) {
                events_.push_back(JobMoveOrdered{id, generation, MoveCause::site_drain, std::nullopt, false, site.drained_by});
                handled_.insert(id);
            }
        }
    }

    /// Whether there is nothing more to wait for before it is told to stop.
    [[nodiscard]] bool is_ready(const LiveJob& job) const {
        const auto& move = *job.move;
        const auto in_time = checkpoint_time(core_, job);
        if (!in_time || now_ >= move.prepare_by || (move.leave_by && now_ >= *move.leave_by)) return true;
        const auto waited_since = [&](Instant since) { return now_ >= since + seconds(in_time->value); };
        if (job.checkpoints.empty()) return waited_since(move.reserved_at);
        if (!has_newest_in_place(job)) return false;
        return copies_quickly(move) || has_fresh_checkpoint(job) || waited_since(move.prepared_at);
    }
    /// Whether it stops at once: what a last checkpoint would save is no more than what its copy would cost.
    static bool leaves_at_once(const LiveJob& job) {
        return has_newest_in_place(job) && has_fresh_checkpoint(job) && !copies_quickly(*job.move);
    }

    void go_on(const LiveJob& job) {
        const auto& move = *job.move;
        if (job.stop_ordered) return;
        const auto& here = core_.state.sites.at(job.placement->site);
        if (move.cause == MoveCause::site_drain && here.duty == SiteDuty::working) {
            events_.push_back(JobMoveEnded{job.id, MoveEnd::no_longer_needed});
            return;
        }
        if (!move.target) return;
        if (!takes_work(core_.state.sites.at(move.target->site))) {
            events_.push_back(JobMoveEnded{job.id, MoveEnd::target_lost});
            return;
        }
        if (is_ready(job)) stop(job, Reason::moving);
    }

    const Core& core_;
    Instant now_;
    std::vector<Event>& events_;
    std::set<JobId> handled_;  ///< In this pass.
};

}  // namespace

void steer_moves(const Core& core, Instant now, std::vector<Event>& events) { Steering{core, now, events}.run(); }

}  // namespace weir::control
