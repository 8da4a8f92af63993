#include "adapters/store_sqlite/log_start.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <atomic>

namespace weir::store {
namespace {

using ports::JournalResult;

std::string log_path(const SqliteOptions& options) { return options.path + "-wal"; }

/// Of the log's index, as sqlite.org/walformat.html has it: sets the count of frames that were moved, under the lock of who moves them.
int forget_in_index(const Connection& connection) {
    auto& file = connection.file();
    constexpr int region_bytes = 32'768;
    constexpr std::size_t moved_at = 96;
    constexpr int moving_lock = 1;
    void volatile* region = nullptr;
    if (const int code = file.pMethods->xShmMap(&file, 0, region_bytes, 0, &region); code != SQLITE_OK || region == nullptr) return code;
    if (const int code = file.pMethods->xShmLock(&file, moving_lock, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE); code != SQLITE_OK)
        return code;
    auto* moved = reinterpret_cast<std::uint32_t*>(static_cast<char*>(const_cast<void*>(region)) + moved_at);
    std::atomic_ref{*moved}.store(0);
    return file.pMethods->xShmLock(&file, moving_lock, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
}

/// Under the lock of who writes, so that nobody appends meanwhile. The bytes stay what they are: whoever reads them sees no difference.
int write_log_again(Connection& connection, const SqliteOptions& options) {
    if (const int code = connection.run("BEGIN IMMEDIATE"); code != SQLITE_OK) return code;
    auto log = VfsFile::open_to_write(options.vfs, log_path(options));
    const int code = log ? log->store_again() : SQLITE_CANTOPEN;
    (void)connection.run("ROLLBACK");
    return code;
}

}  // namespace

JournalResult<void> forget_what_was_moved(const SqliteOptions& options) {
    if (!file_size(options.vfs, log_path(options), FileKind::other)) return {};
    // What this connection reads may be old, and goes with it. It leaves the log as it is.
    auto passing = Connection::open({.path = options.path, .vfs = options.vfs, .writable = true});
    const bool reads = passing && sqlite3_db_config(passing.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) == SQLITE_OK &&
                       passing.run("PRAGMA schema_version") == SQLITE_OK;
    if (!reads) return fail(fault_of(passing, Stage::reading, options.path, "open the store for writing"));
    if (sqlite3_db_readonly(passing.handle(), "main") == 1) return {};  // Nothing will be built on it.
    if (const int code = forget_in_index(passing); code != SQLITE_OK)
        return fail(fault_of(code, Stage::reading, options.path, "start the log afresh", sqlite3_errstr(code)));
    return {};
}

JournalResult<void> store_log(Connection& connection, const SqliteOptions& options) {
    int code = sqlite3_wal_checkpoint_v2(connection.handle(), "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
    if ((code & 0xFF) == SQLITE_BUSY) code = write_log_again(connection, options);
    if (code == SQLITE_OK) return {};
    return fail(fault_of(code, Stage::reading, options.path, "start the log afresh", sqlite3_errstr(code)));
}

}  // namespace weir::store
