// apps/agent/agent_program.hpp: `weir agent`: a site's agent from its file.
#pragma once

#include <string>

namespace weir::apps {

/// Runs until SIGTERM or SIGINT; tasks run on. Returns the exit code (docs/reference/cli.md).
[[nodiscard]] int run_agent_program(const std::string& config_path);

}  // namespace weir::apps
