// control/forecast.hpp: when waiting jobs begin, as far as that can be told today.
//
// It plays on what is known: the scheduler itself plans on a copy of its facts, each running job ends when it said it would (its
// estimated_duration; without one, when it must), the next plan is made then, and so on. Assumed, and said wherever it is shown: nobody
// submits or cancels anything, no job fails, nothing breaks, prices and funding stay as they are. So it is an estimate and no promise:
// jobs that end early let others begin earlier, and later jobs of a higher priority push them back.
#pragma once

#include "control/core/core.hpp"
#include "engines/scheduler/scheduler.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// All that a forecast is made of: a copy, so that it can be played on while the network goes on.
struct ForecastFacts {
    std::vector<scheduler::Delta> facts;
    std::map<Uid, Instant> ends;                ///< Of jobs that hold cards: when they should be gone.
    std::map<Uid, Duration> lengths;            ///< Of jobs that wait: how long each should run.
    std::map<Uid, std::vector<Uid>> dependents; ///< Who waits for the end of whom.
    scheduler::Policy policy;
    Instant as_of;
};

/// Of a job that no plan has placed yet.
struct Foretold {
    Instant starts_at;
    Instant ends_at;
    std::string site;
    std::string model;
    std::int64_t nodes = 1;
    bool operator==(const Foretold&) const = default;
};

struct ForecastLimits {
    std::size_t placements_max = 50'000;          ///< Jobs that are played through, at most.
    Duration horizon = hours(24 * 90);            ///< Nothing is said of what begins later.
};

struct Forecast {
    std::map<Uid, Foretold> starts;
    Instant as_of;
    Instant until;          ///< Nothing that begins later was looked at.
    std::size_t waiting = 0;  ///< Jobs that found no place until then.
};

/// Reads the state; O(live jobs).
[[nodiscard]] ForecastFacts forecast_facts(const Core& core, Instant now);

/// Adds a job that would be submitted now, as the last of its priority.
void add_job(ForecastFacts& facts, const Core& core, const JobSubmitted& submitted, Instant now);

/// When a job that has its place should be gone: as it estimates, or when it must where that is behind it.
[[nodiscard]] Instant expected_end(const LiveJob& job, Instant now);

/// How long a job should run: what it estimates itself, at most what it may; what it may where it says nothing.
[[nodiscard]] Duration expected_length(const JobSpec& spec);

/// Plays on until `until_placed` has begun, or every job, or a limit is reached.
[[nodiscard]] Forecast forecast(ForecastFacts facts, const ForecastLimits& limits = {}, std::optional<Uid> until_placed = {});

}  // namespace weir::control
