// apps/client/arguments.hpp: how the commands are spelled.
#pragma once

#include "apps/client/commands.hpp"
#include "apps/client/explain.hpp"

#include <functional>

namespace CLI {
class App;
}

namespace weir::cli {

/// What the command line chose, once it is parsed.
struct Chosen {
    Flags flags;
    std::function<Done(Session&)> run;
    HelpAsk help;
    CompletionAsk completion;
    ManAsk man;
    std::function<Done(Console&)> alone;  ///< Of a command that needs no server, or is not to ask one yet.
};

/// Adds every command of the client; parsing fills `chosen`, which must outlive `app`.
void add_commands(CLI::App& app, Chosen& chosen);

}  // namespace weir::cli
