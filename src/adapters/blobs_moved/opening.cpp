#include "adapters/blobs_moved/opening.hpp"

#include "adapters/blobs_moved/stage.hpp"
#include "adapters/blobs_moved/tools.hpp"

namespace weir::blobs_moved {

Result<Moved, std::string> open_moved(const MovedAsk& ask) {
    const auto moving = ask.stage + "/moving";
    const auto own = moving + "/" + ask.writer;
    for (const auto& folder : {moving, own, own + "/lists", own + "/projects"}) {
        if (!make_stage(folder)) return fail(folder + " cannot be made");
    }
    const ToolOptions options{.program = ask.tool == Tool::rclone ? "rclone" : "rsync",
                              .base = ask.to,
                              .config = ask.config,
                              .aside = own + "/lists",
                              .bytes_per_s = ask.bytes_per_s};
    if (auto fault = fault_of(options)) return fail(std::move(*fault));
    std::shared_ptr<ports::Mover> mover = std::make_shared<RcloneMover>(options);
    if (ask.tool == Tool::rsync) mover = std::make_shared<RsyncMover>(options);
    MovedOptions moved{.stage = own + "/checkpoints", .prefix = {}, .writer = ask.writer};
    auto checkpoints = MovedData::open(mover, moved);
    if (!checkpoints) return fail(std::move(checkpoints).error().message);
    moved.stage = own + "/projects";
    auto text = mover->text();
    return Moved{std::move(*checkpoints), std::make_unique<MovedStores>(std::move(mover), std::move(moved)), std::move(text)};
}

}  // namespace weir::blobs_moved
