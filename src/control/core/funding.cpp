#include "control/core/funding.hpp"

#include "control/core/settle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace weir::control {

namespace {

/// Each voucher is the project's own, and the only one of its programme: two would each pay the programme's part of the whole.
Result<void, Refusal> check_vouchers(const State& state, const Project& project, const std::vector<FundingSource>& sources) {
    std::map<ProgrammeName, VoucherId> named;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (!sources[i].voucher) continue;
        const auto id = *sources[i].voucher;
        const auto field = fmt::format("funding[{}]", i);
        const auto known = state.vouchers.find(id);
        // Another organisation's voucher is answered like one that nobody has.
        if (known == state.vouchers.end() || known->second.organisation != project.organisation) {
            return fail(Refusal{RefusalCode::not_found,
                                fmt::format("voucher {} is not in force here: it has ended, or it is not yours; list yours with: weir "
                                            "voucher list, and see how one ended with: weir voucher show",
                                            id.text()),
                                field,
                                {}});
        }
        const auto [first, is_new] = named.emplace(known->second.programme, id);
        if (is_new) continue;
        return fail(Refusal{RefusalCode::bad_value,
                            fmt::format("{} and {} are both of programme {}, which pays its part of a job once; name one of them",
                                        first->second.text(), id.text(), first->first.value),
                            field,
                            {}});
    }
    return {};
}

}  // namespace

Result<HoldPlan, Refusal> plan_holds(const Core& core, const Project& project, const JobSpec& spec, JobId job, Instant now) {
    const auto sources = sources_of(spec);
    WEIR_CHECK(check_vouchers(core.state, project, sources));
    const auto free = free_of(core.state, project.organisation, sources);
    const auto all = quotes(core, project, spec, free, now);
    HoldPlan plan;
    std::vector<Fen> most(sources.size());
    bool payable = false;
    for (const auto& quote : all) {
        if (quote.uncovered.value > 0 || too_dear(spec, quote)) continue;
        payable = true;
        for (std::size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], quote.parts[i].amount);
    }
    if (!payable) return fail(cannot_pay(core, project, spec, free, all, now));
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
        if (lapses_during(state, *source.voucher, job.spec, job.seeks_since())) continue;
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

Seconds run_for(const Core& core, const LiveJob& job, const AcceleratorAsk& ask, Fen price,
                const std::optional<std::vector<SourceShare>>& shares) {
    const auto a_second = checked_mul(ask.per_node.value * job.spec->num_nodes, price.value);
    if (!a_second || *a_second == 0) return job.spec->max_duration;
    const auto purse = purse_of(core, job, std::nullopt);
    std::vector<std::int64_t> per_mille(purse.free.size(), 1000);
    for (std::size_t h = 0; shares && h < per_mille.size(); ++h) per_mille[h] = (*shares)[h].per_mille;
    const auto paid = most_payable(purse.free, per_mille, purse.budget);
    const auto paid_s = mul_div(paid.value, 3'600'000, *a_second, Rounding::down).value_or(INT64_MAX) - grace_s(core.policy);
    return Seconds{std::clamp<std::int64_t>(paid_s, 1, job.spec->max_duration.value)};
}

std::vector<Fen> spendable(const LiveJob& job, const Purse& purse) {
    std::vector<Fen> free;
    for (const auto& source : sources_of(job.spec)) {
        const auto hold = std::ranges::find(job.holds, source, &Hold::source);
        free.push_back(hold == job.holds.end() ? Fen{0} : purse.free[static_cast<std::size_t>(hold - job.holds.begin())]);
    }
    return free;
}

bool pays_again(const Core& core, const LiveJob& job, LossCause cause, Instant now) {
    const auto& project = core.state.projects.at(job.project);
    const auto purse = purse_of(core, job, cause);
    const auto free = spendable(job, purse);
    const auto all = quotes(core, project, job.spec, free, now);
    // Where no site has a price today, one may have tomorrow.
    return all.empty() ||
           std::ranges::any_of(all, [&](const Quote& quote) { return most_payable_at(quote, free, purse.budget) >= quote.cost_least; });
}

scheduler::FundingAnswers funding_answers(const Core& core, const LiveJob& job, Instant now) {
    const auto& project = core.state.projects.at(job.project);
    std::vector<Fen> held;
    for (const auto& source : sources_of(job.spec)) held.push_back(held_of(job, source));
    // A site is entered where all that is held would pay the longest run, and what is left of it after former runs pays one.
    const bool ran = !job.usage.empty();
    const auto purse = ran ? purse_of(core, job, std::nullopt) : Purse{};
    const auto free = ran ? spendable(job, purse) : std::vector<Fen>{};
    scheduler::FundingAnswers answers;
    for (auto& quote : quotes_everywhere(core, project.organisation, job.spec, held, now)) {
        auto& answer = answers[quote.site.value][quote.model];
        const bool whole = quote.uncovered.value == 0 && !too_dear(job.spec, quote);
        const auto left = whole && ran ? std::optional{most_payable_at(quote, free, purse.budget)} : std::nullopt;
        answer.eligible = whole && (!left || *left >= quote.cost_least);
        if (answer.eligible) continue;
        if (left) {
            answer.clauses = {{"all sources", fmt::format("the shortest run costs {} yuan there and {} yuan are left that may pay for it",
                                                          yuan(quote.cost_least), yuan(*left))}};
            continue;
        }
        if (too_dear(job.spec, quote)) {
            answer.clauses = {{"budget", least_text(job.spec, quote)}};
            continue;
        }
        answer.clauses = std::move(quote.clauses);
        if (!answer.clauses.empty()) continue;
        answer.clauses.push_back(
            {"all sources", fmt::format("up to {} yuan are needed for it at its price of now, and {} yuan were held when it was submitted",
                                        yuan(quote.cost_max), yuan(quote.cost_max - quote.uncovered))});
    }
    return answers;
}

}  // namespace weir::control
