// weir-server: control behind its HTTP API, on the embedded store.
#include "adapters/blobs_local/data_local.hpp"
#include "adapters/blobs_moved/opening.hpp"
#include "apps/command_line.hpp"
#include "apps/server/audit.hpp"
#include "apps/server/backup.hpp"
#include "apps/server/copy.hpp"
#include "apps/server/history_views.hpp"
#include "apps/server/network.hpp"
#include "apps/server/settings.hpp"
#include "apps/server/site_logs.hpp"
#include "apps/server/standby.hpp"
#include "apps/server/traces.hpp"
#include "apps/shipped/shipped.hpp"
#include "apps/version/version.hpp"
#include "codec/text.hpp"
#include "control/data_keeper.hpp"
#include "transport/api/api.hpp"
#include "transport/http/server/server.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sodium.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <mutex>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace weir;

struct Arguments {
    std::string data = "weir-data";
    std::string store;
    std::string lease = "10s";
    std::string address = "127.0.0.1";
    std::uint16_t port = 7440;
    std::string catalogue;
    std::string policy;
    std::string blobs;
    std::string mover;
    std::string mover_to;
    std::string mover_config;
    std::vector<std::string> site_roots;
    bool existing = false;
};

/// Exit codes, documented in docs/reference/cli.md.
constexpr int bad_usage = 2;
constexpr int store_trouble = 3;
constexpr int no_listen = 4;

constexpr std::size_t files_beside_connections = 256;

/// Writes a file that its owner alone may read, whole or not at all; once it returns, a power cut does not take it away.
bool write_private(const std::string& path, const std::string& text) {
    const auto temporary = path + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    ::close(file);
    if (!written || std::rename(temporary.c_str(), path.c_str()) != 0) return false;
    const auto parent = std::filesystem::path{path}.parent_path();
    const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = folder >= 0 && ::fsync(folder) == 0;
    if (folder >= 0) ::close(folder);
    return synced;
}

/// The first life of a store: an operator with a token, kept in a file that only the server's owner can read.
bool bootstrap(server::Network& network, const std::string& token_file) {
    std::array<std::uint8_t, 32> chance{};
    randombytes_buf(chance.data(), chance.size());
    const auto secret = api::secret_of(chance);
    const SubjectName subject{"operator"};
    Token token;
    randombytes_buf(chance.data(), chance.size());
    std::uint64_t low = 0;
    std::memcpy(&low, chance.data(), sizeof low);
    token.id = {make_uid(server::machine_clocks().wall(), 0, low)};
    token.subject = subject;
    token.hash = api::hash_of_secret(secret);
    token.scopes = {Scope::read, Scope::write, Scope::admin};
    std::error_code error;
    if (std::filesystem::exists(token_file, error)) {
        const auto kept = token_file + ".old";
        spdlog::warn("{} is there though nobody has a role yet, as after a start that was cut off; it is kept as {}", token_file, kept);
        if (std::rename(token_file.c_str(), kept.c_str()) != 0) return false;
    }
    // The secret is on the disk before the token is good: a crash between the two leaves a secret that opens nothing.
    if (!write_private(token_file, secret + "\n")) return false;
    return network.carry_out(control::IssueToken{token}).has_value() &&
           network.carry_out(control::SetRoles{subject, {}, {Role::operator_, Role::approver, Role::finance, Role::auditor}}).has_value();
}

Result<Catalogue, std::string> catalogue_of(const std::string& named) {
    const auto path = WEIR_TRY(apps::catalogue_path(named));
    return server::read_catalogue(path);
}

/// Why the server does not run: its exit code, and what is told.
struct Ending {
    int code = 0;
    std::string words;
};

struct Settings {
    Duration lease = seconds(10);
    Catalogue catalogue;
    control::Policy policy;
    std::map<SiteName, std::string> site_roots;
};

