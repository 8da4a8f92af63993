// ports/site_backend_conformance.hpp: the one suite that every kind of site passes.
//
// Goal: whatever runs the tasks, the agent sees the same promises (ports/site_backend.hpp).
// Method: typed tests over a World, which each adapter's test defines; tasks are programs of the shell, for real.
//
//     struct World {
//         World();                                     // a site that nobody used
//         std::string why_not() const;                 // why there can be none here, so that its tests are skipped; or nothing
//         SiteBackend& backend();
//         void restart();                              // what kill -9 of the agent does: the object is dropped and made anew
//         std::string node(std::int32_t rank) const;   // of two nodes that one gang can have
//         BootInstant in_s(std::int64_t seconds) const;
//         bool eventually(const std::function<bool()>& holds) const;  // false: it gave up
//     };
//     INSTANTIATE_TYPED_TEST_SUITE_P(Process, SiteConformance, World);
//
// What only one kind can do (users, sandboxes, a queue that is full) is tested beside that adapter.
#pragma once

#include "ports/site_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <unistd.h>

namespace weir::ports {

template <class World>
class SiteConformance : public testing::Test {
protected:
    void SetUp() override {
        if (const auto why = world_.why_not(); !why.empty()) GTEST_SKIP() << why;
    }
    SiteBackend& site() { return world_.backend(); }

    /// One node's part of a gang that runs for an hour at most and gets no grace.
    TaskSpec task(const std::string& run, const std::string& job, std::int64_t generation = 1, std::int32_t rank = 0,
                  std::int32_t nnodes = 1) {
        TaskSpec spec;
        spec.key = {.job = job, .generation = generation, .node_rank = rank};
        spec.project = "lab";
        spec.node = world_.node(rank);
        spec.run = run;
        spec.nnodes = nnodes;
        spec.world_size = nnodes;
        spec.rank_offset = rank;
        spec.kill_grace_s = 0;
        spec.lease_deadline = world_.in_s(3600);
        return spec;
    }
    /// Prints a line and waits until somebody ends it.
    static std::string wait(const std::string& first = "echo up") { return first + "; while :; do sleep 100 & wait; done"; }

    TaskObserved look(const TaskKey& key) {
        const auto all = site().observe();
        if (!all) return {};
        for (const auto& seen : *all) {
            if (seen.key == key) return seen;
        }
        return {};
    }
    bool is_known(const TaskKey& key) { return look(key).key == key; }
    TaskObserved await_end(const TaskKey& key) {
        TaskObserved seen;
        EXPECT_TRUE(world_.eventually([&] {
            seen = look(key);
            return seen.state == TaskState::ended;
        })) << static_cast<int>(seen.state) << ' ' << seen.detail;
        return seen;
    }
    std::string log(const TaskKey& key, LogStream stream = LogStream::out) {
        const auto chunk = site().read_log(key, 0, stream, 0, 1 << 20);
        return chunk ? chunk->bytes : chunk.error().message;
    }
    void await_log(const TaskKey& key, const std::string& text) {
        EXPECT_TRUE(world_.eventually([&] {
            (void)site().observe();  // As an agent does, all the time.
            return log(key) == text;
        })) << log(key) << log(key, LogStream::err) << look(key).detail;
    }
    StartOutcome must_start(const TaskSpec& spec) {
        const auto outcome = site().start(spec);
        EXPECT_TRUE(outcome) << outcome.error().message;
        return outcome ? *outcome : StartOutcome{};
    }
    template <class T>
    static std::optional<BackendFault> fault(const BackendResult<T>& result) {
        return result ? std::nullopt : std::optional{result.error().fault};
    }
    static std::string content(int descriptor) {
        std::string text(4096, '\0');
        const auto got = read(descriptor, text.data(), text.size());
        close(descriptor);
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return text;
    }
    static FetchFile giving(std::string text) {
        return [text = std::move(text)](const ManifestEntry&, int descriptor) -> BackendResult<void> {
            if (write(descriptor, text.data(), text.size()) == std::ssize(text)) return {};
            return fail(BackendError{BackendFault::unavailable, "short write"});
        };
    }
    static std::string publish(const std::string& name, const std::string& text) {
        return "mkdir $WEIR_CHECKPOINT_DIR/.tmp-1; echo " + text + " > $WEIR_CHECKPOINT_DIR/.tmp-1/weights; mv $WEIR_CHECKPOINT_DIR/.tmp-1 "
               "$WEIR_CHECKPOINT_DIR/" + name;
    }

