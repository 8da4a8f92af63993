// Jobs as lists, newest first: live ones from the reader, finished ones from the views, merged by id.
#include "transport/api/context.hpp"
#include "transport/api/job_views.hpp"

#include <boost/describe/enum_from_string.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace weir::api {
namespace {

using control::Refusal;
using control::State;

constexpr std::array<std::string_view, 11> state_words{"queued",    "placed", "starting",  "running", "checkpointing", "moving",
                                                       "succeeded", "failed", "cancelled", "live",    "finished"};

struct Filter {
    std::string state;                                  ///< A word of state_words, or empty.
    std::optional<ProjectName> project;
    std::optional<JobId> before;
    std::size_t limit = 100;
    std::optional<SubjectName> submitter;
    std::optional<SiteName> site;                       ///< Where it runs, or ran last.

    [[nodiscard]] std::optional<JobState> one() const {
        JobState wanted{};
        return boost::describe::enum_from_string(state.c_str(), wanted) ? std::optional{wanted} : std::nullopt;
    }
    [[nodiscard]] bool wants_live() const { return state.empty() || state == "live" || (one() && !is_final(*one())); }
    [[nodiscard]] bool wants(const JobSummary& job) const {
        return (!submitter || job.submitter == *submitter) && (!site || job.site == *site);
    }
    [[nodiscard]] bool wants_finished() const { return state.empty() || state == "finished" || (one() && is_final(*one())); }
};

Filter filter_of(const http::Request& request) {
    Filter filter;
    filter.state = std::string{word(request, "state")};
    if (const auto project = word(request, "project"); !project.empty()) filter.project = ProjectName{std::string{project}};
    if (const auto submitter = word(request, "submitter"); !submitter.empty()) filter.submitter = SubjectName{std::string{submitter}};
    if (const auto site = word(request, "site"); !site.empty()) filter.site = SiteName{std::string{site}};
    if (const auto cursor = from_cursor(request)) filter.before = JobId::parse(*cursor);
    filter.limit = page_limit(request);
    return filter;
}

/// Jobs by falling id. Where the look ended before the list did, `stopped_at` is the last id looked at.
struct Part {
    std::vector<JobSummary> jobs;
    std::optional<JobId> stopped_at;
};

template <class Jobs, class Take>
Part newest(const Jobs& jobs, const Filter& filter, Take&& take) {
    Part part;
    auto at = filter.before ? jobs.lower_bound(*filter.before) : jobs.end();
    for (std::size_t looked_at = 0; at != jobs.begin(); ++looked_at) {
        if (part.jobs.size() == filter.limit || looked_at == looked_at_max) {
            part.stopped_at = at->first;
            break;
        }
        --at;
        if (auto job = take(at->first, at->second); job && filter.wants(*job)) part.jobs.push_back(std::move(*job));
    }
    return part;
}

/// What the core gives of a page.
struct FromCore {
    Part live;
    Part gone;                                          ///< Outcomes that it remembers; only where there are no views.
    std::optional<std::vector<ProjectName>> projects;   ///< For the views: absent for who sees all.
    std::uint64_t revision = 0;
};

Result<FromCore, Refusal> ask_core(const State& state, const control::Actor& actor, const Filter& filter, bool has_views) {
    if (filter.project && !control::may_see(state, actor, *filter.project)) {
        return fail(
            not_found(fmt::format("project {} is not known here; list yours with: weir project list", filter.project->value), "project"));
    }
    const bool sees_all = control::permit(state, actor, control::Action::see_project).has_value();
    FromCore found;
    found.revision = state.revision;
    if (filter.project || !sees_all) {
        found.projects.emplace();
        for (const auto& [name, project] : state.projects) {
            if (filter.project ? name == *filter.project : control::may_see(state, actor, name)) found.projects->push_back(name);
        }
    }
    const auto seen = [&](const ProjectName& project) { return !found.projects || std::ranges::binary_search(*found.projects, project); };
    const auto one = filter.one();
    if (filter.wants_live()) {
        found.live = newest(state.jobs, filter, [&](JobId, const control::LiveJob& job) {
            return seen(job.project) && (!one || job.state == *one) ? std::optional{summary_of(job)} : std::nullopt;
        });
    }
    if (filter.wants_finished() && !has_views) {
        found.gone = newest(state.finished, filter, [&](JobId id, const control::Tombstone& gone) {
            return seen(gone.project) && (!one || gone.outcome == *one) ? std::optional{summary_of(id, gone)} : std::nullopt;
        });
    }
    return found;
}

/// The newest of both parts, down to where either stopped looking.
Page<JobSummary> merge(const http::Request& request, const Filter& filter, Part live, Part finished, std::uint64_t revision) {
    Page<JobSummary> page{{}, {}, revision};
    std::optional<JobId> floor;
    for (const auto* part : {&live, &finished}) {
        if (part->stopped_at) floor = floor ? std::max(*floor, *part->stopped_at) : *part->stopped_at;
    }
    std::ranges::merge(live.jobs, finished.jobs, std::back_inserter(page.items), std::greater<>{}, &JobSummary::id, &JobSummary::id);
    // A job that ended between the two questions is in both: the finished one, which comes second, tells more.
    std::vector<JobSummary> once;
    for (auto& job : page.items) {
        if (floor && job.id < *floor) break;
        if (!once.empty() && once.back().id == job.id) {
            once.back() = std::move(job);
        } else {
            once.push_back(std::move(job));
        }
    }
    page.items = std::move(once);
    if (page.items.size() > filter.limit) {
        page.items.resize(filter.limit);
        floor = page.items.back().id;
    }
    if (floor) page.next_cursor = cursor_of(request, floor->text());
    return page;
}

http::Response answer(Context& context, const http::Request& request, const Filter& filter, FromCore found) {
    auto finished = std::move(found.gone);
    std::uint64_t views = 0;
    if (context.world.history != nullptr && filter.wants_finished()) {
        views = context.world.history->watermark();
        auto told = context.world.history->list_jobs(
            {found.projects, filter.one(), filter.before, filter.limit, filter.submitter, filter.site});
        if (!told)
            return refuse(503, "history_unavailable", fmt::format("finished jobs cannot be read now: {}; ask again", told.error()),
                          request.target);
        finished.jobs = std::move(*told);
        if (finished.jobs.size() == filter.limit) finished.stopped_at = finished.jobs.back().id;
    }
    const auto page = merge(request, filter, std::move(found.live), std::move(finished), found.revision);
    return show(codec::to_json(page), found.revision, request, views);
}

void list_jobs(Context& context, http::Request request, http::Reply reply) {
    const auto filter = filter_of(request);
    const auto now = context.world.wall();
    const bool has_views = context.world.history != nullptr;
    auto found = context.world.reader.ask([&](const control::Core& core) -> Result<FromCore, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        return ask_core(core.state, actor, filter, has_views);
    });
    if (!found) return reply(refuse(found.error(), request.target));
    if (!has_views || !filter.wants_finished()) return reply(answer(context, request, filter, std::move(*found)));
    later(context, std::move(request), std::move(reply), [&context, filter, found = std::move(*found)](const http::Request& again) mutable {
        return answer(context, again, filter, std::move(found));
    });
}

}  // namespace

std::vector<Endpoint> job_list_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = http::Method::get,
         .pattern = "/v1/jobs",
         .name = "list_jobs",
         .summary = "Jobs that one may see, newest first; a page can be short and still have a next",
         .query = {{.name = "project", .doc = "only of this one"},
                   {.name = "state", .kind = Parameter::Kind::word, .doc = "a state, or live, or finished", .words = state_words},
                   {.name = "submitter", .doc = "only of this subject"},
                   {.name = "site", .doc = "only what runs there, or ran there last"},
                   limit_parameter,
                   cursor_parameter,
                   min_revision_parameter},
         .answer = schema_of<Page<JobSummary>>,
         .problems = {404},
         .handler = [&context](http::Request asked, http::Reply answer_to) {
             when_shown(context, std::move(asked), std::move(answer_to),
                        [&context](http::Request request, http::Reply reply) { list_jobs(context, std::move(request), std::move(reply)); });
         }});
    return endpoints;
}

}  // namespace weir::api
