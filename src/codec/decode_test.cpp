// Goal: a document that is not what its type wants is refused, and each thing wrong is named with place and reason.
// Method: small documents against the sample types, with the exact text a person would read.
#include "codec/decode.hpp"

#include "codec/encode.hpp"
#include "codec/sample.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::codec {
namespace {

using sample::JobKind;
using sample::SiteKind;
using sample::Tier;

/// One member of each kind, all optional, so that a document can hold only what a row is about.
struct Spec {
    std::optional<bool> flag;
    std::optional<std::int8_t> tiny;
    std::optional<std::uint16_t> port;
    std::optional<std::int64_t> wide;
    std::optional<std::uint64_t> widest;
    std::int64_t big = 0;
    double ratio = 0;
    std::string text;
    std::optional<Tier> tier;
    std::optional<sample::Role> role;
    Fen price_fen;
    std::optional<Instant> at;
    std::optional<Duration> grace;
    Name<SiteKind> site;
    std::optional<Id<JobKind>> job;
    std::optional<Digest> digest;
    std::optional<sample::Version> version;
    std::vector<std::string> words;
    std::vector<std::int32_t> counts;
    std::optional<std::array<bool, 2>> pair;
    std::set<std::int32_t> numbers;
    std::map<std::string, std::string> envs;
    std::map<Name<SiteKind>, std::int64_t> by_site;
    std::map<Tier, std::int64_t> by_tier;
    std::optional<sample::Resources> resources;
    std::vector<sample::Resources> parts;
    std::vector<std::variant<sample::Placed, sample::Refused>> outcomes;
    static constexpr std::array field_rules{
        codec::Field{.name = "big", .optional = true, .min = 1LL << 60},
        codec::Field{.name = "ratio", .optional = true, .min = -1, .max = 1},
        codec::Field{.name = "text", .optional = true, .min_length = 2, .max_length = 4},
        codec::Field{.name = "price_fen", .optional = true, .min = 0},
        codec::Field{.name = "site", .optional = true, .min_length = 1},
        codec::Field{.name = "words", .optional = true, .min_length = 1, .max_length = 2},
        codec::Field{.name = "counts", .optional = true, .min = 1, .max = 9},
        codec::Field{.name = "numbers", .optional = true},
        codec::Field{.name = "envs", .optional = true, .max_length = 1},
        codec::Field{.name = "by_site", .optional = true},
        codec::Field{.name = "by_tier", .optional = true},
        codec::Field{.name = "parts", .optional = true},
        codec::Field{.name = "outcomes", .optional = true},
    };
};
BOOST_DESCRIBE_STRUCT(Spec, (),
                      (flag, tiny, port, wide, widest, big, ratio, text, tier, role, price_fen, at, grace, site, job, digest,
                       version, words, counts, pair, numbers, envs, by_site, by_tier, resources, parts, outcomes))

struct Defaults {
    std::vector<std::string> words{"read"};
    std::set<std::int32_t> numbers{7};
    std::map<std::string, std::int64_t> limits{{"a", 1}};
    std::vector<std::vector<std::int32_t>> nested{{1}, {2}};
    static constexpr std::array field_rules{
        codec::Field{.name = "words", .optional = true},
        codec::Field{.name = "numbers", .optional = true},
        codec::Field{.name = "limits", .optional = true},
        codec::Field{.name = "nested", .optional = true},
    };
};
BOOST_DESCRIBE_STRUCT(Defaults, (), (words, numbers, limits, nested))

template <class T>
std::string outcome(std::string_view text) {
    const auto value = decode_json<T>(text, "");
    if (!value) return describe(value.error());
    return "ok";
}

struct Row {
    std::string_view text;
    std::string_view outcome;
};

TEST(Decode, WhatTheDocumentSaysReplacesADefaultAndAddsNothingToIt) {
    const auto again = [](std::string_view text) { return to_json(decode_json<Defaults>(text, "").value()); };
    EXPECT_EQ(again("{}"), R"({"words":["read"],"numbers":[7],"limits":{"a":1},"nested":[[1],[2]]})") << "absent: the default";
    EXPECT_EQ(again(R"({"words":["write"],"numbers":[8],"limits":{"b":2},"nested":[[3]]})"),
              R"({"words":["write"],"numbers":[8],"limits":{"b":2},"nested":[[3]]})");
    EXPECT_EQ(again(R"({"words":[],"numbers":[],"limits":{},"nested":[]})"), R"({"words":[],"numbers":[],"limits":{},"nested":[]})");
    EXPECT_EQ(again(R"({"words":["read"],"numbers":[7],"limits":{"a":2},"nested":[[],[1]]})"),
              R"({"words":["read"],"numbers":[7],"limits":{"a":2},"nested":[[],[1]]})")
        << "an item of the default is no repetition";
}

// Each unknown key costs a search for the name that was meant: a body of a million of them must not buy a minute of the server.
TEST(Decode, StopsAtTheProblemsThatItTells) {
    std::string text = "{";
    for (int i = 0; i < 200'000; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
    const auto value = decode_json<Spec>(text + "}", "test");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().size(), most_problems);
}

TEST(Decode, NamesWhatIsWrongWithAField) {
    for (const auto& [text, expected] : {
             Row{"[]", "1:1: must be an object, is a list\n"},
             Row{R"({"flag":1})", "1:9: flag: must be true or false, is 1\n"},
             Row{R"({"flag":"yes"})", "1:9: flag: must be true or false, is the string \"yes\"\n"},
             Row{R"({"tiny":128})", "1:9: tiny: must be from -128 to 127, is 128\n"},
             Row{R"({"tiny":-129})", "1:9: tiny: must be from -128 to 127, is -129\n"},
             Row{R"({"tiny":"1"})", "1:9: tiny: must be an integer, is the string \"1\"\n"},
             Row{R"({"tiny":1.5})", "1:9: tiny: must be an integer, is 1.5\n"},
             Row{R"({"port":-1})", "1:9: port: must be from 0 to 65535, is -1\n"},
             Row{R"({"port":18446744073709551615})", "1:9: port: must be from 0 to 65535, is 18446744073709551615\n"},
             Row{R"({"wide":9223372036854775808})",
                 "1:9: wide: must be from -9223372036854775808 to 9223372036854775807, is 9223372036854775808\n"},
             Row{R"({"wide":"9223372036854775808"})",
                 "1:9: wide: must be from -9223372036854775808 to 9223372036854775807, is the string \"9223372036854775808\"\n"},
             Row{R"({"wide":"5"})", "1:9: wide: must be an integer, is the string \"5\"\n"},
             Row{R"({"wide":"9007199254740992"})", "1:9: wide: must be an integer, is the string \"9007199254740992\"\n"},
             Row{R"({"wide":"09007199254740993"})", "1:9: wide: must be an integer, is the string \"09007199254740993\"\n"},
             Row{R"({"wide":"+9007199254740993"})", "1:9: wide: must be an integer, is the string \"+9007199254740993\"\n"},
             Row{R"({"widest":-1})", "1:11: widest: must be from 0 to 18446744073709551615, is -1\n"},
             Row{R"({"widest":"18446744073709551616"})",
                 "1:11: widest: must be an integer, is the string \"18446744073709551616\"\n"},
             Row{R"({"big":5})", "1:8: big: must be from 1152921504606846976 to 9223372036854775807, is 5\n"},
             Row{R"({"ratio":"0.5"})", "1:10: ratio: must be a number, is the string \"0.5\"\n"},
             Row{R"({"ratio":1.5})", "1:10: ratio: must be at most 1, is 1.5\n"},
             Row{R"({"ratio":-2})", "1:10: ratio: must be at least -1, is -2\n"},
             Row{R"({"text":5})", "1:9: text: must be a string, is 5; write \"5\"\n"},
             Row{R"({"text":null})", "1:9: text: must be a string, is null\n"},
             Row{R"({"text":{}})", "1:9: text: must be a string, is an object\n"},
             Row{R"({"text":"abcde"})", "1:9: text: must have at most 4 characters, has 5\n"},
             Row{R"({"text":"a"})", "1:9: text: must have at least 2 characters, has 1\n"},
             Row{R"({"tier":"clod"})", "1:9: tier: must be one of edge, cloud, core, is \"clod\"; did you mean \"cloud\"\n"},
             Row{R"({"tier":"gold"})", "1:9: tier: must be one of edge, cloud, core, is \"gold\"\n"},
             Row{R"({"tier":2})", "1:9: tier: must be one of edge, cloud, core, is 2\n"},
             Row{R"({"role":"operator_"})", "1:9: role: must be one of owner, operator, is \"operator_\"; did you mean \"operator\"\n"},
             Row{R"({"price_fen":-1})", "1:14: price_fen: must be from 0 to 9223372036854775807, is -1\n"},
             Row{R"({"price_fen":0.5})", "1:14: price_fen: must be an integer, is 0.5\n"},
             Row{R"({"at":"2026-02-30T00:00:00Z"})",
                 "1:7: at: must be an instant such as 2026-11-22T06:00:00Z, is \"2026-02-30T00:00:00Z\"\n"},
             Row{R"({"at":"9999-12-31T23:59:59Z"})",
                 "1:7: at: is 9999-12-31T23:59:59Z, and the last instant that can be told is in April 2262; name an earlier one\n"},
             Row{R"({"at":0})", "1:7: at: must be an instant such as 2026-11-22T06:00:00Z, is 0\n"},
             Row{R"({"grace":"4 h"})",
                 "1:10: grace: must be a length of time such as 4h30m or 90s (units d, h, m, s, ms, us, ns), is \"4 h\"\n"},
             Row{R"({"site":"Lab 1"})",
                 "1:9: site: must be a name: 1 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends, is \"Lab 1\"\n"},
             Row{R"({"site":""})", "1:9: site: must have at least 1 characters, has 0\n"},
             Row{R"({"job":"site-00000000000000000000000000"})",
                 "1:8: job: must be an id: 'job-' and 26 characters of base 32, is \"site-00000000000000000000000000\"\n"},
             Row{R"({"digest":"AB"})", "1:11: digest: must be a digest of 64 hexadecimal digits in lower case, is \"AB\"\n"},
             Row{R"({"version":"1"})", "1:12: version: must be a version such as 1.4, is \"1\"\n"},
             Row{R"({"version":1.4})", "1:12: version: must be a version such as 1.4, is 1.4\n"},
         }) {
        EXPECT_EQ(outcome<Spec>(text), expected) << text;
    }
}

TEST(Decode, NamesWhatIsWrongInsideAContainer) {
    for (const auto& [text, expected] : {
             Row{R"({"words":[]})", "1:10: words: must have at least 1 items, has 0\n"},
             Row{R"({"words":["a","b","c"]})", "1:10: words: must have at most 2 items, has 3\n"},
             Row{R"({"words":"a"})", "1:10: words: must be a list, is the string \"a\"\n"},
             Row{R"({"words":["a",true]})", "1:15: words[1]: must be a string, is true; write \"true\"\n"},
             Row{R"({"counts":[1,10]})", "1:14: counts[1]: must be from 1 to 9, is 10\n"},
             Row{R"({"pair":[true]})", "1:9: pair: must have 2 items, has 1\n"},
             Row{R"({"pair":[true,1]})", "1:15: pair[1]: must be true or false, is 1\n"},
             Row{R"({"numbers":[1,2,1]})", "1:17: numbers[2]: appears twice; once is enough\n"},
             Row{R"({"envs":{"A":"1","B":"2"}})", "1:9: envs: must have at most 1 entries, has 2\n"},
             Row{R"({"envs":{"A b":1}})", "1:16: envs[\"A b\"]: must be a string, is 1; write \"1\"\n"},
             Row{R"({"by_site":{"A":1}})",
                 "1:13: by_site.A: the key must be a name: 1 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends, is \"A\"\n"},
             Row{R"({"by_tier":{"core":1,"edgy":2}})", "1:22: by_tier.edgy: the key must be one of edge, cloud, core, is \"edgy\"\n"},
             Row{R"({"parts":[{"nodes":1},{"nodes":0}]})", "1:32: parts[1].nodes: must be from 1 to 4096, is 0\n"},
             Row{R"({"outcomes":[{"site":"a"}]})", "1:14: outcomes[0].kind: is missing; it must be one of placed, refused\n"},
             Row{R"({"outcomes":[{"kind":"place"}]})",
                 "1:22: outcomes[0].kind: must be one of placed, refused, is \"place\"; did you mean \"placed\"\n"},
             Row{R"({"outcomes":[{"kind":"refused","site":"a","reason":"b"}]})",
                 "1:32: outcomes[0].site: there is no such field; there are reason\n"},
             Row{R"({"resources":{"kind":"x","of":1}})", "1:15: resources.kind: there is no such field; there are nodes, energy_j, share\n"
                                                         "1:26: resources.of: there is no such field\n"},
             Row{R"({"outcomes":[7]})", "1:14: outcomes[0]: must be an object, is 7\n"},
             Row{R"({"resources":{"kind":"x"}})", "1:15: resources.kind: there is no such field; there are nodes, energy_j, share\n"},
         }) {
        EXPECT_EQ(outcome<Spec>(text), expected) << text;
    }
}

TEST(Decode, NullIsAbsentForAnOptionalAndAnErrorForOthers) {
    const auto spec = decode_json<Spec>(R"({"tiny":null,"at":null,"resources":null})", "");
    ASSERT_TRUE(spec.has_value());
    EXPECT_EQ(spec->tiny, std::nullopt);
    EXPECT_EQ(outcome<Spec>(R"({"big":null})"), "1:8: big: must be an integer, is null\n");
}

TEST(Decode, IntegersBeyond2To53AreReadFromEitherForm) {
    for (const std::string_view text : {R"({"wide":9007199254740993})", R"({"wide":"9007199254740993"})"}) {
        EXPECT_EQ(decode_json<Spec>(text, "").value().wide, 9'007'199'254'740'993) << text;
    }
    EXPECT_EQ(decode_json<Spec>(R"({"wide":"-9223372036854775808"})", "").value().wide, INT64_MIN);
    EXPECT_EQ(decode_json<Spec>(R"({"widest":"18446744073709551615"})", "").value().widest, UINT64_MAX);
    EXPECT_EQ(decode_json<Spec>(R"({"widest":18446744073709551615})", "").value().widest, UINT64_MAX);
    EXPECT_EQ(decode_json<Spec>(R"({"tiny":-0,"port":5.0e1})", "").value().port, 50);
}

TEST(Decode, EveryProblemOfADocumentIsCollected) {
    const auto spec = decode_yaml<Spec>(R"(tiny: 300
teir: cloud
parts:
  - nodes: 2
    gpus: 8
  - share: 1.5
text: a)",
                                        "spec.yaml");
    ASSERT_FALSE(spec.has_value());
    EXPECT_EQ(describe(spec.error()),
              "spec.yaml:1:7: tiny: must be from -128 to 127, is 300\n"
              "spec.yaml:2:1: teir: there is no such field; did you mean \"tier\"\n"
              "spec.yaml:5:5: parts[0].gpus: there is no such field; there are nodes, energy_j, share\n"
              "spec.yaml:6:12: parts[1].share: must be at most 1, is 1.5\n"
              "spec.yaml:7:7: text: must have at least 2 characters, has 1\n");
    EXPECT_EQ(spec.error()[1].code, Fault::unknown_field);
    EXPECT_EQ(spec.error()[4].code, Fault::too_short);
}

TEST(Decode, NoMoreThanTwentyProblemsAreCollected) {
    std::string text = "{\"counts\":[0";
    for (int i = 0; i < 100'000; ++i) text += ",0";
    const auto spec = decode_json<Spec>(text + "]}", "");
    ASSERT_FALSE(spec.has_value());
    EXPECT_EQ(spec.error().size(), most_problems);
}

TEST(Decode, MissingFieldsAreNamedAtTheirObject) {
    const auto everything = decode_json<sample::Tree>("\n{\"children\":[{\"label\":\"x\"},{}]}", "t");
    EXPECT_EQ(describe(everything.error()),
              "t:2:1: label: is missing; this field is required\n"
              "t:2:28: children[1].label: is missing; this field is required\n");
}

TEST(Decode, AnAbsentOptionalFieldKeepsItsInitialiser) {
    EXPECT_EQ(decode_json<sample::Resources>("{}", "").value(), (sample::Resources{.nodes = 1, .energy_j = {}, .share = 1}));
}

TEST(Decode, ReadersErrorsBecomeProblemsOfTheDocument) {
    const auto json = decode_json<Spec>("{\"a\":1,\"a\":2}", "a.json");
    EXPECT_EQ(json.error().front().code, Fault::duplicate_key);
    EXPECT_EQ(describe(json.error().front()), "a.json:1:8: the key \"a\" appears twice in one object");
    const auto yaml = decode_yaml<Spec>("a: [", "a.yaml");
    EXPECT_EQ(yaml.error().front().code, Fault::bad_syntax);
}

TEST(Decode, ACustomFormMayBeAnything) {
    using sample::Cards;
    EXPECT_EQ(decode_json<Cards>("8", "").value(), (Cards{.model = "", .count = 8}));
    EXPECT_EQ(decode_json<Cards>(R"({"model":"H800","count":8})", "").value(), (Cards{.model = "H800", .count = 8}));
    EXPECT_EQ(outcome<Cards>(R"({"model":"","count":8})"), "1:1: a request by model must name the model\n");
    EXPECT_EQ(outcome<Cards>(R"({"model":"a","count":true})"), "1:22: count: must be an integer, is true\n");
    EXPECT_EQ(outcome<std::vector<Cards>>("[1,true]"), "1:4: [1]: must be an integer, is true\n");
}

TEST(Decode, ForeignTextIsShownSafely) {
    const std::string odd = "\x1b[2J\n" + std::string(100, 'x');
    std::string text = "{\"tier\":";
    append_quoted(text, odd);
    const auto spec = decode_json<Spec>(text + "}", "");
    const std::string shown = spec.error().front().message;
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
    EXPECT_LT(shown.size(), 200U);
}

TEST(Encode, WritesFieldsInOrderAndLeavesOutAbsentOnes) {
    EXPECT_EQ(to_json(sample::Resources{.nodes = 2, .energy_j = {1LL << 60}, .share = 0.25}),
              R"({"nodes":2,"energy_j":"1152921504606846976","share":0.25})");
    EXPECT_EQ(to_json(std::optional<int>{}), "null");
    EXPECT_EQ(to_json(std::vector<sample::Empty>(2)), "[{},{}]");
    EXPECT_EQ(to_json(std::map<std::string, std::optional<bool>>{{"b", true}, {"a\"", {}}}), R"({"a\"":null,"b":true})");
    const std::variant<sample::Placed, sample::Refused> outcome_of_a_job = sample::Refused{"no room"};
    EXPECT_EQ(to_json(outcome_of_a_job), R"({"kind":"refused","reason":"no room"})");
    EXPECT_EQ(to_json(std::string{"\xFF" "a\x01\x80"}), "\"\xEF\xBF\xBD" "a\\u0001\xEF\xBF\xBD\"");
    EXPECT_EQ(to_json(std::vector<double>{0.0, -0.0, 1e300, 9007199254740992.0, 1.0 / 0.0}), "[0,-0,1e+300,9.007199254740992e+15,null]");
}

TEST(Encode, JsonForPeopleIsIndented) {
    std::string out;
    write_json_pretty(sample::Tree{.label = "a\",{", .children = {sample::Tree{.label = "b", .children = {}}}}, out);
    EXPECT_EQ(out, R"({
  "label": "a\",{",
  "children": [
    {
      "label": "b",
      "children": []
    }
  ]
}
)");
}

}  // namespace
}  // namespace weir::codec
