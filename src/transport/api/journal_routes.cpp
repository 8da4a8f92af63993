// The journal as people read it: the audit log, and the watch.
#include "control/entry.hpp"
#include "transport/api/context.hpp"
#include "transport/api/watch.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <span>

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using http::Method;

// ---- audit

/// Records looked at for one page; a page of a rare filter is short and its cursor goes on.
constexpr std::uint64_t records_looked_at_max = 4'000;

/// The names of all kinds of event.
std::span<const std::string_view> event_types() {
    static const auto all = [] {
        std::vector<std::string_view> names;
        for (std::uint16_t number = 0; number < 1'000; ++number) {
            if (const auto name = control::type_name(number); name != "unknown") names.push_back(name);
        }
        return names;
    }();
    return all;
}

/// What kinds of event are about: what their names begin with.
std::span<const std::string_view> event_nouns() {
    static const auto all = [] {
        std::set<std::string_view> nouns;
        for (const auto name : event_types()) nouns.insert(name.substr(0, name.find('_')));
        return std::vector<std::string_view>{nouns.begin(), nouns.end()};
    }();
    return all;
}

struct AuditQuery {
    std::string actor;
    std::string type;
    std::optional<JobId> job;
    ProjectName project;
    std::uint64_t before = 0;      ///< First revision not wanted.
    std::size_t limit = 100;
};

/// The jobs that an event is about: its own, or those whose transfers it has.
std::set<JobId> jobs_of(const control::Event& event) {
    return std::visit(
        [](const auto& one) -> std::set<JobId> {
            std::set<JobId> jobs;
            if constexpr (requires { one.job.uid; }) jobs.insert(one.job);
            if constexpr (requires { one.postings; }) {
                for (const auto& posting : one.postings) jobs.insert(JobId{posting.cause});
            }
            jobs.erase(JobId{});  // What no job caused.
            return jobs;
        },
        event);
}

/// Picks the entries that a query wants. Which project a job was of is asked of the state, then of the views, once for each job.
class AuditFilter {
public:
    AuditFilter(Context& context, const AuditQuery& query) : context_{context}, query_{query} {}

    [[nodiscard]] bool wants(const control::Entry& entry) {
        if (!query_.actor.empty() && entry.actor != query_.actor) return false;
        if (!query_.type.empty() && control::type_name(control::type_of(entry.event)) != query_.type) return false;
        if (!query_.job && query_.project.empty()) return true;
        const auto jobs = jobs_of(entry.event);
        if (query_.job && !jobs.contains(*query_.job)) return false;
        return query_.project.empty() || is_of_project(entry.event, jobs);
    }

private:
    bool is_of_project(const control::Event& event, const std::set<JobId>& jobs) {
        const auto audience = context_.world.reader.ask([&](const control::Core& core) { return audience_of(core.state, event); });
        return audience.project == query_.project ||
               std::ranges::any_of(jobs, [&](const JobId& job) { return project_of(job) == query_.project; });
    }

    const ProjectName& project_of(const JobId& job) {
        const auto [entry, is_new] = projects_.try_emplace(job);
        if (!is_new) return entry->second;
        entry->second = context_.world.reader.ask([&](const control::Core& core) {
            if (const auto live = core.state.jobs.find(job); live != core.state.jobs.end()) return live->second.project;
            const auto gone = core.state.finished.find(job);
            return gone != core.state.finished.end() ? gone->second.project : ProjectName{};
        });
        if (!entry->second.empty() || context_.world.history == nullptr) return entry->second;
        if (const auto old = context_.world.history->job(job); old && *old) entry->second = (*old)->job.project;
        return entry->second;
    }

    Context& context_;
    const AuditQuery& query_;
    std::map<JobId, ProjectName> projects_;
};

/// Records as they are stored, newest first, and where the look ended.
Result<std::pair<std::vector<std::string>, std::uint64_t>, std::string> read_back(Context& context, const AuditQuery& query) {
    std::vector<std::string> texts;
    AuditFilter filter{context, query};
    std::uint64_t at = query.before;
    const std::uint64_t stop = at > records_looked_at_max ? at - records_looked_at_max : 1;
    while (at > stop && texts.size() < query.limit) {
        const std::uint64_t from = at - stop > 250 ? at - 250 : stop;
        auto records = context.journal.read(from, at - from);
        if (!records) return fail(records.error().message);
        // A read may end early at its limit of bytes: then the newest are asked for again, one by one.
        if (records->empty() || records->back().revision + 1 != at) records = context.journal.read(at - 1, 1);
        if (!records) return fail(records.error().message);
        if (records->empty()) return fail(fmt::format("revision {} cannot be read", at - 1));
        for (auto record = records->rbegin(); record != records->rend() && texts.size() < query.limit; ++record) {
            const auto entry = control::read_entry(record->text);
            if (!entry) return fail(fmt::format("revision {} {}", record->revision, entry.error()));
            at = record->revision;
            if (filter.wants(*entry)) texts.push_back(std::move(record->text));
        }
    }
    return std::pair{std::move(texts), at};
}

