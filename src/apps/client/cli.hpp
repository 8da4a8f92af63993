// apps/client/cli.hpp: the program's commands that are clients of the HTTP API.
//
//     if (argc > 1 && ...) ...                  // server, agent, up, audit verify: the program's own
//     return weir::cli::run_client(argc, argv); // everything else, help and wrong words included
#pragma once

#include "apps/client/console.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Whether the word is the first of a client's command: `job`, `submit`, ...
[[nodiscard]] bool is_client_command(std::string_view word);

/// Runs a command line on this process's streams and returns the exit code of docs/reference/cli.md.
int run_client(int argc, char** argv);

/// The same on any console; `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, Console& console);

}  // namespace weir::cli
