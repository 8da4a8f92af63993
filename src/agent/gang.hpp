// agent/gang.hpp: many ranks, one word: how does a generation of a job fare at this site?
//
// It answers one question: given what the backend observed of each rank, what is the one state, reason and exit code that the
// network hears? What should be done about it is the reconciler's.
//
// Everything here is a pure function of its arguments, so an agent that was killed tells the same as the one before.
#pragma once

#include "domain/agent_link.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::agent {

struct GangView {
    TaskState state = TaskState::starting;
    Reason reason = Reason::none;              ///< Set once ended.
    std::int64_t exit_code = 0;                ///< Of the rank that failed first.
    std::optional<std::int32_t> first_failed;  ///< The rank that failed first, where one did.
    bool lost_node = false;                    ///< Its host went down.
    bool any_here = false;                     ///< At least one rank was started.
    bool any_alive = false;
    std::int64_t ended_at_s = 0;  ///< Of the last rank; 0 while one lives.
    std::optional<ports::BootInstant> began{};  ///< Of the last rank, where that is known of each.
    std::optional<ports::BootInstant> ended{};  ///< Likewise; nothing while one lives.
};

/// What a rank's end means to the network. A rank that was stopped by us has no reason of its own.
[[nodiscard]] std::optional<Reason> reason_of(const ports::TaskObserved& rank);

/// `ranks` by node rank, null where a rank was not started; `closed`: those will not be started any more.
/// starting until every rank runs; running from then on; ended once none is left that lives or will. A gang of which a rank failed is
/// told with that rank's end: of the rank that ended first; in the same second an end that says more goes before one that may be its
/// consequence (a node lost, a start refused, memory, a signal, an exit code).
[[nodiscard]] GangView look_at(const std::vector<const ports::TaskObserved*>& ranks, bool closed);

}  // namespace weir::agent
