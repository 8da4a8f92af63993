#include "control/core/job_use.hpp"

#include "codec/encode.hpp"

#include <algorithm>

namespace weir::control {
namespace {

/// The part of an interval's use that came from this moment on.
MilliCardSeconds used_from(const TaskMetered& e, std::optional<std::int64_t> from_s) {
    if (!from_s || *from_s >= e.to_s) return {};
    if (*from_s <= e.from_s) return e.used;
    return MilliCardSeconds{mul_div(e.used.value, e.to_s - *from_s, e.to_s - e.from_s, Rounding::up).value_or(e.used.value)};
}

/// What the generation's meters have counted after the checkpoint was taken, at most `most`: it was on its way to the store meanwhile.
MilliCardSeconds metered_since(const LiveJob& job, const CheckpointStored& e, MilliCardSeconds most) {
    MilliCardSeconds sum{0};
    if (!e.taken_s || !job.placement) return sum;
    for (const auto& meter : job.meters) {
        if (meter.generation != e.generation || meter.to_s <= *e.taken_s) continue;
        // A moment before all that was metered secures nothing, however long before.
        const auto seconds = meter.to_s - std::max<std::int64_t>(*e.taken_s, 0);
        const MilliCardSeconds used{checked_mul(job.placement->per_node.value, seconds).value_or(most.value)};
        sum = std::min(most, sum + std::min(most, used));
    }
    return sum;
}

}  // namespace

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
    for (auto& share : usage->shares) share.lapsed += used_from(e, share.until_s);
    if (e.lost_to) {
        usage->lost[std::string{codec::name_of(LossCause::lease_lost)}] += e.used;
    } else {
        usage->at_risk += e.used;
    }
}

void take_checkpoint(LiveJob& job, const CheckpointStored& e, Instant at) {
    job.checkpoints.push_back({e.generation, e.name, e.manifest, e.bytes, at});
    if (job.checkpoints.size() > 2) job.checkpoints.erase(job.checkpoints.begin());
    auto* usage = usage_of(job, e.generation);
    if (usage == nullptr) return;
    const auto risked = metered_since(job, e, usage->at_risk);
    usage->secured += usage->at_risk - risked;
    usage->at_risk = risked;
}

}  // namespace weir::control
