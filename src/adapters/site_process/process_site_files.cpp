// Logs and checkpoints of a site's tasks.
#include "adapters/site_process/checkpoints.hpp"
#include "adapters/site_process/disk.hpp"
#include "adapters/site_process/log_reader.hpp"
#include "adapters/site_process/order.hpp"
#include "adapters/site_process/outputs.hpp"
#include "adapters/site_process/process_site.hpp"
#include "adapters/site_process/task_folder.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <time.h>

namespace weir::site_process {

std::string ProcessSite::outputs_path(const ports::TaskKey& key) const {
    return fmt::format("{}/{}/{}", config_.root, folder_of(key), outputs_folder);
}

BackendResult<ports::LogChunk> ProcessSite::read_log(const ports::TaskKey& key, std::int32_t local_rank, ports::LogStream stream,
                                                     std::int64_t offset, std::int64_t max_bytes) {
    constexpr std::int64_t chunk_bytes_max = 4 << 20;
    if (offset < 0 || max_bytes < 1 || local_rank < 0 || local_rank >= static_cast<std::int32_t>(supervisor::processes_max)) {
        return refuse(BackendFault::invalid,
                      fmt::format("rank {}, offset {} and {} bytes name no piece of a log", local_rank, offset, max_bytes));
    }
    const Fd folder = WEIR_TRY(open_task(key));
    // Asked first: a task that is over now writes nothing after the look.
    const auto record = read_record(folder.get(), boot_id_);
    ports::LogChunk chunk;
    if (const Fd logs = open_folder(folder.get(), supervisor::log_folder)) {
        const auto name = fmt::format("{}.{}", local_rank, stream == ports::LogStream::out ? "out" : "err");
        chunk = site_process::read_log(logs.get(), name, offset, std::min(max_bytes, chunk_bytes_max));
    }
    chunk.final = !record.alive && record.status.has_value();
    return chunk;
}

BackendResult<std::vector<ports::PublishedCheckpoint>> ProcessSite::list_checkpoints(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return site_process::list_checkpoints(checkpoints.get());
}

BackendResult<ports::CheckpointSize> ProcessSite::measure_checkpoint(const ports::TaskKey& key, const std::string& name) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return site_process::measure_checkpoint(checkpoints.get(), name);
}

BackendResult<ports::Checkpoint> ProcessSite::inspect_checkpoint(const ports::TaskKey& key, const std::string& name,
                                                                 ports::Copying& copying) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    const Fd manifests = open_folder(folder.get(), manifests_folder);
    if (!checkpoints || !manifests) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return site_process::inspect_checkpoint(checkpoints.get(), manifests.get(), name, copying);
}

BackendResult<int> ProcessSite::open_checkpoint_file(const ports::TaskKey& key, const std::string& name, const std::string& path) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    auto file = WEIR_TRY(site_process::open_checkpoint_file(checkpoints.get(), name, path));
    return file.release();
}

BackendResult<void> ProcessSite::install_checkpoint(const ports::TaskKey& key, const std::string& project,
                                                    const ports::Checkpoint& checkpoint, const ports::FetchFile& fetch,
                                                    ports::Copying& copying) {
    if (!is_safe_name(key.job) || !is_safe_name(project) || key.generation < 1 || key.node_rank < 0) {
        return refuse(BackendFault::invalid, fmt::format("`{}` of project `{}` is not the key of a task", key_text(key), project));
    }
    const auto spare = [this]() -> std::int64_t {
        const auto free = free_bytes(root_.get());
        return free ? std::max<std::int64_t>(*free - config_.disk_floor_bytes, 0) : INT64_MAX;
    };
    const auto no_room = [&](std::int64_t needed) {
        return refuse(BackendFault::unavailable,
                      fmt::format("checkpoint {} needs {} bytes, and the disk of {} has {} to spare above its floor of {}; make room",
                                  checkpoint.name, needed, config_.root, spare(), config_.disk_floor_bytes));
    };
    const Fd known = open_folder(root_.get(), fmt::format("{}/{}", folder_of(key), resume_folder));
    const auto needed = checkpoint.bytes - (known ? bytes_at_hand(known.get(), checkpoint) : 0);
    // What lies there is of no more use than the one that is to take its place.
    const bool both_fit = spare() >= needed;
    if (!both_fit && !known) return no_room(needed);
    const auto owner = WEIR_TRY(owner_of(project));
    const Fd folder = WEIR_TRY(make_task_folder(key, project, owner));
    const auto record = read_record(folder.get(), boot_id_);
    if (record.status || record.alive) {
        return refuse(BackendFault::ended, fmt::format("task {} has begun; a checkpoint is installed before the start", key_text(key)));
    }
    const Fd resume = open_folder(folder.get(), resume_folder);
    if (!resume) return fail(cannot("open the resume folder of", key_text(key), errno));
    if (!both_fit) {
        WEIR_CHECK(drop_installed(resume.get()));
        if (spare() < checkpoint.bytes) return no_room(checkpoint.bytes);
    }
    return site_process::install_checkpoint(resume.get(), checkpoint, as_root_ ? std::optional{owner} : std::nullopt, fetch, copying);
}

