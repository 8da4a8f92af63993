// apps/server/backup.hpp: a copy of a server's store for the day on which it is needed, and the way back from it.
//
// A backup is one file, made beside a running server or of a stopped one. A restore makes a new data directory and touches no old one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::server {

/// Copies `store`, verified, to the new file `target`. Prints what it did; true where it is there.
[[nodiscard]] bool backup(const std::string& store, const std::string& target);

struct RestoreRequest {
    std::string source;                           ///< A backup, or the weir.db of a server, running or not.
    std::string then;                             ///< The store that goes on where `source` ends; empty: none.
    std::string target;                           ///< A new directory.
    std::optional<std::uint64_t> until_revision;  ///< The last revision wanted.
    std::string until_time;                       ///< RFC 3339, the last moment wanted; empty: all.
};
/// Makes a new data directory of a backup, up to a point in time. Prints what it did; true where it is there.
[[nodiscard]] bool restore(const RestoreRequest& request);

}  // namespace weir::server
