// domain/agent_link.hpp: what a site is told and what it tells: the words of the agent link.
//
// Level, not edge: the network says what should run, the site says what does. Every message may be lost, repeated or late.
//
// The words have versions. An agent names the protocol that it speaks in the header `Weir-Agent-Protocol` of each message; without the
// header it speaks protocol 1. A server speaks its own and those of the two releases before; docs/reference/agent-link.md lists them.
#pragma once

#include "base/quantity.hpp"
#include "base/sha256.hpp"
#include "domain/job.hpp"
#include "domain/placement.hpp"
#include "domain/site.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

namespace agent_protocol {
inline constexpr std::string_view header = "Weir-Agent-Protocol";
inline constexpr std::uint32_t without_header = 1;  ///< What an agent speaks that does not say.
inline constexpr std::uint32_t whole_list = 1;      ///< What should run comes as one Desired.
inline constexpr std::uint32_t deltas = 2;          ///< What should run comes as DesiredPages.
inline constexpr std::uint32_t names_session = 3;    ///< A question names the session; an answer the one before, and the leases out.
inline constexpr std::uint32_t prepares = 4;         ///< Checkpoints are put in place before a start, and asked for before a stop.
inline constexpr std::uint32_t carries_data = 4;     ///< A task names the folder that it begins in and whether its outputs are kept.
inline constexpr std::uint32_t newest = prepares;
inline constexpr std::uint32_t oldest =
    without_header;  ///< That the server still speaks: those of the two releases before, and there were none.
}  // namespace agent_protocol

