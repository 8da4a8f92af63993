// adapters/store_sqlite/store_watch.hpp: notices that the store's files were removed or replaced below a running server.
//
// A file without a name is written on as if nothing had happened, and is gone when the last program closes it. Whoever holds it
// open holds the last copy of the network's books: it is copied out before the server ends.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::store {

/// For one thread at a time.
class StoreWatch {
public:
    /// Of a store that the journal has open already.
    [[nodiscard]] static ports::JournalResult<StoreWatch> open(const std::string& path);

    /// Nothing, or what happened to the files, for the operator.
    [[nodiscard]] std::optional<std::string> trouble() const;

    /// Copies what the files hold now; where to, or why not, for the operator. Whoever appends has stopped: what is acknowledged while
    /// the copy is made is not in it.
    [[nodiscard]] std::string rescue();

private:
    /// Device and number of a file; nothing where there is none.
    using Identity = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
    static Identity identity_of(const std::string& path);

    std::string path_;
    std::vector<std::pair<std::string, Identity>> files_;
    Connection open_;   ///< Has the files open, whatever becomes of their names.
};

}  // namespace weir::store
