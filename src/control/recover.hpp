// control/recover.hpp: from a journal to a state: the newest good snapshot, then the events after it.
//
// A snapshot is a cache. It is taken as it is only where its version, its digest and the journal's chain agree; else an
// older one serves, and without any the whole journal is folded.
#pragma once

#include "control/core/core.hpp"
#include "control/entry.hpp"
#include "ports/journal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

/// The bytes of a state, compressed, and the digest of what they hold.
struct PackedState {
    std::string bytes;
    Digest digest;
};

/// Identifies the layout of a packed state: another build whose structs differ reads the journal instead.
[[nodiscard]] std::uint32_t state_version();

[[nodiscard]] PackedState pack(const State& state);
/// A state without its derived part, and the digest of the bytes that it was read from: that of the state that was packed.
struct UnpackedState {
    State state;
    Digest digest;
};
/// The state of a snapshot; or why the bytes are not one.
/// @param hash_seed of the ledger's tables: Policy.
[[nodiscard]] Result<UnpackedState, std::string> unpack(const std::string& bytes, std::uint64_t hash_seed = 0);
/// A digest of everything in the state that is not derived: equal states, equal digests.
[[nodiscard]] Digest digest_of(const State& state);

struct RecoverOptions {
    std::uint64_t until = UINT64_MAX;   ///< The last revision to fold.
    bool use_snapshots = true;
    bool companions = false;            ///< The instances that a server has beside the first are wanted too; all are made at once.
};

/// What a server keeps beside the instance that decides, equal to it.
struct Companions {
    Core reader;
    State follower;   ///< What snapshots are made of.
};

struct Recovery {
    Core core;
    std::optional<Companions> companions;
    std::uint64_t snapshot_revision = 0;   ///< 0: none was used.
    std::uint64_t replayed = 0;            ///< Events folded after it.
    std::vector<std::string> remarks;      ///< Snapshots that were passed over, and why.
    std::vector<std::uint64_t> unsound;    ///< Revisions of those that the store gave whole and that are not what they say, newest first.
};

/// The state at the journal's head (or at an earlier revision), with everything derived built anew.
/// The error is for an operator: what cannot be read and what to do.
[[nodiscard]] Result<Recovery, std::string> recover(ports::JournalReader& journal, Policy policy, Catalogue catalogue,
                                                    RecoverOptions options = {});

/// Folds every entry after its revision into a recovery and its companions: of a server that follows another one.
[[nodiscard]] Result<void, std::string> catch_up(ports::JournalReader& journal, Recovery& recovery);

/// Folds every entry after the state's revision into it.
[[nodiscard]] Result<void, std::string> replay(ports::JournalReader& journal, State& state);

/// The first law of the ledger that a sweep over all of it finds broken, with both numbers, in words for an operator; nothing where
/// all hold. O(accounts and holds).
[[nodiscard]] std::optional<std::string> broken_law(const State& state);

/// Why there is no new snapshot. In descending precedence.
enum class SnapshotFault : std::uint8_t {
    books_broken = 1,  ///< A law of the ledger does not hold: nothing was stored, and the process must end.
    not_stored = 2,    ///< The store refused it: the journal is whole, and the next one may fit.
};

struct SnapshotError {
    SnapshotFault fault{};
    std::string message;  ///< For the operator.
};

/// Sweeps the ledger in full, then keeps a snapshot of the state.
[[nodiscard]] Result<void, SnapshotError> keep_snapshot(ports::Journal& journal, const State& state);

}  // namespace weir::control
