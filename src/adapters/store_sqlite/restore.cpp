#include "adapters/store_sqlite/restore.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/publish.hpp"
#include "adapters/store_sqlite/schema.hpp"
#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/store_sqlite/sqlite_reader.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace weir::store {
namespace {

using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;

constexpr std::size_t records_per_read = 10'000;
constexpr std::size_t bytes_per_read = 32U << 20U;
constexpr std::uint32_t page_bytes = 8'192;

/// The file that grows until it is whole and gets its name.
class Target {
public:
    static JournalResult<Target> make(const std::string& path, const ports::StoreIdentity& identity, ports::Epoch epoch) {
        auto connection = Connection::open({.path = path, .writable = true, .create = true});
        if (!connection) return fail(fault_of(connection, Stage::reading, path, "make the restored store"));
        const auto settings = fmt::format("PRAGMA page_size={}; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;", page_bytes);
        if (connection.run(settings) != SQLITE_OK || create_schema(connection, identity, epoch) != SQLITE_OK) {
            return fail(fault_of(connection, Stage::reading, path, "make the restored store"));
        }
        return Target{std::move(connection), path};
    }

    JournalResult<void> append(std::span<const Record> records) {
        int code = connection_.run("BEGIN IMMEDIATE");
        for (std::size_t i = 0; i < records.size() && code == SQLITE_OK; ++i) {
            insert_.bind(1, static_cast<std::int64_t>(records[i].revision));
            insert_.bind_text(2, records[i].text);
            insert_.bind_blob(3, records[i].hash.bytes);
            code = insert_.run();
        }
        if (code == SQLITE_OK) code = connection_.run("COMMIT");
        if (code == SQLITE_OK) return {};
        return fail(fault_of(connection_, Stage::reading, path_, "write the restored store"));
    }

private:
    Target(Connection connection, std::string path)
        : connection_{std::move(connection)},
          insert_{connection_.prepare("INSERT INTO journal(revision,text,hash) VALUES(?1,?2,?3)")},
          path_{std::move(path)} {}

