// Jobs: submitted alone or in batches, looked at one by one, cancelled. Lists are in job_lists.cpp, logs in logs.cpp.
#include "transport/api/context.hpp"
#include "transport/api/job_views.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace weir::api {
namespace {

using control::Actor;
using control::Refusal;
using control::RefusalCode;
using control::State;
using http::Method;

Refusal unknown_job(std::string_view text) {
    return not_found(fmt::format("{} is not known here; list yours with: weir job list", text), "job");
}

// ---- submitting

constexpr std::size_t batch_jobs_max = 1'000;
/// So many jobs of a batch count as one more request of their token: at the usual 1,000 a second, 40 full batches take 840.
constexpr std::size_t jobs_per_request = 50;

control::SubmitJob command_of(Context& context, JobForm form) {
    control::SubmitJob command;
    command.id = form.id ? *form.id : JobId{new_uid(context)};
    command.project = std::move(form.project);
    command.spec = std::move(form.spec);
    command.body = sha256(codec::to_json(command.spec));
    return command;
}

/// Asks that a site could run a moment ago: a tenant's jobs are often alike, and looking at every site for each costs time. That none
/// could is not remembered: who adds a site must not be warned of what was.
class KnownToFit {
public:
    /// Why the network could never run this job; none where it could, or who asks may not submit it. As it is now, or was a few seconds
    /// ago.
    std::vector<WhyReason> why_never(Context& context, const Actor& actor, const control::SubmitJob& command) {
        const auto now = context.world.steady();
        auto ask = ask_text(command);
        {
            const std::lock_guard lock{mutex_};
            if (const auto known = known_.find(ask); known != known_.end() && now < known->second) return {};
        }
        auto found = context.world.reader.ask([&](const control::Core& core) -> std::optional<std::vector<WhyReason>> {
            if (!control::permit(core.state, actor, control::Action::submit, command.project)) return std::nullopt;
            return api::why_never(core, command.project, command.spec);
        });
        if (!found) return {};
        if (!found->empty()) return std::move(*found);
        const std::lock_guard lock{mutex_};
        if (known_.size() >= asks_max) known_.clear();
        known_[std::move(ask)] = now + good_for;
        return {};
    }

private:
    static constexpr std::size_t asks_max = 1'000;
    static constexpr Duration good_for = seconds(5);

    /// All of a job that decides where it fits.
    static std::string ask_text(const control::SubmitJob& command) {
        const JobSpec& spec = command.spec;
        auto text = fmt::format("{}\n{}\n{}\n{}\n{}", command.project.value, spec.num_nodes, spec.tier ? static_cast<int>(*spec.tier) : 0,
                                spec.residency, codec::to_json(spec.resources));
        for (const auto& site : spec.trust) text += "\n" + site.value;
        return text;
    }

    std::mutex mutex_;
    std::unordered_map<std::string, Instant> known_;
};

/// A voucher that pays nothing leaves all to the others: whoever named it is told. None where who asks may not submit the job.
std::vector<WhyReason> unused_funding_of(Context& context, const Actor& actor, const control::SubmitJob& command) {
    const JobSpec& spec = command.spec;
    if (std::ranges::none_of(spec.funding, [](const FundingSource& source) { return source.voucher.has_value(); })) return {};
    const auto now = context.world.wall();
    return context.world.reader.ask([&](const control::Core& core) -> std::vector<WhyReason> {
        if (!control::permit(core.state, actor, control::Action::submit, command.project)) return {};
        return unused_funding(core, command.project, spec, now);
    });
}

Result<Change, http::Response> submit_job(Context& context, KnownToFit& known, const Actor& actor, const http::Request& request,
                                          JobForm form) {
    // Only a key needs the text of the whole request: the id is the idempotency record of its job.
    auto canonical = request.header("Idempotency-Key") ? codec::to_json(form) : std::string{};
    auto command = command_of(context, std::move(form));
    auto warnings = known.why_never(context, actor, command);
    for (auto& unused : unused_funding_of(context, actor, command)) warnings.push_back(std::move(unused));
    auto print = [warnings = std::move(warnings)](const control::Accepted& made, std::uint64_t revision) {
        // Of a job that was there already its own holds would be warned of.
        const bool warn = !warnings.empty() && !made.repeated;
        return codec::to_json(JobMade{made.id, made.repeated, revision, warn ? std::optional{warnings} : std::nullopt});
    };
    return Change{std::move(command), std::move(canonical), "/v1/jobs/", std::move(print)};
}

/// The answers of one batch as they come in; the last one sends them.
class Batch {
public:
    Batch(std::size_t count, http::Reply reply) : answer_{std::vector<BatchItem>(count), 0}, open_{count}, reply_{std::move(reply)} {}

