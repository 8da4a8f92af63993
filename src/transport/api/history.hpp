// transport/api/history.hpp: what has left the core, as the views tell it.
//
// It answers: which jobs and vouchers are over, and what became of them? The views trail the journal by a moment; `watermark` says by how
// much. Calls may block; the API makes them on a thread of its own, one at a time. Who may see what is the API's business.
#pragma once

#include "base/result.hpp"
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
};

/// A finished job with its final bill.
struct FinishedJob {
    JobDetail job;
    std::vector<BillLine> bill;
    std::vector<BillPart> paid;
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
};

}  // namespace weir::api