bool is_numeric_address(const std::string& text) {
    in6_addr address{};
    return ::inet_pton(AF_INET, text.c_str(), &address) == 1 || ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

/// What is wrong with what was asked is found before any store is touched.
Result<Settings, Ending> settings_of(const Arguments& arguments) {
    Settings settings;
    if (arguments.data.empty()) return fail(Ending{bad_usage, "--data is empty; name the directory of the store"});
    if (!arguments.store.empty() && !server::is_database(arguments.store)) {
        return fail(
            Ending{bad_usage, fmt::format("--store {} must be postgresql://user@host:port/database; a store in a file is named by the "
                                          "directory that has it, with --data",
                                          arguments.store)});
    }
    const auto lease = codec::parse_span(arguments.lease);
    if (!lease || *lease < seconds(1) || *lease > seconds(300))
        return fail(Ending{bad_usage, fmt::format("--lease is {} and must be a length from 1s to 5m, such as 10s", arguments.lease)});
    settings.lease = *lease;
    auto catalogue = catalogue_of(arguments.catalogue);
    if (!catalogue) return fail(Ending{bad_usage, std::move(catalogue.error())});
    settings.catalogue = *std::move(catalogue);
    if (!arguments.policy.empty()) {
        auto policy = server::read_policy(arguments.policy);
        if (!policy) return fail(Ending{bad_usage, std::move(policy.error())});
        settings.policy = *policy;
    }
    randombytes_buf(&settings.policy.hash_seed, sizeof settings.policy.hash_seed);
    for (const auto& text : arguments.site_roots) {
        const auto equals = text.find('=');
        const auto site = SiteName::parse(text.substr(0, equals));
        if (!site || equals == std::string::npos)
            return fail(Ending{bad_usage, fmt::format("--site-root {} must be SITE=DIRECTORY", text)});
        settings.site_roots[*site] = text.substr(equals + 1);
    }
    if (!is_numeric_address(arguments.address)) {
        return fail(Ending{bad_usage, fmt::format("--address {} must be an address in numbers, such as 127.0.0.1", arguments.address)});
    }
    return settings;
}

/// Why nobody can listen there, found before a life of the server is written into the store.
std::optional<Ending> obstacle_to_listening(const std::string& address, std::uint16_t port) {
    addrinfo numeric{};
    numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    numeric.ai_socktype = SOCK_STREAM;
    addrinfo* place = nullptr;
    if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &numeric, &place) != 0) return std::nullopt;
    const int socket = ::socket(place->ai_family, place->ai_socktype | SOCK_CLOEXEC, 0);
    int error = socket < 0 ? errno : 0;
    const int yes = 1;
    if (socket >= 0) ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (socket >= 0 && ::bind(socket, place->ai_addr, place->ai_addrlen) != 0) error = errno;
    if (socket >= 0) ::close(socket);
    ::freeaddrinfo(place);
    if (error == 0) return std::nullopt;
    const auto* advice = error == EADDRINUSE ? "stop what listens there, or name another --port" : "name another --address or --port";
    return Ending{no_listen, fmt::format("cannot listen on {} port {}: {}; {}", address, port,
                                         error == EADDRINUSE ? "it is in use" : std::strerror(error), advice)};
}

/// Waits so long for a signal that ends the server.
bool was_told_to_end(Duration length) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    const timespec wait{length.ns / 1'000'000'000, length.ns % 1'000'000'000};
    return sigtimedwait(&ends, nullptr, &wait) > 0;
}

Result<std::unique_ptr<server::Network>, Ending> open_network(const Arguments& arguments, const Settings& settings) {
    std::error_code error;
    const bool made = !arguments.existing && std::filesystem::create_directories(arguments.data, error);
    if (made) std::filesystem::permissions(arguments.data, std::filesystem::perms::owner_all, error);
    const server::Traces traces{arguments.data, arguments.existing};
    if (auto missing = arguments.store.empty() ? traces.store_missing() : std::nullopt)
        return fail(Ending{store_trouble, *std::move(missing)});
    server::NetworkOptions options;
    options.store = arguments.store.empty() ? arguments.data + "/weir.db" : arguments.store;
    options.lease = settings.lease;
    bool told_to_end = false;
    options.pause = [&told_to_end](Duration length) {
        told_to_end = was_told_to_end(length);
        return !told_to_end;
    };
    options.tail_missing = [traces](const ports::StoreIdentity& store, const ports::Head& head) {
        return traces.tail_missing(store, head);
    };
    options.policy = settings.policy;
    options.catalogue = settings.catalogue;
    options.say = [](const std::string& text) { spdlog::info("{}", text); };
    options.fatal = [](const std::string& trouble) {
        spdlog::critical("{}", trouble);
        std::_Exit(store_trouble);
    };
    auto network = server::Network::open(std::move(options));
    if (!network) return fail(Ending{told_to_end ? 0 : store_trouble, std::move(network.error())});
    const auto token = arguments.data + "/operator.token";
    if ((*network)->is_new() && !bootstrap(**network, token))
        return fail(Ending{store_trouble, "the first operator's token could not be written to " + token});
    return *std::move(network);
}

/// What stands beside the network: views that trail it, and readers of its journal.
struct Shelves {
    std::unique_ptr<views::Views> views;
    std::unique_ptr<ports::JournalReader> trailing;
    std::unique_ptr<ports::JournalReader> audit;
};

