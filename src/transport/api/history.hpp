// transport/api/history.hpp: what has left the core, as the views tell it.
//
// It answers: which jobs and vouchers are over, and what became of them? What was booked, and what has a site earned? The views trail the
// journal by a moment; `watermark` says by how much. Calls may come from several threads and may block; the API makes them on
// threads of its own. Who may see what is the API's business.
#pragma once

#include "base/result.hpp"
#include "transport/api/ledger_words.hpp"
#include "transport/api/words.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::api {

struct HistoryQuery {
    std::optional<std::vector<ProjectName>> projects;  ///< Absent: of every project.
    std::optional<JobState> state;                     ///< One of the final ones.
    std::optional<JobId> before;                       ///< Only ids below this one.
    std::size_t limit = 100;
    std::optional<SubjectName> submitter{};
    std::optional<SiteName> site{};                    ///< Where it ran last.
};

/// A finished job with its final bill.
struct FinishedJob {
    JobDetail job;
    std::vector<BillLine> bill;
    std::vector<BillPart> paid;
};

/// A page of what was booked, by falling revision.
struct StatementQuery {
    std::uint64_t before = UINT64_MAX;   ///< Only revisions below this one, or of it with an id below `before_id`.
    std::string before_id{};
    std::size_t limit = 100;
};

/// Totals and a page of a site, without its name and owner; `last` is the revision of the page's last line.
struct Earnings {
    SiteStatement statement;
    std::uint64_t last = 0;
};

class History {
public:
    History() = default;
    History(const History&) = delete;
    History& operator=(const History&) = delete;
    virtual ~History() = default;

    /// The last revision that the views have taken in. Never blocks.
    [[nodiscard]] virtual std::uint64_t watermark() const = 0;
    /// Finished jobs by falling id, at most query.limit. The error is for an operator.
    [[nodiscard]] virtual Result<std::vector<JobSummary>, std::string> list_jobs(const HistoryQuery& query) = 0;
    [[nodiscard]] virtual Result<std::optional<FinishedJob>, std::string> job(JobId id) = 0;
    /// A voucher that has ended, with its final figures.
    [[nodiscard]] virtual Result<std::optional<VoucherView>, std::string> voucher(VoucherId id) = 0;
    /// What was moved on an account, holds excepted; without the names of the other accounts.
    [[nodiscard]] virtual Result<std::vector<TransferView>, std::string> transfers(const std::string& account,
                                                                                   const StatementQuery& query) = 0;
    [[nodiscard]] virtual Result<Earnings, std::string> earnings(const SiteName& site, const StatementQuery& query) = 0;
};

}  // namespace weir::api
