#include "apps/agent/pause_program.hpp"

#include "agent/config.hpp"
#include "agent/pause.hpp"
#include "codec/decode.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::apps {
namespace {

constexpr int bad_usage = 2;
constexpr int cannot_run = 3;

Result<agent::AgentConfig, std::string> read_config(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return fail(fmt::format("{} cannot be read; give the path of the agent's file", path));
    std::ostringstream text;
    text << file.rdbuf();
    auto config = codec::decode_yaml<agent::AgentConfig>(text.str(), path);
    if (!config) {
        auto problems = codec::describe(config.error());
        problems.pop_back();  // The end of the last line is the printer's.
        return fail(std::move(problems));
    }
    return std::move(*config);
}

}  // namespace

int run_pause_program(const std::string& config_path, bool pause) {
    const auto config = read_config(config_path);
    if (!config) {
        fmt::print(stderr, "weir: {}\n", config.error());
        return bad_usage;
    }
    if (!std::filesystem::is_directory(config->root)) {
        fmt::print(stderr, "weir: the root of {}, {}, is not there; its agent has never run here\n", config->site.value, config->root);
        return bad_usage;
    }
    const Instant now{static_cast<std::int64_t>(std::time(nullptr)) * 1'000'000'000};
    const auto changed = pause ? agent::pause_site(config->root, now) : agent::resume_site(config->root);
    if (!changed) {
        fmt::print(stderr, "weir: {}\n", changed.error());
        return cannot_run;
    }
    const bool was_so = *changed == agent::PauseChange::was_so;
    if (pause) {
        fmt::print("{} {} paused: nothing starts there, and each task is stopped once it has made a checkpoint or {} s are over\n",
                   config->site.value, was_so ? "was already" : "is", config->pause_grace.value);
    } else {
        fmt::print("{} {}\n", config->site.value, was_so ? "was not paused" : "takes work again");
    }
    return 0;
}

}  // namespace weir::apps
