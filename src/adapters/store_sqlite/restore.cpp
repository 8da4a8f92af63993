#include "adapters/store_sqlite/restore.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/publish.hpp"
#include "adapters/store_sqlite/schema.hpp"
#include "adapters/store_sqlite/snapshot_shelf.hpp"
#include "adapters/store_sqlite/sqlite_reader.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

namespace weir::store {
namespace {

using ports::Epoch;
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
    return {JournalFault::damaged,
            fmt::format("{} is damaged: it breaks after revision {} ({}); restore up to there with --until-revision {}, or from a backup "
                        "and then on from this file (--from BACKUP --then {}) where a backup reaches past the damage",
                        source, last_good, why, last_good, source)};
}

/// The records of `read` that are wanted, verified to follow `head`.
struct Wanted {
    std::size_t count = 0;
    bool ended = false;
    Head head;
};

JournalResult<Wanted> choose(const RestoreOptions& options, const std::string& path, const std::vector<Record>& read, Head head) {
    Wanted wanted{0, false, head};
    for (const auto& record : read) {
        wanted.ended = (options.until_revision && record.revision > *options.until_revision) || (options.keep && !options.keep(record));
        if (wanted.ended) return wanted;
        const auto hash = chain(wanted.head.hash, record.text);
        if (hash != record.hash) {
            return fail(
                breaks(path, wanted.head.revision,
                       fmt::format("revision {} has hash {}, its text gives {}", record.revision, record.hash.text(), hash.text())));
        }
        wanted.head = {record.revision, hash};
        ++wanted.count;
    }
    return wanted;
}

/// Reads up to a whole chunk; where the source breaks inside it, what comes before.
JournalResult<std::vector<Record>> read_chunk(SqliteReader& source, const std::string& path, std::uint64_t from) {
    for (std::size_t count = records_per_read;; count /= 2) {
        auto records = source.read(from, count, bytes_per_read);
        if (records || records.error().fault != JournalFault::damaged) return records;
        if (count == 1) return fail(breaks(path, from - 1, fmt::format("revision {} is missing or cannot be read", from)));
    }
}

/// One file that records come from.
struct Source {
    std::string path;
    std::unique_ptr<SqliteReader> reader;
};

struct Copied {
    Head head;
    bool enough = false;  ///< The point asked for was reached: what follows is not wanted.
};

/// Copies what is wanted of the records after `head`.
JournalResult<Copied> copy_records(Source& source, const RestoreOptions& options, Target& target, Head head) {
    Copied copied{head, options.until_revision == head.revision};
    while (!copied.enough) {
        auto read = WEIR_TRY(read_chunk(*source.reader, source.path, copied.head.revision + 1));
        if (read.empty()) break;
        const auto wanted = WEIR_TRY(choose(options, source.path, read, copied.head));
        copied.head = wanted.head;
        if (wanted.count > 0) WEIR_CHECK(target.append(std::span{read}.first(wanted.count)));
        copied.enough = wanted.ended || options.until_revision == copied.head.revision;
    }
    return copied;
}

/// Whether `next` has the record on which it should go on.
JournalResult<void> must_continue(Source& next, const Source& before, Head head) {
    if (head.revision == 0) return {};
    const auto hash = next.reader->hash_at(head.revision);
    if (hash && *hash == head.hash) return {};
    const auto other = !hash ? "cannot be read" : *hash ? "is " + (*hash)->text() : std::string{"is not there"};
    return fail(JournalError{JournalFault::does_not_continue,
                             fmt::format("{} does not go on where {} ends: at revision {} the hash is {}, and there it {}; leave --then "
                                         "out, or name the store that the backup was made of",
                                         next.path, before.path, head.revision, head.hash.text(), other)});
}

JournalResult<Head> copy_all(std::vector<Source>& sources, const RestoreOptions& options, Target& target) {
    Copied copied;
    for (std::size_t i = 0; i < sources.size() && !copied.enough; ++i) {
        if (i > 0) WEIR_CHECK(must_continue(sources[i], sources[i - 1], copied.head));
        copied = WEIR_TRY(copy_records(sources[i], options, target, copied.head));
    }
    const auto head = copied.head;
    if (head.revision == 0) {
        return fail(JournalError{JournalFault::not_found, fmt::format("{} begins after what is asked for, and nothing of it would be left; "
                                                                      "ask for a later moment or revision",
                                                                      sources.front().path)});
    }
    if (options.until_revision && !options.keep && head.revision < *options.until_revision) {
        return fail(
            JournalError{JournalFault::not_found, fmt::format("{} ends at revision {}, before revision {}; ask for {} or less",
                                                              sources.back().path, head.revision, *options.until_revision, head.revision)});
    }
    return head;
}

JournalResult<std::size_t> copy_snapshots(Source& source, const std::string& target, std::uint64_t head, const std::string& store_id) {
    const auto path = SnapshotShelf::find(source.path, {});
    if (!path) return 0;
    auto from = SnapshotShelf::open_to_read(*path, {});
    if (!from) return 0;
    auto to = WEIR_TRY(SnapshotShelf::open_to_write(target, {}));
    const auto copied = from->copy_to(to, head, store_id, [&](std::uint64_t revision) { return source.reader->hash_at(revision); });
    // Snapshots are caches: only a lack of space is worth stopping for.
    if (!copied && copied.error().fault == JournalFault::disk_full) return fail(copied.error());
    return copied.value_or(0);
}

struct Parts {
    std::string journal;
    std::string snapshots;
};

JournalResult<RestoreReport> build(const RestoreOptions& options, const Parts& parts) {
    std::vector<Source> sources;
    Epoch epoch;
    for (const auto& path : {options.source, options.then}) {
        if (path.empty()) continue;
        sources.push_back({path, WEIR_TRY(SqliteReader::open(path, {}))});
        epoch = std::max(epoch, WEIR_TRY(sources.back().reader->epoch()));
    }
    const auto origin = WEIR_TRY(sources.front().reader->identity());
    // The lineage names the revision, which is known only at the end.
    RestoreReport report{.head = {}, .identity = {new_store_id(), format_version, {}}};
    {
        auto target = WEIR_TRY(Target::make(parts.journal, report.identity, epoch));
        report.head = WEIR_TRY(copy_all(sources, options, target));
    }
    report.identity.lineage = fmt::format("restored from store {} at revision {}", origin.store_id, report.head.revision);
    if (!origin.lineage.empty()) report.identity.lineage += "\n" + origin.lineage;
    auto finished = Connection::open({.path = parts.journal, .writable = true});
    if (!finished || finished.run("PRAGMA synchronous=FULL") != SQLITE_OK ||
        write_meta(finished, meta_key::lineage, report.identity.lineage) != SQLITE_OK) {
        return fail(fault_of(finished, Stage::reading, parts.journal, "write the restored store's lineage"));
    }
    if (const auto last = sources.back().reader->head()) report.left_out = last->revision - std::min(last->revision, report.head.revision);
    for (auto& source : sources)
        report.snapshots += WEIR_TRY(copy_snapshots(source, parts.snapshots, report.head.revision, report.identity.store_id));
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
