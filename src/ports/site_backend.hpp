// ports/site_backend.hpp: one site as the agent's reconcile loop sees it: what is here, what should run, what does run.
//
// It answers one question: how is a task started, watched, fenced and ended at this site? Which task should run where is
// control's business, and the words between server and agent are transport's. A backend decides nothing.
//
// Promises of every backend:
//   - a task is one node of one generation of a job; a TaskKey is started at most once, ever, whatever is repeated or
//     lost, and a start below a fence is refused;
//   - what is observed comes from what the tasks' supervisors wrote, never from the backend's memory: a backend object
//     that is dropped and made anew reports the same;
//   - metered seconds of a task never go backwards, and those of two tasks that held the same card never overlap;
//   - a backend is used by one thread at a time; but those that read and write much (measure_checkpoint, inspect_checkpoint,
//     open_checkpoint_file, install_checkpoint, install_workdir, inspect_outputs,
//     open_output, measure_task, disk) may run on other threads beside the other calls, for several
//     generations at once, where capabilities() says checkpoints_beside.
//
// Conventions: wall times are whole seconds since 1970 and for people; leases are on CLOCK_BOOTTIME of the host that runs
// the task, so that no step of the wall clock can lengthen or shorten one. Intervals are half-open, [from_s, to_s).
#pragma once

#include "base/result.hpp"
#include "base/sha256.hpp"
#include "domain/tree.hpp"
#include "ports/copying.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::ports {

/// Nanoseconds of CLOCK_BOOTTIME on the host of the task; 0 is the host's start.
struct BootInstant {
    std::int64_t ns = 0;
    friend constexpr auto operator<=>(const BootInstant&, const BootInstant&) = default;
};

