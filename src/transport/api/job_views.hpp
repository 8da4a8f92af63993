// transport/api/job_views.hpp: jobs of the state as the API shows them.
#pragma once

#include "control/core/core.hpp"
#include "transport/api/words.hpp"

#include <optional>

namespace weir::api {

/// What a job's spec and placement tell of it, live or not.
void fill(JobSummary& view, const JobSpec& spec, const std::optional<Placement>& placement);
[[nodiscard]] JobSummary summary_of(const control::LiveJob& job);
[[nodiscard]] JobDetail detail_of(const control::LiveJob& job, std::uint64_t revision);
/// A job that has left: all that the core remembers of it.
[[nodiscard]] JobSummary summary_of(JobId id, const control::Tombstone& gone);
/// What is owed so far, as if the job ended well at `now`.
[[nodiscard]] BillView bill_of(const control::Core& core, const control::LiveJob& job, Instant now);
/// Why the job is where it is: a waiting job has at least one reason. `for_operations` adds the operator's form.
[[nodiscard]] WhyView why_of(const control::Core& core, const control::LiveJob& job, bool for_operations, Instant now);

}  // namespace weir::api
