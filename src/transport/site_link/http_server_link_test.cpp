// Goal: what the agent says arrives as it was said, and every answer means to the agent what the server meant by it.
// Method: a real server on 127.0.0.1 that answers with what the test wants and keeps what it was asked.
#include "transport/site_link/http_server_link.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "transport/http/server/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace weir::site_link {
namespace {

using ports::LinkFault;

class HttpServerLinkTest : public testing::Test {
protected:
    HttpServerLinkTest() {
        http::Router router;
        const auto answer = [this](const http::Request& request) {
            asked.parameters = request.parameters;
            asked.query = request.query;
            asked.headers = request.headers;
            asked.body = request.body;
            const auto spoken = std::string{request.header("weir-agent-protocol").value_or("1")};
            protocols.push_back(spoken);
            if (failing) return http::Response::json(503, "{}");
            if (spoken > highest) {
                return http::Response::json(400, R"({"type":"urn:weir:problem:agent_protocol","status":400,"detail":"older"})");
            }
            return http::Response::json(request.header("authorization") == "Bearer " + good ? 200 : 401, body);
        };
        EXPECT_TRUE(router.add({http::Method::post, "/v1/sites/{site}/report", http::answer_with(answer), {}}));
        EXPECT_TRUE(router.add({http::Method::get, "/v1/sites/{site}/desired", http::answer_with(answer), {}}));
        server = std::make_unique<http::Server>(http::Server::start(std::move(router)).value());
        link = *HttpServerLink::make({.url = server->url(), .site = *SiteName::parse("pidu-core"), .token = [this] { return token; }});
    }

    std::string token = "secret";
    std::string good = "secret";  ///< The token that the server takes.
    std::string highest = "4";  ///< Protocol that the server speaks.
    bool failing = false;
    std::vector<std::string> protocols;  ///< Of each request.
    std::string body;
    http::Request asked;
    std::unique_ptr<http::Server> server;
    std::unique_ptr<HttpServerLink> link;
};

/// A server that stands by, and how often it was asked.
class Standby {
public:
    Standby() {
        http::Router router;
        const auto refuse = [this](const http::Request&) {
            ++asked;
            return http::Response::json(503, R"({"type":"urn:weir:problem:not_leader","status":503})");
        };
        EXPECT_TRUE(router.add({http::Method::post, "/{rest...}", http::answer_with(refuse), {}}));
        EXPECT_TRUE(router.add({http::Method::get, "/{rest...}", http::answer_with(refuse), {}}));
        server = std::make_unique<http::Server>(http::Server::start(std::move(router)).value());
    }
    std::atomic<int> asked{0};
    std::unique_ptr<http::Server> server;
};

TEST_F(HttpServerLinkTest, OfSeveralServersTheOneThatLeadsIsFoundAndKept) {
    Standby standby;
    const auto dead = [] { return Standby{}.server->url(); }();
    link = *HttpServerLink::make({.url = dead + ", " + standby.server->url() + "," + server->url(),
                                  .site = *SiteName::parse("pidu-core"),
                                  .token = [this] { return token; }});
    body = codec::to_json(
        ReportAnswer{7, 30'000, 3'600'000, 10'000, 42, "01k00000000000000000000009", LeaseLengths{60'000, 3'600'000, 20'000}});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(link->post_report({}));
    EXPECT_EQ(standby.asked, 1) << "the leader is asked first from then on";
    body = codec::to_json(DesiredPage{});
    EXPECT_TRUE(link->get_desired({.since = 0, .number = 1}, Seconds{0})) << "questions find it likewise";
    server->stop({});
    const auto none = link->post_report({});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().fault == LinkFault::busy || none.error().fault == LinkFault::unreachable)
        << "while nobody leads it is tried again: " << none.error().message;
    EXPECT_FALSE(
        HttpServerLink::make({.url = server->url() + ",", .site = *SiteName::parse("pidu-core"), .token = [this] { return token; }}));
}

