// adapters/store_sqlite/restore.hpp: makes a new store of a backup, up to a point in time.
//
// It never changes a source and never replaces a file. The source may be a backup, a store, running or stopped, or a damaged store
// whose records up to some revision are wanted: it is read record by record and its chain is verified on the way. A second source may
// go on where the first ends: a backup and then the damaged store, whose damage lies before the backup's end, lose nothing.
//
// The new store has an id of its own, a line of lineage that says where it came from, and epochs that go on above the
// source's. Snapshots up to the last revision come along; later ones are dropped.
#pragma once

#include "ports/journal.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace weir::store {

struct RestoreOptions {
    std::string source{};
    std::string then{};    ///< A source of the same history for the records after the last of `source`; empty: none.
    std::string target{};  ///< The new store; nothing may be there, nor its log or snapshots.
    /// The last revision wanted; nothing: all. One above the last source's head is refused, not cut down.
    std::optional<std::uint64_t> until_revision{};
    /// Restores records as long as this is true, in order: to stop at a moment, read the time out of the text.
    std::function<bool(const ports::Record&)> keep{};
};

struct RestoreReport {
    ports::Head head;               ///< The last record of the new store.
    std::uint64_t left_out = 0;     ///< Records after it of the last source.
    std::size_t snapshots = 0;      ///< That came along.
    ports::StoreIdentity identity;  ///< Of the new store.
};

/// Faults: does_not_continue (`then` is of another history, or cannot tell at the revision where it should go on), unknown_format,
/// read_only, disk_full, damaged (the source breaks before the point asked for; the message names the last revision that can be
/// restored), not_found (no source, or it ends before until_revision), already_exists, unavailable.
[[nodiscard]] ports::JournalResult<RestoreReport> restore_store(const RestoreOptions& options);

}  // namespace weir::store
