// Goal: pushed answers reach their readers, bounded in memory, and end in good order; so does the server.
// Method: raw peers that read, do not read, or hang up, against handlers that push from the test's thread.
#include "transport/http/server/server.hpp"

#include "transport/http/client/client.hpp"
#include "transport/http/server/raw_peer.hpp"
#include "transport/http/server/server_kit.hpp"
#include "transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace weir::http {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Hands what handlers make to the test, in order.
template <class T>
class Handed {
public:
    void put(T value) {
        const std::scoped_lock lock{mutex_};
        values_.push_back(std::move(value));
        changed_.notify_all();
    }
    T take() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [this] { return !values_.empty(); });
        T value = std::move(values_.front());
        values_.pop_front();
        return value;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<T> values_;
};

/// A server whose /events opens a stream with the given options and hands it to the test.
struct Broadcast {
    explicit Broadcast(StreamOptions stream_options = {}, ServerOptions options = {}) {
        Router router;
        add(router, Method::get, "/events", [this, stream_options](const Request&, Reply reply) {
            Stream stream = Stream::open(stream_options);
            reply(stream_options.kind == StreamKind::events ? Response::events(stream) : Response::streaming("text/plain", stream));
            opened.put(std::move(stream));
        });
        server = start(std::move(router), std::move(options));
    }
    Handed<Stream> opened;
    std::optional<Server> server;
};

TEST(ServerStream, PushesEventsInChunksAndEnds) {
    Broadcast broadcast;
    RawPeer peer{broadcast.server->port()};
    peer.send(get("/events"));
    const auto head = peer.answer();
    ASSERT_TRUE(head);
    EXPECT_TRUE(head->has("Content-Type: text/event-stream"));
    EXPECT_TRUE(head->has("Transfer-Encoding: chunked"));
    EXPECT_TRUE(head->has("Connection: close"));
    EXPECT_TRUE(head->has("Cache-Control: no-store"));
    const Stream stream = broadcast.opened.take();
    EXPECT_EQ(stream.push("data: 1\n\n"), Push::taken);
    EXPECT_TRUE(peer.receive_until("9\r\ndata: 1\n\n\r\n"));
    stream.push("data: 2\n\n");
    stream.finish();
    EXPECT_THAT(peer.rest(), HasSubstr("9\r\ndata: 2\n\n\r\n0\r\n\r\n"));
    EXPECT_EQ(stream.push("data: 3\n\n"), Push::ended);
}

TEST(ServerStream, AnOldClientGetsTheBytesAlone) {
    Broadcast broadcast;
    RawPeer peer{broadcast.server->port()};
    peer.send("GET /events HTTP/1.0\r\n\r\n");
    const Stream stream = broadcast.opened.take();
    stream.push("data: 1\n\n");
    stream.finish();
    const std::string all = peer.rest();
    EXPECT_THAT(all, Not(HasSubstr("chunked")));
    EXPECT_TRUE(all.ends_with("\r\n\r\ndata: 1\n\n")) << all;
}

TEST(ServerStream, SendsHeartbeatsWhenItIsQuiet) {
    ServerOptions options;
    options.limits.idle = milliseconds(20);  // a fine tick; a stream is not idle
    Broadcast broadcast{{.kind = StreamKind::events, .buffer_bytes = 1024, .heartbeat = milliseconds(5)}, std::move(options)};
    RawPeer peer{broadcast.server->port()};
    peer.send(get("/events"));
    const Stream stream = broadcast.opened.take();
    EXPECT_TRUE(peer.receive_until("4\r\n: \n\n\r\n4\r\n: \n\n\r\n"));
    stream.finish();
    EXPECT_TRUE(peer.rest().ends_with("0\r\n\r\n"));
}

TEST(ServerStream, TellsTheProducerThatTheReaderHungUp) {
    Broadcast broadcast;
    RawPeer peer{broadcast.server->port()};
    peer.send(get("/events"));
    const Stream stream = broadcast.opened.take();
    std::promise<void> gone;
    stream.on_gone([&] { gone.set_value(); });
    EXPECT_TRUE(peer.answer());
    EXPECT_EQ(broadcast.server->metrics().streams_open, 1U);
    peer.hang_up();
    gone.get_future().wait();
    EXPECT_EQ(stream.push("data: 1\n\n"), Push::gone);
    EXPECT_EQ(broadcast.server->metrics().streams_open, 0U);
}

