// engines/scheduler/waiting_room.hpp: the jobs that wait, in classes of equal asks.
//
// Answers one question: who must be looked at by the next plan? A class is awake when something of its own has changed
// that could give it a place. A class that did not fit is blocked: it stands in the lists of the pools that had no room for
// it, one list for each need, in the order of the queue. When a pool gains, the plan asks the first class of each list; where that
// fails, nobody behind it in the list fits either, and they are not touched. Jobs that are held (backoff, dependencies) are in no
// queue until their hold ends.
#pragma once

#include "engines/scheduler/constraints.hpp"
#include "engines/scheduler/search.hpp"

namespace weir::scheduler {

/// The order of the queue: larger priority, then earlier, then the smaller Uid.
struct QueueKey {
    std::int32_t priority = 0;
    Instant queued_at{};
    Uid job{};
    friend bool operator<(const QueueKey& a, const QueueKey& b) {
        if (a.priority != b.priority) return a.priority > b.priority;
        if (a.queued_at != b.queued_at) return a.queued_at < b.queued_at;
        return a.job < b.job;
    }
    friend bool operator==(const QueueKey&, const QueueKey&) = default;
};

/// One way into one site that no hard constraint refuses.
struct Candidate {
    Slot pool = no_slot;
    std::uint32_t alternative = 0;
    std::uint32_t order = 0;  ///< By site name and alternative: decides between equal scores.
    Score score{};  ///< Without packing.
};

/// A pool that had no room for a need.
struct Shut {
    Slot pool = no_slot;
    Slot need = no_slot;
};

struct AskClass {
    const Ask* ask = nullptr;  ///< Null: the slot is free.
    Slot project = no_slot;
    std::vector<Slot> needs{};  ///< One for each alternative.
    std::set<QueueKey> ready{};
    std::uint64_t jobs = 0;  ///< Ready and held.
    bool awake = false;
    bool blocked = false;
    std::uint64_t epoch = UINT64_MAX;  ///< Of the inventory, when the candidates were listed.
    std::vector<Candidate> candidates{};  ///< Best score first.
    std::vector<Shut> shut{};  ///< Where it had no room, while blocked.
    QueueKey listed_as{};      ///< In the lists of `shut`: its first ready job.
    bool watches_project = false;
};

/// A blocked class in the list of a pool and a need.
struct Watcher {
    QueueKey key{};
    Slot ask_class = no_slot;
    friend bool operator<(const Watcher& a, const Watcher& b) { return a.key < b.key; }
};
using WatchList = std::set<Watcher>;

enum class Hold : std::uint8_t { ready = 1, time = 2, dependency = 3 };

struct Waiting {
    Slot ask_class = no_slot;
    QueueKey key{};
    Instant not_before{};
    std::int32_t dependencies = 0;
    Hold hold = Hold::ready;
};

/// An interned Need, and in which pools it is known not to fit.
struct NeedRecord {
    const Need* need = nullptr;
    std::uint64_t users = 0;
    std::unordered_map<Slot, std::uint64_t> failed_at{};  ///< Pool -> its gains when the search failed.
};

class WaitingRoom {
public:
    /// Takes a job in; it must not be in. `project` is the slot of the ask's project.
    [[nodiscard]] Waiting enter(Ask ask, QueueKey key, Instant not_before, std::int32_t dependencies, Slot project);
    void leave(const Waiting& waiting);

    /// Jobs whose backoff has ended by `now` become ready; `found` gives the record of a job.
    template <class Find>
    void end_holds(Instant now, Find found) {
        while (!held_.empty() && held_.begin()->first <= now) {
            Waiting& waiting = found(held_.begin()->second);
            held_.erase(held_.begin());
            make_ready(waiting);
        }
    }

    /// The classes to look at. They are no longer awake; those that stay unanswered must be woken again.
    [[nodiscard]] std::vector<Slot> take_awake();
    void wake(Slot ask_class);
    void wake_all();
    void wake_watchers_of_project(Slot project);
    void wake_users_of_funding(const std::string& funding);
    /// The class did not fit: it sleeps until one of these pools, or its project, gains.
    void block(Slot ask_class, std::vector<Shut> shut, bool by_project);
    /// Takes a blocked class out of its lists, neither blocked nor awake.
    void unblock(Slot ask_class);
    /// Puts a blocked class where its first ready job stands now.
    void list_anew(Slot ask_class);
    /// The needs that found no room in this pool, each with the classes that share it.
    [[nodiscard]] const std::map<Slot, WatchList>& lists_of(Slot pool);

    [[nodiscard]] AskClass& operator[](Slot ask_class) { return classes_[ask_class]; }
    [[nodiscard]] NeedRecord& need(Slot slot) { return needs_[slot]; }
    [[nodiscard]] const Ask& ask_of(const Waiting& waiting) const { return *classes_[waiting.ask_class].ask; }
    /// All classes, in the order of their asks.
    [[nodiscard]] const std::map<Ask, Slot>& classes() const { return asks_; }
    [[nodiscard]] const AskClass& at(Slot ask_class) const { return classes_[ask_class]; }

    [[nodiscard]] std::uint64_t ready_count() const { return ready_; }
    [[nodiscard]] std::uint64_t held_by_time() const { return held_.size(); }
    [[nodiscard]] std::uint64_t held_by_dependency() const { return dependent_; }

private:
    Slot open_class(Ask ask, Slot project);
    void close_class(Slot ask_class);
    void make_ready(Waiting& waiting);
    void enlist(AskClass& one, Slot slot);
    void unlist(AskClass& one);

    std::map<Ask, Slot> asks_;
    std::vector<AskClass> classes_;
    std::vector<Slot> free_classes_;
    std::map<Need, Slot> need_slots_;
    std::vector<NeedRecord> needs_;
    std::vector<Slot> free_needs_;
    std::set<std::pair<Instant, Uid>> held_;
    std::vector<Slot> awake_;
    std::vector<std::map<Slot, WatchList>> lists_;  ///< By pool.
    std::vector<std::set<Slot>> project_watchers_;
    std::map<std::string, std::set<Slot>> funding_users_;
    std::uint64_t ready_ = 0;
    std::uint64_t dependent_ = 0;
};

}  // namespace weir::scheduler
