// control/core/eligibility.hpp: whether a funding source may pay for a model at a site, and what part; else by which clause not.
#pragma once

#include "control/core/core.hpp"

#include <optional>
#include <string>

namespace weir::control {

/// Whether one source pays for a model at a site, and what part.
struct SourceAnswer {
    std::int64_t per_mille = 0;  ///< 0: refused, and clause says why.
    std::string clause;          ///< The rule that refuses, or that grants the ratio.
};
[[nodiscard]] SourceAnswer ask_source(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                                      const std::string& model, Instant from, Instant to);

/// The same in two steps, for who asks about many sites. Why a source pays nowhere for use between two moments; nothing where that
/// depends on site and model.
[[nodiscard]] std::optional<SourceAnswer> refused_everywhere(const State& state, const OrganisationName& organisation,
                                                             const FundingSource& source, Instant from, Instant to);
/// What a source that is not refused everywhere says of a model at a site.
[[nodiscard]] SourceAnswer ask_here(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                                    const std::string& model);

/// A source as people name it.
[[nodiscard]] std::string name_of(const FundingSource& source);

/// The clause by which a programme is not for an organisation at all; nothing where it is.
[[nodiscard]] std::optional<std::string> excludes(const Programme& programme, const Organisation& organisation);

}  // namespace weir::control
