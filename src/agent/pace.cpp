#include "agent/pace.hpp"

#include <algorithm>

namespace weir::agent {

Duration Pace::book(std::int64_t bytes, ports::BootInstant now) {
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    const auto whole_s = bytes / bytes_per_s_;
    const auto rest = bytes % bytes_per_s_;
    // Of the rest, which is less than a second's bytes, to the nanosecond where that can be counted, and to the microsecond else.
    const auto rest_ns = rest < INT64_MAX / ns_per_s ? rest * ns_per_s / bytes_per_s_ : rest / (bytes_per_s_ / 1'000'000) * 1'000;
    const std::lock_guard lock{mutex_};
    free_at_.ns = std::max(free_at_.ns, now.ns) + whole_s * ns_per_s + rest_ns;
    return Duration{free_at_.ns - now.ns};
}

}  // namespace weir::agent
