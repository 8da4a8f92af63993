// control/core/events.hpp: everything that can be a fact in the journal.
//
// An event is small, carries every value that apply needs, and is kept for ever: type numbers are only ever added, and a form that
// changes gets a step in upcast.hpp, so that a text of today can be read for ever (tests/golden/events.jsonl has them all).
#pragma once

#include "codec/field.hpp"
#include "domain/accelerator.hpp"
#include "domain/data.hpp"
#include "domain/job.hpp"
#include "domain/move.hpp"
#include "domain/placement.hpp"
#include "domain/organisation.hpp"
#include "domain/programme.hpp"
#include "domain/site.hpp"
#include "control/core/ledger_text.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace weir::control {

/// How long work may run on unheard; the longest time from a heard report to its surely ended processes is lease + kill_grace + drift.
struct LeaseTerms {
    Seconds task_lease;
    Seconds run_on_lease;
    Seconds kill_grace;
    bool operator==(const LeaseTerms&) const = default;
};
BOOST_DESCRIBE_STRUCT(LeaseTerms, (), (task_lease, run_on_lease, kill_grace))

/// A store was opened for writing: one line for each life of a leader.
struct LeaderStarted {
    static constexpr std::uint16_t type = 1;
    std::uint64_t epoch = 0;
    std::string build;
    std::optional<LeaseTerms> grants{};     ///< What it grants; nothing: written by a program that did not say.
    std::optional<LeaseTerms> respects{};   ///< What leaders before it may have granted and may still run.
    /// Of a restored store: generations that begin from now on are numbered above this. Sites may know lower ones from a history that
    /// this one has left.
    std::optional<std::uint32_t> generations_above{};
};
BOOST_DESCRIBE_STRUCT(LeaderStarted, (), (epoch, build, grants, respects, generations_above))

// ---- who takes part

struct OrganisationSet {
    static constexpr std::uint16_t type = 10;
    Organisation organisation;
};
BOOST_DESCRIBE_STRUCT(OrganisationSet, (), (organisation))

struct ProjectSet {
    static constexpr std::uint16_t type = 11;
    Project project;
};
BOOST_DESCRIBE_STRUCT(ProjectSet, (), (project))

/// Gives a subject exactly these roles in a project, or in the network where `project` is empty; none removes it.
struct RolesSet {
    static constexpr std::uint16_t type = 12;
    SubjectName subject;
    ProjectName project;
    std::vector<Role> roles;
};
BOOST_DESCRIBE_STRUCT(RolesSet, (), (subject, project, roles))

struct TokenIssued {
    static constexpr std::uint16_t type = 13;
    Token token;
};
BOOST_DESCRIBE_STRUCT(TokenIssued, (), (token))

/// Revoked by somebody, or expired by timer.
struct TokenEnded {
    static constexpr std::uint16_t type = 14;
    TokenId token;
    bool expired = false;
};
BOOST_DESCRIBE_STRUCT(TokenEnded, (), (token, expired))

// ---- where work runs

struct SiteSet {
    static constexpr std::uint16_t type = 20;
    Site site;
};
BOOST_DESCRIBE_STRUCT(SiteSet, (), (site))

struct NodeSet {
    static constexpr std::uint16_t type = 21;
    SiteName site;
    Node node;
};
BOOST_DESCRIBE_STRUCT(NodeSet, (), (site, node))

struct NodeRemoved {
    static constexpr std::uint16_t type = 22;
    SiteName site;
    NodeName node;
};
BOOST_DESCRIBE_STRUCT(NodeRemoved, (), (site, node))

/// A report of a site's agent was taken in; the next of that session is sequence + 1.
struct ReportTaken {
    static constexpr std::uint16_t type = 23;
    SiteName site;
    std::string session;
    std::uint64_t sequence = 0;
};
BOOST_DESCRIBE_STRUCT(ReportTaken, (), (site, session, sequence))

