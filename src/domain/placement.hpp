// domain/placement.hpp: where one generation of a job runs, why a job changes, and what it holds and owes.
#pragma once

#include "base/quantity.hpp"
#include "domain/job.hpp"
#include "domain/programme.hpp"

#include <boost/describe.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// Why a job changed its state. Stable tokens: people script against them.
BOOST_DEFINE_ENUM_CLASS(Reason, none, submitted, placed, agent_started, processes_running, exited, exit_code, signalled, out_of_memory,
                        start_failed, max_duration_reached, cancelled_by_tenant, cancelled_by_operator, dependency_failed, lease_lost,
                        node_lost, site_lost_task, restarts_exhausted, quarantined, budget_reached, checkpoint_requested, funding_lapsed,
                        disk_exceeded, stopped_as_ordered, moving, site_drained, site_stopped, suspended)

struct CardShare {
    std::int64_t index = 0;    ///< Of the card within its node, over all its groups.
    MilliCards share;
    bool operator==(const CardShare&) const = default;
};
BOOST_DESCRIBE_STRUCT(CardShare, (), (index, share))

struct PlacedNode {
    NodeName node;
    std::vector<CardShare> cards;
    bool operator==(const PlacedNode&) const = default;
};
BOOST_DESCRIBE_STRUCT(PlacedNode, (), (node, cards))

struct ScoreTerm {
    std::string name;
    std::int64_t points = 0;
    bool operator==(const ScoreTerm&) const = default;
};
BOOST_DESCRIBE_STRUCT(ScoreTerm, (), (name, points))

/// Where one generation of a job's gang runs, and at what price.
struct Placement {
    SiteName site;
    std::string model;
    MilliCards per_node;
    bool emulated = false;
    Fen fen_per_card_hour;
    std::vector<PlacedNode> nodes;    ///< In rank order.
    std::vector<ScoreTerm> score;     ///< Why here.
    bool operator==(const Placement&) const = default;
};
BOOST_DESCRIBE_STRUCT(Placement, (), (site, model, per_node, emulated, fen_per_card_hour, nodes, score))

/// A node of a site, as a job avoids it.
struct NodeAt {
    SiteName site;
    NodeName node;
    friend auto operator<=>(const NodeAt&, const NodeAt&) = default;
};
BOOST_DESCRIBE_STRUCT(NodeAt, (), (site, node))

struct StoredCheckpoint {
    std::uint32_t generation = 0;
    std::string name;
    Digest manifest;
    std::int64_t bytes = 0;
    Instant stored_at;
    bool operator==(const StoredCheckpoint&) const = default;
};
BOOST_DESCRIBE_STRUCT(StoredCheckpoint, (), (generation, name, manifest, bytes, stored_at))

/// What one funding source promises for one generation of a job, as judged when it was placed.
struct SourceShare {
    std::int64_t per_mille = 0;           ///< Of the charge.
    std::optional<std::int64_t> until_s;  ///< Seconds since 1970: for no use from then on.
    bool operator==(const SourceShare&) const = default;
};
BOOST_DESCRIBE_STRUCT(SourceShare, (), (per_mille, until_s))

/// What one funding source holds back for a job.
struct Hold {
    FundingSource source;
    Uid transfer;   ///< The pending transfer in the ledger.
    Fen amount;
    bool operator==(const Hold&) const = default;
};
BOOST_DESCRIBE_STRUCT(Hold, (), (source, transfer, amount))

/// One line of a job's bill.
struct BillLine {
    std::uint32_t generation = 0;
    SiteName site;
    std::string model;
    bool emulated = false;
    Fen fen_per_card_hour;
    MilliCardSeconds used;
    Payer payer = Payer::tenant;
    std::optional<LossCause> lost;    ///< Set where the seconds were lost.
    Fen amount;                       ///< What the payer owes the site; 0 where the provider bears it.
    bool operator==(const BillLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(BillLine, (), (generation, site, model, emulated, fen_per_card_hour, used, payer, lost, amount))

/// What one funding source paid of a bill.
struct BillPart {
    FundingSource source;
    Fen held;
    Fen captured;                     ///< The rest of the hold went back.
    bool operator==(const BillPart&) const = default;
};
BOOST_DESCRIBE_STRUCT(BillPart, (), (source, held, captured))

}  // namespace weir
