#include "adapters/store_sqlite/opening.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/log_evidence.hpp"
#include "adapters/store_sqlite/log_start.hpp"
#include "adapters/store_sqlite/schema.hpp"
#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/store_sqlite/sqlite_reader.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::store {
namespace {

using ports::Epoch;
using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;

std::string creating_path(const std::string& path) { return path + ".creating"; }

JournalError cannot_make(const SqliteOptions& options, int code, std::string_view detail) {
    return fault_of(code, Stage::reading, options.path, "make a new store", detail);
}

/// Removes what an interrupted creation left. Nothing in it was ever acknowledged: its mark goes before the store opens.
JournalResult<void> discard_unfinished(const SqliteOptions& options) {
    if (!file_size(options.vfs, creating_path(options.path), FileKind::other)) return {};
    for (const std::string_view suffix : {"-wal", "-journal", ""}) {
        const int code = remove_durably(options.vfs, options.path + std::string{suffix});
        if (code != SQLITE_OK) return fail(cannot_make(options, code, "an unfinished store cannot be removed"));
    }
    const int code = remove_durably(options.vfs, creating_path(options.path));
    if (code != SQLITE_OK) return fail(cannot_make(options, code, "the mark of an unfinished store cannot be removed"));
    return {};
}

/// Whether there is a store to open; an error if parts of one are missing.
JournalResult<bool> store_exists(const SqliteOptions& options) {
    const auto size = file_size(options.vfs, options.path, FileKind::database);
    if (size && *size > 0) return true;
    if (size) return fail(damaged(options.path, "the file is empty (0 bytes)"));
    const auto log = file_size(options.vfs, options.path + "-wal", FileKind::other);
    if (log.value_or(0) > 0) {
        return fail(
            damaged(options.path, fmt::format("the file is missing but its log {}-wal is there with {} bytes", options.path, *log)));
    }
    const auto shelf = SnapshotShelf::path_for(options.path);
    if (file_size(options.vfs, shelf, FileKind::database).value_or(0) > 0) {
        return fail(damaged(options.path, fmt::format("the file is missing but its snapshots {} are there", shelf)));
    }
    return false;
}

JournalResult<void> make_store(const SqliteOptions& options) {
    if (const int code = make_durable_file(options.vfs, creating_path(options.path)); code != SQLITE_OK) {
        return fail(cannot_make(options, code, "its directory is missing, full or read-only"));
    }
    {
        auto connection = Connection::open({.path = options.path, .vfs = options.vfs, .writable = true, .create = true});
        if (!connection) return fail(cannot_make(options, connection.code(), connection.message()));
        const auto setting = fmt::format("PRAGMA page_size={}; PRAGMA synchronous=FULL;", options.page_bytes);
        int code = connection.run(setting);
        if (code == SQLITE_OK) code = create_schema(connection, {new_store_id(), format_version, {}}, Epoch{0});
        if (code == SQLITE_OK) code = connection.run("PRAGMA journal_mode=WAL");
        if (code != SQLITE_OK) return fail(cannot_make(options, code, connection.message()));
    }
    if (const int code = remove_durably(options.vfs, creating_path(options.path)); code != SQLITE_OK) {
        return fail(cannot_make(options, code, "its mark cannot be removed"));
    }
    return {};
}

JournalResult<Head> check_tail(const SqliteOptions& options, const ports::StoreIdentity& identity) {
    auto reader = WEIR_TRY(SqliteReader::open(options.path, options.vfs));
    const auto head = WEIR_TRY(reader->head());
    const auto count = std::min(options.verify_tail_records, head.revision);
    const auto checked = WEIR_TRY(reader->verify(head.revision - count + 1, head.revision));
    if (count > 0 && checked.bad) return fail(damaged(options.path, checked.bad->problem));
    if (options.tail_missing) {
        if (auto missing = options.tail_missing(identity, head)) return fail(JournalError{JournalFault::damaged, *std::move(missing)});
    }

    const auto shelf_path = SnapshotShelf::path_for(options.path);
    if (!file_size(options.vfs, shelf_path, FileKind::database)) return head;
    // For writing, since only a writer can undo a snapshot that a crash has interrupted.
    auto shelf = SnapshotShelf::open_to_write(shelf_path, options.vfs);
    if (!shelf) return head;
    const auto newest = shelf->newest_revision(identity.store_id);
    if (newest && *newest && **newest > head.revision) {
        return fail(damaged(options.path,
                            fmt::format("its journal ends at revision {} but {} holds a snapshot of revision {}, so the tail is lost; "
                                        "if an older journal was put here on purpose, remove that file",
                                        head.revision, shelf_path, **newest)));
    }
    return head;
}

JournalResult<Epoch> take_epoch(Connection& connection, const SqliteOptions& options) {
    constexpr std::string_view doing = "take a new epoch";
    if (connection.run("BEGIN IMMEDIATE") != SQLITE_OK) return fail(fault_of(connection, Stage::reading, options.path, doing));
    auto last = read_epoch(connection, options.path);
    if (!last) {
        (void)connection.run("ROLLBACK");
        return fail(std::move(last).error());
    }
    const Epoch taken{last->number + 1};
    int code = write_meta(connection, meta_key::epoch, fmt::to_string(taken.number));
    if (code == SQLITE_OK) code = connection.run("COMMIT");
    if (code == SQLITE_OK) return taken;
    auto error = fault_of(connection, Stage::reading, options.path, doing);
    if (connection.in_transaction()) (void)connection.run("ROLLBACK");
    return fail(std::move(error));
}

}  // namespace

