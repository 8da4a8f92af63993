// adapters/sqlite/sqlite.hpp: SQLite's C interface with owners for its handles, and nothing else.
//
// It answers how to open, prepare, bind and step. Which SQL, which order and what a code means for the journal is
// decided in the files beside it. Codes are SQLite's extended result codes, as plain ints; nothing throws.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::store {

/// A prepared statement; reset() frees it for the next use. Bound views must live until the step.
class Statement {
public:
    Statement() = default;
    explicit Statement(sqlite3_stmt* handle) : handle_{handle} {}

    explicit operator bool() const { return handle_ != nullptr; }
    void bind(int index, std::int64_t value) { sqlite3_bind_int64(handle_.get(), index, value); }
    void bind_null(int index) { sqlite3_bind_null(handle_.get(), index); }
    void bind_text(int index, std::string_view text) {
        sqlite3_bind_text64(handle_.get(), index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    void bind_blob(int index, std::span<const std::uint8_t> bytes) {
        sqlite3_bind_blob64(handle_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    void bind_blob(int index, std::string_view bytes) {
        sqlite3_bind_blob64(handle_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    /// SQLITE_ROW, SQLITE_DONE or an error.
    [[nodiscard]] int step() { return sqlite3_step(handle_.get()); }
    /// Steps a statement without rows to its end and resets it: SQLITE_OK or an error.
    [[nodiscard]] int run();
    void reset() { sqlite3_reset(handle_.get()); }

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
    /// The stored bytes, text or blob, unchanged; valid until the next step or reset.
    [[nodiscard]] std::string_view bytes(int column) const;
    [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
    [[nodiscard]] int columns() const { return sqlite3_column_count(handle_.get()); }
    [[nodiscard]] std::string_view name(int column) const { return sqlite3_column_name(handle_.get(), column); }

private:
    struct Finalize {
        void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// A connection, for one thread at a time.
class Connection {
public:
    struct Options {
        std::string path{};
        std::string vfs{};  ///< Empty: the platform's own.
        bool writable = false;
        bool create = false;
    };

    /// A closed connection with the code of the failure in code(), or an open one.
    /// WAL mode wants shared memory in a file beside the database even of a reader. Where that cannot be made, on a disk that can only
    /// be read, a database without a log is read as a file that nobody changes.
    [[nodiscard]] static Connection open(const Options& options);
    Connection() = default;

    explicit operator bool() const { return handle_ != nullptr && open_code_ == SQLITE_OK; }
    [[nodiscard]] sqlite3* handle() const { return handle_.get(); }
    /// The extended code of the last call, or of the failed opening.
    [[nodiscard]] int code() const;
    [[nodiscard]] std::string message() const;

    [[nodiscard]] int run(const std::string& sql);          ///< SQLITE_OK or an extended error code; rows are dropped.
    [[nodiscard]] Statement prepare(std::string_view sql);  ///< Empty on an error; see code().
    /// The first column of the first row as an integer; nothing on an error or without a row.
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view sql);
    /// The main file as the VFS has it open, and its methods; of an open connection, as long as it lives.
    [[nodiscard]] sqlite3_file& file() const;
    [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

private:
    Connection(const std::string& name, const std::string& vfs, int flags);

    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
    int open_code_ = SQLITE_CANTOPEN;
};

}  // namespace weir::store
