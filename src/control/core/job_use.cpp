#include "control/core/job_use.hpp"

#include "codec/encode.hpp"

#include <algorithm>

namespace weir::control {

GenerationUsage* usage_of(LiveJob& job, std::uint32_t generation) {
    const auto found = std::ranges::find(job.usage, generation, &GenerationUsage::generation);
    return found == job.usage.end() ? nullptr : &*found;
}

void take_meter(LiveJob& job, const TaskMetered& e) {
    auto meter =
        std::ranges::find_if(job.meters, [&](const MeterState& m) { return m.generation == e.generation && m.node_rank == e.node_rank; });
    if (meter == job.meters.end()) {
        job.meters.push_back({e.generation, e.node_rank, e.sequence, e.to_s});
    } else {
        meter->sequence = e.sequence;
        meter->to_s = e.to_s;
    }
    auto* usage = usage_of(job, e.generation);
    if (usage == nullptr) return;
    if (e.lost_to) {
        usage->lost[std::string{codec::name_of(LossCause::lease_lost)}] += e.used;
    } else {
        usage->at_risk += e.used;
    }
}

void take_checkpoint(LiveJob& job, const CheckpointStored& e, Instant at) {
    job.checkpoints.push_back({e.generation, e.name, e.manifest, e.bytes, at});
    if (job.checkpoints.size() > 2) job.checkpoints.erase(job.checkpoints.begin());
    if (auto* usage = usage_of(job, e.generation)) {
        usage->secured += usage->at_risk;
        usage->at_risk = {};
    }
}

}  // namespace weir::control
