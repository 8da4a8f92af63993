// adapters/store_sqlite/backup.hpp: a verified copy of a store in one file, while the store is written.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <string>

namespace weir::store {

/// Copies the store at `source` as of now to the new file `target`, with its sound snapshots inside, verifies the copy's
/// chain from revision 1, and only then gives it its name. The copy is one plain file: move it, burn it, read it
/// with open_reader(), make a store of it with restore_store().
/// Faults: damaged (the source's chain does not hold), already_exists, disk_full, read_only, unavailable.
[[nodiscard]] ports::JournalResult<ports::BackupReport> write_backup(const std::string& source, const std::string& source_vfs,
                                                                     const std::string& target);

/// Copies a store whose file lost its name to the new file `target`, through a connection that still has it open. Nothing but the pages
/// is copied and nothing is verified: there is no second chance. Faults: as write_backup().
[[nodiscard]] ports::JournalResult<void> write_rescue(Connection& open, const std::string& source, const std::string& target);

}  // namespace weir::store
