// Goal: read_yaml takes one plain document by the core schema of YAML 1.2, and nothing that surprises.
// Method: tables of documents with their JSON or the exact message; hostile documents that must be refused soon.
#include "codec/value.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::codec {
namespace {

std::string outcome(std::string_view text, const Limits& limits = {}) {
    const auto value = read_yaml(text, limits);
    if (!value) return fmt::format("{}:{}: {}", value.error().line, value.error().column, value.error().message);
    std::string out;
    write_json(*value, out);
    return out;
}

struct Row {
    std::string_view text;
    std::string_view outcome;
};

TEST(ReadYaml, PlainScalarsResolveByTheCoreSchemaOf12) {
    for (const auto& [text, expected] : {
             Row{"", "null"},
             Row{"# nothing\n", "null"},
             Row{"---\n...\n", "null"},
             Row{"[~, null, Null, NULL, , nUll]", R"([null,null,null,null,null,"nUll"])"},
             Row{"[true, True, FALSE, tRue]", R"([true,true,false,"tRue"])"},
             Row{"[no, on, off, yes, y, NO]", R"(["no","on","off","yes","y","NO"])"},
             Row{"[1, -1, +1, 007, 0o17, 0x1f, 0xFF, 0b1, 0o8, 1_000]", R"([1,-1,1,7,15,31,255,"0b1","0o8","1_000"])"},
             Row{"[1.5, .5, 5., -1e3, 1.0, 12:30, 1.2.3, 1e, e1, -, .]", R"([1.5,0.5,5,-1000,1,"12:30","1.2.3","1e","e1","-","."])"},
             Row{"['1', \"true\", 'null', '', \"a\\n\\u00e9\"]", R"(["1","true","null","","a\né"])"},
             Row{"at: 2026-11-22T06:00:00Z\n", R"({"at":"2026-11-22T06:00:00Z"})"},
             Row{"1: one\ntrue: two\n", R"({"1":"one","true":"two"})"},
             Row{"run: |\n  a: b\n  c\n", R"({"run":"a: b\nc\n"})"},
             Row{"a: {b: [1, {c: d}]}\n", R"({"a":{"b":[1,{"c":"d"}]}})"},
             Row{"- a\n- - b\n  - c\n- d: 1\n  e: 2\n", R"(["a",["b","c"],{"d":1,"e":2}])"},
             Row{"\"<<\": 1\n", R"({"<<":1})"},
             Row{"{\"a\": 1, \"b\": [true, null]}", R"({"a":1,"b":[true,null]})"},
             Row{"x: &x [1, 2]\ny: *x\nz: &z 3\nw: *z\n", R"({"x":[1,2],"y":[1,2],"z":3,"w":3})"},
             Row{"a: 1", R"({"a":1})"},
             Row{"a: 1\n...\n", R"({"a":1})"},
             Row{"%YAML 1.2\n---\na: 1\n", R"({"a":1})"},
             Row{"a: |\n  x", R"({"a":"x\n"})"},
             Row{"a: 1\r\nb: 'x'\r\n", R"({"a":1,"b":"x"})"},
             Row{"a: 堰\n", R"({"a":"堰"})"},
             Row{R"(["\u4f60\ND", "\_\N\_", "堰\_", "\L\P\e", "\x85\xa0"])",
                 "[\"\u4f60\u0085D\",\"\u00a0\u0085\u00a0\",\"堰\u00a0\",\"\u2028\u2029\\u001b\",\"\u0085\u00a0\"]"},
             Row{R"("\N": 1)", "{\"\u0085\":1}"},
         }) {
        EXPECT_EQ(outcome(text), expected) << text;
    }
}

TEST(ReadYaml, SaysWhereAndWhyItRefuses) {
    for (const auto& [text, expected] : {
             Row{"a: 1\nb: 2\na: 3\n", "3:1: the key \"a\" appears twice in one object"},
             Row{"a: {b: 1, b: 2}\n", "1:11: the key \"b\" appears twice in one object"},
             Row{"a: 1\n---\nb: 2\n", "3:1: a second document begins here; one file holds one document"},
             Row{"x: &x {a: 1}\ny:\n  <<: *x\n", "3:3: merge keys (<<) are not supported; write the fields out"},
             Row{"a: &a [*a]\n", "1:8: an alias cannot stand inside what it names"},
             Row{"? [1, 2]\n: 3\n", "1:3: a key must be a name, not a list or an object"},
             Row{"{~: 1}", "1:2: a key must be a name, not null"},
             Row{"&k a: 1\n", "1:1: a key cannot carry an anchor"},
             Row{"- &a x\n- *a : 1\n", "2:3: a key must be a name, not an alias"},
             Row{"a: !!str 5\n", "1:4: the tag \"tag:yaml.org,2002:str\" is not supported; leave it out"},
             Row{"a: !python/object:os.system x\n", "1:4: the tag \"!python/object:os.system\" is not supported; leave it out"},
             Row{"- .inf\n", "1:3: .inf is not a finite number"},
             Row{"- -.Inf\n", "1:3: -.Inf is not a finite number"},
             Row{"- .nan\n", "1:3: .nan is not a finite number"},
             Row{"- 18446744073709551616\n", "1:3: the number \"18446744073709551616\" does not fit in 64 bits; quote it if it is text"},
             Row{"- 0x10000000000000000\n", "1:3: the number \"0x10000000000000000\" does not fit in 64 bits; quote it if it is text"},
             Row{"- 1e999\n", "1:3: the number \"1e999\" does not fit in 64 bits; quote it if it is text"},
             Row{"a:\n\tb: 1\n", "2:3: a tab cannot indent; use spaces"},
             Row{"a: [1, 2\n", "2:1: end of sequence flow not found"},
             Row{"a: 'x\n", "2:1: the document ends inside a text in quotes; close the quotes"},
             Row{"a: \"x", "2:1: the document ends inside a text in quotes; close the quotes"},
             Row{"a: b: c\n", "1:5: a ':' cannot stand here; put the text in quotes, or the key on a line of its own"},
             // Of a letter of two bytes the library's own words keep the first alone.
             Row{"a: \"C:\\\xC3\xA9\"\n", "1:9: this is no escape of YAML; write the backslash twice, or use single quotes"},
             Row{"a: *nobody\n", "1:4: the referenced anchor is not defined"},
             Row{"a: \"\xFF\"\n", "1:5: byte 0xff is not UTF-8 here"},
             Row{"a: 1\nb: x\x01y\n", "2:5: control character 0x01 is not allowed in YAML"},
         }) {
        EXPECT_EQ(outcome(text), expected) << text;
    }
}

TEST(ReadYaml, AliasesThatMultiplyAreRefused) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        bomb += fmt::format("a{0}: &a{0} [", i);
        for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
        bomb += "]\n";
    }
    const auto value = read_yaml(bomb);
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code, Fault::too_large);
}

