// adapters/store_sqlite/log_start.hpp: readies the write-ahead log that an earlier process left, so that this one builds on nothing that
// the disk never got.
//
// After a failed sync the kernel serves bytes that it will not write again, until it drops them. A log is read and checked whole by who
// opens it first; but where another program reads the store all the while, the log's index lives on, and says which frames count as moved.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "ports/journal.hpp"

namespace weir::store {

/// Makes whoever reads the store from now on, and the next checkpoint, take all frames from the log, also those that an earlier process
/// has moved. To be called before anything is read that is kept. Readers go on.
[[nodiscard]] ports::JournalResult<void> forget_what_was_moved(const SqliteOptions& options);

/// Stores what the log holds: in the main file, so that the next commit starts the log afresh, or, while somebody reads who needs the log
/// as it is, in the log once more. Waits for readers and writers as long as the connection's busy timeout.
[[nodiscard]] ports::JournalResult<void> store_log(Connection& connection, const SqliteOptions& options);

}  // namespace weir::store
