// engines/scheduler/reason.hpp: why a job waits, as codes and numbers.
//
// Answers one question: what must change before this job runs? The engine formats no text; reason_text.hpp does,
// in a public and in an operator form.
#pragma once

#include "engines/scheduler/delta.hpp"

namespace weir::scheduler {

/// Values are shown to programs and kept: append only.
enum class ReasonCode : std::uint8_t {
    // Of the job, whatever the site.
    dependency_unresolved = 1,  ///< asked: jobs it still waits for.
    backing_off = 2,            ///< until: the instant from which it may be placed.
    quota_reached = 3,          ///< model, asked, has: held by the project now, limit; milli-cards.
    quota_too_small = 4,        ///< model, asked, limit: it exceeds the limit even with nothing held.
    no_sites = 5,               ///< The network has no site.
    // Of one site: a named hard constraint refuses it.
    site_closed = 10,
    site_not_trusted = 11,
    site_excluded = 12,
    outside_residency = 13,  ///< text: the site's region.
    tier_differs = 14,       ///< asked, has: values of Tier.
    funding_refused = 15,     ///< Of one model: clauses.
    funding_unanswered = 16,  ///< Of one model: the site has no price for it.
    level_unknown = 17,  ///< text: the topology level that the site does not have.
    // Of one model in one site that no constraint refuses.
    model_absent = 20,
    never_fits = 21,      ///< room: even empty and healthy it has too few nodes of that size.
    room_lacking = 22,    ///< room: too few nodes have room now.
    awaits_plan = 23,     ///< It fits now; the next plan takes it unless a job before it needs the room.
};

/// What a site has of what was asked. Nodes that do not fit are counted once, under the first line that applies.
struct Room {
    std::int64_t nodes_asked = 0;
    std::int64_t milli_asked = 0;  ///< Milli-cards per node.
    /// Nodes that fit; under a required level, those of the best single domain. In never_fits: were they empty.
    std::int64_t nodes_fit = 0;
    std::int64_t milli_free = 0;          ///< Free on usable nodes, in pieces of any size.
    std::int64_t milli_total = 0;         ///< Of all nodes of the site, in use or not.
    std::int64_t milli_largest = 0;       ///< The most that one node offers (in never_fits: were it empty).
    std::int64_t nodes_total = 0;         ///< Nodes with that model.
    std::int64_t short_of_health = 0;     ///< Nodes not healthy.
    std::int64_t short_of_trust = 0;      ///< Nodes excluded for this job.
    std::int64_t short_of_reality = 0;    ///< Nodes whose cards are emulated, where the job takes none.
    std::int64_t short_of_position = 0;   ///< Nodes whose position does not reach the required level.
    std::int64_t short_of_slicing = 0;    ///< Nodes whose cards may not be shared.
    std::int64_t short_of_card_memory = 0;
    std::int64_t short_of_cards = 0;
    std::int64_t short_of_cpus = 0;
    std::int64_t short_of_memory = 0;
    friend bool operator==(const Room&, const Room&) = default;
};

struct Reason {
    ReasonCode code = ReasonCode::awaits_plan;
    std::string site{};   ///< Empty: of the job.
    std::string model{};  ///< Empty where no model matters.
    std::int64_t asked = 0;
    std::int64_t has = 0;
    std::int64_t limit = 0;
    Instant until{};
    std::string text{};
    std::vector<FundingClause> clauses{};
    Room room{};
    friend bool operator==(const Reason&, const Reason&) = default;
};

enum class JobStanding : std::uint8_t {
    unknown = 1,
    waiting = 2,
    placed = 3,  ///< Holds cards and waits for nothing.
};

/// The answer to `weir job why`. A waiting job has at least one reason.
struct Why {
    Uid job{};
    JobStanding standing = JobStanding::unknown;
    std::vector<Reason> reasons{};  ///< Of the job first, then by site name and alternative.
    friend bool operator==(const Why&, const Why&) = default;
};

/// Whether an ask could run on this network if it were empty, healthy and open.
struct EverFit {
    bool fits = false;
    std::vector<Reason> reasons{};  ///< Empty when it fits.
    friend bool operator==(const EverFit&, const EverFit&) = default;
};

}  // namespace weir::scheduler
