#include "apps/agent/agent_stores.hpp"

#include "adapters/blobs_local/blobs_local.hpp"
#include "adapters/blobs_local/data_local.hpp"
#include "adapters/blobs_moved/opening.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace weir::apps {
namespace {

Result<AgentStores, std::string> open_moved(const agent::AgentConfig& config) {
    if (::mkdir(config.blobs.c_str(), 0700) != 0 && errno != EEXIST) return fail(config.blobs + " cannot be made");
    const blobs_moved::MovedAsk ask{
        .tool = config.mover == agent::MoverTool::rclone ? blobs_moved::Tool::rclone : blobs_moved::Tool::rsync,
        .to = config.mover_to,
        .config = config.mover_config,
        .stage = config.blobs,
        .writer = config.site.value,
        .bytes_per_s = config.checkpoint_rate.value_or(MiB{0}).value << 20};
    auto moved = WEIR_TRY(blobs_moved::open_moved(ask));
    return AgentStores{std::move(moved.checkpoints), std::move(moved.data), {"copies go by " + moved.text}};
}

}  // namespace

Result<AgentStores, std::string> open_stores(const agent::AgentConfig& config) {
    if (config.has_tool()) return open_moved(config);
    auto blobs = blobs_local::LocalBlobs::open(config.blobs, config.site.value);
    if (!blobs) return fail(std::move(blobs).error().message);
    auto data = blobs_local::LocalDataStores::open(config.blobs, config.site.value);
    if (!data) return fail(std::move(data).error().message);
    auto remarks = (*blobs)->remarks();
    return AgentStores{std::move(*blobs), std::move(*data), std::move(remarks)};
}

}  // namespace weir::apps