BackendResult<void> ProcessSite::install_workdir(const ports::TaskKey& key, const std::string& project, const std::string& name,
                                                 const Tree& tree, const ports::FetchFile& fetch, ports::Copying& copying) {
    if (!is_safe_name(key.job) || !is_safe_name(project) || key.generation < 1 || key.node_rank < 0 || !parse_tree_name(name)) {
        return refuse(BackendFault::invalid, fmt::format("`{}` of project `{}` is not the key of a task", key_text(key), project));
    }
    const auto size = size_of(tree, 0).bytes;
    const auto free = free_bytes(root_.get());
    if (free && *free - config_.disk_floor_bytes < size) {
        return refuse(BackendFault::unavailable,
                      fmt::format("{} has {} bytes, and the disk of {} has {} to spare above its floor of {}; make room", name, size,
                                  config_.root, std::max<std::int64_t>(*free - config_.disk_floor_bytes, 0), config_.disk_floor_bytes));
    }
    const auto owner = WEIR_TRY(owner_of(project));
    const Fd folder = WEIR_TRY(make_task_folder(key, project, owner));
    const auto record = read_record(folder.get(), boot_id_);
    if (record.status || record.alive)
        return refuse(BackendFault::ended, fmt::format("task {} has begun; its folder is put in place before", key_text(key)));
    const bool cannot_change = as_root_ || capabilities_.sandbox;
    WEIR_CHECK(cache_->install(folder.get(), name, project, tree, cannot_change, fetch, copying));
    cache_->trim();
    return {};
}

BackendResult<ports::Outputs> ProcessSite::inspect_outputs(const ports::TaskKey& key, const ports::OutputLook& look,
                                                            ports::Copying& copying) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd outputs = open_folder(folder.get(), outputs_folder);
    if (!outputs) return fail(cannot("open the outputs of", key_text(key), errno));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return collect_outputs(outputs.get(), look, now.tv_sec * 1'000'000'000 + now.tv_nsec, copying);
}

BackendResult<int> ProcessSite::open_output(const ports::TaskKey& key, const std::string& path) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd outputs = open_folder(folder.get(), outputs_folder);
    Fd file = outputs && is_safe_path(path) ? open_regular(outputs.get(), path) : Fd{};
    if (!file) return refuse(BackendFault::not_found, fmt::format("task {} has no output {}", key_text(key), path));
    return file.release();
}

BackendResult<ports::DiskUse> ProcessSite::measure_task(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    return disk_use(folder.get());
}

BackendResult<ports::DiskSpace> ProcessSite::disk() {
    const auto free = free_bytes(root_.get());
    if (!free) return fail(cannot("look at the disk of", config_.root, errno));
    const auto files = files_left(root_.get());
    return ports::DiskSpace{
        .free_bytes = *free, .floor_bytes = config_.disk_floor_bytes, .free_files = files.free, .floor_files = files.floor};
}

BackendResult<void> ProcessSite::check_disk() const {
    if (const auto files = files_left(root_.get()); files.free < files.floor) {
        return refuse(BackendFault::refused,
                      fmt::format("the disk of {} can take {} more files, and nothing is started below {}; remove some", config_.root,
                                  files.free, files.floor));
    }
    const auto free = free_bytes(root_.get());
    if (!free || *free >= config_.disk_floor_bytes) return {};
    return refuse(BackendFault::refused, fmt::format("the disk of {} has {} MiB free, and nothing is started below {} MiB; make room",
                                                     config_.root, *free >> 20, config_.disk_floor_bytes >> 20));
}

}  // namespace weir::site_process
