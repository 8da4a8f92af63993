// control/core/core.hpp: the deterministic machine: decide says what follows from a command, apply makes it so.
//
// The server, the simulator and the fault tests run this code. decide may look at everything and changes nothing;
// apply takes only what the event carries, so a journal written under an older policy folds to the same state.
#pragma once

#include "control/core/commands.hpp"
#include "control/core/events.hpp"
#include "control/core/funding_book.hpp"
#include "control/core/refusal.hpp"
#include "control/core/state.hpp"
#include "domain/accelerator.hpp"
#include "engines/scheduler/scheduler.hpp"

#include <cstdint>
#include <vector>

namespace weir::control {

/// What the operator chooses. Policy guides decide alone; nothing of it is needed to read a journal.
struct Policy {
    Duration task_lease = seconds(30);          ///< Of a job that stops when its site is cut off.
    Duration run_on_lease = hours(6);           ///< Of a job that asked to run on.
    Duration kill_grace = seconds(10);          ///< Between SIGTERM and SIGKILL.
    Duration drift_bound = seconds(2);          ///< Most that two clocks may differ over one lease.
    Duration start_within = hours(1);           ///< From the placement to the first process; then another site is tried.
    Duration stop_within = seconds(600);  ///< From an order to stop, or from when its site is heard again, until the job is given up there.
    Duration checkpoint_within = seconds(60);   ///< How long a program has to publish a checkpoint before it leaves a site.
    Duration prepare_within = seconds(1800);    ///< How long a move waits for a checkpoint to lie at its target.
    Duration site_silence = seconds(15);        ///< After which nothing new is placed on a silent site.
    Duration remember = hours(48);              ///< How long ids of finished work are remembered.
    Duration clock_tolerance = hours(1);        ///< How far in the future an id may say it was made.
    Duration key_lifetime = hours(24);          ///< Of an idempotency key.
    Duration tree_unused = hours(7 * 24);       ///< How long a tree is kept that no job uses.
    Duration output_keep = hours(30 * 24);      ///< How long outputs are kept of a job that does not say; 0: not at all.
    Duration output_keep_max = hours(3660 * 24);  ///< The longest that a job may ask for.
    Duration receipts_shown = hours(366 * 24);  ///< How long a receipt is found by its tree; it stays in the journal for ever.
    std::uint32_t nodes_killed_max = 2;         ///< A job that was there when so many nodes broke is quarantined.
    std::uint32_t placements_per_pass = 1000;
    std::uint32_t timers_per_pass = 1000;
    /// A secret of this process, so that no client can choose ids that slow the ledger's tables down. No answer depends on it.
    std::uint64_t hash_seed = 0;
};

/// One instance of the state with the indexes derived from it.
struct Core {
    State state;
    scheduler::Scheduler scheduler;
    Policy policy;
    Catalogue catalogue;
    std::set<JobId> freed;  ///< Within one event: jobs whose wait for another is over.
    FundingBook funding;    ///< Derived.
    /// Facts that the scheduler refused: a bug, for decide should never have made them. State and scheduler differ since.
    std::uint64_t facts_refused = 0;
};

/// Above what the generations of a store begin that was made by a restore at `restored_at`: 256 for each minute since 2025, so that no two
/// histories of a network give a site two meanings of one generation. A job has at most 202 of them by restarts of both kinds, and 30 a
/// minute by moves (`between_moves`); 32 bits last until 2056.
[[nodiscard]] std::uint32_t generations_above_of(Instant restored_at);

struct Decision {
    std::vector<Event> events;
    Answer answer;
};

/// What follows from a request at `now`: events to make durable, and the answer to give once they are.
/// `now` is not before the time of any event applied so far.
[[nodiscard]] Decision decide(const Core& core, const Request& request, Instant now);

/// Lets go of jobs that wait for one which will never succeed, at most so many. Those that waited for these come with the next call.
[[nodiscard]] std::vector<Event> decide_forsaken(const Core& core, Instant now, std::size_t at_most);

/// Places what waits, as far as it fits: at most policy.placements_per_pass placements.
/// Not const: planning warms the scheduler's memory of what did not fit, which no answer depends on.
[[nodiscard]] std::vector<Event> decide_placements(Core& core, Instant now);

/// Makes an event so. `revision` and `at` are those of its journal record.
void apply(Core& core, const Event& event, std::uint64_t revision, Instant at);
/// The same for a state alone: for who only keeps it, and neither places nor explains.
void apply(State& state, const Event& event, std::uint64_t revision, Instant at);

/// Builds what a snapshot leaves out: the derived part of the state and the scheduler's indexes.
void rebuild(Core& core);

}  // namespace weir::control
