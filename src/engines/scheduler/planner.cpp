// One pass over the queue: classes of equal asks are tried in the order of their first jobs, each until it fails once.
// Who is tried at all: the classes that are awake, and the first of each list of a pool that gained (waiting_room.hpp).
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

/// One who is looked at in the pass, at the place of a job in the queue: a class whose first job it is that has not been
/// placed, or the list of a pool that gained and a need, whose first class has it.
struct Head {
    QueueKey key{};
    Slot ask_class = no_slot;
    Slot pool = no_slot;  ///< Of a list; no_slot for a class.
    Slot need = no_slot;
    friend bool operator<(const Head& a, const Head& b) { return b.key < a.key; }  // std::priority_queue gives the largest.
};

class Pass {
public:
    Pass(State& state, const PlanLimits& limits) : state_{state}, limits_{limits} {}

    Plan run(Instant now);

private:
    void try_awake();
    void try_lists();
    void try_class(Head head);
    void try_list(const Head& head);
    void push_class(Slot ask_class);
    void push_list(Slot pool, Slot need, const QueueKey* after);
    [[nodiscard]] bool could_help(const Inventory::Gain& gain, const Need& need) const;
    void leave_nobody_asleep();
    [[nodiscard]] std::optional<Found> find_place(AskClass& one);
    [[nodiscard]] std::vector<Pick> search(const AskClass& one, const Candidate& candidate);
    [[nodiscard]] bool is_shut(const Shut& way);
    [[nodiscard]] bool quota_allows(const AskClass& one, const Candidate& candidate) const;
    void place(const AskClass& one, Uid job, const Found& found);
    void explain_waiting(Instant now);
    void take_back();

    State& state_;
    PlanLimits limits_;
    Plan plan_;
    std::priority_queue<Head> heads_;
    std::vector<Slot> tried_;   ///< Classes, some twice.
    std::vector<Shut> shut_;    ///< Where the class that is tried has no room.
    bool quota_refused_ = false;
    std::unordered_map<Uid, Promise> promises_;
};

bool Pass::quota_allows(const AskClass& one, const Candidate& candidate) const {
    if (gives_back(*one.ask, one.ask->alternatives[candidate.alternative])) return true;
    const Slot model = state_.inventory.pool(candidate.pool).model;
    const auto& quotas = state_.projects[one.project].quotas;
    const auto quota = quotas.find(model);
    if (quota == quotas.end() || !quota->second.limit_milli) return true;
    const std::int64_t asked = gang_milli(*one.ask, one.ask->alternatives[candidate.alternative]);
    return quota->second.used_milli + asked <= *quota->second.limit_milli;
}

/// Whether this need is known to find no room in this pool.
bool Pass::is_shut(const Shut& way) {
    const NeedRecord& need = state_.room.need(way.need);
    const auto failed = need.failed_at.find(way.pool);
    return failed != need.failed_at.end() && failed->second == state_.inventory.pool(way.pool).gains;
}

/// The picks of a gang, or none; a failure is remembered for all asks of the same need until the pool gains.
std::vector<Pick> Pass::search(const AskClass& one, const Candidate& candidate) {
    const Shut way{.pool = candidate.pool, .need = one.needs[candidate.alternative]};
    std::vector<Pick> picks;
    if (!is_shut(way)) {
        ++plan_.work.searches;
        NeedRecord& need = state_.room.need(way.need);
        picks = state_.search.find(state_.inventory, way.pool, *need.need);
        if (picks.empty()) need.failed_at[way.pool] = state_.inventory.pool(way.pool).gains;
    }
    if (picks.empty()) shut_.push_back(way);
    return picks;
}

