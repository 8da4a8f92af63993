#include "adapters/views_sql/views.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <ranges>
#include <system_error>
#include <utility>

namespace weir::views {
namespace {

/// Raised with every change of a table: views of another layout are built again.
constexpr std::int64_t layout = 7;

constexpr const char* tables = R"sql(
create table job(
  id text primary key, project text not null, submitter text not null, name text not null, spec text not null,
  state text not null, reason text not null, submitted_ns integer not null, finished_ns integer,
  generation integer not null default 0, placement text, exit_code integer, bill text, paid text) without rowid;
create index job_by_project on job(project, id) where finished_ns is not null;
create index job_by_state on job(state, id) where finished_ns is not null;
create index job_by_project_and_state on job(project, state, id) where finished_ns is not null;
create index job_by_submitter on job(submitter, id) where finished_ns is not null;
create index job_by_site on job(json_extract(placement, '$.site'), id) where finished_ns is not null;
create table task(
  job text not null, generation integer not null, site text not null, model text not null, emulated integer not null,
  fen_per_card_hour integer not null, placed_ns integer not null, ended_ns integer, end_reason text,
  primary key(job, generation)) without rowid;
create table reservation(job text primary key, generation integer not null, placement text not null) without rowid;
create table moved(
  job text not null, generation integer not null, from_site text not null, to_site text not null, arrived_ns integer not null,
  pause_ms integer not null, lost integer not null, prepared integer not null, primary key(job, generation)) without rowid;
create table usage(
  job text not null, generation integer not null, node_rank integer not null, sequence integer not null,
  from_s integer not null, to_s integer not null, milli_card_seconds integer not null, lost_to text,
  primary key(job, generation, node_rank, sequence)) without rowid;
create table transfer(
  id text primary key, ledger integer not null, kind text not null, code text not null, debit text not null, credit text not null,
  amount integer not null, released integer not null, at_ns integer not null, cause text not null, revision integer not null) without rowid;
create index transfer_by_debit on transfer(debit, revision) where kind in ('moved', 'posted');
create index transfer_by_credit on transfer(credit, revision) where kind in ('moved', 'posted');
create table earning(
  site text not null, revision integer not null, job text not null, finished_ns integer not null, used integer not null,
  lost integer not null, earned integer not null, primary key(site, revision)) without rowid;
create table earned(
  site text primary key, jobs integer not null, used integer not null, lost integer not null, earned integer not null) without rowid;
create table voucher(
  id text primary key, voucher text not null, organisation text not null, redeemed integer, expired integer,
  ended_ns integer) without rowid;
create table watermark(only integer primary key check(only = 1), revision integer not null, store text not null);
)sql";

constexpr const char* drop_tables = R"sql(
drop table if exists job; drop table if exists task; drop table if exists usage; drop table if exists transfer;
drop table if exists voucher; drop table if exists audit; drop table if exists watermark;
drop table if exists earning; drop table if exists earned; drop table if exists reservation; drop table if exists moved;
)sql";

template <class T>
std::optional<T> parsed(std::string_view text) {
    auto value = codec::decode_json<T>(text, "views");
    return value ? std::optional{std::move(*value)} : std::nullopt;
}

template <class E>
E enum_of(std::string_view name, E otherwise) {
    E value = otherwise;
    boost::describe::enum_from_string(std::string{name}.c_str(), value);
    return value;
}

std::optional<Origin> origin_in(store::Connection& connection) {
    auto select = connection.prepare("select store, revision from watermark");
    if (!select || select.step() != SQLITE_ROW) return std::nullopt;
    return Origin{std::string{select.bytes(0)}, static_cast<std::uint64_t>(select.integer(1))};
}

constexpr std::string_view job_columns =
    "id, project, submitter, spec, submitted_ns, finished_ns, state, reason, exit_code, generation, placement, bill, paid";

