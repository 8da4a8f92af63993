// Goal: what is written is read back, in each form, whatever the value.
// Method: a type with every kind of member, values full of edges, each form and back.
#include "codec/binary.hpp"
#include "codec/compress.hpp"
#include "codec/sample_random.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::codec {
namespace {

using sample::Everything;
using sample::make_everything;

TEST(RoundTrip, JsonGivesTheValueBack) {
    EXPECT_TRUE(rc::check("decode(write(x)) == x", [](std::uint64_t seed) {
        const Everything before = make_everything(seed);
        const auto after = decode_json<Everything>(to_json(before), "x.json");
        if (!after) RC_FAIL(describe(after.error()));
        RC_ASSERT(*after == before);
    }));
}

TEST(RoundTrip, JsonForPeopleIsTheSameDocument) {
    EXPECT_TRUE(rc::check("read(pretty(x)) == read(compact(x))", [](std::uint64_t seed) {
        const Everything value = make_everything(seed);
        std::string pretty;
        write_json_pretty(value, pretty);
        RC_ASSERT(read_json(pretty).value() == read_json(to_json(value)).value());
    }));
}

TEST(RoundTrip, TheTreeRewritesItself) {
    EXPECT_TRUE(rc::check("read(write(tree)) == tree, and the second text is the first", [](std::uint64_t seed) {
        const Value tree = read_json(to_json(make_everything(seed))).value();
        std::string first;
        write_json(tree, first);
        const Value again = read_json(first).value();
        RC_ASSERT(again == tree);
        std::string second;
        write_json(again, second);
        RC_ASSERT(second == first);
    }));
}

TEST(RoundTrip, BinaryGivesTheValueBack) {
    EXPECT_TRUE(rc::check("read(write(x)) == x, and every shorter text is refused", [](std::uint64_t seed) {
        const Everything before = make_everything(seed);
        std::string bytes;
        write_binary(before, bytes);
        const auto after = read_binary<Everything>(bytes);
        RC_ASSERT(after.has_value());
        RC_ASSERT(*after == before);
        const std::size_t cut = seed % bytes.size();
        RC_ASSERT(!read_binary<Everything>(std::string_view{bytes}.substr(0, cut)).has_value());
        RC_ASSERT(read_binary<Everything>(bytes + "x").error() == BinaryError::bytes_follow);
    }));
}

TEST(RoundTrip, DamagedBinaryIsRefusedOrAnotherValueNeverWorse) {
    EXPECT_TRUE(rc::check("any bytes are read without harm, and what is read writes the same bytes", [](std::uint64_t seed) {
        std::string bytes;
        write_binary(make_everything(seed), bytes);
        Random random{seed, "damage"};
        for (auto left = random.between(1, 8); left > 0; --left) {
            const auto where = random.below(bytes.size());
            bytes[where] = static_cast<char>(random.next());
        }
        const auto value = read_binary<Everything>(bytes);
        if (!value) return;
        std::string again;
        write_binary(*value, again);
        RC_ASSERT(read_binary<Everything>(again).has_value());
    }));
}

TEST(RoundTrip, CompressionGivesTheBytesBack) {
    EXPECT_TRUE(rc::check("decompress(compress(x)) == x", [](const std::string& bytes) {
        RC_ASSERT(decompress(compress(bytes), bytes.size()).value() == bytes);
    }));
}

}  // namespace
}  // namespace weir::codec
