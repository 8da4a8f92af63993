// adapters/task_files/folder_site.hpp: the half of a site that is files: where its tasks' folders are, and what is in them.
//
// It answers one question: what do a task's logs, checkpoints, outputs and folders say? That is the same on every site whose tasks'
// folders the agent sees (its own disk, a shared file system); how a task is started, watched and ended is each site's own, above this.
//
// Promises: those of ports::SiteBackend for the calls that it implements. Those that read and write much may run on other threads.
#pragma once

#include "adapters/task_files/files.hpp"
#include "adapters/task_files/remover.hpp"
#include "adapters/task_files/site_cache.hpp"
#include "adapters/task_files/task_folder.hpp"
#include "adapters/task_files/task_list.hpp"
#include "ports/site_backend.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::task_files {

struct FolderLimits {
    std::int64_t cache_bytes_max = std::int64_t{20} << 30;  ///< Of files of folders that jobs began in.
    std::int64_t disk_floor_bytes = std::int64_t{1} << 30;  ///< With less free on the root's disk nothing is started.
};

class FolderSite : public ports::SiteBackend {
public:
    [[nodiscard]] BackendResult<void> shed(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<ports::LogChunk> read_log(const ports::TaskKey& key, std::int32_t local_rank, ports::LogStream stream,
                                                          std::int64_t offset, std::int64_t max_bytes) override;
    [[nodiscard]] BackendResult<std::vector<ports::PublishedCheckpoint>> list_checkpoints(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<ports::CheckpointSize> measure_checkpoint(const ports::TaskKey& key, const std::string& name) override;
    [[nodiscard]] BackendResult<ports::Checkpoint> inspect_checkpoint(const ports::TaskKey& key, const std::string& name,
                                                                      ports::Copying& copying) override;
    [[nodiscard]] BackendResult<int> open_checkpoint_file(const ports::TaskKey& key, const std::string& name,
                                                          const std::string& path) override;
    [[nodiscard]] BackendResult<void> install_checkpoint(const ports::TaskKey& key, const std::string& project,
                                                         const ports::Checkpoint& checkpoint, const ports::FetchFile& fetch,
                                                         ports::Copying& copying) override;
    [[nodiscard]] BackendResult<void> install_workdir(const ports::TaskKey& key, const std::string& project, const std::string& name,
                                                      const Tree& tree, const ports::FetchFile& fetch, ports::Copying& copying) override;
    [[nodiscard]] BackendResult<ports::Outputs> inspect_outputs(const ports::TaskKey& key, const ports::OutputLook& look,
                                                                ports::Copying& copying) override;
    [[nodiscard]] BackendResult<int> open_output(const ports::TaskKey& key, const std::string& path) override;
    [[nodiscard]] BackendResult<ports::DiskUse> measure_task(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<ports::DiskSpace> disk() override;

    /// Waits until all that was forgotten is removed: for tests.
    void await_removal() { remover_->await_empty(); }

    /// The absolute path of a task's outputs, for the agent to copy from with open_beneath() and the like.
    [[nodiscard]] std::string outputs_path(const ports::TaskKey& key) const;

protected:
    /// `path`: the site's root, absolute.
    FolderSite(std::string path, FolderLimits limits) : path_(std::move(path)), limits_(limits) {}

    /// Whose the folders of a project's tasks are.
    [[nodiscard]] virtual BackendResult<Owner> owner_of(const std::string& project) = 0;
    /// Whether tenants run as users of their own, other than the agent's.
    [[nodiscard]] virtual bool has_owners() const = 0;
    /// Whether a task could not change a file of its folders that it may read.
    [[nodiscard]] virtual bool protects_files() const = 0;
    /// Whether somebody began it, so that nothing may be put in its folder any more.
    [[nodiscard]] virtual bool has_begun(int folder) const = 0;
    /// Whether nothing of it writes any more.
    [[nodiscard]] virtual bool is_silent(int folder) const = 0;

    /// Makes the root with this mode, takes its lock, reads what is there. The root's owner is the caller's to set.
    [[nodiscard]] BackendResult<void> open_root(std::optional<Owner> owner, mode_t mode);
    [[nodiscard]] BackendResult<Fd> make_task_folder(const ports::TaskKey& key, const std::string& project, Owner owner);
    [[nodiscard]] BackendResult<Fd> open_task(const ports::TaskKey& key) const;
    /// Writes down what is asked for, once: differs where the task was ordered with another spec.
    [[nodiscard]] BackendResult<void> write_order(int folder, const ports::TaskSpec& task);
    /// fenced where this generation of its job must not start any more.
    [[nodiscard]] BackendResult<void> check_fence(const ports::TaskKey& key) const;
    [[nodiscard]] BackendResult<void> check_disk() const;
    /// Takes the folder of an ended task away and keeps its generation fenced, in one of the newest `fences_max`.
    [[nodiscard]] BackendResult<void> bury_folder(const ports::TaskKey& key, std::size_t fences_max);
    /// Of folders that lead to a tenant's own.
    [[nodiscard]] mode_t passage() const { return has_owners() ? 0711 : 0700; }

    std::string path_;
    FolderLimits limits_;
    Fd root_;
    Fd tasks_;
    TaskList list_;
    Fd lock_;
    std::unique_ptr<Remover> remover_;
    std::unique_ptr<SiteCache> cache_;
};

}  // namespace weir::task_files
