// adapters/store_sqlite/faults.hpp: what a SQLite result code means for the journal, said for an operator.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <string>
#include <string_view>

namespace weir::store {

/// How far an operation had come. A failed write or sync leaves the outcome open only once bytes may have been written.
enum class Stage : std::uint8_t { reading = 1, writing = 2 };

/// @param doing what was asked, e.g. `append revisions 5 to 9`.
[[nodiscard]] ports::JournalError fault_of(int code, Stage stage, std::string_view path, std::string_view doing, std::string_view detail);

/// The same for a connection's last error.
[[nodiscard]] ports::JournalError fault_of(const Connection& connection, Stage stage, std::string_view path, std::string_view doing);

[[nodiscard]] ports::JournalError damaged(std::string_view path, std::string_view what);

}  // namespace weir::store
