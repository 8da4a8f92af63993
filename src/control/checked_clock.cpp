#include "control/checked_clock.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {

std::string ClockTrouble::text() const {
    const auto step = ahead() ? said - kept : kept - said;
    if (ahead()) {
        return fmt::format("this machine's clock says {}, which is {} ahead of what went by since it was believed last; the network goes "
                           "on with {}; set the clock right, or, if it is right, start the server again",
                           format_utc(said), format_duration(step), format_utc(kept));
    }
    return fmt::format("this machine's clock says {}, which is {} before the time {} that the journal has reached; the network's time "
                       "stands still until it is reached again; set the clock right",
                       format_utc(said), format_duration(step), format_utc(kept));
}

CheckedClock::CheckedClock(Look first, Instant last, Duration tolerance)
    : tolerance_{tolerance}, believed_{std::max(first.wall, last), first.steady} {}

Instant CheckedClock::time_at(Look look) const {
    const auto most = expected(look);
    if (look.wall > most + tolerance_) return most;
    return std::max(look.wall, believed_.wall);
}

Instant CheckedClock::take(Look look) {
    // While time stands still, believed_ keeps the moment from which on it did: the steady clock counts from there.
    if (const auto time = time_at(look); time > believed_.wall) believed_ = {time, look.steady};
    return believed_.wall;
}

std::optional<ClockTrouble> CheckedClock::trouble_at(Look look) const {
    const auto time = time_at(look);
    if (look.wall > expected(look) + tolerance_ || time - look.wall > tolerance_) return ClockTrouble{look.wall, time};
    return std::nullopt;
}

}  // namespace weir::control
