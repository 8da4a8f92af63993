#include "transport/api/context.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::api {

using control::Refusal;
using control::RefusalCode;

ports::JournalResult<std::vector<ports::Record>> JournalText::read(std::uint64_t from, std::size_t most) {
    const std::lock_guard lock{mutex_};
    return journal_->read(from, most, 8U << 20U);
}

namespace {

/// Of a job that the core had forgotten at that revision; empty where the views do not know it either, nothing where they cannot tell now.
std::optional<ProjectName> project_of_old(const World& world, const JobId& job, std::uint64_t forgotten_at) {
    if (world.history == nullptr) return ProjectName{};
    const auto told_upto = world.history->watermark();  // Before the question: they may come further meanwhile.
    const auto found = world.history->job(job);
    if (found && *found) return (*found)->job.project;
    const bool is_told = found && told_upto >= forgotten_at;  // They know what has ended, and while they are built again they are behind.
    return is_told ? std::optional{ProjectName{}} : std::nullopt;
}

/// Two tokens' worth: who has a script that asks without end can still ask with another.
http::Rate of_all_tokens(const http::Rate& of_one) { return {.per_second = 2 * of_one.per_second, .burst = 2 * of_one.burst}; }

}  // namespace

Context::Context(World the_world, Options the_options)
    : world{std::move(the_world)},
      options{std::move(the_options)},
      token_rates{options.rate, options.rates_remembered},
      subject_rates{of_all_tokens(options.rate), options.rates_remembered},
      failures{options.failures, options.addresses_remembered},
      journal{world.journal},
      waker{world.reader, world.steady, options.waiting_max},
      worker{{options.questions_max, options.questions_each}},
      data_worker{{options.questions_max, options.questions_each}},
      watches{world.reader, journal,
              [this](const JobId& job, std::uint64_t forgotten_at) { return project_of_old(world, job, forgotten_at); }, world.wall,
              options.watches_max} {}

// ---- who asks

bool still_stands(const control::State& state, const TokenId& token, Instant now) {
    const auto found = state.tokens.find(token);
    return found != state.tokens.end() && (!found->second.expires_at || *found->second.expires_at > now);
}

Result<control::Actor, Refusal> actor_of(const control::State& state, const http::Request& request, Instant now) {
    if (request.caller != nullptr) {
        const auto& admitted = *static_cast<const control::Actor*>(request.caller.get());
        if (still_stands(state, admitted.token, now)) return admitted;
    }
    const auto secret = request.bearer_token();
    if (!secret)
        return fail(Refusal{RefusalCode::unauthenticated, "no token came; send the header Authorization: Bearer and a token", {}, {}});
    return control::authenticate(state, hash_of_secret(*secret), now);
}

std::optional<http::Response> charge(Context& context, const control::Actor& actor, std::int64_t cost) {
    const auto steady = context.world.steady();
    const auto too_often = [&](const std::string& who, const http::Rate& rate, Duration wait) {
        context.refused_rate.fetch_add(1);
        return http::too_many_requests(
            wait, fmt::format("{} may ask {} times a second, {} at once, and this counts as {}; ask again in {}", who, rate.per_second,
                              rate.burst, cost, format_duration(std::max(wait, milliseconds(1)))));
    };
    const std::lock_guard lock{context.limiter_mutex};
    // The token first: what is refused to it takes nothing from the others of its subject.
    auto& tokens = context.token_rates;
    const auto token = actor.token.text();
    if (const auto taken = tokens.take(token, steady, cost); !taken) return too_often(token, tokens.rate(), taken.error());
    auto& subjects = context.subject_rates;
    const auto subject = actor.text();
    if (const auto taken = subjects.take(subject, steady, cost); !taken)
        return too_often(subject + " with all tokens together", subjects.rate(), taken.error());
    return std::nullopt;
}

// ---- refusals

