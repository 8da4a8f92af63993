// One pass over the queue: each class of equal asks is tried in the order of its first job, until it fails once.
// Placements are charged as they are found, so that the next job sees what is left, and taken back at the end.
#include "engines/scheduler/state.hpp"

#include <algorithm>
#include <queue>

namespace weir::scheduler {
namespace {

using State = Scheduler::State;

struct Found {
    Candidate candidate;
    Score score;
    std::vector<Pick> picks;
};

/// A class in the pass: its first job that has not been placed.
struct Head {
    std::set<QueueKey>::const_iterator job;
    Slot ask_class = no_slot;
    friend bool operator<(const Head& a, const Head& b) { return *b.job < *a.job; }  // std::priority_queue gives the largest.
};

class Pass {
public:
    Pass(State& state, const PlanLimits& limits) : state_{state}, limits_{limits} {}

    Plan run(Instant now);

private:
    void try_next(std::priority_queue<Head>& heads);
    [[nodiscard]] std::optional<Found> find_place(AskClass& one);
    [[nodiscard]] std::vector<Pick> search(const AskClass& one, const Candidate& candidate);
    [[nodiscard]] bool quota_allows(const AskClass& one, const Candidate& candidate) const;
    void place(const AskClass& one, Uid job, const Found& found);
    void explain_waiting(Instant now);
    void take_back();

