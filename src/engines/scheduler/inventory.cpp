#include "engines/scheduler/inventory.hpp"

#include <algorithm>

namespace weir::scheduler {
namespace {

bool is_part(const Group& group, const CardUse& use) {
    return group.fractional && use.milli > 0 && use.milli < whole_card_milli;
}

bool holds_card(const Group& group, std::int32_t card) {
    return card >= group.first_card && card < group.first_card + group.cards;
}

}  // namespace

const Group* Node::group_of(Slot pool) const {
    for (const Group& group : groups) {
        if (group.pool == pool) return &group;
    }
    return nullptr;
}

std::int32_t cpu_bucket(std::int64_t cpus_free_milli, bool has_cards) {
    const auto cores = static_cast<std::uint64_t>(std::max<std::int64_t>(cpus_free_milli, 0)) / 1000;
    return std::min<std::int32_t>(std::bit_width(cores), cpu_buckets - 1) + (has_cards ? cpu_buckets : 0);
}

Inventory::Inventory() { (void)intern_model(""); }

Slot Inventory::intern_model(std::string_view model) {
    const auto [at, made] = model_names_.try_emplace(std::string{model}, static_cast<Slot>(model_texts_.size()));
    if (made) model_texts_.push_back(&at->first);
    return at->second;
}

Slot Inventory::find_model(std::string_view model) const {
    const auto at = model_names_.find(model);
    return at == model_names_.end() ? no_slot : at->second;
}

Slot Inventory::intern_site(std::string_view name) {
    const auto [at, made] = site_names_.try_emplace(std::string{name}, static_cast<Slot>(sites_.size()));
    if (made) {
        sites_.emplace_back().facts.site = name;
        ++epoch_;
    }
    return at->second;
}

Slot Inventory::find_site(std::string_view site) const {
    const auto at = site_names_.find(site);
    return at == site_names_.end() ? no_slot : at->second;
}

Slot Inventory::find_node(std::string_view site, std::string_view node) const {
    const Slot where = find_site(site);
    if (where == no_slot) return no_slot;
    const auto at = sites_[where].nodes.find(node);
    return at == sites_[where].nodes.end() ? no_slot : at->second;
}

Slot Inventory::find_pool(Slot site, Slot model) const {
    for (const auto& [of, pool] : sites_[site].pools) {
        if (of == model) return pool;
    }
    return no_slot;
}

Slot Inventory::intern_pool(Slot site, Slot model) {
    if (const Slot found = find_pool(site, model); found != no_slot) return found;
    const auto made = static_cast<Slot>(pools_.size());
    Pool& pool = pools_.emplace_back();
    pool.site = site;
    pool.model = model;
    sites_[site].pools.emplace_back(model, made);
    std::ranges::sort(sites_[site].pools);
    ++epoch_;
    return made;
}

bool Inventory::set_site(const SiteSet& facts) {
    Site& site = sites_[intern_site(facts.site)];
    if (site.present && site.facts == facts) return false;
    site.facts = facts;
    site.present = true;
    ++epoch_;
    return true;
}

void Inventory::remove_site(Slot slot) {
    std::vector<Slot> present;
    for (const auto& [name, node] : sites_[slot].nodes) {
        if (nodes_[node].present) present.push_back(node);
    }
    for (const Slot node : present) remove_node(node);
    sites_[slot].present = false;
    ++epoch_;
}

Slot Inventory::add_node(Slot site, std::string_view name) {
    Slot slot = static_cast<Slot>(nodes_.size());
    if (free_nodes_.empty()) {
        nodes_.emplace_back();
    } else {
        slot = free_nodes_.back();
        free_nodes_.pop_back();
    }
    Node& node = nodes_[slot];
    node.site = site;
    node.facts.site = sites_[site].facts.site;
    node.facts.node = name;
    sites_[site].nodes.emplace(name, slot);
    return slot;
}

void Inventory::forget_if_unused(Slot slot) {
    Node& node = nodes_[slot];
    if (node.present || node.holders > 0) return;
    sites_[node.site].nodes.erase(node.facts.node);
    node = Node{};
    free_nodes_.push_back(slot);
}

Slot Inventory::hold_node(std::string_view site, std::string_view name) {
    Slot slot = find_node(site, name);
    if (slot == no_slot) slot = add_node(intern_site(site), name);
    ++nodes_[slot].holders;
    return slot;
}

void Inventory::drop_node(Slot slot) {
    --nodes_[slot].holders;
    forget_if_unused(slot);
}

bool Inventory::set_node(const NodeSet& facts) {
    Slot slot = find_node(facts.site, facts.node);
    if (slot == no_slot) slot = add_node(find_site(facts.site), facts.node);
    if (nodes_[slot].present && nodes_[slot].facts == facts) return false;
    for (Group& group : nodes_[slot].groups) unindex(nodes_[slot], group);
    nodes_[slot].facts = facts;
    nodes_[slot].present = true;
    lay_out(nodes_[slot]);
    enter(slot);
    gain(slot);
    return true;
}

void Inventory::remove_node(Slot slot) {
    Node& node = nodes_[slot];
    for (Group& group : node.groups) unindex(node, group);
    leave(slot);
    node.groups.clear();
    node.present = false;
    forget_if_unused(slot);
}

/// Makes the node's groups from its facts and its use. A group whose pool stays keeps its rank there.
void Inventory::lay_out(Node& node) {
    std::vector<Group> before;
    before.swap(node.groups);
    node.groups.push_back({.pool = intern_pool(node.site, cpu_model)});
    std::int32_t first = 0;
    for (const Accelerators& cards : node.facts.accelerators) {
        const bool cut = cards.slicing == Slicing::fractional && !cards.slicing_owner.empty() && cards.slicing_owner != "none";
        node.groups.push_back({.pool = intern_pool(node.site, intern_model(cards.model)), .first_card = first, .cards = cards.cards,
                               .memory_mib = cards.memory_mib, .fractional = cut, .emulated = cards.emulated});
        first += cards.cards;
    }
    if (node.cards.size() < static_cast<std::size_t>(first)) node.cards.resize(static_cast<std::size_t>(first));
    for (Group& group : node.groups) {
        for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) {
            group.free_cards += node.cards[static_cast<std::size_t>(card)].milli == 0 ? 1 : 0;
        }
    }
    for (const Group& old : before) {
        const auto stays = std::ranges::find(node.groups, old.pool, &Group::pool);
        if (stays != node.groups.end()) {
            stays->rank = old.rank;
        } else if (old.rank != RankSet::none) {
            retire(old);
        }
    }
}

