// adapters/views_sql/views.hpp: what happened, as tables that SQL can ask: jobs, tasks, usage, transfers, earnings, vouchers.
//
// The views live in a database of their own and trail the journal: each batch of entries is one transaction that also
// moves the watermark, so a crash leaves them whole and a little behind, never wrong. They hold nothing that the journal
// has not: remove the file and they are built again. Nothing decides by them. A damaged file is set aside as FILE.damaged, once
// the damage is met, and built again.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "adapters/views_sql/rows.hpp"
#include "base/result.hpp"
#include "control/entry.hpp"
#include "domain/move.hpp"
#include "ports/journal.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::views {

/// A job that has ended, as its row tells it.
struct JobRow {
    JobId id;
    ProjectName project;
    SubjectName submitter;
    JobSpec spec;
    Instant submitted_at;
    Instant finished_at;
    JobState outcome = JobState::succeeded;
    Reason reason = Reason::none;
    std::int64_t exit_code = 0;
    std::uint32_t generation = 0;
    std::optional<Placement> placement;   ///< Of the last generation.
    std::vector<BillLine> bill;
    std::vector<BillPart> paid;
    std::vector<MoveDone> moved;          ///< Of one job that is asked for, the first so many; a list has none.
};

/// A voucher that has ended.
struct VoucherRow {
    Voucher voucher;
    Fen redeemed;
    Fen expired;
    Instant ended_at;
};

struct JobQuery {
    std::optional<std::vector<ProjectName>> projects;  ///< Absent: of every project.
    std::optional<JobState> outcome;
    std::optional<JobId> before;                       ///< Only ids below this one.
    std::size_t limit = 100;
    std::optional<SubjectName> submitter{};
    std::optional<SiteName> site{};                    ///< Where it ran last.
};

/// A page of rows that were booked, the newest first.
struct RowsBefore {
    std::uint64_t revision = UINT64_MAX;  ///< Only below this one, or of it with an id below `id`.
    std::string id{};
    std::size_t limit = 100;
};

/// A transfer that moved value, as one of its two accounts sees it.
struct TransferRow {
    std::string id;
    Instant at;
    std::string code;
    bool debited = false;   ///< The account asked for gave.
    std::string other;      ///< The other account.
    std::int64_t amount = 0;
    std::string cause;
    std::uint64_t revision = 0;
};

/// What a job that is over brought a site.
struct EarningRow {
    JobId job;
    Instant finished_at;
    MilliCardSeconds used;   ///< That somebody pays for.
    MilliCardSeconds lost;   ///< That the site bears.
    Fen earned;
    std::uint64_t revision = 0;
};

struct SiteRows {
    std::uint64_t jobs = 0;
    EarningRow total{};      ///< Of all jobs.
    std::vector<EarningRow> rows;
};

/// Which store's journal views are made of, and up to which revision.
struct Origin {
    std::string store_id{};
    std::uint64_t revision = 0;
    bool operator==(const Origin&) const = default;
};

/// One connection; its calls may come from several threads and take turns.
class Views {
public:
    /// Opens or makes the database. One of another layout is emptied and built again; a damaged one is set aside, and `say` is told.
    [[nodiscard]] static Result<std::unique_ptr<Views>, std::string> open(const std::string& path,
                                                                          const std::function<void(const std::string&)>& say = {});

    /// What the views at `path` say of their origin, without a change to them; nothing where there are none, or where they are damaged
    /// or of another layout and will be built again.
    [[nodiscard]] static Result<std::optional<Origin>, std::string> origin_of(const std::string& path);

    /// Says which journal is taken in from now on, and its head. Views of another store, or ahead of that head, are no views of it:
    /// they are emptied. Returns whether there was anything in them.
    [[nodiscard]] Result<bool, std::string> follow(const Origin& journal);

