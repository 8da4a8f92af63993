// control/desired.hpp: what should run at a site: changes by pages, and how to find out that a list is not the server's.
//
// It answers one question: what must a site be told that knows revision r? The changes after r, where the log still has them, else the
// list from the start. Both cost what the page holds, never a walk over the network's jobs. The agent makes the site so: it starts what
// is in its list and not there, stops what is there and not in its list (or is there with `stop`), and never lets two generations of a
// job run at once.
//
// A list from the start is told in order of job, as of the revision at which it began; what changed meanwhile follows as changes.
#pragma once

#include "control/core/core.hpp"
#include "domain/agent_link.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir::control {

struct DesiredAsk {
    static constexpr std::size_t tasks_max = 1000;
    std::uint64_t since = 0;        ///< 0: from the start.
    std::optional<JobId> after{};   ///< Goes on with the list from the start that began at `since`.
    std::size_t limit = 500;        ///< Tasks of a page, set and removed.
    bool prepares = true;           ///< The agent knows what is to be prepared, and asks for checkpoints before a stop (protocol 4).
};

/// A page ends early where what its tasks hold (scripts, environments) comes to more.
inline constexpr std::size_t desired_page_bytes = std::size_t{4} << 20;

/// Whether a site that knows `since` has something to hear.
[[nodiscard]] bool has_desired_news(const State& state, const SiteName& site, std::uint64_t since);
[[nodiscard]] DesiredPage desired_page(const State& state, const SiteName& site, const DesiredAsk& ask);

/// Revision of the last change that is known.
[[nodiscard]] std::uint64_t desired_changed(const State& state, const SiteName& site);
/// The whole list at once, as protocol 1 has it.
[[nodiscard]] Desired desired(const State& state, const SiteName& site);

}  // namespace weir::control
