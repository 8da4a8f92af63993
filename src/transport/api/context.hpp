// transport/api/context.hpp: what the handlers share, and the few shapes that they have. Internal to this room.
#pragma once

#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "control/core/access.hpp"
#include "transport/api/api.hpp"
#include "transport/api/data_sizes.hpp"
#include "transport/api/endpoint.hpp"
#include "transport/api/waker.hpp"
#include "transport/api/watch.hpp"
#include "transport/api/worker.hpp"

#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <fmt/format.h>

#include <atomic>
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::api {

/// The journal, for several threads.
class JournalText {
public:
    explicit JournalText(ports::JournalReader* journal) : journal_{journal} {}
    [[nodiscard]] bool there() const { return journal_ != nullptr; }
    /// At most `most` records from `from` on.
    [[nodiscard]] ports::JournalResult<std::vector<ports::Record>> read(std::uint64_t from, std::size_t most);

private:
    std::mutex mutex_;
    ports::JournalReader* journal_;
};

struct Context {
    Context(World the_world, Options the_options);

    World world;
    Options options;
    std::mutex limiter_mutex;
    http::RateLimiter token_rates;
    http::RateLimiter subject_rates;  ///< By subject or agent. Under limiter_mutex too.
    http::RateLimiter failures;     ///< By address. Under limiter_mutex too.
    JournalText journal;
    Waker waker;
    Worker worker;
    DataSizes data_sizes;
    Worker data_worker;             ///< For what reads and writes the store of files.
    WatchHub watches;
    std::set<std::string, std::less<>> open_routes;   ///< Names of those that ask for no token.
    std::map<std::string, Permission, std::less<>> allowed;  ///< By names of routes: who may ask at all.
    std::vector<Endpoint> endpoints;
    std::string openapi;
    std::atomic<bool> stopping = false;
    std::atomic<std::uint64_t> refused_unauthenticated = 0;
    std::atomic<std::uint64_t> refused_rate = 0;
    std::atomic<std::uint64_t> refused_failures = 0;
};

// ---- who asks

/// Whether the token is there and has not expired; of who was admitted a while ago.
[[nodiscard]] bool still_stands(const control::State& state, const TokenId& token, Instant now);

/// Whom the guard admitted, if the token still stands; else whom the token says.
[[nodiscard]] Result<control::Actor, control::Refusal> actor_of(const control::State& state, const http::Request& request, Instant now);

/// Takes so much of what this token, and its subject or agent with all tokens, may ask; an answer where one asked too much of late.
[[nodiscard]] std::optional<http::Response> charge(Context& context, const control::Actor& actor, std::int64_t cost);

// ---- refusals as problem documents

[[nodiscard]] int status_of(control::RefusalCode code);
[[nodiscard]] std::string_view code_text(control::RefusalCode code);
[[nodiscard]] http::Response refuse(const control::Refusal& refusal, std::string_view instance);
/// A problem of the API itself.
[[nodiscard]] http::Response refuse(int status, std::string_view code, std::string detail, std::string_view instance,
                                    std::string_view field = {});
/// What the decoder found.
[[nodiscard]] http::Response refuse(const codec::Problems& problems, std::string_view instance);
[[nodiscard]] int status_of(const codec::Problems& problems);

[[nodiscard]] inline control::Refusal not_found(std::string message, std::string field = {}) {
    return {control::RefusalCode::not_found, std::move(message), std::move(field), {}};
}

// ---- reading a request

/// What is wrong with the query, or nothing.
[[nodiscard]] std::optional<http::Response> check_query(const std::vector<Parameter>& known, const http::Request& request);
/// A natural number of the query; the check has been made.
[[nodiscard]] std::optional<std::uint64_t> natural(const http::Request& request, std::string_view name);
[[nodiscard]] std::string_view word(const http::Request& request, std::string_view name);
[[nodiscard]] bool flag(const http::Request& request, std::string_view name);
[[nodiscard]] std::size_t page_limit(const http::Request& request);
/// The body as a tree: JSON, or YAML where the route takes it.
/// Whether the body is a file that a person wrote, and not what a program sends.
[[nodiscard]] bool is_yaml(const http::Request& request);
[[nodiscard]] Result<codec::Value, http::Response> read_body(const http::Request& request, bool takes_yaml);
/// The Idempotency-Key, or empty.
[[nodiscard]] Result<std::string, http::Response> key_of(const http::Request& request);

template <class T>
[[nodiscard]] Result<T, http::Response> decode_body(const http::Request& request, bool takes_yaml = false) {
    auto value = read_body(request, takes_yaml);
    if (!value) return fail(std::move(value).error());
    if constexpr (requires(const codec::Value& document) { T::flaws_of(document, "body"); }) {
        const auto flaws = is_yaml(request) ? T::flaws_of(*value, "body") : codec::Problems{};
        if (!flaws.empty()) return fail(refuse(flaws, request.target));
    }
    auto decoded = codec::decode<T>(*value, "body");
    if (!decoded) return fail(refuse(decoded.error(), request.target));
    return std::move(*decoded);
}

/// Cursors are opaque to clients: a text that only cursor_of() makes and from_cursor() takes. One is good for the list of its path alone.
[[nodiscard]] std::string cursor_of(const http::Request& request, std::string_view position);
/// The position that the cursor of the query means; nothing where there is none, or none of this list.
[[nodiscard]] std::optional<std::string> from_cursor(const http::Request& request);

// ---- answering

/// 200 with the revision as header and ETag; 304 where the asker has it. `views`: the watermark, where the answer is theirs too.
[[nodiscard]] http::Response show(std::string json, std::uint64_t revision, const http::Request& request, std::uint64_t views = 0);

/// What a question sees.
struct View {
    const control::Core& core;
    const control::State& state;
    const control::Actor& actor;
    const http::Request& request;
    Instant now;
};

/// Answers from the reader's state: the function prints JSON under the reader's lock.
using Question = std::move_only_function<Result<std::string, control::Refusal>(const View&) const>;
[[nodiscard]] http::Handler asking(Context& context, Question question);

/// Waits for ?min_revision= where it is given, then goes on with the request, or answers that it did not come.
void when_shown(Context& context, http::Request request, http::Reply reply, std::move_only_function<void(http::Request, http::Reply)> then);

/// Answers from the worker's thread, where a question may block; 503 where too many wait for it already.
void later(Context& context, http::Request request, http::Reply reply,
           std::move_only_function<http::Response(const http::Request&)> answer);

/// The same for what reads or writes the store of files, on its own thread. The answer may come later than the call returns.
void later_with_data(Context& context, http::Request request, http::Reply reply,
                     std::move_only_function<void(http::Request, http::Reply)> answer);

/// A change that a handler has read from its request.
struct Change {
    control::Command command;
    std::string canonical{};                      ///< Of the body: the same request has the same text.
    std::string location{};                       ///< Path of what is made, without its id; empty: none.
    /// Prints the answer; empty: Made.
    std::function<std::string(const control::Accepted&, std::uint64_t revision)> print{};
};
/// Sends the change through the loop and answers once it is durable. `created`: 201 where it is new.
void submit(Context& context, const http::Request& request, http::Reply reply, control::Actor actor, Change change, bool created);

/// A handler that reads a Body and makes a Change of it.
template <class Body>
[[nodiscard]] http::Handler changing(Context& context, bool created,
                                     std::function<Result<Change, http::Response>(const control::Actor&, const http::Request&, Body)> make,
                                     bool takes_yaml = false) {
    return [&context, created, takes_yaml, make = std::move(make)](http::Request request, http::Reply reply) {
        const auto now = context.world.wall();
        auto actor = context.world.reader.ask([&](const control::Core& core) { return actor_of(core.state, request, now); });
        if (!actor) return reply(refuse(actor.error(), request.target));
        auto body = decode_body<Body>(request, takes_yaml);
        if (!body) return reply(std::move(body).error());
        auto change = make(*actor, request, std::move(*body));
        if (!change) return reply(std::move(change).error());
        submit(context, request, std::move(reply), std::move(*actor), std::move(*change), created);
    };
}

/// The same for a request that has no body.
[[nodiscard]] http::Handler changing_without_body(
    Context& context, std::function<Result<Change, http::Response>(const control::Actor&, const http::Request&)> make);

// ---- the shapes that most endpoints have: `about` says the rest

/// A question that shows one T.
template <class T>
[[nodiscard]] Endpoint showing(Context& context, Endpoint about, Question question) {
    about.query.push_back(min_revision_parameter);
    about.answer = schema_of<T>;
    about.handler = asking(context, std::move(question));
    return about;
}

/// A question that shows a page of Ts.
template <class T>
[[nodiscard]] Endpoint listing(Context& context, Endpoint about, Question question) {
    about.query.insert(about.query.end(), {limit_parameter, cursor_parameter});
    return showing<Page<T>>(context, std::move(about), std::move(question));
}

/// A POST that makes what its Body describes; `make` is called with the actor, the request and the body.
template <class Body, class Answer = Made, class Make>
[[nodiscard]] Endpoint making(Context& context, Endpoint about, Make make) {
    about.method = http::Method::post;
    about.body = schema_of<Body>;
    about.answer = schema_of<Answer>;
    about.success = 201;
    about.handler = changing<Body>(context, true, std::move(make), about.takes_yaml);
    return about;
}

/// A PUT that sets what its Body describes.
template <class Body, class Make>
[[nodiscard]] Endpoint setting(Context& context, Endpoint about, Make make) {
    about.method = http::Method::put;
    about.body = schema_of<Body>;
    about.answer = schema_of<Made>;
    about.handler = changing<Body>(context, false, std::move(make), about.takes_yaml);
    return about;
}

/// A new id of this instant.
[[nodiscard]] Uid new_uid(Context& context);

// ---- what may be seen beyond a project (control's may_see)

/// The organisations of the projects that the actor may see.
[[nodiscard]] std::set<OrganisationName> organisations_seen(const control::State& state, const control::Actor& actor);
/// Those who work for the whole network see every organisation.
[[nodiscard]] bool sees_all_organisations(const control::State& state, const control::Actor& actor);
[[nodiscard]] bool may_see_organisation(const control::State& state, const control::Actor& actor, const OrganisationName& name);

/// What a ledger is, in words: cash, or of which programme.
[[nodiscard]] std::string title_of(const control::State& state, ledger::LedgerId ledger);

// ---- the routes, by their files

[[nodiscard]] std::vector<Endpoint> people_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> site_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> agent_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> job_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> job_list_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> estimate_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> object_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> log_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> money_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> statement_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> data_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> file_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> journal_endpoints(Context& context);
[[nodiscard]] std::vector<Endpoint> system_endpoints(Context& context);

/// Entries looked at for one page, so that a rare filter does not hold the reader's lock: a page of it is short and its
/// cursor goes on.
inline constexpr std::size_t looked_at_max = 20'000;

/// The words of an enumeration, for a parameter that is one of them.
template <class E>
[[nodiscard]] std::span<const std::string_view> words_of() {
    static const auto all = [] {
        std::vector<std::string_view> names;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto one) { names.push_back(codec::name_of(one.value)); });
        return names;
    }();
    return all;
}

