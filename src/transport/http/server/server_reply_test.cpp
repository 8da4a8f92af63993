// Goal: whatever a handler or a sink does, its peer gets an answer, and nobody else notices.
#include "transport/http/server/server.hpp"

#include "transport/http/server/raw_peer.hpp"
#include "transport/http/server/server_kit.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <stdexcept>
#include <vector>

namespace weir::http {
namespace {

using testing::HasSubstr;

TEST(ServerReply, AReplyThatNeverComesIsAnErrorAndSaysSo) {
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

TEST(ServerReply, ASecondReplyIsIgnoredAndLogged) {
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

TEST(ServerReply, AReplyMayOutliveItsPeerAndItsServer) {
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

TEST(ServerReply, AHeaderValueCannotSplitAnAnswer) {
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

TEST(ServerReply, ASinkLearnsThatItsUploadBrokeOff) {
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

TEST(ServerReply, AnExceptionOfASinkClosesOneConnection) {
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
TEST(ServerReply, SurvivesTheLackOfFileDescriptors) {
#if __has_feature(undefined_behavior_sanitizer)
    GTEST_SKIP() << "the sanitizer needs file descriptors of its own to look at memory";
#endif
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

}  // namespace
}  // namespace weir::http