JournalResult<Connection> connect(const SqliteOptions& options) {
    auto connection = Connection::open({.path = options.path, .vfs = options.vfs, .writable = true});
    if (!connection) return fail(fault_of(connection, Stage::reading, options.path, "open the store for writing"));
    if (sqlite3_db_readonly(connection.handle(), "main") == 1) {
        return fail(fault_of(SQLITE_READONLY, Stage::reading, options.path, "open the store for writing", "it can only be read"));
    }
    // A batch stays in memory until its commit, so that a refused one has touched no file.
    const auto settings = fmt::format(
        "PRAGMA synchronous={}; PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=OFF; PRAGMA cache_size=-16384; PRAGMA secure_delete=OFF;",
        static_cast<int>(options.synchronous));
    if (connection.run(settings) != SQLITE_OK)
        return fail(fault_of(connection, Stage::reading, options.path, "open the store for writing"));
    return connection;
}

JournalResult<OpenStore> open_files(const SqliteOptions& options) {
    WEIR_CHECK(discard_unfinished(options));
    if (!WEIR_TRY(store_exists(options))) {
        if (!options.create) {
            return fail(
                JournalError{JournalFault::not_found,
                             fmt::format("there is no store at {}; name the right file, or allow a new one to be made", options.path)});
        }
        WEIR_CHECK(make_store(options));
    }
    if (const auto lost = find_lost_commits(options.vfs, options.path)) {
        return fail(damaged(options.path, fmt::format("{}-wal breaks at frame {} of {}, before the acknowledged commit at frame {}",
                                                      options.path, lost->broken_frame, lost->log_frames, lost->commit_frame)));
    }
    WEIR_CHECK(forget_what_was_moved(options));
    OpenStore store;
    store.connection = WEIR_TRY(connect(options));
    store.identity = WEIR_TRY(read_identity(store.connection, options.path));
    store.head = WEIR_TRY(check_tail(options, store.identity));
    // A store that was restored is a plain file until it is first opened for writing.
    if (const int code = store.connection.run("PRAGMA journal_mode=WAL"); code != SQLITE_OK)
        return fail(fault_of(code, Stage::reading, options.path, "start the log afresh", sqlite3_errstr(code)));
    WEIR_CHECK(store_log(store.connection, options));
    store.epoch = WEIR_TRY(take_epoch(store.connection, options));
    return store;
}

}  // namespace weir::store
