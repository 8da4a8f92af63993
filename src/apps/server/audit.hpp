// apps/server/audit.hpp: proofs on a store at rest, beside a running server, or in a backup: the chain, the snapshots, the views.
#pragma once

#include "domain/accelerator.hpp"

#include <string>

namespace weir::server {

/// Prints one line for each proof, on standard output.
/// @returns `so`.
bool holds(bool so, const std::string& what);

struct AuditRequest {
    std::string store;  ///< weir.db of a server, running or not, or a backup.
    std::string views;  ///< views.db of that server; empty: there are none to prove, as in a backup.
};

/// Checks that the hash chain holds from the first record, that the journal folds to what the newest usable snapshot says, that the
/// ledger keeps its laws, and that the views say what journal and state say, each at a revision that both have: a server that goes on
/// meanwhile is no fault. Needs room for two copies of the views, beside them or, where their disk can only be read, where the system
/// keeps temporary files (TMPDIR). Prints what it did; true where all of it holds.
[[nodiscard]] bool audit_store(const AuditRequest& request, const Catalogue& catalogue);

}  // namespace weir::server