/// One node's part of one generation of a job. `job` is 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.', not starting with '.'.
struct TaskKey {
    std::string job{};
    std::int64_t generation = 0;  ///< From 1.
    std::int32_t node_rank = 0;   ///< From 0.
    friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

/// How software reaches a card. Values are stored.
enum class CardStack : std::uint8_t {
    none = 1,   ///< No accelerator: a task of processors only.
    cuda = 2,   ///< NVIDIA; visible through CUDA_VISIBLE_DEVICES.
    cann = 3,   ///< Ascend; visible through ASCEND_RT_VISIBLE_DEVICES.
    other = 4,  ///< Known only by its declaration; visible through WEIR_CARDS.
};

struct Card {
    std::string node{};        ///< Declared name of its node; empty for the host itself.
    std::int32_t index = 0;  ///< What the stack's variable calls it; unique within node and stack.
    std::string model{};       ///< As the tool or the declaration spells it.
    CardStack stack = CardStack::none;
    std::int64_t memory_mib = 0;
    std::string uuid{};        ///< Empty where the tool gives none.
    bool emulated = false;   ///< Declared, not there. Label it as emulated wherever a person sees it.
    friend bool operator==(const Card&, const Card&) = default;
};

struct Inventory {
    std::vector<Card> cards{};             ///< By node, then stack, then index.
    std::int64_t milli_cpus = 0;
    std::int64_t memory_mib = 0;
    std::vector<std::string> remarks{};    ///< What was looked for and not found, or did not answer; for the operator.
};

/// What this backend can promise here, in figures a program can test and a text a person can read.
struct Capabilities {
    std::string backend{};               ///< "process".
    bool uid_per_project = false;
    bool sandbox = false;              ///< Own file system view, own processes.
    bool memory_limit = false;
    bool cpu_limit = false;
    bool process_limit = false;
    bool fractions = false;            ///< A card can be shared by several tasks.
    bool nodes_come_and_go = false;    ///< Somebody else takes nodes in and out of service: look at them often.
    bool checkpoints_beside = false;   ///< The calls that read and write much may run on other threads.
    std::vector<std::string> isolation{};///< One plain statement for each thing that is, or is not, enforced.
};

struct TaskSpec {
    TaskKey key{};
    std::string project{};                             ///< Same alphabet as TaskKey::job.
    std::string node{};                                ///< Declared name of the node it is placed on; empty: the host itself.
    std::string run{};                                 ///< For /bin/sh -c; not empty.
    std::string workdir{};                             ///< Absolute and below a path the site shares; empty: a directory of the task's own.
    std::vector<std::string> read_only_paths{};        ///< As workdir: made visible, never writable.
    std::map<std::string, std::string> environment{};  ///< The tenant's; names that Weir sets itself are refused.
    std::int32_t nnodes = 1;
    std::int32_t processes_per_node = 1;             ///< How many times `run` is started here, 1 to 64.
    std::int32_t rank_offset = 0;                    ///< RANK of the first process here.
    std::int32_t world_size = 1;                     ///< Processes in the whole gang.
    std::string master_address = "127.0.0.1";
    std::uint16_t master_port = 0;
    CardStack stack = CardStack::none;
    std::vector<std::int32_t> cards{};                 ///< Indices of the inventory.
    std::int64_t memory_mib = 0;                     ///< 0: no limit.
    std::int64_t milli_cpus = 0;                     ///< 0: no limit.
    std::int64_t processes_max = 0;                  ///< Processes and threads; 0: the site's default.
    std::int64_t log_quota_bytes = 16 << 20;         ///< All streams together.
    std::int64_t kill_grace_s = 10;                  ///< From SIGTERM to SIGKILL, 0 to 86400.
    std::int32_t checkpoint_signal = 0;              ///< Sent on a checkpoint request to processes that catch it; 0: none.
    std::int64_t checkpoint_before_s = 0;            ///< Asked for a checkpoint so long before a lease ends that is not renewed; 0: not.
    std::int64_t stop_after_s = 0;                   ///< Stopped by its supervisor when it has run so long; 0: never.
    std::string resume{};                              ///< Name of a checkpoint installed for this task; empty: start afresh.
    std::string tree{};                                ///< Name of the tree installed for this task, which it begins in; empty: `workdir`.
    BootInstant lease_deadline{};
};

/// Values are stored.
enum class TaskState : std::uint8_t {
    starting = 1,
    running = 2,
    stopping = 3,  ///< SIGTERM is out; SIGKILL follows after the grace.
    ended = 4,     ///< Not one process of it is left.
};

/// Why a task ended. Values are stored.
enum class EndReason : std::uint8_t {
    exited = 1,           ///< By itself: every process with 0, or the first that did not with exit_code.
    signalled = 2,        ///< A process was killed by a signal that Weir did not send; exit_code is 128 + the signal.
    lease_ended = 3,
    stopped = 4,          ///< On request.
    start_failed = 5,     ///< `run` was never reached; `detail` says why. Nothing is metered.
    out_of_memory = 6,    ///< The task's own memory limit.
    supervisor_lost = 7,  ///< The task's parent was killed; what was left is swept. Metered to its last sign of life.
    host_restarted = 8,   ///< The host booted since. Metered to the last sign of life that reached the disk.
    duration_ended = 9,   ///< It ran for stop_after_s.
};

/// How one process of the task ended.
struct ProcessExit {
    std::int32_t local_rank = 0;
    bool signalled = false;
    std::int32_t code = 0;  ///< Exit code, or the signal's number.
    friend bool operator==(const ProcessExit&, const ProcessExit&) = default;
};

/// Time in which the task held its cards. from_s is fixed at the start, to_s only grows; cards * (to_s - from_s) is owed.
struct MeterInterval {
    std::int64_t from_s = 0;
    std::int64_t to_s = 0;
    bool final = false;  ///< to_s will not change any more.
    friend bool operator==(const MeterInterval&, const MeterInterval&) = default;
};

/// One report of a meter: the part of its interval with number `seq`.
struct MeterSlice {
    std::int64_t seq = 0;  ///< From 1, without gap.
    std::int64_t from_s = 0;
    std::int64_t to_s = 0;
    friend bool operator==(const MeterSlice&, const MeterSlice&) = default;
};

/// Cuts an interval into reports of `slice_s` seconds, from `after_seq` on. Only whole slices are given before the interval is final,
/// so the same interval always yields the same slices, also after the agent was killed between two reports.
[[nodiscard]] inline std::vector<MeterSlice> meter_slices(const MeterInterval& meter, std::int64_t slice_s, std::int64_t after_seq,
                                                          std::size_t at_most) {
    std::vector<MeterSlice> slices{};
    for (std::int64_t seq = after_seq + 1; slices.size() < at_most; ++seq) {
        const std::int64_t from_s = meter.from_s + (seq - 1) * slice_s;
        const std::int64_t full_s = from_s + slice_s;
        if (from_s >= meter.to_s || (full_s > meter.to_s && !meter.final)) break;
        slices.push_back({.seq = seq, .from_s = from_s, .to_s = full_s < meter.to_s ? full_s : meter.to_s});
    }
    return slices;
}

struct TaskObserved {
    TaskKey key{};
    std::string project{};
    TaskState state = TaskState::starting;
    bool begun = true;                   ///< False: it was ordered, and who should have begun it is gone. Start it again, or stop it.
    std::optional<EndReason> reason{};   ///< Set once ended.
    std::int32_t exit_code = 0;        ///< Of the task: 0, the first failing process's code, or 128 + signal.
    std::vector<ProcessExit> exits{};    ///< By local rank; those known so far.
    std::int64_t started_at_s = 0;     ///< 0 before the start.
    std::int64_t ended_at_s = 0;       ///< 0 before the end.
    std::optional<BootInstant> began{};  ///< Where it is of this life of its host and known.
    std::optional<BootInstant> ended{};  ///< When its last process was gone; likewise.
    MeterInterval meter{};
    std::int64_t checkpoint_requests = 0;  ///< How many were relayed to the task.
    std::int64_t swept_processes = 0;  ///< Leftovers that this observation killed.
    std::string detail{};                ///< For people: what could not be started, which limit was hit.
};

/// What a call could not do. In descending precedence. Values reach metrics.
enum class BackendFault : std::uint8_t {
    invalid = 1,         ///< The request itself is wrong: mend it.
    refused = 2,         ///< The site's rules forbid it: tenant code as root, a path outside the shared ones.
    fenced = 3,          ///< A newer generation of the job was fenced here; never start this one again.
    differs = 4,         ///< The key was started with another spec.
    not_found = 5,       ///< There is no such task, log or checkpoint.
    ended = 6,           ///< The task is over; nothing is left to be asked.
    bad_checkpoint = 7,  ///< Its manifest or content does not hold; use the one before.
    start_failed = 8,    ///< The task's directory says more; it will be observed as ended.
    unavailable = 9,     ///< The host did not do it now (disk full, no answer in time): try again.
};

struct BackendError {
    BackendFault fault{};
    std::string message{};
};

template <class T>
using BackendResult = Result<T, BackendError>;

/// What a start found or did.
enum class StartOutcome : std::uint8_t {
    started = 1,
    already_running = 2,
    already_ended = 3,
};

enum class LogStream : std::uint8_t { out = 1, err = 2 };

/// A piece of a log. Offsets count the bytes the process wrote since its start, so a reader resumes where it was.
struct LogChunk {
    std::int64_t offset = 0;  ///< Of the first byte; larger than asked where the quota dropped what was asked for.
    std::string bytes{};
    std::int64_t end = 0;     ///< Bytes written so far.
    bool final = false;       ///< The task has ended: nothing follows `end`.
};

/// One file of a checkpoint; `path` is relative, without "." or ".." or empty parts.
struct ManifestEntry {
    std::int64_t size = 0;
    Digest sha256{};
    std::string path{};
    friend bool operator==(const ManifestEntry&, const ManifestEntry&) = default;
};

/// A checkpoint whose every byte was compared with its manifest.
struct Checkpoint {
    std::string name{};
    std::vector<ManifestEntry> files{};  ///< Sorted by path.
    std::int64_t bytes = 0;
    Digest digest{};                     ///< SHA-256 of the manifest's canonical text: names the content as a whole.
    bool sealed_by_task = false;       ///< The task wrote the manifest itself; otherwise made here, after the rename.
    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// A name under which a checkpoint is published now. A task may use a name again: what it publishes then is another checkpoint.
struct PublishedCheckpoint {
    std::string name{};
    std::string edition{};  ///< Stays with what is published when its name changes, and differs from any other's; says nothing else.
    std::int64_t changed_s = INT64_MAX;  ///< When its folder was last named or changed, by the site's clock; without it nobody knows.
    std::int64_t made_ns = INT64_MAX;    ///< When its folder was made, by the site's clock: what was made first is older. Or nobody knows.
    [[nodiscard]] bool is_made_known() const { return made_ns != INT64_MAX; }
    friend bool operator==(const PublishedCheckpoint& a, const PublishedCheckpoint& b) { return a.edition == b.edition; }
};

/// What a checkpoint seems to be before a byte of it is read.
struct CheckpointSize {
    std::int64_t bytes = 0;          ///< As its files say.
    std::int64_t on_disk_bytes = 0;  ///< What they take there: less where they have holes.
};

/// What the files of a task take on its disk.
struct DiskUse {
    std::int64_t bytes = 0;  ///< Each file at least a block.
    bool whole = true;  ///< False: some of its folders could not be looked into, or lie too deep.
    std::int64_t files = 0;  ///< Files and folders; a look ends where there are more than any task may have.
};

/// The disk that a site's tasks lie on.
struct DiskSpace {
    std::int64_t free_bytes = 0;
    std::int64_t floor_bytes = 0;  ///< Below it nothing is started.
    std::int64_t free_files = INT64_MAX;  ///< As many more can be made.
    std::int64_t floor_files = 0;         ///< As for bytes.
};

/// One file of outputs as it was read: `facts` change when the file does.
struct KnownOutput {
    std::string facts{};
    std::int64_t size = 0;
    Digest digest{};
};
using KnownOutputs = std::map<std::string, KnownOutput, std::less<>>;  ///< By path.

/// How outputs are looked at.
struct OutputLook {
    std::int64_t bytes_max = 0;
    /// Of a task that still runs: a file that was changed within so many seconds is passed over, or told as it was known before. Nothing:
    /// the task is over, and all counts.
    std::optional<std::int64_t> settled_s{};
    const KnownOutputs* known = nullptr;  ///< Of the look before; files that did not change since are not read again.
};

/// What a task has left until now.
struct Outputs {
    Tree tree{};
    KnownOutputs known{};
    std::int64_t bytes = 0;                ///< Of all of it, also where it is more than is kept.
    std::optional<OutputFault> fault{};    ///< It is too much to be kept: nothing was read.
    std::vector<std::string> left_out{};   ///< What cannot be kept, one line each: its path and why.
};

/// Writes the content of one file of a checkpoint to a descriptor, e.g. from the network's store.
using FetchFile = std::function<BackendResult<void>(const ManifestEntry& file, int descriptor)>;

class SiteBackend {
public:
    SiteBackend() = default;
    SiteBackend(const SiteBackend&) = delete;
    SiteBackend& operator=(const SiteBackend&) = delete;
    virtual ~SiteBackend() = default;

