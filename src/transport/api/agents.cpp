// The agent link: what a site is told, and what it tells. An agent's token is good for its own site alone.
#include "control/desired.hpp"
#include "transport/api/context.hpp"

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using control::RefusalCode;
using control::State;
using http::Method;

/// Whether the actor is the agent of this site. Before that, nothing is said about the site.
Result<void, Refusal> is_agent_of(const State& state, const Actor& actor, const SiteName& site) {
    WEIR_CHECK(control::permit(state, actor, Action::report));
    if (actor.kind == Actor::Kind::agent && actor.site != site) {
        return fail(
            Refusal{RefusalCode::forbidden, fmt::format("the agent of {} may not speak for {}", actor.site.value, site.value), "site", {}});
    }
    if (!state.sites.contains(site))
        return fail(not_found(fmt::format("site {} is not known; an operator registers it first", site.value), "site"));
    return {};
}

std::uint64_t changed_at(const State& state, const SiteName& site) {
    const auto changed = state.desired_changed.find(site);
    return changed == state.desired_changed.end() ? 0 : changed->second;
}

/// Answers at once where `since` differs from the last change (either way: after a restart it may be lower), else when it
/// changes or the wait is over. The answer is the whole truth each time.
void get_desired(Context& context, http::Request request, http::Reply reply) {
    const auto now = context.world.wall();
    const SiteName site{std::string{request.parameter("site")}};
    const auto allowed = context.world.reader.ask([&](const control::Core& core) -> Result<void, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        return is_agent_of(core.state, actor, site);
    });
    if (!allowed) return reply(refuse(allowed.error(), request.target));
    const auto since = natural(request, "since");
    const Duration longest =
        since ? std::min(seconds(static_cast<std::int64_t>(natural(request, "wait_s").value_or(0))), context.options.desired_wait)
              : Duration{};
    context.waker.wait([since, site](const control::Core& core) { return !since || changed_at(core.state, site) != *since; }, longest,
                       [&context, site, request = std::move(request), reply = std::move(reply)](bool) mutable {
                           std::uint64_t revision = 0;
                           auto text = context.world.reader.ask([&](const control::Core& core) {
                               revision = core.state.revision;
                               return codec::to_json(control::desired(core.state, site));
                           });
                           reply(show(std::move(text), revision, request));
                       });
}

ReportAnswer answer_of(const control::Core& core, const SiteName& site) {
    ReportAnswer answer;
    answer.sequence = core.state.sites.at(site).sequence;
    answer.lease_ms = core.policy.task_lease.ns / 1'000'000;
    answer.run_on_lease_ms = core.policy.run_on_lease.ns / 1'000'000;
    answer.kill_grace_ms = core.policy.kill_grace.ns / 1'000'000;
    answer.desired_revision = changed_at(core.state, site);
    return answer;
}

http::Response acknowledge(Context& context, const SiteName& site) {
    std::uint64_t revision = 0;
    auto text = context.world.reader.ask([&](const control::Core& core) {
        revision = core.state.revision;
        return codec::to_json(answer_of(core, site));
    });
    return http::Response::json(200, std::move(text)).with_header("Weir-Revision", std::to_string(revision));
}

bool is_empty(const SiteReport& report) {
    return !report.nodes && report.meters.empty() && report.checkpoints.empty() && report.tasks.empty();
}

enum class Standing : std::uint8_t { heartbeat = 1, news = 2 };

Result<std::pair<Actor, Standing>, Refusal> judge(const State& state, const http::Request& request, const SiteReport& report, Instant now) {
    auto actor = WEIR_TRY(actor_of(state, request, now));
    WEIR_CHECK(is_agent_of(state, actor, report.site));
    const auto& site = state.sites.at(report.site);
    const bool nothing_new = is_empty(report) && site.reachable && report.session == site.session && report.sequence == site.sequence;
    return std::pair{std::move(actor), nothing_new ? Standing::heartbeat : Standing::news};
}

/// A report that brings nothing new to a site that is known to be there renews its leases and writes nothing.
void take_report(Context& context, const http::Request& request, http::Reply reply) {
    auto report = decode_body<SiteReport>(request);
    if (!report) return reply(std::move(report).error());
    if (report->site.value != request.parameter("site")) {
        return reply(refuse(
            422, "bad_value",
            fmt::format("the report is of {} and came for {}; send it to its own site", report->site.value, request.parameter("site")),
            request.target, "site"));
    }
    const auto now = context.world.wall();
    auto judged = context.world.reader.ask([&](const control::Core& core) { return judge(core.state, request, *report, now); });
    if (!judged) return reply(refuse(judged.error(), request.target));
    const auto site = report->site;
    if (judged->second == Standing::heartbeat) {
        context.world.loop.heard(site);
        return reply(acknowledge(context, site));
    }
    control::Request wanted;
    wanted.actor = std::move(judged->first);
    wanted.command = std::move(*report);
    context.world.loop.submit(std::move(wanted), [&context, site, target = request.target, reply = std::move(reply)](
                                                     control::Answer answer, std::uint64_t) mutable {
        if (!answer) return reply(refuse(answer.error(), target));
        context.world.loop.heard(site);
        reply(acknowledge(context, site));
    });
}

}  // namespace

std::vector<Endpoint> agent_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/sites/{site}/desired",
         .name = "get_desired",
         .summary = "What should run at a site, all of it, once it differs from what the agent has",
         .query = {{.name = "since",
                    .kind = Parameter::Kind::natural,
                    .doc = "revision of the answer that the agent has; absent: answer at once"},
                   {.name = "wait_s", .kind = Parameter::Kind::natural, .doc = "how long the answer may wait for a change", .max = 600}},
         .answer = schema_of<Desired>,
         .problems = {403, 404},
         .reply_within = context.options.desired_wait + seconds(30),
         .handler = [&context](http::Request request, http::Reply reply) { get_desired(context, std::move(request), std::move(reply)); }});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/sites/{site}/report",
         .name = "report",
         .summary = "What a site has seen since its report before; without news it renews the leases",
         .body = schema_of<SiteReport>,
         .answer = schema_of<ReportAnswer>,
         .problems = {403, 404, 409, 422},
         .max_body = 16U << 20U,
         .handler = [&context](const http::Request& request, http::Reply reply) { take_report(context, request, std::move(reply)); }});
    return endpoints;
}

}  // namespace weir::api