std::optional<JobRow> job_row(const store::Statement& row) {
    const auto id = JobId::parse(row.bytes(0));
    auto spec = parsed<JobSpec>(row.bytes(3));
    if (!id || !spec) return std::nullopt;
    JobRow job;
    job.id = *id;
    job.project.value = std::string{row.bytes(1)};
    job.submitter.value = std::string{row.bytes(2)};
    job.spec = std::move(*spec);
    job.submitted_at = {row.integer(4)};
    job.finished_at = {row.integer(5)};
    job.outcome = enum_of(row.bytes(6), JobState::failed);
    job.reason = enum_of(row.bytes(7), Reason::none);
    job.exit_code = row.integer(8);
    job.generation = static_cast<std::uint32_t>(row.integer(9));
    if (!row.bytes(10).empty()) job.placement = parsed<Placement>(row.bytes(10));
    job.bill = parsed<std::vector<BillLine>>(row.bytes(11)).value_or(std::vector<BillLine>{});
    job.paid = parsed<std::vector<BillPart>>(row.bytes(12)).value_or(std::vector<BillPart>{});
    return job;
}

}  // namespace

std::string Views::trouble(const std::string& what) {
    const int code = connection_.code() & 0xFF;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) damaged_ = true;
    return fmt::format("the views cannot {}: {} on {}; they can be removed while the server is stopped, and are built again", what,
                       connection_.message(), path_);
}

std::string Views::bad_row(std::string_view id) {
    damaged_ = true;
    return fmt::format("the views' row of {} is damaged in {}: its text is not what was written; they are built again", id, path_);
}

Result<void, std::string> Views::connect() {
    connection_ = store::Connection::open({.path = path_, .vfs = {}, .writable = true, .create = true});
    if (!connection_) return fail(trouble("be opened"));
    // The views may lose their last commits at a power cut, whole: the watermark goes back with them.
    constexpr const char* settings =
        "pragma journal_mode=wal; pragma synchronous=normal; pragma busy_timeout=5000; pragma cache_size=-32768";
    if (connection_.run(settings) != SQLITE_OK) {
        return fail(trouble("be opened"));
    }
    if (connection_.integer("pragma user_version").value_or(0) != layout) {
        if (auto done = make_tables(); !done) return fail(std::move(done).error());
    }
    auto origin = origin_in(connection_);
    if (!origin) return fail(trouble("be read"));
    watermark_ = origin->revision;
    store_id_ = std::move(origin->store_id);
    return {};
}

Result<std::string, std::string> Views::set_aside() {
    rows_.forget();
    connection_ = {};
    const auto aside = path_ + ".damaged";
    std::error_code error;
    std::filesystem::rename(path_, aside, error);
    for (const auto* part : {"-wal", "-shm"}) {
        if (!error) std::filesystem::remove(path_ + part, error);
    }
    if (error) return fail(fmt::format("the damaged views {} cannot be set aside: {}; remove them while the server is stopped", path_,
                                       error.message()));
    damaged_ = false;
    watermark_ = 0;
    if (auto opened = connect(); !opened) return fail(std::move(opened).error());
    return fmt::format("the views {} were damaged; they were set aside as {} and are built again from the journal", path_, aside);
}

Result<std::string, std::string> Views::rebuild() {
    const std::lock_guard lock{mutex_};
    return set_aside();
}

Result<std::unique_ptr<Views>, std::string> Views::open(const std::string& path, const std::function<void(const std::string&)>& say) {
    auto views = std::unique_ptr<Views>{new Views{path}};
    auto opened = views->connect();
    if (!opened && !views->damaged_) return fail(std::move(opened).error());
    if (!opened) {
        const auto done = WEIR_TRY(views->set_aside());
        if (say) say(done);
    }
    return views;
}

Result<std::optional<Origin>, std::string> Views::origin_of(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error) && !error) return std::optional<Origin>{};
    Views views{path};
    views.connection_ = store::Connection::open({.path = path, .vfs = {}});
    const auto found = views.connection_ ? views.connection_.integer("pragma user_version") : std::nullopt;
    if (found && *found != layout) return std::optional<Origin>{};
    auto origin = found ? origin_in(views.connection_) : std::nullopt;
    if (origin) return origin;
    auto text = views.trouble("be read");
    if (!views.damaged_) return fail(std::move(text));
    return std::optional<Origin>{};
}

