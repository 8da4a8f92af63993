// apps/server/standby.hpp: what a server answers while it stands by, or still recovers: that it lives, and that another one is to be asked.
//
// Every route of the API is answered with the problem `not_leader` (503, Retry-After), reads too: what this server has followed may be a
// moment old, and whoever asks has the leader's address. /healthz is answered with 200, /metrics with one figure, /readyz with 503.
#pragma once

#include "transport/http/server/server.hpp"

#include <string>

namespace weir::server {

/// Listens until it is stopped; for the API to take its place.
[[nodiscard]] Result<http::Server, http::StartError> start_standby(http::ServerOptions options, std::string build);

}  // namespace weir::server