    World world_;
    Unhindered unhindered_;
};

TYPED_TEST_SUITE_P(SiteConformance);

TYPED_TEST_P(SiteConformance, TheInventoryNamesEachCardOnceAndTheSameAtEachLook) {
    const auto first = this->site().inventory();
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_FALSE(first->cards.empty());
    std::set<std::tuple<std::string, CardStack, std::int32_t>> names;
    for (const auto& card : first->cards) {
        EXPECT_TRUE(names.insert({card.node, card.stack, card.index}).second) << card.node << ' ' << card.index;
        EXPECT_TRUE(card.emulated) << "this host has no cards: what is said to be there is declared";
    }
    EXPECT_TRUE(std::ranges::is_sorted(first->cards, {}, [](const Card& card) { return std::tie(card.node, card.stack, card.index); }));
    EXPECT_GT(first->milli_cpus, 0);
    EXPECT_GT(first->memory_mib, 0);
    EXPECT_EQ(this->site().inventory()->cards, first->cards);
    EXPECT_FALSE(this->site().capabilities().backend.empty());
    EXPECT_FALSE(this->site().capabilities().isolation.empty());
}

TYPED_TEST_P(SiteConformance, ATaskRunsPrintsAndEndsWithItsCode) {
    const auto spec = this->task("echo one; echo two >&2; printf three; exit 3", "code");
    EXPECT_EQ(this->must_start(spec), StartOutcome::started);
    const auto end = this->await_end(spec.key);
    EXPECT_EQ(end.reason, EndReason::exited);
    EXPECT_EQ(end.exit_code, 3);
    EXPECT_EQ(end.project, "lab");
    EXPECT_EQ(end.exits, (std::vector<ProcessExit>{{.local_rank = 0, .signalled = false, .code = 3}}));
    EXPECT_GT(end.started_at_s, 0);
    EXPECT_GE(end.ended_at_s, end.started_at_s);
    EXPECT_TRUE(end.meter.final);
    EXPECT_EQ(end.meter.from_s, end.started_at_s);
    EXPECT_EQ(this->log(spec.key), "one\nthree");
    EXPECT_EQ(this->log(spec.key, LogStream::err), "two\n");
    EXPECT_EQ(this->must_start(spec), StartOutcome::already_ended);
}

TYPED_TEST_P(SiteConformance, ALogIsReadInPiecesByOffset) {
    const auto spec = this->task("printf 0123456789", "pieces");
    this->must_start(spec);
    this->await_end(spec.key);
    std::string all;
    for (LogChunk chunk{}; std::ssize(all) < 10;) {
        chunk = this->site().read_log(spec.key, 0, LogStream::out, std::ssize(all), 3).value();
        ASSERT_FALSE(chunk.bytes.empty());
        EXPECT_EQ(chunk.offset, std::ssize(all));
        EXPECT_EQ(chunk.end, 10);
        EXPECT_TRUE(chunk.final);
        all += chunk.bytes;
    }
    EXPECT_EQ(all, "0123456789");
    EXPECT_EQ(this->site().read_log(spec.key, 0, LogStream::out, 10, 3)->bytes, "");
    EXPECT_EQ(this->fault(this->site().read_log(spec.key, 0, LogStream::out, -1, 3)), BackendFault::invalid);
    EXPECT_EQ(this->fault(this->site().read_log(spec.key, -1, LogStream::out, 0, 3)), BackendFault::invalid);
}

TYPED_TEST_P(SiteConformance, EveryProcessOfATaskIsTold) {
    auto spec = this->task("echo $LOCAL_RANK of $WORLD_SIZE; [ $LOCAL_RANK = 0 ] || exit 0; echo $WEIR_NODE_RANK >&2", "ranks");
    spec.processes_per_node = 2;
    spec.world_size = 2;
    this->must_start(spec);
    const auto end = this->await_end(spec.key);
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(end.exits, (std::vector<ProcessExit>{{.local_rank = 0}, {.local_rank = 1}}));
    EXPECT_EQ(this->log(spec.key), "0 of 2\n");
    EXPECT_EQ(this->site().read_log(spec.key, 1, LogStream::out, 0, 99)->bytes, "1 of 2\n");
}

TYPED_TEST_P(SiteConformance, AGangBeginsOnceWhateverIsRepeatedAndWhoeverDies) {
    const std::vector<TaskSpec> gang{this->task(this->wait("echo $RANK of $WORLD_SIZE"), "gang", 1, 0, 2),
                                     this->task(this->wait("echo $RANK of $WORLD_SIZE"), "gang", 1, 1, 2)};
    for (const auto& spec : gang) EXPECT_EQ(this->must_start(spec), StartOutcome::started);
    for (const auto& spec : gang) (void)this->must_start(spec);
    this->world_.restart();
    for (const auto& spec : gang) (void)this->must_start(spec);
    this->await_log(gang[0].key, "0 of 2\n");
    this->await_log(gang[1].key, "1 of 2\n");
    this->world_.restart();
    for (const auto& spec : gang) {
        EXPECT_EQ(this->must_start(spec), StartOutcome::already_running);
        TaskObserved seen;
        EXPECT_TRUE(this->world_.eventually([&] {
            seen = this->look(spec.key);
            return seen.state == TaskState::running;
        })) << "its processes may have written before their supervisor has";
        EXPECT_TRUE(seen.begun);
        EXPECT_EQ(seen.project, "lab");
    }
    auto changed = gang[0];
    changed.run += "; exit 9";
    EXPECT_EQ(this->fault(this->site().start(changed)), BackendFault::differs);
    for (const auto& spec : gang) EXPECT_TRUE(this->site().stop(spec.key));
    for (const auto& spec : gang) {
        const auto end = this->await_end(spec.key);
        EXPECT_EQ(end.reason, EndReason::stopped);
        EXPECT_EQ(this->look(spec.key).meter, end.meter) << "an end stays as it is";
    }
    EXPECT_EQ(this->log(gang[0].key), "0 of 2\n") << "it began once";
    EXPECT_EQ(this->log(gang[1].key), "1 of 2\n");
}

TYPED_TEST_P(SiteConformance, WhoIsToldToStopHasItsGraceAndNoMore) {
    auto obeys = this->task("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 100 & wait; done", "obeys");
    auto refuses = this->task("trap '' TERM; echo up; while :; do sleep 100; done", "refuses");
    obeys.kill_grace_s = 3600;
    refuses.kill_grace_s = 1;
    this->must_start(obeys);
    this->must_start(refuses);
    for (const auto& spec : {obeys, refuses}) {
        this->await_log(spec.key, "up\n");
        EXPECT_TRUE(this->site().stop(spec.key));
        EXPECT_TRUE(this->site().stop(spec.key)) << "repeating it is harmless";
    }
    const auto end = this->await_end(obeys.key);
    EXPECT_EQ(end.reason, EndReason::stopped);
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(this->log(obeys.key), "up\nbye\n");
    const auto killed = this->await_end(refuses.key);
    EXPECT_EQ(killed.reason, EndReason::stopped);
    EXPECT_EQ(killed.exits, (std::vector<ProcessExit>{{.local_rank = 0, .signalled = true, .code = 9}}));
    EXPECT_TRUE(this->site().stop(obeys.key)) << "also after the end";
}

TYPED_TEST_P(SiteConformance, AFencedGenerationNeverBeginsAlsoForAnAgentThatComesBack) {
    auto old = this->task("trap '' TERM; " + this->wait(), "fenced");
    old.kill_grace_s = 3600;
    this->must_start(old);
    this->await_log(old.key, "up\n");
    ASSERT_TRUE(this->site().fence("fenced", 2));
    EXPECT_EQ(this->await_end(old.key).reason, EndReason::stopped) << "without grace";
    const auto never = this->task("echo never", "fenced", 2);
    EXPECT_EQ(this->fault(this->site().start(never)), BackendFault::fenced);
    this->world_.restart();
    EXPECT_EQ(this->fault(this->site().start(never)), BackendFault::fenced);
    EXPECT_EQ(this->fault(this->site().start(old)), BackendFault::fenced);
    ASSERT_TRUE(this->site().fence("fenced", 1)) << "an older fence lowers nothing";
    EXPECT_EQ(this->fault(this->site().start(never)), BackendFault::fenced);
    const auto next = this->task("echo next", "fenced", 3);
    EXPECT_EQ(this->must_start(next), StartOutcome::started);
    EXPECT_EQ(this->await_end(next.key).exit_code, 0);
    EXPECT_EQ(this->fault(this->site().fence("fenced", 0)), BackendFault::invalid);
}

TYPED_TEST_P(SiteConformance, AFenceThatFollowsAnOrderAtOnceLeavesNothing) {
    const std::vector<TaskSpec> gang{this->task(this->wait(), "raced", 1, 0, 2), this->task(this->wait(), "raced", 1, 1, 2)};
    for (const auto& spec : gang) this->must_start(spec);
    ASSERT_TRUE(this->site().fence("raced", 1));
    for (const auto& spec : gang) {
        EXPECT_EQ(this->await_end(spec.key).reason, EndReason::stopped);
        EXPECT_EQ(this->fault(this->site().start(spec)), BackendFault::fenced);
    }
}

TYPED_TEST_P(SiteConformance, WhatEndedWhileNobodyLookedIsTold) {
    const auto spec = this->task(this->wait(), "unseen");
    this->must_start(spec);
    this->await_log(spec.key, "up\n");
    EXPECT_TRUE(this->site().signal(spec.key, SIGKILL));
    this->world_.restart();
    const auto end = this->await_end(spec.key);
    EXPECT_EQ(end.reason, EndReason::signalled);
    EXPECT_EQ(end.exit_code, 128 + SIGKILL);
}

TYPED_TEST_P(SiteConformance, ALeaseThatEndsEndsItsTaskAndARenewedOneDoesNot) {
    constexpr std::int64_t length_s = 5;
    auto left = this->task(this->wait(), "left");
    auto renewed = this->task(this->wait(), "renewed");
    left.lease_deadline = renewed.lease_deadline = this->world_.in_s(length_s);
    const auto deadline = left.lease_deadline;
    this->must_start(renewed);
    ASSERT_TRUE(this->site().renew_lease(renewed.key, this->world_.in_s(3600)));
    ASSERT_TRUE(this->site().renew_lease(renewed.key, this->world_.in_s(1))) << "an earlier one changes nothing";
    this->must_start(left);
    EXPECT_EQ(this->await_end(left.key).reason, EndReason::lease_ended);
    EXPECT_GE(this->world_.in_s(0), deadline) << "and not before";
    this->await_log(renewed.key, "up\n");
    EXPECT_EQ(this->look(renewed.key).state, TaskState::running);
    EXPECT_EQ(this->fault(this->site().renew_lease(left.key, this->world_.in_s(3600))), BackendFault::ended);
    ASSERT_TRUE(this->site().stop(renewed.key));
    this->await_end(renewed.key);
}

TYPED_TEST_P(SiteConformance, ALeaseInThePastBeginsNothing) {
    auto spec = this->task("echo up", "late");
    spec.lease_deadline = this->world_.in_s(-1);
    (void)this->site().start(spec);
    const auto end = this->await_end(spec.key);
    EXPECT_EQ(end.reason, EndReason::lease_ended);
    EXPECT_EQ(end.meter.to_s, end.meter.from_s) << "nothing is owed";
    EXPECT_EQ(this->log(spec.key), "");
}

TYPED_TEST_P(SiteConformance, SignalsAndRequestsForCheckpointsReachATask) {
    const auto spec = this->task("trap 'echo usr1' USR1; echo up; while [ ! -e $WEIR_CHECKPOINT_DIR/REQUEST ]; do sleep 0.1 & wait; done; "
                                 "cat $WEIR_CHECKPOINT_DIR/REQUEST",
                                 "asked");
    this->must_start(spec);
    this->await_log(spec.key, "up\n");
    ASSERT_TRUE(this->site().signal(spec.key, SIGUSR1));
    this->await_log(spec.key, "up\nusr1\n");
    ASSERT_TRUE(this->site().request_checkpoint(spec.key));
    const auto end = this->await_end(spec.key);
    EXPECT_EQ(end.checkpoint_requests, 1);
    EXPECT_EQ(this->log(spec.key), "up\nusr1\n1\n");
    EXPECT_EQ(this->fault(this->site().request_checkpoint(spec.key)), BackendFault::ended);
    EXPECT_EQ(this->fault(this->site().signal(spec.key, 0)), BackendFault::invalid);
    EXPECT_EQ(this->fault(this->site().signal(spec.key, 65)), BackendFault::invalid);
}

TYPED_TEST_P(SiteConformance, ACheckpointGoesToTheNextGeneration) {
    const auto first = this->task(this->publish("step-1", "learned"), "trains");
    this->must_start(first);
    EXPECT_EQ(this->await_end(first.key).exit_code, 0);
    const auto listed = this->site().list_checkpoints(first.key);
    ASSERT_TRUE(listed) << listed.error().message;
    ASSERT_EQ(listed->size(), 1U);
    EXPECT_EQ(listed->front().name, "step-1");
    EXPECT_EQ(this->site().measure_checkpoint(first.key, "step-1")->bytes, 8);
    const auto checkpoint = this->site().inspect_checkpoint(first.key, "step-1", this->unhindered_);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    ASSERT_EQ(checkpoint->files.size(), 1U);
    EXPECT_EQ(checkpoint->files[0].path, "weights");
    EXPECT_EQ(this->content(this->site().open_checkpoint_file(first.key, "step-1", "weights").value()), "learned\n");
    EXPECT_FALSE(this->site().open_checkpoint_file(first.key, "step-1", "../step-1/weights"));

    auto second = this->task("cat $WEIR_RESUME_DIR/weights", "trains", 2);
    second.resume = "step-1";
    EXPECT_EQ(this->fault(this->site().start(second)), BackendFault::not_found) << "it is not installed yet";
    EXPECT_FALSE(this->site().install_checkpoint(second.key, "lab", *checkpoint, this->giving("LEARNED\n"), this->unhindered_));
    const auto install = [&](const std::string& project) {
        return this->site().install_checkpoint(second.key, project, *checkpoint, this->giving("learned\n"), this->unhindered_);
    };
    ASSERT_TRUE(install("lab"));
    ASSERT_TRUE(install("lab")) << "repeating it is harmless";
    EXPECT_EQ(this->fault(install("other")), BackendFault::differs);
    EXPECT_EQ(this->must_start(second), StartOutcome::started);
    EXPECT_EQ(this->await_end(second.key).exit_code, 0);
    EXPECT_EQ(this->log(second.key), "learned\n");
    EXPECT_EQ(this->fault(install("lab")), BackendFault::ended);
}

TYPED_TEST_P(SiteConformance, ATaskBeginsInItsFolderAndLeavesItsOutputs) {
    const std::string text = "print me\n";
    TreeEntry file;
    file.path = "code/main.txt";
    file.size = std::ssize(text);
    file.digest = sha256(text);
    const auto tree = make_tree({file});
    ASSERT_TRUE(tree) << tree.error();
    const auto name = tree_name(sha256(tree_text(*tree)));
    auto spec = this->task("cat code/main.txt; echo done > $WEIR_OUTPUT_DIR/result; echo no > $WEIR_OUTPUT_DIR/.weir-own", "folder");
    spec.tree = name;
    EXPECT_EQ(this->fault(this->site().start(spec)), BackendFault::not_found) << "it is not in place yet";
    const auto install = [&] {
        return this->site().install_workdir(spec.key, "lab", name, *tree, this->giving(text), this->unhindered_);
    };
    ASSERT_TRUE(install());
    ASSERT_TRUE(install()) << "repeating it is harmless";
    this->must_start(spec);
    EXPECT_EQ(this->await_end(spec.key).exit_code, 0) << this->log(spec.key, LogStream::err);
    EXPECT_EQ(this->log(spec.key), text);
    const auto outputs = this->site().inspect_outputs(spec.key, {.bytes_max = 1 << 20}, this->unhindered_);
    ASSERT_TRUE(outputs) << outputs.error().message;
    ASSERT_EQ(outputs->tree.entries.size(), 1U);
    EXPECT_EQ(outputs->tree.entries[0].path, "result");
    EXPECT_EQ(this->content(this->site().open_output(spec.key, "result").value()), "done\n");
    EXPECT_EQ(this->fault(this->site().open_output(spec.key, "../spec")), BackendFault::not_found);
    EXPECT_GT(this->site().measure_task(spec.key)->bytes, 0);
    EXPECT_GT(this->site().disk()->free_bytes, 0);
    ASSERT_TRUE(this->site().shed(spec.key));
    ASSERT_TRUE(this->site().shed(spec.key)) << "repeating it is harmless";
    EXPECT_EQ(this->log(spec.key), text) << "what is asked for stays";
}

TYPED_TEST_P(SiteConformance, AForgottenTaskIsGoneAndNeverComesBack) {
    const auto spec = this->task(this->wait(), "forgotten");
    this->must_start(spec);
    this->await_log(spec.key, "up\n");
    EXPECT_EQ(this->fault(this->site().forget(spec.key)), BackendFault::refused) << "it runs";
    EXPECT_EQ(this->fault(this->site().shed(spec.key)), BackendFault::refused);
    ASSERT_TRUE(this->site().stop(spec.key));
    this->await_end(spec.key);
    std::string why;
    EXPECT_TRUE(this->world_.eventually([&] {
        const auto forgotten = this->site().forget(spec.key);
        why = forgotten ? "" : forgotten.error().message;
        return forgotten.has_value();
    })) << why;
    EXPECT_FALSE(this->is_known(spec.key));
    EXPECT_EQ(this->fault(this->site().start(spec)), BackendFault::fenced);
    this->world_.restart();
    EXPECT_FALSE(this->is_known(spec.key));
    EXPECT_EQ(this->fault(this->site().start(spec)), BackendFault::fenced);
}

TYPED_TEST_P(SiteConformance, AnOrderThatIsWrongLeavesNoTrace) {
    const auto refused = [&](const std::function<void(TaskSpec&)>& spoil) {
        auto spec = this->task("echo never", "wrong");
        spoil(spec);
        const auto outcome = this->site().start(spec);
        return this->fault(outcome);
    };
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.run = ""; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.run = std::string{"a\0b", 3}; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.key.job = "../x"; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.key.generation = 0; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.project = "a/b"; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.environment["WEIR_JOB"] = "x"; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.memory_mib = -1; }), BackendFault::invalid);
    EXPECT_EQ(refused([](TaskSpec& spec) { spec.workdir = "/"; }), BackendFault::refused);
    EXPECT_FALSE(this->is_known({.job = "wrong", .generation = 1}));
}