/// A site was heard again, or was silent for longer than the policy allows: nothing new is placed on a silent site.
struct SiteReachable {
    static constexpr std::uint16_t type = 24;
    SiteName site;
    bool reachable = false;
};
BOOST_DESCRIBE_STRUCT(SiteReachable, (), (site, reachable))

// ---- money

struct ProgrammeOpened {
    static constexpr std::uint16_t type = 30;
    Programme programme;
    std::uint32_t voucher_ledger = 0;  ///< Ledger of this programme-year's face value.
    std::uint32_t cap_ledger = 0;      ///< Ledger of the caps per control group.
};
BOOST_DESCRIBE_STRUCT(ProgrammeOpened, (), (programme, voucher_ledger, cap_ledger))

struct VoucherAwarded {
    static constexpr std::uint16_t type = 31;
    Voucher voucher;
};
BOOST_DESCRIBE_STRUCT(VoucherAwarded, (), (voucher))

/// A voucher whose validity is over leaves the core; what was left of it is in the ledger's `expired`.
struct VoucherEnded {
    static constexpr std::uint16_t type = 32;
    VoucherId voucher;
    Fen redeemed;          ///< What it has paid in all.
    Fen expired;           ///< What was left.
    static constexpr std::array field_rules{codec::Field{.name = "redeemed", .optional = true},
                                            codec::Field{.name = "expired", .optional = true}};
};
BOOST_DESCRIBE_STRUCT(VoucherEnded, (), (voucher, redeemed, expired))

/// What the ledger engine decided: accounts opened first, then entries in their order, then ids forgotten.
struct LedgerPosted {
    static constexpr std::uint16_t type = 33;
    std::vector<ledger::AccountOpened> opened;
    std::vector<ledger::Posting> postings;
    std::optional<ledger::IdsForgotten> forgotten;
    [[nodiscard]] bool empty() const { return opened.empty() && postings.empty() && !forgotten; }
};
BOOST_DESCRIBE_STRUCT(LedgerPosted, (), (opened, postings, forgotten))

// ---- jobs

struct JobSubmitted {
    static constexpr std::uint16_t type = 40;
    JobId job;
    ProjectName project;
    SubjectName submitter;
    Digest body;               ///< Of the canonical spec: the same id with another body is refused.
    Frozen<JobSpec> spec;
    std::vector<Hold> holds;
    std::vector<JobId> waits_for;  ///< Those of spec.after that have not succeeded yet.
};
BOOST_DESCRIBE_STRUCT(JobSubmitted, (), (job, project, submitter, body, spec, holds, waits_for))

struct JobPlaced {
    static constexpr std::uint16_t type = 41;
    JobId job;
    std::uint32_t generation = 0;
    Placement placement;
    /// What each hold of the job, in their order, promised to pay of this generation; nothing: all of it (prepaid alone), or a program
    /// of long ago that did not say.
    std::optional<std::vector<SourceShare>> shares{};
    std::optional<Seconds> run_for{};   ///< How long it may run: max_duration, or less where less is promised. Nothing: max_duration.
    std::optional<Instant> start_by{};  ///< Stopped where it does not run by then. Nothing: it may take for ever.
};
BOOST_DESCRIBE_STRUCT(JobPlaced, (), (job, generation, placement, shares, run_for, start_by))

struct JobStateChanged {
    static constexpr std::uint16_t type = 42;
    JobId job;
    std::uint32_t generation = 0;
    JobState to = JobState::queued;
    Reason reason = Reason::none;
};
BOOST_DESCRIBE_STRUCT(JobStateChanged, (), (job, generation, to, reason))

/// Whole seconds that one node of a generation held its cards. Numbers of a meter have no gap and no overlap.
struct TaskMetered {
    static constexpr std::uint16_t type = 43;
    JobId job;
    std::uint32_t generation = 0;
    std::uint32_t node_rank = 0;
    std::uint64_t sequence = 0;
    std::int64_t from_s = 0;         ///< Seconds since 1970; half-open [from, to).
    std::int64_t to_s = 0;
    MilliCardSeconds used;
    std::optional<Payer> lost_to;    ///< Set where the seconds came too late to count: who pays for them.
};
BOOST_DESCRIBE_STRUCT(TaskMetered, (), (job, generation, node_rank, sequence, from_s, to_s, used, lost_to))

