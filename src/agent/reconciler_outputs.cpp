// What a generation left in its folder of outputs, on its way to the network's store: once, at its end, before the end is told.
#include "agent/reconciler.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weir::agent {
namespace {

/// From one second to a minute: each attempt reads all of it again.
ports::BootInstant pause_after(ports::BootInstant now, std::uint32_t failures) {
    return {now.ns + std::min<std::int64_t>(1LL << std::min(failures, 6U), 60) * 1'000'000'000};
}

}  // namespace

/// Whether what a generation left is still to be stored: it is over, and somebody may still want it.
bool Reconciler::wants_outputs(const GenerationKey& key, const Gang& gang) const {
    const auto* record = records_.find(key);
    if (record == nullptr || !record->output_bytes_max || record->outputs_settled.value_or(false) || record->end_known) return false;
    if (gang.view.state != TaskState::ended || gang.ranks.empty() || gang.ranks.front() == nullptr) return false;
    // What goes on elsewhere leaves its outputs there.
    return !is_given_up(gang) && !leaves(gang);
}

bool Reconciler::keep_outputs(const GenerationKey& key, const Gang& gang) {
    if (!wants_outputs(key, gang)) return false;
    auto& memory = memory_[key];
    if (memory.keeping_outputs || memory.outputs || now_ < memory.replicate_after) return false;
    const auto* record = records_.find(key);
    memory.keeping_outputs = true;
    desk_.order(OutputOrder{key, record->project, *record->output_bytes_max});
    return true;
}

void Reconciler::take(const OutputsKept& answer) {
    auto& memory = memory_[answer.key];
    memory.keeping_outputs = false;
    if (answer.again) {
        memory.replicate_after = pause_after(now_, memory.put_off++);
        return complain(answer.key, "store its outputs", answer.fault);
    }
    memory.put_off = 0;
    const auto* known = records_.find(answer.key);
    if (known == nullptr) return;
    if (!answer.fault.empty()) {
        spdlog::warn("outputs.not_kept job={} generation={} why=\"{}\"", answer.key.job.text(), answer.key.generation, answer.fault);
        auto record = *known;
        record.outputs_settled = true;
        return save(record);
    }
    spdlog::info("outputs.stored job={} generation={} files={} bytes={}", answer.key.job.text(), answer.key.generation, answer.size.files,
                 answer.size.bytes);
    memory.outputs = OutputReport{answer.key.job, answer.key.generation, "final", answer.tree, answer.size.bytes, answer.size.files};
}

/// Whether the end may be told: with what it left, or after it, never before; and a store that does not answer holds no end back for long.
bool Reconciler::outputs_settled(const GenerationKey& key, const Gang& gang) const {
    if (!wants_outputs(key, gang) || now_s_ >= gang.view.ended_at_s + options_.replicate_within.value) return true;
    const auto found = memory_.find(key);
    return found != memory_.end() && found->second.outputs.has_value();
}

}  // namespace weir::agent
