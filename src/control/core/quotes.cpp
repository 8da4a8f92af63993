#include "control/core/quotes.hpp"

#include "control/core/accounts.hpp"
#include "domain/limits.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

const TariffLine* price_of(const Site& site, const std::string& model) {
    const auto line = std::ranges::find(site.tariff, model, &TariffLine::model);
    return line == site.tariff.end() ? nullptr : &*line;
}

/// What all cards of the job cost in so many seconds, rounded up.
Fen cost_of(const JobSpec& spec, const AcceleratorAsk& ask, Fen price, std::int64_t length_s) {
    const auto milli_cards = ask.per_node.value * spec.num_nodes;
    const auto card_time = checked_mul(milli_cards, length_s);
    const auto cost = card_time ? mul_div(*card_time, price.value, 3'600'000, Rounding::up) : std::nullopt;
    return Fen{cost.value_or(limits::fen_max)};
}

/// The most that one run of the job can cost on this accelerator at this price: a task that is told to stop holds its cards for a grace.
Fen cost_max(const Policy& policy, const JobSpec& spec, const AcceleratorAsk& ask, Fen price) {
    const auto most = cost_of(spec, ask, price, spec.max_duration.value + grace_s(policy));
    return spec.budget && spec.budget->fen < most ? spec.budget->fen : most;
}

bool may_enter(const Project& project, const JobSpec& spec, const Site& site) {
    const auto& trusted = spec.trust.empty() ? project.trusted : spec.trust;
    if (!trusted.empty() && std::ranges::find(trusted, site.name) == trusted.end()) return false;
    return lies_within(site.region, spec.residency) && (!spec.tier || *spec.tier == site.tier);
}

/// Who asks for a quote, with what.
struct Asked {
    Asked(const Core& core, const OrganisationName& organisation, const JobSpec& spec, const std::vector<Fen>& free, Instant now)
        : core{core}, organisation{organisation}, spec{spec}, sources{sources_of(spec)}, free{free} {
        for (const auto& source : sources) {
            nowhere.push_back(refused_everywhere(core.state, organisation, source, now, now + seconds(spec.max_duration.value)));
        }
    }
    [[nodiscard]] SourceAnswer ask(std::size_t source, const Site& site, const std::string& model) const {
        return nowhere[source] ? *nowhere[source] : ask_here(core, organisation, sources[source], site, model);
    }

    const Core& core;
    const OrganisationName& organisation;
    const JobSpec& spec;
    std::vector<FundingSource> sources;
    const std::vector<Fen>& free;                      ///< By source.
    std::vector<std::optional<SourceAnswer>> nowhere;  ///< By source: what is asked once, and not at each site for each model.
};

/// What each source takes of the job's cost, in their order.
void share(const Asked& asked, const Site& site, Quote& quote) {
    for (std::size_t i = 0; i < asked.sources.size(); ++i) {
        auto answer = asked.ask(i, site, quote.model);
        if (answer.per_mille == 0) quote.clauses.push_back({name_of(asked.sources[i]), std::move(answer.clause)});
        const auto most = mul_div(quote.cost_max.value, answer.per_mille, 1000, Rounding::down).value_or(0);
        const Fen part = std::min({Fen{most}, quote.uncovered, asked.free[i]});
        quote.parts.push_back({answer.per_mille, part});
        quote.uncovered -= part;
    }
}

/// A quote for each model of the job that the site has a price for.
void add_quotes(const Asked& asked, const Site& site, std::vector<Quote>& all) {
    for (const auto& ask : asked.spec.resources.accelerators) {
        const auto* price = price_of(site, ask.model);
        if (price == nullptr) continue;
        const auto cost = cost_max(asked.core.policy, asked.spec, ask, price->fen_per_card_hour);
        const auto least = cost_least(asked.core.policy, asked.spec, ask, price->fen_per_card_hour);
        all.push_back({.site = site.name, .model = ask.model, .fen_per_card_hour = price->fen_per_card_hour, .cost_least = least,
                       .cost_max = cost, .parts = {}, .uncovered = cost, .clauses = {}});
        share(asked, site, all.back());
    }
}

/// Thousandths as per cent: 60, 62.5.
std::string per_cent(std::int64_t per_mille) {
    return per_mille % 10 == 0 ? fmt::format("{}", per_mille / 10) : fmt::format("{}.{}", per_mille / 10, per_mille % 10);
}

