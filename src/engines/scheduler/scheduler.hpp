// engines/scheduler/scheduler.hpp: which job goes where, as an incremental value.
//
// Tell it facts with apply(), ask it for a plan() with the instant as an argument, and ask it why() a job waits. It
// does not reserve, start or charge anything: control journals what it accepts of a plan and tells it back.
//
// This version takes jobs in the order of priority, time of queueing and Uid. For each it looks at the sites which
// no hard constraint refuses and takes the gang that fits with the best score (Policy); inside a site it takes the
// tightest nodes first, so that large holes stay whole. A job that does not fit blocks nobody: smaller jobs behind it
// may start, and nothing is reserved for it, so a large gang can wait for as long as smaller ones keep arriving.
// Nothing is preempted or moved.
//
// Promises: no clock, no I/O, no chance. The answer depends on the facts, the policy and `now` alone, not on the order
// in which the facts came; ties go to the smaller name. A class of equal asks that did not fit is looked at again only when
// something that could help it has changed. `now` never decreases from plan to plan.
#pragma once

#include "engines/scheduler/delta.hpp"
#include "engines/scheduler/plan.hpp"
#include "engines/scheduler/reason.hpp"

#include <memory>
#include <span>

namespace weir::scheduler {

class Scheduler {
public:
    explicit Scheduler(Policy policy = {});
    ~Scheduler();
    Scheduler(Scheduler&&) noexcept;
    Scheduler& operator=(Scheduler&&) noexcept;

    /// Takes a fact, or says why not and changes nothing. What a site reports is a fact even where it exceeds what the
    /// node has: then nothing more is placed there.
    [[nodiscard]] Result<void, DeltaRefusal> apply(Delta delta);

    /// The placements that fit now, all together. Changes no fact: what is not told back as JobPlaced is proposed again, so
    /// a job that control cannot start must be queued anew with what keeps it (a later not_before, an excluded site).
    /// O(jobs placed + distinct needs that the changes since the last plan could help), searches of pools apart.
    [[nodiscard]] Plan plan(Instant now, const PlanLimits& limits = {});

    /// Why a job waits: every reason of the job, and of each site either the constraints that refuse it or what it lacks.
    [[nodiscard]] Why why(Uid job, Instant now) const;

    /// Tells an ask that waits from one that no site of this network could ever run. Quotas count, present use does not.
    /// The ask must satisfy check_ask.
    [[nodiscard]] EverFit can_ever_fit(const Ask& ask) const;

    /// The facts in canonical order: applied to an empty scheduler they make an equal one.
    [[nodiscard]] std::vector<Delta> facts() const;

    /// A digest of every derived index, the same for equal facts however they came.
    [[nodiscard]] std::uint64_t fingerprint();

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace weir::scheduler
