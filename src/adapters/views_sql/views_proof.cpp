// What an audit asks: sums to be held against the state, and whether two sets of views say the same.
#include "adapters/views_sql/views.hpp"
#include "codec/decode.hpp"

#include <fmt/format.h>

namespace weir::views {
namespace {

struct Table {
    std::string_view name;
    std::string_view key;
    int key_columns;
};

/// Every table, in the order in which entries fill them; the key's columns are the first.
constexpr Table compared[] = {
    {"watermark", "only", 1},         {"job", "id", 1},
    {"task", "job, generation", 2},   {"usage", "job, generation, node_rank, sequence", 4},
    {"transfer", "id", 1},            {"earning", "site, revision", 2},
    {"earned", "site", 1},            {"voucher", "id", 1},
    {"reservation", "job", 1},        {"moved", "job, generation", 2},
};

/// A column is equal where both are null or both have the same text.
bool same(const store::Statement& one, const store::Statement& other, int column) {
    return one.is_null(column) == other.is_null(column) && one.bytes(column) == other.bytes(column);
}

std::string key_of(const store::Statement& row, int columns) {
    std::string key;
    for (int i = 0; i < columns; ++i) key += fmt::format("{}{}", i == 0 ? "" : "/", row.bytes(i));
    return key;
}

Result<std::optional<std::string>, std::string> compare(store::Connection& one, store::Connection& other, const Table& table) {
    const auto sql = fmt::format("select * from {} order by {}", table.name, table.key);
    auto left = one.prepare(sql);
    auto right = other.prepare(sql);
    if (!left || !right) return fail(fmt::format("the views' table {} cannot be read: {}", table.name, one.message()));
    for (;;) {
        const int left_code = left.step();
        const int right_code = right.step();
        if (left_code == SQLITE_DONE && right_code == SQLITE_DONE) return std::optional<std::string>{};
        const bool has_left = left_code == SQLITE_ROW;
        const bool has_right = right_code == SQLITE_ROW;
        if ((!has_left && left_code != SQLITE_DONE) || (!has_right && right_code != SQLITE_DONE)) {
            return fail(fmt::format("the views' table {} cannot be read: {}", table.name, has_left ? other.message() : one.message()));
        }
        if (!has_left || !has_right) {
            return std::optional{fmt::format("table {} {} the row {}", table.name, has_left ? "has too much" : "lacks",
                                             key_of(has_left ? left : right, table.key_columns))};
        }
        for (int column = 0; column < left.columns(); ++column) {
            if (same(left, right, column)) continue;
            return std::optional{fmt::format("table {}, column {} of the row {}: '{:.60}' where the journal says '{:.60}'", table.name,
                                             left.name(column), key_of(right, table.key_columns), left.bytes(column),
                                             right.bytes(column))};
        }
    }
}

}  // namespace

Result<std::optional<std::string>, std::string> Views::first_difference(const std::string& path, const std::string& other) {
    auto left = store::Connection::open({.path = path, .vfs = {}});
    auto right = store::Connection::open({.path = other, .vfs = {}});
    if (!left || !right) return fail(fmt::format("the views {} cannot be opened: {}", !left ? path : other, left.message()));
    for (const auto& table : compared) {
        auto found = WEIR_TRY(compare(left, right, table));
        if (found) return found;
    }
    return std::optional<std::string>{};
}

Result<std::map<std::string, Views::AccountSums>, std::string> Views::account_sums() {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare(
        "with p as (select debit, credit, case when kind in ('moved', 'posted') then amount else 0 end as posted, "
        "case kind when 'moved' then 0 when 'held' then amount when 'posted' then -amount - released else -released end as pending "
        "from transfer) "
        "select account, sum(a), sum(b), sum(c), sum(d) from (select debit as account, posted as a, 0 as b, pending as c, 0 as d from p "
        "union all select credit, 0, posted, 0, pending from p) group by account");
    if (!select) return fail(trouble("be summed"));
    std::map<std::string, AccountSums> sums;
    int code = select.step();
    for (; code == SQLITE_ROW; code = select.step()) {
        sums[std::string{select.bytes(0)}] = {select.integer(1), select.integer(2), select.integer(3), select.integer(4)};
    }
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return sums;
}

Result<std::vector<Voucher>, std::string> Views::vouchers_in_force() {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare("select id, voucher from voucher where ended_ns is null order by id");
    if (!select) return fail(trouble("be asked"));
    std::vector<Voucher> vouchers;
    int code = select.step();
    for (; code == SQLITE_ROW; code = select.step()) {
        auto voucher = codec::decode_json<Voucher>(std::string{select.bytes(1)}, "views");
        if (!voucher) return fail(bad_row(select.bytes(0)));
        vouchers.push_back(std::move(*voucher));
    }
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return vouchers;
}

}  // namespace weir::views
