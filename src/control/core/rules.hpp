// control/core/rules.hpp: the parts of decide, one function per command, and what they share.
#pragma once

#include "control/core/access.hpp"
#include "control/core/core.hpp"
#include "domain/limits.hpp"

#include <initializer_list>
#include <string>

namespace weir::control {

/// A decision that refuses.
[[nodiscard]] inline Decision refuse(Refusal refusal) { return {{}, fail(std::move(refusal))}; }
[[nodiscard]] inline Decision refuse(RefusalCode code, std::string message, std::string field = {}) {
    return refuse(Refusal{code, std::move(message), std::move(field), {}});
}
/// A decision that changes something.
[[nodiscard]] inline Decision accept(std::string id, std::vector<Event> events) {
    return {std::move(events), Accepted{std::move(id), false}};
}
/// The same request again: same answer, nothing done.
[[nodiscard]] inline Decision repeat(std::string id) { return {{}, Accepted{std::move(id), true}}; }

/// The first flaw as a refusal, all of them in its message; nothing where there is none.
[[nodiscard]] std::optional<Refusal> first_of(const std::vector<Flaw>& flaws, std::string_view what);

/// Everything has a limit: the refusal of one more where there are as many as are kept. `what` names them, `advice` what to do.
[[nodiscard]] std::optional<Refusal> no_room(std::size_t have, std::size_t most, std::string_view what, std::string_view advice);

/// Whether an id that the core does not know may be new: not older than what is remembered, not from the future.
[[nodiscard]] Result<void, Refusal> check_new_id(const Core& core, Uid uid, std::string_view text, Instant now);

/// For an id that is taken by what the asker may not see: it does not say so.
[[nodiscard]] Refusal unusable_id(std::string_view text);

/// Facts of all the transfers, or a refusal in our terms. The batch stands or falls together.
[[nodiscard]] Result<LedgerPosted, Refusal> post(const Core& core, const std::vector<ledger::Transfer>& transfers, Instant now);
/// Facts that open those accounts that do not exist yet; refused where the ledger has no room for all of them.
[[nodiscard]] Result<LedgerPosted, Refusal> open_accounts(const Core& core, const std::vector<ledger::AccountSpec>& accounts, Instant now);
/// Facts that open accounts, and of transfers that need them: both are one event.
[[nodiscard]] Result<LedgerPosted, Refusal> open_and_post(const Core& core, const std::vector<ledger::AccountSpec>& accounts,
                                                                       const std::vector<ledger::Transfer>& transfers, Instant now);

// decide_people.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetOrganisation& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetProject& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetRoles& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const IssueToken& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const RevokeToken& command, Instant now);
// decide_money.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const OpenProgramme& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const AwardVoucher& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const Deposit& command, Instant now);
// decide_sites.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetSite& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SiteReport& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SilenceSite& command, Instant now);
// decide_jobs.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SubmitJob& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const CancelJob& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const LoseTask& command, Instant now);
// decide_moves.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const MoveJob& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetAccelerator& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetSiteDuty& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SuspendOrganisation& command, Instant now);
/// What follows for work that is to leave a site: from places that were found, checkpoints that are in place, sites that are emptied.
void steer_moves(const Core& core, Instant now, std::vector<Event>& events);
// decide_data.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const KeepTree& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const RemoveTree& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetFiles& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const RemoveOutputs& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const SetDataQuota& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const ConfirmErased& command, Instant now);
/// Why a job that begins in this folder cannot be taken, or nothing: the project must keep it.
[[nodiscard]] std::optional<Refusal> check_workdir(const State& state, const ProjectName& project, const JobSpec& spec);
/// Why the project cannot keep so many bytes more, or nothing. `room_made`: what goes at the same time.
[[nodiscard]] std::optional<Refusal> check_quota(const State& state, const ProjectName& project, std::int64_t more, std::int64_t room_made);
/// Why a job may not have its outputs kept for so long, or nothing.
[[nodiscard]] std::optional<Refusal> check_keep(const Policy& policy, const JobSpec& spec);
/// Bytes that one report adds to what projects keep.
using OutputsTaken = std::map<ProjectName, std::int64_t>;
/// What a site says it stored of a job's outputs, or could not. What is beyond the project's quota is refused, by event.
void take_output(const Core& core, const SiteName& site, const OutputReport& report, OutputsTaken& taken, std::vector<Event>& events);
/// Trees that nobody has used for long, outputs whose time is over, receipts that nobody asks for any more.
void end_data(const Core& core, Instant now, std::vector<Event>& events);
// decide_time.cpp
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const StartLeader& command, Instant now);
[[nodiscard]] Decision decide(const Core& core, const Actor& actor, const Tick& command, Instant now);

/// How a generation ended.
struct TaskEnd {
    Reason reason = Reason::exited;
    std::int64_t exit_code = 0;
    std::optional<NodeName> blamed;
    Duration ago{};  ///< Since its last process ended.
};
/// Why a generation stops that has run as long as it may: what was promised for it is used up, or its longest duration is.
[[nodiscard]] Reason longest_run_reached(const LiveJob& job);
/// The order to stop a job's present generation.
[[nodiscard]] JobStopOrdered stop_order(const Core& core, const LiveJob& job, Reason reason, Instant now,
                                        std::optional<Seconds> checkpoint_within = {});
/// Whether the order is to go on elsewhere, and not to end.
[[nodiscard]] bool is_leave(Reason ordered);
/// Who pays for what a job that was ordered to leave used since its last checkpoint.
[[nodiscard]] LossCause cause_of_leave(const LiveJob& job, Reason ordered);
/// Going on at the place that is held for it, once what it lost is charged; nothing where that is no place for it any more.
[[nodiscard]] std::optional<JobMoved> arrive(const Core& core, const LiveJob& job, Reason reason, LossCause cause, Instant paused_at,
                                             Instant now);
/// Until when a run must have begun: a site has so long, and a voucher that shares in paying for it ends no earlier than the run.
[[nodiscard]] Instant start_by(const Policy& policy, const std::vector<SourceShare>& shares, Seconds run_for, Instant now);
/// What follows from the end of a job's present generation: it succeeds, fails, or goes back to the queue.
void end_generation(const Core& core, const LiveJob& job, const TaskEnd& end, Instant now, std::vector<Event>& events);
/// A job leaves; those that waited for it in vain are the business of decide_forsaken(). `unsecured`: see settle().
void finish(const Core& core, const LiveJob& job, JobState outcome, Reason reason, std::int64_t exit_code,
            std::optional<LossCause> unsecured, Instant now, std::vector<Event>& events);

}  // namespace weir::control
