// Where, when and for how much: of a job that waits, and of one that is not submitted yet. The answers are made by the code that decides
// and plans, on a copy of its facts; playing on takes time, so they come from the worker's thread.
#include "control/core/quotes.hpp"
#include "control/core/settle.hpp"
#include "control/forecast.hpp"
#include "transport/api/context.hpp"
#include "transport/api/estimate_views.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <variant>

namespace weir::api {
namespace {

/// Whether cards of the model are declared at the site, and not there.
bool is_emulated(const control::State& state, const SiteName& site, const std::string& model) {
    const auto found = state.sites.find(site);
    return found != state.sites.end() && std::ranges::any_of(found->second.nodes, [&](const auto& entry) {
        return std::ranges::any_of(entry.second.cards, [&](const CardGroup& group) { return group.model == model && group.emulated; });
    });
}

using control::Actor;
using control::Forecast;
using control::ForecastFacts;
using control::Refusal;
using control::RefusalCode;

/// Beyond so many live jobs nothing is played on: the facts are copied while nobody else can ask or be answered.
constexpr std::size_t jobs_played_max = 20'000;
/// A forecast is good for so long, to all who ask.
constexpr Duration good_for = seconds(2);

Refusal unknown_job(std::string_view text) {
    return not_found(fmt::format("{} is not known here; list yours with: weir job list", text), "job");
}

std::string too_many(std::size_t jobs) {
    return fmt::format("{} jobs wait or run, and with more than {} no start is estimated", jobs, jobs_played_max);
}

std::string horizon_text(const control::ForecastLimits& limits) {
    return fmt::format("it finds no place within {} or the first {} jobs; why: weir job why", format_duration(limits.horizon),
                       limits.placements_max);
}

/// The newest forecast, made again when somebody asks for a later one.
class Forecasts {
public:
    /// That knows all that was so at `revision`; nothing where too many jobs are live.
    std::shared_ptr<const Forecast> known(Context& context, std::uint64_t revision) {
        const std::lock_guard lock{mutex_};
        const auto now = context.world.steady();
        if (last_ && now < good_until_ && revision <= revision_) return last_;
        auto facts = context.world.reader.ask([&](const control::Core& core) -> std::optional<ForecastFacts> {
            revision_ = core.state.revision;
            if (core.state.jobs.size() > jobs_played_max) return std::nullopt;
            return control::forecast_facts(core, context.world.wall());
        });
        if (!facts) return nullptr;
        last_ = std::make_shared<const Forecast>(control::forecast(std::move(*facts)));
        good_until_ = context.world.steady() + good_for;
        return last_;
    }

private:
    std::mutex mutex_;
    std::shared_ptr<const Forecast> last_;
    std::uint64_t revision_ = 0;
    Instant good_until_;
};

// ---- of a job that is there

/// What the state says of it; the revision at which it began to wait, where it does.
struct Standing {
    EtaView view;
    bool waits = false;
    std::size_t live = 0;
};

Result<Standing, Refusal> standing_of(Context& context, const http::Request& request) {
    const auto now = context.world.wall();
    const auto text = request.parameter("job");
    return context.world.reader.ask([&](const control::Core& core) -> Result<Standing, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        const auto id = JobId::parse(text);
        if (!id) return fail(unknown_job(text));
        const auto gone = core.state.finished.find(*id);
        if (gone != core.state.finished.end() && control::may_see(core.state, actor, gone->second.project)) {
            return fail(Refusal{RefusalCode::already_finished,
                                fmt::format("{} has {} at {}", id->text(), codec::name_of(gone->second.outcome),
                                            format_utc(gone->second.finished_at)),
                                "job",
                                {}});
        }
        const auto found = core.state.jobs.find(*id);
        if (found == core.state.jobs.end() || !control::may_see(core.state, actor, found->second.project)) return fail(unknown_job(text));
        const auto& job = found->second;
        Standing standing;
        standing.view.job = *id;
        standing.view.state = job.state;
        standing.view.as_of = now;
        standing.view.revision = core.state.revision;
        standing.waits = !job.placement;
        standing.live = core.state.jobs.size();
        if (job.placement) {
            standing.view.site = job.placement->site;
            standing.view.model = job.placement->model;
            standing.view.emulated = job.placement->emulated;
            standing.view.starts_at = job.started_at.value_or(job.since);
            standing.view.ends_at = control::expected_end(job, now);
            standing.view.text = job.spec->estimated_duration ? "it has its place, and ends as it estimates or when it must"
                                                              : "it has its place, and ends at the latest when it must; with an "
                                                                "estimated_duration more could be said";
        }
        return standing;
    });
}

http::Response eta(Context& context, Forecasts& forecasts, const http::Request& request) {
    auto standing = standing_of(context, request);
    if (!standing) return refuse(standing.error(), request.target);
    auto& view = standing->view;
    if (standing->waits) {
        const auto known = forecasts.known(context, view.revision);
        const auto start = known ? known->starts.find(view.job.uid) : decltype(known->starts.end()){};
        if (!known) {
            view.text = too_many(standing->live);
        } else if (start == known->starts.end()) {
            view.text = horizon_text({});
        } else {
            view.starts_at = start->second.starts_at;
            view.ends_at = start->second.ends_at;
            view.site = SiteName{start->second.site};
            view.model = start->second.model;
            view.emulated = context.world.reader.ask(
                [&](const control::Core& core) { return is_emulated(core.state, *view.site, *view.model); });
            view.as_of = known->as_of;
            view.text = "an estimate: if what runs ends as it says, nothing fails, and nobody submits anything before it";
        }
    }
    return show(codec::to_json(view), view.revision, request);
}

// ---- of a job that is not

/// What decides would say of a submission, and all that playing on needs.
struct Tried {
    EstimateView view;
    std::optional<ForecastFacts> facts;
    Uid job;
    std::size_t live = 0;
};

std::string source_text(const FundingSource& source) { return source.voucher ? source.voucher->text() : std::string{"prepaid"}; }

std::vector<PlaceView> places_of(const control::Core& core, const Project& project, const JobSpec& spec, Instant now) {
    const auto sources = control::sources_of(spec);
    const auto free = control::free_of(core.state, project.organisation, sources);
    std::vector<PlaceView> places;
    const auto expected_s = control::expected_length(spec).ns / 1'000'000'000;
    for (const auto& quote : control::quotes(core, project, spec, free, now)) {
        if (quote.uncovered.value > 0) continue;
        const auto ask = std::ranges::find(spec.resources.accelerators, quote.model, &AcceleratorAsk::model);
        if (ask == spec.resources.accelerators.end()) continue;
        PlaceView place{quote.site,      quote.model, is_emulated(core.state, quote.site, quote.model), quote.fen_per_card_hour, {},
                        quote.cost_max, {},          {}};
        place.cost_expected =
            std::min(quote.cost_max,
                     control::charge_of(MilliCardSeconds{ask->per_node.value * spec.num_nodes * expected_s}, quote.fen_per_card_hour));
        for (std::size_t i = 0; i < quote.parts.size() && i < sources.size(); ++i)
            place.parts.push_back({source_text(sources[i]), quote.parts[i].per_mille, quote.parts[i].amount});
        for (const auto& clause : quote.clauses) place.clauses.push_back({clause.source, clause.clause});
        places.push_back(std::move(place));
    }
    std::ranges::sort(places, {}, [](const PlaceView& place) { return std::tuple{place.cost_expected, place.site, place.model}; });
    return places;
}

Result<Tried, Refusal> try_it(Context& context, const http::Request& request, JobForm form) {
    const auto now = context.world.wall();
    const auto uid = form.id ? form.id->uid : new_uid(context);
    return context.world.reader.ask([&](const control::Core& core) -> Result<Tried, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        control::SubmitJob command{JobId{uid}, form.project, form.spec, sha256(codec::to_json(form.spec))};
        const auto decision = control::decide(core, control::Request{actor, command, {}, {}}, now);
        if (!decision.answer) return fail(decision.answer.error());
        if (decision.answer->repeated)
            return fail(
                Refusal{RefusalCode::already_exists_different, JobId{uid}.text() + " is submitted already; leave its id out", "id", {}});
        Tried tried;
        tried.job = uid;
        tried.live = core.state.jobs.size();
        auto& view = tried.view;
        view.project = form.project;
        view.as_of = now;
        view.revision = core.state.revision;
        view.places = places_of(core, core.state.projects.at(form.project), form.spec, now);
        for (auto& one : why_never(core, form.project, form.spec)) view.warnings.push_back(std::move(one));
        for (auto& one : unused_funding(core, form.project, form.spec, now)) view.warnings.push_back(std::move(one));
        for (const auto& event : decision.events) {
            const auto* submitted = std::get_if<control::JobSubmitted>(&event);
            if (submitted == nullptr) continue;
            for (const auto& hold : submitted->holds) {
                view.holds.push_back({source_text(hold.source), 1000, hold.amount});
                view.held_fen += hold.amount;
            }
            if (tried.live >= jobs_played_max) break;
            tried.facts = control::forecast_facts(core, now);
            control::add_job(*tried.facts, core, *submitted, now);
        }
        return tried;
    });
}

