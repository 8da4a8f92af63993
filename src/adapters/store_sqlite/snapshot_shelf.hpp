// adapters/store_sqlite/snapshot_shelf.hpp: the last few snapshots, in a file of their own.
//
// A file of their own, because a snapshot may be as large as a day of journal: in the journal's file it would hold back
// commits while it is written. Snapshots are caches, so nothing here can harm an event. They serve as witnesses too: one
// that is ahead of the journal's head shows that the journal has lost its tail.
//
// Each row carries the digest of its bytes and the journal's hash at its revision; a row that fails either is passed
// over, and the one before it is taken.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "ports/journal.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weir::store {

class SnapshotShelf {
public:
    using HashAt = std::function<ports::JournalResult<std::optional<Digest>>(std::uint64_t revision)>;

    [[nodiscard]] static std::string path_for(const std::string& store_path) { return store_path + ".snapshots"; }
    /// Where the store's snapshots are: in the file beside it or, in a backup, inside it; nothing if there are none.
    [[nodiscard]] static std::optional<std::string> find(const std::string& store_path, const std::string& vfs);
    /// Faults: not_found, damaged, read_only, disk_full, in_use, unavailable.
    [[nodiscard]] static ports::JournalResult<SnapshotShelf> open_to_read(const std::string& path, const std::string& vfs);
    /// Makes the file or the table where there is none.
    [[nodiscard]] static ports::JournalResult<SnapshotShelf> open_to_write(const std::string& path, const std::string& vfs);

    /// @param hash the journal's hash at the snapshot's revision.
    [[nodiscard]] ports::JournalResult<void> put(const ports::Snapshot& snapshot, const Digest& hash, const std::string& store_id);

    /// @param head the journal's last revision; @param hash_at the journal's hash of a revision, nothing if it is missing.
    [[nodiscard]] ports::SnapshotSearch search(std::uint32_t version, std::uint64_t at_most, std::uint64_t head, const HashAt& hash_at);

    /// The highest revision that a snapshot of this store has; nothing if it has none.
    [[nodiscard]] ports::JournalResult<std::optional<std::uint64_t>> newest_revision(const std::string& store_id);

    /// Copies the sound snapshots at or below `at_most` to `target`: how many.
    [[nodiscard]] ports::JournalResult<std::size_t> copy_to(SnapshotShelf& target, std::uint64_t at_most, const std::string& store_id,
                                                            const HashAt& hash_at);

private:
    struct Row {
        std::int64_t id = 0;
        std::uint64_t revision = 0;
        std::uint32_t version = 0;
    };
    SnapshotShelf(Connection connection, std::string path) : connection_{std::move(connection)}, path_{std::move(path)} {}
    [[nodiscard]] ports::JournalResult<std::vector<Row>> rows(std::uint64_t at_most);
    /// The snapshot of a row, or in words why it cannot be used.
    [[nodiscard]] Result<ports::Snapshot, std::string> load(const Row& row, const HashAt& hash_at);
    [[nodiscard]] int write(const ports::Snapshot& snapshot, const Digest& hash, const std::string& store_id);

    Connection connection_;
    std::string path_;
};

}  // namespace weir::store
