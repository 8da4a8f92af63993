// apps/server/history_views.hpp: the SQL views as the API's history, and the thread that keeps them behind the journal.
#pragma once

#include "adapters/views_sql/views.hpp"
#include "control/reader.hpp"
#include "ports/journal.hpp"
#include "transport/api/history.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weir::server {

class ViewsHistory final : public api::History {
public:
    /// Follows `reader`; what that no longer keeps is read from `journal`, which is this object's alone.
    ViewsHistory(std::unique_ptr<views::Views> views, const control::Reader& reader, std::unique_ptr<ports::JournalReader> journal,
                 std::function<void(const std::string&)> say);
    ~ViewsHistory() override;

    /// There is more to take in; from any thread.
    void wake();

    [[nodiscard]] std::uint64_t watermark() const override { return watermark_; }
    [[nodiscard]] Result<std::vector<api::JobSummary>, std::string> list_jobs(const api::HistoryQuery& query) override;
    [[nodiscard]] Result<std::optional<api::FinishedJob>, std::string> job(JobId id) override;
    [[nodiscard]] Result<std::optional<api::VoucherView>, std::string> voucher(VoucherId id) override;
    [[nodiscard]] Result<std::vector<api::TransferView>, std::string> transfers(const std::string& account,
                                                                                const api::StatementQuery& query) override;
    [[nodiscard]] Result<api::Earnings, std::string> earnings(const SiteName& site, const api::StatementQuery& query) override;

private:
    void trail();
    /// Takes in some of what is new; how many entries.
    [[nodiscard]] Result<std::uint64_t, std::string> take_some();
    [[nodiscard]] std::string met(const std::string& trouble);

    std::unique_ptr<views::Views> views_;
    const control::Reader& reader_;
    std::unique_ptr<ports::JournalReader> journal_;
    std::function<void(const std::string&)> say_;
    std::atomic<std::uint64_t> watermark_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool more_ = true;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::server