/// A checkpoint of this generation is whole and lies in the network's store. What was used until it was taken is no longer at risk.
struct CheckpointStored {
    static constexpr std::uint16_t type = 44;
    JobId job;
    std::uint32_t generation = 0;
    std::string name;
    Digest manifest;
    std::int64_t bytes = 0;
    std::optional<std::int64_t> taken_s{};  ///< As in CheckpointReport.
};
BOOST_DESCRIBE_STRUCT(CheckpointStored, (), (job, generation, name, manifest, bytes, taken_s))

/// The generation is over and the job goes back to the queue.
struct JobRequeued {
    static constexpr std::uint16_t type = 45;
    JobId job;
    std::uint32_t generation = 0;     ///< The one that ended.
    Reason reason = Reason::none;
    LossCause cause = LossCause::provider_fault;  ///< Of what was used since the last checkpoint.
    Instant not_before;
    std::vector<PlacedNode> avoid;    ///< Nodes that this job must not meet again.
};
BOOST_DESCRIBE_STRUCT(JobRequeued, (), (job, generation, reason, cause, not_before, avoid))

/// The site is told to stop this generation; the job ends when the site says that it did.
struct JobStopOrdered {
    static constexpr std::uint16_t type = 46;
    JobId job;
    std::uint32_t generation = 0;
    Reason reason = Reason::none;
    std::optional<Instant> end_by{};  ///< Given up where the site, though it is heard, has not said by then that it ended. Nothing: never.
    std::optional<Seconds> checkpoint_within{};  ///< How long its program has to publish one before it is stopped. Nothing: none is wanted.
};
BOOST_DESCRIBE_STRUCT(JobStopOrdered, (), (job, generation, reason, end_by, checkpoint_within))

/// The job leaves the core; its record lives on in the views.
struct JobFinished {
    static constexpr std::uint16_t type = 47;
    JobId job;
    JobState outcome = JobState::succeeded;
    Reason reason = Reason::none;
    std::int64_t exit_code = 0;
    std::vector<BillLine> bill;
    std::vector<BillPart> paid;
};
BOOST_DESCRIBE_STRUCT(JobFinished, (), (job, outcome, reason, exit_code, bill, paid))

// ---- work that leaves a site on purpose (domain/move.hpp)

/// A place elsewhere is sought for this generation, which runs on meanwhile.
struct JobMoveOrdered {
    static constexpr std::uint16_t type = 60;
    JobId job;
    std::uint32_t generation = 0;      ///< The one that is to leave.
    MoveCause cause = MoveCause::tenant;
    std::optional<SiteName> to;
    bool restart = false;
    std::optional<Instant> leave_by;
};
BOOST_DESCRIBE_STRUCT(JobMoveOrdered, (), (job, generation, cause, to, restart, leave_by))

/// The place is found and held for it.
struct JobMoveReserved {
    static constexpr std::uint16_t type = 61;
    JobId job;
    std::uint32_t generation = 0;      ///< That will run there.
    Placement target;
    Instant prepare_by;
};
BOOST_DESCRIBE_STRUCT(JobMoveReserved, (), (job, generation, target, prepare_by))

/// A checkpoint of the job lies at the place that is held for it.
struct JobMovePrepared {
    static constexpr std::uint16_t type = 62;
    JobId job;
    std::uint32_t generation = 0;
    Digest manifest;
};
BOOST_DESCRIBE_STRUCT(JobMovePrepared, (), (job, generation, manifest))

