// apps/server/copy.hpp: a store moved from one kind to another, record by record, and proved.
#pragma once

#include "domain/accelerator.hpp"

#include <string>

namespace weir::server {

struct CopyRequest {
    std::string from;  ///< A weir.db, a dump, or a database (postgresql://...).
    std::string to;    ///< A file that is to be made, or a database; where it holds the beginning of `from`, the copy goes on there.
};

/// Copies every record, its bytes as they are, then the newest snapshot; compares head, chain and the state that both make. Prints what it
/// did; true where both are the same.
[[nodiscard]] bool copy_store(const CopyRequest& request, const Catalogue& catalogue);

}  // namespace weir::server
