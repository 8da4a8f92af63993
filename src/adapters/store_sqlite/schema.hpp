// adapters/store_sqlite/schema.hpp: the tables of a store file, and whether a file is one.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <optional>
#include <string>

namespace weir::store {

inline constexpr std::int32_t application_id = 0x57454952;  // "WEIR"
inline constexpr std::uint32_t format_version = 1;

namespace meta_key {
inline constexpr std::string_view store_id = "weir.store_id";
inline constexpr std::string_view format = "weir.format";
inline constexpr std::string_view epoch = "weir.epoch";
inline constexpr std::string_view lineage = "weir.lineage";
}  // namespace meta_key

/// A new store's id: this moment and chance.
[[nodiscard]] std::string new_store_id();

/// Makes the tables in an empty file, in one transaction. The page size must have been set. SQLITE_OK or an error.
[[nodiscard]] int create_schema(Connection& connection, const ports::StoreIdentity& identity, ports::Epoch epoch);

/// Reads who the file is. Faults: unknown_format, damaged, unavailable.
[[nodiscard]] ports::JournalResult<ports::StoreIdentity> read_identity(Connection& connection, const std::string& path);

[[nodiscard]] ports::JournalResult<std::optional<std::string>> read_meta(Connection& connection, const std::string& path,
                                                                         std::string_view key);

/// Inside the caller's transaction; SQLITE_OK or an error.
[[nodiscard]] int write_meta(Connection& connection, std::string_view key, std::string_view value);

[[nodiscard]] ports::JournalResult<ports::Epoch> read_epoch(Connection& connection, const std::string& path);

}  // namespace weir::store
