// agent/pace.hpp: how fast the copies of a site's checkpoints may be, all of them together.
//
// It answers one question: so many bytes were copied just now; how long does whoever copied them wait before the next ones? Whom to let go
// first is the desk's business.
#pragma once

#include "base/time.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <mutex>

namespace weir::agent {

/// A bound on bytes a second. Copies that wait do so one behind the other, so that none is faster because there are several; time in which
/// nothing was copied is not saved up. Any thread may call.
class Pace {
public:
    /// `bytes_per_s`: at least 1.
    explicit Pace(std::int64_t bytes_per_s) : bytes_per_s_{bytes_per_s} {}

    /// Takes note of bytes that were copied by `now`; how long from now on nothing more may be copied by whom they were for. At most
    /// 2^53 bytes at once.
    [[nodiscard]] Duration book(std::int64_t bytes, ports::BootInstant now);

private:
    std::int64_t bytes_per_s_;
    std::mutex mutex_;
    ports::BootInstant free_at_;  ///< All that was booked is done by then.
};

}  // namespace weir::agent
