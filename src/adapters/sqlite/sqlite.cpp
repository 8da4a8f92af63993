#include "adapters/sqlite/sqlite.hpp"

namespace weir::store {
namespace {

/// Whether the log of a database is missing or empty: nobody is writing it, and all of it is in the file.
bool has_no_log(const Connection::Options& options) {
    sqlite3_vfs* vfs = sqlite3_vfs_find(options.vfs.empty() ? nullptr : options.vfs.c_str());
    int exists = 1;  // Of an empty file SQLite says that it does not exist.
    return vfs != nullptr && vfs->xAccess(vfs, (options.path + "-wal").c_str(), SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && exists == 0;
}

std::string immutable_uri(const std::string& path) {
    std::string uri = "file:";
    for (const char letter : path) {
        switch (letter) {
            case '%': uri += "%25"; break;
            case '?': uri += "%3f"; break;
            case '#': uri += "%23"; break;
            default: uri += letter; break;
        }
    }
    return uri + "?immutable=1";
}

}  // namespace

int Statement::run() {
    int code = sqlite3_step(handle_.get());
    while (code == SQLITE_ROW) code = sqlite3_step(handle_.get());
    sqlite3_reset(handle_.get());
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

std::string_view Statement::bytes(int column) const {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
    return data == nullptr ? std::string_view{} : std::string_view{static_cast<const char*>(data), size};
}

Connection::Connection(const std::string& name, const std::string& vfs, int flags) {
    sqlite3* handle = nullptr;
    open_code_ = sqlite3_open_v2(name.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
    handle_.reset(handle);
    if (handle != nullptr) sqlite3_busy_timeout(handle, 10'000);
}

Connection Connection::open(const Options& options) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= options.writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (options.create) flags |= SQLITE_OPEN_CREATE;
    Connection connection{options.path, options.vfs, flags};
    if (!connection || options.writable) return connection;
    const bool shares_no_memory = (connection.run("PRAGMA schema_version") & 0xFF) == SQLITE_CANTOPEN;
    if (!shares_no_memory || !has_no_log(options)) return connection;
    return Connection{immutable_uri(options.path), options.vfs, flags | SQLITE_OPEN_URI};
}

int Connection::code() const {
    if (handle_ == nullptr || open_code_ != SQLITE_OK) return open_code_;
    return sqlite3_extended_errcode(handle_.get());
}

std::string Connection::message() const { return handle_ == nullptr ? sqlite3_errstr(open_code_) : sqlite3_errmsg(handle_.get()); }

int Connection::run(const std::string& sql) { return sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr); }

sqlite3_file& Connection::file() const {
    // It fails of a closed connection and of a name that was not attached; `main` always is.
    sqlite3_file* file = nullptr;
    (void)sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
    return *file;
}

Statement Connection::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return Statement{statement};
}

std::optional<std::int64_t> Connection::integer(std::string_view sql) {
    Statement statement = prepare(sql);
    if (!statement || statement.step() != SQLITE_ROW) return std::nullopt;
    return statement.integer(0);
}

}  // namespace weir::store
