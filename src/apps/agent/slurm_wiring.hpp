// apps/agent/slurm_wiring.hpp: from an agent's file to its backend, where that is Slurm; and what the kinds of site share of it.
#pragma once

#include "agent/config.hpp"
#include "ports/site_backend.hpp"

#include <memory>
#include <optional>
#include <string>

namespace weir::apps {

/// The stack of a card that nothing detects, by the family of its model.
[[nodiscard]] ports::CardStack stack_of(const std::string& model);

/// The program weir-supervisor: as the file says, or beside this program.
[[nodiscard]] std::string supervisor_of(const agent::AgentConfig& config);

/// Why this file does not fit its backend, or nothing.
[[nodiscard]] std::optional<std::string> find_fault_of_backend(const agent::AgentConfig& config, bool is_root);

/// For a file without such a fault.
[[nodiscard]] ports::BackendResult<std::unique_ptr<ports::SiteBackend>> open_slurm_site(const agent::AgentConfig& config);

}  // namespace weir::apps
