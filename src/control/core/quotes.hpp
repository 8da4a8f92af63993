// control/core/quotes.hpp: what a job would cost at each site, and what each of its funding sources would pay of that.
//
// What a run may cost is bounded before it begins: a task that is told to stop holds its cards for a grace, which counts.
#pragma once

#include "control/core/eligibility.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// What one source pays of a quote.
struct Part {
    std::int64_t per_mille = 0;  ///< Of the cost, at most.
    Fen amount;
};

/// Where a job could run and what its sources would pay there.
struct Quote {
    SiteName site;
    std::string model;
    Fen fen_per_card_hour;
    Fen cost_least;             ///< Of the shortest run and the grace in which it is stopped; a budget below it pays for none.
    Fen cost_max;               ///< Of max_duration and the grace on all cards, rounded up; the budget where that is less.
    std::vector<Part> parts;    ///< By source, in funding order.
    Fen uncovered;              ///< cost_max less the parts; above 0 the site cannot be paid.
    std::vector<scheduler::FundingClause> clauses;  ///< Of the sources that refuse.
};

/// Every site that is priced and that trust, residency and tier allow, with what the sources would pay when they have `free`.
/// `funding` empty means the prepaid balance; see sources_of().
[[nodiscard]] std::vector<Quote> quotes(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free,
                                        Instant now);

/// The same at every site, whether the job may enter it or not.
[[nodiscard]] std::vector<Quote> quotes_everywhere(const Core& core, const OrganisationName& organisation, const JobSpec& spec,
                                                   const std::vector<Fen>& free, Instant now);

/// The sources of a job in their order: the prepaid balance where it names none.
[[nodiscard]] std::vector<FundingSource> sources_of(const JobSpec& spec);

/// The most of a run's cost that sources pay which each pay at most their thousandths of it and what they have free, in this order, and
/// all together no more than the budget. Where parts are rounded, up to two fen less for each source that pays a part.
/// @param per_mille by source, as `free`.
[[nodiscard]] Fen most_payable(const std::vector<Fen>& free, const std::vector<std::int64_t>& per_mille, Fen budget);
/// The same where a quote was made, of what the sources have now and not of what they had then.
[[nodiscard]] Fen most_payable_at(const Quote& quote, const std::vector<Fen>& free, Fen budget);

/// What each source has free, 0 where there is no such account.
[[nodiscard]] std::vector<Fen> free_of(const State& state, const OrganisationName& organisation, const std::vector<FundingSource>& sources);

/// The vouchers of a job that would pay nothing of it wherever it could run, and why: it is taken where other sources pay, and the tenant
/// ought to know.
[[nodiscard]] std::vector<scheduler::FundingClause> idle_vouchers(const Core& core, const Project& project, const JobSpec& spec,
                                                                  Instant now);

/// Whether the job's budget pays for no run there at all; and that in words, with both numbers.
[[nodiscard]] bool too_dear(const JobSpec& spec, const Quote& quote);
[[nodiscard]] std::string least_text(const JobSpec& spec, const Quote& quote);

/// Why no site can be paid: the clause that refuses where no source is eligible at all, else the cheapest site's numbers.
[[nodiscard]] Refusal cannot_pay(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free,
                                 const std::vector<Quote>& all, Instant now);

/// Seconds in which a task that is told to stop may still use its cards.
[[nodiscard]] std::int64_t grace_s(const Policy& policy);
/// The least that pays for any run on this accelerator at this price: a second, and the grace in which it is stopped.
[[nodiscard]] Fen cost_least(const Policy& policy, const JobSpec& spec, const AcceleratorAsk& ask, Fen price);

}  // namespace weir::control
