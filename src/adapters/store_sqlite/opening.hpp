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

/// Makes the next checkpoint move all frames of the log, also those that an earlier process has moved: SQLITE_OK or an error, such as
/// SQLITE_BUSY while another connection moves them. Readers go on. The connection has used the log already.
[[nodiscard]] int forget_what_was_moved(const Connection& connection);

/// Moves the whole log into the main file, so that the next commit starts it afresh. Waits for readers and writers as long as
/// the connection's busy timeout.
[[nodiscard]] int restart_log(Connection& connection);

}  // namespace weir::store
