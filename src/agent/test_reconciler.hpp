// agent/test_reconciler.hpp: a reconciler over a site without processes, for tests: a clock that the test turns, messages that it carries.
//
// A story is a row of moments; at each the calls to the backend and the report are compared as text. `1/0` is rank 0 of generation 1.
#pragma once

#include "agent/test_site.hpp"
#include "base/test_folder.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace weir::agent {

using Calls = std::vector<std::string>;

inline const JobId job = *JobId::parse("job-01k00000000000000000000001");

class ReconcilerTest : public testing::Test {
protected:
    ReconcilerTest() : desk{backend, blobs} {
        restart();
    }

    /// The agent was killed: a new one over what it left.
    void restart(const std::string& boot_of_host = "boot-1") {
        agent.reset();
        NodeTable table;
        for (const auto* name : {"n1", "n2"}) {
            Node node;
            node.name = *NodeName::parse(name);
            node.address = "127.0.0.1";
            const int first = name[1] == '1' ? 0 : 2;
            for (const int index : {first, first + 1})
                table.cards[node.name].push_back({ports::CardStack::other, index, "L20", "", 1024, true, false});
            table.nodes.push_back(node);
        }
        ReconcilerOptions options;
        options.site = *SiteName::parse("pidu-core");
        options.lines_per_report = 4;
        options.ended_kept_max = 3;
        const auto picker = [](const std::set<std::uint16_t>& taken) {
            return static_cast<std::uint16_t>(taken.empty() ? 29'000 : *taken.rbegin() + 1);
        };
        agent.emplace(options, backend, slow != nullptr ? *slow : static_cast<CheckpointDesk&>(desk),
                      Records::open((root / "agent").string(), boot_of_host).value(), table, picker, 7);
    }

    static DesiredTask task(std::uint32_t generation, std::size_t nodes = 1) {
        DesiredTask wanted;
        wanted.job = job;
        wanted.generation = generation;
        wanted.project = *ProjectName::parse("lab");
        wanted.run = "train";
        wanted.placement.model = "L20";
        for (std::size_t i = 0; i < nodes; ++i) {
            wanted.placement.nodes.push_back({*NodeName::parse(i == 0 ? "n1" : "n2"), {{1, MilliCards{1000}}}});
        }
        return wanted;
    }
    void desire(std::vector<DesiredTask> tasks) { agent->hear({++revision, std::move(tasks)}); }

    /// The calls that `s` seconds after the host's start bring about.
    Calls at(std::int64_t s) {
        now_s = s;
        backend.now_s = s;
        backend.calls.clear();
        agent->step(boot(s), s);
        return backend.calls;
    }
    static ports::BootInstant boot(std::int64_t s) { return {s * 1'000'000'000}; }
    Instant wall() const { return Instant{now_s * 1'000'000'000}; }

    /// The report that would be sent, as text; "" where there is nothing to say.
    std::string words() {
        const auto* report = agent->report(wall());
        if (report == nullptr) return "";
        session = report->session;
        std::string text = fmt::format("#{}", report->sequence);
        if (report->nodes) text += report->nodes->front().healthy ? " nodes" : " sick-nodes";
        for (const auto& meter : report->meters) {
            text += fmt::format(" m{}/{}:{}[{},{})", meter.generation, meter.node_rank, meter.sequence, meter.from_s, meter.to_s);
        }
        for (const auto& point : report->checkpoints) text += fmt::format(" c{}:{}", point.generation, point.name);
        for (const auto& one : report->tasks) {
            text += fmt::format(" {}:{}", one.generation, boost::describe::enum_to_string(one.state, "?"));
            if (one.state == TaskState::ended)
                text += fmt::format("({},{})", boost::describe::enum_to_string(one.reason, "?"), one.exit_code);
            if (one.blamed) text += "@" + one.blamed->text();
        }
        for (const auto& one : report->prepared.value_or(std::vector<PreparedReport>{})) text += fmt::format(" p{}", one.generation);
        return text;
    }
    /// Sends it at `now_s`; the server takes it in.
    std::string tell() {
        auto text = words();
        const auto* report = agent->report(wall());
        const auto heartbeat = agent->heartbeat();
        const auto sequence = report != nullptr ? report->sequence : heartbeat ? heartbeat->sequence : 0;
        if (report != nullptr && report->session != spoke) spoke_before = std::exchange(spoke, report->session);
        ReportAnswer answer{sequence, 30'000, 3'600'000, 10'000, revision};
        if (names_sessions) answer.session_before = spoke_before;
        answer.leases_out = leases_out;
        agent->hear_answer(boot(now_s), answer, wall());
        return text;
    }
    void lose(ports::LinkFault fault) { agent->hear_answer(boot(now_s), fail(ports::LinkError{fault, "lost"}), wall()); }

    ports::TaskKey rank(std::int64_t generation, std::int32_t node_rank) const { return {job.text(), generation, node_rank}; }
    /// A site that has been heard once, at second 100.
    void greet() {
        at(100);
        EXPECT_EQ(tell(), "#1 nodes");
    }
    void run_what_can_be_asked_for_a_checkpoint() {
        greet();
        auto wanted = task(1);
        wanted.checkpoint = CheckpointProtocol::file;
        desire({wanted});
        at(101);
    }
    /// A task is ordered, and cannot begin before the store of checkpoints is up again.
    DesiredTask order_what_waits_for_its_checkpoint() {
        greet();
        auto on = task(1);
        on.resume = {stored("step-1", "one")};
        blobs.down = true;
        desire({on});
        EXPECT_EQ(at(105), Calls{}) << "its checkpoint does not come";
        return on;
    }
    StoredCheckpoint stored(const std::string& name, const std::string& content) {
        const auto checkpoint = FakeBackend::checkpoint(name, content);
        (void)blobs.put_bytes(sha256(content), content);
        (void)blobs.put_bytes(checkpoint.digest, manifest_text(checkpoint.files));
        return {1, name, checkpoint.digest, checkpoint.bytes, Instant{}};
    }

    const TestFolder made;
    std::filesystem::path root = made.path();
    FakeBackend backend;
    FakeBlobs blobs;
    InlineDesk desk;
    CheckpointDesk* slow = nullptr;  ///< Instead, from the next agent on.
    std::optional<Reconciler> agent;
    std::uint64_t revision = 0;
    std::int64_t now_s = 0;
    std::string session;
    std::string spoke;           ///< The session that the server took a report of last.
    std::string spoke_before;    ///< The one before that.
    std::optional<LeaseLengths> leases_out;  ///< Where they are not the terms themselves.
    bool names_sessions = true;  ///< The server does: it speaks protocol 3.
};

}  // namespace weir::agent
