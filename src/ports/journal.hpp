// ports/journal.hpp: the journal as control sees it: a chain of event texts that survives everything.
//
// It answers one question: which events are durable, in which order? It never looks inside a text; what an event
// means, and whether it is well formed, is control's business. SQL views of the same events are another room's.
//
// Promises of every adapter (ports/journal_conformance.hpp holds them to it):
//   - append is one transaction and is durable when it returns; a batch is there whole or not at all;
//   - revisions start at 1 and have no gap; each hash is weir::chain(hash before, text); the hash before revision 1
//     is all zeros;
//   - each opening for writing takes a new epoch; an append that carries an older one is refused, so two servers can
//     never both write, whatever became of their locks;
//   - snapshots are caches: a damaged or foreign one costs a longer replay, never an event.
//
// Conventions: ranges of revisions include both ends. One thread at a time may use a JournalReader; of a Journal,
// append(), head() and the inherited reading belong to one thread, while put_snapshot(), checkpoint(),
// checkpoint_due(), backup_to() and open_reader() may be called from any thread at any time.
#pragma once

#include "base/result.hpp"
#include "base/sha256.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::ports {

/// One event envelope as it is stored and hashed.
struct Record {
    std::uint64_t revision = 0;
    std::string text;  ///< The exact JSON bytes; 1 to max_record_bytes of them.
    Digest hash;       ///< chain(hash of revision - 1, text).
    friend bool operator==(const Record&, const Record&) = default;
};

/// The last durable record; revision 0 and a zero hash for an empty journal.
struct Head {
    std::uint64_t revision = 0;
    Digest hash;
    friend bool operator==(const Head&, const Head&) = default;
};

/// The number of an opening for writing: 1 for the first of a store, never reused.
struct Epoch {
    std::uint64_t number = 0;
    friend auto operator<=>(const Epoch&, const Epoch&) = default;
};

inline constexpr std::size_t max_record_bytes = 16U << 20U;
inline constexpr std::size_t max_batch_records = 100'000;
inline constexpr std::size_t max_batch_bytes = 64U << 20U;
inline constexpr std::size_t max_snapshot_bytes = 900U << 20U;
inline constexpr std::size_t max_meta_bytes = 64U << 10U;
inline constexpr std::size_t snapshots_kept = 3;

/// Why the journal did not do what it was asked. In descending precedence: when several apply, the first is given.
/// All but outcome_unknown mean that nothing was written. Values are stable: they reach metrics.
enum class JournalFault : std::uint8_t {
    outcome_unknown = 1,    ///< A commit or a checkpoint may or may not be durable. End the process and replay; all else is refused.
    fenced = 2,             ///< Another opening took a newer epoch. End the process.
    limit_exceeded = 3,     ///< A record, a batch, a snapshot or a value is empty or too large.
    does_not_continue = 4,  ///< The batch's revision or hash does not follow from the head: a bug of the caller.
    unknown_format = 5,     ///< Written by a newer program, or by another program.
    in_use = 6,             ///< Another process has it open for writing.
    read_only = 7,          ///< The medium or the file refuses writes.
    disk_full = 8,          ///< No space; the journal is intact and an append can be tried again when there is room.
    damaged = 9,            ///< Bytes that were durable are gone or changed. Restore; nothing is repaired by guessing.
    not_found = 10,         ///< There is no such store, snapshot or backup.
    already_exists = 11,    ///< The target of a backup or a restore is there already; it is never overwritten.
    unavailable = 12,       ///< The store cannot be reached or read now (permissions, I/O error while reading).
};

struct JournalError {
    JournalFault fault{};
    std::string message;  ///< For the operator: the file or server, both numbers, what to do.
};

template <class T>
using JournalResult = Result<T, JournalError>;

/// The first record that does not hold in a range that was verified.
struct BadRecord {
    std::uint64_t revision = 0;
    Digest stored;        ///< Zero if the record is missing or cannot be read.
    Digest computed;      ///< chain(stored hash before, stored text); zero likewise.
    std::string problem;  ///< What is wrong and what to do, in words.
};

struct Verification {
    Head end;                      ///< The last record that holds.
    std::uint64_t records = 0;     ///< How many were checked and hold.
    std::optional<BadRecord> bad;  ///< Nothing: every record of the range holds.
};

/// State at a revision, as bytes that only the caller can read.
struct Snapshot {
    std::uint64_t revision = 0;  ///< The last event that the state includes; not above the head.
    std::uint32_t version = 0;   ///< Layout of `bytes`.
    Digest state;                ///< The caller's digest of the state itself, for its own check after decoding.
    std::string bytes;
};