/// How long a run may hold its cards, as a tenant can check it.
std::string longest_text(const Policy& policy, const JobSpec& spec) {
    const auto grace = grace_s(policy);
    return grace == 0 ? fmt::format("up to {} s", spec.max_duration.value)
                      : fmt::format("up to {} s and the {} s of grace in which it is stopped", spec.max_duration.value, grace);
}

/// A refusal where even full purses could not pay this quote, because no source may pay the rest: what each may pay, and the rest.
std::optional<Refusal> shares_too_small(const Asked& asked, const Quote& quote) {
    const auto& site = asked.core.state.sites.at(quote.site).site;
    Fen rest = quote.cost_max;
    std::string shares;
    std::string named;
    std::string clause;
    for (std::size_t i = 0; i < asked.sources.size(); ++i) {
        const auto answer = asked.ask(i, site, quote.model);
        const Fen most{mul_div(quote.cost_max.value, answer.per_mille, 1000, Rounding::down).value_or(0)};
        rest -= std::min(most, rest);
        shares += fmt::format("; {} may pay {} % of it, {} yuan", name_of(asked.sources[i]), per_cent(answer.per_mille), yuan(most));
        if (asked.free[i] < most) shares += fmt::format(", and has {} yuan left", yuan(asked.free[i]));
        named += name_of(asked.sources[i]) + ", ";
        if (clause.empty()) clause = answer.clause;
    }
    if (rest.value == 0) return std::nullopt;
    return Refusal{RefusalCode::insufficient_funds,
                   fmt::format("{} on {} node(s) with {} at {} can cost {} yuan{}; nobody is named who pays the other {} yuan: "
                               "name prepaid as the last source (funding: [{}prepaid]), or choose an accelerator of which more is paid",
                               longest_text(asked.core.policy, asked.spec), asked.spec.num_nodes, quote.model, quote.site.value,
                               yuan(quote.cost_max), shares, yuan(rest), named),
                   "funding", clause};
}

}  // namespace

std::vector<FundingSource> sources_of(const JobSpec& spec) {
    return spec.funding.empty() ? std::vector{FundingSource{}} : spec.funding;
}

