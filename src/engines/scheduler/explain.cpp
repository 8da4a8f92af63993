// Why a job waits, computed from the facts and not from what the planner remembers.
#include "engines/scheduler/check.hpp"
#include "engines/scheduler/state.hpp"

#include <algorithm>
#include <string_view>

namespace weir::scheduler {
namespace {

using State = Scheduler::State;

std::int64_t* shortage(Room& room, Misfit misfit) {
    switch (misfit) {
        case Misfit::fits: return nullptr;
        case Misfit::health: return &room.short_of_health;
        case Misfit::trust: return &room.short_of_trust;
        case Misfit::reality: return &room.short_of_reality;
        case Misfit::position: return &room.short_of_position;
        case Misfit::slicing: return &room.short_of_slicing;
        case Misfit::card_memory: return &room.short_of_card_memory;
        case Misfit::cards: return &room.short_of_cards;
        case Misfit::cpus: return &room.short_of_cpus;
        case Misfit::memory: return &room.short_of_memory;
    }
    return nullptr;
}

/// Milli-cards of a group, or the milli-CPUs of a node where no accelerator is asked for.
struct Offer {
    std::int64_t free = 0;
    std::int64_t total = 0;
    std::int64_t largest = 0;  ///< The most that one job can get here: whole cards, or a part of one.
};

Offer offer_of(const Node& node, const Group& group, const Need& need, Condition condition) {
    Offer offer;
    if (need.milli == 0) {
        offer = {.free = std::max<std::int64_t>(node.cpus_free(), 0), .total = node.facts.cpus_milli};
        offer.largest = offer.free;
    } else {
        offer.total = group.cards * whole_card_milli;
        offer.largest = group.free_cards * whole_card_milli;
        for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) {
            const std::int64_t left = std::max<std::int64_t>(whole_card_milli - node.cards[static_cast<std::size_t>(card)].milli, 0);
            offer.free += left;
            if (need.is_fraction()) offer.largest = std::max(offer.largest, left);
        }
    }
    if (condition == Condition::ideal) offer.free = offer.largest = offer.total;
    if (condition == Condition::present && !node.facts.healthy) offer.free = offer.largest = 0;
    return offer;
}

/// Counts the nodes that fit: all of them, or those of the best domain of a required level.
class FitCount {
public:
    explicit FitCount(int depth) : depth_{depth} {}
    void add(const Node& node) {
        std::int64_t& count = depth_ > 0 ? domains_[{node.facts.position.begin(), node.facts.position.begin() + depth_}] : whole_;
        best_ = std::max(best_, ++count);
    }
    [[nodiscard]] std::int64_t best() const { return best_; }

private:
    int depth_;
    std::int64_t whole_ = 0;
    std::int64_t best_ = 0;
    std::map<std::vector<std::string>, std::int64_t> domains_;
};

Room measure(const Inventory& inventory, const Site& site, Slot pool, const Need& need, Condition condition) {
    Room room{.nodes_asked = need.nodes, .milli_asked = need.milli == 0 ? need.cpus_milli : need.milli};
    const int depth = level_depth(site.facts, need.level);
    FitCount fits{depth};
    for (const auto& [name, slot] : site.nodes) {
        const Node& node = inventory.node(slot);
        const Group* group = node.group_of(pool);
        if (group == nullptr) continue;
        const Misfit misfit = judge(node, *group, need, depth, condition);
        if (std::int64_t* count = shortage(room, misfit)) ++*count;
        if (misfit == Misfit::fits) fits.add(node);
        const Offer offer = offer_of(node, *group, need, condition);
        room.milli_free += offer.free;
        room.milli_total += offer.total;
        room.milli_largest = std::max(room.milli_largest, offer.largest);
        ++room.nodes_total;
    }
    room.nodes_fit = fits.best();
    return room;
}

Slot pool_of(const Inventory& inventory, const Site& site, const std::string& model_name) {
    const Slot model = inventory.find_model(model_name);
    return model == no_slot ? no_slot : inventory.find_pool(inventory.find_site(site.facts.site), model);
}

/// Whether the site has the room when it is empty and healthy: the quick answer, without numbers.
bool fits_ideally(const Inventory& inventory, const Site& site, Slot pool, const Need& need) {
    const int depth = level_depth(site.facts, need.level);
    FitCount fits{depth};
    for (const auto& [name, slot] : site.nodes) {
        const Node& node = inventory.node(slot);
        const Group* group = node.group_of(pool);
        if (group == nullptr || judge(node, *group, need, depth, Condition::ideal) != Misfit::fits) continue;
        fits.add(node);
        if (fits.best() >= need.nodes) return true;
    }
    return false;
}

/// Names what is too small even where all is free, with both numbers: the line that the best node fails last. Where that are the
/// cards themselves, the room tells of them.
void name_shortage(Reason& reason, const Inventory& inventory, const Site& site, Slot pool, const Need& need) {
    std::int64_t memory = 0;
    std::int64_t cpus = 0;
    std::int64_t card_memory = 0;
    for (const auto& [name, slot] : site.nodes) {
        const Node& node = inventory.node(slot);
        const Group* group = node.group_of(pool);
        if (group == nullptr) continue;
        memory = std::max(memory, node.facts.memory_mib);
        cpus = std::max(cpus, node.facts.cpus_milli);
        card_memory = std::max(card_memory, group->memory_mib);
    }
    const Room& room = reason.room;
    const auto is = [&](std::string_view what, std::int64_t asked, std::int64_t has) {
        reason.text = what;
        reason.asked = asked;
        reason.has = has;
    };
    if (room.nodes_fit > 0) return;
    if (room.short_of_memory > 0) return is("memory", need.memory_mib, memory);
    if (room.short_of_cpus > 0 && need.milli > 0) return is("cpus", need.cpus_milli, cpus);
    if (room.short_of_cards > 0) return;
    if (room.short_of_card_memory > 0) return is("card_memory", need.card_memory, card_memory);
    if (room.short_of_slicing > 0) is("slicing", need.milli, 1000);
}

/// What one model in one site lacks; awaits_plan when it lacks nothing.
Reason reason_of_room(const Inventory& inventory, const Site& site, const Ask& ask, const Alternative& way, Condition condition) {
    Reason reason{.code = ReasonCode::model_absent, .site = site.facts.site, .model = way.model};
    const Need need = need_of(ask, way);
    reason.room.nodes_asked = need.nodes;
    reason.room.milli_asked = need.milli == 0 ? need.cpus_milli : need.milli;
    const Slot pool = pool_of(inventory, site, way.model);
    if (pool == no_slot) return reason;
    const Room room = measure(inventory, site, pool, need, condition);
    if (room.nodes_total == 0) return reason;
    reason.room = room;
    reason.code = ReasonCode::awaits_plan;
    if (room.nodes_fit >= need.nodes) return reason;
    reason.code = ReasonCode::room_lacking;
    if (condition == Condition::present && fits_ideally(inventory, site, pool, need)) return reason;
    reason.code = ReasonCode::never_fits;
    if (condition == Condition::present) reason.room = measure(inventory, site, pool, need, Condition::ideal);
    name_shortage(reason, inventory, site, pool, need);
    return reason;
}

/// The project's limit on this model, where it refuses the gang.
std::optional<Reason> reason_of_quota(const State& state, const Ask& ask, const Alternative& way, Condition condition) {
    if (gives_back(ask, way)) return std::nullopt;
    const auto project = state.project_slots.find(ask.project);
    const Slot model = state.inventory.find_model(way.model);
    if (project == state.project_slots.end() || model == no_slot) return std::nullopt;
    const auto& quotas = state.projects[project->second].quotas;
    const auto quota = quotas.find(model);
    if (quota == quotas.end() || !quota->second.limit_milli) return std::nullopt;
    const std::int64_t asked = gang_milli(ask, way);
    const std::int64_t limit = *quota->second.limit_milli;
    const std::int64_t used = quota->second.used_milli;
    Reason reason{.code = ReasonCode::quota_too_small, .model = way.model, .asked = asked, .has = used, .limit = limit};
    if (asked > limit) return reason;
    if (condition == Condition::ideal || used + asked <= limit) return std::nullopt;
    reason.code = ReasonCode::quota_reached;
    return reason;
}

/// Adds what the site says: its refusals and those of the funding, or what each alternative lacks that is paid for and that the
/// quota allows.
void explain_site(const State& state, const Site& site, const Ask& ask, std::span<const bool> quota_allows, Condition condition,
                  std::vector<Reason>& reasons) {
    const Entry entry{ask, site.facts, state.funding_of(ask)};
    bool refused = false;
    for (const Constraint& constraint : site_constraints()) {
        if (constraint.allows(entry) || (condition == Condition::ideal && constraint.passing)) continue;
        reasons.push_back(refusal(constraint, entry));
        refused = true;
    }
    for (std::size_t way = 0; way < ask.alternatives.size(); ++way) {
        if (!may_pay(entry, ask.alternatives[way].model)) {
            reasons.push_back(funding_refusal(entry, ask.alternatives[way].model));
            continue;
        }
        if (refused) continue;
        Reason reason = reason_of_room(state.inventory, site, ask, ask.alternatives[way], condition);
        if (quota_allows[way] || reason.code != ReasonCode::awaits_plan) reasons.push_back(std::move(reason));
    }
}

bool could_enter(const Entry& entry) {
    return std::ranges::all_of(site_constraints(), [&](const Constraint& c) { return c.passing || c.allows(entry); });
}

}  // namespace