    [[nodiscard]] virtual Capabilities capabilities() const = 0;
    /// Looks again at each call.
    [[nodiscard]] virtual BackendResult<Inventory> inventory() = 0;

    /// Starts a task, once. Repeating it with the same spec is harmless (the lease deadline may differ and counts as a renewal).
    /// A deadline in the past starts nothing: the task is observed as lease_ended.
    [[nodiscard]] virtual BackendResult<StartOutcome> start(const TaskSpec& spec) = 0;
    /// Every task whose directory is there, by key. Sweeps what dead supervisors left behind.
    [[nodiscard]] virtual BackendResult<std::vector<TaskObserved>> observe() = 0;
    /// Extends a lease; an earlier deadline than the one in force changes nothing.
    [[nodiscard]] virtual BackendResult<void> renew_lease(const TaskKey& key, BootInstant deadline) = 0;
    /// SIGTERM, the task's grace, SIGKILL. Returns at once; repeating it is harmless.
    [[nodiscard]] virtual BackendResult<void> stop(const TaskKey& key) = 0;
    /// A signal to every process of the task.
    [[nodiscard]] virtual BackendResult<void> signal(const TaskKey& key, int number) = 0;
    /// Asks the task for a checkpoint: the request file, and the signal where the spec names one.
    [[nodiscard]] virtual BackendResult<void> request_checkpoint(const TaskKey& key) = 0;
    /// Stops every task of the job up to `generation` without grace, and refuses their start from now on, durably.
    [[nodiscard]] virtual BackendResult<void> fence(const std::string& job, std::int64_t generation) = 0;
    /// Removes the directory of an ended task; its generation stays fenced, for as long as the backend has room: of jobs of which
    /// nothing else is left only the newest fences are kept.
    [[nodiscard]] virtual BackendResult<void> forget(const TaskKey& key) = 0;

