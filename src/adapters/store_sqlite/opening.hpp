// adapters/store_sqlite/opening.hpp: makes, checks and readies the files of a store before the first append.
//
// Order matters: everything that only looks comes first, so that a damaged store is left as it was found.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "ports/journal.hpp"

#include <string>

namespace weir::store {

/// A store that is ready for appends.
struct OpenStore {
    Connection connection;
    ports::StoreIdentity identity;
    ports::Epoch epoch;
    ports::Head head;
};

/// The lock is the caller's. Faults as open_journal().
[[nodiscard]] ports::JournalResult<OpenStore> open_files(const SqliteOptions& options);

/// A connection to an existing store with the settings that every writing connection has.
[[nodiscard]] ports::JournalResult<Connection> connect(const SqliteOptions& options);

}  // namespace weir::store
