// engines/scheduler/plan.hpp: what the scheduler proposes, with the score that chose it.
#pragma once

#include "engines/scheduler/reason.hpp"
#include "engines/scheduler/types.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace weir::scheduler {

/// How much each soft term weighs, in points. Hard constraints are not here: they never score.
struct Policy {
    std::int64_t price_points_per_fen = 1;  ///< Lost per fen that an hour costs, per card of the first alternative.
    std::int64_t tier_points = 5'000;       ///< Won in the preferred tier.
    std::int64_t model_points = 100'000;    ///< Lost per step down the list of alternatives.
    std::int64_t packing_points = 100;      ///< Lost where the nodes used would stay empty; none lost where they are full.
    friend bool operator==(const Policy&, const Policy&) = default;
};

/// The soft terms of one placement, in points; more is better.
struct Score {
    std::int64_t price = 0;
    std::int64_t tier = 0;
    std::int64_t model = 0;
    std::int64_t packing = 0;

    [[nodiscard]] std::int64_t total() const { return price + tier + model + packing; }
    [[nodiscard]] std::array<std::pair<std::string_view, std::int64_t>, 4> terms() const {
        return {{{"price", price}, {"tier", tier}, {"model", model}, {"packing", packing}}};
    }
    friend bool operator==(const Score&, const Score&) = default;
};

/// One gang that fits now. Control journals it and tells it back as JobPlaced.
struct Placement {
    Uid job{};
    std::int32_t alternative = 0;  ///< Which of the ask's alternatives.
    Score score{};
    Allocation allocation{};
    friend bool operator==(const Placement&, const Placement&) = default;
};

struct PlanLimits {
    std::size_t placements_max = 65'536;
    /// Waiting jobs to explain, in queue order; each costs a scan of the nodes it could use.
    std::size_t waiting_max = 0;
};

/// What the plan left behind. `ready` and the two holds add up to all that wait and were not placed.
struct PlanCounts {
    std::uint64_t placed = 0;
    std::uint64_t ready = 0;
    std::uint64_t held_by_time = 0;
    std::uint64_t held_by_dependency = 0;
    bool cut_short = false;  ///< placements_max was reached: there may be more, plan again after committing these.
    friend bool operator==(const PlanCounts&, const PlanCounts&) = default;
};

/// How hard the engine worked. Depends on what it remembered: no part of the answer.
struct PlanWork {
    std::uint64_t classes_tried = 0;   ///< Classes of equal asks that were looked at.
    std::uint64_t searches = 0;        ///< Searches of one site's cards of one model.
    std::uint64_t nodes_looked_at = 0;
};

struct Plan {
    std::vector<Placement> placements{};  ///< In queue order.
    std::vector<Why> waiting{};           ///< As things stand after the placements above; see PlanLimits.
    PlanCounts counts{};
    PlanWork work{};
};

}  // namespace weir::scheduler
