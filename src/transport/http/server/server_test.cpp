// Goal: the server keeps HTTP's promises on real sockets.
// Method: a raw peer says exactly what a test wants and reads exactly what comes back. Nothing sleeps: a test
// waits for the server's own bytes, its close, or a promise that a handler fulfils.
#include "transport/http/server/server.hpp"

#include "transport/http/server/raw_peer.hpp"
#include "transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <future>
#include <mutex>
#include <thread>

namespace weir::http {
namespace {

using testing::HasSubstr;

constexpr std::string_view host = "Host: x\r\n";

std::string get(std::string_view target, std::string_view fields = "") {
    return "GET " + std::string{target} + " HTTP/1.1\r\n" + std::string{host} + std::string{fields} + "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view fields = "") {
    return "POST " + std::string{target} + " HTTP/1.1\r\n" + std::string{host} + std::string{fields} +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

Response echo(const Request& request) {
    std::string text = std::string{name_of(request.method)} + " " + request.path;
    for (const auto& [name, value] : request.parameters) text += " " + std::string{name} + "=" + value;
    for (const auto& [name, value] : request.query) text += " ?" + name + "=" + value;
    if (!request.body.empty()) text += " " + request.body;
    return Response::text(200, text);
}

void add(Router& router, Method method, std::string pattern, Handler handler, RouteOptions options = {}) {
    ASSERT_TRUE(
        router.add({.method = method, .pattern = std::move(pattern), .handler = std::move(handler), .options = std::move(options)}));
}

Router echo_router() {
    Router router;
    add(router, Method::get, "/echo", answer_with(echo));
    add(router, Method::get, "/echo/{name}", answer_with(echo));
    add(router, Method::post, "/echo", answer_with(echo));
    RouteOptions small;
    small.max_body = 10;
    add(router, Method::post, "/small", answer_with(echo), std::move(small));
    return router;
}

Server start(Router router, ServerOptions options = {}) {
    auto server = Server::start(std::move(router), std::move(options));
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
}

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
    options.admit = [](const Request& request, const Route& route) -> std::optional<Response> {
        if (request.bearer_token() == "good") return std::nullopt;
        return too_many_requests(seconds(3), std::string{route.pattern} + " is busy");
    };
    const Server server = start(echo_router(), std::move(options));
    RawPeer peer{server.port()};
    peer.send(post("/echo", "body"));
    const auto refused = peer.answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_TRUE(refused->has("Retry-After: 3"));
    EXPECT_THAT(refused->body, HasSubstr("/echo is busy"));
    peer.send(post("/echo", "body", "Authorization: Bearer good\r\n"));
    EXPECT_EQ(peer.answer()->status, 200);
}

TEST(Server, LimitsConnectionsAndTheirRequests) {
    ServerOptions options;
    options.limits.connections = 2;
    options.limits.requests_per_connection = 2;
    const Server server = start(echo_router(), std::move(options));
    RawPeer first{server.port()};
    RawPeer second{server.port()};
    first.send(get("/echo"));
    second.send(get("/echo"));
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

// ---- replies ----

struct Log {
    std::mutex mutex;
    std::string lines;
    std::promise<void> first;
    void add(const LogLine& line) {
        const std::scoped_lock lock{mutex};
        if (lines.empty()) first.set_value();
        lines += std::string{line.event} + ": " + line.detail + "\n";
    }
};

TEST(Server, AReplyThatNeverComesIsAnErrorAndSaysSo) {
    Log log;
    ServerOptions options;
    options.log = [&](const LogLine& line) { log.add(line); };
    options.limits.idle = milliseconds(40);  // a fine tick
    Router router = echo_router();
    RouteOptions hasty;
    hasty.reply_within = milliseconds(20);
    std::promise<Reply> kept;
    add(router, Method::get, "/kept", [&](const Request&, Reply reply) { kept.set_value(std::move(reply)); }, std::move(hasty));
    add(router, Method::get, "/dropped", [](const Request&, const Reply&) {});
    add(router, Method::get, "/thrown", [](const Request&, const Reply&) { throw std::runtime_error{"oh"}; });
    Server server = start(std::move(router), std::move(options));
    for (const std::string_view path : {"/kept", "/dropped", "/thrown"}) {
        RawPeer peer{server.port()};
        peer.send(get(path) + get("/echo"));
        const auto answer = peer.answer();
        ASSERT_TRUE(answer) << path;
        EXPECT_EQ(answer->status, 500) << path;
        EXPECT_THAT(answer->body, HasSubstr("no_reply")) << path;
        EXPECT_EQ(peer.answer()->status, 200) << path;
    }
    Reply late = kept.get_future().get();
    late(Response::text(200, "late"));
    EXPECT_EQ(server.metrics().replies_missing, 3U);
    EXPECT_EQ(server.metrics().requests_in_flight, 0U);
    server.stop({});
    EXPECT_THAT(log.lines, HasSubstr("http.handler_threw: GET /thrown: oh"));
    EXPECT_THAT(log.lines, HasSubstr("http.reply_missing: GET /kept: the handler gave no reply, its time is over"));
    EXPECT_THAT(log.lines, HasSubstr("http.reply_missing: GET /dropped: the handler gave no reply, it was dropped unused"));
}

TEST(Server, ASecondReplyIsIgnoredAndLogged) {
    Log log;
    ServerOptions options;
    options.log = [&](const LogLine& line) { log.add(line); };
    Router router = echo_router();
    add(router, Method::get, "/twice", [](const Request&, Reply reply) {
        reply(Response::text(200, "first"));
        reply(Response::text(200, "second"));
    });
    Server server = start(std::move(router), std::move(options));
    RawPeer peer{server.port()};
    peer.send(get("/twice"));
    EXPECT_EQ(peer.answer()->body, "first");
    peer.send(get("/echo"));
    EXPECT_EQ(peer.answer()->body, "GET /echo");
    log.first.get_future().wait();
    server.stop({});
    EXPECT_THAT(log.lines, HasSubstr("http.reply_repeated"));
}

TEST(Server, AReplyMayOutliveItsPeerAndItsServer) {
    std::promise<Reply> kept;
    Router router;
    add(router, Method::get, "/", [&](const Request&, Reply reply) { kept.set_value(std::move(reply)); });
    std::optional<Reply> reply;
    {
        const Server server = start(std::move(router));
        RawPeer peer{server.port()};
        peer.send(get("/"));
        reply = kept.get_future().get();
    }
    const Stream stream = Stream::open();
    (*reply)(Response::events(stream));
    EXPECT_TRUE(stream.gone());
}

TEST(Server, AHeaderValueCannotSplitAnAnswer) {
    Router router;
    add(router, Method::get, "/", answer_with([](const Request&) {
            return Response::text(200, "x").with_header("X-A", "1\r\nX-B: 2").with_header("X C", "3").with_header("content-length", "7");
        }));
    const Server server = start(std::move(router));
    RawPeer peer{server.port()};
    peer.send(get("/"));
    const auto answer = peer.answer();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->has("X-A: 1  X-B: 2\r\n"));
    EXPECT_FALSE(answer->has("X C"));
    EXPECT_FALSE(answer->has("content-length"));
}

TEST(Server, ASinkLearnsThatItsUploadBrokeOff) {
    class Sink final : public BodySink {
    public:
        explicit Sink(std::promise<std::string>& end) : end_{end} {}
        ~Sink() override { end_.set_value("broke off after " + text_); }
        std::optional<Response> write(std::string_view piece) override {
            text_ += piece;
            return std::nullopt;
        }
        void finish(Request, Reply reply) override { reply(Response::empty()); }

    private:
        std::promise<std::string>& end_;
        std::string text_;
    };
    std::promise<std::string> end;
    RouteOptions upload;
    upload.sink = [&](const Request&) -> Result<std::unique_ptr<BodySink>, Response> { return std::make_unique<Sink>(end); };
    Router router;
    add(router, Method::put, "/blob", Handler{}, std::move(upload));
    const Server server = start(std::move(router));
    RawPeer peer{server.port()};
    peer.send("PUT /blob HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    peer.hang_up();
    EXPECT_EQ(end.get_future().get(), "broke off after abc");
}

TEST(Server, AnExceptionOfASinkClosesOneConnection) {
    class Sink final : public BodySink {
    public:
        std::optional<Response> write(std::string_view) override { throw std::runtime_error{"the disk is gone"}; }
        void finish(Request, Reply reply) override { reply(Response::empty()); }
    };
    Log log;
    ServerOptions options;
    options.log = [&](const LogLine& line) { log.add(line); };
    RouteOptions upload;
    upload.sink = [&](const Request&) -> Result<std::unique_ptr<BodySink>, Response> { return std::make_unique<Sink>(); };
    Router router = echo_router();
    add(router, Method::put, "/blob", Handler{}, std::move(upload));
    Server server = start(std::move(router), std::move(options));
    RawPeer other{server.port()};
    RawPeer peer{server.port()};
    peer.send("PUT /blob HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_TRUE(peer.closed());
    other.send(get("/echo"));
    EXPECT_EQ(other.answer()->status, 200);
    server.stop({});
    EXPECT_THAT(log.lines, HasSubstr("the disk is gone; the connection was closed"));
}

// Goal: a process without a free file descriptor waits for one, and serves who came in the meantime.
TEST(Server, SurvivesTheLackOfFileDescriptors) {
    Log log;
    ServerOptions options;
    options.log = [&](const LogLine& line) { log.add(line); };
    Server server = start(echo_router(), std::move(options));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit few = before;
    few.rlim_cur = 128;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<int> taken;
    while (true) {
        const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0) break;
        taken.push_back(fd);
    }
    ::close(taken.back());
    taken.pop_back();
    RawPeer peer{server.port()};
    EXPECT_TRUE(peer.connected());
    peer.send(get("/echo"));
    log.first.get_future().wait();
    for (const int fd : taken) ::close(fd);
    EXPECT_EQ(peer.answer()->status, 200);
    EXPECT_EQ(raise_open_files(before.rlim_cur), before.rlim_cur);
    server.stop({});
    EXPECT_THAT(log.lines, HasSubstr("http.accept: cannot accept a connection: Too many open files"));
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
