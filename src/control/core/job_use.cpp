#include "control/core/job_use.hpp"

#include "codec/encode.hpp"

#include <algorithm>
#include <utility>

namespace weir::control {
namespace {

/// When an interval was, by our clock.
struct Interval {
    std::int64_t from_s = 0;
    std::int64_t to_s = 0;
};

Interval by_our_clock(const TaskMetered& e, Instant placed_at, Instant at) {
    const auto length = e.to_s - e.from_s;
    const auto from = std::max(std::min(e.to_s, floor_seconds(at)) - length, floor_seconds(placed_at));
    return {from, from + length};
}

/// The part of an interval's use that came from this moment on.
MilliCardSeconds used_from(const Interval& when, MilliCardSeconds used, std::optional<std::int64_t> from_s) {
    if (!from_s || *from_s >= when.to_s) return {};
    if (*from_s <= when.from_s) return used;
    return MilliCardSeconds{mul_div(used.value, when.to_s - *from_s, when.to_s - when.from_s, Rounding::up).value_or(used.value)};
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

std::pair<std::uint32_t, std::uint32_t> key_of(const MeterState& meter) { return {meter.generation, meter.node_rank}; }

/// Where that meter stands, or would stand.
auto place_of(auto& meters, std::uint32_t generation, std::uint32_t node_rank) {
    return std::ranges::lower_bound(meters, std::pair{generation, node_rank}, {}, key_of);
}

/// Where a checkpoint was made; nullptr where that is not known.
const SiteName* site_of(const LiveJob& job, const StoredCheckpoint& checkpoint) {
    const auto found = std::ranges::find(job.usage, checkpoint.generation, &GenerationUsage::generation);
    return found == job.usage.end() ? nullptr : &found->site;
}

/// The newest two stay, and the newest of another site than theirs: one site's word alone decides not what a job can go on from.
void drop_old(LiveJob& job) {
    auto& all = job.checkpoints;
    if (all.size() <= 2) return;
    const auto* newest = site_of(job, all.back());
    const auto other = [&](const StoredCheckpoint& one) {
        const auto* site = site_of(job, one);
        return site != nullptr && newest != nullptr && *site != *newest;
    };
    const auto last_two = all.end() - 2;
    const bool both = std::any_of(last_two, all.end(), other);
    const auto kept = both ? all.rend() : std::find_if(std::make_reverse_iterator(last_two), all.rend(), other);
    std::vector<StoredCheckpoint> left;
    if (kept != all.rend()) left.push_back(*kept);
    left.insert(left.end(), last_two, all.end());
    all = std::move(left);
}

}  // namespace

GenerationUsage* usage_of(LiveJob& job, std::uint32_t generation) {
    const auto found = std::ranges::find(job.usage, generation, &GenerationUsage::generation);
    return found == job.usage.end() ? nullptr : &*found;
}

const MeterState* meter_of(const LiveJob& job, std::uint32_t generation, std::uint32_t node_rank) {
    const auto meter = place_of(job.meters, generation, node_rank);
    return meter != job.meters.end() && key_of(*meter) == std::pair{generation, node_rank} ? &*meter : nullptr;
}

void take_meter(LiveJob& job, const TaskMetered& e, Instant at) {
    const auto meter = place_of(job.meters, e.generation, e.node_rank);
    if (meter == job.meters.end() || key_of(*meter) != std::pair{e.generation, e.node_rank}) {
        job.meters.insert(meter, {e.generation, e.node_rank, e.sequence, e.to_s, e.used, e.to_s - e.from_s});
    } else {
        meter->sequence = e.sequence;
        meter->to_s = e.to_s;
        meter->used += e.used;
        meter->told_s += e.to_s - e.from_s;
    }
    auto* usage = usage_of(job, e.generation);
    if (usage == nullptr) return;
    const auto when = by_our_clock(e, usage->placed_at, at);
    for (auto& share : usage->shares) share.lapsed += used_from(when, e.used, share.until_s);
    if (e.lost_to) {
        usage->lost[std::string{codec::name_of(LossCause::lease_lost)}] += e.used;
    } else {
        usage->at_risk += e.used;
    }
}

void take_checkpoint(LiveJob& job, const CheckpointStored& e, Instant at) {
    job.checkpoints.push_back({e.generation, e.name, e.manifest, e.bytes, at});
    drop_old(job);
    auto* usage = usage_of(job, e.generation);
    if (usage == nullptr) return;
    const auto risked = metered_since(job, e, usage->at_risk);
    usage->secured += usage->at_risk - risked;
    usage->at_risk = risked;
}

}  // namespace weir::control
