// Goal: a spec is obeyed whole or refused with the first thing that is wrong.
// Method: one sound spec, and a table of single changes to it.
#include "supervisor/spec.hpp"
#include "supervisor/log_ring.hpp"
#include "supervisor/control.hpp"
#include "supervisor/init.hpp"
#include "supervisor/launch.hpp"
#include "supervisor/status.hpp"
#include "supervisor/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>

namespace weir::supervisor {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

Records sound() {
    return {{"job", "j"},         {"generation", "1"},  {"node_rank", "0"},   {"nnodes", "1"},
            {"processes", "2"},   {"nproc_per_node", "8"}, {"rank_offset", "0"}, {"world_size", "2"},
            {"master_addr", "h"}, {"master_port", "1"}, {"run", "true\necho"}, {"workdir", "/w"},
            {"checkpoint_dir", "/c"}, {"resume_dir", ""}, {"output_dir", "/o"}, {"uid", "1000"},
            {"gid", "1000"},      {"stack", "cann"},    {"emulated", "1"},    {"log_quota", "100"},
            {"kill_grace_s", "5"}, {"checkpoint_signal", "10"}, {"init", ""}};
}

std::string print(const Records& records) {
    std::string text{"weir-task=1\0", 12};
    for (const auto& [key, value] : records) text += key + "=" + value + '\0';
    return text + std::string{"end=\0", 5};
}

struct Change {
    const char* what;
    std::string key;
    std::string value;
    SpecFault fault;
};

TEST(Spec, ASoundOneIsTakenWhole) {
    auto records = sound();
    records.insert(records.end(), {{"card", "3"}, {"card", "0"}, {"env", "A=b=c"}, {"env", "AB="}});
    const auto text = print(records);
    Spec spec;
    EXPECT_FALSE(parse_spec(text, spec).has_value());
    EXPECT_STREQ(spec.run, "true\necho");
    EXPECT_EQ(spec.stack, Stack::cann);
    EXPECT_TRUE(spec.emulated);
    EXPECT_EQ(spec.checkpoint_signal, 10);
    ASSERT_EQ(spec.cards.size, 2U);
    EXPECT_STREQ(spec.cards.values[0], "3");
    ASSERT_EQ(spec.environment.size, 2U);
    EXPECT_STREQ(spec.environment.values[0], "A=b=c");
}

TEST(Spec, EveryKeyIsNeeded) {
    for (std::size_t at = 0; at < sound().size(); ++at) {
        auto records = sound();
        const auto key = records[at].first;
        records.erase(records.begin() + static_cast<std::ptrdiff_t>(at));
        Spec spec;
        const auto text = print(records);
        const auto error = parse_spec(text, spec);
        ASSERT_TRUE(error.has_value()) << key;
        EXPECT_EQ(error->fault, SpecFault::missing_key) << key;
        EXPECT_EQ(error->key, key);
    }
}

TEST(Spec, EveryWrongFigureIsRefused) {
    const std::vector<Change> changes{
        {"a generation below 1", "generation", "0", SpecFault::out_of_range},
        {"a number with a blank", "generation", " 1", SpecFault::out_of_range},
        {"a number beyond 64 bits", "generation", "9223372036854775808", SpecFault::out_of_range},
        {"no process", "processes", "0", SpecFault::out_of_range},
        {"more processes than there is room for", "processes", "65", SpecFault::out_of_range},
        {"a node beyond the gang", "node_rank", "1", SpecFault::inconsistent},
        {"ranks beyond the world", "rank_offset", "1", SpecFault::inconsistent},
        {"a port that is none", "master_port", "65536", SpecFault::out_of_range},
        {"no command", "run", "", SpecFault::out_of_range},
        {"a relative directory", "workdir", "w", SpecFault::out_of_range},
        {"root", "uid", "0", SpecFault::runs_as_root},
        {"root's group", "gid", "0", SpecFault::runs_as_root},
        {"the id that means no change", "uid", "4294967295", SpecFault::out_of_range},
        {"the same, as -1", "uid", "-1", SpecFault::out_of_range},
        {"a stack of another maker", "stack", "rocm", SpecFault::out_of_range},
        {"neither yes nor no", "emulated", "yes", SpecFault::out_of_range},
        {"a signal that is none", "checkpoint_signal", "65", SpecFault::out_of_range},
        {"an init without a sandbox", "init", "/init", SpecFault::inconsistent},
    };
    for (const auto& change : changes) {
        auto records = sound();
        std::find_if(records.begin(), records.end(), [&](const auto& record) { return record.first == change.key; })->second = change.value;
        Spec spec;
        const auto text = print(records);
        const auto error = parse_spec(text, spec);
        ASSERT_TRUE(error.has_value()) << change.what;
        EXPECT_EQ(error->fault, change.fault) << change.what;
    }
}

TEST(Spec, EveryWrongAdditionIsRefused) {
    const std::vector<Change> changes{
        {"a key twice", "run", "true", SpecFault::repeated_key},
        {"an unknown key", "color", "red", SpecFault::unknown_key},
        {"a variable of ours", "env", "RANK=7", SpecFault::reserved_variable},
        {"a variable of ours to come", "env", "WEIR_NEW=7", SpecFault::reserved_variable},
        {"no variable", "env", "A", SpecFault::out_of_range},
        {"a strange name", "env", "A B=1", SpecFault::out_of_range},
        {"a name that begins with a digit", "env", "1A=1", SpecFault::out_of_range},
        {"a card that is no number", "card", "x", SpecFault::out_of_range},
        {"a relative limit", "cgroup", "memory/x", SpecFault::out_of_range},
        {"a wrapper without its init", "wrapper", "bwrap", SpecFault::inconsistent},
    };
    for (const auto& change : changes) {
        auto records = sound();
        records.emplace_back(change.key, change.value);
        Spec spec;
        const auto text = print(records);
        const auto error = parse_spec(text, spec);
        ASSERT_TRUE(error.has_value()) << change.what;
        EXPECT_EQ(error->fault, change.fault) << change.what;
    }
    auto records = sound();
    records.emplace_back("env", "A=1");
    records.emplace_back("env", "A=2");
    Spec spec;
    const auto text = print(records);
    EXPECT_EQ(parse_spec(text, spec)->fault, SpecFault::repeated_key);
}

TEST(Spec, WhatDoesNotFitIsRefused) {
    auto records = sound();
    for (int i = 0; i < 513; ++i) records.emplace_back("env", "V" + std::to_string(i) + "=");
    Spec spec;
    auto text = print(records);
    EXPECT_EQ(parse_spec(text, spec)->fault, SpecFault::too_many);
    text.assign(spec_bytes_max + 1, 'x');
    EXPECT_EQ(parse_spec(text, spec)->fault, SpecFault::too_large);
}

TEST(Spec, EveryBeginningOfASpecIsRefused) {
    const auto whole = print(sound());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Spec spec;
        ASSERT_TRUE(parse_spec(std::span{whole}.first(size), spec).has_value()) << size;
    }
    Spec spec;
    EXPECT_EQ(parse_spec(whole + "x", spec)->fault, SpecFault::truncated);
}

