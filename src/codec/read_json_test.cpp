// Goal: read_json takes exactly RFC 8259 without repeated keys, and says where and why it does not.
// Method: tables of documents with the exact message; properties over texts we wrote and damaged.
#include "codec/sample_random.hpp"
#include "codec/value.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::codec {
namespace {

std::string outcome(std::string_view text, const Limits& limits = {}) {
    const auto value = read_json(text, limits);
    if (!value) return fmt::format("{}:{}: {}", value.error().line, value.error().column, value.error().message);
    std::string out;
    write_json(*value, out);
    return out;
}

struct Row {
    std::string_view text;
    std::string_view outcome;
};

TEST(ReadJson, TakesWhatIsJson) {
    for (const auto& [text, expected] : {
             Row{"null", "null"},
             Row{" \t\r\n[ ] ", "[]"},
             Row{"{ }", "{}"},
             Row{R"({"b":1,"a":[true,false,null]})", R"({"b":1,"a":[true,false,null]})"},
             Row{R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\té😀\""},
             Row{"\"\x7f堰\"", "\"\x7f堰\""},
             Row{"-9223372036854775808", "-9223372036854775808"},
             Row{"18446744073709551615", "18446744073709551615"},
             Row{"0.1", "0.1"},
             Row{"-0", "-0"},
             Row{"1e400000000000000000000", "1:1: the number \"1e400000000000000000000\" does not fit in 64 bits; quote it if it is text"},
             Row{"0e400000000000000000000", "0"},
             Row{"1E+2", "100"},
             Row{"5.0", "5"},
             Row{"0.5e1", "5"},
             Row{"123456789012345678e-2", "1234567890123456.8"},
             Row{"1e19", "1e+19"},
             Row{"1e20", "1e+20"},
             Row{"18446744073709551616.0", "1.8446744073709552e+19"},
             Row{"9007199254740992.0", "9007199254740992"},
             Row{"370955161551615169.99", "3.7095516155161517e+17"},
             Row{"4503599627370496.4", "4503599627370496"},
             Row{"5e-324", "5e-324"},
         }) {
        EXPECT_EQ(outcome(text), expected) << text;
    }
}

TEST(ReadJson, SaysWhereAndWhyItRefuses) {
    for (const auto& [text, expected] : {
             Row{"", "1:1: expected a value, found the end"},
             Row{"\n ]", "2:2: expected a value, found \"]\""},
             Row{"[1,]", "1:4: expected a value, found \"]\""},
             Row{"[1 2]", "1:4: expected ',' or ']' in a list, found \"2\""},
             Row{"[1", "1:3: expected ',' or ']' in a list, found the end"},
             Row{R"({"a":1,})", "1:8: expected a key in double quotes, found \"}\""},
             Row{"{a:1}", "1:2: expected a key in double quotes, found \"a\""},
             Row{R"({"a" 1})", "1:6: expected ':' after a key, found \"1\""},
             Row{R"({"a":1 "b":2})", "1:8: expected ',' or '}' in an object, found \"\\\"\""},
             Row{R"({"a":1,"b":2,
  "a":3})", "2:3: the key \"a\" appears twice in one object"},
             Row{"{\"a\\u0062\":1,\"ab\":2}", "1:14: the key \"ab\" appears twice in one object"},
             Row{"1 2", "1:3: the document has ended, but \"2\" follows"},
             Row{"null堰", "1:5: the document has ended, but \"堰\" follows"},
             Row{"tru", "1:1: expected a value, found \"t\""},
             Row{"NaN", "1:1: expected a value, found \"N\""},
             Row{"-Infinity", "1:1: a number needs a digit after '-', '.' and 'e'"},
             Row{"01", "1:1: a number cannot begin with 0"},
             Row{"-01", "1:1: a number cannot begin with 0"},
             Row{"+1", "1:1: expected a value, found \"+\""},
             Row{".5", "1:1: expected a value, found \".\""},
             Row{"1.", "1:1: a number needs a digit after '-', '.' and 'e'"},
             Row{"1e", "1:1: a number needs a digit after '-', '.' and 'e'"},
             Row{"18446744073709551616", "1:1: the number \"18446744073709551616\" does not fit in 64 bits; quote it if it is text"},
             Row{"-9223372036854775809", "1:1: the number \"-9223372036854775809\" does not fit in 64 bits; quote it if it is text"},
             Row{"[1e309]", "1:2: the number \"1e309\" does not fit in 64 bits; quote it if it is text"},
             Row{"1e-400", "1:1: the number \"1e-400\" is too near to zero for 64 bits; write 0"},
             Row{"\"abc", "1:1: the string that begins here has no closing quote"},
             Row{"\"a\nb\"", "1:3: a control character in a string is written \\u000a"},
             Row{"\"\\x\"", "1:2: there is no such escape; a backslash itself is written \\\\"},
             Row{"\"\\", "1:2: there is no such escape; a backslash itself is written \\\\"},
             Row{"\"\\u12g4\"", "1:2: \\u needs four hexadecimal digits"},
             Row{"\"\\u12", "1:2: \\u needs four hexadecimal digits"},
             Row{"\"\\ud800\"", "1:2: half of a surrogate pair stands alone"},
             Row{"\"\\ud800\\u0041\"", "1:2: half of a surrogate pair stands alone"},
             Row{"\"\\udc00\"", "1:2: half of a surrogate pair stands alone"},
             Row{"// x\n1", "1:1: expected a value, found \"/\""},
             Row{"\xEF\xBB\xBF{}", "1:1: expected a value, found \"\xEF\xBB\xBF\""},
         }) {
        EXPECT_EQ(outcome(text), expected) << text;
    }
}

