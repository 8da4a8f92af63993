#include "control/core/funding.hpp"

#include "control/core/settle.hpp"

#include "domain/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace weir::control {

using ledger::AccountCode;
using ledger::account_id_of;

namespace account {
ledger::AccountId bank() { return account_id_of(cash_ledger, AccountCode::bank, "bank"); }
ledger::AccountId prepaid(const OrganisationName& organisation) {
    return account_id_of(cash_ledger, AccountCode::buyer_prepaid, organisation.value);
}
ledger::AccountId clearing() { return account_id_of(cash_ledger, AccountCode::clearing, "clearing"); }
ledger::AccountId network() { return account_id_of(cash_ledger, AccountCode::network_loss, "network"); }
ledger::AccountId supplier(const OrganisationName& owner) { return account_id_of(cash_ledger, AccountCode::supplier, owner.value); }
ledger::AccountId treasury(const std::string& funder) { return account_id_of(cash_ledger, AccountCode::treasury, funder); }
ledger::AccountId appropriation(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::appropriation, "budget"); }
ledger::AccountId available(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::available, "available"); }
ledger::AccountId voucher(const OpenedProgramme& p, VoucherId id) {
    return account_id_of(p.voucher_ledger, AccountCode::voucher, id.text());
}
ledger::AccountId redeemed(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::redeemed, "redeemed"); }
ledger::AccountSpec redeemed_at(const OpenedProgramme& p, const OrganisationName& owner) {
    return {account_id_of(p.voucher_ledger, AccountCode::redeemed, "supplier " + owner.value), p.voucher_ledger, AccountCode::redeemed,
            ledger::Bound::none};
}
ledger::AccountId expired(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::expired, "expired"); }
ledger::AccountId cap_source(const OpenedProgramme& p) { return account_id_of(p.cap_ledger, AccountCode::cap_source, "caps"); }
ledger::AccountId entity_cap(const OpenedProgramme& p, const std::string& group) {
    return account_id_of(p.cap_ledger, AccountCode::entity_cap, group);
}
ledger::AccountId cap_used(const OpenedProgramme& p) { return account_id_of(p.cap_ledger, AccountCode::cap_used, "used"); }
}  // namespace account

std::uint32_t version_of(const Programme& programme) { return static_cast<std::uint32_t>(programme.version); }

Fen free_in(const State& state, ledger::AccountId id) {
    const auto* found = state.ledger.account(id);
    return found == nullptr ? Fen{0} : Fen{found->free_credit()};
}

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

/// Seconds in which a task that is told to stop may still use its cards.
std::int64_t grace_s(const Policy& policy) { return (policy.kill_grace.ns + 999'999'999) / 1'000'000'000; }

/// The most that one run of the job can cost on this accelerator at this price: a task that is told to stop holds its cards for a grace.
Fen cost_max(const Policy& policy, const JobSpec& spec, const AcceleratorAsk& ask, Fen price) {
    const auto most = cost_of(spec, ask, price, spec.max_duration.value + grace_s(policy));
    return spec.budget && spec.budget->fen < most ? spec.budget->fen : most;
}

/// The least that pays for any run: a second, and the grace in which it is stopped.
Fen cost_least(const Policy& policy, const JobSpec& spec, const AcceleratorAsk& ask, Fen price) {
    return cost_of(spec, ask, price, 1 + grace_s(policy));
}

bool may_enter(const Project& project, const JobSpec& spec, const Site& site) {
    const auto& trusted = spec.trust.empty() ? project.trusted : spec.trust;
    if (!trusted.empty() && std::ranges::find(trusted, site.name) == trusted.end()) return false;
    return lies_within(site.region, spec.residency) && (!spec.tier || *spec.tier == site.tier);
}

ledger::AccountId account_of(const State& state, const OrganisationName& organisation, const FundingSource& source) {
    if (!source.voucher) return account::prepaid(organisation);
    const auto voucher = state.vouchers.find(*source.voucher);
    if (voucher == state.vouchers.end()) return {};
    return account::voucher(state.programmes.at(voucher->second.programme), *source.voucher);
}

std::string name_of(const FundingSource& source) { return source.voucher ? source.voucher->text() : "prepaid balance"; }

std::string yuan(Fen fen) { return fmt::format("{}.{:02}", fen.value / 100, fen.value % 100); }

/// Why a source pays nowhere for use between two moments; nothing where that depends on site and model.
std::optional<SourceAnswer> refused_everywhere(const State& state, const OrganisationName& organisation, const FundingSource& source,
                                               Instant from, Instant to) {
    if (!source.voucher) return std::nullopt;
    const auto voucher = state.vouchers.find(*source.voucher);
    if (voucher == state.vouchers.end() || voucher->second.organisation != organisation) {
        return refused(fmt::format("voucher {} is not known here", source.voucher->text()));
    }
    const auto& [id, prog, owner, amount, valid_from, valid_to] = voucher->second;
    if (from >= valid_from && to <= valid_to) return std::nullopt;
    return refused(fmt::format("the voucher is valid from {} to before {}, and the run could last until {}", format_utc(valid_from),
                               format_utc(valid_to), format_utc(to)));
}

/// What a source that is not refused everywhere says of a model at a site.
SourceAnswer ask_here(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                      const std::string& model) {
    if (!source.voucher) return {1000, {}};
    const auto& programme = core.state.programmes.at(core.state.vouchers.at(*source.voucher).programme).programme;
    return ask_programme(core, programme, core.state.organisations.at(organisation), site, model);
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
        quote.parts.push_back(part);
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
                   fmt::format("up to {} s on {} node(s) with {} at {} can cost {} yuan{}; nobody is named who pays the other {} yuan: "
                               "name prepaid as the last source (funding: [{}prepaid]), or choose an accelerator of which more is paid",
                               asked.spec.max_duration.value, asked.spec.num_nodes, quote.model, quote.site.value, yuan(quote.cost_max),
                               shares, yuan(rest), named),
                   "funding", clause};
}

