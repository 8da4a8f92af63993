#include "apps/server/history_views.hpp"

#include "transport/api/job_views.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

namespace weir::server {
namespace {

void fill(const views::JobRow& row, api::JobSummary& job) {
    job.id = row.id;
    job.project = row.project;
    job.submitter = row.submitter;
    job.state = row.outcome;
    job.reason = row.reason;
    job.since = row.finished_at;
    job.submitted_at = row.submitted_at;
    job.generation = row.generation;
    job.exit_code = row.exit_code;
    api::fill(job, row.spec, row.placement);
}

}  // namespace

ViewsHistory::ViewsHistory(std::unique_ptr<views::Views> views, const control::Reader& reader,
                           std::unique_ptr<ports::JournalReader> journal, std::function<void(const std::string&)> say)
    : views_{std::move(views)}, reader_{reader}, journal_{std::move(journal)}, say_{std::move(say)}, watermark_{views_->watermark()},
      thread_{[this] { trail(); }} {}

ViewsHistory::~ViewsHistory() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void ViewsHistory::wake() {
    {
        const std::lock_guard lock{mutex_};
        more_ = true;
    }
    wake_.notify_one();
}

Result<std::uint64_t, std::string> ViewsHistory::take_some() {
    constexpr std::size_t entries_max = 2'000;  // of one transaction: questions wait no longer than it takes
    const auto batches = reader_.since(views_->watermark());
    if (!batches) return views_->catch_up(*journal_, entries_max);
    std::vector<std::span<const control::Entry>> lists;
    std::size_t entries = 0;
    for (const auto& batch : *batches) {
        lists.emplace_back(batch->entries);
        entries += batch->entries.size();
        if (entries >= entries_max) break;
    }
    if (auto done = views_->take(lists); !done) return fail(std::move(done).error());
    return entries;
}

void ViewsHistory::trail() {
    for (;;) {
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [&] { return more_ || stopping_; });
            if (stopping_) return;
            more_ = false;
        }
        for (;;) {
            if (views_->damaged()) {
                const auto rebuilt = views_->rebuild();
                say_(rebuilt ? *rebuilt : rebuilt.error());
            }
            auto taken = take_some();
            watermark_ = views_->watermark();
            if (!taken) {
                say_(taken.error());
                // Tried again with the next commit, and not at once: what is wrong with a disk is seldom over in a moment.
                std::unique_lock lock{mutex_};
                wake_.wait_for(lock, std::chrono::seconds{1}, [&] { return stopping_; });
                more_ = true;
                break;
            }
            if (*taken == 0) break;
        }
    }
}

/// A question that failed: where it met damage, the thread that feeds the views builds them again.
std::string ViewsHistory::met(const std::string& trouble) {
    say_(trouble);
    if (views_->damaged()) wake();
    return trouble;
}

Result<std::vector<api::JobSummary>, std::string> ViewsHistory::list_jobs(const api::HistoryQuery& query) {
    const auto rows = views_->jobs({query.projects, query.state, query.before, query.limit, query.submitter, query.site});
    if (!rows) return fail(met(rows.error()));
    std::vector<api::JobSummary> jobs;
    for (const auto& row : *rows) fill(row, jobs.emplace_back());
    return jobs;
}

Result<std::optional<api::FinishedJob>, std::string> ViewsHistory::job(JobId id) {
    auto found = views_->job(id);
    if (!found) return fail(met(found.error()));
    auto& row = *found;
    if (!row) return std::optional<api::FinishedJob>{};
    api::FinishedJob finished;
    fill(*row, finished.job);
    finished.job.spec = std::move(row->spec);
    finished.job.placement = std::move(row->placement);
    if (!row->moved.empty()) finished.job.moves = std::move(row->moved);
    finished.bill = std::move(row->bill);
    finished.paid = std::move(row->paid);
    return std::optional{std::move(finished)};
}

Result<std::optional<api::VoucherView>, std::string> ViewsHistory::voucher(VoucherId id) {
    const auto row = WEIR_TRY(views_->voucher(id));
    if (!row) return std::optional<api::VoucherView>{};
    return api::VoucherView{row->voucher, {}, row->redeemed, {}, row->expired, row->ended_at};
}

namespace {

/// Transfers of these codes are booked for a job, and their cause is its id.
std::optional<JobId> job_of(const views::TransferRow& row) {
    constexpr std::array codes{"hold", "redeem", "release", "lapse", "charge", "pay_subsidy"};
    const auto uid = parse_uid(row.cause);
    return uid && std::ranges::find(codes, row.code) != codes.end() ? std::optional{JobId{*uid}} : std::nullopt;
}

}  // namespace

Result<std::vector<api::TransferView>, std::string> ViewsHistory::transfers(const std::string& account, const api::StatementQuery& query) {
    const auto rows = views_->transfers(account, {query.before, query.before_id, query.limit});
    if (!rows) return fail(met(rows.error()));
    std::vector<api::TransferView> transfers;
    for (const auto& row : *rows) {
        transfers.push_back({row.id, row.at, row.code, row.debited ? row.amount : 0, row.debited ? 0 : row.amount, row.other, {},
                             job_of(row), row.revision});
    }
    return transfers;
}

Result<api::Earnings, std::string> ViewsHistory::earnings(const SiteName& site, const api::StatementQuery& query) {
    const auto found = views_->earnings(site, {query.before, query.before_id, query.limit});
    if (!found) return fail(met(found.error()));
    api::Earnings told;
    told.statement.jobs = found->jobs;
    told.statement.used = found->total.used;
    told.statement.lost = found->total.lost;
    told.statement.earned = found->total.earned;
    for (const auto& row : found->rows) {
        told.statement.items.push_back({row.job, row.finished_at, row.used, row.lost, row.earned});
        told.last = row.revision;
    }
    return told;
}

}  // namespace weir::server
