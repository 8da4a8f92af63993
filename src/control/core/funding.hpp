// control/core/funding.hpp: which money can pay a job, where, and what must be held back for it.
//
// For each site, model and funding source the answer is eligible, or refused with the clause. A model that the job's sources
// together cannot pay at a site is never entered there: not by placement, not by a move.
#pragma once

#include "control/core/accounts.hpp"
#include "control/core/quotes.hpp"
#include "control/core/settle.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// How long a run may last that begins now: max_duration, or as long as is paid of what the job can still spend, less the grace.
/// @param shares what each hold promises for it; nothing: all pay whole.
[[nodiscard]] Seconds run_for(const Core& core, const LiveJob& job, const AcceleratorAsk& ask, Fen price,
                              const std::optional<std::vector<SourceShare>>& shares);
/// Whether what the job can still spend, once what it just lost is charged to who pays for the cause, pays for a run anywhere.
[[nodiscard]] bool pays_again(const Core& core, const LiveJob& job, LossCause cause, Instant now);
/// What the job can still spend of each of its sources, in its funding order.
[[nodiscard]] std::vector<Fen> spendable(const LiveJob& job, const Purse& purse);

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
