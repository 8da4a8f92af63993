// What is in the folders of a site's tasks, and what may be put there.
#include "adapters/task_files/folder_site.hpp"

#include "adapters/task_files/checkpoints.hpp"
#include "adapters/task_files/disk.hpp"
#include "adapters/task_files/log_reader.hpp"
#include "adapters/task_files/order.hpp"
#include "adapters/task_files/outputs.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

constexpr int lock_looks = 100;
constexpr auto lock_look_every = std::chrono::milliseconds{10};

/// The root's lock, waited for a second at most: where the agent before was killed while it started a supervisor, that child has its locks
/// until it is a program of its own.
std::optional<Fd> take_root(int root) {
    for (int look = 1;; ++look) {
        auto lock = supervisor::take_lock(root, "agent.lock");
        if (lock || look == lock_looks) return lock;
        std::this_thread::sleep_for(lock_look_every);
    }
}

}  // namespace

BackendResult<void> FolderSite::open_root(std::optional<Owner> owner, mode_t mode) {
    std::error_code ignored;
    std::filesystem::create_directories(path_, ignored);
    root_ = Fd{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root_) return fail(cannot("open the site's root", path_, errno));
    if (owner && fchown(root_.get(), owner->uid, owner->gid) != 0) return fail(cannot("change the owner of", path_, errno));
    if (fchmod(root_.get(), mode) != 0) return fail(cannot("change the mode of", path_, errno));
    auto lock = take_root(root_.get());
    if (!lock) {
        return refuse(
            BackendFault::unavailable,
            fmt::format("another agent has the site's root {}; stop it first, or give this site a root of its own", path_));
    }
    lock_ = std::move(*lock);
    tasks_ = WEIR_TRY(make_folder(root_.get(), tasks_folder, passage(), std::nullopt));
    list_.read(tasks_.get());
    remover_ = WEIR_TRY(Remover::open(root_.get()));
    cache_ = std::make_unique<SiteCache>(root_.get(), limits_.cache_bytes_max);
    return {};
}

BackendResult<Fd> FolderSite::open_task(const ports::TaskKey& key) const {
    Fd folder = is_safe_name(key.job) ? open_folder(root_.get(), folder_of(key)) : Fd{};
    if (!folder) return refuse(BackendFault::not_found, fmt::format("there is no task {} here; start it first", key_text(key)));
    return folder;
}

BackendResult<Fd> FolderSite::make_task_folder(const ports::TaskKey& key, const std::string& project, Owner owner) {
    const Fd job = WEIR_TRY(make_folder(tasks_.get(), key.job, passage(), std::nullopt));
    const Fd generation = WEIR_TRY(make_folder(job.get(), fmt::format("{}", key.generation), passage(), std::nullopt));
    Fd folder = WEIR_TRY(make_folder(generation.get(), fmt::format("{}", key.node_rank), passage(), std::nullopt));
    list_.add(key);
    const auto known = read_text(folder.get(), project_file, 64);
    if (known && *known != project) {
        return refuse(BackendFault::differs, fmt::format("task {} belongs to project {}, not to {}", key_text(key), *known, project));
    }
    if (known) return folder;
    for (const char* const name : {checkpoints_folder, outputs_folder, work_folder, temporary_folder, resume_folder}) {
        WEIR_TRY(make_folder(folder.get(), name, 0700, has_owners() ? std::optional{owner} : std::nullopt));
    }
    WEIR_TRY(make_folder(folder.get(), manifests_folder, 0700, std::nullopt));
    if (!supervisor::replace_file(folder.get(), project_file, "project.new", project, 0600, supervisor::Durable::no)) {
        return fail(cannot("write down the project of", key_text(key), errno));
    }
    return folder;
}

BackendResult<void> FolderSite::write_order(int folder, const ports::TaskSpec& task) {
    const auto wanted = order_text(task);
    const auto known = read_text(folder, order_file, supervisor::spec_bytes_max);
    if (known == wanted) return {};
    // Empty: the host went down before it reached the disk, so nothing of this task ran that was told to anybody.
    if (known && !known->empty()) {
        return refuse(BackendFault::differs,
                      fmt::format("task {} was ordered before with another spec; a changed task is a new generation", key_text(task.key)));
    }
    if (supervisor::replace_file(folder, order_file, "order.new", wanted, 0600, supervisor::Durable::no)) return {};
    return fail(cannot("write down the order of", key_text(task.key), errno));
}

BackendResult<void> FolderSite::check_fence(const ports::TaskKey& key) const {
    const auto fence = read_fence(tasks_.get(), key.job);
    if (key.generation > fence) return {};
    return refuse(BackendFault::fenced, fmt::format("generation {} of {} must not start: {} and all before it are fenced here",
                                                    key.generation, key.job, fence));
}

