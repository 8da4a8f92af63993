// apps/agent/agent_stores.hpp: which stores a site's agent copies to and from, as its file says.
#pragma once

#include "agent/config.hpp"
#include "base/result.hpp"
#include "ports/data_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::apps {

struct AgentStores {
    std::shared_ptr<ports::BlobStore> checkpoints;
    std::unique_ptr<ports::DataStores> data;
    std::vector<std::string> remarks;  ///< For the operator.
};

[[nodiscard]] Result<AgentStores, std::string> open_stores(const agent::AgentConfig& config);

}  // namespace weir::apps