RC_GTEST_PROP(Spec, AnyBytesAreAnsweredWithoutHarm, (const std::string& bytes)) {
    Spec spec;
    const auto text = std::string{"weir-task=1\0", 12} + bytes;
    RC_ASSERT(parse_spec(text, spec).has_value());
}

TEST(Plan, ThatDoesNotFitIsNotPrinted) {
    const auto text = print(sound());
    Spec spec;
    ASSERT_FALSE(parse_spec(text, spec).has_value());
    char room[4096];
    const auto plan = print_plan(spec, room);
    ASSERT_TRUE(plan.has_value());
    for (std::size_t size = 0; size < plan->size(); ++size) EXPECT_FALSE(print_plan(spec, std::span{room}.first(size)).has_value());
}

RC_GTEST_PROP(Status, WhatIsPrintedIsRead, (std::int64_t metered_s, std::int64_t exit_code, bool signalled)) {
    Status status{.phase = Phase::ended, .reason = Reason::out_of_memory, .exit_code = exit_code, .metered_s = metered_s, .processes = 64};
    for (auto& end : status.ends) end = {signalled ? RankEnd::Kind::signalled : RankEnd::Kind::exited, *rc::gen::inRange(0, 256)};
    copy_text(status.boot_id, "0fc89963-d0a1-4178-b95f-da103b26061e");
    copy_text(status.detail, "two\nlines");
    char room[status_bytes_max];
    const auto text = print_status(status, room);
    Status read;
    RC_ASSERT(parse_status(text, read));
    RC_ASSERT(read.metered_s == metered_s);
    RC_ASSERT(read.exit_code == exit_code);
    RC_ASSERT(read.reason == Reason::out_of_memory);
    RC_ASSERT(std::string{read.detail} == "two lines");
    RC_ASSERT(std::string{read.boot_id} == status.boot_id);
    for (std::size_t rank = 0; rank < processes_max; ++rank) {
        RC_ASSERT(read.ends[rank].kind == status.ends[rank].kind);
        RC_ASSERT(read.ends[rank].code == status.ends[rank].code);
    }
    Status part;
    for (std::size_t size = 0; size < text.size(); ++size) RC_ASSERT(!parse_status({text.data(), size}, part));
}

