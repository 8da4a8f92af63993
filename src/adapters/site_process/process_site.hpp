// adapters/site_process/process_site.hpp: a site of plain Linux hosts, where tasks are processes below our supervisor.
//
// It answers one question: how does an order become processes on this host, safely and once? What should run is the agent's
// business; how a running task is kept is the supervisor's.
//
// Promises: those of ports::SiteBackend. Everything known is on disk, and remembered only where it cannot change: an agent that is
// killed at any instant and started anew finds its tasks again. One ProcessSite at a time has a root. As root, tenant code runs
// under a user of its project taken from the site's range and never as root; without a range every start is refused. What the
// host does not permit (namespaces, limits) is left out and stated in capabilities().
#pragma once

#include "adapters/site_process/cgroups.hpp"
#include "adapters/site_process/files.hpp"
#include "adapters/site_process/remover.hpp"
#include "adapters/site_process/site_cache.hpp"
#include "adapters/site_process/task_list.hpp"
#include "adapters/site_process/users.hpp"
#include "ports/site_backend.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::site_process {

/// Cards that are declared instead of detected. They hold a place and have a price; programs compute on the processor.
struct EmulatedCards {
    std::string node{};
    std::string model{};
    ports::CardStack stack = ports::CardStack::none;
    std::int64_t memory_mib = 0;
    std::int32_t count = 0;
};

struct SiteConfig {
    std::string root{};        ///< Absolute; made if it is not there.
    std::string supervisor{};  ///< The program weir-supervisor, absolute.
    Owner site_owner{};        ///< As root: who owns the root folder. Differs between the sites of a host.
    UserRange users{};         ///< As root: the tenants' users. Belongs to this site alone, from 1000 on.
    std::string users_lock = "/run/lock/weir"; ///< As root: where the sites of this host say which users are theirs.
    std::vector<std::string> shared_paths{};  ///< Absolute: what every task of the site may read.
    std::vector<EmulatedCards> emulated{};    ///< Not empty: nothing is detected.
    std::int64_t processes_max = 4096;      ///< Of a task that names no limit of its own; 0: none.
    std::size_t fences_max = 1024;          ///< Kept of jobs of which nothing else is left: the newest.
    std::int64_t cache_bytes_max = std::int64_t{20} << 30;  ///< Of files of folders that jobs began in.
    std::int64_t disk_floor_bytes = std::int64_t{1} << 30;  ///< With less free on the root's disk nothing is started.
    bool sandbox = true;                    ///< Use bubblewrap where it works.
    bool limits = true;                     ///< Use control groups where they can be written.
    int tool_deadline_ms = 10'000;          ///< For nvidia-smi, npu-smi and the probe of bubblewrap.
    int start_deadline_ms = 10'000;         ///< For a supervisor to say that its task runs.
    int sweep_deadline_ms = 5'000;          ///< For leftovers to die in one observation.
};

class ProcessSite final : public ports::SiteBackend {
public:
    [[nodiscard]] static BackendResult<std::unique_ptr<ProcessSite>> open(SiteConfig config);
    ~ProcessSite() override;

    [[nodiscard]] ports::Capabilities capabilities() const override { return capabilities_; }
    [[nodiscard]] BackendResult<ports::Inventory> inventory() override;
    [[nodiscard]] BackendResult<ports::StartOutcome> start(const ports::TaskSpec& task) override;
    [[nodiscard]] BackendResult<std::vector<ports::TaskObserved>> observe() override;
    [[nodiscard]] BackendResult<void> renew_lease(const ports::TaskKey& key, ports::BootInstant deadline) override;
    [[nodiscard]] BackendResult<void> stop(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<void> signal(const ports::TaskKey& key, int number) override;
    [[nodiscard]] BackendResult<void> request_checkpoint(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<void> fence(const std::string& job, std::int64_t generation) override;
    [[nodiscard]] BackendResult<void> shed(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<void> forget(const ports::TaskKey& key) override;
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

    /// What is amiss with this host or with what the site was told, though it can go on; for the operator.
    [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

    /// An epoll descriptor that becomes readable when a supervisor that this object knows has ended: time to observe().
    [[nodiscard]] int change_descriptor() const { return changes_.get(); }

    /// Waits until all that was forgotten is removed: for tests.
    void await_removal() { remover_->await_empty(); }

    /// The absolute path of a task's outputs, for the agent to copy from with open_beneath() and the like.
    [[nodiscard]] std::string outputs_path(const ports::TaskKey& key) const;

private:
    explicit ProcessSite(SiteConfig config) : config_(std::move(config)) {}

    [[nodiscard]] BackendResult<void> prepare();
    [[nodiscard]] BackendResult<void> prepare_root();
    [[nodiscard]] BackendResult<void> prepare_users();
    [[nodiscard]] BackendResult<void> check_shared_paths();
    void prepare_isolation();

    [[nodiscard]] BackendResult<void> check(const ports::TaskSpec& task) const;
    [[nodiscard]] BackendResult<void> check_disk() const;
    [[nodiscard]] bool is_shared(const std::string& path) const;
    [[nodiscard]] BackendResult<Owner> owner_of(const std::string& project);
    [[nodiscard]] BackendResult<Fd> make_task_folder(const ports::TaskKey& key, const std::string& project, Owner owner);
    [[nodiscard]] BackendResult<Fd> open_task(const ports::TaskKey& key) const;
    [[nodiscard]] BackendResult<void> write_order(int folder, const ports::TaskSpec& task);
    [[nodiscard]] BackendResult<void> write_spec(int folder, const ports::TaskSpec& task, Owner owner);
    [[nodiscard]] BackendResult<void> write_lease(int folder, ports::BootInstant deadline);
    [[nodiscard]] BackendResult<ports::StartOutcome> launch(int folder, const ports::TaskKey& key);
    [[nodiscard]] BackendResult<void> tell(const ports::TaskKey& key, const std::string& command);
    [[nodiscard]] BackendResult<void> end_unbegun(int folder);
    void watch(pid_t supervisor);
    void forget_ended_watches();
    void bury(int folder, const ports::TaskKey& key, ports::TaskObserved& observed, const std::vector<std::string>& alive);

    SiteConfig config_;
    ports::Capabilities capabilities_;
    bool as_root_ = false;
    std::string boot_id_;
    Fd root_;
    Fd tasks_;
    TaskList list_;
    Fd lock_;
    Fd users_claim_;
    std::vector<std::string> remarks_;
    Fd changes_;
    std::mutex users_guard_;  ///< The one thing that installing checkpoints may change beside a start and each other.
    std::unique_ptr<Users> users_;
    Cgroups cgroups_;
    std::map<pid_t, Fd> watched_;
    std::unique_ptr<Remover> remover_;
    std::unique_ptr<SiteCache> cache_;
};

}  // namespace weir::site_process
