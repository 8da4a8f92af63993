// apps/server/traces.hpp: what a data directory remembers of its store.
//
// It answers whether the store, as it is found at a start, can be all that was acknowledged there: a directory whose store is lost, or
// whose journal has lost its tail with the log, must not pass for a new or a younger network. It changes nothing.
#pragma once

#include "ports/journal.hpp"

#include <optional>
#include <string>

namespace weir::server {

struct Traces {
    std::string data{};     ///< The directory.
    bool existing = false;  ///< The operator says that the network exists.

    /// What is wrong where there is no store though there was one, in words and with the way back.
    [[nodiscard]] std::optional<std::string> store_missing() const;

    /// The same of a store that is there, whose journal ends at `head`.
    [[nodiscard]] std::optional<std::string> tail_missing(const ports::StoreIdentity& store, const ports::Head& head) const;

private:
    /// A file that only a directory with a store has.
    [[nodiscard]] std::optional<std::string> file_of_a_server() const;
};

}  // namespace weir::server
