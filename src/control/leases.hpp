// control/leases.hpp: who may still be running: the volatile half of the fence.
//
// A site's agent renews the leases of its tasks with every report. The supervisor counts from the moment the report was
// sent, we count from the moment it came, so ours always end later. Only after lease, kill grace and drift bound does the
// network say that a task is lost; then it may start elsewhere. What was heard is not written down: a new leader has heard
// nobody, so it begins by granting every site one full lease, and where an earlier leader's leases were longer, as long as those.
//
// Instants here are of a clock that only runs forward (not the wall clock): jumps of wall time change nothing.
#pragma once

#include "control/core/lease_terms.hpp"

#include <map>
#include <vector>

namespace weir::control {

class LeaseKeeper {
public:
    /// @param respected what earlier leaders granted and may still run (terms_to_respect()).
    LeaseKeeper(const Policy& policy, Instant started, const LeaseTerms& respected = {})
        : policy_{policy}, started_{started}, respected_{respected} {}

    /// A report of this site came at `at`.
    void heard(const SiteName& site, Instant at);

    /// What silence has brought by `at`: sites that are silent now, tasks that cannot be running any more; of these at most
    /// Policy::timers_per_pass, the rest next time.
    [[nodiscard]] std::vector<Command> due(const State& state, Instant at) const;

    /// When this generation can no longer be running, if its site stays silent.
    [[nodiscard]] Instant lost_at(const LiveJob& job) const;

private:
    [[nodiscard]] Instant last_heard(const SiteName& site) const;
    Policy policy_;
    Instant started_;
    LeaseTerms respected_;
    std::map<SiteName, Instant> heard_;
};

}  // namespace weir::control
