// engines/scheduler/constraints.hpp: the hard constraints that a site must satisfy, each a value with a name.
//
// Answers one question: may this ask enter this site at all, and by which of its alternatives? Constraints filter and never
// score; room is not one of them.
#pragma once

#include "engines/scheduler/plan.hpp"

#include <span>

namespace weir::scheduler {

struct Entry {
    const Ask& ask;
    const SiteSet& site;
    const FundingAnswers* funding;  ///< Null: nobody has answered.
};

struct Constraint {
    ReasonCode code;
    bool (*allows)(const Entry&);
    bool passing;  ///< Refuses only for now: an ask that no other constraint refuses could run here one day.
};

/// All constraints of a site, in the order in which their refusals are told.
[[nodiscard]] std::span<const Constraint> site_constraints();

[[nodiscard]] bool may_enter(const Entry& entry);

/// The refusal of a constraint, with its numbers.
[[nodiscard]] Reason refusal(const Constraint& constraint, const Entry& entry);

/// Whether the ask's funding may pay for this model here. Unlike the constraints of a site it is asked of each alternative.
[[nodiscard]] bool may_pay(const Entry& entry, const std::string& model);
/// The refusal where it may not.
[[nodiscard]] Reason funding_refusal(const Entry& entry, const std::string& model);

/// The soft terms that are known before nodes are chosen: everything but packing.
[[nodiscard]] Score standing_score(const Policy& policy, const Ask& ask, std::size_t alternative, const SiteSet& site);

}  // namespace weir::scheduler
