// Goal: the server keeps HTTP's promises on real sockets.
// Method: a raw peer says exactly what a test wants and reads exactly what comes back. Nothing sleeps: a test
// waits for the server's own bytes, its close, or a promise that a handler fulfils.
#include "transport/http/server/server.hpp"

#include "transport/http/server/raw_peer.hpp"
#include "transport/http/server/server_kit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace weir::http {
namespace {

using testing::HasSubstr;

TEST(Server, AnswersOnOneConnectionAgainAndAgain) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    for (int i = 0; i < 3; ++i) {
        peer.send(get("/echo/" + std::to_string(i) + "?q=%20x"));
        const auto answer = peer.answer();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 200);
        EXPECT_EQ(answer->body, "GET /echo/" + std::to_string(i) + " name=" + std::to_string(i) + " ?q= x");
        EXPECT_TRUE(answer->has("Content-Type: text/plain"));
        EXPECT_TRUE(answer->has("Date: ") && answer->has("X-Request-Id: ") && answer->has("Server: weir"));
        EXPECT_FALSE(answer->has("Connection:"));
    }
    EXPECT_EQ(server.metrics().connections_accepted, 1U);
    EXPECT_EQ(server.metrics().responses_by_class[2], 3U);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
    // The first answer comes from another thread, after the other requests were sent.
    std::promise<Reply> first;
    Router router = echo_router();
    add(router, Method::get, "/slow", [&](const Request&, Reply reply) { first.set_value(std::move(reply)); });
    const Server server = start(std::move(router));
    RawPeer peer{server.port()};
    peer.send("\r\n" + get("/echo") + get("/slow") + post("/echo", "body") + get("/nothing") + get("/echo/last", "Connection: close\r\n") +
              get("/echo/never"));
    EXPECT_EQ(peer.answer()->body, "GET /echo");
    Reply reply = first.get_future().get();
    std::jthread other{[&] { reply(Response::text(201, "slow")); }};
    EXPECT_EQ(peer.answer()->status, 201);
    EXPECT_EQ(peer.answer()->body, "POST /echo body");
    EXPECT_EQ(peer.answer()->status, 404);
    const auto last = peer.answer();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->body, "GET /echo/last name=last");
    EXPECT_TRUE(last->has("Connection: close"));
    EXPECT_TRUE(peer.closed());
}

TEST(Server, ReadsBodiesHoweverTheyAreCut) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n");
    EXPECT_EQ(peer.answer()->body, "POST /echo abcd");
    for (const char c : post("/echo", "slowly")) peer.send({&c, 1});
    EXPECT_EQ(peer.answer()->body, "POST /echo slowly");
    for (const std::string_view body : {"0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n"}) {  // Beast asserted a whole last chunk here
        for (const char c : "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{body}) peer.send({&c, 1});
        EXPECT_EQ(peer.answer()->body, "POST /echo") << body;
    }
    const std::string large(900'000, 'x');
    peer.send(post("/echo", large));
    EXPECT_EQ(peer.answer()->body.size(), large.size() + 11);
}

TEST(Server, SendsContinueOnlyWhenItWantsTheBody) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(peer.answer()->status, 100);
    peer.send("body");
    EXPECT_EQ(peer.answer()->body, "POST /echo body");
    peer.send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    const auto refused = peer.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 413);
    EXPECT_TRUE(refused->has("Connection: close"));
    EXPECT_TRUE(peer.closed());
}

