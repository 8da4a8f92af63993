// Goal: /readyz of the parts that weir-server runs says no when they cannot take work, and yes else.
// Method: the real network on a real store, its API on a real server; then the store's files are removed below it, or it is stopped.
#include "apps/server/network.hpp"

#include "base/test_folder.hpp"
#include "transport/api/api.hpp"
#include "transport/http/client/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <future>

namespace weir::server {
namespace {

using testing::HasSubstr;

class Readiness : public testing::Test {
protected:
    Readiness() {
        NetworkOptions options;
        options.store = folder.file("weir.db");
        options.say = [](const std::string&) {};
        options.fatal = [this](const std::string& why) { ended.set_value(why); };
        network = std::move(Network::open(std::move(options)).value());
        api::World world{.reader = network->reader(), .loop = network->loop(), .wall = [this] { return network->loop().time(); },
                         .steady = machine_clocks().steady, .random = [](std::span<std::uint8_t>) {}};
        world.readiness = [this] { return network->obstacle(); };
        api = std::make_unique<api::Api>(std::move(world));
        http::ServerOptions http;
        api->guard(http);
        server.emplace(std::move(http::Server::start(api->router(), std::move(http)).value()));
    }
    ~Readiness() override {
        api->stop();
        server->stop(seconds(1));
        network->stop();
    }
    [[nodiscard]] http::Answer ready() const {
        http::Client client{http::parse_base_url(server->url()).value()};
        http::Call call;
        call.target = "/readyz";
        return client.call(std::move(call)).value();
    }

    TestFolder folder;
    std::promise<std::string> ended;
    std::unique_ptr<Network> network;
    std::unique_ptr<api::Api> api;
    std::optional<http::Server> server;
};

TEST_F(Readiness, EndsWithTheNetwork) {
    EXPECT_EQ(ready().status, 200);
    EXPECT_EQ(ready().body, "ready\n");
    network->stop();
    EXPECT_EQ(ready().status, 503);
    EXPECT_THAT(ready().body, HasSubstr("the network is stopping"));
}

TEST_F(Readiness, EndsWhenTheStoreIsTakenAway) {
    EXPECT_EQ(ready().status, 200);
    std::filesystem::remove(folder.file("weir.db"));
    const auto why = ended.get_future().get();
    const auto answer = ready();
    EXPECT_EQ(answer.status, 503);
    EXPECT_THAT(answer.body, HasSubstr("weir.db"));
    EXPECT_FALSE(why.empty());
}

TEST_F(Readiness, WhatIsAcknowledgedWhileTheStoreIsCopiedAwayIsInTheCopy) {
    auto over = ended.get_future();
    std::filesystem::remove(folder.file("weir.db"));
    std::uint64_t acknowledged = 0;
    for (int number = 1;; ++number) {
        const OrganisationName name{"lab-" + std::to_string(number)};
        const bool is_copied = over.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
        if (!network->carry_out(control::SetOrganisation{{name, OrganisationKind::university, "Lab", "", SizeClass::small, "cn", ""}}))
            break;
        acknowledged = network->reader().revision();
        ASSERT_FALSE(is_copied) << "the copy was made and more is acknowledged";
    }
    const auto why = over.get();
    EXPECT_THAT(why, HasSubstr("all that was acknowledged was copied to " + folder.file("weir.db.rescued")));
    const auto copy = store::open_reader(folder.file("weir.db.rescued")).value();
    EXPECT_EQ(copy->head().value().revision, acknowledged);
}

}  // namespace
}  // namespace weir::server
