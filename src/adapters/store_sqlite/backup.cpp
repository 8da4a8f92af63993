#include "adapters/store_sqlite/backup.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/publish.hpp"
#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/store_sqlite/sqlite_reader.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <limits>
#include <memory>
#include <utility>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;

constexpr int pages_per_step = 4'096;

/// Copies all pages of one read transaction of the source, which is open as `from`.
JournalResult<void> copy_pages(Connection& from, const std::string& source, const std::string& target) {
    // The open read transaction pins one state of the source, so the copy never has to start again.
    if (from.run("BEGIN; SELECT count(*) FROM meta;") != SQLITE_OK)
        return fail(fault_of(from, Stage::reading, source, "read the store for a backup"));
    auto to = Connection::open({.path = target, .writable = true, .create = true});
    if (!to) return fail(fault_of(to, Stage::reading, target, "write the backup"));
    if (to.run("PRAGMA synchronous=FULL") != SQLITE_OK) return fail(fault_of(to, Stage::reading, target, "write the backup"));

    struct Finish {
        void operator()(sqlite3_backup* copy) const { sqlite3_backup_finish(copy); }
    };
    const std::unique_ptr<sqlite3_backup, Finish> copy{sqlite3_backup_init(to.handle(), "main", from.handle(), "main")};
    if (!copy) return fail(fault_of(to, Stage::reading, target, "write the backup"));
    int code = SQLITE_OK;
    while (code == SQLITE_OK) code = sqlite3_backup_step(copy.get(), pages_per_step);
    if (code == SQLITE_DONE) return {};
    return fail(fault_of(code, Stage::reading, target, "write the backup", sqlite3_errstr(code)));
}

/// Turns the copy into one plain file: no log beside it.
JournalResult<void> make_plain(const std::string& target) {
    auto connection = Connection::open({.path = target, .writable = true});
    if (!connection || connection.run("PRAGMA synchronous=FULL; PRAGMA journal_mode=DELETE;") != SQLITE_OK) {
        return fail(fault_of(connection, Stage::reading, target, "finish the backup"));
    }
    return {};
}

JournalResult<void> copy_snapshots(const std::string& source, const std::string& source_vfs, const std::string& target, SqliteReader& copy,
                                   std::uint64_t head) {
    const auto path = SnapshotShelf::find(source, source_vfs);
    if (!path) return {};
    auto from = SnapshotShelf::open_to_read(*path, source_vfs);
    if (!from) return {};
    auto to = WEIR_TRY(SnapshotShelf::open_to_write(target, {}));
    const auto identity = WEIR_TRY(copy.identity());
    const auto copied = from->copy_to(to, head, identity.store_id, [&](std::uint64_t revision) { return copy.hash_at(revision); });
    if (!copied && copied.error().fault == JournalFault::disk_full) return fail(copied.error());
    return {};
}

JournalResult<ports::BackupReport> write_partial(const std::string& source, const std::string& source_vfs, const std::string& partial) {
    auto from = Connection::open({.path = source, .vfs = source_vfs});
    if (!from) return fail(fault_of(from, Stage::reading, source, "read the store for a backup"));
    WEIR_CHECK(copy_pages(from, source, partial));
    WEIR_CHECK(make_plain(partial));
    auto copy = WEIR_TRY(SqliteReader::open(partial, {}));
    const auto checked = WEIR_TRY(copy->verify(1, std::numeric_limits<std::uint64_t>::max()));
    if (checked.bad) return fail(damaged(source, checked.bad->problem));
    WEIR_CHECK(copy_snapshots(source, source_vfs, partial, *copy, checked.end.revision));
    copy.reset();
    return ports::BackupReport{checked.end, file_size({}, partial, FileKind::database).value_or(0)};
}

JournalResult<void> write_rescue_partial(Connection& open, const std::string& source, const std::string& partial) {
    WEIR_CHECK(copy_pages(open, source, partial));
    return make_plain(partial);
}

}  // namespace

JournalResult<void> write_rescue(Connection& open, const std::string& source, const std::string& target) {
    WEIR_CHECK(must_be_absent(target));
    const auto partial = target + ".partial";
    remove_leftovers(partial);
    if (auto written = write_rescue_partial(open, source, partial); !written) {
        remove_leftovers(partial);
        return written;
    }
    return publish(partial, target);
}

JournalResult<ports::BackupReport> write_backup(const std::string& source, const std::string& source_vfs, const std::string& target) {
    WEIR_CHECK(must_be_absent(target));
    const auto partial = target + ".partial";
    remove_leftovers(partial);
    auto report = write_partial(source, source_vfs, partial);
    if (report) {
        const auto published = publish(partial, target);
        if (published) return report;
        report = fail(published.error());
    }
    remove_leftovers(partial);
    return report;
}

}  // namespace weir::store
