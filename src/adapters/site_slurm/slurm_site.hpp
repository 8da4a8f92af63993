// adapters/site_slurm/slurm_site.hpp: a site that Slurm runs, where a gang is one Slurm job and each task is below our supervisor.
//
// It answers one question: how does an order become a job of Slurm, safely and once? Slurm decides when there is room; our supervisor,
// started by the job on each node, keeps the lease; the site's root, on a file system that agent and nodes share, is all that they say
// to each other.
//
// Promises: those of ports::SiteBackend. A gang is submitted when the last of its tasks is ordered; before Slurm is asked, that is written
// down, and the job bears the gang's name: after a crash it is found again, not made twice. A job alone begins nothing: a task begins when
// the agent has answered the step that stands on its node (step_script.hpp), which it does not for a generation that is fenced or whose
// lease is over. Leases are given in the clock of the task's own host, counted from what that host last wrote (words.hpp:
// deadline_there). The shared file system must have working locks; a stale view of it ends leases early, never late.
//
// All tasks run as the agent's own user, without a sandbox: the site must say that its tenants share one user.
#pragma once

#include "adapters/site_slurm/rest.hpp"
#include "adapters/site_slurm/words.hpp"
#include "adapters/task_files/folder_site.hpp"
#include "supervisor/asked.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::site_slurm {

using namespace task_files;  // Files, owners and refusals are called the same here.

inline constexpr const char* note_file = "slurm";               ///< Of a generation: what is known of its job.
inline constexpr const char* agent_lease_file = "lease.agent";  ///< Of a task: its lease in the agent's clock.

/// What a GRES type of Slurm is to the network.
struct CardKind {
    std::string model{};  ///< As the catalogue spells it.
    ports::CardStack stack = ports::CardStack::other;
};

struct SlurmConfig {
    std::string root{};        ///< Absolute, on a file system that all nodes see under the same path; made if it is not there.
    std::string supervisor{};  ///< The program weir-supervisor, absolute, at the same path on all nodes.
    RestOptions rest{};
    std::string partition{};   ///< Empty: Slurm's default, and nodes of all partitions.
    std::string account{};
    std::map<std::string, CardKind> kinds{};  ///< By GRES type; a type that is not here is its own model, of the stack `other`.
    bool emulated = false;                    ///< The GRES are declared, and nothing stands behind them.
    bool tenants_share_user = false;          ///< Must be said: tasks of all projects run as the agent's user.
    std::size_t fences_max = 1024;
    std::int64_t cache_bytes_max = std::int64_t{20} << 30;
    std::int64_t disk_floor_bytes = std::int64_t{1} << 30;
    int ask_every_ms = 1'000;    ///< How often Slurm is asked for one job at most.
    int begin_within_s = 600;    ///< How long a job that has its nodes waits for an agent that is away.
    int leave_within_s = 30;     ///< How long a job may stay after the last of its tasks; then it is cancelled.
};

class SlurmSite final : public FolderSite {
public:
    [[nodiscard]] static BackendResult<std::unique_ptr<SlurmSite>> open(SlurmConfig config);

    [[nodiscard]] ports::Capabilities capabilities() const override;
    [[nodiscard]] BackendResult<ports::Inventory> inventory() override;
    [[nodiscard]] BackendResult<ports::StartOutcome> start(const ports::TaskSpec& task) override;
    [[nodiscard]] BackendResult<std::vector<ports::TaskObserved>> observe() override;
    [[nodiscard]] BackendResult<void> renew_lease(const ports::TaskKey& key, ports::BootInstant deadline) override;
    [[nodiscard]] BackendResult<void> stop(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<void> signal(const ports::TaskKey& key, int number) override;
    [[nodiscard]] BackendResult<void> request_checkpoint(const ports::TaskKey& key) override;
    [[nodiscard]] BackendResult<void> fence(const std::string& job, std::int64_t generation) override;
    [[nodiscard]] BackendResult<void> forget(const ports::TaskKey& key) override;

    /// The name that a gang's job bears in Slurm: of this site, this job, this generation.
    [[nodiscard]] std::string name_of(const std::string& job, std::int64_t generation) const;

private:
    using GangKey = std::pair<std::string, std::int64_t>;

    /// What one task asks of its node.
    struct Place {
        std::string node{};
        std::int64_t gpus = 0;
        std::int64_t cpus = 1;
        std::int64_t memory_mib = 0;
        std::int64_t minutes_max = 0;
        friend bool operator==(const Place&, const Place&) = default;
    };

    /// What Slurm said last of a gang's job.
    struct Heard {
        bool answered = false;
        std::optional<SlurmJob> job{};  ///< Nothing, though it answered: Slurm knows it no more.
        std::string why_not{};
    };

    struct Gang {
        std::optional<GangNote> note{};
        std::map<std::int32_t, Place> places{};  ///< Of tasks that were ordered in this life of the agent.
        Heard heard{};
        std::int64_t heard_at_ns = 0;
        std::int64_t empty_since_ns = 0;  ///< When its tasks were first seen to be over; 0: not yet.
    };

    explicit SlurmSite(SlurmConfig config);

    [[nodiscard]] BackendResult<Owner> owner_of(const std::string& project) override;
    [[nodiscard]] bool has_owners() const override { return false; }
    [[nodiscard]] bool protects_files() const override { return false; }
    [[nodiscard]] bool has_begun(int folder) const override;
    [[nodiscard]] bool is_silent(int folder) const override;

    [[nodiscard]] BackendResult<void> prepare();
    void read_notes();
    [[nodiscard]] BackendResult<void> check(const ports::TaskSpec& task) const;
    [[nodiscard]] BackendResult<void> write_orders(int folder, const ports::TaskSpec& task);
    [[nodiscard]] BackendResult<void> submit(const GangKey& key, Gang& gang, std::int32_t nnodes);
    [[nodiscard]] BackendResult<void> adopt(const GangKey& key, Gang& gang);
    [[nodiscard]] BackendResult<void> write_note(const GangKey& key, Gang& gang, GangNote note);
    [[nodiscard]] BackendResult<Fd> open_generation(const GangKey& key) const;

    [[nodiscard]] ports::TaskObserved look_at(int folder, const ports::TaskKey& key);
    [[nodiscard]] ports::TaskObserved look_at_waiting(int folder, const ports::TaskKey& key, const TaskRecord& record);
    [[nodiscard]] ports::TaskObserved bury(int folder, const ports::TaskKey& key, TaskRecord record);
    [[nodiscard]] BackendResult<void> begin(int folder, const ports::TaskKey& key, const Gang& gang);
    void tidy(const GangKey& key, Gang& gang);
    [[nodiscard]] const Heard& ask(const GangKey& key, Gang& gang);

    [[nodiscard]] bool lease_holds(int folder) const;
    [[nodiscard]] BackendResult<void> pass_lease_on(int folder, const TaskRecord& record);
    [[nodiscard]] BackendResult<void> tell(const ports::TaskKey& key, const std::function<void(supervisor::Asked&)>& change);

    SlurmConfig config_;
    SlurmRest rest_;
    std::string boot_id_;
    std::map<GangKey, Gang> gangs_;
};

}  // namespace weir::site_slurm