int status_of(RefusalCode code) {
    switch (code) {
        case RefusalCode::unauthenticated: return 401;
        case RefusalCode::insufficient_funds:
        case RefusalCode::cap_reached:
        case RefusalCode::budget_exceeded: return 402;
        case RefusalCode::forbidden:
        case RefusalCode::suspended: return 403;
        case RefusalCode::not_found: return 404;
        case RefusalCode::already_exists_different:
        case RefusalCode::already_finished:
        case RefusalCode::not_movable:
        case RefusalCode::stale_sequence:
        case RefusalCode::key_reused: return 409;
        case RefusalCode::limit_reached:
        case RefusalCode::queue_full: return 429;
        case RefusalCode::shutting_down: return 503;
        case RefusalCode::too_large: return 413;
        case RefusalCode::id_too_old:
        case RefusalCode::id_from_the_future:
        case RefusalCode::bad_value:
        case RefusalCode::unknown_model:
        case RefusalCode::never_fits:
        case RefusalCode::dependency_failed:
        case RefusalCode::funding_not_eligible: return 422;
    }
    return 422;
}

std::string_view code_text(RefusalCode code) { return codec::name_of(code); }

namespace {

/// How long to wait before the same request may go better, in seconds; 0: it will not by waiting.
std::int64_t retry_after_s(RefusalCode code) {
    if (code == RefusalCode::queue_full) return 1;
    if (code == RefusalCode::shutting_down) return 5;
    return code == RefusalCode::limit_reached ? 60 : 0;
}

http::Problem problem(int status, std::string_view code, std::string detail, std::string_view instance, std::string_view field) {
    http::Problem made;
    made.type = http::problem_type(code);
    made.title = std::string{code};
    std::ranges::replace(made.title, '_', ' ');
    made.status = status;
    made.detail = std::move(detail);
    made.instance = std::string{instance};
    if (!field.empty()) made.members.push_back({"field", std::string{field}});
    return made;
}

http::Response answer(const http::Problem& document) {
    auto response = http::Response::problem(document).with_header("Cache-Control", "no-store");
    if (document.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"weir\"");
    return response;
}

/// Where a document cannot be read at all, rather than says what it may not.
bool is_unreadable(codec::Fault fault) {
    return fault == codec::Fault::bad_syntax || fault == codec::Fault::bad_utf8 || fault == codec::Fault::too_deep ||
           fault == codec::Fault::duplicate_key;
}

std::string_view fault_name(codec::Fault fault) {
    switch (fault) {
        case codec::Fault::bad_syntax: return "bad_syntax";
        case codec::Fault::bad_utf8: return "bad_utf8";
        case codec::Fault::too_large: return "too_large";
        case codec::Fault::too_deep: return "too_deep";
        case codec::Fault::duplicate_key: return "duplicate_key";
        case codec::Fault::out_of_range: return "out_of_range";
        case codec::Fault::unknown_field: return "unknown_field";
        case codec::Fault::missing_field: return "missing_field";
        case codec::Fault::wrong_type: return "wrong_type";
        case codec::Fault::not_one_of: return "not_one_of";
        case codec::Fault::too_long: return "too_long";
        case codec::Fault::too_short: return "too_short";
        case codec::Fault::bad_format: return "bad_format";
    }
    return "bad_value";
}

std::string listed(const codec::Problems& problems) {
    std::string out = "[";
    for (const auto& one : problems) {
        if (out.size() > 1) out += ',';
        out += R"({"field":)";
        http::append_json_string(out, one.path);
        out += fmt::format(R"(,"line":{},"column":{},"code":"{}","message":)", one.line, one.column, fault_name(one.code));
        http::append_json_string(out, one.message);
        out += '}';
    }
    return out + "]";
}

}  // namespace

