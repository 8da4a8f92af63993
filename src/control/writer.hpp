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
};

struct BatchOutcome {
    std::vector<Answer> answers;      ///< One for each request, in order.
    std::shared_ptr<const Committed> committed;
};

class Writer {
public:
    /// `core` is the state at the journal's head.
    Writer(Core core, ports::Journal& journal);

    /// Carries out the requests at `now` (or at the time of the last event, where that is later), then places what waits.
    /// An error is final: see the head of this file.
    [[nodiscard]] ports::JournalResult<BatchOutcome> commit(std::span<const Request> requests, Instant now);

    [[nodiscard]] const Core& core() const { return core_; }

private:
    void take(Event event, const std::string& actor, Instant at, Committed& committed);

    Core core_;
    ports::Journal& journal_;
    ports::Head head_;
    std::vector<ports::Record> records_;  ///< Of the batch at hand; kept to reuse its memory.
};

}  // namespace weir::control