    /// Gives back what nobody needs of an ended task: its work, its temporary files and what it resumed from. Its logs, outputs and
    /// checkpoints stay until it is forgotten. Repeating it is harmless.
    [[nodiscard]] virtual BackendResult<void> shed(const TaskKey& key) = 0;

    /// At most `max_bytes` from `offset` on (or from the first byte still kept); empty at the end.
    [[nodiscard]] virtual BackendResult<LogChunk> read_log(const TaskKey& key, std::int32_t local_rank, LogStream stream,
                                                           std::int64_t offset, std::int64_t max_bytes) = 0;

    /// What is published, in the order in which it was made. Cheap; nothing is verified. bad_checkpoint where their folder has
    /// so many names that it would not be cheap.
    [[nodiscard]] virtual BackendResult<std::vector<PublishedCheckpoint>> list_checkpoints(const TaskKey& key) = 0;
    /// Looks at names and sizes alone; bad_checkpoint where there is what cannot be kept.
    [[nodiscard]] virtual BackendResult<CheckpointSize> measure_checkpoint(const TaskKey& key, const std::string& name) = 0;
    /// Reads and verifies every byte of one; bad_checkpoint where it does not hold, unavailable where it was called off.
    [[nodiscard]] virtual BackendResult<Checkpoint> inspect_checkpoint(const TaskKey& key, const std::string& name, Copying& copying) = 0;
    /// A descriptor for reading one file of it; the caller closes it.
    [[nodiscard]] virtual BackendResult<int> open_checkpoint_file(const TaskKey& key, const std::string& name, const std::string& path) = 0;
    /// Puts a checkpoint where the task `key` of `project` will resume from; before its start. All or nothing, verified;
    /// repeating it with the same content is harmless. What was put there before, under this name or another, stays until this one is
    /// whole, and files of it that are the same may be used instead of fetched; then it is gone.
    [[nodiscard]] virtual BackendResult<void> install_checkpoint(const TaskKey& key, const std::string& project,
                                                                 const Checkpoint& checkpoint, const FetchFile& fetch,
                                                                 Copying& copying) = 0;

