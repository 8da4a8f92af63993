// engines/scheduler/types.hpp: the words of placement: what a job asks for, and what it is given.
//
// Answers one question: in which terms do control and the scheduler speak? Sites, nodes, projects and models
// are names; jobs are Uids. Nothing here decides; plan.hpp and scheduler.hpp do.
//
// Cards are counted in milli-cards: 1000 is one whole card, which nobody shares. Less than 1000 is a share of
// one card. Cards of a node are numbered from 0 across its groups, in the order in which they are listed.
#pragma once

#include "base/id.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::scheduler {

constexpr std::int64_t whole_card_milli = 1000;
constexpr std::int32_t gang_nodes_max = 65'536;
constexpr std::int32_t node_cards_max = 1'024;
constexpr std::size_t alternatives_max = 16;
/// Entries of each list of an ask: trusted and excluded sites, excluded nodes, regions of residency.
constexpr std::size_t ask_list_max = 1'024;
/// Bound of every amount (milli-CPUs, MiB, fen): sums of a million of them stay inside int64.
constexpr std::int64_t amount_max = 1'000'000'000'000;

enum class Tier : std::uint8_t { edge = 1, cloud = 2, core = 3 };

enum class Slicing : std::uint8_t {
    exclusive = 1,   ///< A card is given whole or not at all.
    fractional = 2,  ///< A card may be shared by milli-cards and memory.
    fixed = 3,       ///< A card is cut by templates: only whole cards are placed on it by this version.
};

/// The cards of one model in one node. A node names each model once.
struct Accelerators {
    std::string model{};
    std::int32_t cards = 0;
    std::int64_t memory_mib = 0;  ///< Of each card.
    Slicing slicing = Slicing::exclusive;
    std::string slicing_owner{};  ///< Who cuts these cards (`hami`, `volcano`, `mig`, `weir`); empty or `none`: nobody may.
    bool emulated = false;
    friend auto operator<=>(const Accelerators&, const Accelerators&) = default;
};

/// One way to satisfy a job, per node of its gang.
struct Alternative {
    std::string model{};             ///< Empty: no accelerator, only CPUs and memory.
    std::int64_t milli_cards = 0;  ///< Per node: a multiple of 1000, or 1 to 999 of one card; 0 only without a model.
    std::int64_t memory_mib = 0;   ///< Needed of each card (whole cards) or of the shared card (a fraction); 0: no claim.
    friend auto operator<=>(const Alternative&, const Alternative&) = default;
};

struct NodeRef {
    std::string site{};
    std::string node{};
    friend auto operator<=>(const NodeRef&, const NodeRef&) = default;
};

/// What a job needs and prefers. Jobs with equal asks are one class and share every answer, so nothing that
/// differs from job to job belongs here (see JobQueued). The order of the lists, alternatives apart, has no meaning.
struct Ask {
    std::string project{};
    /// A model of which the job holds as much already and gives it back: it may enter such cards whatever its project's quota is used for.
    std::string held_model{};
    std::int32_t nodes = 1;  ///< The gang: that many distinct nodes of one site and one model, all or none.
    std::vector<Alternative> alternatives{};  ///< In order of preference; at least one.
    std::int64_t cpus_milli = 0;            ///< Per node.
    std::int64_t memory_mib = 0;            ///< Per node.

    // Hard: a site or node that does not satisfy these is never used.
    std::string funding{};                     ///< Key of a FundingSet; empty: nothing to pay, all is eligible.
    std::vector<std::string> trusted_sites{};  ///< Empty: any.
    std::vector<std::string> excluded_sites{};
    std::vector<NodeRef> excluded_nodes{};  ///< Quarantine: where this job has crashed.
    std::vector<std::string> residency{};   ///< Regions (`cn/sichuan`), one of which holds the site; empty: any.
    std::optional<Tier> required_tier{};
    std::string required_level{};    ///< All nodes under one `rack`, say; empty: anywhere in the site.
    bool accepts_emulated = true;  ///< False: only cards that exist.

    // Soft: these only score.
    std::optional<Tier> preferred_tier{};

    friend auto operator<=>(const Ask&, const Ask&) = default;
};

/// Why an ask makes no sense on any network. When several apply, the first is given.
enum class AskRefusal : std::uint8_t {
    project_is_empty = 1,
    nodes_out_of_range = 2,         ///< Not 1 to gang_nodes_max.
    alternatives_out_of_range = 3,  ///< Not 1 to alternatives_max.
    model_without_cards = 4,        ///< A model and 0 milli-cards, or milli-cards and no model.
    cards_not_whole = 5,            ///< Above 1000 milli-cards and no multiple of 1000.
    amount_out_of_range = 6,        ///< Negative, above amount_max, or above node_cards_max cards.
    list_too_long = 7,              ///< Above ask_list_max.
};
[[nodiscard]] Result<void, AskRefusal> check_ask(const Ask& ask);

/// A card, or a part of one, held by a job.
struct CardShare {
    std::int32_t card = 0;
    std::int64_t milli = 0;  ///< 1 to 1000.
    std::int64_t memory_mib = 0;
    friend auto operator<=>(const CardShare&, const CardShare&) = default;
};

/// One node of a placed gang.
struct NodeShare {
    std::string node{};
    std::vector<CardShare> cards{};
    std::int64_t cpus_milli = 0;
    std::int64_t memory_mib = 0;
    bool emulated = false;  ///< Its cards are declared, not real.
    friend auto operator<=>(const NodeShare&, const NodeShare&) = default;
};

/// All that one generation of a job holds.
struct Allocation {
    std::string project{};
    std::string site{};
    std::string model{};  ///< Empty: no accelerator.
    std::vector<NodeShare> nodes{};  ///< In rank order.
    friend auto operator<=>(const Allocation&, const Allocation&) = default;
};

}  // namespace weir::scheduler
