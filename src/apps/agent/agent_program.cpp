#include "apps/agent/agent_program.hpp"

#include "adapters/site_process/process_site.hpp"
#include "agent/agent.hpp"
#include "apps/agent/agent_stores.hpp"
#include "apps/agent/slurm_wiring.hpp"
#include "codec/bare_lengths.hpp"
#include "codec/decode.hpp"
#include "transport/site_link/http_server_link.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace weir::apps {
namespace {

constexpr int bad_usage = 2;
constexpr int cannot_run = 3;

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return std::nullopt;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

site_process::SiteConfig site_of(const agent::AgentConfig& config) {
    site_process::SiteConfig site;
    site.root = config.root;
    site.supervisor = supervisor_of(config);
    site.shared_paths = config.shared_paths;
    site.cache_bytes_max = config.cache_max.value << 20;
    site.disk_floor_bytes = config.disk_floor.value << 20;
    site.sandbox = config.sandbox;
    site.limits = config.limits;
    if (config.owner_uid != 0) site.site_owner = {config.owner_uid, config.owner_uid};
    if (config.users) site.users = {config.users->first, config.users->count};
    for (const auto& node : config.nodes) {
        for (const auto& cards : node.cards) {
            if (!cards.emulated) continue;
            site.emulated.push_back(
                {node.name.value, cards.model, stack_of(cards.model), cards.memory.value, static_cast<std::int32_t>(cards.count)});
        }
    }
    return site;
}

/// Why a root's agent cannot start tasks, or nothing: tenant code never runs as root, nor in root's group, nor as the site's own user.
/// Without this the site would refuse every start, and each refusal costs a job one of its restarts.
std::optional<std::string> find_fault_of_users(const agent::AgentConfig& config) {
    if (!config.users || config.owner_uid == 0) {
        return "the agent is root and its file gives the site no users: add owner_uid: 61000 for the site itself and users: "
               "{first: 61001, count: 999} for its tenants, or run the agent as an ordinary user";
    }
    const std::uint64_t first = config.users->first;
    const auto last = first + config.users->count - 1;
    if (config.owner_uid < first || config.owner_uid > last) return std::nullopt;
    return fmt::format("owner_uid is {} and the tenants' users are {} to {}: the site's own user must be none of them; name another",
                       config.owner_uid, first, last);
}

struct OpenSite {
    std::unique_ptr<ports::SiteBackend> backend;
    int change_descriptor = -1;
};

ports::BackendResult<OpenSite> open_site(const agent::AgentConfig& config) {
    if (config.backend == Backend::slurm) return OpenSite{.backend = WEIR_TRY(open_slurm_site(config))};
    auto site = WEIR_TRY(site_process::ProcessSite::open(site_of(config)));
    for (const auto& remark : site->remarks()) spdlog::warn("agent.site site={} \"{}\"", config.site.value, remark);
    const int descriptor = site->change_descriptor();
    return OpenSite{.backend = std::move(site), .change_descriptor = descriptor};
}

/// The first line of its file; empty where that cannot be read.
std::string token_of(const agent::AgentConfig& config) {
    const auto text = read_file(config.token_file);
    return text ? text->substr(0, text->find('\n')) : std::string{};
}

int run(const agent::AgentConfig& config, const std::stop_token& stop) {
    if (token_of(config).empty()) {
        spdlog::error("token_file {} {}; an operator makes it with: weir site agent-token {}", config.token_file,
                      read_file(config.token_file) ? "has no token in its first line" : "cannot be read", config.site.value);
        return bad_usage;
    }
    const bool is_root = ::geteuid() == 0;
    if (const auto fault = find_fault_of_backend(config, is_root)) {
        spdlog::error("{}", *fault);
        return bad_usage;
    }
    if (const auto fault = is_root && config.backend == Backend::process ? find_fault_of_users(config) : std::nullopt) {
        spdlog::error("{}", *fault);
        return bad_usage;
    }
    auto site = open_site(config);
    if (!site) {
        spdlog::error("the site cannot be opened: {}", site.error().message);
        return cannot_run;
    }
    const auto stores = open_stores(config);
    if (!stores) {
        spdlog::error("the network's store cannot be opened: {}", stores.error());
        return cannot_run;
    }
    for (const auto& remark : stores->remarks) spdlog::warn("agent.store site={} \"{}\"", config.site.value, remark);
    auto link =
        site_link::HttpServerLink::make({.url = config.server, .site = config.site, .token = [&config] { return token_of(config); }});
    if (!link) {
        spdlog::error("server is {} and must be http://host:port, or at most {} of them between commas", config.server, http::servers_max);
        return bad_usage;
    }
    const std::stop_callback interrupt{stop, [&link] { (*link)->interrupt(); }};
    const agent::AgentParts parts{.backend = *site->backend,
                                  .link = **link,
                                  .store = *stores->checkpoints,
                                  .data = stores->data.get(),
                                  .change_descriptor = site->change_descriptor};
    if (auto ran = agent::run_agent(config, parts, stop); !ran) {
        spdlog::error("{}", ran.error());
        return cannot_run;
    }
    return 0;
}

}  // namespace

int run_agent_program(const std::string& config_path) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    spdlog::set_default_logger(spdlog::stderr_color_mt("agent"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");

    const auto text = read_file(config_path);
    if (!text) {
        spdlog::error("{} cannot be read; give the path of the agent's file", config_path);
        return bad_usage;
    }
    if (const auto document = codec::read_yaml(*text)) {
        constexpr std::array<std::string_view, 6> lengths{"meter_slice",      "log_retention", "pause_grace",
                                                          "replicate_within", "outputs_every", "poll_wait"};
        const auto bare = codec::bare_lengths(*document, lengths, config_path);
        for (const auto& problem : bare) spdlog::error("{}", codec::describe(problem));
        if (!bare.empty()) return bad_usage;
    }
    const auto config = codec::decode_yaml<agent::AgentConfig>(*text, config_path);
    if (!config) {
        for (const auto& problem : config.error()) spdlog::error("{}", codec::describe(problem));
        return bad_usage;
    }
    std::stop_source stop;
    std::atomic<bool> is_over{false};
    std::jthread signals{[&stop, &is_over, ends] {
        int caught = 0;
        sigwait(&ends, &caught);
        if (is_over) return;
        spdlog::info("stopping on signal {}; tasks run on until their leases end", caught);
        stop.request_stop();
    }};
    const int code = run(*config, stop.get_token());
    is_over = true;
    if (!stop.stop_requested()) kill(getpid(), SIGTERM);  // the thread that waits for a signal gets one
    return code;
}

}  // namespace weir::apps