Result<Shelves, Ending> open_shelves(const Arguments& arguments, server::Network& network) {
    auto views = views::Views::open(arguments.data + "/views.db", [](const std::string& text) { spdlog::warn("{}", text); });
    if (!views) return fail(Ending{store_trouble, std::move(views.error())});
    const auto store = network.journal().identity();
    if (!store) return fail(Ending{store_trouble, store.error().message});
    const auto revision = network.reader().ask([](const control::Core& core) { return core.state.revision; });
    const auto emptied = (*views)->follow({store->store_id, revision});
    if (!emptied) return fail(Ending{store_trouble, emptied.error()});
    if (*emptied) spdlog::warn("{}/views.db was made of another store's journal; it is built again from this one's", arguments.data);
    auto trailing = network.journal().open_reader();
    if (!trailing) return fail(Ending{store_trouble, std::move(trailing.error().message)});
    auto audit = network.journal().open_reader();
    if (!audit) return fail(Ending{store_trouble, std::move(audit.error().message)});
    return Shelves{*std::move(views), *std::move(trailing), *std::move(audit)};
}

/// Each connection, each watch among them, is an open file; the rest is for the stores.
void fit_into_open_files(http::ServerLimits& limits) {
    const auto wanted = limits.connections;
    const auto files_wanted = wanted + files_beside_connections;
    const auto files = http::raise_open_files(files_wanted);
    if (files >= files_wanted) return;
    limits.connections = http::connections_within(files, files_beside_connections, wanted);
    spdlog::warn("{} files may be open and {} are wanted for {} connections; {} are taken at most; raise the hard limit (ulimit -Hn) "
                 "for more",
                 files, files_wanted, wanted, limits.connections);
}

http::ServerOptions http_options_of(const Arguments& arguments) {
    http::ServerOptions options;
    options.address = arguments.address;
    options.port = arguments.port;
    options.log = [](const http::LogLine& line) {
        if (line.level == http::LogLevel::error) spdlog::error("{}: {}", line.event, line.detail);
        if (line.level == http::LogLevel::warning) spdlog::warn("{}: {}", line.event, line.detail);
    };
    fit_into_open_files(options.limits);
    return options;
}

void say_listening(const Arguments& arguments, const std::string& url) {
    const auto token = arguments.data + "/operator.token";
    std::error_code error;
    const bool there = std::filesystem::exists(token, error);
    spdlog::info("listening on {}{}", url, there ? "; the operator's token is in " + token : "");
}

void wait_for_the_end() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    int caught = 0;
    sigwait(&ends, &caught);
    spdlog::info("stopping on signal {}", caught);
}

/// What projects keep: its store, and who removes of it what is no longer kept. Without --blobs there is none.
class Shelf {
public:
    static Result<std::unique_ptr<Shelf>, Ending> open(const Arguments& arguments, server::Network& network) {
        if (arguments.blobs.empty()) return nullptr;
        return std::unique_ptr<Shelf>{new Shelf{WEIR_TRY(stores_of(arguments)), network}};
    }
    [[nodiscard]] control::DataKeeper& keeper() { return keeper_; }
    void stop() {
        thread_.request_stop();
        thread_.join();
    }

private:
    static Result<std::unique_ptr<ports::DataStores>, Ending> stores_of(const Arguments& arguments) {
        if (arguments.mover.empty() || arguments.mover == "builtin") {
            auto stores = blobs_local::LocalDataStores::open(arguments.blobs, "network");
            if (!stores) return fail(Ending{store_trouble, std::move(stores).error().message});
            return std::unique_ptr<ports::DataStores>{*std::move(stores)};
        }
        std::error_code ignored;
        std::filesystem::create_directory(arguments.blobs, ignored);
        auto moved = blobs_moved::open_moved({.tool = arguments.mover == "rsync" ? blobs_moved::Tool::rsync : blobs_moved::Tool::rclone,
                                              .to = arguments.mover_to,
                                              .config = arguments.mover_config,
                                              .stage = arguments.blobs,
                                              .writer = "network"});
        if (!moved) return fail(Ending{store_trouble, std::move(moved).error()});
        spdlog::info("files of projects are kept by {}", moved->text);
        return std::unique_ptr<ports::DataStores>{std::move(moved->data)};
    }
    Shelf(std::unique_ptr<ports::DataStores> stores, server::Network& network)
        : stores_{std::move(stores)},
          keeper_{network.reader(), network.loop(), *stores_, [&loop = network.loop()] { return loop.time(); },
                  [](const std::string& text) { spdlog::warn("{}", text); }},
          thread_{[this](const std::stop_token& stop) { keep(stop); }} {}
    void keep(const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock{mutex};
        while (!wake.wait_for(lock, stop, std::chrono::seconds{1}, [&] { return stop.stop_requested(); })) keeper_.turn();
    }

