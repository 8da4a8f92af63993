// Goal: the small parts mean what they say: which card a node's card is, how a gang's end is told, what is remembered, what a file of
// the agent may say, how often setup is done.
// Method: pictures and tables; for the shell text, a real shell.
#include "adapters/site_process/cards.hpp"

#include "agent/config.hpp"
#include "agent/gang.hpp"
#include "agent/manifest.hpp"
#include "agent/nodes.hpp"
#include "agent/records.hpp"
#include "agent/task_spec.hpp"
#include "base/test_folder.hpp"
#include "codec/decode.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace weir::agent {
namespace {

namespace fs = std::filesystem;
using ports::EndReason;

std::string slurp(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// ---- nodes ----

ports::Card found(std::int32_t index, const std::string& model, bool emulated) {
    ports::Card card;
    card.index = index;
    card.model = model;
    card.stack = emulated ? ports::CardStack::other : ports::CardStack::cuda;
    card.memory_mib = 81'920;
    card.emulated = emulated;
    return card;
}

CardDeclaration cards(const std::string& model, std::int64_t count) {
    CardDeclaration declared;
    declared.model = model;
    declared.count = count;
    return declared;
}

NodeDeclaration declare(const std::string& name, std::vector<CardDeclaration> cards) {
    NodeDeclaration node;
    node.name = *NodeName::parse(name);
    node.cards = std::move(cards);
    return node;
}

TEST(Nodes, EachCardOfTheHostBelongsToOneNode) {
    ports::Inventory inventory;
    for (int i = 0; i < 5; ++i) inventory.cards.push_back(found(i, "NVIDIA H800 PCIe", false));
    inventory.milli_cpus = 64'000;
    inventory.memory_mib = 512;
    const auto table = table_of({declare("n1", {cards("H800", 2)}), declare("n2", {cards("H800", 2)})}, inventory);
    const auto& second = table.cards.at(*NodeName::parse("n2"));
    ASSERT_EQ(second.size(), 2U);
    EXPECT_EQ(second[1], (CardAt{ports::CardStack::cuda, 3, "H800", "", 81'920, false, false}));
    EXPECT_EQ(table.nodes[1].cards[0].memory, MiB{81'920});
    EXPECT_EQ(table.nodes[1].cpus, MilliCpus{64'000});
    ASSERT_EQ(table.remarks.size(), 1U);
    EXPECT_EQ(table.remarks[0], "1 cards NVIDIA H800 PCIe were found and no node declares them: declare them to offer them");
}

TEST(Nodes, ADeclaredCardThatIsNeitherFoundNorEmulatedIsNotOffered) {
    ports::Inventory inventory;
    inventory.cards.push_back(found(0, "L20", true));
    const auto table = table_of({declare("n1", {cards("L20", 2)})}, inventory);
    EXPECT_TRUE(table.nodes[0].cards.empty());
    EXPECT_TRUE(table.cards.at(*NodeName::parse("n1")).empty());
    EXPECT_EQ(table.remarks.size(), 2U);
}

TEST(Nodes, ProcessorsAreNoEmulationAndNoMoreThanTheHostHas) {
    ports::Inventory inventory;
    inventory.milli_cpus = 4'000;
    const std::vector declared{declare("n1", {cards("cpu", 3)}), declare("n2", {cards("cpu", 2)})};
    const auto table = table_of(declared, inventory);
    EXPECT_EQ(table.nodes[0].cards[0].count, 3);
    EXPECT_FALSE(table.nodes[0].cards[0].emulated);
    EXPECT_EQ(table.cards.at(*NodeName::parse("n1"))[2], (CardAt{ports::CardStack::none, 2, "cpu", "", 0, false, false}));
    EXPECT_EQ(table.nodes[1].cards[0].count, 1) << "the host has four";
    ASSERT_EQ(table.remarks.size(), 1U);
    EXPECT_EQ(table.remarks[0].substr(0, 51), "node n2 declares 2 cards cpu and 1 were found: the ");
    const auto in_use = table_of(declared, inventory, table.cards);
    EXPECT_EQ(in_use.cards, table.cards) << "those of running tasks stay";
    EXPECT_TRUE(in_use.nodes[0].healthy);
}

TEST(Nodes, WhatTheNetworkWouldRefuseIsRefusedBeforeItIsTold) {
    EXPECT_TRUE(check_declared({declare("n1", {cards("L20", 2), cards("H800", 2)}), declare("n2", {cards("L20", 2)})}));
    EXPECT_EQ(check_declared({declare("n1", {cards("L20", 2), cards("H800", 2), cards("L20", 1)})}).error(),
              "node n1: cards[2].model names L20 a second time; the cards of one model in a node are one group");
    EXPECT_EQ(check_declared({declare("n1", {}), declare("n1", {})}).error(), "node n1 stands twice; give each a name of its own");
    auto odd = declare("n1", {});
    odd.address = "10.0.0.1\n";
    EXPECT_NE(check_declared({odd}).error().find("node n1: address is no name"), std::string::npos);
}

TEST(Nodes, ACardThatNamesItsNodeIsNoOthers) {
    ports::Inventory inventory;
    for (const auto* node : {"n1", "n2"}) {
        for (int i = 0; i < 2; ++i) {
            inventory.cards.push_back(found(i, "L20", true));
            inventory.cards.back().node = node;
        }
    }
    auto emulated = cards("L20", 3);
    emulated.emulated = true;
    const auto table = table_of({declare("n2", {emulated}), declare("n1", {emulated})}, inventory);
    const std::vector<CardAt> both{{ports::CardStack::other, 0, "L20", "", 81'920, true, false},
                                   {ports::CardStack::other, 1, "L20", "", 81'920, true, false}};
    EXPECT_EQ(table.cards.at(*NodeName::parse("n2")), both);
    EXPECT_EQ(table.cards.at(*NodeName::parse("n1")), both);
    EXPECT_EQ(table.nodes[0].cards[0].count, 2);
}

/// What a host with these cards says: `nvidia-smi` numbers those that answer from 0 on.
ports::Inventory smi(const std::vector<int>& cards) {
    std::string text;
    for (std::size_t i = 0; i < cards.size(); ++i) text += fmt::format("{}, NVIDIA H800, 81559, GPU-{}\n", i, cards[i]);
    ports::Inventory inventory;
    inventory.cards = site_process::read_nvidia(text).cards;
    return inventory;
}

/// The places of a node as a picture: the number that the host gives the card, or '-' where it is lost.
std::string picture(const NodeTable& table, std::size_t node) {
    std::string places;
    for (const auto& place : table.cards.at(table.nodes[node].name)) places += place.lost ? "-" : std::to_string(place.index);
    std::int64_t told = 0;
    for (const auto& group : table.nodes[node].cards) told += group.count;
    return fmt::format("{} of {}{}", places, told, table.nodes[node].healthy ? "" : " sick");
}

TEST(Nodes, ACardThatFallsOffMovesNoOtherWhileATaskIsThere) {
    const std::vector declared{declare("n1", {cards("H800", 4)}), declare("n2", {cards("H800", 2)})};
    const auto whole = table_of(declared, smi({10, 11, 12, 13, 14, 15}));
    EXPECT_EQ(picture(whole, 0), "0123 of 4");
    EXPECT_EQ(picture(whole, 1), "45 of 2");
    // Card 11 falls off; the host calls those behind it by other numbers now.
    const auto hurt = table_of(declared, smi({10, 12, 13, 14, 15}), whole.cards);
    EXPECT_EQ(picture(hurt, 0), "0-12 of 4 sick");
    EXPECT_EQ(picture(hurt, 1), "34 of 2");
    ASSERT_EQ(hurt.remarks.size(), 1U);
    // The whole driver is gone: nobody is told of a node without cards.
    EXPECT_EQ(picture(table_of(declared, smi({}), hurt.cards), 0), "---- of 4 sick");
    // It is back, and all is as it was.
    const auto back = table_of(declared, smi({10, 11, 12, 13, 14, 15}), hurt.cards);
    EXPECT_EQ(back.cards, whole.cards);
    EXPECT_EQ(back.nodes, whole.nodes);
    // Without a task the cards that are there are counted anew, and none that is in use on another node is taken.
    const auto anew = table_of(declared, smi({10, 12, 13, 14, 15}), {{NodeName{"n2"}, whole.cards.at(NodeName{"n2"})}});
    EXPECT_EQ(picture(anew, 0), "012 of 3");
    EXPECT_EQ(picture(anew, 1), "34 of 2");
    const auto first = table_of(declared, smi({12, 13, 14, 15}), {{NodeName{"n2"}, whole.cards.at(NodeName{"n2"})}});
    EXPECT_EQ(picture(first, 0), "01 of 2");
    EXPECT_EQ(picture(first, 1), "23 of 2");
}

TEST(Nodes, ATaskOnALostCardIsRefused) {
    const std::vector declared{declare("n1", {cards("H800", 2)})};
    const auto hurt = table_of(declared, smi({11}), table_of(declared, smi({10, 11})).cards);
    DesiredTask wanted;
    wanted.run = "train";
    wanted.placement.nodes.push_back({NodeName{"n1"}, {{0, MilliCards{1000}}}});
    EXPECT_FALSE(spec_of(wanted, {}, hurt, 0, {}));
    wanted.placement.nodes[0].cards[0].index = 1;
    const auto spec = spec_of(wanted, {}, hurt, 0, {});
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->cards, std::vector<std::int32_t>{0});
}

TEST(Records, KnowWhatThePlacesOfBusyNodesMeanAfterTheAgentsDeath) {
    const TestFolder folder;
    const auto at = (folder.path() / "agent").string();
    const std::vector declared{declare("n1", {cards("H800", 2)}), declare("n2", {cards("H800", 1)})};
    const auto table = table_of(declared, smi({10, 11, 12}));
    {
        auto records = Records::open(at).value();
        ASSERT_TRUE(records.save_cards(table.cards));
        GenerationRecord record;
        record.job = *JobId::parse("job-01k00000000000000000000001");
        record.generation = 1;
        record.nodes = {NodeName{"n1"}};
        ASSERT_TRUE(records.save(record));
    }
    auto records = Records::open(at).value();
    EXPECT_EQ(records.cards_in_use(), (CardsOfNodes{{NodeName{"n1"}, table.cards.at(NodeName{"n1"})}}));
    auto record = records.all().begin()->second;
    record.end_known = true;
    ASSERT_TRUE(records.save(record));
    EXPECT_TRUE(records.cards_in_use().empty());
}

TEST(Nodes, AModelIsFoundInTheMakersSpelling) {
    EXPECT_TRUE(is_model("NVIDIA A100-SXM4-80GB", "A100"));
    EXPECT_TRUE(is_model("910B3", "910B3"));
    EXPECT_FALSE(is_model("NVIDIA A100", "H800"));
    EXPECT_FALSE(is_model("NVIDIA A100", ""));
}

// ---- gangs ----

ports::TaskObserved rank_that(std::int32_t node_rank, std::optional<EndReason> reason, std::int32_t exit_code = 0, std::int64_t at_s = 10) {
    ports::TaskObserved rank;
    rank.key.node_rank = node_rank;
    rank.state = reason ? ports::TaskState::ended : ports::TaskState::running;
    rank.reason = reason;
    rank.exit_code = exit_code;
    rank.ended_at_s = reason ? at_s : 0;
    return rank;
}

GangView view_of(const std::vector<ports::TaskObserved>& ranks, bool closed = false) {
    std::vector<const ports::TaskObserved*> pointers;
    for (const auto& rank : ranks) pointers.push_back(&rank);
    return look_at(pointers, closed);
}

TEST(Gang, RunsOnceAllOfItRuns) {
    const auto one = rank_that(0, std::nullopt);
    EXPECT_EQ(look_at({&one, nullptr}, false).state, TaskState::starting);
    EXPECT_EQ(view_of({one, rank_that(1, std::nullopt)}).state, TaskState::running);
    EXPECT_EQ(view_of({one, rank_that(1, EndReason::exited)}).state, TaskState::running);
    auto slow = rank_that(1, std::nullopt);
    slow.state = ports::TaskState::starting;
    EXPECT_EQ(view_of({one, slow}).state, TaskState::starting);
}

TEST(Gang, EndsOnceNoneOfItIsLeft) {
    const auto done = rank_that(0, EndReason::exited);
    EXPECT_EQ(view_of({done, rank_that(1, EndReason::exited)}).reason, Reason::exited);
    EXPECT_EQ(look_at({&done, nullptr}, false).state, TaskState::starting);
    EXPECT_EQ(look_at({&done, nullptr}, true).state, TaskState::ended);
    EXPECT_EQ(look_at({&done, nullptr}, true).reason, Reason::site_lost_task);
    EXPECT_EQ(look_at({nullptr}, true).state, TaskState::ended);
}

TEST(Gang, IsToldWithTheEndThatCameFirst) {
    const auto view = view_of(
        {rank_that(0, EndReason::exited, 1, 12), rank_that(1, EndReason::signalled, 139, 11), rank_that(2, EndReason::stopped, 0, 9)});
    EXPECT_EQ(view.reason, Reason::signalled);
    EXPECT_EQ(view.exit_code, 139);
    EXPECT_EQ(view.first_failed, 1);
    // In the same second the end that explains the other goes first.
    EXPECT_EQ(view_of({rank_that(0, EndReason::exited, 1), rank_that(1, EndReason::out_of_memory, 137)}).reason, Reason::out_of_memory);
    EXPECT_TRUE(view_of({rank_that(0, EndReason::exited, 1), rank_that(1, EndReason::host_restarted)}).lost_node);
}

RC_GTEST_PROP(Gang, NeverSaysEndedWhileSomethingLives, ()) {
    std::vector<ports::TaskObserved> ranks;
    const auto count = *rc::gen::inRange(1, 6);
    bool lives = false;
    for (int i = 0; i < count; ++i) {
        const auto end = *rc::gen::inRange(0, 9);
        lives = lives || end == 0;
        ranks.push_back(rank_that(i, end == 0 ? std::nullopt : std::optional{static_cast<EndReason>(end)}, *rc::gen::inRange(0, 3)));
    }
    const auto view = view_of(ranks, *rc::gen::arbitrary<bool>());
    RC_ASSERT((view.state == TaskState::ended) == !lives);
    RC_ASSERT((view.reason == Reason::none) == lives);
}

// ---- manifests, records, files ----

RC_GTEST_PROP(Manifest, ComesBackAsItWas, ()) {
    std::vector<ports::ManifestEntry> files;
    const auto count = *rc::gen::inRange(0, 8);
    for (int i = 0; i < count; ++i) {
        files.push_back({*rc::gen::inRange(0, 1'000'000), sha256(std::to_string(i)), "part " + std::to_string(*rc::gen::inRange(0, 99))});
    }
    const auto text = manifest_text(files);
    const auto back = parse_manifest(text);
    RC_ASSERT(back.has_value());
    RC_ASSERT(manifest_text(*back) == text);
    RC_ASSERT(!parse_manifest(text + "x").has_value());
}

TEST(Records, AreThereAfterTheAgent) {
    const TestFolder folder;
    GenerationRecord record;
    record.job = *JobId::parse("job-01k00000000000000000000001");
    record.generation = 3;
    record.nodes = {*NodeName::parse("n1"), {}};
    record.master_port = 40'000;
    record.metered = {4, 0};
    record.replicated = "step-2";
    std::string session;
    {
        auto records = Records::open(folder.path() / "agent").value();
        ASSERT_TRUE(records.save(record));
        session = records.begin_session(Instant{1'000'000'000}, {}, 1, 2).value();
    }
    auto records = Records::open(folder.path() / "agent").value();
    ASSERT_NE(records.find(record.key()), nullptr);
    EXPECT_EQ(*records.find(record.key()), record);
    EXPECT_GT(records.begin_session(Instant{0}, {}, 0, 0).value(), session);
    records.remove(record.key());
    EXPECT_EQ(Records::open(folder.path() / "agent").value().all().size(), 0U);
}

TEST(Records, SessionsVouchInTheLifeOfTheHostInWhichTheyWereWritten) {
    const TestFolder folder;
    const auto open = [&](const std::string& host_boot) { return Records::open(folder.path() / "agent", host_boot).value(); };
    const std::vector<std::string> sessions{"s1", "s2"};
    ASSERT_TRUE(open("boot-1").save_vouching(sessions));
    EXPECT_EQ(open("boot-1").vouching(), sessions);
    EXPECT_TRUE(open("boot-2").vouching().empty());
    EXPECT_TRUE(open("").vouching().empty());
    // Where the host does not say which life it is in, nothing is remembered and nothing lost.
    ASSERT_TRUE(open("").save_vouching({"s3"}));
    EXPECT_EQ(open("boot-1").vouching(), sessions);
    ASSERT_TRUE(open("boot-2").save_vouching({"s3"}));
    EXPECT_TRUE(open("boot-1").vouching().empty());
}

TEST(Records, ADamagedFileIsNamed) {
    const TestFolder folder;
    fs::create_directory(folder.path() / "agent");
    std::ofstream(folder.path() / "agent/job.1.json") << "{\"job\":";
    const auto records = Records::open(folder.path() / "agent");
    ASSERT_FALSE(records);
    EXPECT_NE(records.error().find("job.1.json"), std::string::npos) << records.error();
}

constexpr auto example = R"(
site: pidu-core
server: http://127.0.0.1:7440
token_file: agent.token
root: /var/lib/weir/pidu-core
blobs: /var/lib/weir/blobs
users: {first: 61000, count: 1000}
meter_slice: 5s
nodes:
  - name: n1
    cards: [{model: Ascend910B3, count: 8, memory: 64GiB, emulated: true}]
    cpus: 32
    memory: 64GiB
)";

TEST(Config, IsReadFromItsFile) {
    const auto config = codec::decode_yaml<AgentConfig>(example, "agent.yaml");
    ASSERT_TRUE(config) << codec::describe(config.error());
    EXPECT_EQ(config->site.text(), "pidu-core");
    EXPECT_EQ(config->meter_slice, Seconds{5});
    EXPECT_EQ(config->nodes[0].cpus, MilliCpus{32'000});
    EXPECT_EQ(config->nodes[0].cards[0].memory, MiB{65'536});
    EXPECT_EQ(config->nodes[0].address, "127.0.0.1");
    EXPECT_EQ(config->users->first, 61'000U);
    EXPECT_TRUE(config->sandbox);
}

TEST(Config, TakesTheNodesThatASitesFileDeclares) {
    const auto file = codec::decode_yaml<NodeFile>(
        "nodes:\n  - name: n1\n    cards:\n      - {model: L20, count: 4, memory: 48GiB, slicing: fractional, emulated: true}\n"
        "    cpus: 16\n    memory: 32GiB\n    position: [rack-1]\n    healthy: false\n    address: 127.0.0.1\n",
        "nodes.yaml");
    ASSERT_TRUE(file) << codec::describe(file.error());
    EXPECT_FALSE(table_of(file->nodes, {}).nodes[0].healthy);
}

TEST(Config, SaysWhatIsWrong) {
    auto text = std::string{example};
    text.replace(text.find("count: 1000"), 11, "count: 0");
    text.replace(text.find("meter_slice: 5s"), 15, "meter_slice: 0s");
    const auto config = codec::decode_yaml<AgentConfig>(text + "colour: red\n", "agent.yaml");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().size(), 3U) << codec::describe(config.error());
}

// ---- setup ----

int shell(const std::string& script, const TestFolder& folder) {
    ::setenv("WEIR_OUTPUT_DIR", folder.path().c_str(), 1);
    std::ofstream(folder.path() / "script") << script;
    return WEXITSTATUS(std::system(("/bin/sh " + (folder.path() / "script").string()).c_str()));
}

TEST(Setup, IsDoneOnceForAllProcessesOfANode) {
    const TestFolder folder;
    const auto script = script_of("echo setup >> $WEIR_OUTPUT_DIR/log", "echo run >> $WEIR_OUTPUT_DIR/log; exit 4");
    EXPECT_EQ(shell(script, folder), 4);
    EXPECT_EQ(shell(script, folder), 4);
    EXPECT_EQ(slurp(folder.path() / "log"), "setup\nrun\nrun\n");
}

TEST(Setup, ThatFailsIsTheTasksEnd) {
    const TestFolder folder;
    EXPECT_EQ(shell(script_of("exit 7", "echo run > $WEIR_OUTPUT_DIR/log"), folder), 7);
    EXPECT_FALSE(fs::exists(folder.path() / "log"));
}

TEST(Setup, ThatOnlyExplainsItselfIsFine) {
    const TestFolder out;
    EXPECT_EQ(shell(script_of("# nothing to do here", "exit 3"), out), 3);
}

TEST(Setup, ThatIsEmptyAddsNothing) { EXPECT_EQ(script_of("", "train"), "train"); }

}  // namespace
}  // namespace weir::agent
