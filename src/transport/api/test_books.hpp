// transport/api/test_books.hpp: views of one account and one site, three lines each, for tests.
//
// They answer one question: what does the API make of books that the core does not have? Whatever is asked for has the same three lines.
#pragma once

#include "transport/api/history.hpp"

#include <fmt/format.h>

namespace weir::api::test {

class Books final : public History {
public:
    [[nodiscard]] std::uint64_t watermark() const override { return 7; }
    Result<std::vector<JobSummary>, std::string> list_jobs(const HistoryQuery&) override { return std::vector<JobSummary>{}; }
    Result<std::optional<FinishedJob>, std::string> job(JobId) override { return std::optional<FinishedJob>{}; }
    Result<std::optional<VoucherView>, std::string> voucher(VoucherId) override { return std::optional<VoucherView>{}; }
    Result<std::vector<TransferView>, std::string> transfers(const std::string& account, const StatementQuery& query) override {
        std::vector<TransferView> rows;
        for (std::uint64_t revision = 3; revision > 0 && rows.size() < query.limit; --revision) {
            const auto id = fmt::format("trf-{}", revision);
            if (revision < query.before || (revision == query.before && id < query.before_id))
                rows.push_back({id, Instant{5}, "top_up", 0, 100, account, {}, {}, revision});
        }
        return rows;
    }
    Result<Earnings, std::string> earnings(const SiteName&, const StatementQuery& query) override {
        Earnings told;
        told.statement.jobs = 3;
        told.statement.earned = Fen{600};
        for (std::uint64_t revision = 3; revision > 0 && told.statement.items.size() < query.limit; --revision) {
            if (revision >= query.before) continue;
            told.statement.items.push_back({*JobId::parse("job-01kaj3y0000000000000000000"), {}, {}, {}, Fen{200}});
            told.last = revision;
        }
        return told;
    }
};

}  // namespace weir::api::test