TEST(Server, AnswersHeadAndOptionsForEveryRoute) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    peer.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto head = peer.answer(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 200);
    EXPECT_TRUE(head->has("Content-Length: 10\r\n"));
    peer.send("OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto options = peer.answer();
    ASSERT_TRUE(options);
    EXPECT_EQ(options->status, 204);
    EXPECT_TRUE(options->has("Allow: GET, HEAD, POST, OPTIONS"));
    EXPECT_FALSE(options->has("Content-Length"));
    peer.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(peer.answer()->status, 204);
    peer.send("DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto wrong = peer.answer();
    ASSERT_TRUE(wrong);
    EXPECT_EQ(wrong->status, 405);
    EXPECT_TRUE(wrong->has("Allow: GET, HEAD, POST, OPTIONS"));
    EXPECT_THAT(wrong->body, HasSubstr("urn:weir:problem:method_not_allowed"));
}

TEST(Server, SpeaksHttp10) {
    const Server server = start(echo_router());
    RawPeer once{server.port()};
    once.send("GET /echo HTTP/1.0\r\n\r\n");
    EXPECT_EQ(once.answer()->body, "GET /echo");
    EXPECT_TRUE(once.closed());
    RawPeer kept{server.port()};
    kept.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(kept.answer()->has("Connection: keep-alive"));
    kept.send("GET /echo HTTP/1.0\r\n\r\n");
    EXPECT_EQ(kept.answer()->status, 200);
}

// Goal: whatever is no request gets the problem document of its case and a closed connection.
TEST(Server, RefusesWhatIsNoRequest) {
    ServerOptions options;
    options.limits.header_bytes = 2048;
    options.limits.header_fields = 10;
    options.limits.target_bytes = 256;
    const Server server = start(echo_router(), std::move(options));
    const std::string long_text(300, 'a');
    std::string many_fields;
    for (int i = 0; i < 10; ++i) many_fields += "X-" + std::to_string(i) + ": 1\r\n";
    std::string large_fields;
    for (int i = 0; i < 9; ++i) large_fields += "X-" + std::to_string(i) + ": " + long_text + "\r\n";
    struct Row {
        std::string name;
        std::string bytes;
        int status;
        std::string_view code;
    };
    const std::array rows{
        Row{"garbage", "\x16\x03\x01\x02\r\n\r\n", 400, "malformed_request"},
        Row{"no version", "GET /echo\r\n\r\n", 400, "malformed_request"},
        Row{"old version", "GET /echo HTTP/0.9\r\nHost: x\r\n\r\n", 505, "unknown_http_version"},
        Row{"next version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unknown_http_version"},
        Row{"space in name", "GET /echo HTTP/1.1\r\nHost: x\r\nX Y: 1\r\n\r\n", 400, "malformed_request"},
        Row{"space before colon", "GET /echo HTTP/1.1\r\nHost : x\r\n\r\n", 400, "malformed_request"},
        Row{"bare line feed", "GET /echo HTTP/1.1\nHost: x\n\n", 505, "unknown_http_version"},
        Row{"bare line feed in fields", "GET /echo HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400, "malformed_request"},
        Row{"nul in value", get("/echo", std::string_view{"X: a\0b\r\n", 8}), 400, "malformed_request"},
        Row{"no host", "GET /echo HTTP/1.1\r\n\r\n", 400, "bad_host"},
        Row{"two hosts", "GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_host"},
        Row{"two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400, "malformed_request"},
        Row{"length and chunks", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"},
        Row{"chunks and length", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"},
        Row{"negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "malformed_request"},
        Row{"huge length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400, "malformed_request"},
        Row{"coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "unknown_transfer_coding"},
        Row{"chunks in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"},
        Row{"bad chunk", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "malformed_request"},
        Row{"chunk without end", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n\r\n", 400,
            "malformed_request"},
        Row{"chunk head without end", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(3000, 'x'),
            400, "malformed_request"},
        Row{"long target", get("/" + long_text), 414, "target_too_long"},
        Row{"endless target", "GET /" + std::string(3000, 'a'), 414, "target_too_long"},
        Row{"many fields", get("/echo", many_fields), 431, "too_many_header_fields"},
        Row{"large fields", get("/echo", large_fields), 431, "header_too_large"},
        Row{"endless field", "GET /echo HTTP/1.1\r\nHost: x\r\nX: " + std::string(3000, 'a'), 431, "header_too_large"},
    };
    for (const Row& row : rows) {
        RawPeer peer{server.port()};
        peer.send(row.bytes);
        const auto answer = peer.answer();
        ASSERT_TRUE(answer) << row.name;
        EXPECT_EQ(answer->status, row.status) << row.name << answer->body;
        EXPECT_THAT(answer->body, HasSubstr("\"urn:weir:problem:" + std::string{row.code} + "\"")) << row.name;
        EXPECT_TRUE(answer->has("Content-Type: application/problem+json")) << row.name;
        EXPECT_TRUE(answer->has("Connection: close")) << row.name;
        peer.end_sending();
        EXPECT_TRUE(peer.closed()) << row.name;
    }
    EXPECT_EQ(server.metrics().malformed, rows.size());
}

// Goal: a request that can be read but not be met keeps its connection.
TEST(Server, RefusesWhatCannotBeMet) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    struct Row {
        std::string bytes;
        int status;
        std::string_view code;
    };
    for (const auto& [bytes, status, code] : std::array{
             Row{get("/nothing"), 404, "no_such_path"},
             Row{post("/nothing", "body"), 404, "no_such_path"},
             Row{get("/echo/%2e%2e"), 400, "bad_target"},
             Row{get("/echo/%zz"), 400, "bad_target"},
             Row{get("/echo/%00"), 400, "bad_target"},
             Row{"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unknown_method"},
             Row{"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "unknown_method"},
             Row{get("/echo", "Expect: tea\r\n"), 417, "unknown_expectation"},
             Row{get("/echo", "Expect: 100-continue\r\nExpect: tea\r\n"), 417, "unknown_expectation"},
             Row{"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 200-ok\r\n\r\n", 417, "unknown_expectation"},
             Row{post("/small", "0123456789a"), 413, "body_too_large"},
         }) {
        peer.send(bytes);
        const auto answer = peer.answer();
        ASSERT_TRUE(answer) << bytes;
        EXPECT_EQ(answer->status, status) << bytes;
        EXPECT_THAT(answer->body, HasSubstr(code)) << bytes;
    }
    peer.send(get("/echo"));
    EXPECT_EQ(peer.answer()->status, 200);
}

TEST(Server, RefusesALargeBodyWithoutReadingIt) {
    const Server server = start(echo_router());
    RawPeer peer{server.port()};
    peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
    const auto answer = peer.answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 413);
    EXPECT_THAT(answer->body, HasSubstr("the body has 104857600 bytes and at most 1048576 are taken here; send less"));
    EXPECT_THAT(answer->body, HasSubstr("\"limit_bytes\":1048576"));
    const std::string megabyte(1024 * 1024, 'x');
    int sent = 0;
    while (sent < 100 && peer.send(megabyte)) ++sent;
    EXPECT_LT(sent, 100) << "the server took all of it";
    EXPECT_LT(server.metrics().bytes_received, 8U * 1024 * 1024);

    RawPeer chunked{server.port()};
    chunked.send("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nghijkl\r\n");
    EXPECT_THAT(chunked.answer()->body, HasSubstr("the body has more than 10 bytes"));
    chunked.end_sending();
    EXPECT_TRUE(chunked.closed());
}

TEST(Server, AsksForAdmissionBeforeTheBody) {
    ServerOptions options;
    options.admit = [](Request& request, const Route& route) -> std::optional<Response> {
        if (request.bearer_token() != "good") return too_many_requests(seconds(3), std::string{route.pattern} + " is busy");
        request.caller = std::make_shared<const std::string>("lab-" + std::to_string(route.options.tag));
        return std::nullopt;
    };
    Router router = echo_router();
    RouteOptions tagged;
    tagged.tag = 7;
    add(router, Method::post, "/who", answer_with([](const Request& request) {
            return Response::text(200, *std::static_pointer_cast<const std::string>(request.caller));
        }), std::move(tagged));
    const Server server = start(std::move(router), std::move(options));
    RawPeer peer{server.port()};
    peer.send(post("/who", "body"));
    const auto refused = peer.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_TRUE(refused->has("Retry-After: 3"));
    EXPECT_THAT(refused->body, HasSubstr("/who is busy"));
    peer.send(post("/who", "body", "Authorization: Bearer good\r\n"));
    EXPECT_EQ(peer.answer()->body, "lab-7");
}

/// Whoever sends the header Authorization is known.
ServerOptions knowing() {
    ServerOptions options;
    options.admit = [](Request& request, const Route&) -> std::optional<Response> {
        if (request.bearer_token()) request.caller = std::make_shared<const int>(1);
        return std::nullopt;
    };
    return options;
}
constexpr std::string_view known = "Authorization: Bearer x\r\n";

TEST(Server, LimitsConnectionsAndTheirRequests) {
    auto options = knowing();
    options.limits.connections = 2;
    options.limits.requests_per_connection = 2;
    const Server server = start(echo_router(), std::move(options));
    RawPeer first{server.port()};
    RawPeer second{server.port()};
    first.send(get("/echo", known));
    second.send(get("/echo", known));
    EXPECT_EQ(first.answer()->status, 200);
    EXPECT_EQ(second.answer()->status, 200);
    RawPeer third{server.port()};
    const auto refused = third.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_TRUE(refused->has("Retry-After: 1"));
    EXPECT_THAT(refused->body, HasSubstr("too_many_connections"));
    EXPECT_TRUE(third.closed());
    first.send(get("/echo"));
    EXPECT_TRUE(first.answer()->has("Connection: close"));
    EXPECT_TRUE(first.closed());
    EXPECT_EQ(server.metrics().connections_refused, 1U);
}

// Goal: who shows no token cannot keep others out by being there, however many they are.
TEST(Server, ClosesTheOldestStrangerWhereAllConnectionsAreTaken) {
    auto options = knowing();
    options.limits.connections = 3;
    const Server server = start(echo_router(), std::move(options));
    RawPeer known_one{server.port()};
    known_one.send(get("/echo", known));
    EXPECT_EQ(known_one.answer()->status, 200);
    RawPeer silent{server.port()};
    RawPeer half{server.port()};
    half.send("GET /echo HT");
    RawPeer asking{server.port()};  // The limit is reached: the oldest of the two goes.
    EXPECT_TRUE(silent.closed());
    asking.send(get("/echo", known));
    EXPECT_EQ(asking.answer()->status, 200);
    RawPeer next{server.port()};
    EXPECT_TRUE(half.closed());
    next.send(get("/echo", known));
    EXPECT_EQ(next.answer()->status, 200);
    RawPeer last{server.port()};
    EXPECT_EQ(last.answer()->status, 503) << "nobody is a stranger any more";
    known_one.send(get("/echo"));
    EXPECT_EQ(known_one.answer()->status, 200) << "who was known stays so, though it asks without a token once";
    EXPECT_EQ(server.metrics().strangers_closed, 2U);
    EXPECT_EQ(server.metrics().connections_refused, 1U);
}

/// Whoever sends a token is known by it, and `agent` is privileged.
ServerOptions holding() {
    ServerOptions options;
    options.admit = [](Request& request, const Route&) -> std::optional<Response> {
        const auto token = request.bearer_token();
        if (!token) return std::nullopt;
        request.caller = std::make_shared<const int>(1);
        request.holder = {.name = std::string{*token}, .privileged = *token == "agent"};
        return std::nullopt;
    };
    return options;
}
std::string get_as(std::string_view who) { return get("/echo", "Authorization: Bearer " + std::string{who} + "\r\n"); }

// Goal: one who is known cannot keep others out either, however many connections he opens.
TEST(Server, WhoHoldsMostConnectionsMakesRoomForOthers) {
    auto options = holding();
    options.limits.connections = 8;
    options.limits.connections_each = 8;
    const Server server = start(echo_router(), std::move(options));
    std::vector<RawPeer> agents;
    std::vector<RawPeer> greedy;
    const auto open = [&](std::vector<RawPeer>& peers, std::string_view who) {
        peers.emplace_back(server.port());
        peers.back().send(get_as(who));
        EXPECT_EQ(peers.back().answer()->status, 200) << who;
    };
    for (int i = 0; i < 3; ++i) open(agents, "agent");
    for (int i = 0; i < 5; ++i) open(greedy, "nobody");
    RawPeer probe{server.port()};
    EXPECT_TRUE(greedy[0].closed()) << "the oldest idle one of whoever has most";
    probe.send(get("/echo"));
    EXPECT_EQ(probe.answer()->status, 200) << "without a token: /healthz is asked so";
    RawPeer root{server.port()};
    root.send(get_as("root"));
    EXPECT_EQ(root.answer()->status, 200);
    for (auto& one : agents) {
        one.send(get_as("agent"));
        EXPECT_EQ(one.answer()->status, 200) << "those of an agent stay";
    }
    EXPECT_EQ(server.metrics().connections_refused, 0U);
    EXPECT_EQ(server.metrics().holders_closed, 2U);
}

TEST(Server, AHolderHasSoManyConnectionsAndNoMore) {
    auto options = holding();
    options.limits.connections_each = 2;
    std::promise<Reply> first;
    std::promise<Reply> second;
    std::vector<std::promise<Reply>*> kept{&first, &second};
    Router router = echo_router();
    std::size_t next = 0;
    add(router, Method::get, "/keep", [&](const Request&, Reply reply) { kept.at(next++)->set_value(std::move(reply)); });
    const Server server = start(std::move(router), std::move(options));
    RawPeer idle{server.port()};
    idle.send(get_as("ann"));
    EXPECT_EQ(idle.answer()->status, 200);
    RawPeer busy{server.port()};
    busy.send(get("/keep", "Authorization: Bearer ann\r\n"));
    Reply reply = first.get_future().get();
    RawPeer third{server.port()};
    third.send(get("/keep", "Authorization: Bearer ann\r\n"));
    EXPECT_TRUE(idle.closed()) << "the idle one makes room";
    Reply other = second.get_future().get();
    RawPeer fourth{server.port()};
    fourth.send(get_as("ann"));
    const auto refused = fourth.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_THAT(refused->body, HasSubstr("ann has as many connections as one may have"));
    RawPeer eve{server.port()};
    eve.send(get_as("eve"));
    EXPECT_EQ(eve.answer()->status, 200);
    reply(Response::empty());
    other(Response::empty());
    EXPECT_EQ(busy.answer()->status, 204);
}

// Goal: one token's bodies leave room for others', and for agents even where many tokens take what they can.
TEST(Server, ABodyOfOneWhoHasMuchIsRefusedBeforeThoseOfOthers) {
    auto options = holding();
    options.limits.body_bytes = 400'000;
    Router router = echo_router();
    std::promise<std::pair<Request, Reply>> kept;
    add(router, Method::post, "/keep", [&](Request request, Reply reply) { kept.set_value({std::move(request), std::move(reply)}); });
    const Server server = start(std::move(router), std::move(options));
    const auto as = [](std::string_view who, std::size_t bytes, std::string_view path = "/echo") {
        return post(path, std::string(bytes, 'x'), "Authorization: Bearer " + std::string{who} + "\r\n");
    };
    RawPeer greedy{server.port()};
    greedy.send(as("nobody", 150'000, "/keep"));
    auto [request, reply] = kept.get_future().get();
    RawPeer more{server.port()};
    more.send(as("nobody", 60'000));
    const auto refused = more.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_THAT(refused->body, HasSubstr("150000 of them nobody's"));
    RawPeer ann{server.port()};
    ann.send(as("ann", 60'000));
    EXPECT_EQ(ann.answer()->status, 200);
    RawPeer agent{server.port()};
    agent.send(as("agent", 120'000));
    EXPECT_EQ(agent.answer()->status, 200);
    reply(Response::empty());
}

// Goal: a handler can know that nobody waits for its answer any more.
TEST(Server, ARequestIsGivenUpOnceItsPeerHungUpOrItsTimeIsOver) {
    ServerOptions options;
    options.limits.idle = milliseconds(40);  // a fine tick
    std::vector<std::promise<std::pair<Request, Reply>>> kept(2);
    std::size_t next = 0;
    Router router = echo_router();
    const auto keep = [&](Request request, Reply reply) { kept.at(next++).set_value({std::move(request), std::move(reply)}); };
    RouteOptions hasty;
    hasty.reply_within = milliseconds(20);
    add(router, Method::get, "/hasty", keep, std::move(hasty));
    add(router, Method::get, "/keep", keep);
    const Server server = start(std::move(router), std::move(options));
    RawPeer late{server.port()};
    late.send(get("/hasty"));
    auto [over, its_reply] = kept[0].get_future().get();
    EXPECT_EQ(late.answer()->status, 500);
    EXPECT_TRUE(over.is_given_up());
    RawPeer gone{server.port()};
    gone.send(get("/keep"));
    auto [request, reply] = kept[1].get_future().get();
    EXPECT_FALSE(request.is_given_up());
    gone.hang_up();
    while (!request.is_given_up()) std::this_thread::yield();
}

TEST(Server, WaitsForAStrangersRequestNotAsLongAsForOthers) {
    auto options = knowing();
    options.limits.stranger_idle = milliseconds(20);
    const Server server = start(echo_router(), std::move(options));
    RawPeer known_one{server.port()};
    known_one.send(get("/echo", known));
    EXPECT_EQ(known_one.answer()->status, 200);
    RawPeer silent{server.port()};
    EXPECT_TRUE(silent.closed());
    RawPeer without_token{server.port()};
    without_token.send(get("/echo"));
    EXPECT_EQ(without_token.answer()->status, 200);
    EXPECT_TRUE(without_token.closed());
    known_one.send(get("/echo", known));
    EXPECT_EQ(known_one.answer()->status, 200);
}

// Goal: many bodies at once, each within its limit, are bounded together, and the room comes back when their requests are gone.
TEST(Server, BoundsTheBytesOfAllBodies) {
    ServerOptions options;
    options.limits.body_bytes = 100'000;
    std::promise<std::pair<Request, Reply>> kept;
    Router router = echo_router();
    add(router, Method::post, "/keep",
        [&](Request request, Reply reply) { kept.set_value({std::move(request), std::move(reply)}); });
    const Server server = start(std::move(router), std::move(options));
    RawPeer first{server.port()};
    first.send(post("/keep", std::string(60'000, 'x')));
    {
        auto [request, reply] = kept.get_future().get();
        EXPECT_EQ(server.metrics().body_bytes, 60'000U);
        RawPeer second{server.port()};
        second.send(post("/echo", std::string(60'000, 'x')));
        const auto refused = second.answer();
        ASSERT_TRUE(refused);
        EXPECT_EQ(refused->status, 503);
        EXPECT_TRUE(refused->has("Retry-After: 1"));
        EXPECT_THAT(refused->body, HasSubstr("take 60000 bytes and may take 100000"));
        RawPeer in_pieces{server.port()};
        in_pieces.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{"C350\r\n"} +
                       std::string(50'000, 'x') + "\r\n");
        EXPECT_EQ(in_pieces.answer()->status, 503);
        RawPeer small{server.port()};
        small.send(post("/echo", std::string(30'000, 'y')));
        EXPECT_EQ(small.answer()->status, 200);
        reply(Response::text(200, "done"));
    }
    EXPECT_EQ(first.answer()->status, 200);
    RawPeer again{server.port()};
    again.send(post("/echo", std::string(90'000, 'x')));
    EXPECT_EQ(again.answer()->status, 200);
    EXPECT_EQ(server.metrics().body_bytes, 0U);
    EXPECT_EQ(server.metrics().bodies_refused, 2U);
}

TEST(Server, HasAsManyConnectionsAsFilesMayBeOpen) {
    EXPECT_EQ(connections_within(100'000, 256, 20'000), 20'000U);
    EXPECT_EQ(connections_within(20'320, 256, 20'000), 20'000U);
    EXPECT_EQ(connections_within(20'319, 256, 20'000), 19'999U);
    EXPECT_EQ(connections_within(700, 256, 20'000), 380U);
    EXPECT_EQ(connections_within(64, 256, 20'000), 16U);
    EXPECT_EQ(connections_within(0, 256, 8), 8U);
}

TEST(Server, ASlowRequestEndsWith408AndAnIdleConnectionSilently) {
    ServerOptions options;
    options.limits.request = milliseconds(20);
    options.limits.idle = milliseconds(20);
    const Server server = start(echo_router(), std::move(options));
    RawPeer idle{server.port()};
    EXPECT_TRUE(idle.closed());
    for (const std::string_view begun :
         {"G", "GET /echo HTTP/1.1\r\nHost: x\r\nX: ", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"}) {
        RawPeer slow{server.port()};
        slow.send(begun);
        const auto answer = slow.answer();
        ASSERT_TRUE(answer) << begun;
        EXPECT_EQ(answer->status, 408) << begun;
        EXPECT_THAT(answer->body, HasSubstr("the request was not complete after 20 ms"));
        slow.end_sending();
        EXPECT_TRUE(slow.closed());
    }
}

TEST(Server, SaysWhyItCannotListen) {
    const Server server = start(echo_router());
    const auto fault_of = [](std::string address, std::uint16_t port) {
        ServerOptions options;
        options.address = std::move(address);
        options.port = port;
        const auto started = Server::start(Router{}, std::move(options));
        return started ? std::optional<StartFault>{} : started.error().fault;
    };
    EXPECT_EQ(fault_of("nowhere", 0), StartFault::bad_address);
    EXPECT_EQ(fault_of("127.0.0.1", server.port()), StartFault::address_in_use);
    EXPECT_EQ(fault_of("203.0.113.7", 0), StartFault::no_such_address);
    EXPECT_EQ(server.url(), "http://127.0.0.1:" + std::to_string(server.port()));
}

}  // namespace
}  // namespace weir::http
