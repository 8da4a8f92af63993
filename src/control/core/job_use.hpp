// control/core/job_use.hpp: what a meter or a checkpoint changes in a job.
//
// apply makes the change; decide makes it on a copy, where one report brings the last seconds of a job and its end.
#pragma once

#include "control/core/state.hpp"

namespace weir::control {

/// The interval counts: at risk since the last checkpoint, or lost where it came too late. Whether a voucher had ended is judged by our
/// clock `at` which it came, and not by the meter's: it ended then at the latest, and began when the cards were given at the earliest.
void take_meter(LiveJob& job, const TaskMetered& meter, Instant at);
/// The checkpoint is kept (the newest two are, and the newest of another site) and secures what its generation had used when it was taken.
void take_checkpoint(LiveJob& job, const CheckpointStored& checkpoint, Instant at);

/// The usage of a generation; nullptr where it never held cards.
/// Where a meter stands; nullptr where it has told nothing yet.
[[nodiscard]] const MeterState* meter_of(const LiveJob& job, std::uint32_t generation, std::uint32_t node_rank);
[[nodiscard]] GenerationUsage* usage_of(LiveJob& job, std::uint32_t generation);

}  // namespace weir::control
