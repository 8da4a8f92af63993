// engines/scheduler/search.hpp: finds the nodes and cards of one gang in one pool.
//
// Answers one question: which nodes of this site take this gang, tightest first? Fractions go to the shared card with
// the least room that is enough, then to a fresh card of the node with the fewest free ones; whole cards to the node
// with the fewest free ones that are enough. A required level takes the first domain to collect the gang in that order.
#pragma once

#include "engines/scheduler/inventory.hpp"

namespace weir::scheduler {

/// The part of an ask that decides whether a gang fits into a pool: asks of all projects share it.
struct Need {
    std::int32_t nodes = 1;
    std::int64_t milli = 0;  ///< Per node; 0: no accelerator.
    std::int64_t card_memory = 0;
    std::int64_t cpus_milli = 0;
    std::int64_t memory_mib = 0;
    bool accepts_emulated = true;
    std::string level{};  ///< Empty for a gang of one: it is always together.
    std::vector<NodeRef> excluded{};
    friend auto operator<=>(const Need&, const Need&) = default;

    [[nodiscard]] bool is_fraction() const { return milli > 0 && milli < whole_card_milli; }
};
[[nodiscard]] Need need_of(const Ask& ask, const Alternative& way);

/// Components of a position that nodes of one domain share: 1 for the site's widest level; 0: no level asked;
/// -1: the site has no such level.
[[nodiscard]] int level_depth(const SiteSet& site, const std::string& level);

/// The first line that keeps a node from taking its part of a gang.
enum class Misfit : std::uint8_t {
    fits = 1,
    health = 2,
    trust = 3,
    reality = 4,
    position = 5,
    slicing = 6,
    card_memory = 7,
    cards = 8,
    cpus = 9,
    memory = 10,
};
enum class Condition : std::uint8_t {
    present = 1,  ///< As the node is now.
    ideal = 2,    ///< Empty and healthy.
};
[[nodiscard]] Misfit judge(const Node& node, const Group& group, const Need& need, int depth, Condition condition);

/// A node of a found gang; `card` is the shared card for a fraction that joins others, else -1.
struct Pick {
    Slot node = no_slot;
    std::int32_t card = -1;
};

class Search {
public:
    /// The gang's nodes, or nothing. The inventory must be settled.
    [[nodiscard]] std::vector<Pick> find(const Inventory& inventory, Slot pool, const Need& need);
    std::uint64_t nodes_looked_at = 0;

private:
    template <class Visit>
    void walk(const Inventory& inventory, const Pool& pool, Slot which, const Need& need, int depth, Visit visit);
    [[nodiscard]] bool is_new(Slot node);

    std::vector<std::uint64_t> marks_;  ///< By node: the search that visited it last.
    std::uint64_t stamp_ = 0;
};

/// The cards that a pick takes.
[[nodiscard]] std::vector<CardShare> cards_of(const Node& node, const Group& group, const Need& need, const Pick& pick);

/// 0 where the picked nodes become full, `-points` where they stay nearly empty.
[[nodiscard]] std::int64_t packing_score(const Inventory& inventory, Slot pool, const Need& need, std::span<const Pick> picks,
                                         std::int64_t points);

}  // namespace weir::scheduler