std::int64_t grace_s(const Policy& policy) { return (policy.kill_grace.ns + 999'999'999) / 1'000'000'000; }

Fen cost_least(const Policy& policy, const JobSpec& spec, const AcceleratorAsk& ask, Fen price) {
    return cost_of(spec, ask, price, 1 + grace_s(policy));
}

std::vector<Quote> quotes(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free, Instant now) {
    const Asked asked{core, project.organisation, spec, free, now};
    std::vector<Quote> all;
    for (const auto& [name, site] : core.state.sites) {
        if (may_enter(project, spec, site.site)) add_quotes(asked, site.site, all);
    }
    return all;
}

std::vector<Quote> quotes_everywhere(const Core& core, const OrganisationName& organisation, const JobSpec& spec,
                                     const std::vector<Fen>& free, Instant now) {
    const Asked asked{core, organisation, spec, free, now};
    std::vector<Quote> all;
    for (const auto& [name, site] : core.state.sites) add_quotes(asked, site.site, all);
    return all;
}

Fen most_payable(const std::vector<Fen>& free, const std::vector<std::int64_t>& per_mille, Fen budget) {
    // Each source's part is rounded down, so that parts of parts leave up to a fen each.
    const auto partial = std::ranges::count_if(per_mille, [](std::int64_t part) { return part > 0 && part < 1000; });
    const auto rest_of = [&](std::int64_t cost) {
        auto rest = cost;
        for (std::size_t i = 0; i < free.size(); ++i)
            rest -= std::min({mul_div(cost, per_mille[i], 1000, Rounding::down).value_or(0), rest, free[i].value});
        return rest;
    };
    Fen all{0};
    for (const auto& one : free) all += one;
    std::int64_t least = 0;
    for (auto most = std::max<std::int64_t>(std::min(all, budget).value, 0) + partial; least < most;) {
        const auto middle = least + (most - least + 1) / 2;
        if (rest_of(middle) <= partial) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    auto found = std::max<std::int64_t>(least - partial, 0);
    for (auto step = partial; step > 0 && found > 0 && rest_of(found) > 0; --step) --found;
    return Fen{found};
}

Fen most_payable_at(const Quote& quote, const std::vector<Fen>& free, Fen budget) {
    std::vector<std::int64_t> per_mille;
    for (const auto& part : quote.parts) per_mille.push_back(part.per_mille);
    return most_payable(free, per_mille, budget);
}

std::vector<Fen> free_of(const State& state, const OrganisationName& organisation, const std::vector<FundingSource>& sources) {
    std::vector<Fen> free;
    for (const auto& source : sources) free.push_back(std::max(Fen{0}, free_in(state, account_of(state, organisation, source))));
    return free;
}

std::vector<scheduler::FundingClause> idle_vouchers(const Core& core, const Project& project, const JobSpec& spec, Instant now) {
    const auto sources = sources_of(spec);
    const auto free = free_of(core.state, project.organisation, sources);
    const auto all = quotes(core, project, spec, free, now);
    std::vector<scheduler::FundingClause> idle;
    if (all.empty()) return idle;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (!sources[i].voucher || std::ranges::any_of(all, [&](const Quote& quote) { return quote.parts[i].amount.value > 0; })) continue;
        const auto name = name_of(sources[i]);
        const auto refused_at = [&](const Quote& quote) {
            return std::ranges::find(quote.clauses, name, &scheduler::FundingClause::source);
        };
        const bool may_pay = std::ranges::any_of(all, [&](const Quote& quote) { return refused_at(quote) == quote.clauses.end(); });
        idle.push_back({name, free[i].value == 0 ? "0.00 yuan of it are free"
                              : may_pay          ? "the sources before it pay all, or its part is less than a fen; name it first"
                                                 : refused_at(all.front())->clause});
    }
    return idle;
}

bool too_dear(const JobSpec& spec, const Quote& quote) { return spec.budget && spec.budget->fen < quote.cost_least; }

std::string least_text(const JobSpec& spec, const Quote& quote) {
    return fmt::format("the shortest run on {} node(s) with {} at {}, with the grace in which it is stopped, costs {} yuan, and the budget "
                       "is {} yuan",
                       spec.num_nodes, quote.model, quote.site.value, yuan(quote.cost_least), yuan(spec.budget->fen));
}

Refusal cannot_pay(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free,
                   const std::vector<Quote>& all, Instant now) {
    if (all.empty()) {
        return {RefusalCode::funding_not_eligible,
                "no site that the job may enter has a price for any of its accelerators; see weir site list, and widen trust, tier, "
                "residency or the list of accelerators",
                "resources.accelerators",
                {}};
    }
    if (std::ranges::all_of(all, [&](const Quote& quote) { return too_dear(spec, quote); })) {
        const auto cheapest = std::ranges::min_element(all, {}, &Quote::cost_least);
        return {RefusalCode::budget_exceeded,
                least_text(spec, *cheapest) + "; raise the budget, or choose a cheaper accelerator",
                "budget",
                {}};
    }
    const bool none_eligible =
        std::ranges::all_of(all, [](const Quote& quote) { return quote.uncovered == quote.cost_max && !quote.clauses.empty(); });
    const auto cheapest = std::ranges::min_element(all, {}, [](const Quote& quote) { return quote.uncovered; });
    if (none_eligible) {
        return {
            RefusalCode::funding_not_eligible,
            fmt::format(
                "none of the job's funding sources may pay for {} at {}: {}; choose another accelerator or site, or add a source that may",
                cheapest->model, cheapest->site.value, cheapest->clauses.front().clause),
            "funding", cheapest->clauses.front().clause};
    }
    if (auto refusal = shares_too_small({core, project.organisation, spec, free, now}, *cheapest)) return *std::move(refusal);
    // Each source pays its part alone: what they have together is more than what they can pay together.
    const auto payable = most_payable_at(*cheapest, free, Fen{limits::fen_max});
    const bool capped = spec.budget && spec.budget->fen == cheapest->cost_max;
    const auto budget = payable < cheapest->cost_least ? std::string{"or add a source"}
                                                       : fmt::format("{} {} yuan at most, or add a source",
                                                                     capped ? "lower the budget to" : "set a budget of", yuan(payable));
    return {RefusalCode::insufficient_funds,
            fmt::format("{} on {} node(s) with {} at {} can cost {} yuan{} and the funding sources cover {} yuan; lower max_duration, {}",
                        longest_text(core.policy, spec), spec.num_nodes, cheapest->model, cheapest->site.value, yuan(cheapest->cost_max),
                        capped ? ", its budget," : "", yuan(cheapest->cost_max - cheapest->uncovered), budget),
            "funding",
            {}};
}

}  // namespace weir::control