/// One generation of a job, as its site must run it.
struct DesiredTask {
    JobId job;
    std::uint32_t generation = 0;
    ProjectName project;
    bool stop = false;
    Placement placement;
    std::string setup;
    std::string run;
    std::map<std::string, std::string> envs;
    std::int64_t processes_per_node = 1;
    MilliCpus cpus;
    MiB memory;
    CheckpointProtocol checkpoint = CheckpointProtocol::none;
    std::vector<StoredCheckpoint> resume;  ///< To start from: the newest first; a bad one falls back to the next.
    bool run_on = false;
    Seconds max_duration;
    /// It is not to begin yet: only the newest checkpoint is to be put in place. Absent below protocol 4, where such a task is not told.
    std::optional<bool> prepare{};
    /// With `stop`: a checkpoint is asked for first, or its next one waited for, at most so long. Absent below protocol 4.
    std::optional<Seconds> checkpoint_within{};
    /// Its program is to be asked for a checkpoint and runs on: once for each number. Absent below protocol 4.
    std::optional<std::uint32_t> checkpoint_wanted{};
    /// The tree that it begins in. An agent below protocol 4, which could not fetch it, is told of no process instead, and refuses that.
    std::optional<Digest> workdir{};
    /// Its outputs are kept by the network, at most so many bytes of them. Absent: they are not, or the agent speaks below protocol 4.
    std::optional<std::int64_t> output_bytes_max{};
    std::optional<OutputNodes> output_nodes{};  ///< Of which nodes; absent: of node rank 0.
    /// What generations before this one left and is kept: what this one leaves comes on top, a path of its own in place of theirs.
    std::optional<Digest> outputs_before{};
    [[nodiscard]] bool is_prepare() const { return prepare.value_or(false); }
    bool operator==(const DesiredTask&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredTask, (),
                      (job, generation, project, stop, placement, setup, run, envs, processes_per_node, cpus, memory, checkpoint, resume,
                       run_on, max_duration, prepare, checkpoint_within, checkpoint_wanted,
                       workdir, output_bytes_max, output_nodes, outputs_before))

/// All that should run at a site, in order of job: one generation of a job at most.
struct Desired {
    std::uint64_t revision = 0;   ///< Ask for what comes after it.
    std::vector<DesiredTask> tasks;
    bool operator==(const Desired&) const = default;
};
BOOST_DESCRIBE_STRUCT(Desired, (), (revision, tasks))

/// Changes of what should run at a site. Within a page each job stands once: it is set (whatever generation stood there before), or it
/// is removed.
struct DesiredPage {
    std::uint64_t revision = 0;     ///< Ask next for what comes after it.
    bool full = false;              ///< The list begins anew with this page: the changes since the revision asked for are not known.
    std::vector<DesiredTask> set;
    std::vector<JobId> removed;
    bool more = false;              ///< The next page waits already; without it the list is whole.
    std::optional<JobId> after;     ///< Of a list that begins anew and goes on: ask for it with `revision`.
    Digest digest;                  ///< Of the whole list at `revision`, where it is whole (desired_list.hpp).
    bool operator==(const DesiredPage&) const = default;
};
BOOST_DESCRIBE_STRUCT(DesiredPage, (), (revision, full, set, removed, more, after, digest))

BOOST_DEFINE_ENUM_CLASS(TaskState, starting, running, ended)

/// What a site says of one generation of a job.
struct TaskReport {
    JobId job;
    std::uint32_t generation = 0;
    TaskState state = TaskState::starting;
    /// Of an end: exited, exit_code, signalled, out_of_memory, disk_exceeded, start_failed, max_duration_reached, lease_lost, node_lost,
    /// site_lost_task, stopped_as_ordered.
    Reason reason = Reason::none;
    std::int64_t exit_code = 0;       ///< Of the first process that failed; 128 + n for signal n.
    std::optional<NodeName> blamed;   ///< The node that broke, where one did.
    std::optional<std::int64_t> ago_ms{};  ///< How long before this report: of an end, of its last process. Absent below protocol 4.
};
BOOST_DESCRIBE_STRUCT(TaskReport, (), (job, generation, state, reason, exit_code, blamed, ago_ms))

struct MeterReport {
    JobId job;
    std::uint32_t generation = 0;
    std::uint32_t node_rank = 0;
    std::uint64_t sequence = 0;
    std::int64_t from_s = 0;
    std::int64_t to_s = 0;
};
BOOST_DESCRIBE_STRUCT(MeterReport, (), (job, generation, node_rank, sequence, from_s, to_s))

struct CheckpointReport {
    JobId job;
    std::uint32_t generation = 0;
    std::string name;
    Digest manifest;
    std::int64_t bytes = 0;
    /// Seconds since 1970 by the clock that meters: when the agent saw it published; what was used later is not in it. An agent that does
    /// not say vouches for all that it has metered.
    std::optional<std::int64_t> taken_s{};
};
BOOST_DESCRIBE_STRUCT(CheckpointReport, (), (job, generation, name, manifest, bytes, taken_s))

/// A checkpoint lies where a task that is not to begin yet would resume from it.
struct PreparedReport {
    JobId job;
    std::uint32_t generation = 0;
    Digest manifest;
    bool operator==(const PreparedReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(PreparedReport, (), (job, generation, manifest))

inline constexpr std::string_view outputs_so_far = "so-far";  ///< What lay there while the task ran.
inline constexpr std::string_view outputs_final = "final";    ///< All that lay there at its end.

/// What a task has left of its outputs until now is whole and lies in the network's store; or, with a fault, it does not.
struct OutputReport {
    JobId job;
    std::uint32_t generation = 0;
    std::string name;               ///< `so-far` or `final`.
    Digest tree;
    std::int64_t bytes = 0;
    std::int64_t files = 0;
    std::optional<OutputFault> fault{};          ///< Why it is not stored; `tree` says nothing then.
    std::optional<std::int64_t> bytes_max{};     ///< With a fault: how many would have been.
    bool operator==(const OutputReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutputReport, (), (job, generation, name, tree, bytes, files, fault, bytes_max))

/// Changes that a site's agent has seen since the report before. Order within: meters, then checkpoints, then tasks.
struct SiteReport {
    SiteName site;
    std::string session;              ///< Of the agent's life; a new one starts again at sequence 1.
    std::uint64_t sequence = 0;
    std::optional<std::vector<Node>> nodes;  ///< The whole inventory, where it changed.
    std::vector<MeterReport> meters;
    std::vector<CheckpointReport> checkpoints;
    std::vector<TaskReport> tasks;
    std::optional<std::vector<PreparedReport>> prepared{};  ///< Where there are any. Absent below protocol 4.
    std::optional<std::vector<OutputReport>> outputs{};      ///< Where there are any. Absent below protocol 4.
};
BOOST_DESCRIBE_STRUCT(SiteReport, (), (site, session, sequence, nodes, meters, checkpoints, tasks, prepared, outputs))

/// How long work may run on unheard, and how long it then has between SIGTERM and SIGKILL.
struct LeaseLengths {
    std::int64_t lease_ms = 0;         ///< Of tasks that stop when the site is cut off.
    std::int64_t run_on_lease_ms = 0;  ///< Of tasks that run on.
    std::int64_t kill_grace_ms = 0;
    bool operator==(const LeaseLengths&) const = default;
};
BOOST_DESCRIBE_STRUCT(LeaseLengths, (), (lease_ms, run_on_lease_ms, kill_grace_ms))

/// The answer to a report: what was taken in, and how long the site's tasks may run on without another one. The lease counts
/// from the moment the agent sent the report.
struct ReportAnswer {
    std::uint64_t sequence = 0;          ///< The last report taken in; the next is one more.
    std::int64_t lease_ms = 0;           ///< Of tasks that stop when the site is cut off.
    std::int64_t run_on_lease_ms = 0;    ///< Of tasks that run on.
    std::int64_t kill_grace_ms = 0;      ///< Between SIGTERM and SIGKILL when a lease ends.
    std::uint64_t desired_revision = 0;  ///< Ask for what should run where this is newer than what you have.
    /// The session that the site's agents reported under before the present one; empty: none that is known. Absent below protocol 3.
    std::optional<std::string> session_before{};
    /// The longest that were granted to anybody and may still run: those above, or longer ones of before a change. Absent below protocol 3.
    std::optional<LeaseLengths> leases_out{};
    bool operator==(const ReportAnswer&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportAnswer, (), (sequence, lease_ms, run_on_lease_ms, kill_grace_ms, desired_revision, session_before, leases_out))

}  // namespace weir