http::Response audit_page(Context& context, const http::Request& request, const AuditQuery& query, std::uint64_t revision) {
    auto found = read_back(context, query);
    if (!found)
        return refuse(503, "journal_unavailable", fmt::format("the journal cannot be read now: {}; ask again", found.error()),
                      request.target);
    std::string text = R"({"items":[)";
    for (const auto& one : found->first) text += (text.ends_with('[') ? "" : ",") + one;
    text += "]";
    if (found->second > 1) text += fmt::format(R"(,"next_cursor":"{}")", cursor_of(request, std::to_string(found->second)));
    text += fmt::format(R"(,"revision":{}}})", revision);
    return show(std::move(text), revision, request);
}

void get_audit(Context& context, http::Request request, http::Reply reply) {
    const auto now = context.world.wall();
    std::uint64_t revision = 0;
    const auto allowed = context.world.reader.ask([&](const control::Core& core) -> Result<void, Refusal> {
        revision = core.state.revision;
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        WEIR_CHECK(control::permit(core.state, actor, Action::see_audit));
        const ProjectName project{std::string{word(request, "project")}};
        if (project.empty() || core.state.projects.contains(project)) return {};
        return fail(not_found(fmt::format("project {} is not known here; list yours with: weir project list", project.value), "project"));
    });
    if (!allowed) return reply(refuse(allowed.error(), request.target));
    if (!context.journal.there())
        return reply(refuse(503, "journal_unavailable",
                            "this server is not told where its journal can be read; use weir audit log at the store", request.target));
    const auto job_text = word(request, "job");
    const auto job = JobId::parse(job_text);
    if (!job_text.empty() && !job)
        return reply(refuse(400, "bad_parameter",
                            fmt::format("the parameter job is '{}' and must be a job's id: job- and 26 characters", job_text.substr(0, 40)),
                            request.target, "job"));
    AuditQuery query{.actor = std::string{word(request, "actor")},
                     .type = std::string{word(request, "type")},
                     .job = job,
                     .project = ProjectName{std::string{word(request, "project")}},
                     .before = revision + 1,
                     .limit = page_limit(request)};
    if (const auto cursor = from_cursor(request)) {
        std::uint64_t before = 0;
        std::from_chars(cursor->data(), cursor->data() + cursor->size(), before);
        if (before > 0) query.before = std::min(before, query.before);
    }
    later(context, std::move(request), std::move(reply),
          [&context, query, revision](const http::Request& again) { return audit_page(context, again, query, revision); });
}

// ---- watch

struct Wish {
    Actor actor;
    WatchFilter filter;
};

Result<Wish, Refusal> wish_of(const control::State& state, const http::Request& request, Instant now) {
    Wish wish{WEIR_TRY(actor_of(state, request, now)), {}};
    WEIR_CHECK(control::permit(state, wish.actor, Action::see_network));
    if (const auto project = word(request, "project"); !project.empty()) {
        wish.filter.project = ProjectName{std::string{project}};
        if (!state.projects.contains(wish.filter.project) || !control::may_see(state, wish.actor, wish.filter.project)) {
            return fail(not_found(fmt::format("project {} is not known here; list yours with: weir project list", project), "project"));
        }
    }
    wish.filter.type = std::string{word(request, "type")};
    wish.filter.about = std::string{word(request, "about")};
    if (const auto site = word(request, "site"); !site.empty()) {
        wish.filter.site = SiteName{std::string{site}};
        if (!state.sites.contains(wish.filter.site))
            return fail(not_found(fmt::format("site {} is not known; see: weir site list", site), "site"));
    }
    if (const auto job = word(request, "job"); !job.empty()) {
        const auto unknown = [&] { return not_found(fmt::format("{} is not known here; list yours with: weir job list", job), "job"); };
        wish.filter.job = JobId::parse(job);
        if (!wish.filter.job) return fail(unknown());
        const auto live = state.jobs.find(*wish.filter.job);
        const auto gone = state.finished.find(*wish.filter.job);
        if (live == state.jobs.end() && gone == state.finished.end()) return fail(unknown());
        if (!control::may_see(state, wish.actor, live != state.jobs.end() ? live->second.project : gone->second.project))
            return fail(unknown());
    }
    return wish;
}