std::vector<Reason> State::explain(const Ask& ask, Condition condition) const {
    std::vector<Reason> reasons;
    std::array<bool, alternatives_max> quota_allows{};
    for (std::size_t way = 0; way < ask.alternatives.size(); ++way) {
        auto refused = reason_of_quota(*this, ask, ask.alternatives[way], condition);
        quota_allows[way] = !refused;
        if (refused) reasons.push_back(*std::move(refused));
    }
    bool any = false;
    for (const auto& [name, slot] : inventory.sites()) {
        const Site& site = inventory.site(slot);
        if (!site.present) continue;
        any = true;
        explain_site(*this, site, ask, quota_allows, condition, reasons);
    }
    if (!any) reasons.push_back({.code = ReasonCode::no_sites});
    return reasons;
}

Why State::why(Uid uid, Instant now) const {
    Why answer{.job = uid};
    const auto job = jobs.find(uid);
    if (job == jobs.end()) return answer;
    answer.standing = JobStanding::placed;
    if (!job->second.waiting) return answer;
    answer.standing = JobStanding::waiting;
    const Waiting& waiting = *job->second.waiting;
    if (waiting.dependencies > 0) answer.reasons.push_back({.code = ReasonCode::dependency_unresolved, .asked = waiting.dependencies});
    if (waiting.not_before > now) answer.reasons.push_back({.code = ReasonCode::backing_off, .until = waiting.not_before});
    const bool may_not_yet = !answer.reasons.empty();
    for (Reason& reason : explain(room.ask_of(waiting), Condition::present)) {
        // Where there is room no plan takes a job that waits for something else.
        if (may_not_yet && reason.code == ReasonCode::awaits_plan) continue;
        answer.reasons.push_back(std::move(reason));
    }
    return answer;
}

Why Scheduler::why(Uid job, Instant now) const { return state_->why(job, now); }

EverFit Scheduler::can_ever_fit(const Ask& asked) const {
    const Ask ask = normal_form(asked);
    for (const auto& [name, slot] : state_->inventory.sites()) {
        const Site& site = state_->inventory.site(slot);
        const Entry entry{ask, site.facts, state_->funding_of(ask)};
        if (!site.present || !could_enter(entry)) continue;
        for (const Alternative& way : ask.alternatives) {
            if (!may_pay(entry, way.model) || reason_of_quota(*state_, ask, way, Condition::ideal)) continue;
            const Slot pool = pool_of(state_->inventory, site, way.model);
            if (pool == no_slot || !fits_ideally(state_->inventory, site, pool, need_of(ask, way))) continue;
            return {.fits = true, .reasons = {}};
        }
    }
    return {.fits = false, .reasons = state_->explain(ask, Condition::ideal)};
}

}  // namespace weir::scheduler
