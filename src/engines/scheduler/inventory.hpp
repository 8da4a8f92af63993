// engines/scheduler/inventory.hpp: sites, nodes and cards, and the indexes that find a free one.
//
// Answers one question: where is room of this shape, tightest first? It knows no jobs. Names become slots here: dense
// integers that mean nothing outside and never reach a decision; ties are decided by rank, the place of a node's name among the
// nodes of its pool. Ranks are made anew by settle() after a node's name came between others.
//
// A pool is all nodes of one site that have cards of one model; every site also has a pool for the empty model, which
// holds all its nodes. Only usable nodes (present, healthy) are indexed. Use is charged to nodes that are not there, too.
#pragma once

#include "engines/scheduler/delta.hpp"
#include "engines/scheduler/rank_set.hpp"

#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace weir::scheduler {

using Slot = std::uint32_t;
constexpr Slot no_slot = UINT32_MAX;
constexpr Slot cpu_model = 0;  ///< The slot of the empty model.
constexpr std::size_t gained_nodes_max = 16;

struct CardUse {
    std::int64_t milli = 0;
    std::int64_t memory_mib = 0;
};

/// The cards of one model in one node, as its pool sees them. Group 0 is the node in the pool of the empty model.
struct Group {
    Slot pool = no_slot;
    std::uint32_t rank = RankSet::none;
    std::int32_t bucket = -1;  ///< Where the pool has it; -1: not indexed.
    std::int32_t first_card = 0;
    std::int32_t cards = 0;
    std::int32_t free_cards = 0;  ///< Cards that nobody uses.
    std::int64_t memory_mib = 0;
    bool fractional = false;
    bool emulated = false;
};

struct Node {
    NodeSet facts{};
    Slot site = no_slot;
    bool present = false;
    std::vector<Group> groups{};
    std::vector<CardUse> cards{};
    std::int64_t cpus_used = 0;
    std::int64_t memory_used = 0;
    std::uint32_t holders = 0;  ///< Allocations that name it.

    [[nodiscard]] std::int64_t cpus_free() const { return facts.cpus_milli - cpus_used; }
    [[nodiscard]] std::int64_t memory_free() const { return facts.memory_mib - memory_used; }
    [[nodiscard]] bool usable() const { return present && facts.healthy; }
    [[nodiscard]] const Group* group_of(Slot pool) const;
};

/// A card that is shared and has something left.
struct PartCard {
    std::int64_t milli_free = 0;
    std::uint32_t rank = 0;
    std::int32_t card = 0;
    friend auto operator<=>(const PartCard&, const PartCard&) = default;
};

struct Pool {
    Slot site = no_slot;
    Slot model = cpu_model;
    std::vector<Slot> by_rank{};      ///< no_slot: the node has left.
    std::vector<RankSet> buckets{};   ///< By free whole cards; in the pool of the empty model see cpu_bucket().
    std::set<PartCard> parts{};
    std::size_t gaps = 0;
    std::string last_name{};          ///< Of the highest rank.
    bool stale = false;             ///< Ranks must be made anew; nothing is indexed meanwhile.
    std::uint64_t gains = 0;        ///< Grows whenever room may have grown.
    bool gained = false;            ///< Listed in take_gains().
    std::vector<Slot> gained_nodes; ///< Where, since then; beyond gained_nodes_max only the flag below.
    bool gained_anywhere = false;
};

struct Site {
    SiteSet facts{};
    bool present = false;
    std::map<std::string, Slot, std::less<>> nodes{};  ///< Also those that are gone and still in use.
    std::vector<std::pair<Slot, Slot>> pools{};        ///< (model, pool), by model slot.
};

/// The bucket of the empty model's pool: nodes without cards first, then by free cores in powers of two.
[[nodiscard]] std::int32_t cpu_bucket(std::int64_t cpus_free_milli, bool has_cards);
constexpr std::int32_t cpu_buckets = 32;

enum class Charge : std::uint8_t {
    take = 1,
    give = 2,  ///< Room grows.
    undo = 3,  ///< Takes a `take` back that was never a fact: room does not grow.
};

class Inventory {
public:
    Inventory();

    /// Both return whether anything changed.
    bool set_site(const SiteSet& site);
    bool set_node(const NodeSet& node);
    void remove_site(Slot site);
    void remove_node(Slot node);

    /// A node to charge, made if it was never set.
    Slot hold_node(std::string_view site, std::string_view node);
    void drop_node(Slot node);
    void charge(Slot node, std::span<const CardShare> cards, std::int64_t cpus_milli, std::int64_t memory_mib, Charge charge);
    /// Room may have grown here.
    void gain(Slot node);

    /// Ranks all pools that need it. Before it, nothing may be searched.
    void settle();
    /// A pool that gained, and the nodes where it did; no nodes: anywhere.
    struct Gain {
        Slot pool = no_slot;
        std::vector<Slot> nodes{};
    };
    /// The gains since the last call.
    [[nodiscard]] std::vector<Gain> take_gains();
    /// Gives a gain back that has not been followed up to the end.
    void keep_gain(Slot pool);
    /// Changes whenever a site or a pool came, changed or went: every list of candidates is old then.
    [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

    [[nodiscard]] Slot intern_model(std::string_view model);
    [[nodiscard]] Slot find_model(std::string_view model) const;
    [[nodiscard]] Slot find_site(std::string_view site) const;
    [[nodiscard]] Slot find_node(std::string_view site, std::string_view node) const;
    [[nodiscard]] Slot find_pool(Slot site, Slot model) const;
    [[nodiscard]] const std::map<std::string, Slot, std::less<>>& sites() const { return site_names_; }
    [[nodiscard]] const std::string& model_name(Slot model) const { return *model_texts_[model]; }
    [[nodiscard]] const Site& site(Slot slot) const { return sites_[slot]; }
    [[nodiscard]] const Node& node(Slot slot) const { return nodes_[slot]; }
    [[nodiscard]] const Pool& pool(Slot slot) const { return pools_[slot]; }
    [[nodiscard]] std::size_t node_slots() const { return nodes_.size(); }

private:
    Slot add_node(Slot site, std::string_view name);
    Slot intern_site(std::string_view name);
    Slot intern_pool(Slot site, Slot model);
    void forget_if_unused(Slot node);
    void lay_out(Node& node);
    void enter(Slot slot);
    void leave(Slot slot);
    void retire(const Group& group);
    void index(Slot slot, Group& group);
    void unindex(const Node& node, Group& group);
    void rebucket(const Node& node, Group& group);
    void rank_anew(Slot pool);

    std::map<std::string, Slot, std::less<>> site_names_;
    std::map<std::string, Slot, std::less<>> model_names_;
    std::vector<const std::string*> model_texts_;
    std::vector<Site> sites_;
    std::vector<Pool> pools_;
    std::vector<Node> nodes_;
    std::vector<Slot> free_nodes_;
    std::vector<Slot> stale_pools_;
    std::vector<Slot> gained_;
    std::uint64_t epoch_ = 0;
};

}  // namespace weir::scheduler
