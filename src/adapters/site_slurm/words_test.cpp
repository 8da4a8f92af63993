// Goal: what Slurm and the steps say is understood as it was meant, and never in part.
// Method: tables of real words, texts cut at every byte, and the law of leases in another host's clock over random clocks.
#include "adapters/site_slurm/words.hpp"

#include "adapters/site_slurm/rest.hpp"

#include "supervisor/system.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace weir::site_slurm {
namespace {

using ports::EndReason;

TEST(Words, AStateOfAJobSaysWhetherAndHowItIsOver) {
    struct Row {
        const char* state;
        bool over;
        EndReason unbegun;
        EndReason begun;
    };
    const Row rows[] = {{"PENDING", false, EndReason::start_failed, EndReason::supervisor_lost},
                        {"RUNNING", false, EndReason::start_failed, EndReason::supervisor_lost},
                        {"COMPLETING", false, EndReason::start_failed, EndReason::supervisor_lost},
                        {"SUSPENDED", false, EndReason::start_failed, EndReason::supervisor_lost},
                        {"COMPLETED", true, EndReason::start_failed, EndReason::supervisor_lost},
                        {"FAILED", true, EndReason::start_failed, EndReason::supervisor_lost},
                        {"CANCELLED", true, EndReason::start_failed, EndReason::supervisor_lost},
                        {"PREEMPTED", true, EndReason::start_failed, EndReason::supervisor_lost},
                        {"TIMEOUT", true, EndReason::start_failed, EndReason::supervisor_lost},
                        {"OUT_OF_MEMORY", true, EndReason::start_failed, EndReason::out_of_memory},
                        {"NODE_FAIL", true, EndReason::host_restarted, EndReason::host_restarted},
                        {"BOOT_FAIL", true, EndReason::host_restarted, EndReason::host_restarted}};
    for (const auto& row : rows) {
        EXPECT_EQ(is_over(row.state), row.over) << row.state;
        EXPECT_EQ(end_of(row.state, false), row.unbegun) << row.state;
        EXPECT_EQ(end_of(row.state, true), row.begun) << row.state;
    }
}

TEST(Words, CardsAreReadFromAnyFormOfGres) {
    using Counts = std::vector<GresCount>;
    EXPECT_EQ(parse_gres("gpu:h800:8"), (Counts{{"h800", 8}}));
    EXPECT_EQ(parse_gres("gpu:h800:8(S:0-1),gpu:a800:2(S:1)"), (Counts{{"h800", 8}, {"a800", 2}}));
    EXPECT_EQ(parse_gres("gpu:4"), (Counts{{"", 4}}));
    EXPECT_EQ(parse_gres("nic:2,gpu:1"), (Counts{{"", 1}}));
    for (const char* const none : {"", "(null)", "gpu", "gpu:h800:-1", "gpu:h800:0", "gpu:h800:99999", "mps:100"})
        EXPECT_EQ(parse_gres(none), Counts{}) << none;
}

TEST(Words, ANodeThatTakesNothingNewIsAway) {
    EXPECT_EQ(why_away({.state = "idle"}), std::nullopt);
    EXPECT_EQ(why_away({.state = "mixed", .flags = {"CLOUD"}}), std::nullopt);
    EXPECT_EQ(why_away({.state = "down"}), "down");
    EXPECT_EQ(why_away({.state = "allocated", .flags = {"DRAIN"}}), "DRAIN");
    EXPECT_EQ(why_away({.state = "idle", .flags = {"NOT_RESPONDING"}}), "NOT_RESPONDING");
}

TEST(Words, AnArrivalIsReadWholeOrNotAtAll) {
    const std::string text =
        "weir-arrival 1\njob 17\nboot_id 0c4ef3a1-57ac-4f9c-ad76-7e4bcf1fbb41\nuptime 1234.05\nnode n2\ncards 0,2-3\nend\n";
    const Arrival whole{.job = 17, .boot_id = "0c4ef3a1-57ac-4f9c-ad76-7e4bcf1fbb41", .uptime_ns = 1'234'050'000'000, .node = "n2",
                        .cards = {0, 2, 3}};
    EXPECT_EQ(parse_arrival(text), whole);
    for (std::size_t length = 0; length + 1 < text.size(); ++length)
        EXPECT_EQ(parse_arrival(text.substr(0, length)), std::nullopt) << length;
    EXPECT_EQ(parse_arrival("weir-arrival 1\njob 17\nboot_id x\nuptime 1\ncards NoDevFiles\nend\n")->cards, std::vector<std::int32_t>{});
    EXPECT_EQ(parse_arrival("weir-arrival 1\njob 17\nboot_id x\nuptime soon\nend\n"), std::nullopt);
    EXPECT_EQ(parse_arrival("weir-arrival 1\njob 0\nboot_id x\nend\n"), std::nullopt);
}

TEST(Words, ANoteIsReadAsWritten) {
    for (const GangNote& note : {GangNote{}, GangNote{.job = 5}, GangNote{.job = INT64_MAX, .over = "NODE_FAIL"}}) {
        const auto text = print_note(note);
        EXPECT_EQ(parse_note(text), note);
        for (std::size_t length = 0; length + 1 < text.size(); ++length) EXPECT_EQ(parse_note(text.substr(0, length)), std::nullopt);
    }
}

TEST(Words, TheCardsOfASpecAreReplacedAndNothingElse) {
    const std::string spec{"weir-task=1\0run=echo card=9\0card=0\0card=1\0env=A=card=3\0end=\0", 60};
    const std::string wanted{"weir-task=1\0run=echo card=9\0card=4\0card=7\0env=A=card=3\0end=\0", 60};
    EXPECT_EQ(with_cards(spec, {4, 7}), wanted);
}

/// Two clocks that tick alike. The host wrote its clock down, the agent read it later: at the deadline there it is no later here.
TEST(Words, ALeaseInAnotherHostsClockNeverEndsLater) {
    EXPECT_TRUE(rc::check([] {
        const auto offset = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000);     // The host's clock less the agent's.
        const auto written = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000);        // By the agent's clock.
        const auto read = written + *rc::gen::inRange<std::int64_t>(0, 1'000'000'000);
        const auto deadline = *rc::gen::inRange<std::int64_t>(0, 10'000'000'000);
        const auto there = deadline_there(deadline, read, written + offset);
        RC_ASSERT(there - offset <= deadline);
        RC_ASSERT(there - offset == deadline - (read - written));
    }));
}

TEST(Rest, ASubmissionHasNothingOfTheTenantsAndSwitchesRequeueingOff) {
    const auto text = submission_text({.name = "weir-x-job.1",
                                       .comment = "c",
                                       .partition = "train",
                                       .nodes = {"n1", "n2"},
                                       .gpus_per_node = 2,
                                       .cpus_per_node = 3,
                                       .memory_mib_per_node = 512,
                                       .minutes_max = 7,
                                       .script = "#!/bin/sh\n"});
    for (const char* const part : {R"("nodelist":"n1,n2")", R"("nodes":[2,2])", R"("no_requeue":true)", R"("gres":"gpu:2")", R"("tasks":2)",
                                   R"("cpus_per_task":3)", R"("memory_per_node":512)", R"("time_limit":7)", R"("partition":"train")"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    EXPECT_EQ(text.find("account"), std::string::npos) << "what is not said is left out";
    EXPECT_EQ(submission_text({.name = "x", .nodes = {"n1"}}).find("gres"), std::string::npos);
}

TEST(Rest, WhatSlurmSaysIsToldFromWhatItsServerSays) {
    EXPECT_EQ(find_error(R"({"errors":[],"job_id":1})"), std::nullopt);
    const auto invalid =
        find_error(R"({"errors":[{"description":"Unable to find JobId=9","error_number":2017,"error":"Invalid job id"}]})");
    ASSERT_TRUE(invalid);
    EXPECT_EQ(invalid->number, 2017);
    EXPECT_EQ(invalid->message, "Unable to find JobId=9; Invalid job id");
    const auto parser = find_error(R"({"errors":[{"description":"Unknown key","error_number":1},{"error_code":9001,"error":"Failure"}]})");
    ASSERT_TRUE(parser);
    EXPECT_EQ(parser->number, 9001);
    EXPECT_TRUE(find_error("<html>"));
}

TEST(Rest, AfterAQuestionWithoutAnAnswerItAsksNothingForAWhile) {
    std::string folder = (std::filesystem::temp_directory_path() / "weir-rest-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const HttpAddress address{.path = folder + "/socket"};
    const SlurmRest rest{{.address = address, .rest_after_silence_ms = 3'600'000}};
    const SlurmRest bold{{.address = address, .limits = {.deadline_ms = 50}, .rest_after_silence_ms = 0}};
    const auto first = rest.nodes();
    ASSERT_FALSE(first);
    EXPECT_FALSE(first.error().refused);
    // Now somebody listens, and would be asked.
    const supervisor::Fd listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    address.path.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(listen(listener.get(), 8), 0);
    const auto is_asked = [&] {
        pollfd source{.fd = listener.get(), .events = POLLIN, .revents = 0};
        return poll(&source, 1, 0) == 1;
    };
    EXPECT_EQ(rest.job(1).error().message, first.error().message);
    EXPECT_EQ(rest.submit({.name = "x", .nodes = {"n1"}}).error().message, first.error().message);
    EXPECT_FALSE(is_asked());
    EXPECT_FALSE(bold.job(1));
    EXPECT_TRUE(is_asked());
    std::filesystem::remove_all(folder);
}

TEST(Http, AnAnswerIsWholeOrNone) {
    const std::string text = "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 5\r\n\r\nhello";
    ASSERT_TRUE(parse_answer(text));
    EXPECT_EQ(parse_answer(text)->status, 200);
    EXPECT_EQ(parse_answer(text)->body, "hello");
    for (std::size_t length = 0; length < text.size(); ++length) EXPECT_FALSE(parse_answer(text.substr(0, length))) << length;
    EXPECT_FALSE(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"));
    EXPECT_FALSE(parse_answer("HTTP/1.1 200 OK\r\n\r\nwithout a length"));
}

TEST(Http, OnlyThisHostIsAsked) {
    EXPECT_EQ(parse_address("unix:/run/slurmrestd.sock"), (HttpAddress{.path = "/run/slurmrestd.sock"}));
    EXPECT_EQ(parse_address("http://127.0.0.1:6820"), (HttpAddress{.port = 6820}));
    for (const char* const bad : {"", "unix:", "unix:run/x", "http://10.0.0.1:6820", "http://127.0.0.1:0", "http://127.0.0.1:99999",
                                  "http://127.0.0.1:6820/", "https://127.0.0.1:6820", "/run/x"})
        EXPECT_FALSE(parse_address(bad)) << bad;
    EXPECT_FALSE(parse_address("unix:/" + std::string(200, 'x')));
    EXPECT_FALSE(ask({.path = "/nowhere/slurmrestd.sock"}, {.target = "/"}, {}));
}

}  // namespace
}  // namespace weir::site_slurm
