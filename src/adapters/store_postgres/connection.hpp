// adapters/store_postgres/connection.hpp: libpq with owners for its handles, and nothing else.
//
// It answers how to connect, ask and copy in. Parameters and results are binary where they are bytes, so that nothing is escaped or
// guessed; copies are text, which the server checks. Errors are SQLSTATE and words; nothing throws. One thread at a time.
#pragma once

#include "base/result.hpp"
#include "ports/journal.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace weir::store {

/// Why a statement did not do what it should. An empty state: the connection is gone.
struct PgError {
    std::string state;
    std::string message;
};

/// The rows of an answer.
class Rows {
public:
    explicit Rows(pg_result* result) : result_{result} {}
    [[nodiscard]] std::size_t count() const;
    /// Of the statement that wrote: how many rows it touched.
    [[nodiscard]] std::int64_t touched() const;
    [[nodiscard]] bool is_null(std::size_t row, int column) const;
    /// The bytes of a text or bytea column.
    [[nodiscard]] std::string_view bytes(std::size_t row, int column) const;
    /// Of a bigint column.
    [[nodiscard]] std::int64_t integer(std::size_t row, int column) const;

private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

/// A parameter: an integer, or bytes as text or bytea.
class Param {
public:
    Param(std::int64_t number);                          // NOLINT(google-explicit-constructor): written as values
    Param(std::string_view text) : bytes_{text} {}       // NOLINT(google-explicit-constructor)
    Param(const std::string& text) : bytes_{text} {}     // NOLINT(google-explicit-constructor)
    static Param binary(std::span<const std::uint8_t> bytes);
    static Param binary(std::string_view bytes);
    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    [[nodiscard]] std::uint32_t type() const { return type_; }

private:
    std::string bytes_;
    std::uint32_t type_ = 25;  ///< Of the server: text.
};

class PgConnection {
public:
    /// A connection string or URI as libpq takes it; what it does not say comes from the environment (PGPASSWORD, PGPASSFILE, PGHOST...).
    [[nodiscard]] static Result<PgConnection, PgError> open(const std::string& where);
    PgConnection() = default;

    explicit operator bool() const { return handle_ != nullptr; }
    /// One statement with parameters; its rows in binary.
    [[nodiscard]] Result<Rows, PgError> ask(const std::string& sql, const std::vector<Param>& params = {});
    /// Statements without parameters or rows, in one message.
    [[nodiscard]] Result<void, PgError> run(const std::string& sql);
    /// Begins with `sql`, whose last statement is a COPY ... FROM STDIN, and sends it the lines.
    [[nodiscard]] Result<void, PgError> copy_in(const std::string& sql, std::string_view lines);
    /// Whether it still stands, as far as was seen.
    [[nodiscard]] bool is_broken() const;
    [[nodiscard]] std::string parameter(const char* name) const;
    [[nodiscard]] std::int64_t backend() const;

private:
    struct Finish {
        void operator()(pg_conn* handle) const;
    };
    [[nodiscard]] PgError trouble(const pg_result* result) const;
    std::unique_ptr<pg_conn, Finish> handle_;
};

/// The store's name in messages: host, port and database of a connection string, never its password.
[[nodiscard]] std::string name_of_store(const std::string& where);
/// Why a connection string may not be used: a password in it can be read by every user of the machine. Nothing: it may.
[[nodiscard]] std::optional<std::string> flaw_of(const std::string& where);

/// What an error means for the journal.
[[nodiscard]] ports::JournalError fault_of(const PgError& error, std::string_view store, std::string_view doing);

}  // namespace weir::store
