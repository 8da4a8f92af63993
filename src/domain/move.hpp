// domain/move.hpp: the words of work that leaves a site on purpose: a job that moves, a site that is emptied.
//
// A move has three parts. While the job runs on, a place is sought and reserved elsewhere and the newest checkpoint is put there; then the
// job is asked for one more and stops; then it begins anew there. Until it stopped, the move can be given up and nothing was lost.
#pragma once

#include "base/sha256.hpp"
#include "base/time.hpp"
#include "domain/names.hpp"
#include "domain/placement.hpp"

#include <boost/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir {

/// Who wants a job to be elsewhere; it decides who pays for what is lost on the way.
BOOST_DEFINE_ENUM_CLASS(MoveCause, tenant, operator_, site_drain)

/// Why a move came to nothing. The job goes on where it is.
BOOST_DEFINE_ENUM_CLASS(MoveEnd, called_off, target_lost, funding_lapsed, no_longer_needed)

/// What a site does: `draining` sites take no work and give what they have to others as checkpoints permit; `stopped` ones end it at once.
BOOST_DEFINE_ENUM_CLASS(SiteDuty, working, draining, stopped)

/// A job that is to go on elsewhere and has not left yet.
struct Move {
    MoveCause cause = MoveCause::tenant;
    std::optional<SiteName> to;          ///< Only there; empty: wherever it fits.
    bool restart = false;                ///< Whoever ordered it accepts that it may begin from its start.
    Instant ordered_at;
    std::optional<Instant> leave_by;     ///< From then on it stops where it is though no place was found.
    std::optional<Placement> target;     ///< Reserved for it.
    std::uint32_t target_generation = 0; ///< Of the target; 0: none yet.
    Instant reserved_at;                 ///< When the target was.
    Instant prepare_by;                  ///< From then on it does not wait for its checkpoint to be in place at the target.
    std::optional<Digest> prepared;      ///< Manifest of the checkpoint that is.
    Instant prepared_at;
    std::int64_t prepared_in_ms = 0;     ///< Since it was stored, or since the place was held where that was later.
    bool operator==(const Move&) const = default;
};
BOOST_DESCRIBE_STRUCT(Move, (),
                      (cause, to, restart, ordered_at, leave_by, target, target_generation, reserved_at, prepare_by, prepared, prepared_at,
                       prepared_in_ms))

/// A job that has left one site and does not run at the next yet.
struct Arrival {
    SiteName from;
    Instant paused_at;                   ///< When its last process ended there, as far as that is known.
    MilliCardSeconds lost;               ///< Used there since the checkpoint that it goes on from.
    bool prepared = false;               ///< A checkpoint lay at the target before it left.
    bool operator==(const Arrival&) const = default;
};
BOOST_DESCRIBE_STRUCT(Arrival, (), (from, paused_at, lost, prepared))

/// What a move cost, once the job ran again.
struct MoveDone {
    std::uint32_t generation = 0;        ///< The one that runs since.
    SiteName from;
    SiteName to;
    Instant arrived_at;                  ///< When the network heard that it runs.
    std::int64_t pause_ms = 0;           ///< From the end of its last process there to the first one here.
    MilliCardSeconds lost;               ///< Used there since the checkpoint that it went on from.
    bool prepared = false;               ///< A checkpoint lay here before it left.
    bool operator==(const MoveDone&) const = default;
};
BOOST_DESCRIBE_STRUCT(MoveDone, (), (generation, from, to, arrived_at, pause_ms, lost, prepared))

/// Of a job that moves often, the last so many are remembered while it lives; the journal has all.
inline constexpr std::size_t moves_remembered = 32;

}  // namespace weir
