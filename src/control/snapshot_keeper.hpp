// control/snapshot_keeper.hpp: a state of its own that follows what is durable, so that packing it holds nobody up.
//
// Packing a hundred thousand jobs takes a good part of a second; under the reader's lock the writer would wait for it. The
// price is a third copy of the state, without a scheduler.
//
// No thread of its own: the server's housekeeper and the simulator both drive it, one call at a time.
#pragma once

#include "control/reader.hpp"
#include "control/recover.hpp"
#include "ports/journal.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::control {

class SnapshotKeeper {
public:
    /// `state` is durable; the last snapshot is of the revision `kept_at`. `behind` reads what the reader no longer keeps, and
    /// is this object's alone. A snapshot is due `every` events after the last, or as many as the state has jobs where those are
    /// more: what snapshots cost then stays in proportion to what happens.
    SnapshotKeeper(State state, std::uint64_t kept_at, const Reader& reader, ports::Journal& journal,
                   std::unique_ptr<ports::JournalReader> behind, std::uint64_t every);

    /// Follows what is durable, and keeps a snapshot where one is due. Unless the books are broken, nothing but the snapshot is lost.
    [[nodiscard]] Result<void, SnapshotError> follow();

    /// Follows, and keeps a snapshot unless the last is of this very revision.
    [[nodiscard]] Result<void, SnapshotError> keep();

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] std::uint64_t kept_at() const { return kept_at_; }

private:
    [[nodiscard]] Result<void, SnapshotError> catch_up();

    State state_;
    std::uint64_t kept_at_;
    const Reader& reader_;
    ports::Journal& journal_;
    std::unique_ptr<ports::JournalReader> behind_;
    std::uint64_t every_;
};

}  // namespace weir::control
