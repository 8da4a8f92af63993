// transport/api/old_jobs.hpp: whose were the jobs that an old watch meets in the journal?
//
// The core forgets a job two days after its end, and its events belong to its project all the same. What the journal itself tells of
// its submission is remembered, up to a bound; beyond that the views are asked.
#pragma once

#include "domain/names.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace weir::api {

class OldJobs {
public:
    /// Of a job that the core had forgotten at this revision: views that have come so far know it. Answers with no name for one that
    /// nobody remembers, and with nothing where that cannot be told now. It may block.
    using Ask = std::function<std::optional<ProjectName>(const JobId&, std::uint64_t forgotten_at)>;

    OldJobs(Ask ask, std::size_t most) : ask_{std::move(ask)}, most_{most} {}

    void learn(const JobId& job, const ProjectName& project) { remember(job, project); }
    /// Without asking; nothing where it is not remembered here.
    [[nodiscard]] std::optional<ProjectName> known(const JobId& job) const {
        const auto found = projects_.find(job);
        return found == projects_.end() ? std::nullopt : std::optional{found->second};
    }
    /// Nothing where it cannot be told now; ask again. `head` is the revision at which the core did not know it any more.
    [[nodiscard]] std::optional<ProjectName> project_of(const JobId& job, std::uint64_t head) {
        if (auto project = known(job)) return project;
        // The views follow the head and never reach it while much happens: what they must have come to is where it was at first.
        const auto waiting = waiting_.try_emplace(job, head).first;
        auto project = ask_(job, waiting->second);
        if (project) waiting_.erase(waiting);
        if (project && !project->empty()) remember(job, *project);
        return project;
    }
    void clear() {
        projects_.clear();
        waiting_.clear();
    }

private:
    void remember(const JobId& job, const ProjectName& project) {
        // Beginning anew costs one question for each job that is met again; which of them those are is not known.
        if (projects_.size() >= most_) projects_.clear();
        projects_.insert_or_assign(job, project);
    }

    Ask ask_;
    std::size_t most_;
    std::map<JobId, ProjectName> projects_;
    std::map<JobId, std::uint64_t>
        waiting_;  ///< For the views to come so far: at most as many as a window has lines for each place of a watch.
};

}  // namespace weir::api
