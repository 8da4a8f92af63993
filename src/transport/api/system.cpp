// What machines ask: the document of the API, metrics, health.
#include "transport/api/context.hpp"

#include <iterator>

namespace weir::api {
namespace {

using http::Method;

/// Prometheus text format 0.0.4.
class Figures {
public:
    void add(std::string_view name, std::string_view kind, std::string_view help, std::uint64_t value) {
        head(name, kind, help);
        fmt::format_to(std::back_inserter(text_), "{} {}\n", name, value);
    }
    void head(std::string_view name, std::string_view kind, std::string_view help) {
        fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
    }
    void line(std::string_view name, std::string_view label, std::string_view value, std::uint64_t number) {
        fmt::format_to(std::back_inserter(text_), "{}{{{}=\"{}\"}} {}\n", name, label, value, number);
    }
    void plain(std::string_view line) { text_ += line; }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string text_;
};

void add_loop(Figures& figures, const Context& context) {
    const auto loop = context.world.loop.figures();
    figures.add("weir_loop_commits_total", "counter", "Batches made durable.", loop.commits);
    figures.add("weir_loop_requests_total", "counter", "Requests carried out, timers included.", loop.requests);
    figures.add("weir_loop_events_total", "counter", "Events made durable.", loop.events);
    figures.add("weir_loop_refused_queue_full_total", "counter", "Requests refused because too many waited.", loop.refused_queue_full);
    figures.add("weir_loop_queued", "gauge", "Requests that wait now.", loop.queued);
    figures.add("weir_loop_queued_bytes", "gauge", "Bytes of them, as they were sent.", loop.queued_bytes);
    figures.add("weir_clock_not_believed", "gauge", "1 while the wall clock has jumped and is not followed, or stands before the journal.",
                context.world.loop.clock_trouble() ? 1 : 0);
}

struct Census {
    std::map<JobState, std::uint64_t> jobs;
    std::uint64_t sites = 0, sites_reachable = 0, nodes = 0, revision = 0, holds = 0, facts_refused = 0;
};

Census count(const control::Core& core) {
    Census census;
    census.jobs = core.state.jobs_by_state;
    for (const auto& [name, site] : core.state.sites) {
        ++census.sites;
        census.sites_reachable += site.reachable ? 1 : 0;
        census.nodes += site.nodes.size();
    }
    census.revision = core.state.revision;
    census.holds = core.state.ledger.hold_count();
    census.facts_refused = core.facts_refused;
    return census;
}

void add_state(Figures& figures, const Context& context) {
    auto census = context.world.reader.ask(count);
    figures.head("weir_jobs", "gauge", "Live jobs by state.");
    for (const auto state : {JobState::queued, JobState::placed, JobState::starting, JobState::running, JobState::checkpointing,
                             JobState::moving}) {
        figures.line("weir_jobs", "state", codec::name_of(state), census.jobs[state]);
    }
    figures.add("weir_sites", "gauge", "Sites registered.", census.sites);
    figures.add("weir_sites_reachable", "gauge", "Sites whose agent reports.", census.sites_reachable);
    figures.add("weir_nodes", "gauge", "Nodes of all sites.", census.nodes);
    figures.add("weir_ledger_holds", "gauge", "Pending transfers of the ledger.", census.holds);
    figures.add("weir_scheduler_facts_refused_total", "counter", "Facts that the scheduler refused: above 0 is a bug.",
                census.facts_refused);
    figures.add("weir_reader_revision", "gauge", "Revision that questions are answered from.", census.revision);
    if (context.world.history != nullptr)
        figures.add("weir_views_revision", "gauge", "Revision that the views have taken in.", context.world.history->watermark());
}

void add_http(Figures& figures, const Context& context) {
    figures.add("weir_api_waiting", "gauge", "Questions that wait for a change.", context.waker.waiting());
    figures.add("weir_api_watches", "gauge", "Open watches.", context.watches.open());
    figures.add("weir_api_unauthenticated_total", "counter", "Requests refused for their token.", context.refused_unauthenticated.load());
    figures.add("weir_api_rate_limited_total", "counter", "Requests refused because their subject asked too often.",
                context.refused_rate.load());
    figures.add("weir_api_failures_limited_total", "counter", "Requests refused because their address sent too many bad tokens.",
                context.refused_failures.load());
    if (!context.world.http_figures) return;
    const auto http = context.world.http_figures();
    figures.add("weir_http_connections_open", "gauge", "Connections open now.", http.connections_open);
    figures.add("weir_http_connections_accepted_total", "counter", "Connections accepted.", http.connections_accepted);
    figures.add("weir_http_connections_refused_total", "counter", "Connections refused at the limit.", http.connections_refused);
    figures.add("weir_http_strangers_closed_total", "counter", "Connections without a good token so far, closed for others at the limit.",
                http.strangers_closed);
    figures.add("weir_http_holders_closed_total", "counter", "Connections of one who held most of them, closed for others at the limit.",
                http.holders_closed);
    figures.add("weir_http_body_bytes", "gauge", "Bytes of the bodies of all requests in flight.", http.body_bytes);
    figures.add("weir_http_bodies_refused_total", "counter", "Bodies refused because all together would have been too large.",
                http.bodies_refused);
    figures.add("weir_http_requests_in_flight", "gauge", "Requests handed to a handler that has not replied.", http.requests_in_flight);
    figures.add("weir_http_streams_open", "gauge", "Streams open now.", http.streams_open);
    figures.add("weir_http_streams_dropped_total", "counter", "Streams ended because the reader was too slow.", http.streams_dropped);
    figures.add("weir_http_timeouts_total", "counter", "Connections or requests that ran into a deadline.", http.timeouts);
    figures.add("weir_http_malformed_total", "counter", "Requests that could not be read.", http.malformed);
    figures.add("weir_http_replies_missing_total", "counter", "Requests whose handler gave no reply.", http.replies_missing);
    figures.add("weir_http_received_bytes_total", "counter", "Bytes received.", http.bytes_received);
    figures.add("weir_http_sent_bytes_total", "counter", "Bytes sent.", http.bytes_sent);
    figures.head("weir_http_responses_total", "counter", "Answers by the first digit of their status.");
    for (std::size_t i = 1; i < http.responses_by_class.size(); ++i)
        figures.line("weir_http_responses_total", "class", fmt::format("{}xx", i), http.responses_by_class[i]);
    figures.head("weir_http_latency_seconds", "histogram", "From the last byte of a request to its reply.");
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < http.latency_counts.size(); ++i) {
        total += http.latency_counts[i];
        const auto bound =
            i < http::latency_bounds_us.size() ? fmt::format("{}", static_cast<double>(http::latency_bounds_us[i]) / 1e6) : "+Inf";
        figures.line("weir_http_latency_seconds_bucket", "le", bound, total);
    }
    figures.plain(fmt::format("weir_http_latency_seconds_sum {}\nweir_http_latency_seconds_count {}\n",
                              static_cast<double>(http.latency_sum_us) / 1e6, total));
}

http::Response metrics(const Context& context) {
    Figures figures;
    figures.head("weir_build_info", "gauge", "The program that answers.");
    figures.line("weir_build_info", "build", context.options.build, 1);
    figures.add("weir_leads", "gauge", "1 while this server leads its network.", !context.world.leads || context.world.leads() ? 1 : 0);
    add_loop(figures, context);
    add_state(figures, context);
    add_http(figures, context);
    auto response = http::Response::text(200, figures.take());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
}

http::Response health(const Context& context) {
    const auto& build = context.options.build;
    return http::Response::text(200, build.empty() ? "ok\n" : fmt::format("ok\nweir {}\n", build));
}

std::optional<std::string> obstacle_of(const Context& context) {
    if (context.stopping.load()) return "the server is stopping; ask its successor";
    if (context.world.readiness) {
        if (auto other = context.world.readiness()) return other;
    }
    if (context.world.loop.is_over()) return "nothing is decided any more: the journal failed or the server is stopping; see its log";
    if (const auto trouble = context.world.loop.clock_trouble()) return trouble->text();
    return std::nullopt;
}

http::Response ready(const Context& context, const http::Request& request) {
    if (const auto obstacle = obstacle_of(context)) return refuse(503, "not_ready", *obstacle, request.target);
    std::string text = "ready\n";
    if (context.world.history != nullptr) {
        // Work is taken and carried out all the same: it is what has ended that is shown late.
        const auto views = context.world.history->watermark();
        const auto revision = context.world.reader.revision();
        if (revision > views && revision - views > context.options.views_behind_told)
            text += fmt::format("the views are {} events behind, more than {}: lists of finished jobs and statements are not up to date\n",
                                revision - views, context.options.views_behind_told);
    }
    return http::Response::text(200, std::move(text));
}

}  // namespace

std::vector<Endpoint> system_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = Method::get,
         .pattern = "/v1/openapi.json",
         .name = "openapi",
         .summary = "This document",
         .needs_token = false,
         .handler = http::answer_with([&context](const http::Request&) { return http::Response::json(200, context.openapi); })});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/metrics",
                         .name = "metrics",
                         .summary = "Figures for Prometheus",
                         .answer_type = "text/plain",
                         .needs_token = false,
                         .handler = http::answer_with([&context](const http::Request&) { return metrics(context); })});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/healthz",
                         .name = "health",
                         .summary = "Whether the process answers, and its version",
                         .answer_type = "text/plain",
                         .needs_token = false,
                         .handler = http::answer_with([&context](const http::Request&) { return health(context); })});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/readyz",
                         .name = "readiness",
                         .summary = "Whether work may be sent here",
                         .answer_type = "text/plain",
                         .problems = {503},
                         .needs_token = false,
                         .handler = http::answer_with([&context](const http::Request& request) { return ready(context, request); })});
    return endpoints;
}

}  // namespace weir::api