BackendResult<void> FolderSite::bury_folder(const ports::TaskKey& key, std::size_t fences_max) {
    WEIR_CHECK(raise_fence(tasks_.get(), key.job, key.generation));
    const Fd generation = open_folder(tasks_.get(), fmt::format("{}/{}", key.job, key.generation));
    if (!generation || !remover_->take(generation.get(), fmt::format("{}", key.node_rank))) {
        return fail(cannot("take away the folder of", key_text(key), errno));
    }
    list_.remove(key);
    const Fd job = open_folder(tasks_.get(), key.job);
    // Fails, as it should, while another node of the generation is there.
    if (job) unlinkat(job.get(), fmt::format("{}", key.generation).c_str(), AT_REMOVEDIR);
    prune_fences(tasks_.get(), fences_max);
    return {};
}

BackendResult<void> FolderSite::shed(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    if (!is_over(folder.get())) {
        return refuse(BackendFault::refused, fmt::format("task {} has not ended; stop it and observe its end first", key_text(key)));
    }
    std::vector<std::string> names{work_folder, temporary_folder, resume_folder};
    for (auto& name : list_folder(folder.get())) {
        if (parse_tree_name(name)) names.push_back(std::move(name));
    }
    for (const auto& name : names) {
        if (!remover_->take(folder.get(), name)) return fail(cannot("take away a folder of", key_text(key), errno));
    }
    return {};
}

std::string FolderSite::outputs_path(const ports::TaskKey& key) const {
    return fmt::format("{}/{}/{}", path_, folder_of(key), outputs_folder);
}

BackendResult<ports::LogChunk> FolderSite::read_log(const ports::TaskKey& key, std::int32_t local_rank, ports::LogStream stream,
                                                     std::int64_t offset, std::int64_t max_bytes) {
    constexpr std::int64_t chunk_bytes_max = 4 << 20;
    if (offset < 0 || max_bytes < 1 || local_rank < 0 || local_rank >= static_cast<std::int32_t>(supervisor::processes_max)) {
        return refuse(BackendFault::invalid,
                      fmt::format("rank {}, offset {} and {} bytes name no piece of a log", local_rank, offset, max_bytes));
    }
    const Fd folder = WEIR_TRY(open_task(key));
    // Asked first: a task that is over now writes nothing after the look.
    const bool silent = is_silent(folder.get());
    ports::LogChunk chunk;
    if (const Fd logs = open_folder(folder.get(), supervisor::log_folder)) {
        const auto name = fmt::format("{}.{}", local_rank, stream == ports::LogStream::out ? "out" : "err");
        chunk = task_files::read_log(logs.get(), name, offset, std::min(max_bytes, chunk_bytes_max));
    }
    chunk.final = silent;
    return chunk;
}

BackendResult<std::vector<ports::PublishedCheckpoint>> FolderSite::list_checkpoints(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return task_files::list_checkpoints(checkpoints.get());
}

BackendResult<ports::CheckpointSize> FolderSite::measure_checkpoint(const ports::TaskKey& key, const std::string& name) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return task_files::measure_checkpoint(checkpoints.get(), name);
}

BackendResult<ports::Checkpoint> FolderSite::inspect_checkpoint(const ports::TaskKey& key, const std::string& name,
                                                                 ports::Copying& copying) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    const Fd manifests = open_folder(folder.get(), manifests_folder);
    if (!checkpoints || !manifests) return fail(cannot("open the checkpoints of", key_text(key), errno));
    return task_files::inspect_checkpoint(checkpoints.get(), manifests.get(), name, copying);
}

BackendResult<int> FolderSite::open_checkpoint_file(const ports::TaskKey& key, const std::string& name, const std::string& path) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd checkpoints = open_folder(folder.get(), checkpoints_folder);
    if (!checkpoints) return fail(cannot("open the checkpoints of", key_text(key), errno));
    auto file = WEIR_TRY(task_files::open_checkpoint_file(checkpoints.get(), name, path));
    return file.release();
}

