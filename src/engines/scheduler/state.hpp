// engines/scheduler/state.hpp: everything the scheduler knows, behind its public face.
#pragma once

#include "engines/scheduler/scheduler.hpp"
#include "engines/scheduler/waiting_room.hpp"

namespace weir::scheduler {

/// What a project holds of one model over all sites, and may hold.
struct Quota {
    std::int64_t used_milli = 0;
    std::optional<std::int64_t> limit_milli{};
};

struct Project {
    std::string name{};
    std::map<Slot, Quota> quotas{};  ///< By model.
};

/// What one generation of a job holds.
struct Holding {
    std::uint64_t generation = 0;
    Allocation allocation{};
    std::vector<Slot> nodes{};
    Slot project = no_slot;
    Slot model = no_slot;
};

struct Job {
    std::optional<Waiting> waiting{};
    std::vector<Holding> holdings{};
};

/// A placement of the last plan that control has not told back: the failures after it counted on it.
struct Promise {
    Allocation allocation{};
    std::vector<Slot> nodes{};
    Slot project = no_slot;
};

struct Scheduler::State {
    Policy policy;
    Inventory inventory;
    WaitingRoom room;
    Search search;
    std::map<std::string, FundingAnswers> fundings;
    std::map<std::string, Slot, std::less<>> project_slots;
    std::vector<Project> projects;
    std::unordered_map<Uid, Job> jobs;
    std::unordered_map<Uid, Promise> promises;
    std::uint64_t seen_epoch = 0;

    [[nodiscard]] Slot intern_project(std::string_view name);
    [[nodiscard]] const FundingAnswers* funding_of(const Ask& ask) const;

    /// Adds or takes back an allocation: on its nodes, and in the quota of its project.
    void charge(const Allocation& allocation, std::span<const Slot> nodes, Slot project, Slot model, Charge charge);
    void stop_waiting(Job& job);
    void free_holding(const Holding& holding);
    void forget_if_idle(Uid uid);
    void drop_promises();
    void list_candidates(AskClass& one);

    /// Reasons of the ask itself, then of each site. `ideal` asks about the network empty, healthy and open.
    [[nodiscard]] std::vector<Reason> explain(const Ask& ask, Condition condition) const;
    [[nodiscard]] Why why(Uid uid, Instant now) const;
};

/// Whether the job holds as much of this way's model already, and gives it back for this.
[[nodiscard]] inline bool gives_back(const Ask& ask, const Alternative& way) {
    return !ask.held_model.empty() && ask.held_model == way.model;
}
/// Milli-cards of the whole gang.
[[nodiscard]] inline std::int64_t gang_milli(const Ask& ask, const Alternative& way) { return ask.nodes * way.milli_cards; }
[[nodiscard]] std::int64_t milli_of(const Allocation& allocation);

}  // namespace weir::scheduler
