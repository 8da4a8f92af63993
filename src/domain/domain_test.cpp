#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "domain/limits.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>

namespace weir {
namespace {

const Catalogue& catalogue() {
    static const Catalogue models{{"H800", {}}, {"A100", {}}, {"cpu", {}}};
    return models;
}

// Goal: a job file means what its reader thinks it means, and its text form is stable.
TEST(JobFile, FormsBecomeNumbers) {
    const auto spec = codec::decode_yaml<JobSpec>(R"(
name: digits
type: training
resources:
  accelerators: [H800:8, "A100:0.5", {model: cpu, count: 2, run: ./on-cpu}]
  cpus: 0.5
  memory: 4GiB
num_nodes: 2
run: python3 train.py
max_duration: 2h30m
budget: 12.50 yuan
funding: [prepaid]
)",
                                                  "job.yaml");
    ASSERT_TRUE(spec) << codec::describe(spec.error());
    EXPECT_EQ(spec->resources.accelerators[0], (AcceleratorAsk{"H800", MilliCards{8000}, ""}));
    EXPECT_EQ(spec->resources.accelerators[1], (AcceleratorAsk{"A100", MilliCards{500}, ""}));
    EXPECT_EQ(spec->resources.accelerators[2], (AcceleratorAsk{"cpu", MilliCards{2000}, "./on-cpu"}));
    EXPECT_EQ(spec->resources.cpus, MilliCpus{500});
    EXPECT_EQ(spec->resources.memory, MiB{4096});
    EXPECT_EQ(spec->max_duration, Seconds{9000});
    EXPECT_EQ(spec->budget->fen, Fen{1250});
    EXPECT_TRUE(flaws(*spec, catalogue()).empty());
    std::string json;
    codec::write_json(*spec, json);
    EXPECT_EQ(codec::decode_json<JobSpec>(json, "journal").value(), *spec);
}

TEST(JobFile, AcceleratorsMayBeAMappingOfModelToCount) {
    struct Case {
        const char* written;
        std::vector<AcceleratorAsk> meant;
    };
    const AcceleratorAsk a100{"A100", MilliCards{1000}, ""};
    const AcceleratorAsk h100{"H100", MilliCards{8000}, ""};
    for (const auto& [written, meant] : std::vector<Case>{{"{A100: 1}", {a100}},
                                                          {"{A100: 1, H100: 8}", {a100, h100}},
                                                          {"{H100: 8, A100: 1}", {h100, a100}},
                                                          {"{A100: '1', H100: 8.0}", {a100, h100}},
                                                          {"{A100:1, H100:8}", {a100, h100}},
                                                          {"{A100, H100:8}", {a100, h100}},
                                                          {"{A100: , H100: 8}", {a100, h100}},
                                                          {"[A100, H100: 8]", {a100, h100}},
                                                          {"{A100: 0.5}", {{"A100", MilliCards{500}, ""}}},
                                                          {"{model: H100, count: 8}", {h100}},
                                                          {"\n    A100: 1\n    H100: 8", {a100, h100}},
                                                          {"\n    - A100: 1\n    - H100: 8", {a100, h100}}}) {
        const auto text = fmt::format("name: a\nrun: x\nresources:\n  accelerators: {}\n", written);
        const auto spec = codec::decode_yaml<JobSpec>(text, "job.yaml");
        ASSERT_TRUE(spec) << written << ": " << codec::describe(spec.error().front());
        EXPECT_EQ(spec->resources.accelerators, meant) << written;
    }
}

TEST(JobFile, AWrongMappingOfAcceleratorsIsNamedWithItsLineAndModel) {
    for (const auto& [written, said] : std::vector<std::pair<const char*, const char*>>{
             {"{A100: lots}", "job.yaml:4:24: resources.accelerators.A100: must be a number of cards, such as 8 or 0.5"},
             {"{A100: [8]}", "job.yaml:4:24: resources.accelerators.A100: must be a number of cards, such as 8 or 0.5"},
             {"\n    A100: 1\n    H100: -8", "job.yaml:6:11: resources.accelerators.H100: must be a number of cards, such as 8 or 0.5"},
             {"{'A100:1': 2}", "job.yaml:4:18: resources.accelerators[\"A100:1\"]: has a number of cards before and behind the colon"},
             {"{'A100:x': }", "must be a model and a number of cards, such as H800:8 or A100:0.5"},
             {"{A100: 1, count: 2}", "job.yaml:4:17: resources.accelerators: lacks model"},
             {"{model: '', count: 2}", "job.yaml:4:25: resources.accelerators.model: names no model"},
             {"{A100: {count: 8}}", "resources.accelerators.A100: must be a number of cards, such as 8 or 0.5"}}) {
        const auto text = fmt::format("name: a\nrun: x\nresources:\n  accelerators: {}\n", written);
        const auto spec = codec::decode_yaml<JobSpec>(text, "job.yaml");
        ASSERT_FALSE(spec) << written;
        EXPECT_NE(codec::describe(spec.error().front()).find(said), std::string::npos) << codec::describe(spec.error().front());
    }
}

TEST(JobFile, OneAcceleratorNeedsNoList) {
    const auto spec = codec::decode_yaml<JobSpec>("name: a\nresources: {accelerators: H800}\nrun: x\n", "job.yaml");
    ASSERT_TRUE(spec) << codec::describe(spec.error());
    EXPECT_EQ(spec->resources.accelerators, (std::vector{AcceleratorAsk{"H800", MilliCards{1000}, ""}}));
}

// Each bad line is refused with its file, line and field.
TEST(JobFile, ErrorsNameFileLineAndField) {
    struct Row {
        std::string_view line;
        std::string_view expected;
    };
    for (const auto& [line, expected] : std::array{
             Row{"nodes: 2",
                 "job.yaml:4:1: nodes: there is no such field; there are name, type, resources, num_nodes, processes_per_node, setup, run, "
                 "envs, priority, tier, residency, trust, checkpoint, retry, after, max_duration, estimated_duration, deadline, budget, "
                 "funding, on_disconnect, workdir, outputs\n"},
             Row{"max_duration: 1.5h",
                 "job.yaml:4:15: max_duration: must be a length of time, such as 90s, 10m or 2h30m, is the string \"1.5h\"\n"},
             Row{"max_duration: -5m",
                 "job.yaml:4:15: max_duration: is \"-5m\" and must have whole seconds and not be negative, such as 90s, 10m or 2h30m\n"},
             Row{"max_duration: -5", "job.yaml:4:15: max_duration: is -5 s and must be from 0 to 9223372036\n"},
             Row{"estimated_duration: 9007199254740993",
                 "job.yaml:4:21: estimated_duration: is 9007199254740993 s and must be from 0 to 9223372036\n"},
             Row{"retry: {backoff: 9223372037}", "job.yaml:4:18: retry.backoff: is 9223372037 s and must be from 0 to 9223372036\n"},
             Row{"budget: 12", "job.yaml:4:9: budget: must be an amount with its unit, such as 12.50 yuan or 1250 fen, is 12\n"},
             Row{"priority: urgent", "job.yaml:4:11: priority: must be one of low, normal, high, is \"urgent\"\n"},
             Row{"after: [x]", "job.yaml:4:9: after[0]: must be an id: 'job-' and 26 characters of base 32, is \"x\"\n"},
             Row{"name: again", "job.yaml:4:1: the key \"name\" appears twice in one object\n"},
         }) {
        const auto spec =
            codec::decode_yaml<JobSpec>("name: a\nresources: {accelerators: H800}\nrun: x\n" + std::string{line} + "\n", "job.yaml");
        ASSERT_FALSE(spec) << line;
        EXPECT_EQ(codec::describe(spec.error()), expected) << line;
    }
}

TEST(JobFlaws, NumbersOutOfBoundsAreNamedWithBothNumbers) {
    JobSpec spec;
    spec.name = "a";
    spec.run = "x";
    spec.resources.accelerators = {{"H800", MilliCards{1500}, ""}};
    spec.num_nodes = 5000;
    spec.retry.max_restarts = 101;
    const auto found = flaws(spec, catalogue());
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].message, "asks for 1.500 cards; more than one card must be a whole number, ask for 1 or 2");
    EXPECT_EQ(found[1].message, "is 5000 and must be from 1 to 4096");
    EXPECT_EQ(found[2].path, "retry.max_restarts");
}