    void put(std::size_t index, BatchItem item, std::uint64_t revision) {
        const std::lock_guard lock{mutex_};
        answer_.items[index] = std::move(item);
        answer_.revision = std::max(answer_.revision, revision);
        if (--open_ == 0)
            reply_(http::Response::json(200, codec::to_json(answer_)).with_header("Weir-Revision", std::to_string(answer_.revision)));
    }

private:
    std::mutex mutex_;
    BatchAnswer answer_;
    std::size_t open_;
    http::Reply reply_;
};

BatchItem item_of(const control::Answer& answer) {
    BatchItem item;
    if (answer) {
        item.id = answer->id;
        item.repeated = answer->repeated;
        item.status = answer->repeated ? 200 : 201;
        return item;
    }
    const auto& refusal = answer.error();
    item.status = status_of(refusal.code);
    item.code = std::string{code_text(refusal.code)};
    item.detail = refusal.message;
    if (!refusal.field.empty()) item.field = refusal.field;
    if (!refusal.clause.empty()) item.clause = refusal.clause;
    return item;
}

BatchItem item_of(const codec::Problems& problems) {
    BatchItem item;
    item.status = status_of(problems);
    item.code = "bad_value";
    item.detail = codec::describe(problems.front());
    item.field = problems.front().path;
    return item;
}

/// The list in `{"jobs":[...]}`, or the problem of a body that is anything else.
Result<const codec::Value::Array*, http::Response> jobs_in(const codec::Value& body, const http::Request& request) {
    codec::Report report{.origin = "body", .problems = {}};
    const codec::Place top{report};
    const auto* jobs = body.find("jobs");
    if (body.object() == nullptr || jobs == nullptr || body.object()->size() != 1) {
        top.refuse(body, codec::Fault::missing_field, "must be an object with the one member jobs");
    } else if (jobs->array() == nullptr) {
        top.field("jobs").refuse_type(*jobs, "a list of jobs");
    } else if (jobs->array()->empty() || jobs->array()->size() > batch_jobs_max) {
        top.field("jobs").refuse(
            *jobs, codec::Fault::too_long,
            fmt::format("has {} jobs and must have 1 to {}; send the rest in another batch", jobs->array()->size(), batch_jobs_max));
    }
    if (!report.problems.empty()) return fail(refuse(report.problems, request.target));
    return jobs->array();
}

void submit_batch(Context& context, const http::Request& request, http::Reply reply) {
    const auto now = context.world.wall();
    auto actor = context.world.reader.ask([&](const control::Core& core) { return actor_of(core.state, request, now); });
    if (!actor) return reply(refuse(actor.error(), request.target));
    auto key = key_of(request);
    if (!key) return reply(std::move(key).error());
    auto body = read_body(request, true);
    if (!body) return reply(std::move(body).error());
    auto jobs = jobs_in(*body, request);
    if (!jobs) return reply(std::move(jobs).error());
    // The request itself was counted before its body was read; all of it must fit into a full bucket.
    const auto cost = std::min(static_cast<std::int64_t>((*jobs)->size() / jobs_per_request), context.options.rate.burst - 1);
    if (auto too_often = charge(context, *actor, cost)) return reply(std::move(*too_often));
    const auto batch = std::make_shared<Batch>((*jobs)->size(), std::move(reply));
    const bool yaml = is_yaml(request);
    for (std::size_t i = 0; i < (*jobs)->size(); ++i) {
        const auto origin = fmt::format("jobs[{}]", i);
        if (const auto flaws = yaml ? JobForm::flaws_of((**jobs)[i], origin) : codec::Problems{}; !flaws.empty()) {
            batch->put(i, item_of(flaws), 0);
            continue;
        }
        auto form = codec::decode<JobForm>((**jobs)[i], origin);
        if (!form) {
            batch->put(i, item_of(form.error()), 0);
            continue;
        }
        control::Request wanted;
        wanted.actor = *actor;
        if (!key->empty()) {
            wanted.key = fmt::format("{}.{}", *key, i);
            wanted.body = sha256("POST /v1/jobs:batch\n" + codec::to_json(*form));
        }
        wanted.command = command_of(context, std::move(*form));
        context.world.loop.submit(std::move(wanted), [batch, i](const control::Answer& answer, std::uint64_t revision) {
            batch->put(i, item_of(answer), revision);
        }, request.body.size() / (*jobs)->size());
    }
}

// ---- looking

Result<const control::LiveJob*, Refusal> live_job(const View& view) {
    const auto text = view.request.parameter("job");
    const auto id = JobId::parse(text);
    if (!id) return fail(unknown_job(text));
    const auto found = view.state.jobs.find(*id);
    if (found != view.state.jobs.end() && control::may_see(view.state, view.actor, found->second.project)) return &found->second;
    const auto gone = view.state.finished.find(*id);
    if (gone != view.state.finished.end() && control::may_see(view.state, view.actor, gone->second.project)) {
        return fail(Refusal{RefusalCode::already_finished,
                            fmt::format("{} has {} at {} and waits for nothing", id->text(),
                                        codec::name_of(gone->second.outcome), format_utc(gone->second.finished_at)),
                            "job",
                            {}});
    }
    return fail(unknown_job(text));
}

Result<std::string, Refusal> why(const View& view) {
    const auto* job = WEIR_TRY(live_job(view));
    const bool for_operations = control::permit(view.state, view.actor, control::Action::see_audit).has_value();
    return codec::to_json(why_of(view.core, *job, for_operations, view.now));
}

/// What to print of a job: live, or finished.
struct Printing {
    std::string (*live)(const control::Core&, const control::LiveJob&, Instant now);
    std::string (*finished)(FinishedJob, std::uint64_t revision);
};

std::string print_live_job(const control::Core& core, const control::LiveJob& job, Instant) {
    return codec::to_json(detail_of(job, core.state.revision));
}
std::string print_finished_job(FinishedJob finished, std::uint64_t revision) {
    finished.job.revision = revision;
    return codec::to_json(finished.job);
}
std::string print_live_bill(const control::Core& core, const control::LiveJob& job, Instant now) {
    return codec::to_json(bill_of(core, job, now));
}
std::string print_finished_bill(FinishedJob finished, std::uint64_t revision) {
    return codec::to_json(BillView{finished.job.id, true, std::move(finished.bill), std::move(finished.paid), revision});
}

/// What the core knows of a job before anybody asks the views.
struct Found {
    std::optional<std::string> live;          ///< Printed.
    std::optional<control::Tombstone> gone;   ///< Remembered by its outcome.
    Actor actor;
    std::uint64_t revision = 0;
};

Result<Found, Refusal> look(Context& context, const http::Request& request, std::optional<JobId> id, const Printing& print) {
    const auto now = context.world.wall();
    return context.world.reader.ask([&](const control::Core& core) -> Result<Found, Refusal> {
        Found found{{}, {}, WEIR_TRY(actor_of(core.state, request, now)), core.state.revision};
        if (!id) return fail(unknown_job(request.parameter("job")));
        if (const auto job = core.state.jobs.find(*id); job != core.state.jobs.end()) {
            if (!control::may_see(core.state, found.actor, job->second.project)) return fail(unknown_job(request.parameter("job")));
            found.live = print.live(core, job->second, now);
        } else if (const auto gone = core.state.finished.find(*id); gone != core.state.finished.end()) {
            if (!control::may_see(core.state, found.actor, gone->second.project)) return fail(unknown_job(request.parameter("job")));
            found.gone = gone->second;
        }
        return found;
    });
}

/// The views' answer, or the core's where the views do not have the job yet.
http::Response look_back(Context& context, const http::Request& request, JobId id, const Found& found, const Printing& print) {
    std::optional<FinishedJob> finished;
    std::uint64_t views = 0;
    if (context.world.history != nullptr) {
        views = context.world.history->watermark();
        auto told = context.world.history->job(id);
        if (!told)
            return refuse(503, "history_unavailable", fmt::format("finished jobs cannot be read now: {}; ask again", told.error()),
                          request.target);
        finished = std::move(*told);
    }
    if (finished) {
        const bool seen = context.world.reader.ask(
            [&](const control::Core& core) { return control::may_see(core.state, found.actor, finished->job.project); });
        if (!seen) finished.reset();
    } else if (found.gone) {
        finished.emplace();
        static_cast<JobSummary&>(finished->job) = summary_of(id, *found.gone);
    }
    if (!finished) return refuse(unknown_job(request.parameter("job")), request.target);
    return show(print.finished(std::move(*finished), found.revision), found.revision, request, views);
}

http::Handler looking(Context& context, Printing print) {
    return [&context, print](http::Request asked, http::Reply answer_to) {
        when_shown(context, std::move(asked), std::move(answer_to), [&context, print](http::Request request, http::Reply reply) {
            const auto id = JobId::parse(request.parameter("job"));
            auto found = look(context, request, id, print);
            if (!found) return reply(refuse(found.error(), request.target));
            if (found->live) return reply(show(std::move(*found->live), found->revision, request));
            if (context.world.history == nullptr) return reply(look_back(context, request, *id, *found, print));
            later(context, std::move(request), std::move(reply),
                  [&context, print, id = *id, found = std::move(*found)](const http::Request& again) {
                      return look_back(context, again, id, found, print);
                  });
        });
    };
}

/// Before a body of more than this is read, it is asked whether its sender may submit anything anywhere.
constexpr std::uint64_t large_body_bytes = 64U << 10U;

bool has_large_body(const http::Request& request) {
    if (request.header("Transfer-Encoding")) return true;
    const auto length = request.header("Content-Length").value_or("0");
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
    return error != std::errc{} || bytes > large_body_bytes;
}

/// In which project is told by the body; whether there is one at all is known before it is read.
Result<void, Refusal> may_submit_somewhere(const State& state, const Actor& actor, const http::Request& request) {
    if (!has_large_body(request)) return {};
    Result<void, Refusal> refusal = fail(Refusal{
        RefusalCode::forbidden, "this token's subject may submit jobs in no project; ask an owner to make you a member", {}, {}});
    if (actor.kind == Actor::Kind::agent) return control::permit(state, actor, control::Action::submit);
    for (const auto& [project, members] : state.members) {
        if (!members.contains(actor.subject)) continue;
        auto allowed = control::permit(state, actor, control::Action::submit, project);
        if (allowed) return {};
        refusal = std::move(allowed);
    }
    return refusal;
}

}  // namespace

