#include "control/forecast.hpp"

#include "control/core/feed.hpp"
#include "control/core/funding.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

namespace weir::control {
namespace {

/// What is behind its time is taken to end soon: the network stops it, or it is being stopped.
constexpr Duration overdue = seconds(60);
/// Above every generation that a site ever heard of; a played placement is told under it.
constexpr std::uint64_t played = std::uint64_t{1} << 40U;

/// One pass after another, from each end of a job to the next.
class Play {
public:
    Play(ForecastFacts facts, const ForecastLimits& limits, std::optional<Uid> until_placed)
        : facts_{std::move(facts)}, limits_{limits}, until_placed_{until_placed}, scheduler_{facts_.policy} {
        told_.as_of = facts_.as_of;
        told_.until = facts_.as_of + limits.horizon;
        for (auto& fact : facts_.facts) {
            if (const auto* queued = std::get_if<scheduler::JobQueued>(&fact)) {
                if (queued->dependencies > 0) held_.emplace(queued->job, *queued);
                if (queued->not_before > facts_.as_of) wakes_.insert(queued->not_before);
                waiting_.insert(queued->job);
            }
            (void)scheduler_.apply(std::move(fact));
        }
        for (const auto& [job, end] : facts_.ends) ends_.insert({end, job});
    }

    Forecast run() {
        auto now = facts_.as_of;
        for (plan(now); !is_over(); plan(now)) {
            const auto next = next_change(now);
            if (!next || *next > told_.until) break;
            now = *next;
            end_jobs(now);
        }
        told_.waiting = waiting_.size();
        return std::move(told_);
    }

private:
    [[nodiscard]] bool is_over() const {
        return waiting_.empty() || told_.starts.size() >= limits_.placements_max ||
               (until_placed_ && told_.starts.contains(*until_placed_));
    }

    void plan(Instant now) {
        for (bool more = true; more && !is_over();) {
            auto plan = scheduler_.plan(now, {.placements_max = 1'000, .waiting_max = 0});
            more = plan.counts.cut_short;
            for (auto& placement : plan.placements) begin(std::move(placement), now);
        }
    }

    void begin(scheduler::Placement placement, Instant now) {
        const auto job = placement.job;
        const auto length = facts_.lengths.find(job);
        const auto end = now + (length == facts_.lengths.end() ? overdue : length->second);
        if (!facts_.ends.contains(job)) {  // One that moves ends when it would have ended where it is.
            ends_.insert({end, job});
            told_.starts[job] = {now, end, placement.allocation.site, placement.allocation.model,
                                 static_cast<std::int64_t>(placement.allocation.nodes.size())};
        }
        waiting_.erase(job);
        (void)scheduler_.apply(scheduler::JobPlaced{job, played, std::move(placement.allocation)});
    }

    [[nodiscard]] std::optional<Instant> next_change(Instant now) const {
        std::optional<Instant> next;
        if (!ends_.empty()) next = ends_.begin()->first;
        const auto wake = wakes_.upper_bound(now);
        if (wake != wakes_.end() && (!next || *wake < *next)) next = *wake;
        return next;
    }

    void end_jobs(Instant now) {
        while (!ends_.empty() && ends_.begin()->first <= now) {
            const auto job = ends_.begin()->second;
            ends_.erase(ends_.begin());
            (void)scheduler_.apply(scheduler::JobRemoved{job});
            const auto dependents = facts_.dependents.find(job);
            if (dependents == facts_.dependents.end()) continue;
            for (const auto& dependent : dependents->second) free_one(dependent);
        }
    }

    void free_one(Uid job) {
        const auto held = held_.find(job);
        if (held == held_.end()) return;
        --held->second.dependencies;
        (void)scheduler_.apply(held->second);
        if (held->second.dependencies == 0) held_.erase(held);
    }

    ForecastFacts facts_;
    ForecastLimits limits_;
    std::optional<Uid> until_placed_;
    scheduler::Scheduler scheduler_;
    Forecast told_;
    std::set<std::pair<Instant, Uid>> ends_;
    std::set<Instant> wakes_;                        ///< When jobs that back off may begin.
    std::map<Uid, scheduler::JobQueued> held_;       ///< Those that wait for others.
    std::set<Uid> waiting_;
};

}  // namespace

Instant expected_end(const LiveJob& job, Instant now) {
    const auto from = job.started_at.value_or(job.since);
    const auto longest = seconds(job.run_for.value);
    for (const auto length : {std::min(expected_length(job.spec), longest), longest}) {
        if (!job.stop_ordered && from + length > now) return from + length;
    }
    return now + overdue;
}

Duration expected_length(const JobSpec& spec) {
    const auto longest = seconds(spec.max_duration.value);
    return spec.estimated_duration ? std::min(seconds(spec.estimated_duration->value), longest) : longest;
}

ForecastFacts forecast_facts(const Core& core, Instant now) {
    ForecastFacts facts;
    facts.facts = core.scheduler.facts();
    facts.as_of = now;
    for (const auto& [id, job] : core.state.jobs) {
        if (job.placement) {
            facts.ends.emplace(id.uid, expected_end(job, now));
        } else {
            facts.lengths.emplace(id.uid, expected_length(job.spec));
        }
        for (const auto& awaited : job.waits_for) facts.dependents[awaited.uid].push_back(id.uid);
    }
    return facts;
}

void add_job(ForecastFacts& facts, const Core& core, const JobSubmitted& submitted, Instant now) {
    LiveJob job;
    job.id = submitted.job;
    job.project = submitted.project;
    job.spec = submitted.spec;
    job.holds = submitted.holds;
    job.waits_for = submitted.waits_for;
    job.submitted_at = job.since = now;
    auto queued = queued_of(core, job);
    queued.ask.funding = "of the job that is asked about";
    facts.facts.emplace_back(scheduler::FundingSet{queued.ask.funding, funding_answers(core, job, now)});
    facts.facts.emplace_back(std::move(queued));
    facts.lengths.emplace(job.id.uid, expected_length(job.spec));
    for (const auto& awaited : job.waits_for) facts.dependents[awaited.uid].push_back(job.id.uid);
}

Forecast forecast(ForecastFacts facts, const ForecastLimits& limits, std::optional<Uid> until_placed) {
    return Play{std::move(facts), limits, until_placed}.run();
}

}  // namespace weir::control
