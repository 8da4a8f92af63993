#include "adapters/store_postgres/postgres_journal.hpp"

#include "adapters/store_postgres/dump.hpp"
#include "adapters/store_postgres/postgres_reader.hpp"
#include "adapters/store_postgres/schema.hpp"
#include "codec/text.hpp"
#include "ports/batch_rules.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <utility>

namespace weir::store {
namespace {

using ports::Epoch;
using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;
using ports::Snapshot;

/// A value in the lines of a COPY.
void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default: out += c;
        }
    }
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\\\x";
    for (const auto byte : bytes) {
        out += digits[byte >> 4U];
        out += digits[byte & 0xFU];
    }
}

std::string lines_of(std::span<const Record> batch) {
    std::string lines;
    for (const auto& record : batch) {
        lines += fmt::format("{}\t", record.revision);
        const bool is_text = codec::check_utf8(record.text).good && record.text.find('\0') == std::string::npos;
        if (is_text) {
            append_escaped(lines, record.text);
            lines += "\t\\N\t";
        } else {
            lines += "\\N\t";
            append_hex(lines, {reinterpret_cast<const std::uint8_t*>(record.text.data()), record.text.size()});
            lines += '\t';
        }
        append_hex(lines, record.hash.bytes);
        lines += '\n';
    }
    return lines;
}

class LeadingJournal final : public PostgresJournal {
public:
    LeadingJournal(PostgresOptions options, PgConnection connection, std::unique_ptr<PostgresReader> reader, Epoch epoch, Head head,
                   Instant from)
        : options_{std::move(options)},
          store_{name_of_store(options_.where)},
          epoch_{epoch},
          head_{head},
          durable_revision_{head.revision},
          connection_{std::move(connection)},
          reader_{std::move(reader)},
          lease_{{options_.where, options_.schema, options_.lease, false}, epoch, from} {}

    JournalResult<ports::StoreIdentity> identity() override { return reader_->identity(); }
    JournalResult<Head> head() override {
        WEIR_CHECK(certain());
        return head_;
    }
    JournalResult<std::vector<Record>> read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) override {
        WEIR_CHECK(certain());
        return reader_->read(from, max_records, max_bytes);
    }
    JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override { return reader_->verify(from, to); }
    JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override {
        return reader_->latest_snapshot(version, at_most);
    }
    JournalResult<std::optional<std::string>> meta(const std::string& key) override { return reader_->meta(key); }

    Epoch epoch() const override { return epoch_; }
    bool leads() const override { return lease_.holds(); }
    JournalResult<Head> append(std::span<const Record> batch, Epoch epoch) override;
    JournalResult<void> set_meta(const std::string& key, const std::string& value, Epoch epoch) override;
    JournalResult<void> put_snapshot(const Snapshot& snapshot) override;
    bool checkpoint_due() const override { return false; }
    /// The database moves its log by itself.
    JournalResult<ports::LogCheckpoint> checkpoint() override { return ports::LogCheckpoint{0, 0, true}; }
    JournalResult<ports::BackupReport> backup_to(const std::string& path) override {
        auto reader = WEIR_TRY(PostgresReader::open(options_.where, options_.schema));
        return write_dump(*reader, path);
    }
    JournalResult<std::unique_ptr<ports::JournalReader>> open_reader() override { return open_postgres_reader(options_); }

private:
    [[nodiscard]] JournalResult<void> certain() const {
        if (ended_) return fail(*ended_);
        return {};
    }
    [[nodiscard]] JournalResult<void> usable(Epoch epoch) const {
        WEIR_CHECK(certain());
        if (epoch == epoch_) return {};
        return fail(
            JournalError{JournalFault::fenced, fmt::format("epoch {} does not write to {}: this opening has epoch {}; end the process "
                                                           "that holds the other one",
                                                           epoch.number, store_, epoch_.number)});
    }
    /// Nothing was committed; whatever is open is taken back.
    JournalError take_back(JournalError error) {
        if (!connection_.is_broken()) (void)connection_.run("rollback");
        if (error.fault == JournalFault::fenced) ended_ = error;
        return error;
    }
    JournalError take_back(const PgError& error, std::string_view doing) {
        // What the fence itself says; see fence().
        if (error.state == "22012") {
            return take_back(
                {JournalFault::fenced, fmt::format("cannot {} at {}: another server leads since, this one has epoch {}; end this "
                                                   "process",
                                                   doing, store_, epoch_.number)});
        }
        return take_back(fault_of(error, store_, doing));
    }
    /// Begins a transaction in which no other server can take the lead, or fails where one has: a division by zero, so that it costs no
    /// message of its own.
    [[nodiscard]] std::string fence() const {
        return fmt::format("begin; select 1 / (epoch = {})::int from leader for share; ", epoch_.number);
    }
    [[nodiscard]] JournalResult<void> commit(std::string_view doing) {
        auto done = connection_.run("commit");
        if (done) return {};
        auto error = fault_of(done.error(), store_, doing);
        // An error that the server tells of has taken all back; without one nobody knows.
        if (done.error().state.empty()) {
            error.fault = JournalFault::outcome_unknown;
            error.message += "; whether it is durable is not known: end this process, which replays at its start";
            ended_ = error;
            return fail(std::move(error));
        }
        return fail(take_back(std::move(error)));
    }

    PostgresOptions options_;
    std::string store_;
    Epoch epoch_;
    Head head_;
    std::optional<JournalError> ended_;  // The writer's thread alone.
    std::atomic<std::uint64_t> durable_revision_;
    PgConnection connection_;
    std::unique_ptr<PostgresReader> reader_;
    std::mutex snapshot_mutex_;
    PgConnection snapshots_;  // Opened by the first snapshot.
    Lease lease_;             // Last: given back before anything is closed.
};