TEST(ReadJson, RefusesWhatIsNotUtf8) {
    for (const std::string_view bytes : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\xAF",
                                         "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE5\xA0", "\xC3"}) {
        const auto value = read_json("\"ab" + std::string{bytes} + "\"");
        ASSERT_FALSE(value.has_value());
        EXPECT_EQ(value.error().code, Fault::bad_utf8);
        EXPECT_EQ(value.error().column, 4U);
    }
    EXPECT_EQ(outcome("[\n\"\xFF\"]"), "2:2: byte 0xff is not UTF-8 here");
}

TEST(ReadJson, DepthIsBoundedWithoutUsingTheStack) {
    for (const std::string_view opening : {"[", "{\"a\":"}) {
        std::string deep;
        for (int i = 0; i < 100'000; ++i) deep += opening;
        const auto value = read_json(deep, {.max_depth = SIZE_MAX});
        ASSERT_FALSE(value.has_value());
        EXPECT_EQ(value.error().code, Fault::too_deep);
    }
    const std::string fits = std::string(64, '[') + std::string(64, ']');
    EXPECT_EQ(outcome(fits), fits);
    EXPECT_EQ(outcome("[" + fits + "]"), "1:65: nested deeper than 64 levels");
}

TEST(ReadJson, SizeAndCountAreBounded) {
    EXPECT_EQ(outcome("[1,2]", {.max_bytes = 5}), "[1,2]");
    EXPECT_EQ(outcome("[1,2]", {.max_bytes = 4}), "1:1: the document has 5 bytes and the limit is 4; split it");
    EXPECT_EQ(outcome("[1,2]", {.max_nodes = 3}), "[1,2]");
    EXPECT_EQ(outcome("[1,2]", {.max_nodes = 2}), "1:4: the document has more values than the limit allows; split it");
}

TEST(ReadJson, ARepeatedKeyIsFoundAmongMany) {
    std::string text = "{";
    for (int i = 0; i < 5000; ++i) text += fmt::format("\"k{}\":0,\n", i);
    EXPECT_EQ(outcome(text + "\"k4999\":1,\"k7\":1}"), "5001:1: the key \"k4999\" appears twice in one object");
    EXPECT_TRUE(read_json(text + "\"k5000\":1}").has_value());
}

TEST(ReadJson, EveryNodeKnowsWhereItWasWritten) {
    const Value value = read_json("{\n  \"a\": [1,\n \"x\"]}").value();
    EXPECT_EQ(value.at(), (Position{1, 1}));
    EXPECT_EQ(value.object()->front().at, (Position{2, 3}));
    EXPECT_EQ(value.find("a")->at(), (Position{2, 8}));
    EXPECT_EQ(value.find("a")->array()->back().at(), (Position{3, 2}));
}

TEST(ReadJson, DamagedTextIsRefusedOrReadAsItself) {
    EXPECT_TRUE(rc::check("what is read rewrites to an equal value", [](std::uint64_t seed) {
        std::string text = to_json(sample::make_everything(seed));
        Random random{seed, "damage"};
        for (auto left = random.between(1, 3); left > 0; --left) {
            const auto where = random.below(text.size());
            constexpr std::string_view bytes = "{}[],:\"\\0159.eE-+ntu\xC3\xA9\x01 \n";
            text[where] = bytes[random.below(bytes.size())];
        }
        const auto value = read_json(text);
        if (!value) return;
        std::string again;
        write_json(*value, again);
        RC_ASSERT(read_json(again).value() == *value);
    }));
}

}  // namespace
}  // namespace weir::codec