/// Gives every group a rank where that needs no other node to move, and indexes it.
void Inventory::enter(Slot slot) {
    Node& node = nodes_[slot];
    for (Group& group : node.groups) {
        Pool& pool = pools_[group.pool];
        if (pool.stale) continue;
        if (group.rank == RankSet::none) {
            if (!pool.by_rank.empty() && node.facts.node <= pool.last_name) {
                pool.stale = true;
                stale_pools_.push_back(group.pool);
                continue;
            }
            group.rank = static_cast<std::uint32_t>(pool.by_rank.size());
            pool.by_rank.push_back(slot);
            pool.last_name = node.facts.node;
        }
        index(slot, group);
    }
}

void Inventory::leave(Slot slot) {
    for (Group& group : nodes_[slot].groups) {
        if (group.rank != RankSet::none) retire(group);
    }
}

/// Leaves a gap at the group's rank; a pool that is mostly gaps is ranked anew.
void Inventory::retire(const Group& group) {
    Pool& pool = pools_[group.pool];
    if (pool.stale) return;
    pool.by_rank[group.rank] = no_slot;
    if (++pool.gaps <= 64 + pool.by_rank.size() / 2) return;
    pool.stale = true;
    stale_pools_.push_back(group.pool);
}

void Inventory::index(Slot slot, Group& group) {
    const Node& node = nodes_[slot];
    if (!node.usable()) return;
    rebucket(node, group);
    Pool& pool = pools_[group.pool];
    for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) {
        const CardUse& use = node.cards[static_cast<std::size_t>(card)];
        if (is_part(group, use)) pool.parts.insert({whole_card_milli - use.milli, group.rank, card});
    }
}

void Inventory::unindex(const Node& node, Group& group) {
    Pool& pool = pools_[group.pool];
    if (group.bucket < 0 || pool.stale) return;
    pool.buckets[static_cast<std::size_t>(group.bucket)].erase(group.rank);
    group.bucket = -1;
    for (std::int32_t card = group.first_card; card < group.first_card + group.cards; ++card) {
        const CardUse& use = node.cards[static_cast<std::size_t>(card)];
        if (is_part(group, use)) pool.parts.erase({whole_card_milli - use.milli, group.rank, card});
    }
}

