#include "adapters/store_sqlite/sqlite_reader.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "adapters/store_sqlite/schema.hpp"
#include "adapters/store_sqlite/vfs_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::store {
namespace {

/// What comes after the damage is good as a rule, and a backup that reaches past it saves that.
constexpr std::string_view rather_go_on =
    "restore a backup that reaches past it and go on from this file (weir-server restore --from BACKUP --then FILE), or without one";

using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;
using ports::Verification;

/// Short read transactions, so that a long verification never holds the log back.
constexpr std::int64_t records_per_transaction = 5'000;

std::int64_t signed_limit(std::uint64_t value) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
}

std::optional<Digest> digest_of(std::string_view bytes) {
    Digest digest;
    if (bytes.size() != digest.bytes.size()) return std::nullopt;
    std::memcpy(digest.bytes.data(), bytes.data(), bytes.size());
    return digest;
}

/// Resets a statement when its reader leaves, so that no read transaction outlives a call.
class Reset {
public:
    explicit Reset(Statement& statement) : statement_{statement} {}
    Reset(const Reset&) = delete;
    Reset& operator=(const Reset&) = delete;
    ~Reset() { statement_.reset(); }

private:
    Statement& statement_;
};

bool is_damage(int code) { return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB; }

}  // namespace

JournalResult<std::unique_ptr<SqliteReader>> SqliteReader::open(const std::string& path, const std::string& vfs) {
    const auto size = file_size(vfs, path, FileKind::database);
    if (!size) {
        return fail(
            JournalError{JournalFault::not_found, fmt::format("there is no store at {}, or it cannot be read; name the right file", path)});
    }
    if (*size == 0) return fail(damaged(path, "the file is empty (0 bytes)"));
    auto connection = Connection::open({.path = path, .vfs = vfs});
    if (!connection) return fail(fault_of(connection, Stage::reading, path, "open the store for reading"));
    // A file that is cut off is read up to the cut: without this SQLite refuses all of it, and each record is verified by its hash.
    if (connection.run("PRAGMA writable_schema=ON") != SQLITE_OK) return fail(fault_of(connection, Stage::reading, path, "open the store"));
    auto identity = WEIR_TRY(read_identity(connection, path));
    return std::make_unique<SqliteReader>(std::move(connection), path, vfs, std::move(identity));
}

SqliteReader::SqliteReader(Connection connection, std::string path, std::string vfs, ports::StoreIdentity identity)
    : path_{std::move(path)},
      vfs_{std::move(vfs)},
      identity_{std::move(identity)},
      connection_{std::move(connection)},
      range_{connection_.prepare("SELECT revision,text,hash FROM journal WHERE revision>=?1 ORDER BY revision LIMIT ?2")},
      last_{connection_.prepare("SELECT revision,hash FROM journal ORDER BY revision DESC LIMIT 1")},
      hash_{connection_.prepare("SELECT hash FROM journal WHERE revision=?1")} {}

JournalResult<Head> SqliteReader::head() {
    const Reset reset{last_};
    const int code = last_.step();
    if (code == SQLITE_DONE) return Head{};
    if (code != SQLITE_ROW) return fail(fault_of(connection_, Stage::reading, path_, "read the head"));
    const auto revision = static_cast<std::uint64_t>(last_.integer(0));
    const auto hash = digest_of(last_.bytes(1));
    if (!hash) return fail(damaged(path_, fmt::format("the hash of revision {} has {} bytes, not 32", revision, last_.bytes(1).size())));
    return Head{revision, *hash};
}

JournalResult<std::vector<Record>> SqliteReader::read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) {
    std::vector<Record> records;
    std::uint64_t expected = std::max<std::uint64_t>(from, 1);
    std::size_t bytes = 0;
    const Reset reset{range_};
    range_.bind(1, signed_limit(expected));
    range_.bind(2, signed_limit(max_records));
    int code = SQLITE_ROW;
    while (records.size() < max_records && (code = range_.step()) == SQLITE_ROW) {
        const auto revision = static_cast<std::uint64_t>(range_.integer(0));
        const auto text = range_.bytes(1);
        const auto hash = digest_of(range_.bytes(2));
        if (revision != expected || !hash) return fail(damaged(path_, fmt::format("revision {} is missing or has no hash", expected)));
        if (!records.empty() && bytes + text.size() > max_bytes) return records;
        bytes += text.size();
        records.push_back({revision, std::string{text}, *hash});
        ++expected;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return fail(fault_of(connection_, Stage::reading, path_, fmt::format("read revision {}", expected)));
    }
    return records;
}

