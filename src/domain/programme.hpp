// domain/programme.hpp: voucher programmes, first cut: who may have a voucher, what it pays for, and how much of it.
//
// Every condition carries the clause of the published text that it encodes, so that a refusal can quote it.
#pragma once

#include "base/quantity.hpp"
#include "base/time.hpp"
#include "codec/field.hpp"
#include "domain/names.hpp"
#include "domain/organisation.hpp"
#include "domain/site.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// The part of a charge that the programme pays. The first line whose condition holds is the one that counts.
struct RatioLine {
    std::vector<OrganisationKind> kinds;  ///< Empty: any.
    std::optional<bool> domestic;         ///< Of the accelerator; empty: either.
    std::int64_t per_mille = 0;           ///< 0 to 1000 of the eligible charge.
    std::string clause;
    bool operator==(const RatioLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(RatioLine, (), (kinds, domestic, per_mille, clause))

/// A list of what a programme allows, with its clause. An empty list allows everything.
template <class T>
struct Allowed {
    std::vector<T> any_of;
    std::string clause;
    bool operator==(const Allowed&) const = default;
};
BOOST_DESCRIBE_STRUCT(Allowed<OrganisationKind>, (), (any_of, clause))
BOOST_DESCRIBE_STRUCT(Allowed<SiteName>, (), (any_of, clause))
BOOST_DESCRIBE_STRUCT(Allowed<Tier>, (), (any_of, clause))
BOOST_DESCRIBE_STRUCT(Allowed<std::string>, (), (any_of, clause))

struct Programme {
    ProgrammeName name;
    std::string title;
    std::string legal_ref;
    std::int64_t fiscal_year = 0;
    Instant effective_from;               ///< Half-open: [from, to).
    Instant effective_to;
    std::string funder;                   ///< Whose treasury pays; a name.
    Fen budget;
    Fen entity_cap;                       ///< Most that one control group may be awarded in the year.
    std::vector<RatioLine> ratio;
    Allowed<OrganisationKind> kinds;
    Allowed<std::string> registered_in;   ///< Region paths; a longer path lies within.
    Allowed<SiteName> sites;
    Allowed<Tier> tiers;
    Allowed<std::string> models;
    std::int64_t validity_days = 365;     ///< Civil days in China; the day of a voucher's award is not counted.
    std::int64_t version = 1;             ///< Of these terms. What is booked under them carries it.
    static constexpr std::array field_rules{codec::Field{.name = "version", .optional = true, .doc = "of these terms, from 1"}};
    bool operator==(const Programme&) const = default;
};
BOOST_DESCRIBE_STRUCT(Programme, (),
                      (name, title, legal_ref, fiscal_year, effective_from, effective_to, funder, budget, entity_cap, ratio, kinds,
                       registered_in, sites, tiers, models, validity_days, version))

struct Voucher {
    VoucherId id;
    ProgrammeName programme;
    OrganisationName organisation;
    Fen amount;                           ///< Face value at award.
    Instant valid_from;                   ///< Half-open: [from, to).
    Instant valid_to;
    bool operator==(const Voucher&) const = default;
};
BOOST_DESCRIBE_STRUCT(Voucher, (), (id, programme, organisation, amount, valid_from, valid_to))

/// Why card-seconds were lost, and who pays for them. The policy is this table: exactly one payer for each cause.
BOOST_DEFINE_ENUM_CLASS(LossCause, tenant_error, tenant_cancel, provider_fault, lease_lost, grid, move, preemption, network_cancel,
                        overrun, tenant_move, site_drain, suspension)
BOOST_DEFINE_ENUM_CLASS(Payer, tenant, provider, network)

[[nodiscard]] constexpr Payer payer_of(LossCause cause) {
    switch (cause) {
        case LossCause::tenant_error:
        case LossCause::tenant_cancel:
        case LossCause::tenant_move:
        case LossCause::suspension: return Payer::tenant;
        case LossCause::provider_fault:
        case LossCause::site_drain:
        case LossCause::lease_lost: return Payer::provider;
        case LossCause::grid:
        case LossCause::move:
        case LossCause::preemption:
        case LossCause::network_cancel:
        case LossCause::overrun: return Payer::network;
    }
    return Payer::network;
}

}  // namespace weir