void Inventory::rebucket(const Node& node, Group& group) {
    Pool& pool = pools_[group.pool];
    const std::int32_t bucket =
        pool.model == cpu_model ? cpu_bucket(node.cpus_free(), !node.facts.accelerators.empty()) : group.free_cards;
    if (bucket == group.bucket) return;
    if (group.bucket >= 0) pool.buckets[static_cast<std::size_t>(group.bucket)].erase(group.rank);
    if (pool.buckets.size() <= static_cast<std::size_t>(bucket)) pool.buckets.resize(static_cast<std::size_t>(bucket) + 1);
    pool.buckets[static_cast<std::size_t>(bucket)].insert(group.rank);
    group.bucket = bucket;
}

void Inventory::charge(Slot slot, std::span<const CardShare> shares, std::int64_t cpus_milli, std::int64_t memory_mib,
                       Charge charge) {
    Node& node = nodes_[slot];
    const std::int64_t sign = charge == Charge::take ? 1 : -1;
    for (const CardShare& share : shares) {
        const auto card = static_cast<std::size_t>(share.card);
        if (card >= node.cards.size()) node.cards.resize(card + 1);
        CardUse& use = node.cards[card];
        const CardUse before = use;
        use.milli += sign * share.milli;
        use.memory_mib += sign * share.memory_mib;
        const auto group = std::ranges::find_if(node.groups, [&](const Group& g) { return holds_card(g, share.card); });
        if (group == node.groups.end()) continue;
        group->free_cards += (use.milli == 0 ? 1 : 0) - (before.milli == 0 ? 1 : 0);
        if (group->bucket < 0) continue;
        Pool& pool = pools_[group->pool];
        if (pool.stale) continue;
        if (is_part(*group, before)) pool.parts.erase({whole_card_milli - before.milli, group->rank, share.card});
        if (is_part(*group, use)) pool.parts.insert({whole_card_milli - use.milli, group->rank, share.card});
    }
    node.cpus_used += sign * cpus_milli;
    node.memory_used += sign * memory_mib;
    for (Group& group : node.groups) {
        if (group.bucket >= 0 && !pools_[group.pool].stale) rebucket(node, group);
    }
    if (charge == Charge::give) gain(slot);
}

void Inventory::gain(Slot slot) {
    for (const Group& group : nodes_[slot].groups) {
        Pool& pool = pools_[group.pool];
        ++pool.gains;
        if (!pool.gained) gained_.push_back(group.pool);
        pool.gained = true;
        if (pool.gained_anywhere) continue;
        if (!pool.gained_nodes.empty() && pool.gained_nodes.back() == slot) continue;
        pool.gained_nodes.push_back(slot);
        if (pool.gained_nodes.size() <= gained_nodes_max) continue;
        pool.gained_anywhere = true;
        pool.gained_nodes.clear();
    }
}

std::vector<Inventory::Gain> Inventory::take_gains() {
    std::vector<Gain> gains;
    gains.reserve(gained_.size());
    for (const Slot slot : gained_) {
        Pool& pool = pools_[slot];
        gains.push_back({.pool = slot, .nodes = pool.gained_nodes});
        pool.gained_nodes.clear();
        pool.gained = pool.gained_anywhere = false;
    }
    gained_.clear();
    return gains;
}

void Inventory::keep_gain(Slot slot) {
    Pool& pool = pools_[slot];
    if (!pool.gained) gained_.push_back(slot);
    pool.gained = pool.gained_anywhere = true;
    pool.gained_nodes.clear();
}

void Inventory::settle() {
    for (const Slot pool : stale_pools_) rank_anew(pool);
    stale_pools_.clear();
}

void Inventory::rank_anew(Slot which) {
    Pool& pool = pools_[which];
    pool.by_rank.clear();
    pool.buckets.clear();
    pool.parts.clear();
    pool.gaps = 0;
    pool.stale = false;
    for (const auto& [name, slot] : sites_[pool.site].nodes) {
        for (Group& group : nodes_[slot].groups) {
            if (group.pool != which) continue;
            group.bucket = -1;
            group.rank = static_cast<std::uint32_t>(pool.by_rank.size());
            pool.by_rank.push_back(slot);
            pool.last_name = name;
            index(slot, group);
        }
    }
}

}  // namespace weir::scheduler
