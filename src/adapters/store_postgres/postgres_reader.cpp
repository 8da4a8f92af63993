#include "adapters/store_postgres/postgres_reader.hpp"

#include "adapters/store_postgres/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace weir::store {
namespace {

using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;
using ports::Verification;

/// Short statements, so that a long verification holds nothing back.
constexpr std::size_t records_at_once = 5'000;
constexpr std::size_t bytes_at_once = 16U << 20U;

std::int64_t signed_limit(std::uint64_t value) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
}

std::optional<Digest> digest_of(std::string_view bytes) {
    Digest digest;
    if (bytes.size() != digest.bytes.size()) return std::nullopt;
    std::memcpy(digest.bytes.data(), bytes.data(), bytes.size());
    return digest;
}

JournalError damaged(const std::string& store, std::string what) {
    return {JournalFault::damaged, fmt::format("{}: {}; restore the database from a backup", store, what)};
}

}  // namespace

JournalResult<std::unique_ptr<PostgresReader>> PostgresReader::open(const std::string& where, const std::string& schema) {
    const auto store = name_of_store(where);
    auto connection = PgConnection::open(where);
    if (!connection) return fail(fault_of(connection.error(), store, "connect"));
    auto identity = WEIR_TRY(use_schema(*connection, schema, store));
    return std::make_unique<PostgresReader>(std::move(*connection), store, std::move(identity));
}

JournalResult<Head> PostgresReader::head() {
    const auto rows = connection_.ask("select revision, hash from record order by revision desc limit 1");
    if (!rows) return fail(fault_of(rows.error(), store_, "read the head"));
    if (rows->count() == 0) return Head{};
    const auto hash = digest_of(rows->bytes(0, 1));
    if (!hash)
        return fail(
            damaged(store_, fmt::format("the hash of revision {} has {} bytes, not 32", rows->integer(0, 0), rows->bytes(0, 1).size())));
    return Head{static_cast<std::uint64_t>(rows->integer(0, 0)), *hash};
}

JournalResult<std::vector<Record>> PostgresReader::read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) {
    std::vector<Record> records;
    auto expected = std::max<std::uint64_t>(from, 1);
    std::size_t bytes = 0;
    while (records.size() < max_records) {
        const auto wanted = std::min(max_records - records.size(), records_at_once);
        const auto room = records.empty() ? max_bytes : max_bytes - bytes;
        // As many as fit into the room, and the first whatever its size where nothing was read yet; sizes are read before texts are.
        const auto rows = connection_.ask(
            "select r.revision, coalesce(r.bytes, convert_to(r.text, 'UTF8')), r.hash from record r join "
            "(select revision, sum(size) over (order by revision) as total from (select revision, octet_length(coalesce(text, '')) + "
            "octet_length(coalesce(bytes, '')) as size from record where revision >= $1 order by revision limit $2) s) t "
            "on r.revision = t.revision where t.total <= $3 or t.revision = $4 order by r.revision",
            {Param{signed_limit(expected)}, Param{signed_limit(wanted)}, Param{signed_limit(std::min(room, bytes_at_once))},
             Param{records.empty() || room >= bytes_at_once ? signed_limit(expected) : -1}});
        if (!rows) return fail(fault_of(rows.error(), store_, fmt::format("read revision {}", expected)));
        for (std::size_t i = 0; i < rows->count(); ++i) {
            const auto revision = static_cast<std::uint64_t>(rows->integer(i, 0));
            const auto text = rows->bytes(i, 1);
            const auto hash = digest_of(rows->bytes(i, 2));
            if (revision != expected || !hash) return fail(damaged(store_, fmt::format("revision {} is missing or has no hash", expected)));
            if (!records.empty() && bytes + text.size() > max_bytes) return records;
            bytes += text.size();
            records.push_back({revision, std::string{text}, *hash});
            ++expected;
        }
        if (rows->count() == 0 || bytes >= max_bytes) return records;
    }
    return records;
}