BackendResult<void> FolderSite::install_checkpoint(const ports::TaskKey& key, const std::string& project,
                                                    const ports::Checkpoint& checkpoint, const ports::FetchFile& fetch,
                                                    ports::Copying& copying) {
    if (!is_safe_name(key.job) || !is_safe_name(project) || key.generation < 1 || key.node_rank < 0) {
        return refuse(BackendFault::invalid, fmt::format("`{}` of project `{}` is not the key of a task", key_text(key), project));
    }
    const auto spare = [this]() -> std::int64_t {
        const auto free = free_bytes(root_.get());
        return free ? std::max<std::int64_t>(*free - limits_.disk_floor_bytes, 0) : INT64_MAX;
    };
    const auto no_room = [&](std::int64_t needed) {
        return refuse(BackendFault::unavailable,
                      fmt::format("checkpoint {} needs {} bytes, and the disk of {} has {} to spare above its floor of {}; make room",
                                  checkpoint.name, needed, path_, spare(), limits_.disk_floor_bytes));
    };
    const Fd known = open_folder(root_.get(), fmt::format("{}/{}", folder_of(key), resume_folder));
    const auto needed = checkpoint.bytes - (known ? bytes_at_hand(known.get(), checkpoint) : 0);
    // What lies there is of no more use than the one that is to take its place.
    const bool both_fit = spare() >= needed;
    if (!both_fit && !known) return no_room(needed);
    const auto owner = WEIR_TRY(owner_of(project));
    const Fd folder = WEIR_TRY(make_task_folder(key, project, owner));
    if (has_begun(folder.get())) {
        return refuse(BackendFault::ended, fmt::format("task {} has begun; a checkpoint is installed before the start", key_text(key)));
    }
    const Fd resume = open_folder(folder.get(), resume_folder);
    if (!resume) return fail(cannot("open the resume folder of", key_text(key), errno));
    if (!both_fit) {
        WEIR_CHECK(drop_installed(resume.get()));
        if (spare() < checkpoint.bytes) return no_room(checkpoint.bytes);
    }
    return task_files::install_checkpoint(resume.get(), checkpoint, has_owners() ? std::optional{owner} : std::nullopt, fetch, copying);
}

BackendResult<void> FolderSite::install_workdir(const ports::TaskKey& key, const std::string& project, const std::string& name,
                                                 const Tree& tree, const ports::FetchFile& fetch, ports::Copying& copying) {
    if (!is_safe_name(key.job) || !is_safe_name(project) || key.generation < 1 || key.node_rank < 0 || !parse_tree_name(name)) {
        return refuse(BackendFault::invalid, fmt::format("`{}` of project `{}` is not the key of a task", key_text(key), project));
    }
    const auto size = size_of(tree, 0).bytes;
    const auto free = free_bytes(root_.get());
    if (free && *free - limits_.disk_floor_bytes < size) {
        return refuse(BackendFault::unavailable,
                      fmt::format("{} has {} bytes, and the disk of {} has {} to spare above its floor of {}; make room", name, size,
                                  path_, std::max<std::int64_t>(*free - limits_.disk_floor_bytes, 0), limits_.disk_floor_bytes));
    }
    const auto owner = WEIR_TRY(owner_of(project));
    const Fd folder = WEIR_TRY(make_task_folder(key, project, owner));
    if (has_begun(folder.get()))
        return refuse(BackendFault::ended, fmt::format("task {} has begun; its folder is put in place before", key_text(key)));
    WEIR_CHECK(cache_->install(folder.get(), name, project, tree, protects_files(), fetch, copying));
    cache_->trim();
    return {};
}

BackendResult<ports::Outputs> FolderSite::inspect_outputs(const ports::TaskKey& key, const ports::OutputLook& look,
                                                           ports::Copying& copying) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd outputs = open_folder(folder.get(), outputs_folder);
    if (!outputs) return fail(cannot("open the outputs of", key_text(key), errno));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return collect_outputs(outputs.get(), look, now.tv_sec * 1'000'000'000 + now.tv_nsec, copying);
}

BackendResult<int> FolderSite::open_output(const ports::TaskKey& key, const std::string& path) {
    const Fd folder = WEIR_TRY(open_task(key));
    const Fd outputs = open_folder(folder.get(), outputs_folder);
    Fd file = outputs && is_safe_path(path) ? open_regular(outputs.get(), path) : Fd{};
    if (!file) return refuse(BackendFault::not_found, fmt::format("task {} has no output {}", key_text(key), path));
    return file.release();
}

BackendResult<ports::DiskUse> FolderSite::measure_task(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    return disk_use(folder.get());
}

BackendResult<ports::DiskSpace> FolderSite::disk() {
    const auto free = free_bytes(root_.get());
    if (!free) return fail(cannot("look at the disk of", path_, errno));
    const auto files = files_left(root_.get());
    return ports::DiskSpace{
        .free_bytes = *free, .floor_bytes = limits_.disk_floor_bytes, .free_files = files.free, .floor_files = files.floor};
}

BackendResult<void> FolderSite::check_disk() const {
    if (const auto files = files_left(root_.get()); files.free < files.floor) {
        return refuse(BackendFault::refused,
                      fmt::format("the disk of {} can take {} more files, and nothing is started below {}; remove some", path_,
                                  files.free, files.floor));
    }
    const auto free = free_bytes(root_.get());
    if (!free || *free >= limits_.disk_floor_bytes) return {};
    return refuse(BackendFault::refused, fmt::format("the disk of {} has {} MiB free, and nothing is started below {} MiB; make room",
                                                     path_, *free >> 20, limits_.disk_floor_bytes >> 20));
}

}  // namespace weir::task_files