std::optional<Found> Pass::find_place(AskClass& one) {
    quota_refused_ = false;
    shut_.clear();
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

/// Enters the class at its first job that this pass has not placed.
void Pass::push_class(Slot slot) {
    AskClass& one = state_.room[slot];
    auto job = one.ready.begin();
    while (job != one.ready.end() && promises_.contains(job->job)) ++job;
    if (job == one.ready.end()) return;
    if (one.epoch != state_.inventory.epoch()) state_.list_candidates(one);
    tried_.push_back(slot);
    heads_.push({.key = *job, .ask_class = slot});
}

void Pass::push_list(Slot pool, Slot need, const QueueKey* after) {
    const auto& lists = state_.room.lists_of(pool);
    const auto list = lists.find(need);
    if (list == lists.end()) return;
    const auto first = after == nullptr ? list->second.begin() : list->second.upper_bound({.key = *after});
    if (first != list->second.end()) heads_.push({.key = first->key, .ask_class = first->ask_class, .pool = pool, .need = need});
}

/// Whether a gain can have made room for a need that found none before: only where a node that gained takes its part.
bool Pass::could_help(const Inventory::Gain& gain, const Need& need) const {
    if (gain.nodes.empty()) return true;
    const int depth = level_depth(state_.inventory.site(state_.inventory.pool(gain.pool).site).facts, need.level);
    return std::ranges::any_of(gain.nodes, [&](Slot slot) {
        const Node& node = state_.inventory.node(slot);
        const Group* group = node.group_of(gain.pool);
        return group != nullptr && judge(node, *group, need, depth, Condition::present) == Misfit::fits;
    });
}

void Pass::try_awake() {
    for (const Slot slot : state_.room.take_awake()) push_class(slot);
}

void Pass::try_lists() {
    for (const Inventory::Gain& gain : state_.inventory.take_gains()) {
        for (const auto& [slot, list] : state_.room.lists_of(gain.pool)) {
            NeedRecord& need = state_.room.need(slot);
            if (could_help(gain, *need.need)) {
                push_list(gain.pool, slot, nullptr);
            } else {
                need.failed_at[gain.pool] = state_.inventory.pool(gain.pool).gains;
            }
        }
    }
}

void Pass::try_class(Head head) {
    AskClass& one = state_.room[head.ask_class];
    const auto found = find_place(one);
    if (!found) {
        state_.room.block(head.ask_class, shut_, quota_refused_);
        return;
    }
    place(one, head.key.job, *found);
    const auto next = one.ready.upper_bound(head.key);
    if (next == one.ready.end()) return;
    head.key = *next;
    heads_.push(head);
}

/// The first class of a list gets its turn, unless the need has failed here meanwhile: then nobody in the list fits.
void Pass::try_list(const Head& head) {
    if (is_shut({.pool = head.pool, .need = head.need})) return;
    const AskClass& one = state_.room.at(head.ask_class);
    if (one.blocked && one.listed_as == head.key) {
        state_.room.unblock(head.ask_class);
        push_class(head.ask_class);
    }
    push_list(head.pool, head.need, &head.key);
}

/// The first jobs of the queue that were not placed, whatever their class remembers.
void Pass::explain_waiting(Instant now) {
    std::priority_queue<Head> heads;
    for (const auto& [ask, slot] : state_.room.classes()) {
        const AskClass& one = state_.room.at(slot);
        if (!one.ready.empty()) heads.push({.key = *one.ready.begin(), .ask_class = slot});
    }
    while (!heads.empty() && plan_.waiting.size() < limits_.waiting_max) {
        Head head = heads.top();
        heads.pop();
        if (!promises_.contains(head.key.job)) plan_.waiting.push_back(state_.why(head.key.job, now));
        const auto& ready = state_.room.at(head.ask_class).ready;
        const auto next = ready.upper_bound(head.key);
        if (next == ready.end()) continue;
        head.key = *next;
        heads.push(head);
    }
}

void Pass::take_back() {
    for (const auto& [job, promise] : promises_) {
        state_.charge(promise.allocation, promise.nodes, promise.project, state_.inventory.find_model(promise.allocation.model),
                      Charge::undo);
    }
    state_.promises = std::move(promises_);
}

/// What the pass did not come to, and what it placed but control may not take up, is looked at by the next one.
void Pass::leave_nobody_asleep() {
    for (; !heads_.empty(); heads_.pop()) {
        if (heads_.top().pool != no_slot) state_.inventory.keep_gain(heads_.top().pool);
    }
    for (const Slot slot : tried_) {
        if (!state_.room.at(slot).blocked) state_.room.wake(slot);
    }
}

Plan Pass::run(Instant now) {
    state_.inventory.settle();
    state_.drop_promises();
    state_.room.end_holds(now, [this](Uid job) -> Waiting& { return *state_.jobs.find(job)->second.waiting; });
    state_.search.nodes_looked_at = 0;
    try_awake();
    try_lists();
    while (!heads_.empty() && plan_.placements.size() < limits_.placements_max) {
        const Head head = heads_.top();
        heads_.pop();
        if (head.pool == no_slot) {
            try_class(head);
        } else {
            try_list(head);
        }
    }
    plan_.counts = {.placed = plan_.placements.size(), .ready = state_.room.ready_count() - plan_.placements.size(),
                    .held_by_time = state_.room.held_by_time(), .held_by_dependency = state_.room.held_by_dependency(),
                    .cut_short = plan_.placements.size() >= limits_.placements_max};
    if (limits_.waiting_max > 0) explain_waiting(now);
    take_back();
    leave_nobody_asleep();
    plan_.work.classes_tried = tried_.size();
    plan_.work.nodes_looked_at = state_.search.nodes_looked_at;
    return std::move(plan_);
}

}  // namespace

/// What the last plan placed and nobody took up is free again, for those who failed behind it.
void State::drop_promises() {
    for (const auto& [job, promise] : promises) {
        for (const Slot node : promise.nodes) inventory.gain(node);
        room.wake_watchers_of_project(promise.project);
    }
    promises.clear();
    if (seen_epoch != inventory.epoch()) room.wake_all();
    seen_epoch = inventory.epoch();
}

void State::list_candidates(AskClass& one) {
    one.candidates.clear();
    one.epoch = inventory.epoch();
    const FundingAnswers* funding = funding_of(*one.ask);
    for (const auto& [name, slot] : inventory.sites()) {
        const Site& site = inventory.site(slot);
        const Entry entry{*one.ask, site.facts, funding};
        if (!site.present || !may_enter(entry)) continue;
        for (std::uint32_t way = 0; way < one.ask->alternatives.size(); ++way) {
            if (!may_pay(entry, one.ask->alternatives[way].model)) continue;
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