std::vector<Endpoint> job_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/jobs",
         .name = "submit_job",
         .summary = "Submits a job: checks it, holds its money, queues it",
         .body = schema_of<JobForm>,
         .takes_yaml = true,
         .answer = schema_of<JobMade>,
         .success = 201,
         .problems = {402, 403, 404, 409, 422},
         .handler = changing<JobForm>(
             context, true,
             [&context, known = std::make_shared<KnownToFit>()](const Actor& actor, const http::Request& request, JobForm form) {
                 return submit_job(context, *known, actor, request, std::move(form));
             },
             true),
         .allowed = may_submit_somewhere});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/jobs:batch",
         .name = "submit_jobs",
         .summary = "Submits up to 1000 jobs, each with an answer of its own",
         .body = schema_of<JobBatchForm>,
         .takes_yaml = true,
         .answer = schema_of<BatchAnswer>,
         .problems = {403, 422},
         .max_body = 32U << 20U,
         .handler = [&context](const http::Request& request, http::Reply reply) { submit_batch(context, request, std::move(reply)); },
         .allowed = may_submit_somewhere});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/jobs/{job}",
                         .name = "get_job",
                         .summary = "One job, live or finished",
                         .query = {min_revision_parameter},
                         .answer = schema_of<JobDetail>,
                         .problems = {404},
                         .handler = looking(context, {print_live_job, print_finished_job})});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/jobs/{job}/bill",
                         .name = "get_bill",
                         .summary = "What a job owes so far, or owed in the end, line by line",
                         .query = {min_revision_parameter},
                         .answer = schema_of<BillView>,
                         .problems = {404},
                         .handler = looking(context, {print_live_bill, print_finished_bill})});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/jobs/{job}/why",
                         .name = "why",
                         .summary = "Why a job waits: every reason, and what would change it",
                         .query = {min_revision_parameter},
                         .answer = schema_of<WhyView>,
                         .problems = {404, 409},
                         .handler = asking(context, why)});
    endpoints.push_back(
        {.method = Method::post,
         .pattern = "/v1/jobs/{job}/move",
         .name = "move_job",
         .summary = "Orders a job to go on at another site, or takes that back",
         .body = schema_of<MoveForm>,
         .answer = schema_of<Made>,
         .problems = {403, 404, 409, 422},
         .handler = changing<MoveForm>(
             context, false, [](const Actor&, const http::Request& request, const MoveForm& form) -> Result<Change, http::Response> {
                 const auto id = JobId::parse(request.parameter("job"));
                 if (!id) return fail(refuse(unknown_job(request.parameter("job")), request.target));
                 return Change{control::MoveJob{*id, form.to, form.restart, form.call_off}, codec::to_json(form), {}, {}};
             })});
    endpoints.push_back(
        {.method = Method::del,
         .pattern = "/v1/jobs/{job}",
         .name = "cancel_job",
         .summary = "Cancels a job; what it used is billed, what it holds goes back",
         .answer = schema_of<Made>,
         .problems = {403, 404, 409},
         .handler = changing_without_body(context, [](const Actor&, const http::Request& request) -> Result<Change, http::Response> {
             const auto id = JobId::parse(request.parameter("job"));
             if (!id) return fail(refuse(unknown_job(request.parameter("job")), request.target));
             return Change{control::CancelJob{*id}, {}, {}, {}};
         })});
    return endpoints;
}

}  // namespace weir::api