    State& state_;
    PlanLimits limits_;
    Plan plan_;
    bool quota_refused_ = false;
    std::unordered_map<Uid, Promise> promises_;
};

bool Pass::quota_allows(const AskClass& one, const Candidate& candidate) const {
    const Slot model = state_.inventory.pool(candidate.pool).model;
    const auto& quotas = state_.projects[one.project].quotas;
    const auto quota = quotas.find(model);
    if (quota == quotas.end() || !quota->second.limit_milli) return true;
    const std::int64_t asked = gang_milli(*one.ask, one.ask->alternatives[candidate.alternative]);
    return quota->second.used_milli + asked <= *quota->second.limit_milli;
}

/// The picks of a gang, or none; a failure is remembered for all asks of the same need until the pool gains.
std::vector<Pick> Pass::search(const AskClass& one, const Candidate& candidate) {
    NeedRecord& need = state_.room.need(one.needs[candidate.alternative]);
    const std::uint64_t gains = state_.inventory.pool(candidate.pool).gains;
    const auto failed = need.failed_at.find(candidate.pool);
    if (failed != need.failed_at.end() && failed->second == gains) return {};
    ++plan_.work.searches;
    auto picks = state_.search.find(state_.inventory, candidate.pool, *need.need);
    if (picks.empty()) need.failed_at[candidate.pool] = gains;
    return picks;
}

std::optional<Found> Pass::find_place(AskClass& one) {
    quota_refused_ = false;
    std::optional<Found> best;
    for (const Candidate& candidate : one.candidates) {
        // Packing only takes points away and candidates are in order: nothing from here on can be better.
        if (best && candidate.score.total() <= best->score.total()) break;
        if (!quota_allows(one, candidate)) {
            quota_refused_ = true;
            continue;
        }
        auto picks = search(one, candidate);
        if (picks.empty()) continue;
        const Need& need = *state_.room.need(one.needs[candidate.alternative]).need;
        Score score = candidate.score;
        score.packing = packing_score(state_.inventory, candidate.pool, need, picks, state_.policy.packing_points);
        if (!best || score.total() > best->score.total()) best = Found{candidate, score, std::move(picks)};
    }
    return best;
}

void Pass::place(const AskClass& one, Uid job, const Found& found) {
    const Pool& pool = state_.inventory.pool(found.candidate.pool);
    const Need& need = *state_.room.need(one.needs[found.candidate.alternative]).need;
    Promise promise{.project = one.project};
    promise.allocation = {.project = one.ask->project, .site = state_.inventory.site(pool.site).facts.site,
                          .model = one.ask->alternatives[found.candidate.alternative].model};
    promise.allocation.nodes.reserve(found.picks.size());
    for (const Pick& pick : found.picks) {
        const Node& node = state_.inventory.node(pick.node);
        const Group& group = *node.group_of(found.candidate.pool);
        promise.nodes.push_back(pick.node);
        promise.allocation.nodes.push_back({.node = node.facts.node, .cards = cards_of(node, group, need, pick),
                                            .cpus_milli = need.cpus_milli, .memory_mib = need.memory_mib, .emulated = group.emulated});
    }
    state_.charge(promise.allocation, promise.nodes, promise.project, pool.model, Charge::take);
    plan_.placements.push_back({.job = job, .alternative = static_cast<std::int32_t>(found.candidate.alternative),
                                .score = found.score, .allocation = promise.allocation});
    promises_.emplace(job, std::move(promise));
}

void Pass::try_next(std::priority_queue<Head>& heads) {
    Head head = heads.top();
    heads.pop();
    AskClass& one = state_.room[head.ask_class];
    const auto found = find_place(one);
    if (!found) {
        state_.room.block(head.ask_class, quota_refused_);
        return;
    }
    place(one, head.job->job, *found);
    if (++head.job != one.ready.end()) heads.push(head);
}

/// The first jobs of the queue that were not placed, whatever their class remembers.
void Pass::explain_waiting(Instant now) {
    std::priority_queue<Head> heads;
    for (const auto& [ask, slot] : state_.room.classes()) {
        const AskClass& one = state_.room.at(slot);
        if (!one.ready.empty()) heads.push({one.ready.begin(), slot});
    }
    while (!heads.empty() && plan_.waiting.size() < limits_.waiting_max) {
        Head head = heads.top();
        heads.pop();
        if (!promises_.contains(head.job->job)) plan_.waiting.push_back(state_.why(head.job->job, now));
        if (++head.job != state_.room.at(head.ask_class).ready.end()) heads.push(head);
    }
}

void Pass::take_back() {
    for (const auto& [job, promise] : promises_) {
        state_.charge(promise.allocation, promise.nodes, promise.project, state_.inventory.find_model(promise.allocation.model),
                      Charge::undo);
    }
    state_.promises = std::move(promises_);
}

Plan Pass::run(Instant now) {
    state_.inventory.settle();
    state_.wake_what_gained();
    state_.room.end_holds(now, [this](Uid job) -> Waiting& { return *state_.jobs.find(job)->second.waiting; });
    state_.search.nodes_looked_at = 0;
    const auto awake = state_.room.take_awake();
    std::vector<Head> first;
    for (const Slot slot : awake) {
        AskClass& one = state_.room[slot];
        if (one.ready.empty()) continue;
        if (one.epoch != state_.inventory.epoch()) state_.list_candidates(one);
        first.push_back({one.ready.begin(), slot});
    }
    plan_.work.classes_tried = first.size();
    std::priority_queue<Head> heads{std::less<Head>{}, std::move(first)};
    while (!heads.empty() && plan_.placements.size() < limits_.placements_max) try_next(heads);
    plan_.counts = {.placed = plan_.placements.size(), .ready = state_.room.ready_count() - plan_.placements.size(),
                    .held_by_time = state_.room.held_by_time(), .held_by_dependency = state_.room.held_by_dependency(),
                    .cut_short = plan_.placements.size() >= limits_.placements_max};
    if (limits_.waiting_max > 0) explain_waiting(now);
    take_back();
    for (const Slot slot : awake) {
        if (!state_.room.at(slot).blocked && !state_.room.at(slot).ready.empty()) state_.room.wake(slot);
    }
    plan_.work.nodes_looked_at = state_.search.nodes_looked_at;
    return std::move(plan_);
}

}  // namespace

void State::wake_what_gained() {
    for (const auto& [job, promise] : promises) {
        for (const Slot node : promise.nodes) inventory.gain(node);
        room.wake_watchers_of_project(promise.project);
    }
    promises.clear();
    for (const Slot pool : inventory.take_gained()) room.wake_watchers_of_pool(pool);
    if (seen_epoch != inventory.epoch()) room.wake_all();
    seen_epoch = inventory.epoch();
}

void State::list_candidates(AskClass& one) {
    one.candidates.clear();
    one.epoch = inventory.epoch();
    const FundingAnswers* funding = funding_of(*one.ask);
    for (const auto& [name, slot] : inventory.sites()) {
        const Site& site = inventory.site(slot);
        if (!site.present || !may_enter({*one.ask, site.facts, funding})) continue;
        for (std::uint32_t way = 0; way < one.ask->alternatives.size(); ++way) {
            const Slot model = inventory.find_model(one.ask->alternatives[way].model);
            const Slot pool = model == no_slot ? no_slot : inventory.find_pool(slot, model);
            if (pool == no_slot) continue;
            const auto order = static_cast<std::uint32_t>(one.candidates.size());
            const Score score = standing_score(policy, *one.ask, way, site.facts);
            one.candidates.push_back({.pool = pool, .alternative = way, .order = order, .score = score});
        }
    }
    std::ranges::sort(one.candidates, {}, [](const Candidate& c) { return std::pair{-c.score.total(), c.order}; });
}

Plan Scheduler::plan(Instant now, const PlanLimits& limits) { return Pass{*state_, limits}.run(now); }

}  // namespace weir::scheduler