/// A generation has ended, and the job goes on where a place was held for it.
struct JobMoved {
    static constexpr std::uint16_t type = 63;
    JobId job;
    std::uint32_t generation = 0;      ///< The one that ended.
    Reason reason = Reason::moving;
    LossCause cause = LossCause::move; ///< Of what was used since the last checkpoint.
    std::optional<std::vector<SourceShare>> shares{};  ///< As in JobPlaced.
    Seconds run_for;
    Fen fen_per_card_hour;             ///< Of the new place, as of now.
    Instant start_by;
    Instant paused_at;                 ///< When its last process ended.
};
BOOST_DESCRIBE_STRUCT(JobMoved, (), (job, generation, reason, cause, shares, run_for, fen_per_card_hour, start_by, paused_at))

/// The move came to nothing; the job goes on where it is.
struct JobMoveEnded {
    static constexpr std::uint16_t type = 64;
    JobId job;
    MoveEnd why = MoveEnd::called_off;
};
BOOST_DESCRIBE_STRUCT(JobMoveEnded, (), (job, why))

/// A job that moved runs again: what it cost.
struct JobArrived {
    static constexpr std::uint16_t type = 65;
    JobId job;
    std::uint32_t generation = 0;
    SiteName from;
    SiteName to;
    std::int64_t pause_ms = 0;         ///< From the end of its last process there to the first one here, by the network's clock.
    MilliCardSeconds lost;             ///< Used since the checkpoint that it went on from.
    bool prepared = false;             ///< A checkpoint lay here before it left.
};
BOOST_DESCRIBE_STRUCT(JobArrived, (), (job, generation, from, to, pause_ms, lost, prepared))

struct SiteDutySet {
    static constexpr std::uint16_t type = 66;
    SiteName site;
    SiteDuty duty = SiteDuty::working;
    std::optional<Instant> deadline;   ///< Of a draining site: when the last of its work stops.
};
BOOST_DESCRIBE_STRUCT(SiteDutySet, (), (site, duty, deadline))

/// What this network knows of a model, in place of the catalogue's file where that has it, too.
struct AcceleratorSet {
    static constexpr std::uint16_t type = 25;
    Accelerator accelerator;
};
BOOST_DESCRIBE_STRUCT(AcceleratorSet, (), (accelerator))

/// Its projects' jobs wait, and those that ran were told to stop, until it is taken back.
struct OrganisationSuspended {
    static constexpr std::uint16_t type = 67;
    OrganisationName organisation;
    bool suspended = true;
};
BOOST_DESCRIBE_STRUCT(OrganisationSuspended, (), (organisation, suspended))

// ---- what projects keep with the network (domain/data.hpp); bytes are never in the journal

/// A tree whose every byte lies in the project's store is kept from now on, as long as a job uses it and a while longer.
struct TreeKept {
    static constexpr std::uint16_t type = 70;
    ProjectName project;
    Digest tree;
    TreeSize size;
};
BOOST_DESCRIBE_STRUCT(TreeKept, (), (project, tree, size))

/// It is no longer kept: its bytes are removed wherever they lie, and DataErased says when they were.
struct TreeDropped {
    static constexpr std::uint16_t type = 71;
    ProjectName project;
    Digest tree;
    DropReason reason = DropReason::unused;
    std::optional<SubjectName> by{};  ///< Who had it removed; nothing: the network's rules.
};
BOOST_DESCRIBE_STRUCT(TreeDropped, (), (project, tree, reason, by))

/// The project's named files are these from now on: a tree, or nothing. The tree of before is dropped.
struct FilesSet {
    static constexpr std::uint16_t type = 72;
    ProjectName project;
    std::optional<Digest> tree;
    TreeSize size;
    SubjectName by;
};
BOOST_DESCRIBE_STRUCT(FilesSet, (), (project, tree, size, by))

/// The outputs of a job, as it published them last, lie in the project's store; what it published before is dropped.
struct OutputsStored {
    static constexpr std::uint16_t type = 73;
    JobId job;
    ProjectName project;
    std::uint32_t generation = 0;
    std::string name;
    Digest tree;
    TreeSize size;
    Seconds retention;
};
BOOST_DESCRIBE_STRUCT(OutputsStored, (), (job, project, generation, name, tree, size, retention))

