// sim/checks.hpp: the laws as a jury that hears every durable entry and knows what really ran.
#pragma once

#include "control/core/core.hpp"
#include "control/entry.hpp"
#include "probes.hpp"
#include "server.hpp"
#include "site.hpp"
#include "timeline.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace weir::sim {

class Jury final : public Truth {
public:
    Jury(const Timeline& timeline, Probes& probes, bool trace) : timeline_{timeline}, probes_{probes}, trace_{trace} {}

    // ---- what it is told
    void task_began(JobId job, std::uint32_t generation, const SiteName& site) override;
    void task_ended(JobId job, std::uint32_t generation, const SiteName& site, Duration ran) override;
    void entry(const control::Entry& entry);
    void acknowledged(JobId job) { acknowledged_.insert(job); }
    /// Somebody was told that the job is cancelled.
    void cancelled(JobId job) { cancelled_.insert(job); }

    // ---- what it asks
    /// Cheap questions, after every step.
    void look(const Server& server);
    /// Dear ones, now and then, and in some cities after every step: rebuilt from scratch, both instances, the whole ledger, every wait has
    /// a reason.
    void look_closely(const Server& server);
    /// At the end, when nothing is wrong any more: nothing waits that could run, nothing is held for nobody.
    void look_at_rest(const Server& server);

    [[nodiscard]] const std::string& verdict() const { return verdict_; }
    [[nodiscard]] std::uint64_t entries() const { return entries_; }
    [[nodiscard]] std::uint64_t finished() const { return finished_.size(); }
    [[nodiscard]] std::uint64_t acknowledged_count() const { return acknowledged_.size(); }

private:
    void break_law(std::string what);
    void placed(const control::JobPlaced& placed, Instant at);
    void number(JobId job, std::uint32_t generation);
    void promised(JobId job, const std::optional<std::vector<SourceShare>>& shares, Instant at);
    void reserved(const control::JobMoveReserved& reserved);
    void moved(const control::JobMoved& moved, Instant at);
    void metered(const control::TaskMetered& meter);
    void finished(const control::JobFinished& finished);
    void metered_whole(JobId job);
    void paid(const control::JobFinished& finished);
    void occupy(JobId job, std::uint32_t generation, std::int64_t sign);
    void compare_with_scratch(control::Core& mine);
    void compare_with_bills(const control::State& state);

    const Timeline& timeline_;
    Probes& probes_;
    bool trace_;
    std::string verdict_;
    std::uint64_t entries_ = 0;
    Instant last_at_;
    std::uint64_t last_revision_ = 0;
    std::map<JobId, std::set<std::uint32_t>> running_;
    std::map<std::pair<JobId, std::uint32_t>, std::int64_t> ran_ms_;      ///< Of a generation, all of its ended tasks.
    std::map<JobId, SiteName> last_site_;
    std::map<JobId, std::uint32_t> placed_;    ///< Of the present generation, or the last.
    std::map<JobId, std::uint32_t> numbered_;  ///< The last number that a place was given.
    std::map<JobId, JobSpec> specs_;
    std::map<std::pair<JobId, std::uint32_t>, Placement> placements_;
    std::map<std::tuple<SiteName, NodeName, std::int64_t>, std::int64_t> in_use_;  ///< Thousandths of a card by what really runs there.
    std::map<VoucherId, Instant> voucher_ends_;
    /// What a voucher may pay of a job at most, in milli-card-seconds times fen an hour: its use within the validity.
    std::map<std::pair<JobId, VoucherId>, std::int64_t> timely_;
    std::map<JobId, std::int64_t> metered_;   ///< Milli-card-seconds of a job, all that counted or was lost.
    std::map<std::optional<VoucherId>, Fen> captured_;  ///< What bills took of a voucher, or of prepaid money.
    std::set<JobId> finished_;
    std::set<JobId> acknowledged_;
    std::set<JobId> cancelled_;
    std::set<JobId> given_up_;  ///< Whose present start was given up.
    std::map<std::tuple<JobId, std::uint32_t, std::uint32_t>, std::int64_t> metered_to_;
    std::map<std::tuple<JobId, std::uint32_t, std::uint32_t>, std::int64_t> metered_s_;
    std::map<std::tuple<JobId, std::uint32_t, std::uint32_t>, MilliCardSeconds> counted_;
    std::map<std::tuple<JobId, std::uint32_t, std::uint32_t>, Instant> metered_at_;
    std::map<std::pair<JobId, std::uint32_t>, Instant> placed_at_;
};

}  // namespace weir::sim