bool too_dear(const JobSpec& spec, const Quote& quote) { return spec.budget && spec.budget->fen < quote.cost_least; }

std::string least_text(const JobSpec& spec, const Quote& quote) {
    return fmt::format("the shortest run on {} node(s) with {} at {}, with the grace in which it is stopped, costs {} yuan, and the budget "
                       "is {} yuan",
                       spec.num_nodes, quote.model, quote.site.value, yuan(quote.cost_least), yuan(spec.budget->fen));
}

/// Why no site can be paid: the clause that refuses where no source is eligible at all, else the cheapest site's numbers.
Refusal cannot_pay(const std::vector<Quote>& all, const Asked& asked) {
    const auto& spec = asked.spec;
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
        return {RefusalCode::funding_not_eligible,
                fmt::format(
                    "none of the {} funding sources may pay for {} at {}: {}; choose another accelerator or site, or add a source that may",
                    cheapest->parts.size(), cheapest->model, cheapest->site.value, cheapest->clauses.front().clause),
                "funding", cheapest->clauses.front().clause};
    }
    if (auto refusal = shares_too_small(asked, *cheapest)) return *std::move(refusal);
    return {RefusalCode::insufficient_funds,
            fmt::format("up to {} s on {} node(s) with {} at {} can cost {} yuan and the funding sources cover {} yuan; lower "
                        "max_duration, set a budget, or add a source",
                        spec.max_duration.value, spec.num_nodes, cheapest->model, cheapest->site.value, yuan(cheapest->cost_max),
                        yuan(cheapest->cost_max - cheapest->uncovered)),
            "funding",
            {}};
}

}  // namespace

std::optional<std::string> excludes(const Programme& programme, const Organisation& organisation) {
    if (!allows(programme.kinds, organisation.kind))
        return clause_or(programme.kinds.clause, "the programme is not for this kind of organisation");
    if (!allows_region(programme.registered_in, organisation.registered_in))
        return clause_or(programme.registered_in.clause, "the organisation is not registered in the programme's region");
    return std::nullopt;
}

std::vector<FundingSource> sources_of(const JobSpec& spec) {
    return spec.funding.empty() ? std::vector{FundingSource{}} : spec.funding;
}

SourceAnswer ask_source(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                        const std::string& model, Instant from, Instant to) {
    if (auto nowhere = refused_everywhere(core.state, organisation, source, from, to)) return *std::move(nowhere);
    return ask_here(core, organisation, source, site, model);
}

std::vector<Quote> quotes(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free, Instant now) {
    const Asked asked{core, project.organisation, spec, free, now};
    std::vector<Quote> all;
    for (const auto& [name, site] : core.state.sites) {
        if (may_enter(project, spec, site.site)) add_quotes(asked, site.site, all);
    }
    return all;
}

Result<HoldPlan, Refusal> plan_holds(const Core& core, const Project& project, const JobSpec& spec, JobId job, Instant now) {
    const auto sources = sources_of(spec);
    std::vector<Fen> free;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const auto id = account_of(core.state, project.organisation, sources[i]);
        // Another organisation's voucher is answered like one that nobody has.
        const bool foreign =
            sources[i].voucher && !id.uid.is_nil() && core.state.vouchers.at(*sources[i].voucher).organisation != project.organisation;
        if (id.uid.is_nil() || foreign) {
            return fail(Refusal{RefusalCode::not_found,
                                fmt::format("voucher {} is not known here; list yours with: weir voucher list", sources[i].voucher->text()),
                                fmt::format("funding[{}]", i),
                                {}});
        }
        free.push_back(std::max(Fen{0}, free_in(core.state, id)));
    }
    const auto all = quotes(core, project, spec, free, now);
    HoldPlan plan;
    std::vector<Fen> most(sources.size());
    bool payable = false;
    for (const auto& quote : all) {
        if (quote.uncovered.value > 0 || too_dear(spec, quote)) continue;
        payable = true;
        for (std::size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], quote.parts[i]);
    }
    if (!payable) return fail(cannot_pay(all, {core, project.organisation, spec, free, now}));
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (most[i].value == 0) continue;
        const auto id = ledger::transfer_id_of(now, fmt::format("{} hold {}", job.text(), i));
        ledger::Transfer transfer;
        transfer.id = id;
        transfer.debit = account_of(core.state, project.organisation, sources[i]);
        if (sources[i].voucher) {
            const auto& opened = core.state.programmes.at(core.state.vouchers.at(*sources[i].voucher).programme);
            transfer.credit = account::redeemed(opened);
            transfer.ledger = opened.voucher_ledger;
            transfer.policy_version = version_of(opened.programme);
        } else {
            transfer.credit = account::clearing();
            transfer.ledger = cash_ledger;
        }
        transfer.amount = most[i].value;
        transfer.cause = job.uid;
        transfer.code = ledger::TransferCode::hold;
        transfer.flags = ledger::flag::pending;
        plan.transfers.push_back(transfer);
        plan.holds.push_back({sources[i], id.uid, most[i]});
    }
    for (std::size_t i = 0; i + 1 < plan.transfers.size(); ++i) plan.transfers[i].flags |= ledger::flag::linked;
    return plan;
}

