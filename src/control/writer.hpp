// control/writer.hpp: the one place where commands become facts: decide, apply, append, and only then answer.
//
// A batch of requests is one journal transaction. Within it each decision sees the effects of those before it. When the
// append fails or its outcome is unknown there is no way back in memory: the writer is over, the process ends and replays.
//
// No thread and no clock of its own: the server's loop and the simulator both drive it.
#pragma once

#include "control/core/core.hpp"
#include "control/entry.hpp"
#include "ports/journal.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace weir::control {

/// What one batch made durable. Shared by all who read it; never changed.
struct Committed {
    std::vector<Entry> entries;       ///< In order of revision; empty where nothing changed.
    std::uint64_t revision = 0;       ///< After the batch.
    Digest head;                      ///< Of the chain, after the batch.
    std::size_t bytes = 0;            ///< Of the records' texts.
};

struct BatchOutcome {
    /// One for each request that was carried out, in order. Requests that have none did not fit any more: they belong into the next batch.
    /// Of one or more requests the first always has one.
    std::vector<Answer> answers;
    std::shared_ptr<const Committed> committed;
};

/// When a transaction is closed although there is more to do. A quarter of what the journal takes: what follows from the requests
/// (jobs that leave with others, placements) has its room too.
struct TransactionSize {
    std::size_t records = ports::max_batch_records / 4;
    std::size_t bytes = ports::max_batch_bytes / 4;
    std::size_t records_most = ports::max_batch_records;  ///< Of one request; more is refused.
    std::size_t bytes_most = ports::max_batch_bytes;      ///< Likewise.
};

class Writer {
public:
    /// `core` is the state at the journal's head.
    Writer(Core core, ports::Journal& journal, TransactionSize size = {});

    /// Carries out the requests at `now` (or at the time of the last event, where that is later), then places what waits. A request
    /// whose events are more than one transaction takes is refused.
    /// An error is final: see the head of this file.
    [[nodiscard]] ports::JournalResult<BatchOutcome> commit(std::span<const Request> requests, Instant now);

    [[nodiscard]] const Core& core() const { return core_; }

private:
    /// The transaction at hand, beside its records.
    struct Draft {
        std::vector<Entry> entries;
        std::size_t bytes = 0;
    };
    enum class Fit : std::uint8_t { taken = 1, full = 2, too_large = 3 };
    /// Applies events and writes them into the draft: all of them, or none where they do not fit.
    [[nodiscard]] Fit take(std::vector<Event>& events, const std::string& actor, Instant at, Draft& draft);
    void follow_up(Instant at, Draft& draft);

    Core core_;
    ports::Journal& journal_;
    TransactionSize size_;
    ports::Head head_;
    std::vector<ports::Record> records_;  ///< Of the batch at hand; kept to reuse its memory.
};

}  // namespace weir::control