http::Response refuse(const Refusal& refusal, std::string_view instance) {
    auto document = problem(status_of(refusal.code), code_text(refusal.code), refusal.message, instance, refusal.field);
    if (!refusal.clause.empty()) document.members.push_back({"clause", refusal.clause});
    const auto wait_s = retry_after_s(refusal.code);
    if (wait_s > 0) document.members.push_back({"retry_after_s", wait_s});
    auto response = answer(document);
    if (wait_s > 0) response.headers.emplace_back("Retry-After", std::to_string(wait_s));
    return response;
}

http::Response refuse(int status, std::string_view code, std::string detail, std::string_view instance, std::string_view field) {
    return answer(problem(status, code, std::move(detail), instance, field));
}

int status_of(const codec::Problems& problems) {
    const auto fault = problems.front().code;
    return is_unreadable(fault) ? 400 : fault == codec::Fault::too_large ? 413 : 422;
}

http::Response refuse(const codec::Problems& problems, std::string_view instance) {
    const auto status = status_of(problems);
    const auto code = status == 400 ? "unreadable_body" : status == 413 ? "body_too_large" : "bad_value";
    std::string detail;
    for (const auto& one : problems) {
        if (!detail.empty()) detail += "; ";
        detail += one.path.empty() ? one.message : one.path + ": " + one.message;
    }
    auto document = problem(status, code, std::move(detail), instance, problems.front().path);
    document.members.push_back({"problems", http::RawJson{listed(problems)}});
    return answer(document);
}

// ---- reading a request

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

std::string names_of(const std::vector<Parameter>& known) {
    std::string out;
    for (const auto& one : known) out += (out.empty() ? "" : ", ") + std::string{one.name};
    return out.empty() ? "none" : out;
}

/// What is wrong with a value, as the end of a sentence; empty where nothing is.
std::string flaw_of(const Parameter& parameter, std::string_view value, const http::Request& request) {
    switch (parameter.kind) {
        case Parameter::Kind::natural: {
            const auto number = number_of(value);
            const std::uint64_t least = parameter.name == "limit" ? 1 : 0;
            if (number && *number >= least && *number <= parameter.max) return {};
            return fmt::format("is '{}' and must be a whole number from {} to {}", value.substr(0, 40), least, parameter.max);
        }
        case Parameter::Kind::flag:
            return value == "true" || value == "false" ? "" : fmt::format("is '{}' and must be true or false", value.substr(0, 40));
        case Parameter::Kind::word:
            if (std::ranges::find(parameter.words, value) != parameter.words.end()) return {};
            if (const auto meant = codec::nearest(value.substr(0, 40), parameter.words))
                return fmt::format("is '{}', did you mean {}? It must be one of {}", value.substr(0, 40), *meant,
                                   fmt::join(parameter.words, ", "));
            return fmt::format("is '{}' and must be one of {}", value.substr(0, 40), fmt::join(parameter.words, ", "));
        case Parameter::Kind::text:
            if (parameter.name == "cursor" && !from_cursor(request)) return "is no cursor of this list; start without one";
            return {};
    }
    return {};
}

}  // namespace

