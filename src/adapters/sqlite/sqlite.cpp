#include "adapters/sqlite/sqlite.hpp"

namespace weir::store {

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

Connection Connection::open(const Options& options) {
    Connection connection;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= options.writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (options.create) flags |= SQLITE_OPEN_CREATE;
    sqlite3* handle = nullptr;
    connection.open_code_ = sqlite3_open_v2(options.path.c_str(), &handle, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
    connection.handle_.reset(handle);
    if (handle != nullptr) sqlite3_busy_timeout(handle, 10'000);
    return connection;
}

int Connection::code() const {
    if (handle_ == nullptr || open_code_ != SQLITE_OK) return open_code_;
    return sqlite3_extended_errcode(handle_.get());
}

std::string Connection::message() const { return handle_ == nullptr ? sqlite3_errstr(open_code_) : sqlite3_errmsg(handle_.get()); }

int Connection::run(const std::string& sql) { return sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr); }

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