TYPED_TEST_P(SiteConformance, WhatIsNotThereIsNotFound) {
    const TaskKey key{.job = "nobody", .generation = 1};
    auto& site = this->site();
    EXPECT_EQ(this->fault(site.stop(key)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.signal(key, 15)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.request_checkpoint(key)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.renew_lease(key, this->world_.in_s(1))), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.forget(key)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.shed(key)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.read_log(key, 0, LogStream::out, 0, 1)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.list_checkpoints(key)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.inspect_checkpoint(key, "x", this->unhindered_)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.inspect_outputs(key, {.bytes_max = 1}, this->unhindered_)), BackendFault::not_found);
    EXPECT_EQ(this->fault(site.measure_task(key)), BackendFault::not_found);
}

REGISTER_TYPED_TEST_SUITE_P(SiteConformance, TheInventoryNamesEachCardOnceAndTheSameAtEachLook, ATaskRunsPrintsAndEndsWithItsCode,
                            ALogIsReadInPiecesByOffset, EveryProcessOfATaskIsTold, AGangBeginsOnceWhateverIsRepeatedAndWhoeverDies,
                            WhoIsToldToStopHasItsGraceAndNoMore, AFencedGenerationNeverBeginsAlsoForAnAgentThatComesBack,
                            AFenceThatFollowsAnOrderAtOnceLeavesNothing, WhatEndedWhileNobodyLookedIsTold,
                            ALeaseThatEndsEndsItsTaskAndARenewedOneDoesNot, ALeaseInThePastBeginsNothing,
                            SignalsAndRequestsForCheckpointsReachATask, ACheckpointGoesToTheNextGeneration,
                            ATaskBeginsInItsFolderAndLeavesItsOutputs, AForgottenTaskIsGoneAndNeverComesBack,
                            AnOrderThatIsWrongLeavesNoTrace, WhatIsNotThereIsNotFound);

}  // namespace weir::ports
