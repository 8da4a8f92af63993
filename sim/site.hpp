// sim/site.hpp: a simulated site: supervisors that run tasks and keep their leases, and an agent that reconciles and reports.
//
// The agent is a model of src/agent, small enough to be checked by eye; the link between it and the server loses, repeats,
// delays and reorders. Supervisors count on the site's own boot clock, which drifts; its wall clock jumps.
#pragma once

#include "base/random.hpp"
#include "domain/desired_list.hpp"
#include "probes.hpp"
#include "server.hpp"
#include "timeline.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::sim {

/// What really ran where: told by supervisors, read by the checks.
class Truth {
public:
    virtual ~Truth() = default;
    virtual void task_began(JobId job, std::uint32_t generation, const SiteName& site) = 0;
    virtual void task_ended(JobId job, std::uint32_t generation, const SiteName& site, Duration ran) = 0;
};

/// How the program of a job behaves, decided when the job was made.
struct Behaviour {
    std::int64_t work_s = 60;              ///< Until it is done.
    std::optional<std::int64_t> fails_at_s; ///< Exits with an error once its own progress is here.
    std::int64_t checkpoint_every_s = 0;   ///< 0: never.
    bool kills_its_node = false;
};

struct SiteOptions {
    SiteName name;
    std::vector<Node> nodes;
    std::int64_t drift_ppm = 0;
    /// Its agent is old: of what it stopped as ordered it says that the site lost it, it puts no checkpoint in place before a start, and
    /// asks for none before a stop.
    bool is_of_before = false;
};

class SimSite {
public:
    SimSite(SiteOptions options, Timeline& timeline, Server& server, Random random, Probes& probes, Truth& truth,
            const std::map<JobId, Behaviour>& behaviours);

    void start();
    /// Messages pass, or all are lost.
    void connect(bool connected) { connected_ = connected; }
    /// Messages are lost, repeated and late, or merely take a while.
    void trouble(bool troubled) { troubled_ = troubled; }
    void kill_agent(Duration down_for);
    void lose_power(Duration down_for);
    void jump_wall(Duration by);
    /// The machines of the site are these from now on. What runs on those that are gone ends.
    void set_nodes(std::vector<Node> nodes);
    [[nodiscard]] const std::vector<Node>& nodes() const { return options_.nodes; }
    [[nodiscard]] bool idle() const { return tasks_.empty(); }

private:
    enum class Phase : std::uint8_t { starting = 1, running = 2, leaving = 5, stopping = 3, ended = 4 };
    struct Task {
        DesiredTask desired;
        Phase phase = Phase::starting;
        Instant began_boot;               ///< When it began to hold its cards.
        Instant ended_boot;
        std::int64_t meter_from_s = 0;    ///< On the site's wall clock, at the start.
        std::int64_t progress_at_start_s = 0;
        Instant lease;                    ///< Boot time at which it is over.
        Instant kill_at;                  ///< Boot time of SIGKILL, while stopping.
        Reason why_stopped = Reason::none;  ///< What the end of one that is stopping is told as.
        TaskReport last;                  ///< What there is to report of it.
        bool reported = false;            ///< `last` was acknowledged.
        std::uint64_t metered = 0;        ///< Number of the last acknowledged slice.
        std::int64_t checkpoint_s = 0;    ///< Progress of the newest checkpoint made.
        std::int64_t stored_s = 0;        ///< Of the newest acknowledged.
        Instant publish_at;               ///< Boot time of the checkpoint that was asked for before a stop.
        std::uint32_t asked_for = 0;          ///< The last number under which it was asked for a checkpoint.
        Instant leave_at;                 ///< Boot time at which it is stopped without one.
    };
    using Key = std::pair<JobId, std::uint32_t>;

    [[nodiscard]] Instant boot() const;
    [[nodiscard]] Instant wall() const { return timeline_.now() + wall_offset_; }
    void repeat(void (SimSite::*what)(), Duration every);
    void supervise();
    /// The first node of the task that is gone, or has lost a card on which it runs.
    [[nodiscard]] std::optional<NodeName> lost_node(const Task& task) const;
    void end(Task& task, Reason reason, std::int64_t exit_code, std::optional<NodeName> blamed = {});
    void agent_round();
    void reconcile();
    void begin(const DesiredTask& desired);
    [[nodiscard]] SiteReport next_report();
    void send(const SiteReport& report);
    void deliver(const std::shared_ptr<const SiteReport>& report, Instant sent_boot);
    void answered(const SiteReport& report, Instant sent_boot, const Result<ReportAnswer, control::Refusal>& answer);
    void acknowledge(const SiteReport& report);
    void take_grants();
    void ask_desired();
    void hear_desired(std::uint64_t number, DesiredPage page);
    void new_session();
    void forget_memory();
    [[nodiscard]] Duration transit();
    [[nodiscard]] Instant lease_end(const DesiredTask& desired) const {
        return lease_base_ + (desired.run_on ? run_on_lease_ : lease_);
    }
    void stop(Task& task, Reason why);
    /// As stop(), after a checkpoint where one is wanted and it does not take too long.
    void leave(Task& task, Seconds checkpoint_within);
    void prepare(const DesiredTask& wanted);
    [[nodiscard]] Reason of_obedience() const {
        return options_.is_of_before ? Reason::site_lost_task : Reason::stopped_as_ordered;
    }

    SiteOptions options_;
    Timeline& timeline_;
    Server& server_;
    Random random_;
    Probes& probes_;
    Truth& truth_;
    const std::map<JobId, Behaviour>& behaviours_;

    // On disk: survives the agent, and but for running tasks the power too.
    std::map<Key, Task> tasks_;
    /// Of places that are held: which checkpoint lies there, or is on its way, and whether the network has heard of it.
    struct Copy {
        Digest manifest;
        Instant there_at;                 ///< Boot time.
        bool reported = false;
    };
    std::map<Key, Copy> copies_;
    std::vector<std::pair<Instant, Task>> removed_;  ///< When, by the boot clock: a power cut may bring back what was just removed.
    std::uint64_t sessions_ = 0;

    // The agent's memory.
    bool agent_up_ = true;
    bool powered_ = true;
    std::uint64_t agent_life_ = 0;
    std::string session_;
    std::uint64_t sequence_ = 0;
    bool told_nodes_ = false;
    std::optional<SiteReport> pending_;   ///< Sent and not acknowledged: sent again unchanged.
    DesiredList list_;
    std::uint64_t news_ = 0;              ///< Revision of the server's last change, as far as it was told.
    std::optional<Instant> asked_at_;     ///< Of the question that waits for its answer.
    std::optional<Desired> desired_;      ///< The last whole list.
    struct Grant {
        Instant sent_boot;
        ReportAnswer terms;
    };
    std::vector<Grant> grants_to_come_;   ///< Answers that renew leases once the list has all that they tell of.
    Instant lease_base_;                  ///< Boot time at which the report was sent that the last such answer is to.
    Duration lease_;
    Duration run_on_lease_;
    Duration grace_;

    bool connected_ = true;
    bool troubled_ = false;
    Duration wall_offset_;
    Instant booted_;                      ///< Of the timeline, for the drift of the boot clock.
};

}  // namespace weir::sim