JournalResult<bool> SqliteReader::verify_some(Verification& so_far, std::uint64_t to) {
    const Reset reset{range_};
    range_.bind(1, signed_limit(so_far.end.revision + 1));
    range_.bind(2, records_per_transaction);
    const auto bad = [&](Digest stored, Digest computed, std::string problem) {
        so_far.bad = ports::BadRecord{so_far.end.revision + 1, stored, computed, std::move(problem)};
        return false;
    };
    for (std::int64_t n = 0; n < records_per_transaction; ++n) {
        const std::uint64_t expected = so_far.end.revision + 1;
        if (expected > to) return false;
        const int code = range_.step();
        if (is_damage(code)) {
            return bad({}, {},
                       fmt::format("{}: revision {} cannot be read: {}; {} restore until revision {}", path_, expected,
                                   connection_.message(), rather_go_on, expected - 1));
        }
        if (code == SQLITE_DONE)
            return bad({}, {}, fmt::format("{}: revision {} is missing before {}; restore from a backup", path_, expected, to));
        if (code != SQLITE_ROW) return fail(fault_of(connection_, Stage::reading, path_, fmt::format("verify revision {}", expected)));
        const auto revision = static_cast<std::uint64_t>(range_.integer(0));
        if (revision != expected) {
            return bad({}, {},
                       fmt::format("{}: revision {} is missing, the next is {}; {} restore until revision {}", path_, expected, revision,
                                   rather_go_on, expected - 1));
        }
        const auto stored = digest_of(range_.bytes(2)).value_or(Digest{});
        const auto computed = chain(so_far.end.hash, range_.bytes(1));
        if (stored != computed) {
            return bad(stored, computed,
                       fmt::format("{}: revision {} is stored with hash {}, its text gives {}; {} restore until revision {}", path_,
                                   expected, stored.text(), computed.text(), rather_go_on, expected - 1));
        }
        so_far.end = {revision, computed};
        ++so_far.records;
    }
    return true;
}

JournalResult<Verification> SqliteReader::verify(std::uint64_t from, std::uint64_t to) {
    const auto first = std::max<std::uint64_t>(from, 1);
    Verification result;
    const auto last = head();
    if (last)
        to = std::min(to, last->revision);
    else if (last.error().fault != JournalFault::damaged)
        return fail(last.error());
    if (first > to) return result;
    auto before = hash_at(first - 1);
    if (!before && before.error().fault != JournalFault::damaged) return fail(before.error());
    if (!before || !*before) {
        result.bad = ports::BadRecord{
            first - 1, {}, {}, fmt::format("{}: revision {} is missing or cannot be read; verify from revision 1", path_, first - 1)};
        return result;
    }
    result.end = {first - 1, **before};
    bool more = true;
    while (more) more = WEIR_TRY(verify_some(result, to));
    return result;
}

JournalResult<ports::SnapshotSearch> SqliteReader::latest_snapshot(std::uint32_t version, std::uint64_t at_most) {
    const auto last = WEIR_TRY(head());
    const auto shelf_path = SnapshotShelf::find(path_, vfs_);
    if (!shelf_path) return ports::SnapshotSearch{};
    auto shelf = SnapshotShelf::open_to_read(*shelf_path, vfs_);
    if (!shelf) return ports::SnapshotSearch{std::nullopt, {shelf.error().message}};
    return shelf->search(version, std::min(at_most, last.revision), last.revision,
                         [this](std::uint64_t revision) { return hash_at(revision); });
}

JournalResult<ports::Epoch> SqliteReader::epoch() { return read_epoch(connection_, path_); }

JournalResult<std::optional<std::string>> SqliteReader::meta(const std::string& key) { return read_meta(connection_, path_, key); }

JournalResult<std::optional<Digest>> SqliteReader::hash_at(std::uint64_t revision) {
    if (revision == 0) return Digest{};
    const Reset reset{hash_};
    hash_.bind(1, signed_limit(revision));
    const int code = hash_.step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW)
        return fail(fault_of(connection_, Stage::reading, path_, fmt::format("read the hash of revision {}", revision)));
    return digest_of(hash_.bytes(0));
}

}  // namespace weir::store
