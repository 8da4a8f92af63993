// Goal: the client gives the server's answers, and tells apart the ways of getting none.
#include "transport/http/client/client.hpp"

#include "transport/http/server/server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <future>
#include <thread>

namespace weir::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void add(Router& router, Method method, std::string pattern, Handler handler, RouteOptions options = {}) {
    ASSERT_TRUE(
        router.add({.method = method, .pattern = std::move(pattern), .handler = std::move(handler), .options = std::move(options)}));
}

Server start(Router router, ServerOptions options = {}) {
    auto server = Server::start(std::move(router), std::move(options));
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
}

ClientOptions to(std::uint16_t port) {
    ClientOptions options;
    options.port = port;
    return options;
}

Call ask(std::string target, Method method = Method::get) {
    Call call;
    call.method = method;
    call.target = std::move(target);
    return call;
}

/// Letters in turn, so that a lost or doubled piece shows.
class Letters final : public BodySource {
public:
    Letters(std::uint64_t size, bool says_length) : size_{size}, says_length_{says_length} {}
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return says_length_ ? std::optional{size_} : std::nullopt; }
    std::optional<std::size_t> read(std::span<char> into) override {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - at_));
        for (std::size_t i = 0; i < n; ++i) into[i] = letter(at_ + i);
        at_ += n;
        return n;
    }
    static char letter(std::uint64_t at) { return static_cast<char>('a' + at % 23); }

private:
    std::uint64_t size_;
    bool says_length_;
    std::uint64_t at_ = 0;
};

bool are_letters(std::string_view text, std::uint64_t size) {
    if (text.size() != size) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != Letters::letter(i)) return false;
    }
    return true;
}

/// A listener that answers with fixed bytes and closes: a server that misbehaves.
class Scripted {
public:
    explicit Scripted(std::string bytes) : listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size), 0);
        EXPECT_EQ(::listen(listener_, 1), 0);
        EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        port_ = ntohs(at.sin_port);
        thread_ = std::jthread{[this, bytes = std::move(bytes)] {
            const int peer = ::accept(listener_, nullptr, nullptr);
            std::array<char, 4096> request{};
            if (::recv(peer, request.data(), request.size(), 0) > 0) ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ::close(peer);
        }};
    }
    ~Scripted() {
        thread_.join();
        ::close(listener_);
    }
    Scripted(const Scripted&) = delete;
    Scripted& operator=(const Scripted&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    int listener_;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

TEST(Client, AsksOverOneConnection) {
    Router router;
    add(router, Method::post, "/echo", answer_with([](const Request& request) {
            return Response::text(201, std::string{request.header("X-Common").value_or("")} +
                                           std::string{request.header("Content-Type").value_or("")} + request.body);
        }));
    const Server server = start(std::move(router));
    auto options = to(server.port());
    options.headers.emplace_back("X-Common", "yes");
    Client client{std::move(options)};
    for (int i = 0; i < 3; ++i) {
        Call call = ask("/echo", Method::post);
        call.content_type = "text/plain";
        call.body = std::to_string(i);
        const auto answer = client.call(std::move(call));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->status, 201);
        EXPECT_EQ(answer->body, "yestext/plain" + std::to_string(i));
        EXPECT_TRUE(answer->headers.find("x-request-id"));
    }
    EXPECT_EQ(client.call(ask("/nothing"))->status, 404);
    EXPECT_EQ(client.call(ask("/echo", Method::head))->status, 405);
    EXPECT_EQ(server.metrics().connections_accepted, 1U);
}

TEST(Client, ConnectsAgainWhenTheServerHasClosed) {
    Router router;
    add(router, Method::get, "/", answer_with([](const Request&) {
            Response response = Response::text(200, "x");
            response.close = true;
            return response;
        }));
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.call(ask("/"))->status, 200);
    EXPECT_EQ(server.metrics().connections_accepted, 3U);
}

