#include "control/core/eligibility.hpp"

#include "domain/limits.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

SourceAnswer refused(std::string clause) { return {0, std::move(clause)}; }

template <class T>
bool allows(const Allowed<T>& allowed, const T& value) {
    return allowed.any_of.empty() || std::ranges::find(allowed.any_of, value) != allowed.any_of.end();
}

bool allows_region(const Allowed<std::string>& allowed, const std::string& region) {
    return allowed.any_of.empty() || std::ranges::any_of(allowed.any_of, [&](const auto& within) { return lies_within(region, within); });
}

/// A published clause if there is one, else the rule in our words.
std::string clause_or(const std::string& clause, std::string rule) { return clause.empty() ? std::move(rule) : clause; }

SourceAnswer ask_programme(const Core& core, const Programme& programme, const Organisation& organisation, const Site& site,
                           const std::string& model) {
    if (auto clause = excludes(programme, organisation)) return refused(*std::move(clause));
    if (!allows(programme.sites, site.name))
        return refused(clause_or(programme.sites.clause, fmt::format("the programme does not pay at {}", site.name.value)));
    if (!allows(programme.tiers, site.tier))
        return refused(clause_or(programme.tiers.clause, "the programme does not pay at sites of this tier"));
    if (!allows(programme.models, model))
        return refused(clause_or(programme.models.clause, fmt::format("the programme does not pay for {}", model)));
    const auto entry = core.catalogue.find(model);
    const bool domestic = entry != core.catalogue.end() && entry->second.domestic;
    for (const auto& line : programme.ratio) {
        const bool kind = line.kinds.empty() || std::ranges::find(line.kinds, organisation.kind) != line.kinds.end();
        if (kind && (!line.domestic || *line.domestic == domestic)) {
            return line.per_mille > 0 ? SourceAnswer{line.per_mille, line.clause}
                                      : refused(clause_or(line.clause, "the programme's ratio here is zero"));
        }
    }
    return refused("no line of the programme's ratio fits this organisation and accelerator");
}

}  // namespace

std::string name_of(const FundingSource& source) { return source.voucher ? source.voucher->text() : "prepaid balance"; }

std::optional<std::string> excludes(const Programme& programme, const Organisation& organisation) {
    if (!allows(programme.kinds, organisation.kind))
        return clause_or(programme.kinds.clause, "the programme is not for this kind of organisation");
    if (!allows_region(programme.registered_in, organisation.registered_in))
        return clause_or(programme.registered_in.clause, "the organisation is not registered in the programme's region");
    return std::nullopt;
}

std::optional<SourceAnswer> refused_everywhere(const State& state, const OrganisationName& organisation, const FundingSource& source,
                                               Instant from, Instant to) {
    if (!source.voucher) return std::nullopt;
    const auto voucher = state.vouchers.find(*source.voucher);
    if (voucher == state.vouchers.end() || voucher->second.organisation != organisation) {
        return refused(fmt::format("voucher {} is not known here", source.voucher->text()));
    }
    const auto& [id, prog, owner, amount, valid_from, valid_to] = voucher->second;
    if (from >= valid_from && to <= valid_to) return std::nullopt;
    return refused(fmt::format("the voucher is valid from {} to before {}, and the run could last until {}", moment(valid_from),
                               moment(valid_to), moment(to)));
}

SourceAnswer ask_here(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                      const std::string& model) {
    if (!source.voucher) return {1000, {}};
    const auto& programme = core.state.programmes.at(core.state.vouchers.at(*source.voucher).programme).programme;
    return ask_programme(core, programme, core.state.organisations.at(organisation), site, model);
}

SourceAnswer ask_source(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                        const std::string& model, Instant from, Instant to) {
    if (auto nowhere = refused_everywhere(core.state, organisation, source, from, to)) return *std::move(nowhere);
    return ask_here(core, organisation, source, site, model);
}

}  // namespace weir::control
