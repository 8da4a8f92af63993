// transport/api/job_views.hpp: jobs of the state as the API shows them.
#pragma once

#include "control/core/core.hpp"
#include "transport/api/words.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::api {

/// The answer to a single submission.
struct JobMade {
    std::string id;
    bool repeated = false;
    std::uint64_t revision = 0;
    std::optional<std::vector<WhyReason>> warnings;   ///< Absent where there is nothing to say.
    static constexpr std::string_view doc =
        "The job that was taken, or was there already (repeated). `warnings`: why no site could ever run it as the network is now; it "
        "waits all the same, for sites and quotas may come.";
};
BOOST_DESCRIBE_STRUCT(JobMade, (), (id, repeated, revision, warnings))

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

/// Why the network as it is could never run such a job, were it empty and healthy: the first few reasons; none where it could.
[[nodiscard]] std::vector<WhyReason> why_never(const control::Core& core, const ProjectName& project, const Frozen<JobSpec>& spec);
/// The vouchers that a job names and that would pay nothing of it, as warnings.
[[nodiscard]] std::vector<WhyReason> unused_funding(const control::Core& core, const ProjectName& project, const JobSpec& spec,
                                                    Instant now);

}  // namespace weir::api