    /// Puts a folder in place that the task `key` of `project` begins in, read-only to it; before its start. All or nothing; repeating it
    /// is harmless. A site keeps files that it had before, and fetches the others. `name` is the tree's.
    [[nodiscard]] virtual BackendResult<void> install_workdir(const TaskKey&, const std::string& project, const std::string& name,
                                                              const Tree&, const FetchFile&, Copying&) {
        return fail(BackendError{BackendFault::refused,
                                 "this site cannot put " + name + " of project " + project + " in place; run the job at another"});
    }

    /// What lies in a task's folder of outputs. Left out are Weir's own names there, that begin with .weir-, and unfinished ones, that
    /// begin with .tmp-, with all below them.
    [[nodiscard]] virtual BackendResult<Outputs> inspect_outputs(const TaskKey&, const OutputLook& look, Copying&) {
        return fail(BackendError{BackendFault::refused, "this site keeps no outputs, of however few bytes; " +
                                                            std::to_string(look.bytes_max) + " could be kept elsewhere"});
    }
    /// A descriptor for reading one file of them; the caller closes it.
    [[nodiscard]] virtual BackendResult<int> open_output(const TaskKey&, const std::string& path) {
        return fail(BackendError{BackendFault::not_found, "there is no output " + path});
    }

    /// What all files of a task take, its logs and checkpoints too. Watched, not enforced: files that are open and have no name any
    /// more are seen in disk() alone.
    [[nodiscard]] virtual BackendResult<DiskUse> measure_task(const TaskKey& key) = 0;
    [[nodiscard]] virtual BackendResult<DiskSpace> disk() = 0;
};

}  // namespace weir::ports