/// They are no longer kept.
struct OutputsDropped {
    static constexpr std::uint16_t type = 74;
    JobId job;
    ProjectName project;
    Digest tree;
    DropReason reason = DropReason::retention_over;
    std::optional<SubjectName> by{};  ///< As in TreeDropped.
};
BOOST_DESCRIBE_STRUCT(OutputsDropped, (), (job, project, tree, reason, by))

/// What the job leaves cannot be kept as it is now; what was kept of it before stays.
struct OutputsRefused {
    static constexpr std::uint16_t type = 78;
    JobId job;
    ProjectName project;
    std::uint32_t generation = 0;
    OutputFault fault = OutputFault::over_quota;
    std::int64_t bytes = 0;       ///< That it has.
    std::int64_t bytes_max = 0;   ///< That could have been kept.
};
BOOST_DESCRIBE_STRUCT(OutputsRefused, (), (job, project, generation, fault, bytes, bytes_max))

/// The receipt: what a tree that is no longer kept had alone is gone from these places.
struct DataErased {
    static constexpr std::uint16_t type = 75;
    ProjectName project;
    Digest tree;
    DropReason reason = DropReason::unused;
    std::optional<SubjectName> by{};  ///< As in TreeDropped.
    Instant dropped_at;
    Digest list;               ///< Chain over the digests that were removed, in their order: of each its 64 hexadecimal digits.
    std::vector<ErasedCopy> copies;
};
BOOST_DESCRIBE_STRUCT(DataErased, (), (project, tree, reason, by, dropped_at, list, copies))

/// Receipts of before this instant are no longer found by their tree.
struct ReceiptsForgotten {
    static constexpr std::uint16_t type = 77;
    ProjectName project;
    Instant before;
};
BOOST_DESCRIBE_STRUCT(ReceiptsForgotten, (), (project, before))

/// What a project may keep.
struct DataQuotaSet {
    static constexpr std::uint16_t type = 76;
    ProjectName project;
    std::int64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(DataQuotaSet, (), (project, bytes))

/// Ids made before this instant are no longer remembered, and refused where they are new.
struct RecordsForgotten {
    static constexpr std::uint16_t type = 50;
    Instant before;
};
BOOST_DESCRIBE_STRUCT(RecordsForgotten, (), (before))

/// A request with a key of its own was answered; the same key and body get the same answer until it expires.
struct KeyRecorded {
    static constexpr std::uint16_t type = 51;
    std::string scope;      ///< The subject that sent it.
    std::string key;
    Digest body;
    std::string answer;     ///< The id that was made.
    Instant expires_at;
    ProjectName project;    ///< What the request was about, and whose cap the key counts against; empty: the sender's.
    static constexpr std::array field_rules{codec::Field{.name = "project", .optional = true}};
};
BOOST_DESCRIBE_STRUCT(KeyRecorded, (), (scope, key, body, answer, expires_at, project))

using Event =
    std::variant<LeaderStarted, OrganisationSet, ProjectSet, RolesSet, TokenIssued, TokenEnded, SiteSet, NodeSet, NodeRemoved, ReportTaken,
                 SiteReachable, ProgrammeOpened, VoucherAwarded, VoucherEnded, LedgerPosted, JobSubmitted, JobPlaced, JobStateChanged,
                 TaskMetered, CheckpointStored, JobRequeued, JobStopOrdered, JobFinished, RecordsForgotten, KeyRecorded,
                 JobMoveOrdered, JobMoveReserved, JobMovePrepared, JobMoved, JobMoveEnded, JobArrived, SiteDutySet, AcceleratorSet,
                 OrganisationSuspended,
                 TreeKept, TreeDropped, FilesSet, OutputsStored, OutputsDropped, DataErased, DataQuotaSet, ReceiptsForgotten,
                 OutputsRefused>;

}  // namespace weir::control