    std::unique_ptr<ports::DataStores> stores_;
    control::DataKeeper keeper_;
    std::jthread thread_;
};

Result<void, Ending> serve(Arguments arguments) {
    const auto settings = WEIR_TRY(settings_of(arguments));
    if (auto obstacle = obstacle_to_listening(arguments.address, arguments.port)) return fail(*std::move(obstacle));
    std::optional<http::Server> standby;
    if (!arguments.store.empty()) {
        auto listening = server::start_standby(http_options_of(arguments), std::string{version()});
        if (!listening) return fail(Ending{no_listen, std::move(listening.error().message)});
        standby.emplace(*std::move(listening));
        arguments.port = standby->port();  // Where the system chose it, the API has the same one.
    }
    const auto network = WEIR_TRY(open_network(arguments, settings));
    auto shelves = WEIR_TRY(open_shelves(arguments, *network));
    server::ViewsHistory history{std::move(shelves.views), network->reader(), std::move(shelves.trailing),
                                 [](const std::string& text) { spdlog::warn("{}", text); }};
    const auto watcher = network->reader().on_commit([&history](std::uint64_t) { history.wake(); });
    server::SiteLogs logs{settings.site_roots};
    const auto shelf = WEIR_TRY(Shelf::open(arguments, *network));

    // The server answers before its name here is set.
    std::atomic<const http::Server*> answering{nullptr};
    // Times and ids of answers go by the clock that decisions go by, also where the machine's own has jumped.
    api::Api api{{.reader = network->reader(),
                  .loop = network->loop(),
                  .wall = [&loop = network->loop()] { return loop.time(); },
                  .steady = server::machine_clocks().steady,
                  .random = [](std::span<std::uint8_t> into) { randombytes_buf(into.data(), into.size()); },
                  .readiness = [&network = *network] { return network.obstacle(); },
                  .http_figures =
                      [&answering] {
                          const auto* server = answering.load();
                          return server == nullptr ? http::Metrics{} : server->metrics();
                      },
                  .leads = [&network = *network] { return network.leads(); },
                  .history = &history,
                  .logs = &logs,
                  .data = shelf ? &shelf->keeper() : nullptr,
                  .journal = shelves.audit.get()},
                 {.build = std::string{version()}}};
    auto http_options = http_options_of(arguments);
    api.guard(http_options);
    if (standby) standby->stop({});
    auto listening = http::Server::start(api.router(), std::move(http_options));
    if (!listening) return fail(Ending{no_listen, std::move(listening.error().message)});
    answering.store(&*listening);
    write_private(arguments.data + "/endpoint", listening->url() + "\n");
    say_listening(arguments, listening->url());
    wait_for_the_end();
    api.stop();
    listening->stop(seconds(5));
    if (shelf) shelf->stop();
    network->reader().forget(watcher);
    network->stop();
    return {};
}

}  // namespace

int audit(int argc, char** argv) {
    std::string data = "weir-data";
    std::string named;
    std::string store;
    CLI::App app{"proves a store: chain, snapshots, ledger, views", "weir audit verify"};
    app.footer("Exit codes: 0 all of it holds, 2 wrong arguments, 3 something does not hold or cannot be read.");
    app.add_option("--data", data, "directory of a server, running or not")->capture_default_str();
    app.add_option("--store", store, "a backup, or any file of a store, instead of a directory");
    app.add_option("--catalogue", named, "YAML file of accelerators; absent: the shipped one");
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    const auto catalogue = catalogue_of(named);
    if (!catalogue) {
        spdlog::error("{}", catalogue.error());
        return bad_usage;
    }
    const auto request = store.empty() ? server::AuditRequest{data + "/weir.db", data + "/views.db"} : server::AuditRequest{store, {}};
    return server::audit_store(request, *catalogue) ? 0 : store_trouble;
}

int backup(int argc, char** argv) {
    std::string data = "weir-data";
    std::string target;
    CLI::App app{"copies the store of a server, running or not, to one file, and verifies the copy", "weir-server backup"};
    app.add_option("--data", data, "directory of the server")->capture_default_str();
    app.add_option("--to", target, "the new file; never overwritten")->required();
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    return server::backup(data + "/weir.db", target) ? 0 : store_trouble;
}

