// engines/ledger/options.hpp: the limits of a ledger. They shape decisions and never the application of facts.
#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>

namespace weir::ledger {

/// Transfers in one batch, at most.
constexpr std::size_t batch_max = 8190;

struct Options {
    /// How long a repeated request is recognised, counted from the time in its id; older ids are refused.
    Duration idempotency_window = hours(24);
    /// How far a client's clock may run ahead of ours.
    Duration clock_ahead_max = seconds(600);
    /// A secret of this process, so that no client can choose ids that slow the tables down. No answer depends on it.
    std::uint64_t hash_seed = 0;
    std::size_t accounts_max = std::size_t{1} << 24;
    std::size_t holds_max = std::size_t{1} << 24;
    std::size_t ids_max = std::size_t{1} << 26;  ///< Ends of holds, and what pays them out, may go beyond.
};

}  // namespace weir::ledger