TEST(JobFlaws, AmountsAreToldInTheUnitsThatTheyAreWrittenIn) {
    JobSpec spec;
    spec.name = "a";
    spec.run = "x";
    spec.resources.accelerators = {{"H800", MilliCards{0}, ""}};
    spec.resources.cpus = MilliCpus{4'096'500};
    spec.resources.memory = MiB{(std::int64_t{64} << 20) + 1};
    spec.retry.backoff = Seconds{3601};
    spec.max_duration = Seconds{32 * 86'400};
    spec.estimated_duration = Seconds{33 * 86'400};
    spec.budget = Budget{Fen{0}};
    std::vector<std::string> messages;
    for (const auto& flaw : flaws(spec, catalogue())) messages.push_back(flaw.path + ": " + flaw.message);
    const std::vector<std::string> expected{
        "resources.accelerators[0].count: is 0 cards and must be from 0.001 cards to 64 cards",
        "resources.cpus: is 4096.5 cpus and must be from 0 cpus to 4096 cpus",
        "resources.memory: is 67108865 MiB and must be from 1 MiB to 65536 GiB",
        "retry.backoff: is 1h1s and must be from 0s to 1h",
        "max_duration: is 32d and must be from 1s to 31d",
        "estimated_duration: is 33d and must be from 1s to 31d",
        "estimated_duration: is 33d, longer than max_duration, which is 32d; raise max_duration or lower the estimate",
        "budget: is 0.00 yuan and must be from 0.01 yuan to 100000000000.00 yuan"};
    EXPECT_EQ(messages, expected);
}

TEST(JobFlaws, AnUnknownModelNamesItsNearest) {
    JobSpec spec;
    spec.name = "a";
    spec.run = "x";
    spec.resources.accelerators = {{"h800", MilliCards{1000}, ""}};
    const auto found = flaws(spec, catalogue());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].message.find("did you mean H800?"), std::string::npos);
}

