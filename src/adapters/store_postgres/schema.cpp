#include "adapters/store_postgres/schema.hpp"

#include "base/id.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <charconv>
#include <chrono>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::StoreIdentity;

/// A record's text stands in `text`. What is no UTF-8, or has a zero byte, which no event has, would stand in `bytes`.
constexpr const char* tables = R"sql(
create table meta(key text primary key, value bytea not null);
create table record(revision bigint primary key, text text, bytes bytea, hash bytea not null, check((text is null) <> (bytes is null)));
alter table record alter column text set storage external;
create table snapshot(revision bigint not null, version bigint not null, state bytea not null, hash bytea not null, digest bytea not null,
  bytes bytea not null, primary key(version, revision));
alter table snapshot alter column bytes set storage external;
create table leader(only_one boolean primary key default true check(only_one), epoch bigint not null);
create table lease(only_one boolean primary key default true check(only_one), epoch bigint not null, holder text not null,
  backend bigint not null, until timestamptz not null);
insert into leader(epoch) values(0);
insert into lease(epoch, holder, backend, until) values(0, '', 0, to_timestamp(0));
)sql";

Uid new_store_id() {
    std::array<std::uint64_t, 2> chance{};
    if (::getrandom(chance.data(), sizeof chance, 0) != sizeof chance) chance = {};
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    return make_uid(Instant{now}, chance[0], chance[1]);
}

/// A name between double quotes: of our own or of a test, letters, digits and underscores.
std::string quoted_name(const std::string& schema) { return '"' + schema + '"'; }

JournalResult<std::string> meta_of(PgConnection& connection, const std::string& key, const std::string& store) {
    const auto rows = connection.ask("select value from meta where key=$1", {Param{key}});
    if (!rows) return fail(fault_of(rows.error(), store, "read what the store is"));
    if (rows->count() == 0) return fail(JournalError{JournalFault::damaged, fmt::format("{} has no {}; restore the database", store, key)});
    return std::string{rows->bytes(0, 0)};
}

}  // namespace

JournalResult<StoreIdentity> use_schema(PgConnection& connection, const std::string& schema, const std::string& store) {
    if (connection.parameter("server_encoding") != "UTF8") {
        return fail(JournalError{JournalFault::unknown_format,
                                 fmt::format("{} is encoded as {} and must be UTF8; make it with: create database NAME encoding 'UTF8' "
                                             "template template0",
                                             store, connection.parameter("server_encoding"))});
    }
    // A commit is durable when it returns, whatever the server's or the role's own setting is.
    if (auto set = connection.run(fmt::format("set search_path={}; set synchronous_commit=on", quoted_name(schema))); !set)
        return fail(fault_of(set.error(), store, "choose the store's tables"));
    const auto there = connection.ask("select 1 from pg_tables where schemaname=$1 and tablename='meta'", {Param{schema}});
    if (!there) return fail(fault_of(there.error(), store, "look for the store's tables"));
    if (there->count() == 0)
        return fail(JournalError{JournalFault::not_found, fmt::format("{} has no store of Weir; name the right database", store)});
    const auto format = WEIR_TRY(meta_of(connection, "weir.format", store));
    std::uint32_t number = 0;
    std::from_chars(format.data(), format.data() + format.size(), number);
    if (number != postgres_format) {
        return fail(JournalError{JournalFault::unknown_format,
                                 fmt::format("{} has format {} and this program knows {}; use the program that wrote it, or a newer one",
                                             store, format, postgres_format)});
    }
    return StoreIdentity{WEIR_TRY(meta_of(connection, "weir.store_id", store)), number,
                         WEIR_TRY(meta_of(connection, "weir.lineage", store))};
}

JournalResult<StoreIdentity> make_schema(PgConnection& connection, const std::string& schema, const std::string& store) {
    const auto known = use_schema(connection, schema, store);
    if (known || known.error().fault != JournalFault::not_found) return known;
    // Two servers that find nothing at once make the tables one after the other.
    const auto sql = fmt::format("begin; select pg_advisory_xact_lock(7741652981); create schema if not exists {}; set search_path={};",
                                 quoted_name(schema), quoted_name(schema));
    if (auto begun = connection.run(sql); !begun) return fail(fault_of(begun.error(), store, "make the store"));
    const auto there = connection.ask("select 1 from pg_tables where schemaname=$1 and tablename='meta'", {Param{schema}});
    if (!there) return fail(fault_of(there.error(), store, "make the store"));
    if (there->count() == 0) {
        if (auto made = connection.run(tables); !made) return fail(fault_of(made.error(), store, "make the store's tables"));
        const std::array<std::pair<std::string, std::string>, 3> values{
            {{"weir.format", std::to_string(postgres_format)}, {"weir.store_id", format_uid(new_store_id())}, {"weir.lineage", ""}}};
        for (const auto& [key, value] : values) {
            const auto put = connection.ask("insert into meta values($1, $2)", {Param{key}, Param::binary(value)});
            if (!put) return fail(fault_of(put.error(), store, "say who the store is"));
        }
    }
    if (auto done = connection.run("commit"); !done) return fail(fault_of(done.error(), store, "make the store"));
    return use_schema(connection, schema, store);
}

}  // namespace weir::store
