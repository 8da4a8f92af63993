#include "transport/api/api.hpp"

#include "transport/api/context.hpp"

#include <iterator>
#include <memory>
#include <stdexcept>

namespace weir::api {

Digest hash_of_secret(std::string_view secret) { return sha256(secret); }

std::string secret_of(std::span<const std::uint8_t, 32> chance) {
    Digest digits;
    std::ranges::copy(chance, digits.bytes.begin());
    return "weir_" + digits.text();
}

namespace {

/// Checks the query before the handler sees it.
http::Handler checked(std::vector<Parameter> known, http::Handler handler) {
    return [known = std::move(known), handler = std::move(handler)](http::Request request, http::Reply reply) {
        if (auto refusal = check_query(known, request)) return reply(std::move(*refusal));
        handler(std::move(request), std::move(reply));
    };
}

std::vector<Endpoint> all_endpoints(Context& context) {
    std::vector<Endpoint> all;
    for (auto* const part :
         {&people_endpoints, &site_endpoints, &agent_endpoints, &job_endpoints, &job_list_endpoints, &estimate_endpoints, &object_endpoints,
          &log_endpoints, &money_endpoints, &statement_endpoints, &data_endpoints, &file_endpoints,
          &journal_endpoints, &system_endpoints}) {
        std::ranges::move((*part)(context), std::back_inserter(all));
    }
    return all;
}

/// The address of `127.0.0.1:40312` or `[::1]:40312`.
std::string_view address_of(std::string_view remote) { return remote.substr(0, remote.rfind(':')); }

/// One more request from there whose token is not good; an answer where there were too many of late. Good tokens are not
/// held up by their neighbours' failures: many people share an address, and a secret of 256 bits is not guessed.
std::optional<http::Response> count_failure(Context& context, const http::Request& request, Instant steady) {
    const auto taken = [&] {
        const std::lock_guard lock{context.limiter_mutex};
        return context.failures.take(address_of(request.remote), steady);
    }();
    if (taken) return std::nullopt;
    context.refused_failures.fetch_add(1);
    const auto& rate = context.options.failures;
    return http::too_many_requests(
        taken.error(),
        fmt::format("requests without a good token came from {} too often: {} a second are answered, {} at once; log in again, "
                    "or ask in {}",
                    address_of(request.remote), rate.per_second, rate.burst, format_duration(taken.error())));
}

/// What a header may not say: one of two is not the one that was meant, and a packed body cannot be read.
std::optional<http::Response> check_headers(const http::Request& request) {
    for (const std::string_view name : {"Authorization", "Idempotency-Key", "Content-Type", "Content-Encoding", "Last-Event-ID"}) {
        if (request.headers.count(name) > 1)
            return refuse(400, "repeated_header",
                          fmt::format("the header {} came {} times; send it once", name, request.headers.count(name)), request.target,
                          name);
    }
    const auto coding = request.header("Content-Encoding");
    if (!coding || http::same_name(*coding, "identity")) return std::nullopt;
    auto refusal = refuse(415, "unsupported_content_encoding",
                          fmt::format("the body is packed as {} and must be sent as it is; leave Content-Encoding out",
                                      coding->substr(0, 40)),
                          request.target, "Content-Encoding");
    refusal.headers.emplace_back("Accept-Encoding", "identity");
    return refusal;
}

/// Those without whom nothing works: agents, and who has an office in the network.
bool is_privileged(const control::State& state, const control::Actor& actor) {
    return actor.kind == control::Actor::Kind::agent || state.network_roles.contains(actor.subject);
}

/// What is asked before a body is read: is the token good, and has it not asked too often?
std::optional<http::Response> admit(Context& context, http::Request& request, const http::Route& route) {
    if (context.open_routes.contains(route.options.name)) {
        request.holder.name = address_of(request.remote);
        return std::nullopt;
    }
    if (auto refusal = check_headers(request)) return refusal;
    const auto now = context.world.wall();
    const auto& allowed = context.allowed.find(route.options.name);
    Result<void, control::Refusal> permitted;
    auto actor = context.world.reader.ask([&](const control::Core& core) {
        auto found = actor_of(core.state, request, now);
        if (!found) return found;
        // An agent needs three connections. What should run may be megabytes, which wait in memory for who does not read.
        constexpr std::size_t of_an_agent = 32;
        request.holder = {.name = found->text(),
                          .privileged = is_privileged(core.state, *found),
                          .connections_max = found->kind == control::Actor::Kind::agent ? of_an_agent : 0};
        if (allowed != context.allowed.end()) permitted = allowed->second(core.state, *found, request);
        return found;
    });
    if (!actor) {
        context.refused_unauthenticated.fetch_add(1);
        if (auto too_often = count_failure(context, request, context.world.steady())) return too_often;
        return refuse(actor.error(), request.target);
    }
    auto too_often = charge(context, *actor, 1);
    // Who asks too often, or for what is not his, is known all the same.
    request.caller = std::make_shared<const control::Actor>(std::move(*actor));
    if (!too_often && !permitted) return refuse(permitted.error(), request.target);
    return too_often;
}

}  // namespace

Api::Api(World world, Options options) : context_{std::make_unique<Context>(std::move(world), std::move(options))} {
    context_->endpoints = all_endpoints(*context_);
    context_->openapi = openapi_document(context_->endpoints, context_->options.build);
    for (const auto& endpoint : context_->endpoints) {
        if (!endpoint.needs_token) context_->open_routes.insert(endpoint.name);
        if (endpoint.allowed) context_->allowed.emplace(endpoint.name, endpoint.allowed);
    }
}

Api::~Api() { stop(); }

http::Router Api::router() {
    http::Router router;
    for (auto& endpoint : context_->endpoints) {
        http::Route route;
        route.method = endpoint.method;
        route.pattern = endpoint.pattern;
        route.handler = checked(endpoint.query, std::move(endpoint.handler));
        route.options.max_body = endpoint.max_body;
        route.options.reply_within = endpoint.reply_within;
        route.options.name = endpoint.name;
        // The table of routes is the program's own: a refusal is a mistake in it that no run survives.
        if (!router.add(std::move(route))) throw std::logic_error{"route " + endpoint.name + " is refused"};
    }
    return router;
}

void Api::guard(http::ServerOptions& options) {
    options.admit = [context = context_.get()](http::Request& request, const http::Route& route) {
        return admit(*context, request, route);
    };
}

const std::string& Api::openapi() const { return context_->openapi; }

void Api::stop() {
    context_->stopping = true;
    context_->waker.stop();
    context_->worker.stop();
    context_->data_worker.stop();
    context_->watches.stop();
}

}  // namespace weir::api
