#include "engines/scheduler/search.hpp"

#include "base/quantity.hpp"

#include <algorithm>

namespace weir::scheduler {
namespace {

bool is_excluded(const Node& node, const Need& need) {
    if (need.excluded.empty()) return false;
    return std::ranges::binary_search(need.excluded, NodeRef{node.facts.site, node.facts.node});
}

const CardUse& use_of(const Node& node, std::int32_t card) { return node.cards[static_cast<std::size_t>(card)]; }

bool card_takes(const CardUse& use, const Group& group, const Need& need) {
    return use.milli + need.milli <= whole_card_milli && use.memory_mib + need.card_memory <= group.memory_mib;
}

bool has_cards(const Node& node, const Group& group, const Need& need, Condition condition) {
    if (condition == Condition::ideal) return group.cards * whole_card_milli >= need.milli;
    if (!need.is_fraction()) return group.free_cards * whole_card_milli >= need.milli;
    for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) {
        if (card_takes(use_of(node, card), group, need)) return true;
    }
    return false;
}

/// The part of judge() that the order of the walk has not answered already.
bool rest_fits(const Node& node, const Group& group, const Need& need, int depth) {
    return need.cpus_milli <= node.cpus_free() && need.memory_mib <= node.memory_free() &&
           (need.accepts_emulated || !group.emulated) && static_cast<int>(node.facts.position.size()) >= depth &&
           !is_excluded(node, need);
}

}  // namespace

Need need_of(const Ask& ask, const Alternative& way) {
    return {.nodes = ask.nodes, .milli = way.milli_cards, .card_memory = way.memory_mib, .cpus_milli = ask.cpus_milli,
            .memory_mib = ask.memory_mib, .accepts_emulated = ask.accepts_emulated,
            .level = ask.nodes > 1 ? ask.required_level : std::string{}, .excluded = ask.excluded_nodes};
}

int level_depth(const SiteSet& site, const std::string& level) {
    if (level.empty()) return 0;
    const auto at = std::ranges::find(site.levels, level);
    return at == site.levels.end() ? -1 : static_cast<int>(at - site.levels.begin()) + 1;
}

Misfit judge(const Node& node, const Group& group, const Need& need, int depth, Condition condition) {
    const bool ideal = condition == Condition::ideal;
    if (!ideal && !node.facts.healthy) return Misfit::health;
    if (is_excluded(node, need)) return Misfit::trust;
    if (group.emulated && !need.accepts_emulated) return Misfit::reality;
    if (static_cast<int>(node.facts.position.size()) < depth) return Misfit::position;
    if (need.is_fraction() && !group.fractional) return Misfit::slicing;
    if (need.milli > 0 && need.card_memory > group.memory_mib) return Misfit::card_memory;
    if (need.milli > 0 && !has_cards(node, group, need, condition)) return Misfit::cards;
    if (need.cpus_milli > (ideal ? node.facts.cpus_milli : node.cpus_free())) return Misfit::cpus;
    if (need.memory_mib > (ideal ? node.facts.memory_mib : node.memory_free())) return Misfit::memory;
    return Misfit::fits;
}

bool Search::is_new(Slot node) {
    if (marks_[node] == stamp_) return false;
    marks_[node] = stamp_;
    return true;
}

