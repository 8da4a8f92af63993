// transport/api/estimate_views.hpp: where, when and for how much a job would run, before and after it is submitted.
#pragma once

#include "transport/api/job_views.hpp"

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <vector>

namespace weir::api {

/// When and where a job begins and ends, as far as that can be told today: an estimate and no promise.
struct EtaView {
    JobId job;
    JobState state = JobState::queued;
    std::optional<Instant> starts_at;
    std::optional<Instant> ends_at;
    std::optional<SiteName> site;
    std::optional<std::string> model;
    bool emulated = false;        ///< The site declares such cards and does not have them.
    std::string text;
    Instant as_of;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc =
        "An estimate: the scheduler's own plans, played on as if each running job ended when it said it would (without an "
        "estimated_duration when it must), nothing failed, and nobody submitted or cancelled anything. Times are absent where no place is "
        "found within the time that is looked at; `text` says why.";
};
BOOST_DESCRIBE_STRUCT(EtaView, (), (job, state, starts_at, ends_at, site, model, emulated, text, as_of, revision))

/// What one source would pay of a run.
struct PartView {
    std::string source;
    std::int64_t per_mille = 0;
    Fen amount;
};
BOOST_DESCRIBE_STRUCT(PartView, (), (source, per_mille, amount))

/// A site where the job may run and be paid.
struct PlaceView {
    SiteName site;
    std::string model;
    bool emulated = false;        ///< The site declares such cards and does not have them.
    Fen fen_per_card_hour;
    Fen cost_expected;            ///< Of its estimated_duration; without one, of max_duration.
    Fen cost_max;                 ///< Of max_duration and the grace in which it is stopped, or its budget.
    std::vector<PartView> parts;  ///< Of cost_max.
    std::vector<ClauseView> clauses;
};
BOOST_DESCRIBE_STRUCT(PlaceView, (), (site, model, emulated, fen_per_card_hour, cost_expected, cost_max, parts, clauses))

/// What would follow if the job were submitted now.
struct EstimateView {
    ProjectName project;
    std::vector<PartView> holds;          ///< What would be held of each source.
    Fen held_fen;
    std::vector<PlaceView> places;        ///< By what they cost.
    std::optional<Instant> starts_at;
    std::optional<Instant> ends_at;
    std::optional<SiteName> site;         ///< Where it would begin.
    std::optional<std::string> model;
    bool emulated = false;
    std::optional<Fen> cost_expected;     ///< There.
    std::string text;
    std::vector<WhyReason> warnings;
    Instant as_of;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc =
        "What would follow if the job were submitted now; nothing is kept of it. A job that would be refused is refused here in the same "
        "words. Times are an estimate, as those of GET /v1/jobs/{job}/eta.";
};
BOOST_DESCRIBE_STRUCT(EstimateView, (),
                      (project, holds, held_fen, places, starts_at, ends_at, site, model, emulated, cost_expected, text, warnings,
                       as_of, revision))

}  // namespace weir::api
