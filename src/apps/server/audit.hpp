// apps/server/audit.hpp: proofs on a store at rest, or beside a running server: the chain, the snapshots, the views.
#pragma once

#include "domain/accelerator.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::server {

/// Checks that the hash chain holds from the first record, that the journal folds to what each usable snapshot says, that the ledger
/// keeps its laws, and that the views say what the state says. Prints what it did; true where all of it holds.
[[nodiscard]] bool audit_store(const std::string& data, const Catalogue& catalogue);

struct RestoreRequest {
    std::string source;                       ///< A backup, or the weir.db of a stopped or running server.
    std::string target;                       ///< A new directory.
    std::optional<std::uint64_t> until_revision;
    std::string until_time;                   ///< RFC 3339; empty: all.
};
/// Makes a new data directory of a backup, up to a point in time. Prints what it did; true where it is there.
[[nodiscard]] bool restore(const RestoreRequest& request);

}  // namespace weir::server