Result<bool, std::string> Views::follow(const Origin& journal) {
    const std::lock_guard lock{mutex_};
    if (store_id_ == journal.store_id && watermark_ <= journal.revision) return false;
    const bool had_rows = watermark_ > 0;
    store_id_ = journal.store_id;
    if (auto done = make_tables(); !done) {
        if (!damaged_) return fail(std::move(done).error());
        (void)WEIR_TRY(set_aside());
    }
    return had_rows;
}

Result<void, std::string> Views::copy(const std::string& path, const std::string& target) {
    for (const auto* part : {"", "-wal", "-shm", "-journal"}) {
        std::error_code ignored;
        std::filesystem::remove(target + part, ignored);
    }
    auto connection = store::Connection::open({.path = path, .vfs = {}});
    int code = connection.code();
    if (connection) {
        auto into = connection.prepare("vacuum into ?1");
        into.bind_text(1, target);
        code = into ? into.run() : connection.code();
    }
    if (code == SQLITE_OK) return {};
    return fail(fmt::format("the views {} cannot be copied to {}: {}; where they are damaged, the server sets them aside and builds them "
                            "again, or remove them while it is stopped",
                            path, target, connection.message()));
}

Origin Views::origin() const {
    const std::lock_guard lock{mutex_};
    return {store_id_, watermark_};
}

std::uint64_t Views::watermark() const {
    const std::lock_guard lock{mutex_};
    return watermark_;
}

Result<void, std::string> Views::clear() {
    const std::lock_guard lock{mutex_};
    return make_tables();
}

Result<void, std::string> Views::make_tables() {
    const auto sql = fmt::format("begin; {} {} pragma user_version={}", drop_tables, tables, layout);
    int code = connection_.run(sql);
    if (code == SQLITE_OK) {
        auto insert = connection_.prepare("insert into watermark values(1, 0, ?1)");
        insert.bind_text(1, store_id_);
        code = insert.run();
    }
    if (code != SQLITE_OK || connection_.run("commit") != SQLITE_OK) return fail(trouble("be emptied"));
    watermark_ = 0;
    return {};
}

Result<void, std::string> Views::take(std::span<const control::Entry> entries) { return take(std::vector{entries}); }

Result<void, std::string> Views::take(const std::vector<std::span<const control::Entry>>& lists) {
    const std::lock_guard lock{mutex_};
    if (lists.empty() || lists.back().empty() || lists.back().back().revision <= watermark_) return {};
    if (connection_.run("begin immediate") != SQLITE_OK) return fail(trouble("begin a transaction"));
    auto next = watermark_;
    for (const auto& entry : std::views::join(lists)) {
        if (entry.revision <= next) continue;
        if (entry.revision != next + 1 || !rows_.write(entry)) {
            auto text = entry.revision != next + 1 ? fmt::format("revision {} came where {} is next", entry.revision, next + 1)
                                                   : trouble("take a row in");
            (void)connection_.run("rollback");
            return fail(std::move(text));
        }
        next = entry.revision;
    }
    if (connection_.run(fmt::format("update watermark set revision={}; commit", next)) != SQLITE_OK) {
        auto text = trouble("commit");
        (void)connection_.run("rollback");
        return fail(std::move(text));
    }
    watermark_ = next;
    return {};
}

Result<std::uint64_t, std::string> Views::catch_up(ports::JournalReader& journal, std::size_t entries_max) {
    auto records = journal.read(watermark() + 1, entries_max, 8U << 20U);
    if (!records) return fail(records.error().message);
    std::vector<control::Entry> entries;
    for (const auto& record : *records) {
        auto entry = control::read_entry(record.text);
        if (!entry) return fail(fmt::format("the journal's revision {} {}", record.revision, entry.error()));
        entries.push_back(std::move(*entry));
    }
    if (auto done = take(entries); !done) return fail(std::move(done).error());
    return entries.size();
}

namespace {
/// Of a finished job; a longer list is in the journal.
constexpr int moves_shown_max = 1'000;
}  // namespace

