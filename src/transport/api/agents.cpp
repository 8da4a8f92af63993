// The agent link: what a site is told, and what it tells. An agent's token is good for its own site alone.
#include "control/desired.hpp"
#include "control/site_talk.hpp"
#include "transport/api/context.hpp"

#include <charconv>

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

/// Which protocol the agent speaks, if the server does too.
Result<std::uint32_t, http::Response> protocol_of(const http::Request& request) {
    const auto said = request.header(agent_protocol::header);
    if (!said) return agent_protocol::without_header;
    std::uint32_t spoken = 0;
    const auto* const end = said->data() + said->size();
    const auto [stop, error] = std::from_chars(said->data(), end, spoken);
    if (error != std::errc{} || stop != end) {
        return fail(refuse(400, "bad_parameter",
                           fmt::format("the header {} is '{}' and must be a number; this server speaks {} to {}", agent_protocol::header,
                                       said->substr(0, 32), agent_protocol::oldest, agent_protocol::newest),
                           request.target));
    }
    if (spoken >= agent_protocol::oldest && spoken <= agent_protocol::newest) return spoken;
    return fail(refuse(400, "agent_protocol",
                       fmt::format("the agent speaks protocol {} and this server speaks {} to {}; {}", spoken, agent_protocol::oldest,
                                   agent_protocol::newest,
                                   spoken < agent_protocol::oldest ? "install a newer agent at the site"
                                                                   : "bring the server up to the agent's release first"),
                       request.target));
}

/// The answer of protocol 1: the whole list each time.
void answer_whole_list(Context& context, const SiteName& site, const http::Request& request, http::Reply reply) {
    std::uint64_t revision = 0;
    auto text = context.world.reader.ask([&](const control::Core& core) {
        revision = core.state.revision;
        return codec::to_json(control::desired(core.state, site));
    });
    reply(show(std::move(text), revision, request));
}

/// The session under which the agent asks: it reports under it, or is about to. None below protocol 3.
Result<std::optional<std::string>, http::Response> session_of(const http::Request& request, std::uint32_t protocol) {
    if (protocol < agent_protocol::names_session) return std::nullopt;
    const auto named = word(request, "session");
    const auto began = parse_uid(named);
    if (began && format_uid(*began) == named) return std::string{named};
    return fail(refuse(400, "bad_parameter",
                       fmt::format("session is '{}', and from protocol {} on names the session of the agent's reports, a uid",
                                   named.substr(0, 32), agent_protocol::names_session),
                       request.target, "session"));
}

/// Whether another agent spoke for the site since this session began. Then what is ordered is not this one's to hear: it would begin
/// beside the other what was ordered of that.
bool is_superseded(const State& state, const SiteName& site, const std::optional<std::string>& session) {
    return session && *session < state.sites.at(site).last_session();
}

void answer_page(Context& context, const SiteName& site, const control::DesiredAsk& ask, const std::optional<std::string>& session,
                 const http::Request& request, http::Reply reply) {
    std::uint64_t revision = 0;
    const auto page = context.world.reader.ask([&](const control::Core& core) -> Result<DesiredPage, Refusal> {
        revision = core.state.revision;
        if (!is_superseded(core.state, site, session)) return control::desired_page(core.state, site, ask);
        return fail(Refusal{RefusalCode::stale_sequence,
                            fmt::format("session {} asks what should run, and session {}, which is later, speaks for {}; begin a later "
                                        "session, or stop this agent if another one is this site's",
                                        *session, core.state.sites.at(site).last_session(), site.value),
                            "session",
                            {}});
    });
    if (!page) return reply(refuse(page.error(), request.target));
    reply(show(codec::to_json(*page), revision, request));
}

/// Answers at once where there is news since the revision asked for, else when it comes or the wait is over.
void get_desired(Context& context, http::Request request, http::Reply reply) {
    const auto now = context.world.wall();
    const SiteName site{std::string{request.parameter("site")}};
    const auto allowed = context.world.reader.ask([&](const control::Core& core) -> Result<TokenId, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        WEIR_CHECK(is_agent_of(core.state, actor, site));
        return actor.token;
    });
    if (!allowed) return reply(refuse(allowed.error(), request.target));
    auto protocol = protocol_of(request);
    if (!protocol) return reply(std::move(protocol).error());
    auto session = session_of(request, *protocol);
    if (!session) return reply(std::move(session).error());
    const auto since = natural(request, "since");
    control::DesiredAsk ask;
    ask.since = since.value_or(0);
    ask.limit = natural(request, "limit").value_or(ask.limit);
    ask.prepares = *protocol >= agent_protocol::prepares;
    if (const auto after = word(request, "after"); !after.empty()) {
        ask.after = JobId::parse(after);
        if (!ask.after)
            return reply(refuse(400, "bad_parameter", fmt::format("after is '{}', and is the id of a job that a page named", after),
                                request.target, "after"));
    }
    const bool whole = *protocol == agent_protocol::whole_list;
    const Duration longest =
        since ? std::min(seconds(static_cast<std::int64_t>(natural(request, "wait_s").value_or(0))), context.options.desired_wait)
              : Duration{};
    const auto is_due = [since, ask, site, whole, session = *session, token = *allowed](const control::Core& core) {
        if (!core.state.tokens.contains(token)) return true;
        if (is_superseded(core.state, site, session)) return true;
        if (whole) return !since || control::desired_changed(core.state, site) != *since;
        return ask.after || control::has_desired_news(core.state, site, ask.since);
    };
    context.waker.wait(is_due, longest,
                       [&context, site, ask, whole, session = std::move(*session), request = std::move(request),
                        reply = std::move(reply)](bool) mutable {
                           // The token may have ended while the question waited.
                           const auto still = context.world.reader.ask(
                               [&, then = context.world.wall()](const control::Core& core) { return actor_of(core.state, request, then); });
                           if (!still) return reply(refuse(still.error(), request.target));
                           if (whole) return answer_whole_list(context, site, request, std::move(reply));
                           answer_page(context, site, ask, session, request, std::move(reply));
                       });
}