    /// Writes a copy of the views at `path` as of now to `target`, which is replaced, while somebody else writes them.
    [[nodiscard]] static Result<void, std::string> copy(const std::string& path, const std::string& target);

    /// Whether a call has met damage: nothing but rebuild() helps.
    [[nodiscard]] bool damaged() const { return damaged_; }

    /// Sets the file aside as FILE.damaged and begins an empty one; returns what was done, in words.
    [[nodiscard]] Result<std::string, std::string> rebuild();

    [[nodiscard]] Origin origin() const;

    /// The last revision taken in.
    [[nodiscard]] std::uint64_t watermark() const;

    /// Takes in entries that follow the watermark, as one transaction. Entries at or below it are passed over.
    [[nodiscard]] Result<void, std::string> take(std::span<const control::Entry> entries);
    /// The same, of several lists in order.
    [[nodiscard]] Result<void, std::string> take(const std::vector<std::span<const control::Entry>>& lists);

    /// Takes in what the journal has after the watermark, a page at a time; returns how many entries came.
    [[nodiscard]] Result<std::uint64_t, std::string> catch_up(ports::JournalReader& journal, std::size_t entries_max);

    /// Empties everything; the next catch_up begins at revision 1.
    [[nodiscard]] Result<void, std::string> clear();

    [[nodiscard]] Result<std::optional<JobRow>, std::string> job(JobId id);
    /// Finished jobs by falling id.
    [[nodiscard]] Result<std::vector<JobRow>, std::string> jobs(const JobQuery& query);
    /// How SQLite would answer that question, step by step: which index each reads.
    Result<std::vector<std::string>, std::string> plan_of(const JobQuery& query);

    /// A voucher that has ended.
    [[nodiscard]] Result<std::optional<VoucherRow>, std::string> voucher(VoucherId id);

    /// What was moved on an account: its sums are what the ledger has posted there.
    [[nodiscard]] Result<std::vector<TransferRow>, std::string> transfers(std::string_view account, const RowsBefore& before);
    [[nodiscard]] Result<SiteRows, std::string> earnings(const SiteName& site, const RowsBefore& before);

    /// Sums that must equal what the state says: live jobs by project, and milli-card-seconds by job, in the order of ids.
    [[nodiscard]] Result<std::vector<std::string>, std::string> live_jobs();

    /// Sums over the postings of each account, by its id as text; accounts that nothing was posted to are not there.
    struct AccountSums {
        std::int64_t debits_posted = 0;
        std::int64_t credits_posted = 0;
        std::int64_t debits_pending = 0;
        std::int64_t credits_pending = 0;
        bool operator==(const AccountSums&) const = default;
    };
    [[nodiscard]] Result<std::map<std::string, AccountSums>, std::string> account_sums();

    /// The terms of vouchers that have not ended, in the order of ids.
    [[nodiscard]] Result<std::vector<Voucher>, std::string> vouchers_in_force();

    /// The first thing in which the views at two paths differ, in words: a table, a row, a column. Nothing where every column of every
    /// row is the same. Reads each table once; both files are at rest.
    [[nodiscard]] static Result<std::optional<std::string>, std::string> first_difference(const std::string& path,
                                                                                          const std::string& other);

private:
    explicit Views(std::string path) : path_{std::move(path)} {}
    [[nodiscard]] Result<void, std::string> connect();
    [[nodiscard]] Result<void, std::string> make_tables();
    [[nodiscard]] Result<std::string, std::string> set_aside();
    /// What cannot be done and why, in words; remembers damage.
    [[nodiscard]] std::string trouble(const std::string& what);
    [[nodiscard]] std::string bad_row(std::string_view id);

    std::string path_;
    std::atomic<bool> damaged_{false};
    mutable std::mutex mutex_;
    store::Connection connection_;
    Rows rows_{connection_};
    std::uint64_t watermark_ = 0;
    std::string store_id_;  ///< Empty until somebody says whose journal it is.
};

}  // namespace weir::views
