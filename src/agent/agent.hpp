// agent/agent.hpp: the agent of a site: a loop that carries messages, brings the time, and otherwise waits.
//
// It answers one question: when is it time to look, to act and to speak? What to do and say is the reconciler's.
//
// A change is reported at once; without one a heartbeat renews the leases three times in each. A thread waits at the server for what
// should run and wakes the loop. While the server cannot be reached nothing is lost: tasks keep the lease they have, their supervisors
// end them when it ends, and what happened is told when the server is back.
//
// A file in the root directory (pause.hpp) empties the site, with the network down too; without it the site works again.
#pragma once

#include "agent/config.hpp"
#include "base/result.hpp"
#include "ports/blob_store.hpp"
#include "ports/data_store.hpp"
#include "ports/server_link.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <set>
#include <stop_token>
#include <string>

namespace weir::agent {

struct AgentParts {
    ports::SiteBackend& backend;
    ports::ServerLink& link;
    ports::BlobStore& store;
    ports::DataStores* data = nullptr;  ///< What projects keep; null: this site has no way to it.
    /// Becomes readable when it is time to observe; -1: there is none.
    int change_descriptor = -1;
};

/// Runs until it is told to stop, which leaves the tasks as they are, or cannot begin: the error says why. The root directory exists.
[[nodiscard]] Result<void, std::string> run_agent(const AgentConfig& config, const AgentParts& parts, const std::stop_token& stop);

/// A port of 127.0.0.1 that was free just now and is none of `taken`; 0 where there is none.
[[nodiscard]] std::uint16_t pick_free_port(const std::set<std::uint16_t>& taken);

}  // namespace weir::agent
