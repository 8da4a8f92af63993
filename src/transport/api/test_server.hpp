// transport/api/test_server.hpp: the API in one process: core, loop, reader, a real server on the loopback and real clients.
//
// The journal is a fake that keeps its records in memory; everything else is what the programs run.
#pragma once

#include "base/random.hpp"
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "codec/value.hpp"
#include "control/loop.hpp"
#include "control/recover.hpp"
#include "ports/fake_data_store.hpp"
#include "ports/fake_journal.hpp"
#include "transport/api/api.hpp"
#include "transport/http/client/client.hpp"
#include "transport/http/server/server.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weir::api::test {

using ports::FakeJournal;

struct TownOptions {
    Options api{.rate = {.per_second = 1'000'000, .burst = 1'000'000},
                .failures = {.per_second = 1'000'000, .burst = 1'000'000},
                .build = "test"};
    std::shared_ptr<History> history{};
    std::shared_ptr<LogSource> logs{};
    bool has_journal = true;
};

/// A server with two organisations, each with a project; a site of 2 nodes; and people:
///   root      operator        fin   finance      app   approver       aud   auditor
///   ann, own  member and owner of `vision`       eve   member of `rival`
class Town {
public:
    explicit Town(TownOptions options = {}) : options_{std::move(options)} {
        control::Core core;
        for (const std::string model : {"A100", "cpu"}) core.catalogue[model].model = model;
        control::rebuild(core);
        control::Core read;
        read.catalogue = core.catalogue;
        control::rebuild(read);
        reader = std::make_unique<control::Reader>(std::move(read));
        writer = std::make_unique<control::Writer>(std::move(core), journal);
        const auto steady = [] { return Instant{std::chrono::steady_clock::now().time_since_epoch().count()}; };
        const auto wall = [this] {
            return Instant{
                std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count() +
                wall_shift_ns.load()};
        };
        loop =
            std::make_unique<control::Loop>(*writer, *reader, control::Clocks{wall, steady}, control::LoopOptions{.tick = milliseconds(20)},
                                            [](const ports::JournalError&) { std::abort(); });
        World world{.reader = *reader, .loop = *loop, .wall = wall, .steady = steady, .random = [this](std::span<std::uint8_t> out) {
                        chance(out);
                    }};
        world.http_figures = [this] { return server ? server->metrics() : http::Metrics{}; };
        world.readiness = [this]() -> std::optional<std::string> {
            return ready.load() ? std::nullopt : std::optional<std::string>{"the test says so; wait"};
        };
        world.history = options_.history.get();
        world.logs = options_.logs.get();
        keeper = std::make_unique<control::DataKeeper>(*reader, *loop, stores, wall, [](const std::string&) {});
        world.data = keeper.get();
        world.journal = options_.has_journal ? &journal : nullptr;
        api = std::make_unique<Api>(std::move(world), options_.api);
        http::ServerOptions http;
        api->guard(http);
        auto started = http::Server::start(api->router(), std::move(http));
        server = std::make_unique<http::Server>(std::move(*started));
        settle_in();
    }
    Town(const Town&) = delete;
    Town& operator=(const Town&) = delete;
    ~Town() {
        api->stop();
        server->stop(seconds(1));
        loop->stop();
    }

    /// A command of the network itself.
    std::string must(control::Command command) {
        std::promise<control::Answer> done;
        loop->submit(control::Request{control::Actor{}, std::move(command)},
                     [&](control::Answer answer, std::uint64_t) { done.set_value(std::move(answer)); });
        const auto answer = done.get_future().get();
        if (!answer) throw std::runtime_error{answer.error().message};
        return answer->id;
    }
    /// A token of that subject, or of a site's agent.
    std::string token_for(const std::string& subject, std::vector<Scope> scopes, std::optional<SiteName> site = {},
                          std::optional<Instant> expires_at = {}) {
        std::array<std::uint8_t, 32> bytes{};
        chance(bytes);
        const auto secret = secret_of(bytes);
        Token token;
        token.id = TokenId{uid()};
        token.subject = SubjectName{subject};
        token.hash = hash_of_secret(secret);
        token.scopes = std::move(scopes);
        token.site = std::move(site);
        token.expires_at = expires_at;
        must(control::IssueToken{token});
        return secret;
    }
    Uid uid() {
        const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
        return make_uid(Instant{now}, 7, ++uids_);
    }
    const std::string& token(const std::string& person) const { return tokens_.at(person); }

    http::Client client(const std::string& person = {}) const {
        http::ClientOptions to;
        to.port = server->port();
        if (!person.empty()) to.headers.emplace_back("Authorization", "Bearer " + (tokens_.contains(person) ? tokens_.at(person) : person));
        if (person == "agent") to.headers.emplace_back(agent_protocol::header, std::to_string(agent_protocol::newest));
        return http::Client{std::move(to)};
    }
    http::Answer ask(const std::string& person, http::Method method, std::string target, std::string body = {},
                     std::vector<std::pair<std::string, std::string>> headers = {}, std::string type = "application/json") const {
        auto peer = client(person);
        http::Call call;
        call.method = method;
        call.target = std::move(target);
        call.body = std::move(body);
        if (!call.body.empty()) call.content_type = std::move(type);
        call.headers = std::move(headers);
        auto answer = peer.call(std::move(call));
        if (!answer) throw std::runtime_error{answer.error().message};
        return std::move(*answer);
    }
    http::Answer get(const std::string& person, std::string target) const { return ask(person, http::Method::get, std::move(target)); }
    http::Answer post(const std::string& person, std::string target, std::string body) const {
        return ask(person, http::Method::post, std::move(target), std::move(body));
    }

