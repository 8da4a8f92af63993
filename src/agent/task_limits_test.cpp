// Goal: what the domain accepts, the supervisor takes.
// Method: jobs at the domain's bounds, made into orders as the agent makes them and judged by the backend's own check; and one step
// beyond each bound, which the domain refuses.
#include "adapters/task_files/order.hpp"
#include "agent/task_spec.hpp"
#include "domain/limits.hpp"

#include <gtest/gtest.h>

#include <fmt/core.h>

namespace weir::agent {
namespace {

const Catalogue& models() {
    static const Catalogue entries{{"L20", {}}};
    return entries;
}

JobSpec largest() {
    JobSpec spec;
    spec.name = "largest";
    spec.resources.accelerators = {{.model = "L20", .per_node = MilliCards{limits::cards_per_node_max * 1000}, .run = ""}};
    spec.resources.cpus = MilliCpus{limits::cpus_milli_max};
    spec.resources.memory = MiB{limits::memory_mib_max};
    spec.num_nodes = limits::nodes_max;
    spec.processes_per_node = limits::processes_per_node_max;
    spec.setup = std::string(limits::script_bytes_max - 1, '#') + "\n";
    spec.run = std::string(limits::scripts_bytes_max - limits::script_bytes_max, ':');
    spec.checkpoint.protocol = CheckpointProtocol::signal;
    spec.max_duration = Seconds{limits::duration_s_max};
    auto left = limits::envs_bytes_max;
    for (std::size_t i = 0; i < limits::envs_max; ++i) {
        const auto key = fmt::format("V{:0>127}", i);
        const auto size = std::min({limits::env_bytes_max, left - key.size(), left - 128 * (limits::envs_max - i)});
        spec.envs[key] = std::string(size, 'v');
        left -= key.size() + size;
    }
    return spec;
}

/// What the supervisor would say of the last task of this job.
std::optional<std::string> fault_of(const JobSpec& spec) {
    DesiredTask task;
    task.job = *JobId::parse("job-01k00000000000000000000001");
    task.generation = UINT32_MAX;
    task.project = ProjectName{std::string(63, 'p')};
    task.setup = spec.setup;
    task.run = spec.run;
    task.envs = spec.envs;
    task.processes_per_node = spec.processes_per_node;
    task.cpus = spec.resources.cpus;
    task.memory = spec.resources.memory;
    task.checkpoint = spec.checkpoint.protocol;
    task.max_duration = spec.max_duration;
    PlacedNode placed{.node = NodeName{"n1"}, .cards = {}};
    NodeTable table;
    for (std::int32_t card = 0; card < limits::cards_per_node_max; ++card) {
        placed.cards.push_back({card, MilliCards{1000}});
        table.cards[placed.node].push_back({ports::CardStack::cuda, card, "L20", "", 1024, false, false});
    }
    task.placement.nodes.assign(static_cast<std::size_t>(spec.num_nodes), placed);
    GenerationRecord record;
    record.resume = std::string(63, 'c');
    record.master_port = 65'535;
    const auto last = static_cast<std::int32_t>(spec.num_nodes - 1);
    const auto order = spec_of(task, record, table, last, {});
    return order ? task_files::find_fault(*order) : std::optional{order.error()};
}

TEST(TaskLimits, TheLargestJobIsOneThatASupervisorTakes) {
    const auto spec = largest();
    const auto found = flaws(spec, models());
    for (const auto& flaw : found) ADD_FAILURE() << flaw.path << " " << flaw.message.substr(0, 200);
    EXPECT_EQ(fault_of(spec), std::nullopt);
    EXPECT_LE(script_of(spec.setup, spec.run).size(), task_limits::argument_bytes_max);
}

TEST(TaskLimits, OneStepBeyondIsRefusedWhenItIsSubmitted) {
    struct Row {
        std::string_view path;
        void (*widen)(JobSpec&);
    };
    const Row table[] = {
        {"processes_per_node", [](JobSpec& spec) { ++spec.processes_per_node; }},
        {"num_nodes", [](JobSpec& spec) { ++spec.num_nodes; }},
        {"setup", [](JobSpec& spec) { spec.setup += "#"; }},
        {"setup", [](JobSpec& spec) { spec.run += ":"; }},
        {"setup", [](JobSpec& spec) { spec.resources.accelerators[0].run = spec.run + ":"; }},
        {"envs", [](JobSpec& spec) { spec.envs["W"] = ""; }},
        {"envs", [](JobSpec& spec) { spec.envs.begin()->second += "v"; }},
    };
    for (const auto& row : table) {
        auto spec = largest();
        row.widen(spec);
        const auto found = flaws(spec, models());
        const auto named = std::ranges::any_of(found, [&](const auto& flaw) { return flaw.path.starts_with(row.path); });
        EXPECT_TRUE(named) << row.path;
    }
}

TEST(TaskLimits, NoVariableIsAcceptedThatTheSupervisorSetsItself) {
    for (const auto* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES",
                             "ASCEND_RT_VISIBLE_DEVICES", "WEIR_JOB", "WEIR_", "1X", "A-B", "", "HOME", "PATH", "_", "rank"}) {
        auto spec = largest();
        spec.envs = {{name, "1"}};
        EXPECT_EQ(flaws(spec, models()).empty(), !fault_of(spec)) << name;
    }
}

}  // namespace
}  // namespace weir::agent