TEST_F(HttpServerLinkTest, AReportArrivesAsItWasSaid) {
    SiteReport report;
    report.site = *SiteName::parse("pidu-core");
    report.session = "01K00000000000000000000000";
    report.sequence = 7;
    report.meters.push_back({*JobId::parse("job-01k00000000000000000000001"), 1, 0, 3, 100, 110});
    const ReportAnswer expected{7, 30'000, 3'600'000, 10'000, 42, "01k00000000000000000000009", LeaseLengths{60'000, 3'600'000, 20'000}};
    body = codec::to_json(expected);
    EXPECT_EQ(link->post_report(report).value(), expected);
    EXPECT_EQ(asked.parameter("site"), "pidu-core");
    EXPECT_EQ(asked.header("authorization"), "Bearer secret");
    EXPECT_EQ(asked.header("weir-agent-protocol"), "4");
    EXPECT_EQ(asked.body, codec::to_json(report));
    EXPECT_TRUE(codec::decode_json<SiteReport>(asked.body, "report"));
}

TEST_F(HttpServerLinkTest, AQuestionSaysWhatIsKnownAndHowLongItWaits) {
    DesiredPage expected;
    expected.revision = 12;
    body = codec::to_json(expected);
    EXPECT_EQ(link->get_desired({.since = 11, .number = 1}, Seconds{20}).value(), expected);
    EXPECT_EQ(asked.query_value("since"), "11");
    EXPECT_EQ(asked.query_value("wait_s"), "20");
    EXPECT_EQ(asked.query_value("after"), std::nullopt);
    EXPECT_EQ(asked.header("weir-agent-protocol"), "4");
    const auto after = *JobId::parse("job-01k00000000000000000000001");
    EXPECT_TRUE(link->get_desired({.since = 12, .after = after, .number = 2, .session = "01k00000000000000000000009"}, Seconds{0}));
    EXPECT_EQ(asked.query_value("after"), after.text());
    EXPECT_EQ(asked.query_value("session"), "01k00000000000000000000009");
}

TEST_F(HttpServerLinkTest, WhatIsNoAnswerIsSaidToBeNone) {
    body = R"({"sequence":7})";
    EXPECT_EQ(link->post_report({}).error().fault, LinkFault::bad_answer);
    body = "<html>";
    EXPECT_EQ(link->get_desired({}, Seconds{0}).error().fault, LinkFault::bad_answer);
}

TEST_F(HttpServerLinkTest, ATokenThatWasExchangedIsReadAgain) {
    token = "newer";
    body = codec::to_json(ReportAnswer{});
    EXPECT_TRUE(link->post_report({}));
    EXPECT_EQ(asked.header("authorization"), "Bearer secret") << "not read as long as it is good";
    good = "newer";
    EXPECT_TRUE(link->post_report({})) << "the same report goes again at once";
    EXPECT_EQ(asked.header("authorization"), "Bearer newer");
    good = "newest";
    const auto refused = link->post_report({});
    EXPECT_EQ(refused.error().fault, LinkFault::busy) << "nothing is wrong with the report";
    EXPECT_EQ(refused.error().message, "the server answered 401; put one that is in force into the token's file: it is read again");
}

/// A report with every word that came with protocol 4.
SiteReport report_of_today() {
    SiteReport report;
    report.site = *SiteName::parse("pidu-core");
    report.session = "01K00000000000000000000000";
    report.sequence = 7;
    TaskReport ended;
    ended.job = *JobId::parse("job-01k00000000000000000000001");
    ended.generation = 1;
    ended.state = TaskState::ended;
    ended.reason = Reason::exited;
    ended.ago_ms = 250;
    report.tasks.push_back(ended);
    report.prepared = {{*JobId::parse("job-01k00000000000000000000002"), 2, sha256("manifest")}};
    return report;
}