Result<std::optional<JobRow>, std::string> Views::job(JobId id) {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare(fmt::format("select {} from job where id=?1 and finished_ns is not null", job_columns));
    if (!select) return fail(trouble("be asked"));
    const auto text = id.text();
    select.bind_text(1, text);
    const int code = select.step();
    if (code == SQLITE_DONE) return std::optional<JobRow>{};
    if (code != SQLITE_ROW) return fail(trouble("be read"));
    auto row = job_row(select);
    if (!row) return fail(bad_row(text));
    auto moves = connection_.prepare(fmt::format("select generation, from_site, to_site, arrived_ns, pause_ms, lost, prepared from moved "
                                                 "where job=?1 order by generation limit {}",
                                                 moves_shown_max));
    if (!moves) return fail(trouble("be asked"));
    moves.bind_text(1, text);
    int step = moves.step();
    for (; step == SQLITE_ROW; step = moves.step()) {
        row->moved.push_back({static_cast<std::uint32_t>(moves.integer(0)), SiteName{std::string{moves.bytes(1)}},
                              SiteName{std::string{moves.bytes(2)}}, {moves.integer(3)}, moves.integer(4), {moves.integer(5)},
                              moves.integer(6) != 0});
    }
    if (step != SQLITE_DONE) return fail(trouble("be read"));
    return row;
}

namespace {

/// Beyond so many projects the rows are walked by id: each of them would be asked by itself.
constexpr std::size_t projects_asked_alone = 100;

/// The newest rows as SQL. Each project's are read from an index that has no others in it: a page costs what it shows, whatever lies
/// between. Names are of a-z, 0-9, '-' and '.', and those that are not are dropped: no quoting is needed.
std::string newest_jobs(const JobQuery& query) {
    std::string where = "finished_ns is not null";
    if (query.before) where += " and id < ?1";
    if (query.outcome) where += fmt::format(" and state='{}'", codec::name_of(*query.outcome));
    if (query.submitter) where += " and submitter=?2";
    if (query.site) where += " and json_extract(placement, '$.site')=?3";
    const auto page = [&](std::string_view columns, const std::string& which) {
        return fmt::format("select {} from job where {}{} order by id desc limit {}", columns, where, which, query.limit);
    };
    if (!query.projects) return page(job_columns, "");
    std::vector<std::string> names;
    for (const auto& project : *query.projects) {
        if (is_name(project.value)) names.push_back("'" + project.value + "'");
    }
    if (names.size() == 1) return page(job_columns, " and project=" + names.front());
    if (names.empty() || names.size() > projects_asked_alone)
        return page(job_columns, fmt::format(" and project in ({})", fmt::join(names, ",")));
    std::string ids;
    for (const auto& name : names)
        ids += (ids.empty() ? "select id from (" : " union all select id from (") + page("id", " and project=" + name) + ")";
    return fmt::format("select {} from job where id in ({}) order by id desc limit {}", job_columns, ids, query.limit);
}

}  // namespace

Result<std::vector<std::string>, std::string> Views::plan_of(const JobQuery& query) {
    const std::lock_guard lock{mutex_};
    auto explain = connection_.prepare("explain query plan " + newest_jobs(query));
    if (!explain) return fail(trouble("be asked"));
    std::vector<std::string> steps;
    while (explain.step() == SQLITE_ROW) steps.emplace_back(explain.bytes(3));
    return steps;
}

Result<std::vector<JobRow>, std::string> Views::jobs(const JobQuery& query) {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare(newest_jobs(query));
    if (!select) return fail(trouble("be asked"));
    const auto before = query.before ? query.before->text() : std::string{};
    if (query.before) select.bind_text(1, before);
    if (query.submitter) select.bind_text(2, query.submitter->value);
    if (query.site) select.bind_text(3, query.site->value);
    std::vector<JobRow> rows;
    int code = select.step();
    for (; code == SQLITE_ROW; code = select.step()) {
        auto row = job_row(select);
        if (!row) return fail(bad_row(select.bytes(0)));
        rows.push_back(std::move(*row));
    }
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return rows;
}

Result<std::optional<VoucherRow>, std::string> Views::voucher(VoucherId id) {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare("select voucher, redeemed, expired, ended_ns from voucher where id=?1 and ended_ns is not null");
    if (!select) return fail(trouble("be asked"));
    const auto text = id.text();
    select.bind_text(1, text);
    const int code = select.step();
    if (code == SQLITE_DONE) return std::optional<VoucherRow>{};
    if (code != SQLITE_ROW) return fail(trouble("be read"));
    auto voucher = parsed<Voucher>(select.bytes(0));
    if (!voucher) return fail(trouble("read the terms of " + text));
    return VoucherRow{std::move(*voucher), Fen{select.integer(1)}, Fen{select.integer(2)}, Instant{select.integer(3)}};
}