// Goal: a stream that is opened after a long wait does not disturb the ear that listened for the peer's end meanwhile.
TEST(ServerStream, OfALateAnswerIsAStreamLikeAnyOther) {
    ServerOptions options;
    options.limits.idle = milliseconds(900);  // the idle peer below goes well after the ear is lent
    std::promise<std::pair<Request, Reply>> kept;
    Router router;
    add(router, Method::get, "/late", [&](Request request, Reply reply) { kept.set_value({std::move(request), std::move(reply)}); });
    const Server server = start(std::move(router), std::move(options));
    RawPeer gone{server.port()};
    RawPeer peer{server.port()};
    peer.send(get("/late"));
    auto waiting = kept.get_future().get();
    EXPECT_TRUE(gone.closed()) << "an idle connection's end: time has passed";
    const auto stream = Stream::open({.kind = StreamKind::raw, .heartbeat = {}});
    (void)stream.push("text");
    waiting.second(Response::streaming("text/plain", stream));
    EXPECT_NE(peer.receive_until("text"), std::nullopt);
    EXPECT_TRUE(peer.send(get("/late"))) << "what comes in its midst is passed over";
}

// Goal: a reader that reads nothing costs its buffer, is dropped with the reason, and nobody else waits for it.
TEST(ServerStream, DropsAReaderThatFallsBehind) {
    Broadcast broadcast{{.kind = StreamKind::events, .buffer_bytes = 64 * 1024, .heartbeat = {}}};
    RawPeer slow{broadcast.server->port(), 4096};
    RawPeer quick{broadcast.server->port()};
    slow.send(get("/events"));
    const Stream to_slow = broadcast.opened.take();
    quick.send(get("/events"));
    const Stream to_quick = broadcast.opened.take();
    const std::string event = format_event({.id = "", .name = "", .data = std::string(1000, 'x')});
    int pushed = 0;
    while (to_slow.push(event) == Push::taken) ASSERT_LT(++pushed, 100'000);
    EXPECT_EQ(to_slow.push(event), Push::ended);
    EXPECT_EQ(to_quick.push(event), Push::taken);
    EXPECT_TRUE(quick.receive_until(event));
    const std::string all = slow.rest();
    EXPECT_THAT(all, HasSubstr(": closed: the reader fell behind, "));
    EXPECT_THAT(all, HasSubstr("the limit is 65536; reconnect with Last-Event-ID\n\n"));
    EXPECT_TRUE(all.ends_with("0\r\n\r\n"));
    EXPECT_EQ(broadcast.server->metrics().streams_dropped, 1U);
}

TEST(ServerStream, CutsARawStreamThatFallsBehind) {
    Broadcast broadcast{{.kind = StreamKind::raw, .buffer_bytes = 64 * 1024, .heartbeat = {}}};
    RawPeer slow{broadcast.server->port(), 4096};
    slow.send(get("/events"));
    const Stream stream = broadcast.opened.take();
    const std::string line(1000, 'x');
    int pushed = 0;
    while (stream.push(line) == Push::taken) ASSERT_LT(++pushed, 100'000);
    EXPECT_FALSE(slow.rest().ends_with("0\r\n\r\n"));
}

TEST(ServerStream, CutsAReaderThatTakesNothingInTime) {
    ServerOptions options;
    options.limits.write = milliseconds(20);
    Broadcast broadcast{{.kind = StreamKind::events, .buffer_bytes = 16 * 1024 * 1024, .heartbeat = {}}, std::move(options)};
    RawPeer stuck{broadcast.server->port(), 4096};
    stuck.send(get("/events"));
    const Stream stream = broadcast.opened.take();
    std::promise<void> gone;
    stream.on_gone([&] { gone.set_value(); });
    EXPECT_EQ(stream.push(std::string(16 * 1024 * 1024, 'x')), Push::taken);
    gone.get_future().wait();
    EXPECT_EQ(broadcast.server->metrics().timeouts, 1U);
}

TEST(ServerStream, ABodySourceThatBreaksCutsTheConnection) {
    class Broken final : public BodySource {
    public:
        [[nodiscard]] std::optional<std::uint64_t> length() const override { return 1'000'000; }
        std::optional<std::size_t> read(std::span<char> into) override {
            if (std::exchange(begun_, true)) return std::nullopt;
            std::ranges::fill(into, 'x');
            return into.size();
        }

    private:
        bool begun_ = false;
    };
    Router router;
    add(router, Method::get, "/", answer_with([](const Request&) { return Response::pulled("", std::make_unique<Broken>()); }));
    const Server server = start(std::move(router));
    RawPeer peer{server.port()};
    peer.send(get("/"));
    EXPECT_FALSE(peer.answer());
}

// ---- stopping ----

TEST(ServerStop, FinishesWhatIsUnderWayAndEndsStreams) {
    Handed<Reply> asked;
    Handed<Stream> opened;
    Router router;
    add(router, Method::get, "/slow", [&](const Request&, Reply reply) { asked.put(std::move(reply)); });
    add(router, Method::get, "/now", answer_with([](const Request&) { return Response::text(200, "now"); }));
    add(router, Method::get, "/events", [&](const Request&, Reply reply) {
        Stream stream = Stream::open();
        reply(Response::events(stream));
        opened.put(std::move(stream));
    });
    Server server = start(std::move(router));
    const std::uint16_t port = server.port();
    RawPeer idle{port};
    idle.send(get("/now"));
    EXPECT_EQ(idle.answer()->body, "now");
    RawPeer slow{port};
    slow.send(get("/slow"));
    RawPeer watching{port};
    watching.send(get("/events"));
    const Stream stream = opened.take();
    Reply reply = asked.take();

    std::promise<bool> stopped;
    std::jthread stopping{[&] { stopped.set_value(server.stop(seconds(20))); }};
    EXPECT_TRUE(idle.closed());
    EXPECT_THAT(watching.rest(), HasSubstr(": closed: the server is stopping; reconnect with Last-Event-ID\n\n\r\n0\r\n\r\n"));
    reply(Response::text(200, "done"));
    const auto answer = slow.answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "done");
    EXPECT_TRUE(answer->has("Connection: close"));
    EXPECT_TRUE(slow.closed());
    EXPECT_TRUE(stopped.get_future().get());
    EXPECT_TRUE(stream.gone());
    EXPECT_FALSE(RawPeer{port}.connected());
}

TEST(ServerStop, CutsWhatOutlastsTheGrace) {
    Handed<Reply> asked;
    Router router;
    add(router, Method::get, "/slow", [&](const Request&, Reply reply) { asked.put(std::move(reply)); });
    Server server = start(std::move(router));
    RawPeer peer{server.port()};
    peer.send(get("/slow"));
    Reply reply = asked.take();
    EXPECT_FALSE(server.stop(milliseconds(1)));
    EXPECT_TRUE(peer.closed());
    reply(Response::text(200, "late"));
    EXPECT_TRUE(server.stop(milliseconds(1)));
}

// ---- two io threads ----

// Goal: many clients on several threads, answered from several threads, all get their own answers.
// Method: half of the handlers answer at once, half through another thread; a third of the clients watch a
// stream to which two threads push. Run under the thread sanitiser as well.
TEST(ServerThreads, AnswerManyClientsFromManyThreads) {
    constexpr int clients = 6;
    constexpr int rounds = 150;
    Handed<std::optional<std::pair<std::string, Reply>>> work;
    Handed<Stream> opened;
    std::atomic<int> others = 0;
    Router router;
    add(router, Method::post, "/now", answer_with([](const Request& request) { return Response::text(200, "now " + request.body); }));
    add(router, Method::post, "/later", [&](const Request& request, Reply reply) {
        work.put(std::pair{request.body, std::move(reply)});
    });
    add(router, Method::get, "/events", [&](const Request&, Reply reply) {
        Stream stream = Stream::open();
        reply(Response::events(stream));
        opened.put(std::move(stream));
    });
    ServerOptions options;
    options.io_threads = 2;
    options.on_exchange = [&](const Exchange& exchange) { others += exchange.status == 200 ? 0 : 1; };
    Server server = start(std::move(router), std::move(options));
    std::jthread committer{[&] {
        while (auto item = work.take()) item->second(Response::text(200, "later " + item->first));
    }};
    {
        std::vector<std::jthread> threads;
        for (int c = 0; c < clients; ++c) {
            threads.emplace_back([&, c] {
                ClientOptions to;
                to.port = server.port();
                Client client{std::move(to)};
                for (int i = 0; i < rounds; ++i) {
                    Call call;
                    call.method = Method::post;
                    call.target = i % 2 == 0 ? "/now" : "/later";
                    call.body = std::to_string(c) + "/" + std::to_string(i);
                    const std::string expected = call.target.substr(1) + " " + call.body;
                    const auto answer = client.call(std::move(call));
                    ASSERT_TRUE(answer) << answer.error().message;
                    EXPECT_EQ(answer->body, expected);
                }
            });
        }
        for (int s = 0; s < 2; ++s) {
            threads.emplace_back([&] {
                ClientOptions to;
                to.port = server.port();
                Client client{std::move(to)};
                Call call;
                call.target = "/events";
                int seen = 0;
                const auto end = client.events(std::move(call), [&](const Event&) {
                    ++seen;
                    return true;
                });
                EXPECT_TRUE(end);
                EXPECT_EQ(seen, 2 * rounds);
            });
        }
        const Stream first = opened.take();
        const Stream second = opened.take();
        const auto push_all = [&](const std::stop_token&) {
            for (int i = 0; i < rounds; ++i) {
                EXPECT_EQ(first.push("data: x\n\n"), Push::taken);
                EXPECT_EQ(second.push("data: y\n\n"), Push::taken);
            }
        };
        {
            const std::jthread one{push_all};
            const std::jthread two{push_all};
        }
        first.finish();
        second.finish();
    }
    work.put(std::nullopt);
    EXPECT_TRUE(server.stop(seconds(20)));
    const Metrics metrics = server.metrics();
    EXPECT_EQ(metrics.responses_by_class[2], static_cast<std::uint64_t>(clients * rounds + 2));
    EXPECT_EQ(metrics.requests_in_flight, 0U);
    EXPECT_EQ(metrics.connections_open, 0U);
    EXPECT_EQ(others, 0);
}

}  // namespace
}  // namespace weir::http
