// apps/agent/pause_program.hpp: `weir agent pause` and `weir agent resume`: empties a site by hand, and gives it back.
#pragma once

#include <string>

namespace weir::apps {

/// Reads where the site's root is from the agent's file; no network is needed. Returns the program's exit code.
[[nodiscard]] int run_pause_program(const std::string& config_path, bool pause);

}  // namespace weir::apps