/// Whether an item of a list is wanted by a filter that asks for one value of something: without it every item is.
[[nodiscard]] inline bool wants(const View& view, std::string_view parameter, std::string_view is) {
    const auto asked = word(view.request, parameter);
    return asked.empty() || asked == is;
}

/// One page of a map, from the key after the cursor on. `make` gives an item, or nothing to pass over the entry.
template <class T, class Map, class Make>
[[nodiscard]] Page<T> page_of(const Map& map, const View& view, Make&& make) {
    Page<T> page;
    page.revision = view.state.revision;
    const auto limit = page_limit(view.request);
    constexpr bool plain = std::same_as<typename Map::key_type, std::string>;
    auto at = map.begin();
    if (const auto cursor = from_cursor(view.request)) {
        if constexpr (plain) {
            at = map.upper_bound(*cursor);
        } else if (const auto key = Map::key_type::parse(*cursor)) {
            at = map.upper_bound(*key);
        }
    }
    for (std::size_t looked_at = 0; at != map.end() && page.items.size() < limit && looked_at < looked_at_max; ++at, ++looked_at) {
        if (auto item = make(at->first, at->second)) page.items.push_back(std::move(*item));
    }
    if (at != map.end() && at != map.begin()) {
        const auto& last = std::prev(at)->first;
        if constexpr (plain) {
            page.next_cursor = cursor_of(view.request, last);
        } else {
            page.next_cursor = cursor_of(view.request, last.text());
        }
    }
    return page;
}

}  // namespace weir::api
