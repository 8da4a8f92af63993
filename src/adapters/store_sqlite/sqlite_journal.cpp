#include "adapters/store_sqlite/sqlite_journal.hpp"

#include "adapters/store_sqlite/backup.hpp"
#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/opening.hpp"
#include "adapters/store_sqlite/process_lock.hpp"
#include "adapters/store_sqlite/schema.hpp"
#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/store_sqlite/sqlite_reader.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"
#include "ports/batch_rules.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <utility>

namespace weir::store {
namespace {

using ports::LogCheckpoint;
using ports::Epoch;
using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;
using ports::Snapshot;

/// How long the hand-over at the end of a checkpoint may wait for readers while it holds appends back.
constexpr int checkpoint_patience_ms = 20;

class SqliteJournal final : public ports::Journal {
public:
    SqliteJournal(SqliteOptions options, ProcessLock lock, OpenStore store, std::unique_ptr<SqliteReader> reader);
    ~SqliteJournal() override;

    JournalResult<ports::StoreIdentity> identity() override {
        WEIR_CHECK(certain());
        return reader_->identity();
    }
    JournalResult<Head> head() override {
        WEIR_CHECK(certain());
        return head_;
    }
    JournalResult<std::vector<Record>> read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) override {
        WEIR_CHECK(certain());
        return reader_->read(from, max_records, max_bytes);
    }
    JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override {
        WEIR_CHECK(certain());
        return reader_->verify(from, to);
    }
    JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override {
        WEIR_CHECK(certain());
        return reader_->latest_snapshot(version, at_most);
    }
    JournalResult<std::optional<std::string>> meta(const std::string& key) override {
        WEIR_CHECK(certain());
        return reader_->meta(key);
    }

    Epoch epoch() const override { return epoch_; }
    JournalResult<Head> append(std::span<const Record> batch, Epoch epoch) override;
    JournalResult<void> set_meta(const std::string& key, const std::string& value, Epoch epoch) override;
    JournalResult<void> put_snapshot(const Snapshot& snapshot) override;
    bool checkpoint_due() const override { return log_pages_.load(std::memory_order_relaxed) >= checkpoint_pages_; }
    JournalResult<LogCheckpoint> checkpoint() override;
    JournalResult<ports::BackupReport> backup_to(const std::string& path) override {
        WEIR_CHECK(certain());
        return write_backup(options_.path, options_.vfs, path);
    }
    JournalResult<std::unique_ptr<ports::JournalReader>> open_reader() override {
        WEIR_CHECK(certain());
        return store::open_reader(options_.path, options_.vfs);
    }

private:
    /// Refuses everything once a commit's outcome is unknown. For any thread.
    [[nodiscard]] JournalResult<void> certain() const;
    [[nodiscard]] JournalResult<void> usable(Epoch epoch) const;
    /// Begins a transaction and checks the stored epoch inside it.
    [[nodiscard]] JournalResult<void> begin(std::string_view doing);
    [[nodiscard]] JournalResult<void> insert(const Record& record);
    [[nodiscard]] JournalResult<void> commit(std::string_view doing);
    /// Takes back what is open, and remembers faults after which nothing more may be done.
    JournalError give_up(JournalError error);
    static int count_log_pages(void* self, sqlite3*, const char*, int pages);

    SqliteOptions options_;
    ProcessLock lock_;  // Declared before the connections, so that it is let go after they have closed.
    Epoch epoch_;
    Head head_;
    std::optional<JournalError> ended_;  // The writer's thread alone.
    std::atomic<bool> outcome_unknown_{false};
    std::atomic<std::uint64_t> durable_revision_;
    std::atomic<std::uint64_t> log_pages_{0};
    std::uint64_t checkpoint_pages_ = 0;

    Connection connection_;
    Statement stored_epoch_;
    Statement insert_;
    std::unique_ptr<SqliteReader> reader_;

