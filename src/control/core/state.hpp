// control/core/state.hpp: what the network knows, as one value.
//
// Only apply changes it. Maps are ordered, because their order can reach a decision. What is below "derived" is
// computed from the rest, is not in a snapshot and is built again by rebuild().
#pragma once

#include "control/core/data_book.hpp"
#include "control/core/desired_log.hpp"
#include "control/core/events.hpp"
#include "engines/ledger/ledger.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::control {

/// What a funding source promised for a generation, and how much of its use came too late for that.
struct ShareUse {
    std::int64_t per_mille = 0;
    std::optional<std::int64_t> until_s;
    MilliCardSeconds lapsed;    ///< Used from until_s on.
    bool operator==(const ShareUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(ShareUse, (), (per_mille, until_s, lapsed))

/// What one generation has used, by who will bear it.
struct GenerationUsage {
    std::uint32_t generation = 0;
    SiteName site;
    std::string model;
    bool emulated = false;
    Fen fen_per_card_hour;
    Instant placed_at;          ///< No meter of it counts from much earlier.
    MilliCardSeconds secured;   ///< Up to the last stored checkpoint, or to a good end.
    MilliCardSeconds at_risk;   ///< Since then.
    std::map<std::string, MilliCardSeconds> lost;  ///< By name of the LossCause.
    std::vector<ShareUse> shares;                  ///< By hold; empty: see JobPlaced.
    bool operator==(const GenerationUsage&) const = default;
};
BOOST_DESCRIBE_STRUCT(GenerationUsage, (), (generation, site, model, emulated, fen_per_card_hour, placed_at, secured, at_risk, lost,
                       shares))

/// Where a meter stands: what may come next.
struct MeterState {
    std::uint32_t generation = 0;
    std::uint32_t node_rank = 0;
    std::uint64_t sequence = 0;
    std::int64_t to_s = 0;
    MilliCardSeconds used;      ///< Counted so far.
    std::int64_t told_s = 0;    ///< Told so far; more than was counted where it was more than had gone by.
    bool operator==(const MeterState&) const = default;
};
BOOST_DESCRIBE_STRUCT(MeterState, (), (generation, node_rank, sequence, to_s, used, told_s))

struct LiveJob {
    JobId id;
    ProjectName project;
    SubjectName submitter;
    Digest body;
    Frozen<JobSpec> spec;
    Instant submitted_at;
    std::vector<Hold> holds;
    std::vector<JobId> waits_for;
    JobState state = JobState::queued;
    Reason reason = Reason::submitted;
    Instant since;                          ///< Of the state.
    std::uint32_t generation = 0;           ///< 0: never placed.
    std::optional<Placement> placement;     ///< Of the present generation; empty in the queue.
    std::optional<Reason> stop_ordered;
    std::optional<Seconds> stop_within;     ///< With `stop_ordered`: how long its program has to publish a checkpoint first.
    std::optional<Reason> stop_overruled;   ///< The network's own order that a cancel took the place of: it still says who pays.
    std::optional<Instant> started_at;      ///< When the present generation ran first.
    Seconds run_for;                        ///< How long it may run from then on.
    std::optional<Instant> deadline;        ///< By which it must run, end by itself, or have ended as ordered.
    Instant not_before;
    std::vector<NodeAt> avoid;
    std::uint32_t error_restarts = 0;
    std::uint32_t fault_restarts = 0;
    std::uint32_t nodes_killed = 0;         ///< How often a node broke while the job ran on it.
    std::vector<StoredCheckpoint> checkpoints;  ///< The newest last; three at most.
    std::vector<GenerationUsage> usage;     ///< In order of generation.
    std::vector<MeterState> meters;         ///< By generation and rank.
    std::uint64_t changed_at = 0;           ///< Revision of the last event that touched it.
    std::optional<Move> move;               ///< It is to go on elsewhere, and is still here.
    std::optional<Arrival> arrival;         ///< It has left one site for its placement, and does not run there yet.
    std::vector<MoveDone> moved;            ///< The last ones.
    Instant move_ended_at;                  ///< When its last move was over, or came to nothing.
    std::optional<RefusedOutputs> outputs_refused{};  ///< Since its outputs were kept last.
    std::uint32_t generations_used = 0;     ///< Numbers up to here were given to sites, some perhaps for a place that came to nothing.
    std::string funding_key;                ///< Derived: of the scheduler's funding answer while it waits.
    /// Whether the scheduler seeks a place for it.
    [[nodiscard]] bool seeks_place() const { return move ? !move->target : !placement; }
    /// As of when it is judged who may pay for the place that it seeks.
    [[nodiscard]] Instant seeks_since() const { return move ? move->ordered_at : since; }
    bool operator==(const LiveJob&) const = default;
};
BOOST_DESCRIBE_STRUCT(LiveJob, (),
                      (id, project, submitter, body, spec, submitted_at, holds, waits_for, state, reason, since, generation, placement,
                       stop_ordered, stop_within, stop_overruled, started_at, run_for, deadline, not_before, avoid, error_restarts,
                       fault_restarts, nodes_killed, checkpoints, usage, meters, changed_at, move, arrival, moved, move_ended_at,
                       generations_used, outputs_refused))

/// What is remembered of a job that has left.
struct Tombstone {
    ProjectName project;
    Digest body;
    JobState outcome = JobState::succeeded;
    Instant finished_at;
    bool operator==(const Tombstone&) const = default;
};
BOOST_DESCRIBE_STRUCT(Tombstone, (), (project, body, outcome, finished_at))

struct SiteState {
    Site site;
    std::map<NodeName, Node> nodes;
    std::string session;             ///< Of the agent that reported last.
    std::string session_before;      ///< Of the agent, or the life of it, that reported before that one.
    Instant session_since;           ///< When the present session's first report was taken in.
    std::uint64_t sequence = 0;      ///< Of its last report taken in.
    bool reachable = false;          ///< Its agent reports; set and cleared by event.
    Instant reachable_since;         ///< Of the last change of `reachable`.
    SiteDuty duty = SiteDuty::working;
    std::optional<Instant> drained_by;  ///< Of a draining site: when the last of its work stops.

    /// Of the agent that reported last, though its session was ended with its token.
    [[nodiscard]] const std::string& last_session() const { return session.empty() ? session_before : session; }
    bool operator==(const SiteState&) const = default;
};
BOOST_DESCRIBE_STRUCT(SiteState, (), (site, nodes, session, session_before, session_since, sequence, reachable, reachable_since,
                       duty, drained_by))

struct OpenedProgramme {
    Programme programme;
    std::uint32_t voucher_ledger = 0;
    std::uint32_t cap_ledger = 0;
    bool operator==(const OpenedProgramme&) const = default;
};
BOOST_DESCRIBE_STRUCT(OpenedProgramme, (), (programme, voucher_ledger, cap_ledger))

struct RecordedKey {
    Digest body;
    std::string answer;
    Instant expires_at;
    ProjectName project;    ///< As in KeyRecorded.
    bool operator==(const RecordedKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(RecordedKey, (), (body, answer, expires_at, project))

/// The leader of now, or the last one.
struct Leader {
    Instant started_at;
    LeaseTerms grants;
    LeaseTerms respects;    ///< What those before it granted, as far as it may still run.
    std::uint32_t generations_above = 0;
    bool operator==(const Leader&) const = default;
};
BOOST_DESCRIBE_STRUCT(Leader, (), (started_at, grants, respects, generations_above))

struct State {
    std::uint64_t revision = 0;
    Instant now;                     ///< Of the last event; never decreases.
    std::uint64_t epoch = 0;
    Leader leader;
    std::map<OrganisationName, Organisation> organisations;
    std::map<ProjectName, Project> projects;
    std::map<SubjectName, std::vector<Role>> network_roles;
    std::map<ProjectName, std::map<SubjectName, std::vector<Role>>> members;
    std::map<TokenId, Token> tokens;
    std::map<SiteName, SiteState> sites;
    std::map<std::string, Accelerator> accelerators;  ///< Models that operators set, in place of the catalogue's file.
    std::map<ProgrammeName, OpenedProgramme> programmes;
    std::map<VoucherId, Voucher> vouchers;
    std::map<JobId, LiveJob> jobs;
    std::set<OrganisationName> suspended;
    std::map<JobId, Tombstone> finished;
    std::map<std::string, std::map<std::string, RecordedKey>> keys;  ///< By scope, then key.
    std::map<ProjectName, ProjectData> data;
    Instant forgotten_before;        ///< Ids made before this are refused where they are new.
    ledger::Ledger ledger;

    bool ledger_broken = false;      ///< A fact broke a law of the ledger: a bug or a damaged journal. Never in a snapshot.

    // ---- derived
    std::map<Digest, TokenId> token_by_hash;
    std::set<std::pair<Instant, JobId>> deadlines;       ///< LiveJob::deadline of those that have one.
    std::map<JobId, std::set<JobId>> dependents;         ///< Jobs that wait for the key.
    std::set<JobId> forsaken;                            ///< Live jobs that wait for one which left without success.
    std::map<ProjectName, std::uint32_t> live_jobs;
    std::map<ProjectName, std::size_t> live_bytes;       ///< bytes_of() their live jobs; 0 where they take none.
    std::map<ProjectName, std::uint32_t> finished_of;    ///< How many of `finished` are a project's; never 0.
    std::map<JobState, std::uint64_t> jobs_by_state;     ///< How many live jobs are in each; never 0.
    std::map<ProjectName, std::size_t> keys_of;          ///< How many keys count against a project's cap; never 0.
    std::map<SiteName, std::map<JobId, std::uint32_t>> tasks;  ///< What should run where: job and generation.
    std::map<SiteName, std::map<JobId, std::uint32_t>> places_held;  ///< For jobs that are to move there: job and generation.
    std::set<JobId> moves;                               ///< Jobs with a LiveJob::move.
    std::set<JobId> unwelcome;                           ///< Jobs that are placed, of organisations that are suspended.
    std::map<SiteName, DesiredLog> desired_log;          ///< How `tasks` and `places_held` changed.
    std::uint64_t desired_known_from = 0;                ///< No log knows what changed up to this revision.
    std::map<OrganisationName, std::set<VoucherId>> vouchers_of;
    std::map<std::pair<ProjectName, Digest>, std::uint32_t> tree_uses;  ///< Live jobs that begin in the tree; never 0.
    std::set<std::tuple<Instant, ProjectName, Digest>> unused_trees;  ///< Kept ones that no live job begins in, by KeptTree::used_at.
    std::set<std::tuple<Instant, ProjectName, JobId>> output_ends;    ///< StoredOutputs::keep_until.
    std::set<std::tuple<Instant, ProjectName, Digest>> receipts;      ///< Erasure::erased_at.
};

/// Rebuilds everything below "derived" from the rest, after a snapshot was read.
void rebuild(State& state);

}  // namespace weir::control
