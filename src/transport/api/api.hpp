// transport/api/api.hpp: the network's HTTP API: every route under /v1, and the three that machines ask without a token.
//
// It answers: which routes are there, and what must a server do before each? It takes no decision: handlers check who asks,
// read the body, hand a request to control's loop and print what comes back, or print a part of the reader's state. What
// only an operator may see, and which project exists for whom, is control's table (core/access.hpp).
//
//     Api api{world};                              // after reader and loop are there
//     http::ServerOptions options;
//     api.guard(options);                          // tokens and rate limits before any body is read
//     auto server = http::Server::start(api.router(), std::move(options));
//     ...
//     api.stop(); server->stop(grace);             // waiting questions are answered, watches end
//
// An Api must outlive the server that serves its router.
#pragma once

#include "control/data_keeper.hpp"
#include "control/loop.hpp"
#include "control/reader.hpp"
#include "ports/journal.hpp"
#include "transport/api/history.hpp"
#include "transport/api/log_source.hpp"
#include "transport/http/rate_limit.hpp"
#include "transport/http/router.hpp"
#include "transport/http/server/server.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace weir::api {

/// Whether the server may be sent work: nothing, or why not.
using Readiness = std::function<std::optional<std::string>()>;

/// What the API stands on. References and pointers must outlive it. Functions may be called from any thread.
struct World {
    control::Reader& reader;
    control::Loop& loop;
    std::function<Instant()> wall;                            ///< UTC.
    std::function<Instant()> steady;                          ///< Only runs forward.
    std::function<void(std::span<std::uint8_t>)> random;      ///< Fills it with chance that nobody can guess: ids, secrets.
    Readiness readiness{};                                    ///< What else there is to ask; empty: nothing.
    std::function<http::Metrics()> http_figures{};            ///< Of the server that serves this API; empty: not shown.
    std::function<bool()> leads{};                            ///< Whether no other server can lead now; empty: there is no other.
    History* history = nullptr;                               ///< None: finished jobs are known by their outcome alone.
    LogSource* logs = nullptr;                                ///< None: logs are answered with a problem that says so.
    control::DataKeeper* data = nullptr;                      ///< None: this network keeps no files, and says so.
    ports::JournalReader* journal = nullptr;                  ///< For the audit log and old watches; the API's alone to use.
};

struct Options {
    http::Rate rate{.per_second = 1'000, .burst = 2'000};     ///< Of one token; all of a subject or an agent, twice.
    std::size_t rates_remembered = 100'000;                   ///< Buckets of tokens kept at once, and as many of subjects.
    http::Rate failures{.per_second = 5, .burst = 50};        ///< Requests of one address whose token is not good.
    std::size_t addresses_remembered = 100'000;               ///< Buckets of them kept at once.
    Duration revision_wait = seconds(10);                     ///< The longest that ?min_revision= waits.
    Duration desired_wait = seconds(60);                      ///< The longest that ?wait_s= waits.
    std::size_t waiting_max = 20'000;                         ///< Questions that may wait at once.
    std::size_t watches_max = 20'000;                         ///< Open watches.
    std::size_t questions_max = 1'000;                        ///< Questions to history and logs that may queue.
    std::size_t questions_each = 100;                         ///< Of one subject.
    Duration question_wait = seconds(20);                     ///< One that has queued longer is answered 503.
    std::uint64_t views_behind_told = 100'000;                ///< Events by which the views may trail before /readyz tells.
    Duration heartbeat = seconds(15);                         ///< Of a quiet watch.
    std::string build;                                        ///< Shown by /v1/openapi.json, /healthz and /metrics.
};

struct Context;

class Api {
public:
    explicit Api(World world, Options options = {});
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    /// A router with every route. Call it once.
    [[nodiscard]] http::Router router();
    /// Sets `admit` of the server's options.
    void guard(http::ServerOptions& options);
    /// The OpenAPI 3.1 document of the routes.
    [[nodiscard]] const std::string& openapi() const;
    /// Answers what waits and ends watches; later questions that would wait are answered at once. May be called twice.
    void stop();

private:
    std::unique_ptr<Context> context_;
};

/// How a token's secret is kept: its SHA-256.
[[nodiscard]] Digest hash_of_secret(std::string_view secret);
/// `weir_` and 64 hexadecimal digits: the secret that these 256 bits of chance make.
[[nodiscard]] std::string secret_of(std::span<const std::uint8_t, 32> chance);

}  // namespace weir::api