JournalResult<Verification> PostgresReader::verify(std::uint64_t from, std::uint64_t to) {
    const auto first = std::max<std::uint64_t>(from, 1);
    Verification result;
    to = std::min(to, WEIR_TRY(head()).revision);
    if (first > to) return result;
    const auto before = WEIR_TRY(hash_at(first - 1));
    if (!before) {
        result.bad = ports::BadRecord{
            first - 1, {}, {}, fmt::format("{}: revision {} is missing or cannot be read; verify from revision 1", store_, first - 1)};
        return result;
    }
    result.end = {first - 1, *before};
    while (result.end.revision < to) {
        const auto expected = result.end.revision + 1;
        const auto records = read(expected, std::min<std::uint64_t>(records_at_once, to - result.end.revision), bytes_at_once);
        if (!records && records.error().fault != JournalFault::damaged) return fail(records.error());
        if (!records || records->empty()) {
            result.bad = ports::BadRecord{
                expected,
                {},
                {},
                fmt::format("{}: revision {} is missing before {}; restore the database from a backup", store_, expected, to)};
            return result;
        }
        for (const auto& record : *records) {
            const auto computed = chain(result.end.hash, record.text);
            if (record.hash != computed) {
                result.bad = ports::BadRecord{record.revision, record.hash, computed,
                                              fmt::format("{}: revision {} is stored with hash {}, its text gives {}; restore the database "
                                                          "from a backup",
                                                          store_, record.revision, record.hash.text(), computed.text())};
                return result;
            }
            result.end = {record.revision, computed};
            ++result.records;
        }
    }
    return result;
}

JournalResult<ports::SnapshotSearch> PostgresReader::latest_snapshot(std::uint32_t version, std::uint64_t at_most) {
    ports::SnapshotSearch search;
    at_most = std::min(at_most, WEIR_TRY(head()).revision);
    const auto list = connection_.ask("select revision, version from snapshot where revision <= $1 order by revision desc, version desc",
                                      {Param{signed_limit(at_most)}});
    if (!list) return fail(fault_of(list.error(), store_, "look for snapshots"));
    for (std::size_t i = 0; i < list->count(); ++i) {
        const auto revision = static_cast<std::uint64_t>(list->integer(i, 0));
        const auto found_version = list->integer(i, 1);
        const auto pass_over = [&](std::string why) {
            search.passed_over.push_back(
                fmt::format("the snapshot of revision {} cannot be used: {}; an older one or the whole journal is read", revision, why));
        };
        if (found_version != static_cast<std::int64_t>(version)) {
            pass_over(fmt::format("it has version {}, and {} is wanted", found_version, version));
            continue;
        }
        const auto row = connection_.ask("select state, hash, digest, bytes from snapshot where revision=$1 and version=$2",
                                         {Param{list->integer(i, 0)}, Param{found_version}});
        if (!row) return fail(fault_of(row.error(), store_, "read a snapshot"));
        if (row->count() == 0) continue;  // Forgotten meanwhile.
        const auto bytes = row->bytes(0, 3);
        const auto state = digest_of(row->bytes(0, 0));
        if (!state || digest_of(row->bytes(0, 2)) != sha256(bytes)) {
            pass_over("its bytes are not what was written");
            continue;
        }
        if (WEIR_TRY(hash_at(revision)) != digest_of(row->bytes(0, 1))) {
            pass_over("it is of another history");
            continue;
        }
        search.found = ports::Snapshot{revision, version, *state, std::string{bytes}};
        return search;
    }
    return search;
}

JournalResult<std::optional<std::string>> PostgresReader::meta(const std::string& key) {
    const auto rows = connection_.ask("select value from meta where key=$1", {Param{key}});
    if (!rows) return fail(fault_of(rows.error(), store_, fmt::format("read {}", key)));
    return rows->count() == 0 ? std::nullopt : std::optional{std::string{rows->bytes(0, 0)}};
}

JournalResult<std::optional<Digest>> PostgresReader::hash_at(std::uint64_t revision) {
    if (revision == 0) return Digest{};
    const auto rows = connection_.ask("select hash from record where revision=$1", {Param{signed_limit(revision)}});
    if (!rows) return fail(fault_of(rows.error(), store_, fmt::format("read the hash of revision {}", revision)));
    return rows->count() == 0 ? std::nullopt : digest_of(rows->bytes(0, 0));
}

}  // namespace weir::store
