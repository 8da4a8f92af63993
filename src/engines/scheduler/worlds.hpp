// engines/scheduler/worlds.hpp: small networks for the tests: facts in few words.
#pragma once

#include "engines/scheduler/scheduler.hpp"

#include <gtest/gtest.h>

namespace weir::scheduler::worlds {

inline Uid uid(std::uint64_t n) { return {0, n}; }

inline SiteSet site(const std::string& name) { return {.site = name, .region = "cn/sichuan/chengdu", .levels = {"rack"}}; }

inline NodeSet node(const std::string& site_name, const std::string& name, std::int32_t cards,
                    const std::string& model = "H800") {
    NodeSet made{.site = site_name, .node = name, .cpus_milli = 64'000, .memory_mib = 512'000};
    if (cards > 0) {
        made.accelerators = {{.model = model, .cards = cards, .memory_mib = 80'000, .slicing = Slicing::fractional,
                              .slicing_owner = "weir"}};
    }
    return made;
}

/// `nodes` nodes of `cards` whole cards each, for project `lab`.
inline Ask ask(std::int32_t nodes, std::int64_t cards, const std::string& model = "H800") {
    return {.project = "lab", .nodes = nodes, .alternatives = {{.model = model, .milli_cards = cards * whole_card_milli}}};
}

inline Ask fraction(std::int64_t milli, std::int64_t memory_mib = 0) {
    return {.project = "lab", .alternatives = {{.model = "H800", .milli_cards = milli, .memory_mib = memory_mib}}};
}

inline JobQueued queued(std::uint64_t n, Ask wanted, std::int32_t priority = 0) {
    return {.job = uid(n), .ask = std::move(wanted), .priority = priority, .queued_at = Instant{static_cast<std::int64_t>(n)}};
}

inline void tell(Scheduler& scheduler, const Delta& delta) {
    const auto taken = scheduler.apply(delta);
    ASSERT_TRUE(taken) << static_cast<int>(taken.error());
}

/// Makes every placement of a plan a fact, as generation 1.
inline void commit(Scheduler& scheduler, const Plan& plan) {
    for (const Placement& placement : plan.placements) tell(scheduler, JobPlaced{placement.job, 1, placement.allocation});
}

}  // namespace weir::scheduler::worlds