/// Where to go on: after the Last-Event-ID, after ?since=, or from now on.
std::optional<std::uint64_t> start_of(const http::Request& request, std::uint64_t now_at) {
    if (const auto last = request.header("Last-Event-ID")) {
        std::uint64_t revision = 0;
        const auto [end, error] = std::from_chars(last->data(), last->data() + last->size(), revision);
        return error == std::errc{} && end == last->data() + last->size() ? std::optional{revision} : std::nullopt;
    }
    return natural(request, "since").value_or(now_at);
}

void watch(Context& context, const http::Request& request, http::Reply reply) {
    const auto now = context.world.wall();
    auto wish = context.world.reader.ask([&](const control::Core& core) { return wish_of(core.state, request, now); });
    if (!wish) return reply(refuse(wish.error(), request.target));
    const auto newest = context.world.reader.revision();
    const auto since = start_of(request, newest);
    if (!since)
        return reply(refuse(400, "bad_parameter", "Last-Event-ID is no revision; send the id of the last event, or leave it out",
                            request.target, "Last-Event-ID"));
    if (*since > newest) {
        return reply(refuse(
            410, "revision_unknown",
            fmt::format("revision {} was asked and {} is the newest; read the state again and watch from its revision", *since, newest),
            request.target, "since"));
    }
    if (!context.journal.there() && !context.world.reader.since(*since)) {
        return reply(
            refuse(410, "revision_gone",
                   fmt::format("events after revision {} are no longer kept here; read the state again and watch from {}", *since, newest),
                   request.target, "since"));
    }
    const auto stream = http::Stream::open({.buffer_bytes = 256U << 10U, .heartbeat = context.options.heartbeat});
    if (!context.watches.add(stream, std::move(wish->actor), *since, std::move(wish->filter))) {
        auto full = refuse(
            503, "too_many_watches",
            fmt::format("{} watches are open, at most {} may be; come back later", context.watches.open(), context.options.watches_max),
            request.target);
        full.headers.emplace_back("Retry-After", "10");
        return reply(std::move(full));
    }
    reply(http::Response::events(stream).with_header("Weir-Revision", std::to_string(newest)));
}

/// What a page of the audit log holds: entries of the journal as they are stored and hashed.
std::string audit_schema(codec::SchemaBook& book) {
    return R"({"type":"object","properties":{"items":{"type":"array","items":{"type":"object","properties":{"revision":)" +
           book.add<std::uint64_t>() + R"(,"type":)" + book.add<std::uint16_t>() + R"(,"at":)" + book.add<Instant>() +
           R"(,"actor":{"type":"string"},"event":{"type":"object"}},"required":["revision","type","at","actor","event"]}},)"
           R"("next_cursor":{"type":"string"},"revision":)" +
           book.add<std::uint64_t>() + R"(},"required":["items","revision"],"additionalProperties":false})";
}

}  // namespace

std::vector<Endpoint> journal_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/audit",
         .name = "audit_log",
         .summary = "Every change as the journal keeps it, newest first",
         .query = {{.name = "actor", .doc = "only of this one, such as subject:ann"},
                   {.name = "type", .kind = Parameter::Kind::word, .doc = "only of this kind", .words = event_types()},
                   {.name = "job", .doc = "only what is about this job, its transfers too"},
                   {.name = "project", .doc = "only what is about this project and its jobs, their transfers too"},
                   limit_parameter,
                   cursor_parameter,
                   min_revision_parameter},
         .answer = audit_schema,
         .problems = {403, 404},
         .handler = [&context](http::Request asked, http::Reply answer_to) {
             when_shown(context, std::move(asked), std::move(answer_to),
                        [&context](http::Request request, http::Reply reply) { get_audit(context, std::move(request), std::move(reply)); });
         }});
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/watch",
         .name = "watch",
         .summary = "Committed events as they come, as server-sent events; to resume, send Last-Event-ID",
         .query = {{.name = "since", .kind = Parameter::Kind::natural, .doc = "revision after which to begin; absent: now"},
                   {.name = "project", .doc = "only what is this project's"},
                   {.name = "job", .doc = "only what is this job's"},
                   {.name = "site", .doc = "only what is about this site, or happened there"},
                   {.name = "about", .kind = Parameter::Kind::word, .doc = "only what is about such a thing", .words = event_nouns()},
                   {.name = "type", .kind = Parameter::Kind::word, .doc = "only of this kind", .words = event_types()}},
         .answer_type = "text/event-stream",
         .problems = {403, 404, 410},
         .handler = [&context](const http::Request& request, http::Reply reply) { watch(context, request, std::move(reply)); }});
    return endpoints;
}

}  // namespace weir::api
