// adapters/store_sqlite/sqlite_journal.hpp: the journal in one SQLite file, the embedded default.
//
// It answers how to open the store; everything else is the port's (ports/journal.hpp). Backup and restore of closed
// files are in restore.hpp.
//
// Files, for a store at `weir.db`:
//   weir.db             journal and meta; complete by itself after a clean stop
//   weir.db-wal, -shm   write-ahead log and its index; they belong to weir.db: never remove them, never copy weir.db without them
//   weir.db.snapshots   snapshots: a cache; may be removed while the server is stopped, at the price of a long replay
//   weir.db.lock        names the process that writes; held by flock for its life, harmless when stale
//   weir.db.creating    only while a new store is being made
//
// How a commit is durable: write-ahead log, synchronous=FULL, no automatic checkpoint: an append writes its pages to
// the log and syncs it once. checkpoint() moves them into weir.db from another thread.
//
// What opening for writing checks before it writes anything: the lock; that no file of the store is missing or empty; that
// the log does not end before its last acknowledged commit (log_evidence.hpp); the format; the chain of the last records;
// that no snapshot is ahead of the journal, and that the caller remembers no more of it than it has. Then it moves all that an
// earlier process left in the log into weir.db and starts the log afresh, since a log whose sync failed may be readable now and
// still not be on the disk.
//
// Recovery, by fault:
//   in_use            another server runs on this store: stop it, or use another directory. A stale lock file is no obstacle.
//   disk_full         make room, start again. Nothing acknowledged is lost.
//   read_only         remount or fix permissions, start again.
//   outcome_unknown   start again: replay shows whether the last batch is there. If it returns, replace the disk.
//   damaged           stop; copy all files aside. Where the damage lies before the newest backup's end, restore_store() of the backup
//                     and then of the damaged file loses nothing. Where it lies after, the damaged file itself is the better source, with
//                     until_revision one below the revision that the message or `verify` names.
//   unknown_format    start the program that wrote it, or a newer one.
//
// Damage further back than verify_tail_records is not looked for at an opening. What recovery reads it meets there: the
// events after the newest snapshot. Everything is read by `weir audit verify` and by each backup, which refuses a broken chain.
#pragma once

#include "ports/journal.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::store {

/// Why a store whose journal ends at this head has lost its tail, in words and with the way back; nothing where it may be all there is.
using TailMissing = std::function<std::optional<std::string>(const ports::StoreIdentity&, const ports::Head&)>;

/// How much a commit waits for. Anything but full loses acknowledged records at a power cut; only tests use it, to
/// show that they would notice.
enum class Synchronous : std::uint8_t { off = 0, normal = 1, full = 2 };

struct SqliteOptions {
    std::string path{};
    bool create = true;  ///< Make the store if there is none; otherwise not_found.
    /// Records at the end of the journal whose chain is verified when opening for writing.
    std::uint64_t verify_tail_records = 1'000;
    /// Size of the log at which checkpoint_due() turns true, in MiB. After a crash, opening moves up to this much.
    std::uint32_t checkpoint_log_mib = 32;
    /// Page size of a new store, in bytes: a power of two, 512 to 65536.
    std::uint32_t page_bytes = 8'192;
    Synchronous synchronous = Synchronous::full;
    TailMissing tail_missing{};  ///< What the caller remembers of the store; asked before anything is written. Absent: nothing.
    std::string vfs{};      ///< Name of a registered SQLite VFS; empty: the platform's.
    bool lock_file = true;  ///< Off only where a test shows that the epoch alone suffices, or the VFS has no real files.
};

/// Opens for writing: takes the lock and a new epoch. Faults: unknown_format, in_use, read_only, disk_full, damaged,
/// not_found, unavailable.
[[nodiscard]] ports::JournalResult<std::unique_ptr<ports::Journal>> open_journal(const SqliteOptions& options);

/// Opens for reading only, whether or not a server runs on the store; a backup file can be read likewise.
[[nodiscard]] ports::JournalResult<std::unique_ptr<ports::JournalReader>> open_reader(const std::string& path, const std::string& vfs = {});

}  // namespace weir::store
