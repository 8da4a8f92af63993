// adapters/views_sql/rows.hpp: which rows an entry makes or changes.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "control/entry.hpp"

namespace weir::views {

/// Writes the rows of one entry within the transaction at hand; false: SQLite refused, its connection says why.
[[nodiscard]] bool insert_entry(store::Connection& connection, const control::Entry& entry);

}  // namespace weir::views
