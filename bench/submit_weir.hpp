// bench/submit_weir.hpp: what weir-server runs, in this process, with a project that may submit; and the submissions themselves.
#pragma once

#include "apps/server/history_views.hpp"
#include "apps/server/network.hpp"
#include "bench/disk.hpp"
#include "bench/load.hpp"
#include "transport/api/api.hpp"
#include "transport/http/server/server.hpp"

#include <sys/random.h>

#include <array>
#include <memory>
#include <span>
#include <string>

namespace weir::bench {

/// One job, or a batch of so many.
inline std::string request_with(const std::string& token, int jobs) {
    const std::string job =
        R"({"project":"bench","spec":{"name":"bench","resources":{"accelerators":["A100:1"],"cpus":8,"memory":"32GiB"},)"
        R"("run":"python3 train.py --epochs 10","envs":{"SEED":"1"},"max_duration":"1h"}})";
    std::string body = job;
    if (jobs > 1) {
        body = R"({"jobs":[)" + job;
        for (int i = 1; i < jobs; ++i) body += "," + job;
        body += "]}";
    }
    return post_request(jobs > 1 ? "/v1/jobs:batch" : "/v1/jobs", bearer(token), body);
}

/// What weir-server runs, whole, in this process: store, loop, snapshots, views, API.
class Weir {
public:
    /// On a database at this address; without one in a file of its own.
    explicit Weir(const std::string& database = {}) {
        Catalogue catalogue;
        catalogue["A100"].model = "A100";
        auto opened = server::Network::open({.store = database.empty() ? directory_.file("weir.db") : database,
                                             .policy = {},
                                             .catalogue = catalogue,
                                             .loop = {},
                                             .say = [](const std::string&) {},
                                             .fatal = [](const std::string& trouble) { give_up(trouble); }});
        if (!opened) give_up(opened.error());
        network_ = std::move(*opened);
        const auto clocks = server::machine_clocks();
        settle_in(clocks.wall());
        auto views = views::Views::open(directory_.file("views.db"));
        auto trailing = network_->journal().open_reader();
        if (!views || !trailing) give_up(views ? trailing.error().message : views.error());
        history_ = std::make_unique<server::ViewsHistory>(std::move(*views), network_->reader(), std::move(*trailing), give_up);
        watcher_ = network_->reader().on_commit([this](std::uint64_t) { history_->wake(); });
        api::World world{
            .reader = network_->reader(), .loop = network_->loop(), .wall = clocks.wall, .steady = clocks.steady, .random = chance};
        world.history = history_.get();
        api_ = std::make_unique<api::Api>(std::move(world),
                                          api::Options{.rate = {.per_second = 10'000'000, .burst = 10'000'000}, .build = {}});
        http::ServerOptions options;
        api_->guard(options);
        auto server = http::Server::start(api_->router(), std::move(options));
        if (!server) give_up(server.error().message);
        server_ = std::make_unique<http::Server>(std::move(*server));
    }
    Weir(const Weir&) = delete;
    Weir& operator=(const Weir&) = delete;
    ~Weir() {
        api_->stop();
        server_->stop(seconds(5));
        network_->reader().forget(watcher_);
        network_->stop();
    }
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] const std::string& token() const { return secret_; }
    [[nodiscard]] control::LoopFigures figures() const { return network_->loop().figures(); }
    /// What the journal has.
    [[nodiscard]] std::uint64_t head() const { return network_->reader().revision(); }
    /// How far the views are.
    [[nodiscard]] std::uint64_t watermark() const { return history_->watermark(); }
    /// Bytes of journal for each job, of the last thousand records.
    [[nodiscard]] std::size_t bytes_per_job() {
        auto reader = network_->journal().open_reader();
        const auto head = (*reader)->head();
        const auto records = (*reader)->read(head->revision > 1'000 ? head->revision - 999 : 1, 1'000, 64U << 20U);
        std::size_t bytes = 0;
        std::size_t jobs = 0;
        for (const auto& record : *records) {
            bytes += record.text.size();
            jobs += record.text.find(R"("type":40,)") != std::string::npos ? 1 : 0;
        }
        return jobs == 0 ? 0 : bytes / jobs;
    }

private:
    static void chance(std::span<std::uint8_t> out) {
        if (::getrandom(out.data(), out.size(), 0) < 0) give_up("getrandom");
    }
    void must(control::Command command) {
        if (const auto answer = network_->carry_out(std::move(command)); !answer) give_up(answer.error().message);
    }
    void settle_in(Instant now) {
        must(control::SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn/sichuan", ""}});
        must(control::SetProject{{ProjectName{"bench"}, OrganisationName{"lab"}, {}, {}, 1'000'000}});
        must(control::SetRoles{SubjectName{"ann"}, ProjectName{"bench"}, {Role::member}});
        must(control::Deposit{make_uid(now, 0, 1), OrganisationName{"lab"}, Fen{10'000'000'000'00}});
        Site site;
        site.name = SiteName{"east"};
        site.owner = OrganisationName{"lab"};
        site.region = "cn/sichuan";
        site.tariff = {{"A100", Fen{600}}};
        must(control::SetSite{site});
        std::array<std::uint8_t, 32> bytes{};
        chance(bytes);
        secret_ = api::secret_of(bytes);
        Token token;
        token.id = TokenId{make_uid(now, 0, 2)};
        token.subject = SubjectName{"ann"};
        token.hash = api::hash_of_secret(secret_);
        token.scopes = {Scope::write};
        must(control::IssueToken{token});
    }
    Directory directory_;
    std::unique_ptr<server::Network> network_;
    std::unique_ptr<server::ViewsHistory> history_;
    std::uint64_t watcher_ = 0;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<http::Server> server_;
    std::string secret_;
};

}  // namespace weir::bench
