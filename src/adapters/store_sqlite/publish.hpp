// adapters/store_sqlite/publish.hpp: gives a finished file its name, durably and without ever replacing another.
#pragma once

#include "ports/journal.hpp"

#include <string>

namespace weir::store {

/// Faults: already_exists, read_only, disk_full, unavailable.
[[nodiscard]] ports::JournalResult<void> publish(const std::string& from, const std::string& to);

/// already_exists if anything is at `path`.
[[nodiscard]] ports::JournalResult<void> must_be_absent(const std::string& path);

/// Removes files that an interrupted run left under names that only we use.
void remove_leftovers(const std::string& path);

}  // namespace weir::store
