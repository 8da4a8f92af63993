// What tasks print: a piece from an offset, or everything as it comes.
#include "transport/api/context.hpp"

#include <algorithm>
#include <array>
#include <boost/describe/enum_from_string.hpp>
#include <chrono>

namespace weir::api {
namespace {

using control::Refusal;

constexpr std::array<std::string_view, 2> stream_words{"stdout", "stderr"};
constexpr std::size_t piece_bytes = 256U << 10U;
constexpr std::size_t follow_bytes = 64U << 10U;
constexpr Duration look_every = milliseconds(250);
constexpr std::uint64_t offset_max = INT64_MAX;  ///< No log is longer.

Refusal unknown_job(std::string_view text) {
    return not_found(fmt::format("{} is not known here; list yours with: weir job list", text), "job");
}

/// Which log is asked for, and whether the core knows whose it is.
struct Wanted {
    LogQuery query;
    control::Actor actor;
    bool is_live = false;
    bool is_seen = false;   ///< The core knows the job and lets the actor see it; else the views must.
};

/// A job that was over before it was ever placed printed nothing, and never will.
Refusal never_started(const JobId& job, JobState outcome, Reason reason) {
    return not_found(fmt::format("{} was never started, so it printed nothing; it is {}: {}", job.text(), codec::name_of(outcome),
                                 codec::name_of(reason)));
}

/// A job that was never placed yet. Whoever follows it waits with it; to others there is nothing to give.
Refusal not_started_yet(const control::LiveJob& job) {
    return not_found(fmt::format("{} was not started yet, so it has printed nothing; it is {}, and why it waits tells: weir job why {}",
                                 job.id.text(), codec::name_of(job.state), job.id.text()));
}

/// Why there can be no such log: of a start that never was, of a node or a process that the job does not have.
Result<void, Refusal> check_place(const LogQuery& query, std::uint32_t last_generation, bool generation_was, const JobSpec& spec) {
    const auto job = query.job.text();
    if (query.generation > 0 && !generation_was)
        return fail(not_found(
            fmt::format("{} has no generation {}: the last that was placed is {}", job, query.generation, last_generation), "generation"));
    if (std::cmp_greater_equal(query.node_rank, spec.num_nodes))
        return fail(not_found(
            fmt::format("{} has {} nodes, counted from 0, and node {} was asked for", job, spec.num_nodes, query.node_rank), "node_rank"));
    if (std::cmp_greater_equal(query.local_rank, spec.processes_per_node))
        return fail(not_found(fmt::format("{} has {} processes on each node, counted from 0, and rank {} was asked for", job,
                                          spec.processes_per_node, query.local_rank),
                              "rank"));
    return {};
}

/// What the core says of the job; one that it has forgotten is left to the views.
Result<Wanted, Refusal> wanted_of(const control::State& state, const http::Request& request, Instant now) {
    Wanted wanted;
    wanted.actor = WEIR_TRY(actor_of(state, request, now));
    const auto& actor = wanted.actor;
    const auto text = request.parameter("job");
    const auto id = JobId::parse(text);
    if (!id) return fail(unknown_job(text));
    auto& query = wanted.query;
    query.job = *id;
    query.generation = static_cast<std::uint32_t>(natural(request, "generation").value_or(0));
    query.node_rank = static_cast<std::uint32_t>(natural(request, "node_rank").value_or(0));
    query.local_rank = static_cast<std::uint32_t>(natural(request, "rank").value_or(0));
    if (const auto live = state.jobs.find(*id); live != state.jobs.end()) {
        if (!control::may_see(state, actor, live->second.project)) return fail(unknown_job(text));
        const auto& job = live->second;
        if (job.generation == 0 && !flag(request, "follow")) return fail(not_started_yet(job));
        if (query.generation == 0) query.generation = job.generation;
        bool was = false;
        for (const auto& usage : job.usage) {
            if (usage.generation != query.generation) continue;
            query.site = usage.site;
            was = true;
        }
        WEIR_CHECK(check_place(query, job.generation, was, job.spec));
        wanted.is_live = true;
        wanted.is_seen = true;
    } else if (const auto gone = state.finished.find(*id); gone != state.finished.end()) {
        if (!control::may_see(state, actor, gone->second.project)) return fail(unknown_job(text));
        wanted.is_seen = true;
    }
    query.offset = std::min(natural(request, "offset").value_or(0), offset_max);
    query.stream = word(request, "stream") == "stderr" ? LogStream::stderr_ : LogStream::stdout_;
    query.max_bytes = piece_bytes;
    return wanted;
}

/// Adds what the views know of a finished job: whose it is, and where its generations ran.
Result<LogQuery, Refusal> complete(Context& context, Wanted wanted, std::string_view text) {
    auto& query = wanted.query;
    if (wanted.is_live) return query;
    if (context.world.history != nullptr) {
        const auto told = context.world.history->job(query.job);
        if (told && *told) {
            const auto& job = (*told)->job;
            wanted.is_seen = context.world.reader.ask(
                [&](const control::Core& core) { return control::may_see(core.state, wanted.actor, job.project); });
            if (!wanted.is_seen) return fail(unknown_job(text));
            if (job.generation == 0) return fail(never_started(query.job, job.state, job.reason));
            if (query.generation == 0) query.generation = job.generation;
            if (job.spec) WEIR_CHECK(check_place(query, job.generation, query.generation <= job.generation, *job.spec));
            for (const auto& line : (*told)->bill) {
                if (line.generation == query.generation) query.site = line.site;
            }
            if (query.generation == job.generation && job.site) query.site = *job.site;
        }
    }
    if (!wanted.is_seen) return fail(unknown_job(text));
    return query;
}

http::Response refuse_log(const LogError& error, std::string_view target) {
    if (error.fault == LogFault::unknown) return refuse(404, "no_log", error.message, target);
    return refuse(503, "log_unavailable", error.message, target);
}

http::Response one_piece(Context& context, const LogQuery& query, const http::Request& request) {
    auto piece = context.world.logs->read(query);
    if (!piece) return refuse_log(piece.error(), request.target);
    const auto next = piece->offset + piece->bytes.size();
    auto response = http::Response::text(200, std::move(piece->bytes));
    response.headers.emplace_back("Weir-Log-Offset", std::to_string(piece->offset));
    response.headers.emplace_back("Weir-Log-Next", std::to_string(next));
    response.headers.emplace_back("Weir-Log-Ended", piece->ended ? "true" : "false");
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

/// One reader that follows a log: it is given more when it has taken what it was given.
struct Follower {
    http::Stream stream;
    LogQuery query;
    control::Actor actor;
    bool has_given = false;  ///< Something came already: a gap after it would not be seen.
};

/// Whether the reader may still read: its token holds, and it still may see the job's project, as long as the core knows whose it is.
bool may_read_on(Context& context, const Follower& follower) {
    const auto now = context.world.wall();
    return context.world.reader.ask([&](const control::Core& core) {
        const auto& state = core.state;
        if (!still_stands(state, follower.actor.token, now)) return false;
        if (const auto live = state.jobs.find(follower.query.job); live != state.jobs.end())
            return control::may_see(state, follower.actor, live->second.project);
        const auto gone = state.finished.find(follower.query.job);
        return gone == state.finished.end() || control::may_see(state, follower.actor, gone->second.project);
    });
}

/// Ends a log that is not over: the body has no last chunk, so that nobody takes what came for all there is.
void break_off(const Follower& follower) { follower.stream.core()->end_with("the log goes on: ask again from where it broke off"); }

/// Whether the job may still print; fills in the generation where the job had none when it was asked for.
bool refresh(Context& context, LogQuery& query) {
    return context.world.reader.ask([&](const control::Core& core) {
        const auto job = core.state.jobs.find(query.job);
        if (job == core.state.jobs.end()) return false;
        if (query.generation == 0) query.generation = job->second.generation;
        for (const auto& usage : job->second.usage) {
            if (usage.generation == query.generation) query.site = usage.site;
        }
        return query.generation == 0 || query.generation == job->second.generation;
    });
}

/// Whether it is so for ever, for all that is known here: what has no site yet gets one.
bool is_out_of_reach(const LogError& error, const LogQuery& query, bool may_print) {
    return error.fault == LogFault::unavailable && !(may_print && query.site.empty());
}

/// Gives what there is; true while more may come.
bool give(Context& context, Follower& follower) {
    if (follower.stream.waiting() > 0) return true;
    const bool may_print = refresh(context, follower.query);
    auto piece = context.world.logs->read(follower.query);
    if (!piece && is_out_of_reach(piece.error(), follower.query, may_print)) {
        break_off(follower);
        return false;
    }
    if (!piece) return may_print;
    if (follower.has_given && piece->offset > follower.query.offset) {
        break_off(follower);
        return false;
    }
    follower.has_given = follower.has_given || !piece->bytes.empty();
    follower.query.offset = piece->offset + piece->bytes.size();
    if (piece->bytes.empty()) return may_print && !piece->ended;
    return follower.stream.push(piece->bytes) == http::Push::taken && !piece->ended;
}

void follow(Context& context, const std::shared_ptr<Follower>& follower);

/// Has the worker look now, or after a while where too much waits for it.
void look(Context& context, const std::shared_ptr<Follower>& follower) {
    const auto posted = context.worker.post(follower->actor.text(), [&context, follower] { follow(context, follower); });
    if (posted == Worker::Posted::taken) return;
    if (context.stopping || !context.waker.after(look_every, [&context, follower](bool) { look(context, follower); }))
        break_off(*follower);
}

/// Gives, and looks again after a while; the stream ends with its last holder.
void follow(Context& context, const std::shared_ptr<Follower>& follower) {
    if (follower->stream.gone()) return;
    if (!may_read_on(context, *follower)) return break_off(*follower);
    if (!give(context, *follower)) return;
    if (!context.waker.after(look_every, [&context, follower](bool) { look(context, follower); })) break_off(*follower);
}

http::Response followed(Context& context, LogQuery query, control::Actor actor, std::string_view target) {
    const bool may_print = refresh(context, query);
    query.max_bytes = 0;
    const auto first = context.world.logs->read(query);
    if (!first && is_out_of_reach(first.error(), query, may_print)) return refuse_log(first.error(), target);
    query.max_bytes = follow_bytes;
    const auto follower = std::make_shared<Follower>(
        Follower{http::Stream::open({.kind = http::StreamKind::raw, .buffer_bytes = 2 * follow_bytes, .heartbeat = {}}), query,
                 std::move(actor)});
    look(context, follower);
    return http::Response::streaming("text/plain; charset=utf-8", follower->stream).with_header("Cache-Control", "no-store");
}

void get_logs(Context& context, http::Request request, http::Reply reply) {
    const auto now = context.world.wall();
    auto wanted = context.world.reader.ask([&](const control::Core& core) { return wanted_of(core.state, request, now); });
    if (!wanted) return reply(refuse(wanted.error(), request.target));
    later(context, std::move(request), std::move(reply), [&context, wanted = std::move(*wanted)](const http::Request& again) mutable {
        auto actor = wanted.actor;
        auto query = complete(context, std::move(wanted), again.parameter("job"));
        if (!query) return refuse(query.error(), again.target);
        if (context.world.logs == nullptr) {
            return refuse(503, "no_log_source",
                          "this server is not told where logs lie; read them at the site, or ask its operator to configure a log source",
                          again.target);
        }
        return flag(again, "follow") ? followed(context, std::move(*query), std::move(actor), again.target)
                                     : one_piece(context, *query, again);
    });
}

}  // namespace

std::vector<Endpoint> log_endpoints(Context& context) {
    using enum Parameter::Kind;
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = http::Method::get,
         .pattern = "/v1/jobs/{job}/logs",
         .name = "get_logs",
         .summary = "What a task printed, from an offset on; with follow, as it comes",
         .query =
             {{.name = "stream", .kind = word, .doc = "stdout where it is absent", .words = stream_words},
              {.name = "offset", .kind = natural, .doc = "bytes to pass over; to resume: Weir-Log-Next, or the offset plus the bytes read"},
              {.name = "generation", .kind = natural, .doc = "the present or last one where it is absent", .max = UINT32_MAX},
              {.name = "node_rank", .kind = natural, .doc = "of the gang; 0 where it is absent", .max = UINT32_MAX},
              {.name = "rank", .kind = natural, .doc = "process of that node, its LOCAL_RANK; 0 where it is absent", .max = UINT32_MAX},
              {.name = "follow", .kind = flag, .doc = "keep the answer open until the task ends"}},
         .answer_type = "text/plain",
         .problems = {404},
         .handler = [&context](http::Request request, http::Reply reply) { get_logs(context, std::move(request), std::move(reply)); }});
    return endpoints;
}

}  // namespace weir::api
