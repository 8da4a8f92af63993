// control/core/desired_log.hpp: the latest changes of what should run at one site, by revision.
//
// It answers one question: which jobs changed there after revision r? What their tasks look like now is the state's. A job stands here
// once, with its latest change; the oldest changes go where there are too many, and then `known_from` says since when all are known.
#pragma once

#include "base/sha256.hpp"
#include "domain/job.hpp"

#include <cstddef>
#include <cstdint>
#include <map>

namespace weir::control {

class DesiredLog {
public:
    static constexpr std::size_t changes_max = 4096;

    /// `revision` is later than that of every change before.
    void note(JobId job, std::uint64_t revision) {
        auto& latest = latest_[job];
        if (latest != 0) changes_.erase(latest);
        latest = revision;
        last_ = revision;
        changes_.emplace(revision, job);
        if (changes_.size() <= changes_max) return;
        const auto oldest = changes_.begin();
        known_from_ = oldest->first;
        latest_.erase(oldest->second);
        changes_.erase(oldest);
    }

    [[nodiscard]] const std::map<std::uint64_t, JobId>& changes() const { return changes_; }
    [[nodiscard]] std::uint64_t last() const { return last_; }              ///< Revision of the last change; 0: none is known.
    [[nodiscard]] std::uint64_t known_from() const { return known_from_; }  ///< All changes after it are here.

    Digest digest;       ///< Of what should run at the site now, or stop (domain/desired_list.hpp).
    Digest places_held;  ///< Of what is to be prepared there.

private:
    std::map<std::uint64_t, JobId> changes_;
    std::map<JobId, std::uint64_t> latest_;
    std::uint64_t last_ = 0;
    std::uint64_t known_from_ = 0;
};

}  // namespace weir::control