struct SnapshotSearch {
    std::optional<Snapshot> found;
    /// Newer ones that could not be used, newest first: which, why, and what follows (a longer replay). To be logged.
    std::vector<std::string> passed_over;
};

/// Who this store is. A restored or copied-on-purpose store has an id of its own and says where it came from.
struct StoreIdentity {
    std::string store_id;  ///< Text of a Uid, made at creation.
    std::uint32_t format_version = 0;
    std::string lineage;  ///< Empty for an original; else one line per ancestor, the nearest first.
};

/// How far the write-ahead log was moved into the main file.
struct LogCheckpoint {
    std::uint64_t log_pages = 0;    ///< In the write-ahead log when the checkpoint began.
    std::uint64_t moved_pages = 0;  ///< Of these, safe in the main file now.
    bool complete = false;          ///< The log starts afresh; otherwise a reader held it back: try again later.
};

struct BackupReport {
    Head head;  ///< The last record of the backup; its chain was verified from revision 1.
    std::uint64_t size_bytes = 0;
};

/// Reads of committed records on a connection of its own.
class JournalReader {
public:
    JournalReader() = default;
    JournalReader(const JournalReader&) = delete;
    JournalReader& operator=(const JournalReader&) = delete;
    virtual ~JournalReader() = default;

    [[nodiscard]] virtual JournalResult<StoreIdentity> identity() = 0;
    [[nodiscard]] virtual JournalResult<Head> head() = 0;

    /// Records from `from` on, in order, without verifying the chain: at most `max_records`, and no further record once
    /// `max_bytes` of text are exceeded, but at least one where there is one. Empty past the head. `from` 0 reads as 1.
    [[nodiscard]] virtual JournalResult<std::vector<Record>> read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) = 0;

    /// Recomputes the chain over [from, to]; `to` beyond the head means the head, `from` 0 reads as 1. The hash before
    /// `from` is taken as stored. Damage is an answer here (`bad`), not an error.
    [[nodiscard]] virtual JournalResult<Verification> verify(std::uint64_t from, std::uint64_t to) = 0;

    /// The newest sound snapshot of `version` at or below `at_most`. A caller whose own check of `state` fails asks again
    /// with at_most = revision - 1.
    [[nodiscard]] virtual JournalResult<SnapshotSearch> latest_snapshot(
        std::uint32_t version, std::uint64_t at_most = std::numeric_limits<std::uint64_t>::max()) = 0;

    /// A value that set_meta stored, or nothing.
    [[nodiscard]] virtual JournalResult<std::optional<std::string>> meta(const std::string& key) = 0;
};

/// The one writer of a store.
class Journal : public JournalReader {
public:
    /// The epoch that this opening took.
    [[nodiscard]] virtual Epoch epoch() const = 0;

    /// Makes `batch` durable as one transaction, or refuses it whole. Faults: outcome_unknown, fenced, limit_exceeded,
    /// does_not_continue, in_use, read_only, disk_full, damaged, unavailable.
    /// @returns the new head.
    [[nodiscard]] virtual JournalResult<Head> append(std::span<const Record> batch, Epoch epoch) = 0;

    /// Stores a small value beside the journal under the same fence; its key is 1 to 100 bytes, not starting with `weir.`.
    [[nodiscard]] virtual JournalResult<void> set_meta(const std::string& key, const std::string& value, Epoch epoch) = 0;

    /// Keeps `snapshot` and forgets all but the newest snapshots_kept of its version. A failure here never harms the journal.
    [[nodiscard]] virtual JournalResult<void> put_snapshot(const Snapshot& snapshot) = 0;

    /// Whether the write-ahead log has grown to the size at which checkpoint() is worth a call.
    [[nodiscard]] virtual bool checkpoint_due() const = 0;

    /// Moves the write-ahead log into the main file, off the commit path: appends go on meanwhile, but for one short
    /// hand-over at the end.
    [[nodiscard]] virtual JournalResult<LogCheckpoint> checkpoint() = 0;

    /// Writes a consistent, verified copy of journal and newest snapshot to the new file `path` while appends go on.
    [[nodiscard]] virtual JournalResult<BackupReport> backup_to(const std::string& path) = 0;

    [[nodiscard]] virtual JournalResult<std::unique_ptr<JournalReader>> open_reader() = 0;
};

}  // namespace weir::ports
