#include "agent/task_spec.hpp"

#include "domain/tree.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>

namespace weir::agent {
namespace {

const Node* find_node(const NodeTable& table, const NodeName& name) {
    const auto found = std::ranges::find(table.nodes, name, &Node::name);
    return found == table.nodes.end() ? nullptr : &*found;
}

Result<void, std::string> add_cards(const PlacedNode& placed, const NodeTable& table, ports::TaskSpec& spec) {
    const auto here = table.cards.find(placed.node);
    if (here == table.cards.end()) return fail(fmt::format("node {} is not one of this site's", placed.node.text()));
    for (const auto& share : placed.cards) {
        if (share.index < 0 || static_cast<std::size_t>(share.index) >= here->second.size()) {
            return fail(
                fmt::format("card {} of node {} was asked for, which has {}", share.index, placed.node.text(), here->second.size()));
        }
        const auto& card = here->second[static_cast<std::size_t>(share.index)];
        if (card.lost) return fail(fmt::format("card {} of node {} was asked for, which is lost", share.index, placed.node.text()));
        if (!spec.cards.empty() && spec.stack != card.stack) {
            return fail(fmt::format("cards of two stacks were asked for on node {}: a task uses one", placed.node.text()));
        }
        spec.stack = card.stack;
        spec.cards.push_back(card.index);
    }
    return {};
}

}  // namespace

std::string script_of(const std::string& setup, const std::string& run) {
    if (setup.empty()) return run;
    return fmt::format(
        "exec 9>>\"$WEIR_OUTPUT_DIR/.weir-setup\" && flock 9 || exit 1\n"
        "if [ ! -s \"$WEIR_OUTPUT_DIR/.weir-setup\" ]; then\n(\n:\n{}\n) 9>&- || exit\necho done >&9\nfi\n"
        "exec 9>&-\n{}",
        setup, run);
}

Result<ports::TaskSpec, std::string> spec_of(const DesiredTask& desired, const GenerationRecord& record, const NodeTable& table,
                                             std::int32_t node_rank, ports::BootInstant deadline) {
    const auto& nodes = desired.placement.nodes;
    const auto& placed = nodes.at(static_cast<std::size_t>(node_rank));
    const auto processes = static_cast<std::int32_t>(desired.processes_per_node);
    ports::TaskSpec spec;
    spec.key = {.job = desired.job.text(), .generation = desired.generation, .node_rank = node_rank};
    spec.project = desired.project.text();
    spec.node = placed.node.text();
    spec.run = script_of(desired.setup, desired.run);
    spec.environment = desired.envs;
    spec.nnodes = static_cast<std::int32_t>(nodes.size());
    spec.processes_per_node = processes;
    spec.rank_offset = node_rank * processes;
    spec.world_size = spec.nnodes * processes;
    if (const auto* first = find_node(table, nodes.front().node); first != nullptr && !first->address.empty())
        spec.master_address = first->address;
    spec.master_port = record.master_port;
    WEIR_CHECK(add_cards(placed, table, spec));
    spec.memory_mib = desired.memory.value;
    spec.milli_cpus = desired.cpus.value;
    spec.kill_grace_s = record.kill_grace_s;
    spec.checkpoint_signal = desired.checkpoint == CheckpointProtocol::signal ? SIGUSR1 : 0;
    spec.checkpoint_before_s = record.checkpoint_before_s;
    if (desired.max_duration.value > 0) spec.stop_after_s = desired.max_duration.value + local_stop_slack_s;
    spec.resume = record.resume;
    if (desired.workdir) spec.tree = tree_name(*desired.workdir);
    spec.lease_deadline = deadline;
    return spec;
}

}  // namespace weir::agent
