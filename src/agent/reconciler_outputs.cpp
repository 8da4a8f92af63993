// What a generation leaves in its folders of outputs, on its way to the network's store: while it runs, what has settled; at its end all,
// before the end is told.
#include "agent/reconciler.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace weir::agent {
namespace {

ports::BootInstant after(ports::BootInstant now, std::int64_t s) { return {now.ns + s * 1'000'000'000}; }

/// From one second to a minute.
std::int64_t pause_s_after(std::uint32_t failures) { return std::min<std::int64_t>(1LL << std::min(failures, 6U), 60); }

}  // namespace

/// Whether what a generation left is still to be stored: somebody may still want it.
bool Reconciler::wants_outputs(const GenerationKey& key, const Gang& gang) const {
    const auto* record = records_.find(key);
    if (record == nullptr || !record->output_bytes_max || record->outputs_settled.value_or(false) || record->end_known) return false;
    if (gang.desired == nullptr || gang.desired->is_prepare() || gang.ranks.empty() || gang.ranks.front() == nullptr) return false;
    return gang.closing != Closing::superseded && gang.closing != Closing::undesired;
}

bool Reconciler::keep_outputs(const GenerationKey& key, const Gang& gang) {
    if (!wants_outputs(key, gang)) return false;
    auto& memory = memory_[key];
    const bool is_over = gang.view.state == TaskState::ended;
    if (!is_over && (gang.closing != Closing::none || options_.outputs_every.value == 0)) {
        // What stops makes its last checkpoint now, which nothing is to hold up; its outputs follow at its end.
        if (!memory.keeping_outputs || memory.replicating) return false;
        desk_.drop(key);
        memory.keeping_outputs = false;
        return false;
    }
    if (memory.keeping_outputs || memory.left_nothing || (memory.outputs && memory.outputs->name == outputs_final)) return false;
    const auto* record = records_.find(key);
    if (is_over && memory.outputs_fault && now_s_ >= gang.view.ended_at_s + options_.replicate_within.value) {
        memory.outputs = memory.outputs_fault;
        memory.outputs->name = outputs_final;
        return false;
    }
    if (now_ < memory.outputs_after && (!is_over || memory.outputs_put_off > 0)) return false;
    if (!is_over && memory.outputs_after.ns == 0) {
        memory.outputs_after = after(now_, options_.outputs_every.value);
        return false;
    }
    memory.keeping_outputs = true;
    memory.outputs_after = after(now_, options_.outputs_every.value);
    OutputOrder order{.key = key, .project = record->project, .bytes_max = *record->output_bytes_max};
    order.nnodes = static_cast<std::int32_t>(gang.ranks.size());
    order.all_nodes = record->outputs_of_all.value_or(false);
    order.is_over = is_over;
    order.before = gang.desired->outputs_before;
    order.known = memory.known_outputs;
    order.stored = memory.outputs_stored;
    desk_.order(std::move(order));
    return true;
}

void Reconciler::take(const OutputsKept& answer) {
    auto& memory = memory_[answer.key];
    memory.keeping_outputs = false;
    if (records_.find(answer.key) == nullptr) return;
    if (!answer.why.empty()) complain(answer.key, "store its outputs", answer.why);
    const auto name = std::string{answer.is_over ? outputs_final : outputs_so_far};
    const auto tell = [&](OutputReport report) {
        if (memory.outputs_told != report) memory.outputs = std::move(report);
    };
    const auto fault_report = [&](OutputFault fault) {
        return OutputReport{answer.key.job, answer.key.generation, name, {}, answer.size.bytes, answer.size.files, fault, answer.bytes_max};
    };
    if (answer.again) {
        memory.outputs_after = after(now_, pause_s_after(memory.outputs_put_off++));
        memory.outputs_fault = fault_report(answer.fault.value_or(OutputFault::store_unavailable));
        // A store that is away for a moment is no news to anybody.
        if (answer.fault && !answer.is_over) tell(fault_report(*answer.fault));
        return;
    }
    memory.outputs_put_off = 0;
    memory.outputs_fault.reset();
    if (answer.fault) return tell(fault_report(*answer.fault));
    if (answer.known) memory.known_outputs = answer.known;
    const bool is_new = memory.outputs_stored != answer.tree;
    memory.outputs_stored = answer.tree;
    if (answer.tree) {
        if (is_new) {
            spdlog::info("outputs.stored job={} generation={} name={} files={} bytes={} left_out={}", answer.key.job.text(),
                         answer.key.generation, name, answer.size.files, answer.size.bytes, answer.left_out.size());
        }
        return tell(OutputReport{answer.key.job, answer.key.generation, name, *answer.tree, answer.size.bytes, answer.size.files});
    }
    if (!answer.is_over) return;
    // It left nothing, or what it left can never be stored: the next agent would look once more, and see the same.
    memory.left_nothing = true;
}

/// Whether the end may be told: with what it left, or after it, never before; and a store that does not answer holds no end back for long.
bool Reconciler::outputs_settled(const GenerationKey& key, const Gang& gang) const {
    if (!wants_outputs(key, gang)) return true;
    const auto found = memory_.find(key);
    if (found != memory_.end() && found->second.left_nothing) return true;
    if (found != memory_.end() && found->second.outputs && found->second.outputs->name == outputs_final) return true;
    return now_s_ >= gang.view.ended_at_s + options_.replicate_within.value;
}

}  // namespace weir::agent
