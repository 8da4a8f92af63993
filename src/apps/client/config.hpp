// apps/client/config.hpp: which server, with which token.
//
// A flag goes before the environment, and that before the file that `weir login` writes. The token of the file is
// sent to the servers of the file alone: who names another one must bring its token, too. Of a network with several servers all addresses
// are given, between commas.
#pragma once

#include "apps/client/console.hpp"
#include "apps/client/failure.hpp"

#include <boost/describe.hpp>

#include <optional>
#include <string>

namespace weir::cli {

/// What stands before or behind any command.
struct Flags {
    std::string server;
    std::string token_file;  ///< "-": standard input.
    bool json = false;
};

/// The file as it is stored.
struct Config {
    std::optional<std::string> server;
    std::optional<std::string> token;
};
BOOST_DESCRIBE_STRUCT(Config, (), (server, token))

struct Settings {
    std::string server;
    std::string token;  ///< Empty: none is known.
};

inline constexpr const char* usual_server = "http://127.0.0.1:7440";

/// $XDG_CONFIG_HOME/weir/config.yaml, or ~/.config/weir/config.yaml.
[[nodiscard]] Result<std::string, Failure> config_path(const Console& console);
[[nodiscard]] Result<Config, Failure> read_config(const Console& console);
/// Stores it, readable by its owner alone; returns the path.
[[nodiscard]] Result<std::string, Failure> save_config(const Console& console, const Config& config);
[[nodiscard]] Result<Settings, Failure> settings_of(const Console& console, const Flags& flags);
/// The token in a file, or in the first line of standard input for "-".
[[nodiscard]] Result<std::string, Failure> read_token(const Console& console, const std::string& file);

}  // namespace weir::cli