// A few hundred bytes must not buy a second of work, nor one long text a thousand copies of itself.
TEST(ReadYaml, AliasesCopyNoMoreThanAFewTimesTheDocument) {
    std::string small = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 5; ++i) small += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
    const auto bomb = read_yaml(small);
    ASSERT_FALSE(bomb.has_value());
    EXPECT_EQ(bomb.error().code, Fault::too_large);
    std::string wide = "a: &a " + std::string(100'000, 'x') + "\nb: [*a";
    for (int i = 0; i < 100; ++i) wide += ", *a";
    EXPECT_FALSE(read_yaml(wide + "]\n").has_value());
    EXPECT_TRUE(read_yaml("a: &a [one, two]\nb: *a\nc: *a\n").has_value());
}

TEST(ReadYaml, AliasesCannotDeepenADocument) {
    std::string text = "a0: &a0 [x]\n";
    for (int i = 1; i < 80; ++i) text += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
    const auto value = read_yaml(text);
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code, Fault::too_deep);
}

TEST(ReadYaml, HostileDepthIsRefusedWithoutUsingTheStack) {
    for (const std::string_view opening : {"[", "{a: ", "{", "- ", "? ", "a:\n", "[{", "!x [", "&a [", "\"a\": ["}) {
        std::string deep;
        for (int i = 0; i < 100'000; ++i) deep += opening;
        EXPECT_FALSE(read_yaml(deep, {.max_depth = SIZE_MAX}).has_value()) << opening;
    }
    std::string staircase;
    for (std::size_t i = 0; i < 1000; ++i) staircase += std::string(i, ' ') + "a:\n";
    const auto value = read_yaml(staircase);
    ASSERT_FALSE(value.has_value());
    EXPECT_EQ(value.error().code, Fault::too_deep);
}

TEST(ReadYaml, SizeIsBounded) {
    EXPECT_EQ(outcome("abcdef", {.max_bytes = 5}), "1:1: the document has 6 bytes and the limit is 5; split it");
    const std::string large = "a: " + std::string(largest_yaml_bytes, 'x');
    EXPECT_EQ(outcome(large), "1:1: the document has 1048579 bytes and the limit is 1048576; split it");
}

}  // namespace
}  // namespace weir::codec
