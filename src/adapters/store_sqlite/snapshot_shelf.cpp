#include "adapters/store_sqlite/snapshot_shelf.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Snapshot;
using ports::SnapshotSearch;

bool same(std::string_view stored, const Digest& digest) {
    return stored.size() == digest.bytes.size() && std::memcmp(stored.data(), digest.bytes.data(), stored.size()) == 0;
}

/// A failed write of a cache leaves nothing open that anyone must end a process for, and nothing that is to be restored.
JournalError shelf_fault(const Connection& connection, std::string_view path, std::string_view doing) {
    auto error = fault_of(connection, Stage::reading, path, doing);
    // "unsupported file format", "no such table": of a file that only we write these are damage too.
    if (error.fault == JournalFault::damaged || (connection.code() & 0xFF) == SQLITE_ERROR) {
        error.fault = JournalFault::damaged;
        error.message = fmt::format("{} is damaged: cannot {}: {} (SQLite code {}); it is a cache of the journal and nothing is lost: the "
                                    "next snapshot begins it anew",
                                    path, doing, connection.message(), connection.code());
    }
    return error;
}

}  // namespace

std::optional<std::string> SnapshotShelf::find(const std::string& store_path, const std::string& vfs) {
    if (file_size(vfs, path_for(store_path), FileKind::database)) return path_for(store_path);
    auto inside = Connection::open({.path = store_path, .vfs = vfs});
    if (inside && inside.integer("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='snapshot'")) return store_path;
    return std::nullopt;
}

JournalResult<SnapshotShelf> SnapshotShelf::open_to_read(const std::string& path, const std::string& vfs) {
    auto connection = Connection::open({.path = path, .vfs = vfs});
    if (!connection) return fail(shelf_fault(connection, path, "open the snapshots"));
    return SnapshotShelf{std::move(connection), path};
}

JournalResult<SnapshotShelf> SnapshotShelf::open_to_write(const std::string& path, const std::string& vfs) {
    auto connection = Connection::open({.path = path, .vfs = vfs, .writable = true, .create = true});
    if (!connection) return fail(shelf_fault(connection, path, "open the snapshots"));
    // EXTRA: with a rollback journal, FULL leaves the journal's removal, which is the commit, to the directory's luck.
    const int code = connection.run(
        "PRAGMA synchronous=EXTRA; PRAGMA secure_delete=OFF;"
        "CREATE TABLE IF NOT EXISTS snapshot(id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, version INTEGER NOT NULL, store_id TEXT "
        "NOT NULL,"
        " state BLOB NOT NULL, journal_hash BLOB NOT NULL, content_hash BLOB NOT NULL, bytes BLOB NOT NULL, UNIQUE(version,revision))");
    if (code != SQLITE_OK) return fail(shelf_fault(connection, path, "open the snapshots"));
    return SnapshotShelf{std::move(connection), path};
}

int SnapshotShelf::write(const Snapshot& snapshot, const Digest& hash, const std::string& store_id) {
    if (const int code = connection_.run("BEGIN IMMEDIATE"); code != SQLITE_OK) return code;
    Statement insert = connection_.prepare(
        "INSERT OR REPLACE INTO snapshot(revision,version,store_id,state,journal_hash,content_hash,bytes) VALUES(?1,?2,?3,?4,?5,?6,?7)");
    if (!insert) return connection_.code();
    const Digest content = sha256(snapshot.bytes);
    insert.bind(1, static_cast<std::int64_t>(snapshot.revision));
    insert.bind(2, snapshot.version);
    insert.bind_text(3, store_id);
    insert.bind_blob(4, snapshot.state.bytes);
    insert.bind_blob(5, hash.bytes);
    insert.bind_blob(6, content.bytes);
    insert.bind_blob(7, snapshot.bytes);
    if (const int code = insert.run(); code != SQLITE_OK) return code;
    Statement forget = connection_.prepare(
        "DELETE FROM snapshot WHERE version=?1 AND id NOT IN (SELECT id FROM snapshot WHERE version=?1 ORDER BY revision DESC LIMIT ?2)");
    if (!forget) return connection_.code();
    forget.bind(1, snapshot.version);
    forget.bind(2, static_cast<std::int64_t>(ports::snapshots_kept));
    if (const int code = forget.run(); code != SQLITE_OK) return code;
    return connection_.run("COMMIT");
}

