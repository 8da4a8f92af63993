// agent/task_spec.hpp: one node's part of a placed job, in the words of the backend.
//
// It answers one question: what exactly should run on this node? Whether it should run now is the reconciler's.
#pragma once

#include "agent/nodes.hpp"
#include "agent/records.hpp"
#include "domain/agent_link.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <string>

namespace weir::agent {

/// How much longer than its longest duration a task runs before its supervisor stops it: the network's own order comes first, unless the
/// site is cut off.
inline constexpr std::int64_t local_stop_slack_s = 30;

/// `run`, with `setup` before it once per node: whichever process comes first does it, the others of the node wait for it.
[[nodiscard]] std::string script_of(const std::string& setup, const std::string& run);

/// The task of `node_rank`; or why this site cannot run it: a node or a card that it does not have.
[[nodiscard]] Result<ports::TaskSpec, std::string> spec_of(const DesiredTask& desired, const GenerationRecord& record,
                                                           const NodeTable& table, std::int32_t node_rank, ports::BootInstant deadline);

}  // namespace weir::agent