JournalResult<Head> LeadingJournal::append(std::span<const Record> batch, Epoch epoch) {
    WEIR_CHECK(usable(epoch));
    WEIR_CHECK(ports::check_batch(head_, batch));
    const auto doing = fmt::format("append revisions {} to {}", batch.front().revision, batch.back().revision);
    if (auto copied = connection_.copy_in(fence() + "copy record(revision, text, bytes, hash) from stdin", lines_of(batch)); !copied)
        return fail(take_back(copied.error(), doing));
    WEIR_CHECK(commit(doing));
    head_ = {batch.back().revision, batch.back().hash};
    durable_revision_.store(head_.revision, std::memory_order_release);
    return head_;
}

JournalResult<void> LeadingJournal::set_meta(const std::string& key, const std::string& value, Epoch epoch) {
    WEIR_CHECK(usable(epoch));
    WEIR_CHECK(ports::check_meta(key, value));
    const auto doing = fmt::format("set meta {}", key);
    if (auto fenced = connection_.run(fence()); !fenced) return fail(take_back(fenced.error(), doing));
    const auto put =
        connection_.ask("insert into meta values($1, $2) on conflict(key) do update set value=$2", {Param{key}, Param::binary(value)});
    if (!put) return fail(take_back(put.error(), doing));
    return commit(doing);
}

JournalResult<void> LeadingJournal::put_snapshot(const Snapshot& snapshot) {
    WEIR_CHECK(ports::check_snapshot(snapshot, durable_revision_.load(std::memory_order_acquire)));
    const std::scoped_lock hold{snapshot_mutex_};
    if (snapshots_.is_broken()) {
        auto opened = PgConnection::open(options_.where);
        if (!opened) return fail(fault_of(opened.error(), store_, "keep a snapshot"));
        (void)WEIR_TRY(use_schema(*opened, options_.schema, store_));
        snapshots_ = std::move(*opened);
    }
    const auto revision = static_cast<std::int64_t>(snapshot.revision);
    const auto version = static_cast<std::int64_t>(snapshot.version);
    // Of revision 0 the hash before the first record.
    const auto zero = Digest{};
    const auto put = snapshots_.ask(
        "with point as (select hash from record where revision=$1 union all select $6 where $1 = 0) "
        "insert into snapshot(revision, version, state, hash, digest, bytes) select $1, $2, $3, hash, $4, $5 from point "
        "on conflict(version, revision) do update set state=$3, hash=excluded.hash, digest=$4, bytes=$5",
        {Param{revision}, Param{version}, Param::binary(snapshot.state.bytes), Param::binary(sha256(snapshot.bytes).bytes),
         Param::binary(snapshot.bytes), Param::binary(zero.bytes)});
    if (!put) return fail(fault_of(put.error(), store_, fmt::format("keep a snapshot of revision {}", snapshot.revision)));
    const auto forgotten = snapshots_.ask(
        "delete from snapshot where version=$1 and revision not in (select revision from snapshot where version=$1 order by revision desc "
        "limit $2)",
        {Param{version}, Param{static_cast<std::int64_t>(ports::snapshots_kept)}});
    if (!forgotten) return fail(fault_of(forgotten.error(), store_, "forget old snapshots"));
    return {};
}

}  // namespace

JournalResult<std::unique_ptr<PostgresJournal>> open_postgres_journal(const PostgresOptions& options) {
    const auto store = name_of_store(options.where);
    if (auto flaw = flaw_of(options.where)) return fail(JournalError{JournalFault::unavailable, *std::move(flaw)});
    auto connection = PgConnection::open(options.where);
    if (!connection) return fail(fault_of(connection.error(), store, "connect"));
    (void)WEIR_TRY(make_schema(*connection, options.schema, store));
    const auto from = Lease::steady_now();
    const auto epoch = WEIR_TRY(take_lease(*connection, {options.where, options.schema, options.lease, options.over_the_living}));
    auto reader = WEIR_TRY(PostgresReader::open(options.where, options.schema));
    const auto head = WEIR_TRY(reader->head());
    return std::make_unique<LeadingJournal>(options, std::move(*connection), std::move(reader), epoch, head, from);
}

JournalResult<std::unique_ptr<ports::JournalReader>> open_postgres_reader(const PostgresOptions& options) {
    if (auto flaw = flaw_of(options.where)) return fail(JournalError{JournalFault::unavailable, *std::move(flaw)});
    return WEIR_TRY(PostgresReader::open(options.where, options.schema));
}

}  // namespace weir::store
