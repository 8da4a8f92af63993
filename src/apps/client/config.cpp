#include "apps/client/config.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "transport/http/client/servers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t token_bytes_max = 4096;

std::optional<std::string> not_empty(std::optional<std::string> text) { return text && !text->empty() ? text : std::nullopt; }

std::string trimmed(std::string text) {
    constexpr std::string_view blank = " \t\r\n";
    text.erase(text.find_last_not_of(blank) + 1);
    text.erase(0, text.find_first_not_of(blank));
    return text;
}

void warn_if_open(const Console& console, const std::string& path) {
    std::error_code error;
    const auto mode = fs::status(path, error).permissions();
    if (error || (mode & (fs::perms::group_read | fs::perms::others_read)) == fs::perms::none) return;
    console.err << fmt::format("weir: others can read the token in {}; close it with: chmod 600 {}\n", path, path);
}

}  // namespace

Result<std::string, Failure> config_path(const Console& console) {
    if (const auto folder = not_empty(console.environment("XDG_CONFIG_HOME"))) return *folder + "/weir/config.yaml";
    if (const auto home = not_empty(console.environment("HOME"))) return *home + "/.config/weir/config.yaml";
    return fail(
        usage("neither XDG_CONFIG_HOME nor HOME is set, so there is no place for the configuration; set HOME, or use WEIR_SERVER and "
              "WEIR_TOKEN"));
}

Result<Config, Failure> read_config(const Console& console) {
    const auto path = config_path(console);
    if (!path) return Config{};
    std::error_code ignored;
    if (fs::is_directory(*path, ignored)) return fail(usage(fmt::format("{} is a directory; a configuration is a file", *path)));
    std::ifstream file{*path};
    if (!file) return Config{};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    auto config = codec::decode_yaml<Config>(text, *path);
    if (!config) return fail(failure_of(config.error()));
    if (config->token) warn_if_open(console, *path);
    return *config;
}

Result<std::string, Failure> save_config(const Console& console, const Config& config) {
    const auto path = WEIR_TRY(config_path(console));
    std::string text = "# Written by weir login. The token is a secret: keep this file to yourself.\n";
    const auto line = [&text](std::string_view name, const std::optional<std::string>& value) {
        if (!value) return;
        text += fmt::format("{}: ", name);
        codec::append_quoted(text, *value);  // A JSON string is a YAML string.
        text += '\n';
    };
    line("server", config.server);
    line("token", config.token);
    if (auto wrong = write_private_file(path, text)) return fail(usage(*std::move(wrong)));
    return path;
}

Result<std::string, Failure> read_token(const Console& console, const std::string& file) {
    std::string token;
    if (file == "-") {
        std::getline(console.in, token);
    } else {
        std::error_code ignored;
        std::ifstream stream{file};
        if (!stream || fs::is_directory(file, ignored))
            return fail(usage(fmt::format("the token file {} cannot be read; check its path and mode", file)));
        token.resize(token_bytes_max + 1);
        stream.read(token.data(), static_cast<std::streamsize>(token.size()));
        token.resize(static_cast<std::size_t>(stream.gcount()));
    }
    token = trimmed(std::move(token));
    if (token.empty())
        return fail(
            usage(fmt::format("there is no token in {}; put the secret of weir token issue there", file == "-" ? "standard input" : file)));
    if (token.size() > token_bytes_max || token.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(usage(fmt::format("{} holds more than a token, which is one word of at most {} bytes",
                                      file == "-" ? "standard input" : file, token_bytes_max)));
    }
    return token;
}

namespace {

/// `http://weir.example/` and `http://weir.example` are one server; of several each.
std::string written_alike(std::string_view servers) { return fmt::format("{}", fmt::join(http::split_servers(servers), ",")); }

/// Whether each server of a list is one of the others.
bool are_among(std::string_view servers, std::string_view others) {
    const auto known = http::split_servers(others);
    return std::ranges::all_of(http::split_servers(servers), [&](const auto& one) { return std::ranges::find(known, one) != known.end(); });
}

}  // namespace

Result<Settings, Failure> settings_of(const Console& console, const Flags& flags) {
    const auto config = WEIR_TRY(read_config(console));
    Settings settings;
    settings.server = written_alike(
        !flags.server.empty() ? flags.server
                              : not_empty(console.environment("WEIR_SERVER")).value_or(config.server.value_or(usual_server)));
    if (!flags.token_file.empty()) {
        settings.token = WEIR_TRY(read_token(console, flags.token_file));
    } else if (const auto token = not_empty(console.environment("WEIR_TOKEN"))) {
        settings.token = trimmed(*token);
    } else if (config.token && config.server && are_among(settings.server, *config.server)) {
        settings.token = *config.token;
    }
    return settings;
}

}  // namespace weir::cli
