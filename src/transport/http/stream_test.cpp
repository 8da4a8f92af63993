#include "transport/http/stream.hpp"

#include "transport/http/sse.hpp"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

struct Taken {
    std::string bytes;
    StreamCore::State state;
};
Taken take(const Stream& stream) {
    Taken taken;
    taken.state = stream.core()->take(taken.bytes);
    return taken;
}

TEST(Stream, WakesOnceForAllThatWaits) {
    const Stream stream = Stream::open();
    EXPECT_EQ(stream.push("early "), Push::taken);
    int wakes = 0;
    stream.core()->attach([&] { ++wakes; });
    stream.push("a");
    stream.push("b");
    EXPECT_EQ(wakes, 1);
    EXPECT_EQ(take(stream).bytes, "early ab");
    stream.push("c");
    EXPECT_EQ(wakes, 2);
    EXPECT_EQ(take(stream).state, StreamCore::State::open);
    stream.finish();
    EXPECT_EQ(wakes, 3);
    EXPECT_EQ(stream.push("d"), Push::ended);
    EXPECT_EQ(take(stream).state, StreamCore::State::ended);
}

TEST(Stream, ASlowReaderCostsItsBufferAndIsToldWhy) {
    const Stream stream = Stream::open({.kind = StreamKind::events, .buffer_bytes = 8, .heartbeat = {}});
    EXPECT_EQ(stream.push("12345678"), Push::taken);
    EXPECT_EQ(stream.push("9"), Push::overflowed);
    EXPECT_EQ(stream.push("0"), Push::ended);
    const Taken taken = take(stream);
    EXPECT_EQ(taken.bytes, "12345678: closed: the reader fell behind, 9 bytes wait and the limit is 8; reconnect with Last-Event-ID\n\n");
    EXPECT_EQ(taken.state, StreamCore::State::ended);
}

TEST(Stream, ARawStreamIsCutInstead) {
    const Stream stream = Stream::open({.kind = StreamKind::raw, .buffer_bytes = 4, .heartbeat = {}});
    EXPECT_EQ(stream.push("1234"), Push::taken);
    EXPECT_EQ(stream.push("5"), Push::overflowed);
    const Taken taken = take(stream);
    EXPECT_EQ(taken.bytes, "1234");
    EXPECT_EQ(taken.state, StreamCore::State::cut);
}

TEST(Stream, TellsItsProducerOnceThatThePeerIsGone) {
    const Stream stream = Stream::open();
    int told = 0;
    stream.on_gone([&] { ++told; });
    EXPECT_FALSE(stream.gone());
    stream.core()->detach();
    stream.core()->detach();
    EXPECT_TRUE(stream.gone());
    EXPECT_EQ(told, 1);
    EXPECT_EQ(stream.push("a"), Push::gone);
    stream.on_gone([&] { ++told; });
    EXPECT_EQ(told, 2);
}

TEST(Stream, EndsWithItsLastProducer) {
    auto first = std::make_optional(Stream::open());
    const auto core = first->core();
    auto second = first;
    std::string bytes;
    first.reset();
    EXPECT_EQ(core->take(bytes), StreamCore::State::open);
    second.reset();
    EXPECT_EQ(core->take(bytes), StreamCore::State::ended);
}

TEST(Stream, SaysHowMuchWaitsUntilItIsTaken) {
    const Stream stream = Stream::open();
    EXPECT_EQ(stream.waiting(), 0U);
    EXPECT_EQ(stream.push("12345"), Push::taken);
    EXPECT_EQ(stream.waiting(), 5U);
    std::string out;
    EXPECT_EQ(stream.core()->take(out), StreamCore::State::open);
    EXPECT_EQ(stream.waiting(), 0U);
}

}  // namespace
}  // namespace weir::http