TEST_F(HttpServerLinkTest, AServerOfBeforeIsSpokenToInItsOwnWords) {
    highest = "3";
    body = codec::to_json(ReportAnswer{});
    const auto report = report_of_today();
    EXPECT_TRUE(link->post_report(report));
    EXPECT_EQ(protocols, (std::vector<std::string>{"4", "3"}));
    auto expected = report;
    expected.tasks[0].ago_ms.reset();
    expected.prepared.reset();
    EXPECT_EQ(asked.body, codec::to_json(expected));
    EXPECT_EQ(asked.body.find("ago_ms"), std::string::npos);
    EXPECT_TRUE(link->post_report(report));
    EXPECT_EQ(protocols.size(), 3U) << "and is not asked again whether it knows more";
    body = codec::to_json(DesiredPage{});
    highest = "2";
    EXPECT_TRUE(link->get_desired({.since = 1, .number = 1, .session = "01k00000000000000000000009"}, Seconds{0}));
    EXPECT_EQ(protocols.back(), "2");
    EXPECT_EQ(asked.query_value("session"), std::nullopt);
}

TEST_F(HttpServerLinkTest, AServerThatWasAwayMayKnowMoreWhenItIsBack) {
    highest = "3";
    body = codec::to_json(ReportAnswer{});
    EXPECT_TRUE(link->post_report(report_of_today()));
    failing = true;
    EXPECT_EQ(link->post_report(report_of_today()).error().fault, LinkFault::busy);
    failing = false;
    highest = "4";
    EXPECT_TRUE(link->post_report(report_of_today()));
    EXPECT_EQ(protocols.back(), "4");
    EXPECT_EQ(asked.body, codec::to_json(report_of_today()));
}

TEST_F(HttpServerLinkTest, AServerThatKnowsNoProtocolOfOursIsSaidToRefuse) {
    highest = "1";
    EXPECT_EQ(link->post_report(report_of_today()).error().fault, LinkFault::refused);
    EXPECT_EQ(protocols, (std::vector<std::string>{"4", "3", "2"}));
    highest = "4";
    body = codec::to_json(ReportAnswer{});
    EXPECT_TRUE(link->post_report(report_of_today()));
    EXPECT_EQ(asked.body, codec::to_json(report_of_today())) << "it may have been brought up to date";
}

TEST_F(HttpServerLinkTest, AnInterruptedLinkIsNotUsedAgain) {
    link->interrupt();
    EXPECT_EQ(link->get_desired({}, Seconds{20}).error().fault, LinkFault::interrupted);
    EXPECT_EQ(link->post_report({}).error().fault, LinkFault::interrupted);
}

TEST_F(HttpServerLinkTest, ASilentServerIsUnreachable) {
    server.reset();
    EXPECT_EQ(link->post_report({}).error().fault, LinkFault::unreachable);
}

TEST(LinkError, IsToldByTheProblemsTypeBeforeItsStatus) {
    const auto stale =
        link_error_of(409, R"({"type":"urn:weir:problem:stale_sequence","status":409,"detail":"report 3 came where 2 is next"})");
    EXPECT_EQ(stale.fault, LinkFault::stale_sequence);
    EXPECT_EQ(stale.message, "the server answered 409: report 3 came where 2 is next");
    EXPECT_EQ(link_error_of(409, R"({"type":"urn:weir:problem:other"})").fault, LinkFault::refused);
    EXPECT_EQ(link_error_of(401, "").fault, LinkFault::busy);
    EXPECT_EQ(link_error_of(422, "").fault, LinkFault::refused);
    EXPECT_EQ(link_error_of(429, "{}").fault, LinkFault::busy);
    EXPECT_EQ(link_error_of(503, "[]").fault, LinkFault::busy);
}

TEST(HttpServerLink, TakesOnlyPlainHttp) {
    EXPECT_FALSE(HttpServerLink::make({.url = "ftp://x", .site = {}, .token = [] { return std::string{}; }}));
}

}  // namespace
}  // namespace weir::site_link
