// engines/scheduler/delta.hpp: what the scheduler is told: the facts it plans with, one change at a time.
//
// Each delta follows from a committed event. The engine's own plan changes nothing: a placement becomes a fact
// when control has journaled it and says JobPlaced. `Set` replaces the thing of that name or makes it; setting
// what is already so costs nothing and wakes nobody.
#pragma once

#include "engines/scheduler/types.hpp"

#include <map>
#include <variant>

namespace weir::scheduler {

struct SiteSet {
    std::string site{};
    std::string region{};  ///< Path in the region tree, `cn/sichuan/chengdu`.
    Tier tier = Tier::cloud;
    bool open = true;  ///< Takes new work.
    /// Fen per card-hour by model; the model `` (empty) is a CPU core-hour. Not listed: 0.
    std::map<std::string, std::int64_t> price_fen{};
    /// Names of the components of a node's position, widest first: `zone`, `block`, `rack`.
    std::vector<std::string> levels{};
    friend bool operator==(const SiteSet&, const SiteSet&) = default;
};

/// The site goes, and its nodes with it. What jobs hold there stays held until it is released.
struct SiteRemoved {
    std::string site{};
    friend bool operator==(const SiteRemoved&, const SiteRemoved&) = default;
};

struct NodeSet {
    std::string site{};
    std::string node{};
    std::vector<Accelerators> accelerators{};
    std::int64_t cpus_milli = 0;
    std::int64_t memory_mib = 0;
    std::vector<std::string> position{};  ///< One component for each of the site's levels; may be shorter.
    bool healthy = true;                ///< False: nothing new is placed here.
    friend bool operator==(const NodeSet&, const NodeSet&) = default;
};

struct NodeRemoved {
    std::string site{};
    std::string node{};
    friend bool operator==(const NodeRemoved&, const NodeRemoved&) = default;
};

/// Why one source of money does not pay for a model at a site.
struct FundingClause {
    std::string source{};
    std::string clause{};
    friend auto operator<=>(const FundingClause&, const FundingClause&) = default;
};

/// Control's judgement of one model at one site for one funding order.
struct FundingAnswer {
    bool eligible = false;
    std::vector<FundingClause> clauses{};  ///< The refusals; may be present beside `eligible` (another source pays).
    friend bool operator==(const FundingAnswer&, const FundingAnswer&) = default;
};

/// By site, then model.
using FundingAnswers = std::map<std::string, std::map<std::string, FundingAnswer>>;

/// The answers for every job whose ask names `funding`. A model without an answer at a site is refused there: what
/// nobody has judged, or has a price for, is not entered.
struct FundingSet {
    std::string funding{};
    FundingAnswers sites{};
    friend bool operator==(const FundingSet&, const FundingSet&) = default;
};

struct FundingRemoved {
    std::string funding{};
    friend bool operator==(const FundingRemoved&, const FundingRemoved&) = default;
};

/// What a project may hold of a model at once, over all sites, in milli-cards. 0: nothing. Nothing set (or
/// `limit_milli` empty): no limit.
struct QuotaSet {
    std::string project{};
    std::string model{};
    std::optional<std::int64_t> limit_milli{};
    friend bool operator==(const QuotaSet&, const QuotaSet&) = default;
};

/// The job waits for a place from now on; said again, it replaces what was said of its wait. A job may wait
/// for a new place while it still holds an old one (a move, or a site that is cut off).
struct JobQueued {
    Uid job{};
    Ask ask{};
    std::int32_t priority = 0;                    ///< Larger goes first.
    Instant queued_at{};                            ///< Earlier goes first among equals; then the smaller Uid.
    Instant not_before{INT64_MIN};                ///< Backoff: not placed before this instant.
    std::int32_t dependencies = 0;                ///< Jobs it must still wait for (`after`); held while above 0.
    friend bool operator==(const JobQueued&, const JobQueued&) = default;
};

/// The job waits no more; what it holds it keeps.
struct JobWithdrawn {
    Uid job{};
    friend bool operator==(const JobWithdrawn&, const JobWithdrawn&) = default;
};

/// The job holds this from now on, and waits no more.
struct JobPlaced {
    Uid job{};
    std::uint64_t generation = 0;
    Allocation allocation{};
    friend bool operator==(const JobPlaced&, const JobPlaced&) = default;
};

/// What this generation held is free again.
struct JobReleased {
    Uid job{};
    std::uint64_t generation = 0;
    friend bool operator==(const JobReleased&, const JobReleased&) = default;
};

/// The job is over: it waits no more and holds nothing.
struct JobRemoved {
    Uid job{};
    friend bool operator==(const JobRemoved&, const JobRemoved&) = default;
};

using Delta = std::variant<SiteSet, SiteRemoved, NodeSet, NodeRemoved, FundingSet, FundingRemoved, QuotaSet, JobQueued,
                           JobWithdrawn, JobPlaced, JobReleased, JobRemoved>;

/// Why a delta was not taken; nothing has changed then. When several apply, the first is given.
enum class DeltaRefusal : std::uint8_t {
    name_is_empty = 1,
    ask_is_malformed = 2,  ///< See check_ask.
    amount_out_of_range = 3,
    model_is_repeated = 4,    ///< A node lists a model twice.
    site_is_unknown = 5,      ///< A node of, or the removal of, a site that was never set.
    node_is_unknown = 6,
    funding_is_unknown = 7,
    job_is_unknown = 8,
    generation_is_held = 9,   ///< The generation was placed already.
    generation_is_unknown = 10,
};

}  // namespace weir::scheduler