Result<std::vector<TransferRow>, std::string> Views::transfers(std::string_view account, const RowsBefore& before) {
    const std::lock_guard lock{mutex_};
    // Each half reads its index from the newest on and stops at the limit.
    constexpr std::string_view half =
        "select * from (select id, at_ns, code, {0} is ?1 as debited, {1}, amount, cause, revision from transfer where {2}=?1 and "
        "kind in ('moved','posted') and (revision < ?2 or (revision = ?2 and id < ?3)) order by revision desc, id desc limit ?4)";
    auto select = connection_.prepare(fmt::format(fmt::runtime("{} union all {} order by 8 desc, 1 desc limit ?4"),
                                                  fmt::format(fmt::runtime(half), "debit", "credit", "debit"),
                                                  fmt::format(fmt::runtime(half), "debit", "debit", "credit")));
    if (!select) return fail(trouble("be asked"));
    const std::string id{account};
    select.bind_text(1, id);
    select.bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(before.revision, INT64_MAX)));
    select.bind_text(3, before.id);
    select.bind(4, static_cast<std::int64_t>(before.limit));
    std::vector<TransferRow> rows;
    int code = select.step();
    for (; code == SQLITE_ROW; code = select.step()) {
        rows.push_back({.id = std::string{select.bytes(0)},
                        .at = {select.integer(1)},
                        .code = std::string{select.bytes(2)},
                        .debited = select.integer(3) != 0,
                        .other = std::string{select.bytes(4)},
                        .amount = select.integer(5),
                        .cause = std::string{select.bytes(6)},
                        .revision = static_cast<std::uint64_t>(select.integer(7))});
    }
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return rows;
}

Result<SiteRows, std::string> Views::earnings(const SiteName& site, const RowsBefore& before) {
    const std::lock_guard lock{mutex_};
    SiteRows found;
    auto total = connection_.prepare("select jobs, used, lost, earned from earned where site=?1");
    if (!total) return fail(trouble("be asked"));
    total.bind_text(1, site.value);
    int code = total.step();
    if (code == SQLITE_ROW) {
        found.jobs = static_cast<std::uint64_t>(total.integer(0));
        found.total = {{}, {}, MilliCardSeconds{total.integer(1)}, MilliCardSeconds{total.integer(2)}, Fen{total.integer(3)}, 0};
    } else if (code != SQLITE_DONE) {
        return fail(trouble("be read"));
    }
    auto select = connection_.prepare(
        "select job, finished_ns, used, lost, earned, revision from earning where site=?1 and revision < ?2 order by revision desc limit "
        "?3");
    if (!select) return fail(trouble("be asked"));
    select.bind_text(1, site.value);
    select.bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(before.revision, INT64_MAX)));
    select.bind(3, static_cast<std::int64_t>(before.limit));
    for (code = select.step(); code == SQLITE_ROW; code = select.step()) {
        const auto job = JobId::parse(select.bytes(0));
        if (!job) return fail(bad_row(select.bytes(0)));
        found.rows.push_back({*job, {select.integer(1)}, MilliCardSeconds{select.integer(2)}, MilliCardSeconds{select.integer(3)},
                              Fen{select.integer(4)}, static_cast<std::uint64_t>(select.integer(5))});
    }
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return found;
}

Result<std::vector<std::string>, std::string> Views::live_jobs() {
    const std::lock_guard lock{mutex_};
    auto select = connection_.prepare(
        "select j.id || ' ' || j.project || ' ' || j.generation || ' ' || coalesce((select sum(u.milli_card_seconds) from usage u where "
        "u.job = j.id), 0) "
        "from job j where j.finished_ns is null order by j.id");
    if (!select) return fail(trouble("be asked"));
    std::vector<std::string> lines;
    int code = select.step();
    for (; code == SQLITE_ROW; code = select.step()) lines.emplace_back(select.bytes(0));
    if (code != SQLITE_DONE) return fail(trouble("be read"));
    return lines;
}

}  // namespace weir::views
