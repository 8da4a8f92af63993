// engines/ledger/options.hpp: the limits of a ledger. They shape decisions and never the application of facts.
#pragma once

#include "base/time.hpp"

#include <cstddef>

namespace weir::ledger {

/// Transfers in one batch, at most.
constexpr std::size_t batch_max = 8190;

struct Options {
    /// How long a repeated request is recognised, counted from the time in its id; older ids are refused.
    Duration idempotency_window = hours(24);
    /// How far a client's clock may run ahead of ours.
    Duration clock_ahead_max = seconds(600);
    std::size_t accounts_max = std::size_t{1} << 24;
    std::size_t holds_max = std::size_t{1} << 24;
    std::size_t ids_max = std::size_t{1} << 26;
};

}  // namespace weir::ledger
