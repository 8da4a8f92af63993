// control/core/funding_book.hpp: what the scheduler was told of money, kept so that the same question is not answered twice.
//
// All of it is derived from the state and no answer depends on it. A memory of answers is thrown away whenever a site, a programme, a
// voucher or an organisation changes, since any of them may change any answer.
#pragma once

#include "base/time.hpp"
#include "domain/names.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::control {

/// All that the funding answers of a job depend on beside sites, programmes, vouchers and organisations.
struct FundingQuestion {
    OrganisationName organisation;
    std::vector<std::pair<std::string, std::int64_t>> models;  ///< With milli-cards per node, in the job's order.
    std::int64_t nodes = 0;
    std::int64_t max_duration_s = 0;
    std::int64_t budget_fen = 0;  ///< 0: none.
    std::vector<std::pair<std::optional<VoucherId>, std::int64_t>> sources;  ///< With the fen that each holds back.
    std::vector<std::int64_t> left;  ///< Of a job that ran before: what it can still spend of each, and of its budget.
    std::optional<Instant> at;    ///< Set where a voucher would end before the run could: then the moment matters.
    friend auto operator<=>(const FundingQuestion&, const FundingQuestion&) = default;
};

struct FundingBook {
    static constexpr std::size_t remembered_max = 4096;

    std::map<FundingQuestion, std::string> remembered;   ///< Key of the answers; each holds its key as a waiting job does.
    std::map<std::string, std::uint64_t> users;          ///< How many share a key that the scheduler knows.
    std::map<VoucherId, std::set<JobId>> waiters;        ///< Waiting jobs that name the voucher.
    std::set<std::pair<Instant, JobId>> ends;            ///< The last moment at which the answers of a waiting job hold.
    std::map<JobId, Instant> end_of;                     ///< The same by job.
};

}  // namespace weir::control