int restore(int argc, char** argv) {
    server::RestoreRequest request;
    CLI::App app{"makes a new data directory of a backup, up to a point in time", "weir-server restore"};
    app.add_option("--from", request.source, "a backup, or the weir.db of a server, running or not")->required();
    app.add_option("--then", request.then, "the store that the backup was made of, for what came after it");
    app.add_option("--to", request.target, "the new directory")->required();
    app.add_option("--until-revision,--revision", request.until_revision, "the last revision wanted");
    app.add_option("--until-time,--at", request.until_time, "the last moment wanted, such as 2026-11-22T06:00:00Z");
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    if (!request.until_time.empty() && !parse_utc(request.until_time)) {
        spdlog::error("--until-time {} must be such as 2026-11-22T06:00:00Z", request.until_time);
        return bad_usage;
    }
    return server::restore(request) ? 0 : store_trouble;
}

int store_command(int argc, char** argv) {
    CLI::App app{"stores", "weir store"};
    app.require_subcommand(1);
    server::CopyRequest request;
    std::string named;
    auto* copy = app.add_subcommand("copy", "copies a store to another, of either kind, and proves that both are the same");
    copy->footer(
        "The source may belong to a running server; what that writes meanwhile is not in the copy. Exit codes: 0 both are the same, "
        "2 wrong arguments, 3 not copied.");
    copy->add_option("--from", request.from, "a weir.db, a dump, or postgresql://user@host:port/database")->required();
    copy->add_option("--to", request.to, "a new weir.db, or an empty database; one that holds its beginning is gone on with")->required();
    copy->add_option("--catalogue", named, "YAML file of accelerators; absent: the shipped one");
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    const auto catalogue = catalogue_of(named);
    if (!catalogue) {
        spdlog::error("{}", catalogue.error());
        return bad_usage;
    }
    return server::copy_store(request, *catalogue) ? 0 : store_trouble;
}

int main(int argc, char** argv) {
    // What this program writes is the network's books: its owner's alone.
    ::umask(0077);
    if (argc > 1 && std::string_view{argv[1]} == "backup") return backup(argc - 1, argv + 1);
    if (argc > 1 && std::string_view{argv[1]} == "audit") return audit(argc - 1, argv + 1);
    if (argc > 1 && std::string_view{argv[1]} == "restore") return restore(argc - 1, argv + 1);
    if (argc > 1 && std::string_view{argv[1]} == "store") return store_command(argc - 1, argv + 1);
    Arguments arguments;
    CLI::App app{"weir-server: the network's control and API on the embedded store", "weir server"};
    app.footer(
        "Also: weir server backup, weir server restore, weir store copy (each has its own --help); weir audit verify.\n"
        "Exit codes: 0 told to stop, 2 wrong arguments or file, 3 trouble with the store, 4 the address cannot be listened on.");
    app.add_option("--data", arguments.data, "directory of the store; made if it is not there")->capture_default_str();
    app.add_option(
        "--store", arguments.store,
        "database that several servers share, as postgresql://user@host:port/database, without a password (PGPASSWORD, PGPASSFILE); "
        "absent: a file in --data");
    app.add_option("--lease", arguments.lease, "with --store: how long other servers wait for a leader that is not heard")
        ->capture_default_str();
    app.add_flag("--existing", arguments.existing, "refuse to make a new store: for a network that has one");
    app.add_option("--address", arguments.address, "numeric address to listen on")->capture_default_str();
    app.add_option("--port", arguments.port, "port; 0 lets the system choose, see DATA/endpoint")->capture_default_str();
    app.add_option("--catalogue", arguments.catalogue, "YAML file of accelerators; absent: the shipped one");
    app.add_option("--policy", arguments.policy, "YAML file of leases and limits");
    app.add_option("--blobs", arguments.blobs, "directory of the network's store, the one that the agents name; absent: no files are kept");
    app.add_option("--mover", arguments.mover, "what carries files to the store: builtin (to that directory), rclone or rsync")
        ->check(CLI::IsMember({"builtin", "rclone", "rsync"}));
    app.add_option("--mover-to", arguments.mover_to, "where rclone or rsync carries them to; what is under way lies in --blobs");
    app.add_option("--mover-config", arguments.mover_config, "its file with keys, readable by the server's user alone");
    app.add_option("--site-root", arguments.site_roots, "SITE=DIR: where a site of this machine keeps its tasks, for logs");
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    if (sodium_init() < 0) return store_trouble;
    // Signals are taken by sigwait alone; every thread inherits this.
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    spdlog::set_default_logger(spdlog::stderr_color_mt("weir"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    const auto served = serve(arguments);
    if (served || served.error().code == 0) return 0;
    spdlog::log(served.error().code == bad_usage ? spdlog::level::err : spdlog::level::critical, "{}", served.error().words);
    return served.error().code;
}
