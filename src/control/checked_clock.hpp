// control/checked_clock.hpp: what time is it, by a wall clock that is believed only as far as the steady one agrees?
//
// A wall clock that jumps ahead by days and is taken at its word for one commit stops a network: its time never goes back, so ids
// made by anybody else are too old until real time has caught up. Such a step is refused: the time goes on from the last that was
// believed, by the steady clock. What is slower than the tolerance from look to look is taken; so is the clock at the start, for how
// long nobody ran nobody knows. A wall clock behind the time given out makes the time stand still, as ever; it is told, not mended.
//
// Not for several threads by itself.
#pragma once

#include "base/time.hpp"

#include <optional>
#include <string>

namespace weir::control {

/// Why the wall clock is not to be trusted now.
struct ClockTrouble {
    Instant said;                 ///< By the wall clock.
    Instant kept;                 ///< What is taken to be the time.
    [[nodiscard]] bool ahead() const { return said > kept; }
    /// For the operator: what is wrong and what to do.
    [[nodiscard]] std::string text() const;
    bool operator==(const ClockTrouble&) const = default;
};

class CheckedClock {
public:
    struct Look {
        Instant wall;
        Instant steady;
    };

    /// `last` is the time of the last event, before which time cannot be.
    CheckedClock(Look first, Instant last, Duration tolerance);

    /// The time, and from now on it counts as believed.
    Instant take(Look look);
    /// The time that take() would give; nothing changes.
    [[nodiscard]] Instant time_at(Look look) const;
    [[nodiscard]] std::optional<ClockTrouble> trouble_at(Look look) const;

private:
    [[nodiscard]] Instant expected(Look look) const { return believed_.wall + (look.steady - believed_.steady); }

    Duration tolerance_;
    Look believed_;               ///< The latest time given out, and when that was.
};

}  // namespace weir::control
