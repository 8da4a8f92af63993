// apps/server/history_views.hpp: the SQL views as the API's history, and the thread that keeps them behind the journal.
#pragma once

#include "adapters/views_sql/views.hpp"
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
    /// `journal` is this object's alone to read.
    ViewsHistory(std::unique_ptr<views::Views> views, std::unique_ptr<ports::JournalReader> journal,
                 std::function<void(const std::string&)> say);
    ~ViewsHistory() override;

    /// There is more to take in; from any thread.
    void wake();

    [[nodiscard]] std::uint64_t watermark() const override { return watermark_; }
    [[nodiscard]] Result<std::vector<api::JobSummary>, std::string> list_jobs(const api::HistoryQuery& query) override;
    [[nodiscard]] Result<std::optional<api::FinishedJob>, std::string> job(JobId id) override;

private:
    void trail();

    std::unique_ptr<views::Views> views_;
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