JournalResult<void> SnapshotShelf::put(const Snapshot& snapshot, const Digest& hash, const std::string& store_id) {
    if (write(snapshot, hash, store_id) == SQLITE_OK) return {};
    auto error = shelf_fault(connection_, path_, fmt::format("keep the snapshot of revision {}", snapshot.revision));
    if (connection_.in_transaction()) (void)connection_.run("ROLLBACK");
    return fail(std::move(error));
}

JournalResult<std::vector<SnapshotShelf::Row>> SnapshotShelf::rows(std::uint64_t at_most) {
    std::vector<Row> found;
    Statement select =
        connection_.prepare("SELECT id,revision,version FROM snapshot WHERE revision<=?1 ORDER BY revision DESC, version DESC");
    if (!select) return fail(shelf_fault(connection_, path_, "list the snapshots"));
    select.bind(1, static_cast<std::int64_t>(std::min<std::uint64_t>(at_most, std::numeric_limits<std::int64_t>::max())));
    int code = SQLITE_OK;
    while ((code = select.step()) == SQLITE_ROW) {
        found.push_back({select.integer(0), static_cast<std::uint64_t>(select.integer(1)), static_cast<std::uint32_t>(select.integer(2))});
    }
    if (code != SQLITE_DONE) return fail(shelf_fault(connection_, path_, "list the snapshots"));
    return found;
}

Result<Snapshot, std::string> SnapshotShelf::load(const Row& row, const HashAt& hash_at) {
    Statement select = connection_.prepare("SELECT state,journal_hash,content_hash,bytes FROM snapshot WHERE id=?1");
    if (!select) return fail(connection_.message());
    select.bind(1, row.id);
    if (select.step() != SQLITE_ROW) return fail(connection_.message());
    const auto expected = hash_at(row.revision);
    if (!expected) return fail(expected.error().message);
    if (!*expected || !same(select.bytes(1), **expected)) return fail(std::string{"it was taken of another journal"});
    Snapshot snapshot{.revision = row.revision, .version = row.version, .state = {}, .bytes = std::string{select.bytes(3)}};
    if (!same(select.bytes(2), sha256(snapshot.bytes))) return fail(std::string{"its bytes do not have the digest stored with them"});
    const auto state = select.bytes(0);
    if (state.size() != snapshot.state.bytes.size()) return fail(std::string{"its digest of the state is cut off"});
    std::memcpy(snapshot.state.bytes.data(), state.data(), state.size());
    return snapshot;
}

SnapshotSearch SnapshotShelf::search(std::uint32_t version, std::uint64_t at_most, std::uint64_t head, const HashAt& hash_at) {
    SnapshotSearch result;
    const auto candidates = rows(std::max(at_most, head));
    if (!candidates) {
        result.passed_over.push_back(candidates.error().message);
        return result;
    }
    const auto pass = [&](const Row& row, std::string_view why) {
        result.passed_over.push_back(
            fmt::format("{}: the snapshot of revision {} is passed over: {}; an older one, or the whole journal, is replayed", path_,
                        row.revision, why));
    };
    for (const auto& row : *candidates) {
        if (row.revision > at_most) continue;
        if (row.version != version) {
            pass(row, fmt::format("its layout is version {}, this program reads version {}", row.version, version));
            continue;
        }
        auto snapshot = load(row, hash_at);
        if (snapshot) {
            result.found = std::move(*snapshot);
            return result;
        }
        pass(row, snapshot.error());
    }
    return result;
}

JournalResult<std::optional<std::uint64_t>> SnapshotShelf::newest_revision(const std::string& store_id) {
    Statement select = connection_.prepare("SELECT revision FROM snapshot WHERE store_id=?1 ORDER BY revision DESC LIMIT 1");
    if (!select) return fail(shelf_fault(connection_, path_, "list the snapshots"));
    select.bind_text(1, store_id);
    const int code = select.step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) return fail(shelf_fault(connection_, path_, "list the snapshots"));
    return static_cast<std::uint64_t>(select.integer(0));
}

JournalResult<std::size_t> SnapshotShelf::copy_to(SnapshotShelf& target, std::uint64_t at_most, const std::string& store_id,
                                                  const HashAt& hash_at) {
    std::size_t copied = 0;
    for (const auto& row : WEIR_TRY(rows(at_most))) {
        const auto snapshot = load(row, hash_at);
        if (!snapshot) continue;
        const auto hash = WEIR_TRY(hash_at(row.revision));
        WEIR_CHECK(target.put(*snapshot, *hash, store_id));
        ++copied;
    }
    return copied;
}

}  // namespace weir::store