    Connection connection_;
    Statement insert_;
    std::string path_;
};

JournalError breaks(const std::string& source, std::uint64_t last_good, std::string_view why) {
    return damaged(source, fmt::format("it breaks after revision {} ({}); records up to there can be restored with until_revision {}",
                                       last_good, why, last_good));
}

/// The records of `read` that are wanted, verified to follow `head`.
struct Wanted {
    std::size_t count = 0;
    bool ended = false;
    Head head;
};

JournalResult<Wanted> choose(const RestoreOptions& options, const std::vector<Record>& read, Head head) {
    Wanted wanted{0, false, head};
    for (const auto& record : read) {
        wanted.ended = (options.until_revision && record.revision > *options.until_revision) || (options.keep && !options.keep(record));
        if (wanted.ended) return wanted;
        const auto hash = chain(wanted.head.hash, record.text);
        if (hash != record.hash) {
            return fail(
                breaks(options.source, wanted.head.revision,
                       fmt::format("revision {} has hash {}, its text gives {}", record.revision, record.hash.text(), hash.text())));
        }
        wanted.head = {record.revision, hash};
        ++wanted.count;
    }
    return wanted;
}

/// Reads up to a whole chunk; where the source breaks inside it, what comes before.
JournalResult<std::vector<Record>> read_chunk(SqliteReader& source, const RestoreOptions& options, std::uint64_t from) {
    auto records = source.read(from, records_per_read, bytes_per_read);
    if (records || records.error().fault != JournalFault::damaged) return records;
    auto first = source.read(from, 1, bytes_per_read);
    if (!first) return fail(breaks(options.source, from - 1, first.error().message));
    return first;
}

JournalResult<Head> copy_records(SqliteReader& source, const RestoreOptions& options, Target& target) {
    Head head;
    for (bool ended = options.until_revision == 0; !ended;) {
        auto read = WEIR_TRY(read_chunk(source, options, head.revision + 1));
        const auto wanted = WEIR_TRY(choose(options, read, head));
        ended = wanted.ended || read.empty();
        head = wanted.head;
        if (wanted.count > 0) WEIR_CHECK(target.append(std::span{read}.first(wanted.count)));
        if (options.until_revision == head.revision) ended = true;
    }
    if (options.until_revision && !options.keep && head.revision < *options.until_revision) {
        return fail(
            JournalError{JournalFault::not_found, fmt::format("{} ends at revision {}, before revision {}; ask for {} or less",
                                                              options.source, head.revision, *options.until_revision, head.revision)});
    }
    return head;
}

JournalResult<std::size_t> copy_snapshots(SqliteReader& source, const RestoreOptions& options, const std::string& target,
                                          std::uint64_t head, const std::string& store_id) {
    const auto path = SnapshotShelf::find(options.source, {});
    if (!path) return 0;
    auto from = SnapshotShelf::open_to_read(*path, {});
    if (!from) return 0;
    auto to = WEIR_TRY(SnapshotShelf::open_to_write(target, {}));
    const auto copied = from->copy_to(to, head, store_id, [&](std::uint64_t revision) { return source.hash_at(revision); });
    // Snapshots are caches: only a lack of space is worth stopping for.
    if (!copied && copied.error().fault == JournalFault::disk_full) return fail(copied.error());
    return copied.value_or(0);
}

struct Parts {
    std::string journal;
    std::string snapshots;
};

JournalResult<RestoreReport> build(const RestoreOptions& options, const Parts& parts) {
    auto source = WEIR_TRY(SqliteReader::open(options.source, {}));
    auto connection = Connection::open({.path = options.source});
    if (!connection) return fail(fault_of(connection, Stage::reading, options.source, "read the source"));
    const auto origin = WEIR_TRY(source->identity());
    const auto epoch = WEIR_TRY(read_epoch(connection, options.source));
    // The lineage names the revision, which is known only at the end.
    RestoreReport report{.head = {}, .identity = {new_store_id(), format_version, {}}};
    {
        auto target = WEIR_TRY(Target::make(parts.journal, report.identity, epoch));
        report.head = WEIR_TRY(copy_records(*source, options, target));
    }
    report.identity.lineage = fmt::format("restored from store {} at revision {}", origin.store_id, report.head.revision);
    if (!origin.lineage.empty()) report.identity.lineage += "\n" + origin.lineage;
    auto finished = Connection::open({.path = parts.journal, .writable = true});
    if (!finished || finished.run("PRAGMA synchronous=FULL") != SQLITE_OK ||
        write_meta(finished, meta_key::lineage, report.identity.lineage) != SQLITE_OK) {
        return fail(fault_of(finished, Stage::reading, parts.journal, "write the restored store's lineage"));
    }
    if (const auto last = source->head()) report.left_out = last->revision - std::min(last->revision, report.head.revision);
    report.snapshots = WEIR_TRY(copy_snapshots(*source, options, parts.snapshots, report.head.revision, report.identity.store_id));
    return report;
}

}  // namespace

JournalResult<RestoreReport> restore_store(const RestoreOptions& options) {
    for (const auto& path : {options.target, options.target + "-wal", SnapshotShelf::path_for(options.target)})
        WEIR_CHECK(must_be_absent(path));
    const Parts parts{options.target + ".restoring", SnapshotShelf::path_for(options.target) + ".restoring"};
    for (const auto& part : {parts.journal, parts.snapshots}) remove_leftovers(part);
    auto report = build(options, parts);
    // The journal first: without its snapshots it is whole, but snapshots without a journal look like a loss.
    JournalResult<void> published;
    if (report) published = publish(parts.journal, options.target);
    if (report && published && report->snapshots > 0) published = publish(parts.snapshots, SnapshotShelf::path_for(options.target));
    for (const auto& part : {parts.journal, parts.snapshots}) remove_leftovers(part);
    if (!published) return fail(published.error());
    return report;
}

}  // namespace weir::store
