#include "adapters/store_postgres/connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;

constexpr Oid type_int8 = 20;
constexpr Oid type_bytea = 17;

std::string big_endian(std::int64_t number) {
    std::string out(8, '\0');
    const auto bits = static_cast<std::uint64_t>(number);
    for (int i = 0; i < 8; ++i) out[static_cast<std::size_t>(i)] = static_cast<char>(bits >> (56 - 8 * i));
    return out;
}

std::string trimmed(const char* text) {
    std::string out = text == nullptr ? "" : text;
    while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
    for (auto& c : out) {
        if (c == '\n') c = ' ';
    }
    return out;
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options parsed(const std::string& where) {
    char* error = nullptr;
    Options options{PQconninfoParse(where.c_str(), &error), &PQconninfoFree};
    PQfreemem(error);
    return options;
}

std::string option_of(const Options& options, std::string_view name) {
    for (auto* one = options.get(); one != nullptr && one->keyword != nullptr; ++one) {
        if (name == one->keyword && one->val != nullptr) return one->val;
    }
    return {};
}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }
std::size_t Rows::count() const { return static_cast<std::size_t>(PQntuples(result_.get())); }
std::int64_t Rows::touched() const {
    const std::string_view text = PQcmdTuples(result_.get());
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}
bool Rows::is_null(std::size_t row, int column) const { return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0; }
std::string_view Rows::bytes(std::size_t row, int column) const {
    return {PQgetvalue(result_.get(), static_cast<int>(row), column),
            static_cast<std::size_t>(PQgetlength(result_.get(), static_cast<int>(row), column))};
}
std::int64_t Rows::integer(std::size_t row, int column) const {
    const auto raw = bytes(row, column);
    std::uint64_t number = 0;
    for (const char c : raw) number = number << 8U | static_cast<unsigned char>(c);
    // Of 4 bytes the sign is theirs.
    return raw.size() == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(number)) : static_cast<std::int64_t>(number);
}

Param::Param(std::int64_t number) : bytes_{big_endian(number)}, type_{type_int8} {}
Param Param::binary(std::string_view bytes) {
    Param param{bytes};
    param.type_ = type_bytea;
    return param;
}
Param Param::binary(std::span<const std::uint8_t> bytes) {
    return binary(std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void PgConnection::Finish::operator()(pg_conn* handle) const { PQfinish(handle); }

PgError PgConnection::trouble(const pg_result* result) const {
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (is_broken() || state == nullptr) return {{}, trimmed(PQerrorMessage(handle_.get()))};
    return {state, trimmed(PQresultErrorMessage(result))};
}

Result<PgConnection, PgError> PgConnection::open(const std::string& where) {
    PgConnection connection;
    const std::array<const char*, 5> keys{"dbname", "connect_timeout", "client_encoding", "application_name", nullptr};
    const std::array<const char*, 5> values{where.c_str(), "10", "UTF8", "weir", nullptr};
    connection.handle_.reset(PQconnectdbParams(keys.data(), values.data(), 1));
    if (PQstatus(connection.handle_.get()) != CONNECTION_OK) return fail(PgError{{}, trimmed(PQerrorMessage(connection.handle_.get()))});
    PQsetNoticeProcessor(connection.handle_.get(), [](void*, const char*) {}, nullptr);
    return connection;
}

bool PgConnection::is_broken() const { return !handle_ || PQstatus(handle_.get()) != CONNECTION_OK; }
std::string PgConnection::parameter(const char* name) const {
    const char* value = PQparameterStatus(handle_.get(), name);
    return value == nullptr ? "" : value;
}
std::int64_t PgConnection::backend() const { return PQbackendPID(handle_.get()); }

Result<Rows, PgError> PgConnection::ask(const std::string& sql, const std::vector<Param>& params) {
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    const std::vector<int> formats(params.size(), 1);
    for (const auto& param : params) {
        types.push_back(param.type());
        values.push_back(param.bytes().data());
        lengths.push_back(static_cast<int>(param.bytes().size()));
    }
    auto* result = PQexecParams(handle_.get(), sql.c_str(), static_cast<int>(params.size()), types.data(), values.data(), lengths.data(),
                                formats.data(), 1);
    Rows rows{result};
    const auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
    return fail(trouble(result));
}

Result<void, PgError> PgConnection::run(const std::string& sql) {
    auto* result = PQexec(handle_.get(), sql.c_str());
    const Rows rows{result};
    const auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return {};
    return fail(trouble(result));
}

Result<void, PgError> PgConnection::copy_in(const std::string& sql, std::string_view lines) {
    {
        auto* result = PQexec(handle_.get(), sql.c_str());
        const Rows rows{result};
        if (PQresultStatus(result) != PGRES_COPY_IN) return fail(trouble(result));
    }
    constexpr std::size_t piece = 1U << 20U;
    for (std::size_t at = 0; at < lines.size(); at += piece) {
        const auto part = lines.substr(at, piece);
        if (PQputCopyData(handle_.get(), part.data(), static_cast<int>(part.size())) != 1) return fail(trouble(nullptr));
    }
    if (PQputCopyEnd(handle_.get(), nullptr) != 1) return fail(trouble(nullptr));
    Result<void, PgError> outcome{};
    while (auto* result = PQgetResult(handle_.get())) {
        const Rows rows{result};
        if (PQresultStatus(result) != PGRES_COMMAND_OK && outcome) outcome = fail(trouble(result));
    }
    if (is_broken()) return fail(trouble(nullptr));
    return outcome;
}

std::string name_of_store(const std::string& where) {
    const auto options = parsed(where);
    if (!options) return "the PostgreSQL store";
    const auto host = option_of(options, "host");
    const auto port = option_of(options, "port");
    const auto database = option_of(options, "dbname");
    return fmt::format("postgresql://{}{}{}/{}", host, port.empty() ? "" : ":", port, database);
}

std::optional<std::string> flaw_of(const std::string& where) {
    const auto options = parsed(where);
    if (!options) {
        return "the store is no connection string that PostgreSQL's library can read; write it as postgresql://user@host:port/database, "
               "with what is special in a part percent-encoded";
    }
    if (option_of(options, "password").empty()) return std::nullopt;
    return "the store names a password, and every user of this machine can read a command line; leave it out, and give it in PGPASSWORD "
           "or in a file that PGPASSFILE names";
}

JournalError fault_of(const PgError& error, std::string_view store, std::string_view doing) {
    const auto told = [&](JournalFault fault, std::string_view advice) {
        return JournalError{fault, fmt::format("cannot {} at {}: {}; {}", doing, store, error.message, advice)};
    };
    const std::string_view state = error.state;
    if (state == "53100") return told(JournalFault::disk_full, "make room on the database's disk; nothing of it was written");
    if (state == "25006") return told(JournalFault::read_only, "name the primary server: this one is a replica or read only");
    if (state.starts_with("XX")) return told(JournalFault::damaged, "restore the database from a backup");
    if (state.starts_with("42") || state == "3F000")
        return told(JournalFault::unknown_format, "the tables are not as this program made them");
    if (state.starts_with("28")) return told(JournalFault::unavailable, "check user, password and pg_hba.conf");
    return told(JournalFault::unavailable, "check that the database runs and can be reached, and start again");
}

}  // namespace weir::store
