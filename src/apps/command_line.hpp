// apps/command_line.hpp: arguments of the programs that run on the machines of the network.
//
// Each of them tells its version. Wrong arguments end with the exit code that docs/reference/cli.md documents, whatever number the
// parser has for the case.
#pragma once

#include "apps/version/version.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace weir::apps {

inline constexpr int wrong_usage = 2;

/// Nothing where the arguments are good; else what was to be said is said, and this is the exit code.
[[nodiscard]] inline std::optional<int> end_of_parsing(CLI::App& app, int argc, const char* const* argv) {
    app.set_version_flag("--version", "weir " + std::string{version()}, "the release, and the commit it was built from");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : wrong_usage; }
    return std::nullopt;
}

}  // namespace weir::apps
