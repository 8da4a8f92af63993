// adapters/blobs_moved/opening.hpp: the network's store as a site, or the server, reaches it by a tool.
//
// It answers one question: what of a configuration becomes which tool, with which far end and which folder of ours? Checkpoints lie at the
// top of the far end and what projects keep below `projects/`, as in a directory that all reach.
#pragma once

#include "adapters/blobs_moved/moved_data.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::blobs_moved {

enum class Tool : std::uint8_t { rclone = 1, rsync = 2 };

struct MovedAsk {
    Tool tool = Tool::rclone;
    std::string to{};              ///< The far end (tools.hpp).
    std::string config{};          ///< The tool's file with its keys; empty: none.
    std::string stage{};           ///< A folder of ours that is there.
    std::string writer{};          ///< The site's name; `network` of the server.
    std::int64_t bytes_per_s = 0;  ///< 0: as fast as it can.
};

struct Moved {
    std::shared_ptr<MovedData> checkpoints;
    std::unique_ptr<MovedStores> data;
    std::string text;  ///< What carries, and where to; for the operator.
};

/// An error in words where the configuration will not do, or nothing can be written below `stage`. The far end is not asked.
[[nodiscard]] Result<Moved, std::string> open_moved(const MovedAsk& ask);

}  // namespace weir::blobs_moved
