#include "adapters/store_sqlite/schema.hpp"

#include "adapters/store_sqlite/faults.hpp"
#include "base/id.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

JournalResult<std::string> required(Connection& connection, const std::string& path, std::string_view key) {
    auto value = WEIR_TRY(read_meta(connection, path, key));
    if (!value) return fail(damaged(path, fmt::format("its meta table has no {}", key)));
    return *value;
}

JournalResult<std::uint64_t> required_number(Connection& connection, const std::string& path, std::string_view key) {
    const auto text = WEIR_TRY(required(connection, path, key));
    const auto value = number(text);
    if (!value) return fail(damaged(path, fmt::format("its {} is '{}' where a number should be", key, text)));
    return *value;
}

}  // namespace

std::string new_store_id() {
    std::array<std::uint64_t, 2> chance{};
    sqlite3_randomness(sizeof chance, chance.data());
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return format_uid(make_uid(Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()}, chance[0], chance[1]));
}

int create_schema(Connection& connection, const ports::StoreIdentity& identity, ports::Epoch epoch) {
    const auto sql = fmt::format(
        "BEGIN IMMEDIATE;"
        "PRAGMA application_id={};"
        "CREATE TABLE journal(revision INTEGER PRIMARY KEY, text TEXT NOT NULL, hash BLOB NOT NULL);"
        "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
        application_id);
    if (const int code = connection.run(sql); code != SQLITE_OK) return code;
    const std::array<std::pair<std::string_view, std::string>, 4> rows{{{meta_key::store_id, identity.store_id},
                                                                        {meta_key::format, fmt::to_string(identity.format_version)},
                                                                        {meta_key::epoch, fmt::to_string(epoch.number)},
                                                                        {meta_key::lineage, identity.lineage}}};
    for (const auto& [key, value] : rows) {
        if (const int code = write_meta(connection, key, value); code != SQLITE_OK) return code;
    }
    return connection.run("COMMIT");
}

JournalResult<ports::StoreIdentity> read_identity(Connection& connection, const std::string& path) {
    const auto application = connection.integer("PRAGMA application_id");
    if (!application) return fail(fault_of(connection, Stage::reading, path, "read the store's header"));
    if (*application != application_id) {
        return fail(
            JournalError{JournalFault::unknown_format,
                         fmt::format("{} is a database of another program (application id {}, a Weir store has {}); name the right file",
                                     path, *application, application_id)});
    }
    const auto format = WEIR_TRY(required_number(connection, path, meta_key::format));
    if (format > format_version) {
        return fail(JournalError{JournalFault::unknown_format,
                                 fmt::format("{} has store format {}, this program knows formats up to {}; start the program "
                                             "that wrote it, or a newer one",
                                             path, format, format_version)});
    }
    ports::StoreIdentity identity;
    identity.format_version = static_cast<std::uint32_t>(format);
    identity.store_id = WEIR_TRY(required(connection, path, meta_key::store_id));
    identity.lineage = WEIR_TRY(required(connection, path, meta_key::lineage));
    return identity;
}

JournalResult<std::optional<std::string>> read_meta(Connection& connection, const std::string& path, std::string_view key) {
    Statement statement = connection.prepare("SELECT value FROM meta WHERE key=?1");
    if (!statement) return fail(fault_of(connection, Stage::reading, path, fmt::format("read meta {}", key)));
    statement.bind_text(1, key);
    const int code = statement.step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) return fail(fault_of(connection, Stage::reading, path, fmt::format("read meta {}", key)));
    return std::string{statement.bytes(0)};
}

int write_meta(Connection& connection, std::string_view key, std::string_view value) {
    Statement statement =
        connection.prepare("INSERT INTO meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value");
    if (!statement) return connection.code();
    statement.bind_text(1, key);
    statement.bind_text(2, value);
    return statement.run();
}

JournalResult<ports::Epoch> read_epoch(Connection& connection, const std::string& path) {
    const auto value = WEIR_TRY(required_number(connection, path, meta_key::epoch));
    return ports::Epoch{value};
}

}  // namespace weir::store
