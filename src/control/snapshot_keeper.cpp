#include "control/snapshot_keeper.hpp"

#include <algorithm>
#include <utility>

namespace weir::control {

SnapshotKeeper::SnapshotKeeper(State state, std::uint64_t kept_at, const Reader& reader, ports::Journal& journal,
                               std::unique_ptr<ports::JournalReader> behind, std::uint64_t every)
    : state_{std::move(state)}, kept_at_{kept_at}, reader_{reader}, journal_{journal}, behind_{std::move(behind)}, every_{every} {}

Result<void, SnapshotError> SnapshotKeeper::catch_up() {
    const auto batches = reader_.since(state_.revision);
    if (!batches) {
        return replay(*behind_, state_).map_error([](std::string what) {
            return SnapshotError{SnapshotFault::not_stored, std::move(what)};
        });
    }
    for (const auto& batch : *batches) {
        for (const auto& entry : batch->entries) {
            // A journal that could not be read on has left the state within a batch.
            if (entry.revision > state_.revision) apply(state_, entry.event, entry.revision, entry.at);
        }
    }
    return {};
}

Result<void, SnapshotError> SnapshotKeeper::follow() {
    if (auto followed = catch_up(); !followed) return followed;
    const auto due = std::max<std::uint64_t>(every_, state_.jobs.size() + state_.finished.size());
    return state_.revision < kept_at_ + due ? Result<void, SnapshotError>{} : keep();
}

Result<void, SnapshotError> SnapshotKeeper::keep() {
    if (auto followed = catch_up(); !followed) return followed;
    if (state_.revision == kept_at_) return {};
    // A failure waits for the next due time too: what is wrong with a disk is seldom over in a moment.
    kept_at_ = state_.revision;
    return keep_snapshot(journal_, state_);
}

}  // namespace weir::control