/// Visits nodes that fit, each once, in the order of preference, until `visit` returns true.
template <class Visit>
void Search::walk(const Inventory& inventory, const Pool& pool, Slot which, const Need& need, int depth, Visit visit) {
    ++stamp_;
    marks_.resize(std::max(marks_.size(), inventory.node_slots()));
    if (need.is_fraction()) {
        for (auto part = pool.parts.lower_bound({.milli_free = need.milli}); part != pool.parts.end(); ++part) {
            ++nodes_looked_at;
            const Slot slot = pool.by_rank[part->rank];
            const Node& node = inventory.node(slot);
            const Group& group = *node.group_of(which);
            if (!card_takes(use_of(node, part->card), group, need) || !rest_fits(node, group, need, depth)) continue;
            if (is_new(slot) && visit(Pick{slot, part->card})) return;
        }
    }
    const bool by_cpus = pool.model == cpu_model;
    const auto cards = static_cast<std::size_t>((need.milli + whole_card_milli - 1) / whole_card_milli);
    const auto smallest = by_cpus ? static_cast<std::size_t>(cpu_bucket(need.cpus_milli, false)) : cards;
    for (std::size_t bucket = smallest; bucket < pool.buckets.size(); ++bucket) {
        if (by_cpus && bucket % cpu_buckets < smallest) continue;
        const RankSet& ranks = pool.buckets[bucket];
        for (auto rank = ranks.next(0); rank != RankSet::none; rank = ranks.next(rank + 1)) {
            ++nodes_looked_at;
            const Slot slot = pool.by_rank[rank];
            const Node& node = inventory.node(slot);
            const Group& group = *node.group_of(which);
            if (need.is_fraction() && !group.fractional) continue;
            if (need.milli > 0 && need.card_memory > group.memory_mib) continue;
            if (!rest_fits(node, group, need, depth)) continue;
            if (is_new(slot) && visit(Pick{slot, -1})) return;
        }
    }
}

std::vector<Pick> Search::find(const Inventory& inventory, Slot which, const Need& need) {
    const Pool& pool = inventory.pool(which);
    const int depth = level_depth(inventory.site(pool.site).facts, need.level);
    const auto wanted = static_cast<std::size_t>(need.nodes);
    std::vector<Pick> found;
    if (depth < 0) return found;
    if (depth == 0) {
        walk(inventory, pool, which, need, depth, [&](const Pick& pick) {
            found.push_back(pick);
            return found.size() == wanted;
        });
        if (found.size() < wanted) found.clear();
        return found;
    }
    std::map<std::span<const std::string>, std::vector<Pick>, decltype([](auto a, auto b) {
                 return std::ranges::lexicographical_compare(a, b);
             })> domains;
    walk(inventory, pool, which, need, depth, [&](const Pick& pick) {
        const auto& position = inventory.node(pick.node).facts.position;
        auto& domain = domains[std::span{position}.first(static_cast<std::size_t>(depth))];
        domain.push_back(pick);
        if (domain.size() == wanted) found = domain;
        return !found.empty();
    });
    return found;
}

std::vector<CardShare> cards_of(const Node& node, const Group& group, const Need& need, const Pick& pick) {
    if (need.is_fraction() && pick.card >= 0) return {{pick.card, need.milli, need.card_memory}};
    std::vector<CardShare> shares;
    const auto wanted = static_cast<std::size_t>((need.milli + whole_card_milli - 1) / whole_card_milli);
    shares.reserve(wanted);
    for (std::int32_t card = group.first_card; shares.size() < wanted; ++card) {
        if (use_of(node, card).milli != 0) continue;
        if (need.is_fraction()) return {{card, need.milli, need.card_memory}};
        shares.push_back({card, whole_card_milli, group.memory_mib});
    }
    return shares;
}

std::int64_t packing_score(const Inventory& inventory, Slot pool, const Need& need, std::span<const Pick> picks, std::int64_t points) {
    std::int64_t capacity = 0;
    std::int64_t left = 0;
    for (const Pick& pick : picks) {
        const Node& node = inventory.node(pick.node);
        const Group& group = *node.group_of(pool);
        if (need.milli == 0) {
            capacity += node.facts.cpus_milli / whole_card_milli;
            left += (node.cpus_free() - need.cpus_milli) / whole_card_milli;
            continue;
        }
        std::int64_t used = need.milli;
        for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) used += use_of(node, card).milli;
        capacity += group.cards * whole_card_milli;
        left += std::max<std::int64_t>(group.cards * whole_card_milli - used, 0);
    }
    return capacity > 0 ? -mul_div(points, left, capacity, Rounding::down).value_or(points) : 0;
}

}  // namespace weir::scheduler
