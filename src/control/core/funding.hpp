// control/core/funding.hpp: which money can pay a job, where, and what must be held back for it.
//
// For each site, model and funding source the answer is eligible, or refused with the clause. A model that the job's sources
// together cannot pay at a site is never entered there: not by placement, not by a move.
#pragma once

#include "control/core/core.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// The ledger of real money; a programme's ledgers are numbered when it is opened.
inline constexpr ledger::LedgerId cash_ledger = 1;

/// The accounts that control moves value between.
namespace account {
[[nodiscard]] ledger::AccountId bank();
[[nodiscard]] ledger::AccountId prepaid(const OrganisationName& organisation);
[[nodiscard]] ledger::AccountId clearing();  ///< Captured from buyers, not yet credited to a site's owner; nets to zero.
[[nodiscard]] ledger::AccountId network();   ///< What the network itself bears: losses by its own doing.
[[nodiscard]] ledger::AccountId supplier(const OrganisationName& owner);
[[nodiscard]] ledger::AccountId treasury(const std::string& funder);
[[nodiscard]] ledger::AccountId appropriation(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId available(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId voucher(const OpenedProgramme& programme, VoucherId voucher);
/// Captured of vouchers: where holds go to. What a site's owner earned goes on from here to the owner's own account.
[[nodiscard]] ledger::AccountId redeemed(const OpenedProgramme& programme);
/// Face value that a site's owner has redeemed; one for each owner, opened with the programme or with the owner's first site.
[[nodiscard]] ledger::AccountSpec redeemed_at(const OpenedProgramme& programme, const OrganisationName& owner);
[[nodiscard]] ledger::AccountId expired(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId cap_source(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId entity_cap(const OpenedProgramme& programme, const std::string& control_group);
[[nodiscard]] ledger::AccountId cap_used(const OpenedProgramme& programme);
}  // namespace account

/// Of a programme's terms, as transfers carry it.
[[nodiscard]] std::uint32_t version_of(const Programme& programme);

/// What an account has free, 0 where it does not exist.
[[nodiscard]] Fen free_in(const State& state, ledger::AccountId account);

/// Whether one source pays for a model at a site, and what part.
struct SourceAnswer {
    std::int64_t per_mille = 0;  ///< 0: refused, and clause says why.
    std::string clause;          ///< The rule that refuses, or that grants the ratio.
};
[[nodiscard]] SourceAnswer ask_source(const Core& core, const OrganisationName& organisation, const FundingSource& source, const Site& site,
                                      const std::string& model, Instant from, Instant to);

/// The clause by which a programme is not for an organisation at all; nothing where it is.
[[nodiscard]] std::optional<std::string> excludes(const Programme& programme, const Organisation& organisation);

/// How long a run may last that begins now: max_duration, or as long as what is promised and not yet owed pays, less the grace.
[[nodiscard]] Seconds run_for(const Policy& policy, const LiveJob& job, const AcceleratorAsk& ask, Fen price);
/// Whether what is promised and not owed pays for another run like the last, once what that lost is charged to who pays for the cause.
[[nodiscard]] bool pays_again(const Core& core, const LiveJob& job, LossCause cause);

/// Where a job could run and what its sources would pay there.
struct Quote {
    SiteName site;
    std::string model;
    Fen fen_per_card_hour;
    Fen cost_least;             ///< Of the shortest run and the grace in which it is stopped; a budget below it pays for none.
    Fen cost_max;               ///< Of max_duration and the grace on all cards, rounded up; the budget where that is less.
    std::vector<Fen> parts;     ///< By source, in funding order.
    Fen uncovered;              ///< cost_max less the parts; above 0 the site cannot be paid.
    std::vector<scheduler::FundingClause> clauses;  ///< Of the sources that refuse.
};

/// Every site that is priced and that trust, residency and tier allow, with what the sources would pay when they have `free`.
/// `funding` empty means the prepaid balance; see sources_of().
[[nodiscard]] std::vector<Quote> quotes(const Core& core, const Project& project, const JobSpec& spec, const std::vector<Fen>& free,
                                        Instant now);

[[nodiscard]] std::vector<FundingSource> sources_of(const JobSpec& spec);

/// The holds of a new job: for each source the most that any payable site would take of it.
struct HoldPlan {
    std::vector<Hold> holds;             ///< Those above 0; transfer ids are derived from the job's.
    std::vector<ledger::Transfer> transfers;
};
[[nodiscard]] Result<HoldPlan, Refusal> plan_holds(const Core& core, const Project& project, const JobSpec& spec, JobId job, Instant now);

/// What the job holds back of a source.
[[nodiscard]] Fen held_of(const LiveJob& job, const FundingSource& source);

/// Whether the voucher ends before a run that begins at `at` must have ended.
[[nodiscard]] bool lapses_during(const State& state, VoucherId voucher, const JobSpec& spec, Instant at);

/// The last moment at which a run of this waiting job could begin and be paid as was judged when its wait began (LiveJob::since);
/// nothing: at any. A voucher pays for no use outside its validity.
[[nodiscard]] std::optional<Instant> answers_end(const State& state, const LiveJob& job);

/// What each hold of the job promises to pay for a generation that is placed now; nothing where prepaid money alone is held. Once given it
/// holds for the generation's bill, whatever becomes of the organisation, the site or the programme.
[[nodiscard]] std::optional<std::vector<SourceShare>> shares_of(const Core& core, const LiveJob& job, const Site& site,
                                                                const std::string& model, Instant now);

/// The scheduler's hard constraint: for each site and each model of the job that is priced there, whether what the job holds back
/// can pay for it. Whether the job may enter the site is not asked here: the scheduler knows that itself.
[[nodiscard]] scheduler::FundingAnswers funding_answers(const Core& core, const LiveJob& job, Instant now);

}  // namespace weir::control