http::Response estimate(Context& context, const http::Request& request, JobForm form) {
    auto tried = try_it(context, request, std::move(form));
    if (!tried) return refuse(tried.error(), request.target);
    auto& view = tried->view;
    if (!tried->facts) {
        view.text = too_many(tried->live);
    } else {
        const auto played = control::forecast(std::move(*tried->facts), {}, tried->job);
        const auto start = played.starts.find(tried->job);
        if (start == played.starts.end()) {
            view.text = horizon_text({});
        } else {
            const auto& told = start->second;
            view.starts_at = told.starts_at;
            view.ends_at = told.ends_at;
            view.site = SiteName{told.site};
            view.model = told.model;
            const auto place = std::ranges::find_if(
                view.places, [&](const PlaceView& one) { return one.site.value == told.site && one.model == told.model; });
            if (place != view.places.end()) {
                view.cost_expected = place->cost_expected;
                view.emulated = place->emulated;
            }
            view.text = "an estimate: if what runs ends as it says, nothing fails, and nobody submits anything before it";
        }
    }
    return show(codec::to_json(view), view.revision, request);
}

http::Handler estimating(Context& context) {
    return [&context](http::Request request, http::Reply reply) {
        const auto now = context.world.wall();
        const auto actor = context.world.reader.ask([&](const control::Core& core) { return actor_of(core.state, request, now); });
        if (!actor) return reply(refuse(actor.error(), request.target));
        auto form = decode_body<JobForm>(request, true);
        if (!form) return reply(std::move(form).error());
        later(context, std::move(request), std::move(reply), [&context, form = std::move(*form)](const http::Request& again) mutable {
            return estimate(context, again, std::move(form));
        });
    };
}

}  // namespace

std::vector<Endpoint> estimate_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = http::Method::get,
         .pattern = "/v1/jobs/{job}/eta",
         .name = "eta",
         .summary = "When a job begins and ends, as far as that can be told",
         .query = {min_revision_parameter},
         .answer = schema_of<EtaView>,
         .problems = {404, 409},
         .handler = [&context, forecasts = std::make_shared<Forecasts>()](http::Request asked, http::Reply answer_to) {
             when_shown(context, std::move(asked), std::move(answer_to), [&context, forecasts](http::Request request, http::Reply reply) {
                 later(context, std::move(request), std::move(reply),
                       [&context, forecasts](const http::Request& again) { return eta(context, *forecasts, again); });
             });
         }});
    endpoints.push_back({.method = http::Method::post,
                         .pattern = "/v1/jobs:estimate",
                         .name = "estimate_job",
                         .summary = "Where, when and for how much a job would run, if it were submitted now",
                         .body = schema_of<JobForm>,
                         .takes_yaml = true,
                         .answer = schema_of<EstimateView>,
                         .problems = {402, 403, 404, 409, 422},
                         .handler = estimating(context)});
    return endpoints;
}

}  // namespace weir::api