    /// What the agent of `east` reports next.
    http::Answer report(SiteReport what) {
        what.site = SiteName{"east"};
        what.session = format_uid({0, 1});
        what.sequence = ++reports_;
        return post("agent", "/v1/sites/east/report", codec::to_json(what));
    }
    /// A healthy node with two cards.
    static Node node(const std::string& name) {
        return {NodeName{name}, {{"A100", 2, MiB{40960}, Slicing::fractional, true}}, MilliCpus{16000}, MiB{65536}, {"z1", "b1", "r1"},
                true,           "127.0.0.1"};
    }
    /// Asks until the answer has that piece; whether it came.
    [[nodiscard]] bool comes(const std::string& person, const std::string& target, const std::string& piece) const {
        for (int i = 0; i < 20'000; ++i) {
            if (get(person, target).body.find(piece) != std::string::npos) return true;
        }
        return false;
    }
    /// A programme that awards vouchers now.
    static Programme programme(const std::string& name) {
        const Instant now{
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
        Programme made;
        made.name = ProgrammeName{name};
        made.title = "P";
        made.fiscal_year = 2026;
        made.effective_from = now - hours(24);
        made.effective_to = now + hours(24);
        made.funder = "city";
        made.budget = Fen{100'000};
        made.entity_cap = Fen{50'000};
        made.ratio = {{{}, std::nullopt, 500, "half"}};
        return made;
    }

    static std::string job_body(const std::string& project = "vision", const std::string& extra = {}) {
        return R"({"project":")" + project + R"(",)" + extra +
               R"("spec":{"name":"train","resources":{"accelerators":["A100:1"]},"run":"true"}})";
    }

    FakeJournal journal;
    ports::FakeDataStores stores;
    std::unique_ptr<control::DataKeeper> keeper;
    std::unique_ptr<control::Reader> reader;
    std::unique_ptr<control::Writer> writer;
    std::unique_ptr<control::Loop> loop;
    std::unique_ptr<Api> api;
    std::unique_ptr<http::Server> server;
    std::atomic<std::int64_t> wall_shift_ns = 0;
    std::atomic<bool> ready = true;

private:
    void chance(std::span<std::uint8_t> out) {
        const std::lock_guard lock{mutex_};
        for (auto& byte : out) byte = static_cast<std::uint8_t>(random_.next());
    }
    void settle_in() {
        using control::SetOrganisation;
        must(SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn/sichuan/chengdu", ""}});
        must(SetOrganisation{
            {OrganisationName{"rivals"}, OrganisationKind::enterprise, "Rivals", "", SizeClass::small, "cn/sichuan/chengdu", ""}});
        must(SetOrganisation{
            {OrganisationName{"owner"}, OrganisationKind::enterprise, "Owner", "", SizeClass::large, "cn/sichuan/chengdu", ""}});
        must(control::SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {{"A100", MilliCards{3000}}}, {}, 1000}});
        must(control::SetProject{{ProjectName{"rival"}, OrganisationName{"rivals"}, {}, {}, 1000}});
        const std::vector<std::pair<std::string, Role>> network{
            {"root", Role::operator_}, {"fin", Role::finance}, {"app", Role::approver}, {"aud", Role::auditor}};
        for (const auto& [person, role] : network) must(control::SetRoles{SubjectName{person}, {}, {role}});
        must(control::SetRoles{SubjectName{"ann"}, ProjectName{"vision"}, {Role::member}});
        must(control::SetRoles{SubjectName{"own"}, ProjectName{"vision"}, {Role::owner}});
        must(control::SetRoles{SubjectName{"eve"}, ProjectName{"rival"}, {Role::member}});
        for (const std::string person : {"root", "fin", "app", "aud", "ann", "own", "eve"})
            tokens_[person] = token_for(person, {Scope::admin});
        tokens_["ann-reads"] = token_for("ann", {Scope::read});
        Site site;
        site.name = SiteName{"east"};
        site.owner = OrganisationName{"owner"};
        site.region = "cn/sichuan/chengdu";
        site.tariff = {{"A100", Fen{600}}};
        must(control::SetSite{site});
        tokens_["agent"] = token_for("", {Scope::agent}, site.name);
        must(control::Deposit{uid(), OrganisationName{"lab"}, Fen{1'000'000}});
        must(control::Deposit{uid(), OrganisationName{"rivals"}, Fen{1'000'000}});
    }

    TownOptions options_;
    std::mutex mutex_;
    Random random_{1, "test server"};
    std::uint64_t uids_ = 0;
    std::uint64_t reports_ = 0;
    std::map<std::string, std::string> tokens_;
};

/// The text of a member of a JSON object; empty where there is none.
inline std::string text_of(const std::string& json, std::string_view member) {
    const auto value = codec::read_json(json);
    const auto* found = value ? value->find(member) : nullptr;
    return found != nullptr && found->string() != nullptr ? *found->string() : "";
}

}  // namespace weir::api::test
