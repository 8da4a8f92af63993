// control/core/move_steps.hpp: what a move waits for while its job runs on.
//
// The order of things keeps the pause short and loses little. The newest checkpoint is copied to the place that is held. Where the copy
// was quick, the job is asked for a last one and stops, and that is copied while it stands still: nothing is done twice. Where copies are
// slow, the job is asked for a fresh one and runs on until that lies there, too; then it stops at once, and does again what it did
// meanwhile. So nothing stands still for longer than a short copy, and nothing stops before what it goes on from is in place.
#pragma once

#include "control/core/state.hpp"

namespace weir::control {

/// The longest that a job should stand still for its last checkpoint.
inline constexpr Duration worth_a_pause = seconds(2);

/// A job is not moved again sooner: each place that is held for it takes one of its generations (see generations_above_of).
inline constexpr Duration between_moves = seconds(2);

/// Published since the place is held: it is as old as its copy took.
[[nodiscard]] inline bool has_fresh_checkpoint(const LiveJob& job) {
    return job.move && job.move->target && !job.checkpoints.empty() && job.checkpoints.back().stored_at >= job.move->reserved_at;
}

/// Whether the newest of its checkpoints lies where it is to go on.
[[nodiscard]] inline bool has_newest_in_place(const LiveJob& job) {
    return job.move && job.move->prepared && !job.checkpoints.empty() && job.checkpoints.back().manifest == *job.move->prepared;
}

/// Whether a last checkpoint would be copied while the job stands still: there and back, from one site to the store and on to the other.
[[nodiscard]] inline bool copies_quickly(const Move& move) {
    return move.prepared && 2 * milliseconds(move.prepared_in_ms).ns <= worth_a_pause.ns;
}

/// Whether the program is to be asked for a checkpoint while it runs on.
[[nodiscard]] inline bool wants_checkpoint(const LiveJob& job) {
    if (!job.move || !job.move->target || job.stop_ordered || !job.started_at || has_fresh_checkpoint(job)) return false;
    const auto protocol = job.spec->checkpoint.protocol;
    if (protocol != CheckpointProtocol::signal && protocol != CheckpointProtocol::file) return false;
    return job.checkpoints.empty() || (job.move->prepared && !copies_quickly(*job.move));
}

}  // namespace weir::control
