// apps/client/arguments.hpp: how the commands are spelled.
#pragma once

#include "apps/client/commands.hpp"

#include <functional>

namespace CLI {
class App;
}

namespace weir::cli {

/// What the command line chose, once it is parsed.
struct Chosen {
    Flags flags;
    bool is_login = false;
    std::function<Done(Session&)> run;
};

/// Adds every command of the client; parsing fills `chosen`, which must outlive `app`.
void add_commands(CLI::App& app, Chosen& chosen);

}  // namespace weir::cli