    std::mutex checkpoint_mutex_;
    Connection checkpointer_;  // Opened by the first checkpoint.
    std::mutex snapshot_mutex_;
    std::unique_ptr<SqliteReader> snapshot_reader_;  // Opened by the first snapshot.
};

SqliteJournal::SqliteJournal(SqliteOptions options, ProcessLock lock, OpenStore store, std::unique_ptr<SqliteReader> reader)
    : options_{std::move(options)},
      lock_{std::move(lock)},
      epoch_{store.epoch},
      head_{store.head},
      durable_revision_{store.head.revision},
      connection_{std::move(store.connection)},
      stored_epoch_{connection_.prepare("SELECT value FROM meta WHERE key='weir.epoch'")},
      insert_{connection_.prepare("INSERT INTO journal(revision,text,hash) VALUES(?1,?2,?3)")},
      reader_{std::move(reader)} {
    const auto page_bytes = connection_.integer("PRAGMA page_size").value_or(options_.page_bytes);
    checkpoint_pages_ = (static_cast<std::uint64_t>(options_.checkpoint_log_mib) << 20U) / static_cast<std::uint64_t>(page_bytes);
    sqlite3_wal_hook(connection_.handle(), &SqliteJournal::count_log_pages, this);
}

SqliteJournal::~SqliteJournal() {
    // After an unknown outcome the log is evidence: the next opening reads it, and closing must not tidy it away.
    if (!outcome_unknown_) return;
    for (auto* connection : {&connection_, &checkpointer_}) {
        if (*connection) sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    }
}

int SqliteJournal::count_log_pages(void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteJournal*>(self)->log_pages_.store(static_cast<std::uint64_t>(pages), std::memory_order_relaxed);
    return SQLITE_OK;
}

JournalResult<void> SqliteJournal::certain() const {
    if (!outcome_unknown_) return {};
    return fail(JournalError{
        JournalFault::outcome_unknown,
        fmt::format("{} is not used any more since the outcome of a commit or of a sync is unknown; end this process and start again",
                    options_.path)});
}

JournalResult<void> SqliteJournal::usable(Epoch epoch) const {
    if (ended_) return fail(*ended_);
    WEIR_CHECK(certain());
    if (epoch != epoch_) {
        return fail(
            JournalError{JournalFault::fenced, fmt::format("epoch {} does not write to {}: this opening has epoch {}; end the process that "
                                                           "holds the other one",
                                                           epoch.number, options_.path, epoch_.number)});
    }
    return {};
}

JournalError SqliteJournal::give_up(JournalError error) {
    stored_epoch_.reset();
    insert_.reset();
    if (error.fault == JournalFault::outcome_unknown) {
        ended_ = error;
        outcome_unknown_ = true;
        return error;
    }
    if (connection_.in_transaction()) (void)connection_.run("ROLLBACK");
    if (error.fault == JournalFault::fenced) ended_ = error;
    return error;
}

JournalResult<void> SqliteJournal::begin(std::string_view doing) {
    if (connection_.run("BEGIN IMMEDIATE") != SQLITE_OK) return fail(give_up(fault_of(connection_, Stage::reading, options_.path, doing)));
    const int code = stored_epoch_.step();
    if (code != SQLITE_ROW) return fail(give_up(fault_of(connection_, Stage::reading, options_.path, doing)));
    const std::string stored{stored_epoch_.bytes(0)};
    stored_epoch_.reset();
    if (stored == fmt::to_string(epoch_.number)) return {};
    return fail(give_up({JournalFault::fenced,
                         fmt::format("cannot {}: {} is at epoch {} since another server opened it, this one has epoch {}; end this process",
                                     doing, options_.path, stored, epoch_.number)}));
}

JournalResult<void> SqliteJournal::insert(const Record& record) {
    insert_.bind(1, static_cast<std::int64_t>(record.revision));
    insert_.bind_text(2, record.text);
    insert_.bind_blob(3, record.hash.bytes);
    if (insert_.run() == SQLITE_OK) return {};
    return fail(give_up(fault_of(connection_, Stage::writing, options_.path, fmt::format("append revision {}", record.revision))));
}

JournalResult<void> SqliteJournal::commit(std::string_view doing) {
    if (connection_.run("COMMIT") == SQLITE_OK) return {};
    auto error = fault_of(connection_, Stage::writing, options_.path, doing);
    // Only a full disk is known to leave no commit behind: its mark is the last thing written.
    if (error.fault != JournalFault::disk_full) error.fault = JournalFault::outcome_unknown;
    return fail(give_up(std::move(error)));
}

JournalResult<Head> SqliteJournal::append(std::span<const Record> batch, Epoch epoch) {
    WEIR_CHECK(usable(epoch));
    WEIR_CHECK(ports::check_batch(head_, batch));
    const auto doing = fmt::format("append revisions {} to {}", batch.front().revision, batch.back().revision);
    WEIR_CHECK(begin(doing));
    for (const auto& record : batch) WEIR_CHECK(insert(record));
    WEIR_CHECK(commit(doing));
    head_ = {batch.back().revision, batch.back().hash};
    durable_revision_.store(head_.revision, std::memory_order_release);
    return head_;
}

JournalResult<void> SqliteJournal::set_meta(const std::string& key, const std::string& value, Epoch epoch) {
    WEIR_CHECK(usable(epoch));
    WEIR_CHECK(ports::check_meta(key, value));
    const auto doing = fmt::format("set meta {}", key);
    WEIR_CHECK(begin(doing));
    if (write_meta(connection_, key, value) != SQLITE_OK) return fail(give_up(fault_of(connection_, Stage::writing, options_.path, doing)));
    return commit(doing);
}

JournalResult<void> SqliteJournal::put_snapshot(const Snapshot& snapshot) {
    WEIR_CHECK(certain());
    WEIR_CHECK(ports::check_snapshot(snapshot, durable_revision_.load(std::memory_order_acquire)));
    const std::scoped_lock hold{snapshot_mutex_};
    if (!snapshot_reader_) snapshot_reader_ = WEIR_TRY(SqliteReader::open(options_.path, options_.vfs));
    const auto hash = WEIR_TRY(snapshot_reader_->hash_at(snapshot.revision));
    if (!hash) return fail(damaged(options_.path, fmt::format("revision {} is missing", snapshot.revision)));
    const auto identity = WEIR_TRY(snapshot_reader_->identity());
    const auto path = SnapshotShelf::path_for(options_.path);
    const auto keep = [&]() -> JournalResult<void> {
        auto shelf = WEIR_TRY(SnapshotShelf::open_to_write(path, options_.vfs));
        return shelf.put(snapshot, *hash, identity.store_id);
    };
    auto kept = keep();
    if (!kept && kept.error().fault == JournalFault::damaged) {
        // A cache that cannot be read or written is worth nothing: it is made anew, and its snapshots are not missed.
        for (const std::string_view suffix : {"-journal", ""}) (void)remove_durably(options_.vfs, path + std::string{suffix});
        kept = keep();
    }
    return kept;
}

/// Syncs the main file through its VFS, as SQLite itself does.
int sync_main_file(const Connection& connection) {
    auto& file = connection.file();
    return file.pMethods->xSync(&file, SQLITE_SYNC_NORMAL);
}

JournalResult<LogCheckpoint> SqliteJournal::checkpoint() {
    const std::scoped_lock hold{checkpoint_mutex_};
    WEIR_CHECK(certain());  // Whoever waited here may have waited for a checkpoint that failed.
    if (!checkpointer_) {
        checkpointer_ = WEIR_TRY(connect(options_));
        sqlite3_busy_timeout(checkpointer_.handle(), checkpoint_patience_ms);
    }
    const auto run = [&](int mode, int& log, int& moved) {
        return sqlite3_wal_checkpoint_v2(checkpointer_.handle(), "main", mode, &log, &moved);
    };
    int log = 0, moved = 0;
    int code = run(SQLITE_CHECKPOINT_PASSIVE, log, moved);  // The bulk, while appends go on.
    // With appends beside it that syncs nothing, and the hand-over would sync the bulk while it holds appends back.
    if (code == SQLITE_OK && options_.synchronous != Synchronous::off) code = sync_main_file(checkpointer_);
    if (code == SQLITE_OK) code = run(SQLITE_CHECKPOINT_RESTART, log, moved);  // What came meanwhile, and the hand-over.
    if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
        // What a failed sync left behind counts as moved, and the next sync would succeed without it: only who opens the store anew
        // moves all of the log again.
        const bool unsynced = (code & 0xFF) == SQLITE_IOERR;
        if (unsynced) outcome_unknown_ = true;
        return fail(fault_of(code, unsynced ? Stage::writing : Stage::reading, options_.path, "move the log into the main file",
                             sqlite3_errstr(code)));
    }
    const bool complete = code == SQLITE_OK;
    if (complete) log_pages_.store(0, std::memory_order_relaxed);
    return LogCheckpoint{static_cast<std::uint64_t>(std::max(log, 0)), static_cast<std::uint64_t>(std::max(moved, 0)), complete};
}

}  // namespace

JournalResult<std::unique_ptr<ports::Journal>> open_journal(const SqliteOptions& options) {
    ProcessLock lock;
    if (options.lock_file) lock = WEIR_TRY(ProcessLock::take(options.path + ".lock"));
    auto store = WEIR_TRY(open_files(options));
    auto reader = WEIR_TRY(SqliteReader::open(options.path, options.vfs));
    return std::make_unique<SqliteJournal>(options, std::move(lock), std::move(store), std::move(reader));
}

JournalResult<std::unique_ptr<ports::JournalReader>> open_reader(const std::string& path, const std::string& vfs) {
    return WEIR_TRY(SqliteReader::open(path, vfs));
}

}  // namespace weir::store