TEST(Status, FitsItsRoomAtItsLargest) {
    Status status{.phase = Phase::stopping, .reason = Reason::start_failed, .processes = 64};
    for (auto* const number : {&status.exit_code, &status.supervisor_pid, &status.supervisor_start, &status.started_at_s,
                               &status.ended_at_s, &status.began_ns, &status.ended_ns, &status.metered_s, &status.checkpoint_requests,
                               &status.dropped_log_bytes}) {
        *number = INT64_MIN;
    }
    for (auto& end : status.ends) end = {RankEnd::Kind::signalled, INT32_MIN};
    copy_text(status.boot_id, std::string(boot_id_size, 'x'));
    copy_text(status.detail, std::string(1000, 'x'));
    char room[status_bytes_max];
    EXPECT_TRUE(print_status(status, room).ends_with("\nend\n"));
}

TEST(Status, ANewerSupervisorsKeysAreSkipped) {
    Status status;
    EXPECT_TRUE(parse_status("weir-status 1\nphase running\nmood good\nend\n", status));
    EXPECT_FALSE(parse_status("weir-status 2\nphase running\nend\n", status));
    EXPECT_FALSE(parse_status("weir-status 1\nphase dancing\nend\n", status));
    EXPECT_FALSE(parse_status("weir-status 1\nend_of 64 exited 0\nend\n", status));
}

TEST(Lease, HoldsOnItsOwnBootOnly) {
    Lease lease{.deadline_ns = 77};
    copy_text(lease.boot_id, "0fc89963-d0a1-4178-b95f-da103b26061e");
    char room[lease_bytes_max];
    const auto text = print_lease(lease, room);
    const auto read = parse_lease(text);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(lease_end_ns(*read, lease.boot_id), 77);
    EXPECT_EQ(lease_end_ns(*read, "another"), 0);
    for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_lease({text.data(), size}).has_value());
    EXPECT_FALSE(parse_lease("weir-lease 1\ndeadline_ns 5\nend\n").has_value());
}

// Whatever is written in whatever pieces: at most the quota is kept, it is the end of the stream, and each segment's name is
// the offset of its first byte.
RC_GTEST_PROP(LogRing, KeepsTheEndAndKnowsItsOffsets, (std::vector<std::uint16_t> sizes)) {
    std::string folder = (std::filesystem::temp_directory_path() / "weir-log-XXXXXX").string();
    RC_ASSERT(mkdtemp(folder.data()) != nullptr);
    const Fd directory{open(folder.c_str(), O_RDONLY | O_DIRECTORY)};
    LogRing ring;
    constexpr std::int64_t quota = 20'000;
    ring.open(directory.get(), "0.out", quota);
    std::string all;
    for (const auto size : sizes) {
        std::string piece;
        for (std::uint16_t i = 0; i < size; ++i) piece += static_cast<char>('a' + (all.size() + i) % 23);
        all += piece;
        ring.append(piece);
    }
    RC_ASSERT(ring.end() == std::ssize(all));
    RC_ASSERT(ring.dropped() == 0);
    std::map<std::int64_t, std::string> segments;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        segments[std::stoll(entry.path().extension().string().substr(1))] = std::string{std::istreambuf_iterator<char>(file), {}};
    }
    std::filesystem::remove_all(folder);
    std::int64_t next = segments.empty() ? 0 : segments.begin()->first;
    std::string kept;
    for (const auto& [start, bytes] : segments) {
        RC_ASSERT(start == next);
        next += std::ssize(bytes);
        kept += bytes;
    }
    RC_ASSERT(std::ssize(kept) <= quota);
    RC_ASSERT(all.ends_with(kept));
    RC_ASSERT(kept.size() >= std::min<std::size_t>(all.size(), quota / 2));
}

TEST(LogRing, WhatTheDiskRefusesIsCountedAndHasNoOffset) {
    LogRing ring;
    ring.open(-1, "0.out", 10'000);
    ring.append("lost");
    EXPECT_EQ(ring.end(), 0);
    EXPECT_EQ(ring.dropped(), 4);
}

TEST(Command, IsReadWholeOrNotAtAll) {
    EXPECT_EQ(parse_command("signal 15")->number, 15);
    EXPECT_EQ(parse_command("stop")->verb, Command::Verb::stop);
    for (const char* const text : {"", "stop ", "Stop", "signal -1", "signal 15 ", "signal 0x1"})
        EXPECT_FALSE(parse_command(text).has_value()) << text;
}

}  // namespace
}  // namespace weir::supervisor