Fen held_of(const LiveJob& job, const FundingSource& source) {
    const auto hold = std::ranges::find(job.holds, source, &Hold::source);
    return hold == job.holds.end() ? Fen{0} : hold->amount;
}

bool lapses_during(const State& state, VoucherId voucher, const JobSpec& spec, Instant at) {
    const auto known = state.vouchers.find(voucher);
    return known != state.vouchers.end() && at + seconds(spec.max_duration.value) > known->second.valid_to;
}

std::optional<Instant> answers_end(const State& state, const LiveJob& job) {
    std::optional<Instant> first;
    for (const auto& source : job.spec->funding) {
        if (!source.voucher || !state.vouchers.contains(*source.voucher)) continue;
        if (lapses_during(state, *source.voucher, job.spec, job.since)) continue;
        const auto end = state.vouchers.at(*source.voucher).valid_to - seconds(job.spec->max_duration.value);
        if (!first || end < *first) first = end;
    }
    return first;
}

std::optional<std::vector<SourceShare>> shares_of(const Core& core, const LiveJob& job, const Site& site, const std::string& model,
                                                  Instant now) {
    if (std::ranges::none_of(job.holds, [](const Hold& hold) { return hold.source.voucher.has_value(); })) return std::nullopt;
    const auto& organisation = core.state.projects.at(job.project).organisation;
    const Instant end = now + seconds(job.spec->max_duration.value);
    std::vector<SourceShare> shares;
    for (const auto& hold : job.holds) {
        SourceShare share{ask_source(core, organisation, hold.source, site, model, now, end).per_mille, {}};
        if (hold.source.voucher && share.per_mille > 0)
            share.until_s = floor_seconds(core.state.vouchers.at(*hold.source.voucher).valid_to);
        shares.push_back(share);
    }
    return shares;
}

Seconds run_for(const Policy& policy, const LiveJob& job, const AcceleratorAsk& ask, Fen price) {
    const auto a_second = checked_mul(ask.per_node.value * job.spec->num_nodes, price.value);
    if (!a_second || *a_second == 0) return job.spec->max_duration;
    const auto left = std::max(promised(job) - accrued(job), Fen{0});
    const auto paid_s = mul_div(left.value, 3'600'000, *a_second, Rounding::down).value_or(INT64_MAX) - grace_s(policy);
    return Seconds{std::clamp<std::int64_t>(paid_s, 1, job.spec->max_duration.value)};
}

bool pays_again(const Core& core, const LiveJob& job, LossCause cause) {
    const auto& usage = job.usage.back();
    const auto ask = std::ranges::find(job.spec->resources.accelerators, usage.model, &AcceleratorAsk::model);
    if (ask == job.spec->resources.accelerators.end()) return true;
    const auto forgiven = payer_of(cause) == Payer::tenant ? Fen{0} : charge_of(usage.at_risk, usage.fen_per_card_hour);
    return promised(job) - (accrued(job) - forgiven) >= cost_least(core.policy, job.spec, *ask, usage.fen_per_card_hour);
}

scheduler::FundingAnswers funding_answers(const Core& core, const LiveJob& job, Instant now) {
    const auto& project = core.state.projects.at(job.project);
    std::vector<Fen> held;
    for (const auto& source : sources_of(job.spec)) held.push_back(held_of(job, source));
    const Asked asked{core, project.organisation, job.spec, held, now};
    std::vector<Quote> all;
    for (const auto& [name, site] : core.state.sites) add_quotes(asked, site.site, all);
    scheduler::FundingAnswers answers;
    for (auto& quote : all) {
        auto& answer = answers[quote.site.value][quote.model];
        answer.eligible = quote.uncovered.value == 0 && !too_dear(job.spec, quote);
        if (answer.eligible) continue;
        if (too_dear(job.spec, quote)) {
            answer.clauses = {{"budget", least_text(job.spec, quote)}};
            continue;
        }
        answer.clauses = std::move(quote.clauses);
        if (!answer.clauses.empty()) continue;
        answer.clauses.push_back({"all sources", fmt::format("up to {} yuan are needed for it and {} yuan are held", yuan(quote.cost_max),
                                                             yuan(quote.cost_max - quote.uncovered))});
    }
    return answers;
}

}  // namespace weir::control