// Goal: each way of getting no answer has its name, and says whether the request may have arrived.
TEST(Client, TellsTheWaysOfFailingApart) {
    struct Row {
        std::string_view answer;
        CallFault fault;
    };
    for (const auto& [answer, fault] : std::array{
             Row{"", CallFault::closed},
             Row{"HTTP/1.1 200 OK\r\nContent-Le", CallFault::closed},
             Row{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", CallFault::closed},
             Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CallFault::closed},
             Row{"HTTP/1.1 100 Continue\r\n\r\n", CallFault::closed},
             Row{"SSH-2.0-OpenSSH_9.2\r\n", CallFault::protocol},
             Row{"HTTP/1.1 abc OK\r\n\r\n", CallFault::protocol},
             Row{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789012345678901234567890123456789", CallFault::too_large},
         }) {
        const Scripted server{std::string{answer}};
        auto options = to(server.port());
        options.max_body = 20;
        Client client{std::move(options)};
        const auto got = client.call(ask("/"));
        ASSERT_FALSE(got) << answer;
        EXPECT_EQ(got.error().fault, fault) << answer << got.error().message;
        EXPECT_TRUE(got.error().maybe_sent);
    }
    std::uint16_t free_port = 0;
    {
        const Scripted server{""};
        free_port = server.port();
        Client client{to(free_port)};
        EXPECT_FALSE(client.call(ask("/")));
    }
    Client client{to(free_port)};
    const auto refused = client.call(ask("/"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, CallFault::refused);
    EXPECT_FALSE(refused.error().maybe_sent);
    EXPECT_THAT(refused.error().message, HasSubstr("nobody listens there; start the server or check the port"));
}

TEST(Client, PassesOverInterimAnswersAndBodiesWithoutLength) {
    const Scripted server{
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nall of it"};
    Client client{to(server.port())};
    const auto answer = client.call(ask("/"));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "all of it");
    EXPECT_EQ(answer->headers.find("X"), "y");
    EXPECT_EQ(answer->headers.find("Link"), std::nullopt);
}

TEST(Client, WaitsNoLongerThanItsDeadline) {
    std::vector<Reply> kept;
    Router router;
    add(router, Method::get, "/never", [&](const Request&, Reply reply) { kept.push_back(std::move(reply)); });
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    Call call = ask("/never");
    call.within = milliseconds(20);
    const auto answer = client.call(std::move(call));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, CallFault::timed_out);
    EXPECT_TRUE(answer.error().maybe_sent);
}

TEST(Client, CanBeInterruptedWhileItWaits) {
    std::promise<Reply> asked;
    Router router;
    add(router, Method::get, "/poll", [&](const Request&, Reply reply) { asked.set_value(std::move(reply)); });
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    std::optional<Reply> reply;
    std::jthread other{[&] {
        reply = asked.get_future().get();
        client.interrupt();
    }};
    const auto answer = client.call(ask("/poll"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, CallFault::interrupted);
    EXPECT_EQ(client.call(ask("/poll")).error().fault, CallFault::interrupted);
}

TEST(Client, PullsLargeBodiesInPieces) {
    static constexpr std::uint64_t size = 3'000'000;
    Router router;
    add(router, Method::get, "/blob", answer_with([](const Request& request) {
            return Response::pulled("application/octet-stream", std::make_unique<Letters>(size, !request.query_value("chunked")));
        }));
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    for (const std::string target : {"/blob", "/blob?chunked"}) {
        std::string body;
        std::size_t pieces = 0;
        Consumer consumer;
        consumer.on_head = [](const Answer& head) { return head.status == 200; };
        consumer.on_piece = [&](std::string_view piece) {
            body += piece;
            ++pieces;
            return true;
        };
        const auto answer = client.download(ask(target), std::move(consumer));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_TRUE(are_letters(body, size)) << target;
        EXPECT_GT(pieces, 10U);
    }
    EXPECT_EQ(client.call(ask("/blob", Method::head))->headers.find("Content-Length"), "3000000");
    Consumer stopping;
    stopping.on_piece = [](std::string_view) { return false; };
    EXPECT_EQ(client.download(ask("/blob"), std::move(stopping)).error().fault, CallFault::stopped);
    EXPECT_EQ(client.call(ask("/nothing"))->status, 404);
}

/// Counts what it takes; refuses beyond its own limit.
class Measure final : public BodySink {
public:
    explicit Measure(std::uint64_t most) : most_{most} {}
    std::optional<Response> write(std::string_view piece) override {
        text_ += piece;
        if (text_.size() > most_) return Response::text(507, "full");
        return std::nullopt;
    }
    void finish(Request, Reply reply) override {
        reply(Response::text(201, are_letters(text_, text_.size()) ? std::to_string(text_.size()) : "torn"));
    }

private:
    std::uint64_t most_;
    std::string text_;
};

TEST(Client, UploadsFromASourceIntoASink) {
    Router router;
    RouteOptions upload;
    upload.max_body = 8'000'000;
    upload.sink = [](const Request& request) -> Result<std::unique_ptr<BodySink>, Response> {
        if (request.query_value("forbidden")) return fail(Response::text(403, "no"));
        return std::make_unique<Measure>(request.query_value("small") ? 100'000 : 8'000'000);
    };
    add(router, Method::put, "/blob", Handler{}, std::move(upload));
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    const auto put = [&](std::string target, std::uint64_t size, bool says_length) {
        Call call = ask(std::move(target), Method::put);
        call.source = std::make_unique<Letters>(size, says_length);
        const auto answer = client.call(std::move(call));
        return answer ? std::to_string(answer->status) + " " + answer->body.substr(0, 20) : answer.error().message;
    };
    EXPECT_EQ(put("/blob", 5'000'000, true), "201 5000000");
    EXPECT_EQ(put("/blob", 5'000'000, false), "201 5000000");
    EXPECT_EQ(put("/blob", 0, false), "201 0");
    EXPECT_EQ(put("/blob?small=1", 5'000'000, true), "507 full");
    EXPECT_EQ(put("/blob?forbidden=1", 5'000'000, true), "403 no");
    EXPECT_THAT(put("/blob", 100'000'000, true), HasSubstr("413"));
    EXPECT_THAT(put("/blob", 100'000'000, false), HasSubstr("413"));
    EXPECT_EQ(put("/blob", 10, true), "201 10");
}

TEST(Client, ReadsEventsUntilTheStreamEnds) {
    Router router;
    add(router, Method::get, "/events", answer_with([](const Request& request) {
            const Stream stream = Stream::open();
            int next = 1;
            if (const auto last = request.header("Last-Event-ID")) next = std::stoi(std::string{*last}) + 1;
            for (; next <= 4; ++next)
                stream.push(format_event({.id = std::to_string(next), .name = "tick", .data = "line\nline " + std::to_string(next)}));
            stream.push(format_comment("that was all"));
            return Response::events(stream);
        }));
    add(router, Method::get, "/text", answer_with([](const Request&) { return Response::text(200, "data: x\n\n"); }));
    const Server server = start(std::move(router));
    Client client{to(server.port())};
    std::vector<std::string> ids;
    const auto first = client.events(ask("/events"), [&](const Event& event) {
        ids.push_back(event.id);
        return ids.size() < 2;
    });
    EXPECT_EQ(first.error().fault, CallFault::stopped);
    Call resumed = ask("/events");
    resumed.headers.emplace_back("Last-Event-ID", ids.back());
    const auto second = client.events(std::move(resumed), [&](const Event& event) {
        EXPECT_EQ(event.data, "line\nline " + event.id);
        ids.push_back(event.id);
        return true;
    });
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->body, "that was all");
    EXPECT_THAT(ids, ElementsAre("1", "2", "3", "4"));
    EXPECT_EQ(client.events(ask("/text"), [](const Event&) { return true; }).error().fault, CallFault::protocol);
    EXPECT_EQ(client.events(ask("/nothing"), [](const Event&) { return true; })->status, 404);
}

TEST(Client, ReadsBaseUrls) {
    const auto text_of = [](std::string_view url) {
        const auto options = parse_base_url(url);
        return options ? options->host + " " + std::to_string(options->port) : "none";
    };
    EXPECT_EQ(text_of("http://weir.example"), "weir.example 80");
    EXPECT_EQ(text_of("http://127.0.0.1:8080/"), "127.0.0.1 8080");
    EXPECT_EQ(text_of("http://[::1]:8080"), "::1 8080");
    for (const std::string_view bad : {"", "weir.example", "https://weir.example", "http://", "http://:80", "http://a:0", "http://a:x",
                                       "http://a:99999", "http://a/b", "http://user@a", "http://[::1", "http://[::1]x"}) {
        EXPECT_EQ(text_of(bad), "none") << bad;
    }
}

}  // namespace
}  // namespace weir::http