TEST(JobFlaws, ReservedVariablesAndZeroBytesAreRefused) {
    JobSpec spec;
    spec.name = "a";
    spec.run = std::string("x\0y", 3);
    spec.resources.accelerators = {{"cpu", MilliCards{1000}, ""}};
    spec.envs = {{"WEIR_RANK", "0"}, {"1X", ""}};
    EXPECT_EQ(flaws(spec, catalogue()).size(), 3U);
}

TEST(NodeFlaws, AnAddressIsANameOrANumberOfAHost) {
    Node node;
    node.name = NodeName{"n1"};
    for (const std::string good : {"", "127.0.0.1", "fe80::1%eth0", "n1.rack_2.example", "N1"}) {
        node.address = good;
        EXPECT_TRUE(flaws(node).empty()) << good;
    }
    for (const std::string& bad : {std::string{"a\nMASTER=1"}, std::string{"a\0b", 3}, std::string{"a b"}, std::string{"$(id)"},
                                  std::string{"\xc3\xa9"}, std::string(256, 'a')}) {
        node.address = bad;
        ASSERT_EQ(flaws(node).size(), 1U) << bad;
        EXPECT_EQ(flaws(node)[0].path, "address");
    }
}

TEST(Region, LiesWithinItsAncestors) {
    EXPECT_TRUE(lies_within("cn/sichuan/chengdu", "cn/sichuan"));
    EXPECT_TRUE(lies_within("cn/sichuan", "cn/sichuan"));
    EXPECT_TRUE(lies_within("cn", ""));
    EXPECT_FALSE(lies_within("cn/sichuan-2", "cn/sichuan"));
    EXPECT_FALSE(lies_within("cn", "cn/sichuan"));
    EXPECT_TRUE(is_region("cn/sichuan/chengdu"));
    for (const std::string_view bad : {"", "/cn", "cn/", "cn//x", "a/b/c/d/e/f/g/h/i", "CN"}) EXPECT_FALSE(is_region(bad)) << bad;
}

TEST(JobStates, OnlyLegalStepsAreTaken) {
    EXPECT_TRUE(may_follow(JobState::queued, JobState::placed));
    EXPECT_TRUE(may_follow(JobState::running, JobState::queued));
    EXPECT_TRUE(may_follow(JobState::queued, JobState::cancelled));
    EXPECT_FALSE(may_follow(JobState::queued, JobState::running));
    EXPECT_FALSE(may_follow(JobState::succeeded, JobState::failed));
    EXPECT_FALSE(may_follow(JobState::running, JobState::starting));
}

TEST(Flaws, AreNotSoughtBeyondTwenty) {
    JobSpec spec;
    spec.name = "train";
    spec.run = "true";
    spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
    spec.funding.resize(100'000);  // all of them the prepaid balance; comparing each with each would take minutes
    Catalogue catalogue;
    catalogue["A100"].model = "A100";
    const auto found = flaws(spec, catalogue);
    EXPECT_EQ(found.size(), 20U);
    EXPECT_EQ(found.front().path, "funding");
    spec.funding.clear();
    spec.retry.exit_codes.assign(100'000, 0);
    EXPECT_EQ(flaws(spec, catalogue).size(), 20U);
}

}  // namespace
}  // namespace weir