/// What agents of that protocol know of it.
ReportAnswer answer_of(const control::Core& core, const SiteName& site, std::uint32_t protocol, Instant now) {
    auto answer = control::answer_to_report(core, site, now);
    if (protocol < agent_protocol::names_session) {
        answer.session_before.reset();
        answer.leases_out.reset();
    }
    return answer;
}

http::Response acknowledge(Context& context, const SiteName& site, std::uint32_t protocol) {
    // Leases of tasks count from the question; who may not lead any more when it answers grants none.
    if (context.world.leads && !context.world.leads())
        return refuse(503, http::not_leader_code, "another server leads, or may; report to that one",
                      "/v1/sites/" + site.value + "/report");
    std::uint64_t revision = 0;
    const auto now = context.world.wall();
    auto text = context.world.reader.ask([&](const control::Core& core) {
        revision = core.state.revision;
        return codec::to_json(answer_of(core, site, protocol, now));
    });
    return http::Response::json(200, std::move(text)).with_header("Weir-Revision", std::to_string(revision));
}

constexpr Parameter protocol_parameter{.name = agent_protocol::header,
                                       .kind = Parameter::Kind::natural,
                                       .doc = "protocol that the agent speaks; absent: 1, which is answered by a Desired",
                                       .max = agent_protocol::newest};

enum class Standing : std::uint8_t { heartbeat = 1, news = 2 };

Result<std::pair<Actor, Standing>, Refusal> judge(const State& state, const http::Request& request, const SiteReport& report, Instant now) {
    auto actor = WEIR_TRY(actor_of(state, request, now));
    WEIR_CHECK(is_agent_of(state, actor, report.site));
    return std::pair{std::move(actor), control::is_heartbeat(state, report) ? Standing::heartbeat : Standing::news};
}

/// A report that brings nothing new to a site that is known to be there renews its leases and writes nothing.
void take_report(Context& context, const http::Request& request, http::Reply reply) {
    auto spoken = protocol_of(request);
    if (!spoken) return reply(std::move(spoken).error());
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
        return reply(acknowledge(context, site, *spoken));
    }
    control::Request wanted;
    wanted.actor = std::move(judged->first);
    wanted.command = std::move(*report);
    context.world.loop.submit(std::move(wanted), [&context, site, protocol = *spoken, target = request.target, reply = std::move(reply)](
                                                     control::Answer answer, std::uint64_t) mutable {
        if (!answer) return reply(refuse(answer.error(), target));
        context.world.loop.heard(site);
        reply(acknowledge(context, site, protocol));
    }, request.body.size());
}

}  // namespace

std::vector<Endpoint> agent_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/sites/{site}/desired",
         .name = "get_desired",
         .summary = "What should run at a site: changes since a revision, by pages, with a digest over the whole list at the end",
         .query = {{.name = "since",
                    .kind = Parameter::Kind::natural,
                    .doc = "revision of the page before; absent or 0: the list from the start"},
                   {.name = "after", .doc = "`after` of the page before: goes on with a list from the start"},
                   {.name = "session", .doc = "session of the agent's reports; from protocol 3 on, where one that another agent's has "
                                              "followed is answered 409"},
                   {.name = "limit",
                    .kind = Parameter::Kind::natural,
                    .doc = "tasks of a page, set and removed",
                    .max = control::DesiredAsk::tasks_max},
                   {.name = "wait_s", .kind = Parameter::Kind::natural, .doc = "how long the answer may wait for a change", .max = 600}},
         .headers = {protocol_parameter},
         .answer = schema_of<DesiredPage>,
         .problems = {403, 404, 409},
         .reply_within = context.options.desired_wait + seconds(30),
         .handler = [&context](http::Request request, http::Reply reply) { get_desired(context, std::move(request), std::move(reply)); }});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/sites/{site}/report",
         .name = "report",
         .summary = "What a site has seen since its report before; without news it renews the leases",
         .headers = {protocol_parameter},
         .body = schema_of<SiteReport>,
         .answer = schema_of<ReportAnswer>,
         .problems = {403, 404, 409, 422},
         .max_body = 16U << 20U,
         .handler = [&context](const http::Request& request, http::Reply reply) { take_report(context, request, std::move(reply)); },
         .allowed = [](const State& state, const Actor& actor, const http::Request& request) {
             return is_agent_of(state, actor, SiteName{std::string{request.parameter("site")}});
         }});
    return endpoints;
}

}  // namespace weir::api
