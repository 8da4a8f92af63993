// apps/client/explain.hpp: the commands explained by themselves: completion for shells, man pages, and help that teaches.
//
// All of it is made of the parser's own commands, so that none of them can be forgotten. No server is asked.
#pragma once

#include "apps/client/console.hpp"
#include "apps/client/failure.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

struct CompletionAsk {
    std::string shell;
};
/// A script for bash, zsh or fish that completes commands, options, and words with a fixed set of values.
[[nodiscard]] Done print_completion(Console& console, const CLI::App& app, const CompletionAsk& ask);

struct ManAsk {
    std::string to;  ///< A folder for all pages; empty: the page of `command` to standard output.
    std::vector<std::string> command;
};
/// Pages in roff: weir(1), and one for each command of the first level.
[[nodiscard]] Done print_man(Console& console, const CLI::App& app, const ManAsk& ask);

struct HelpAsk {
    std::vector<std::string> about;  ///< A topic, or a command; empty: what there is to read.
};
[[nodiscard]] Done print_help(Console& console, const CLI::App& app, const HelpAsk& ask);

}  // namespace weir::cli
