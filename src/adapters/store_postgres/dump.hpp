// adapters/store_postgres/dump.hpp: a store as one file: its records with their hashes, and its newest snapshot.
//
// It is what backup_to() writes of a database: verified from the first record, there whole or not at all, never over another file. It can
// be read as any journal, and copied back into a store.
#pragma once

#include "adapters/store_postgres/postgres_reader.hpp"

#include <memory>
#include <string>

namespace weir::store {

/// Writes what the reader sees in one transaction. already_exists where there is such a file.
[[nodiscard]] ports::JournalResult<ports::BackupReport> write_dump(PostgresReader& reader, const std::string& path);

/// Reads such a file. damaged where it is cut off or its bytes are not what was written.
[[nodiscard]] ports::JournalResult<std::unique_ptr<ports::JournalReader>> open_dump(const std::string& path);

}  // namespace weir::store