std::optional<http::Response> check_query(const std::vector<Parameter>& known, const http::Request& request) {
    std::set<std::string_view> seen;
    for (const auto& [name, value] : request.query) {
        const auto parameter = std::ranges::find(known, name, &Parameter::name);
        if (parameter == known.end()) {
            return refuse(400, "bad_parameter",
                          fmt::format("the parameter '{}' is not known here; those known are: {}", name.substr(0, 40), names_of(known)),
                          request.target, name.substr(0, 40));
        }
        if (!seen.insert(parameter->name).second)
            return refuse(400, "bad_parameter", fmt::format("the parameter {} came twice; send it once", name), request.target, name);
        if (const auto flaw = flaw_of(*parameter, value, request); !flaw.empty()) {
            return refuse(400, "bad_parameter", fmt::format("the parameter {} {}", name, flaw), request.target, name);
        }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> natural(const http::Request& request, std::string_view name) {
    const auto text = request.query_value(name);
    return text ? number_of(*text) : std::nullopt;
}

std::string_view word(const http::Request& request, std::string_view name) {
    return request.query_value(name).value_or(std::string_view{});
}

bool flag(const http::Request& request, std::string_view name) { return word(request, name) == "true"; }

std::size_t page_limit(const http::Request& request) { return static_cast<std::size_t>(natural(request, "limit").value_or(100)); }

namespace {

std::string_view media_type(const http::Request& request) {
    auto type = request.header("Content-Type").value_or("application/json");
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ')) type.remove_suffix(1);
    return type;
}

}  // namespace

bool is_yaml(const http::Request& request) {
    const auto type = media_type(request);
    return http::same_name(type, "application/yaml") || http::same_name(type, "application/x-yaml") || http::same_name(type, "text/yaml");
}

Result<codec::Value, http::Response> read_body(const http::Request& request, bool takes_yaml) {
    const auto type = media_type(request);
    const bool json = http::same_name(type, "application/json");
    const bool yaml = is_yaml(request);
    if (!json && !(yaml && takes_yaml)) {
        return fail(refuse(
            415, "unsupported_media_type",
            fmt::format("the body is {} and must be application/json{}", type.substr(0, 80), takes_yaml ? " or application/yaml" : ""),
            request.target));
    }
    const codec::Limits limits{.max_bytes = 32U << 20U, .max_depth = 64, .max_nodes = 2'000'000};
    auto value = json ? codec::read_json(request.body, limits) : codec::read_yaml(request.body, limits);
    if (!value) return fail(refuse(codec::Problems{codec::problem_of(std::move(value).error(), "body")}, request.target));
    return std::move(*value);
}

Result<std::string, http::Response> key_of(const http::Request& request) {
    const auto key = request.header("Idempotency-Key");
    if (!key) return std::string{};
    const bool printable = std::ranges::all_of(*key, [](char c) { return c > ' ' && c < 0x7f; });
    if (key->empty() || key->size() > 128 || !printable) {
        return fail(refuse(422, "bad_value",
                           fmt::format("the Idempotency-Key has {} bytes and must be 1 to 128 visible ASCII characters", key->size()),
                           request.target, "Idempotency-Key"));
    }
    return std::string{*key};
}

namespace {

/// What a cursor to this position of this path's list begins with: a text that was cut, or is of another list, is none. It is no secret
/// and opens nothing: what may be seen is asked anew of each page.
std::string cursor_mark(const http::Request& request, std::string_view position) {
    return "c3" + sha256(fmt::format("{}\n{}", request.path, position)).text().substr(0, 8);
}
constexpr std::size_t cursor_mark_size = 10;

}  // namespace

std::string cursor_of(const http::Request& request, std::string_view position) {
    std::string out = cursor_mark(request, position);
    for (const char c : position) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

std::optional<std::string> from_cursor(const http::Request& request) {
    const auto cursor = word(request, "cursor");
    if (cursor.size() % 2 != 0 || cursor.size() <= cursor_mark_size || cursor.size() > 512) return std::nullopt;
    std::string position;
    for (std::size_t i = cursor_mark_size; i < cursor.size(); i += 2) {
        unsigned byte = 0;
        const auto [end, error] = std::from_chars(cursor.data() + i, cursor.data() + i + 2, byte, 16);
        if (error != std::errc{} || end != cursor.data() + i + 2) return std::nullopt;
        position += static_cast<char>(byte);
    }
    if (!cursor.starts_with(cursor_mark(request, position))) return std::nullopt;
    return position;
}

// ---- answering

namespace {

/// Whether the list of an If-None-Match names the tag: `"r1", W/"r2"`, or `*`. Compared weakly, as RFC 9110 says.
bool names_tag(std::string_view list, std::string_view tag) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        auto one = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
        while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
        while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
        if (one.starts_with("W/")) one.remove_prefix(2);
        if (one == tag || one == "*") return true;
    }
    return false;
}

}  // namespace

http::Response show(std::string json, std::uint64_t revision, const http::Request& request, std::uint64_t views) {
    const auto tag = views == 0 ? fmt::format("\"r{}\"", revision) : fmt::format("\"r{}-v{}\"", revision, views);
    auto response = names_tag(request.header("If-None-Match").value_or(""), tag) ? http::Response::empty(304)
                                                                                 : http::Response::json(200, std::move(json));
    response.headers.emplace_back("ETag", tag);
    response.headers.emplace_back("Weir-Revision", std::to_string(revision));
    response.headers.emplace_back("Cache-Control", "private, no-cache");
    response.headers.emplace_back("Vary", "Authorization");
    return response;
}

void when_shown(Context& context, http::Request request, http::Reply reply,
                std::move_only_function<void(http::Request, http::Reply)> then) {
    const auto wanted = natural(request, "min_revision").value_or(0);
    if (wanted == 0 || context.world.reader.revision() >= wanted) return then(std::move(request), std::move(reply));
    context.waker.wait(
        [wanted](const control::Core& core) { return core.state.revision >= wanted; }, context.options.revision_wait,
        [&context, wanted, request = std::move(request), reply = std::move(reply), then = std::move(then)](bool met) mutable {
            if (met) return then(std::move(request), std::move(reply));
            // The revision is told only to who may still ask: the wait was long enough for a token to end.
            const auto now = context.world.wall();
            const auto actor = context.world.reader.ask([&](const control::Core& core) { return actor_of(core.state, request, now); });
            if (!actor) return reply(refuse(actor.error(), request.target));
            auto late = refuse(503, "revision_not_reached",
                               fmt::format("revision {} was asked and {} is here; ask again, or for a smaller one", wanted,
                                           context.world.reader.revision()),
                               request.target, "min_revision");
            late.headers.emplace_back("Retry-After", "1");
            reply(std::move(late));
        });
}

http::Handler asking(Context& context, Question question) {
    auto shared = std::make_shared<const Question>(std::move(question));
    return [&context, shared](http::Request asked, http::Reply answer_to) {
        when_shown(context, std::move(asked), std::move(answer_to), [&context, shared](http::Request request, http::Reply reply) {
            const auto now = context.world.wall();
            std::uint64_t revision = 0;
            auto text = context.world.reader.ask([&](const control::Core& core) -> Result<std::string, Refusal> {
                revision = core.state.revision;
                auto actor = actor_of(core.state, request, now);
                if (!actor) return fail(std::move(actor).error());
                return (*shared)(View{core, core.state, *actor, request, now});
            });
            reply(text ? show(std::move(*text), revision, request) : refuse(text.error(), request.target));
        });
    };
}

namespace {

/// Goes on with the request on a worker's thread; `about` is what it has to do with.
void on_worker(Context& context, Worker& worker, std::string_view about, http::Request request, http::Reply reply,
               std::move_only_function<void(http::Request, http::Reply)> then) {
    // The reply is shared for the one case in which the task is not taken.
    const auto to = std::make_shared<http::Reply>(std::move(reply));
    const auto target = request.target;
    const auto who = request.holder.name;
    const auto& options = context.options;
    const auto busy = [target](std::string detail) {
        auto refusal = refuse(503, "too_many_questions", std::move(detail), target);
        refusal.headers.emplace_back("Retry-After", "1");
        return refusal;
    };
    const auto asked_at = context.world.steady();
    const auto posted = worker.post(who, [&context, to, busy, asked_at, about, request = std::move(request),
                                          then = std::move(then)]() mutable {
        if (request.is_given_up()) return (*to)(busy("nobody waits for this answer any more"));
        const auto waited = context.world.steady() - asked_at;
        if (waited > context.options.question_wait)
            return (*to)(busy(fmt::format("this question to {} waited {}, and {} is the most; ask again in a second", about,
                                          format_duration(waited), format_duration(context.options.question_wait))));
        then(std::move(request), std::move(*to));
    });
    if (posted == Worker::Posted::too_many_of_one)
        return (*to)(busy(fmt::format("{} questions of {} to {} wait already, which is the most of one; ask again in a second",
                                      options.questions_each, who, about)));
    if (posted == Worker::Posted::too_many)
        return (*to)(busy(fmt::format("{} questions to {} wait already; ask again in a second", options.questions_max, about)));
}

}  // namespace

void later(Context& context, http::Request request, http::Reply reply,
           std::move_only_function<http::Response(const http::Request&)> answer) {
    on_worker(context, context.worker, "views and logs", std::move(request), std::move(reply),
              [answer = std::move(answer)](const http::Request& again, http::Reply to) mutable { to(answer(again)); });
}

void later_with_data(Context& context, http::Request request, http::Reply reply,
                     std::move_only_function<void(http::Request, http::Reply)> answer) {
    on_worker(context, context.data_worker, "the store of files", std::move(request), std::move(reply), std::move(answer));
}

void submit(Context& context, const http::Request& request, http::Reply reply, control::Actor actor, Change change, bool created) {
    auto key = key_of(request);
    if (!key) return reply(std::move(key).error());
    control::Request wanted;
    wanted.actor = std::move(actor);
    wanted.command = std::move(change.command);
    if (!key->empty()) wanted.body = sha256(fmt::format("{} {}\n{}", http::name_of(request.method), request.path, change.canonical));
    wanted.key = std::move(*key);
    context.world.loop.submit(
        std::move(wanted), [reply = std::move(reply), print = std::move(change.print), location = std::move(change.location),
                            target = request.target, created](control::Answer answer, std::uint64_t revision) mutable {
            if (!answer) return reply(refuse(answer.error(), target));
            auto body = print ? print(*answer, revision) : codec::to_json(Made{answer->id, answer->repeated, revision});
            auto response = http::Response::json(created && !answer->repeated ? 201 : 200, std::move(body));
            response.headers.emplace_back("Weir-Revision", std::to_string(revision));
            if (!location.empty()) response.headers.emplace_back("Location", location + answer->id);
            reply(std::move(response));
        }, request.body.size());
}

http::Handler changing_without_body(Context& context,
                                    std::function<Result<Change, http::Response>(const control::Actor&, const http::Request&)> make) {
    return [&context, make = std::move(make)](const http::Request& request, http::Reply reply) {
        const auto now = context.world.wall();
        auto actor = context.world.reader.ask([&](const control::Core& core) { return actor_of(core.state, request, now); });
        if (!actor) return reply(refuse(actor.error(), request.target));
        if (!request.body.empty())
            return reply(refuse(400, "unexpected_body", fmt::format("{} bytes of body came and this route takes none", request.body.size()),
                                request.target));
        auto change = make(*actor, request);
        if (!change) return reply(std::move(change).error());
        submit(context, request, std::move(reply), std::move(*actor), std::move(*change), false);
    };
}

// ---- what may be seen

std::set<OrganisationName> organisations_seen(const control::State& state, const control::Actor& actor) {
    std::set<OrganisationName> seen;
    for (const auto& [name, project] : state.projects) {
        if (control::may_see_organisation_of(state, actor, name)) seen.insert(project.organisation);
    }
    return seen;
}

bool sees_all_organisations(const control::State& state, const control::Actor& actor) {
    using control::Action;
    return control::permit(state, actor, Action::see_project) || control::permit(state, actor, Action::see_ledger) ||
           control::permit(state, actor, Action::award);
}

bool may_see_organisation(const control::State& state, const control::Actor& actor, const OrganisationName& name) {
    return sees_all_organisations(state, actor) || organisations_seen(state, actor).contains(name);
}

Uid new_uid(Context& context) {
    std::array<std::uint8_t, 16> chance{};
    context.world.random(chance);
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        high = high << 8U | chance[i];
        low = low << 8U | chance[8 + i];
    }
    return make_uid(context.world.wall(), high, low);
}

}  // namespace weir::api
