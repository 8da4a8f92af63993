// apps/up/up_program.hpp: `weir up`: a whole network on one machine, and a training that survives the loss of a site's agent.
#pragma once

#include <string>

namespace weir::up {

struct UpOptions {
    std::string share;          ///< Folder of catalogue/ and examples/.
    std::string digits;         ///< The training's data.
    std::string programs;       ///< Folder of weir-server, weir and weir-supervisor.
    bool once = false;          ///< End after the job, instead of staying up until Ctrl-C.
};

/// Returns the exit code: 0 where the interrupted training ended with the bits of an unbroken one.
[[nodiscard]] int run_up(const UpOptions& options);

}  // namespace weir::up
