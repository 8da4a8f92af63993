#include "apps/agent/slurm_wiring.hpp"

#include "adapters/site_slurm/slurm_site.hpp"
#include "codec/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace weir::apps {

ports::CardStack stack_of(const std::string& model) {
    if (model.starts_with("Ascend")) return ports::CardStack::cann;
    if (model == "cpu" || model.starts_with("MLU") || model.starts_with("DCU")) return ports::CardStack::other;
    return ports::CardStack::cuda;
}

std::string supervisor_of(const agent::AgentConfig& config) {
    if (!config.supervisor.empty()) return config.supervisor;
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "weir-supervisor";
}

std::optional<std::string> find_fault_of_backend(const agent::AgentConfig& config, bool is_root) {
    if (config.backend != Backend::process && config.backend != Backend::slurm) {
        return fmt::format("backend is {} and this agent knows process and slurm; choose one of them", codec::name_of(config.backend));
    }
    if (config.backend == Backend::process) {
        if (!config.slurm) return std::nullopt;
        return "the file says where Slurm is, and its backend is process: add backend: slurm, or leave slurm out";
    }
    if (!config.slurm) return "backend is slurm and the file does not say where it is: add slurm: {api: \"unix:/path/of/slurmrestd.sock\"}";
    if (is_root) {
        return "the agent of a Slurm site must not be root: its tasks are jobs of its own user; run it as a user that Slurm knows";
    }
    if (config.users || config.owner_uid != 0 || !config.shared_paths.empty()) {
        return "a Slurm site has no users, owner_uid or shared_paths of its own: leave them out; its tasks run as the agent's user";
    }
    if (!config.slurm->shared_user) {
        return "all tasks of a Slurm site run as the agent's user, who can read the site's folder: say that its tenants share a user with "
               "shared_user: true, or run a process site with users of its own";
    }
    if (const auto address = site_slurm::parse_address(config.slurm->api); !address) return "slurm.api: " + address.error();
    if (config.slurm->token_file.empty() != config.slurm->user.empty()) {
        return "slurm.user and slurm.token_file belong together: give both, or neither where the socket tells who asks";
    }
    std::int64_t emulated = 0;
    std::int64_t groups = 0;
    for (const auto& node : config.nodes) {
        if (node.cpus.value == 0 || node.memory.value == 0) {
            return fmt::format("node {} must say its cpus and memory: Slurm's nodes are not looked into one by one", node.name.text());
        }
        groups += std::ssize(node.cards);
        emulated += std::ranges::count(node.cards, true, &agent::CardDeclaration::emulated);
    }
    if (emulated != 0 && emulated != groups) {
        return fmt::format("{} of {} groups of cards are declared emulated: at a Slurm site all are, or none", emulated, groups);
    }
    return std::nullopt;
}

ports::BackendResult<std::unique_ptr<ports::SiteBackend>> open_slurm_site(const agent::AgentConfig& config) {
    const auto& slurm = *config.slurm;
    auto address = site_slurm::parse_address(slurm.api);
    if (!address) return fail(ports::BackendError{ports::BackendFault::invalid, std::move(address.error())});
    site_slurm::SlurmConfig site{.root = config.root,
                                 .supervisor = supervisor_of(config),
                                 .rest = {.address = *address, .user = slurm.user, .token_file = slurm.token_file},
                                 .partition = slurm.partition,
                                 .account = slurm.account,
                                 .tenants_share_user = slurm.shared_user,
                                 .cache_bytes_max = config.cache_max.value << 20,
                                 .disk_floor_bytes = config.disk_floor.value << 20};
    for (const auto& gres : slurm.gres) site.kinds[gres.type] = {.model = gres.model, .stack = stack_of(gres.model)};
    for (const auto& node : config.nodes) {
        site.emulated = site.emulated || std::ranges::count(node.cards, true, &agent::CardDeclaration::emulated) > 0;
    }
    return std::unique_ptr<ports::SiteBackend>{WEIR_TRY(site_slurm::SlurmSite::open(std::move(site)))};
}

}  // namespace weir::apps
