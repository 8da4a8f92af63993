#include "engines/scheduler/check.hpp"
#include "engines/scheduler/state.hpp"

#include <algorithm>
#include <utility>

namespace weir::scheduler {
namespace {

using State = Scheduler::State;
using Verdict = Result<void, DeltaRefusal>;

Verdict take(State& state, const SiteSet& site) {
    state.inventory.set_site(site);
    return {};
}

Verdict take(State& state, const SiteRemoved& removed) {
    const Slot site = state.inventory.find_site(removed.site);
    if (site == no_slot || !state.inventory.site(site).present) return fail(DeltaRefusal::site_is_unknown);
    state.inventory.remove_site(site);
    return {};
}

Verdict take(State& state, const NodeSet& node) {
    const Slot site = state.inventory.find_site(node.site);
    if (site == no_slot || !state.inventory.site(site).present) return fail(DeltaRefusal::site_is_unknown);
    state.inventory.set_node(node);
    return {};
}

Verdict take(State& state, const NodeRemoved& removed) {
    const Slot site = state.inventory.find_site(removed.site);
    if (site == no_slot || !state.inventory.site(site).present) return fail(DeltaRefusal::site_is_unknown);
    const Slot node = state.inventory.find_node(removed.site, removed.node);
    if (node == no_slot || !state.inventory.node(node).present) return fail(DeltaRefusal::node_is_unknown);
    state.inventory.remove_node(node);
    return {};
}

Verdict take(State& state, const FundingSet& funding) {
    FundingAnswers& answers = state.fundings[funding.funding];
    if (answers == funding.sites && !answers.empty()) return {};
    answers = funding.sites;
    state.room.wake_users_of_funding(funding.funding);
    return {};
}

Verdict take(State& state, const FundingRemoved& removed) {
    if (state.fundings.erase(removed.funding) == 0) return fail(DeltaRefusal::funding_is_unknown);
    state.room.wake_users_of_funding(removed.funding);
    return {};
}

Verdict take(State& state, const QuotaSet& set) {
    const Slot project = state.intern_project(set.project);
    Quota& quota = state.projects[project].quotas[state.inventory.intern_model(set.model)];
    if (quota.limit_milli == set.limit_milli) return {};
    quota.limit_milli = set.limit_milli;
    state.room.wake_watchers_of_project(project);
    return {};
}

Verdict take(State& state, JobQueued& queued) {
    Job& job = state.jobs[queued.job];
    state.stop_waiting(job);
    const QueueKey key{.priority = queued.priority, .queued_at = queued.queued_at, .job = queued.job};
    const Slot project = state.intern_project(queued.ask.project);
    job.waiting = state.room.enter(std::move(queued.ask), key, queued.not_before, queued.dependencies, project);
    return {};
}

Verdict take(State& state, const JobWithdrawn& withdrawn) {
    const auto job = state.jobs.find(withdrawn.job);
    if (job == state.jobs.end()) return fail(DeltaRefusal::job_is_unknown);
    state.stop_waiting(job->second);
    state.forget_if_idle(withdrawn.job);
    return {};
}

Verdict take(State& state, JobPlaced& placed) {
    Job& job = state.jobs[placed.job];
    const auto same = std::ranges::find(job.holdings, placed.generation, &Holding::generation);
    if (same != job.holdings.end()) return fail(DeltaRefusal::generation_is_held);
    state.stop_waiting(job);
    const Slot project = state.intern_project(placed.allocation.project);
    const Slot model = state.inventory.intern_model(placed.allocation.model);
    Holding holding{.generation = placed.generation, .allocation = std::move(placed.allocation),
                    .project = project, .model = model};
    holding.nodes.reserve(holding.allocation.nodes.size());
    for (const NodeShare& share : holding.allocation.nodes) {
        holding.nodes.push_back(state.inventory.hold_node(holding.allocation.site, share.node));
    }
    state.charge(holding.allocation, holding.nodes, holding.project, holding.model, Charge::take);
    const auto promise = state.promises.find(placed.job);
    if (promise != state.promises.end() && promise->second.allocation == holding.allocation) state.promises.erase(promise);
    job.holdings.push_back(std::move(holding));
    return {};
}

Verdict take(State& state, const JobReleased& released) {
    const auto job = state.jobs.find(released.job);
    if (job == state.jobs.end()) return fail(DeltaRefusal::job_is_unknown);
    auto& holdings = job->second.holdings;
    const auto holding = std::ranges::find(holdings, released.generation, &Holding::generation);
    if (holding == holdings.end()) return fail(DeltaRefusal::generation_is_unknown);
    state.free_holding(*holding);
    holdings.erase(holding);
    state.forget_if_idle(released.job);
    return {};
}

Verdict take(State& state, const JobRemoved& removed) {
    const auto job = state.jobs.find(removed.job);
    if (job == state.jobs.end()) return fail(DeltaRefusal::job_is_unknown);
    state.stop_waiting(job->second);
    for (const Holding& holding : job->second.holdings) state.free_holding(holding);
    state.jobs.erase(job);
    return {};
}

}  // namespace

Slot State::intern_project(std::string_view name) {
    if (const auto known = project_slots.find(name); known != project_slots.end()) return known->second;
    const auto slot = static_cast<Slot>(projects.size());
    project_slots.emplace(name, slot);
    projects.push_back({.name = std::string{name}, .quotas = {}});
    return slot;
}

const FundingAnswers* State::funding_of(const Ask& ask) const {
    const auto at = fundings.find(ask.funding);
    return at == fundings.end() ? nullptr : &at->second;
}

std::int64_t milli_of(const Allocation& allocation) {
    std::int64_t milli = 0;
    for (const NodeShare& share : allocation.nodes) {
        for (const CardShare& card : share.cards) milli += card.milli;
    }
    return milli;
}

void State::charge(const Allocation& allocation, std::span<const Slot> nodes, Slot project, Slot model, Charge charge) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const NodeShare& share = allocation.nodes[i];
        inventory.charge(nodes[i], share.cards, share.cpus_milli, share.memory_mib, charge);
    }
    const std::int64_t milli = milli_of(allocation);
    projects[project].quotas[model].used_milli += charge == Charge::take ? milli : -milli;
    if (charge == Charge::give) room.wake_watchers_of_project(project);
}

void State::stop_waiting(Job& job) {
    if (!job.waiting) return;
    room.leave(*job.waiting);
    job.waiting.reset();
}

void State::free_holding(const Holding& holding) {
    charge(holding.allocation, holding.nodes, holding.project, holding.model, Charge::give);
    for (const Slot node : holding.nodes) inventory.drop_node(node);
}

void State::forget_if_idle(Uid uid) {
    const auto job = jobs.find(uid);
    if (!job->second.waiting && job->second.holdings.empty()) jobs.erase(job);
}

Result<void, DeltaRefusal> Scheduler::apply(Delta delta) {
    WEIR_CHECK(check_delta(delta));
    return std::visit([this](auto& one) { return take(*state_, one); }, delta);
}

}  // namespace weir::scheduler
