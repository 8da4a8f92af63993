// Goal: each command asks for the right thing and shows what the server said; streams go on after a break.
#include "apps/client/test_rig.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

// ---- jobs

constexpr const char* two_jobs =
    R"({"items":[{"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa","project":"vision","name":"digits","state":"running","reason":"none",)"
    R"("site":"pidu-core","model":"H800","emulated":true,"num_nodes":1,"since":"2026-11-22T05:00:00Z"},)"
    R"({"id":"job-01kaj3bbbbbbbbbbbbbbbbbbbb","project":"vision","name":"hello","state":"queued","reason":"submitted",)"
    R"("emulated":false,"num_nodes":1,"since":"2026-11-22T05:30:00Z"}],"revision":4})";

TEST(Jobs, AreListedWithEmulatedCardsMarked) {
    Rig rig;
    rig.on("GET /v1/jobs", two_jobs);
    ASSERT_EQ(rig.run({"job", "list"}), 0) << rig.err;
    EXPECT_EQ(
        rig.out,
        "ID                              NAME    PROJECT  STATE    REASON     SITE       MODEL            NODES  SINCE\n"
        "job-01kaj3aaaaaaaaaaaaaaaaaaaa  digits  vision   running  none       pidu-core  H800 (emulated)      1  2026-11-22 05:00:00\n"
        "job-01kaj3bbbbbbbbbbbbbbbbbbbb  hello   vision   queued   submitted                                  1  2026-11-22 05:30:00\n");
    rig.width = 80;
    ASSERT_EQ(rig.run({"job", "list"}), 0);
    EXPECT_THAT(rig.out, Not(HasSubstr("H800"))) << "a card without its mark is never shown";
    rig.width = 112;
    ASSERT_EQ(rig.run({"job", "list"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("H800 (emulated)"));
    ASSERT_EQ(rig.run({"job", "list", "--json"}), 0);
    EXPECT_EQ(rig.out, std::string{two_jobs} + "\n");
}

TEST(Jobs, AreFoundByAPartOfTheirId) {
    Rig rig;
    rig.on("GET /v1/jobs", two_jobs);
    rig.on(std::string{"DELETE /v1/jobs/"} + job_b, std::string{R"({"id":")"} + job_b + R"(","repeated":false,"revision":5})");
    EXPECT_EQ(rig.run({"job", "cancel", "bbbbbb"}), 0) << rig.err;
    EXPECT_EQ(rig.out, std::string{"cancelled "} + job_b + "\n");
    EXPECT_EQ(rig.run({"job", "cancel", "01kaj3b"}), 0);
    EXPECT_EQ(rig.run({"job", "cancel", "job-01kaj3b"}), 0);
    EXPECT_EQ(rig.run({"job", "cancel", "job…bbbbbbbbb"}), 0) << "as a narrow table shows it";
    EXPECT_EQ(rig.run({"job", "cancel", "01kaj3"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("means 2 jobs"));
    EXPECT_EQ(rig.run({"job", "cancel", "bbbbb"}), 2);
    EXPECT_EQ(rig.run({"job", "cancel", "cccccc"}), 5);
}

TEST(Jobs, ThatWereToldToStopBeforeAreNotCancelledAgain) {
    Rig rig;
    rig.on(std::string{"DELETE /v1/jobs/"} + job_a, std::string{R"({"id":")"} + job_a + R"(","repeated":true,"revision":5})");
    EXPECT_EQ(rig.run({"job", "cancel", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out, std::string{job_a} + " was told to stop before; how it stands: weir job show " + job_a + "\n");
}

TEST(Jobs, AreMovedAndSayHowFarTheyHaveCome) {
    Rig rig;
    const std::string id = job_a;
    const auto made = R"({"id":")" + id + R"(","repeated":false,"revision":5})";
    rig.on("POST /v1/jobs/" + id + "/move", made);
    ASSERT_EQ(rig.run({"job", "move", id, "--to", "west", "--restart"}), 0) << rig.err;
    EXPECT_EQ(rig.out, id + " is to go on at west; how far it has come: weir job why " + id + "\n");
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"({"to":"west","restart":true})"));
    rig.on("POST /v1/jobs/" + id + "/move", made);
    ASSERT_EQ(rig.run({"job", "move", id, "--call-off"}), 0) << rig.err;
    EXPECT_EQ(rig.out, id + " stays where it is\n");
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"({"call_off":true})"));
    EXPECT_EQ(rig.run({"job", "move", id, "--call-off", "--to", "west"}), 2) << "one or the other";
    rig.on("GET /v1/jobs/" + id, R"({"state":"running","move":{"cause":"tenant","to":"west","ordered_at":"2026-11-22T05:00:00Z",
        "target":{"site":"west"},"prepared":"ab"},
        "moves":[{"generation":2,"from":"east","to":"north","arrived_at":"2026-11-22T04:00:00Z","pause_ms":1204,"lost":2500}]})");
    rig.width = 120;
    ASSERT_EQ(rig.run({"job", "show", id}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("to west, ordered 2026-11-22 05:00:00 UTC; a place is held at west, and its checkpoint lies there\n"));
    EXPECT_THAT(rig.out, HasSubstr("2026-11-22 04:00:00 UTC  east  north  1.204 s                2.5\n"));
}

TEST(Jobs, BillAddsUpWhatTheTenantPays) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/bill", std::string{R"({"job":")"} + job_a + R"(","final":true,"lines":[
        {"generation":1,"site":"pidu-core","model":"H800","emulated":true,
         "fen_per_card_hour":1200,"used":3600000,"payer":"tenant","amount":1200},
        {"generation":1,"site":"pidu-core","model":"H800","emulated":true,
         "fen_per_card_hour":1200,"used":360000,"payer":"provider","lost":"provider_fault","amount":0}],
        "paid":[{"source":"prepaid","held":5000,"captured":1200}],"revision":4})");
    ASSERT_EQ(rig.run({"job", "bill", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out,
                HasSubstr("  1  pidu-core  H800 (emulated)          3600      12.00  tenant                    12.00\n"));
    EXPECT_THAT(rig.out, HasSubstr("prepaid        50.00      12.00\n"));
}

TEST(Jobs, OneThatIsOverShowsNoFiguresOfARunningOne) {
    Rig rig;
    const std::string spec = R"("spec":{"max_duration":600,"resources":{"accelerators":["H800:2"]}})";
    const std::string placed = R"("placement":{"site":"pidu-core","model":"H800","per_node":2000,"emulated":true,
        "fen_per_card_hour":680,"nodes":[{"node":"n1"}],"score":[]})";
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"state":"running","fault_restarts":1,"held_fen":384,"accrued_fen":2,)" + spec + "," + placed + "}");
    rig.on(path, R"({"state":"succeeded","fault_restarts":0,"held_fen":0,"accrued_fen":0,)" + spec + "," + placed + "}");
    ASSERT_EQ(rig.run({"job", "show", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("max duration  10m\n"));
    EXPECT_THAT(rig.out, HasSubstr("cards         2 x H800 (emulated)\n"));
    EXPECT_THAT(rig.out, HasSubstr("owed so far   CNY 0.02\n"));
    ASSERT_EQ(rig.run({"job", "show", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, Not(HasSubstr("owed so far")));
    EXPECT_THAT(rig.out, Not(HasSubstr("restarts")));
}

TEST(Jobs, AreShownWithLengthsZonesAndTheCurrency) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    const std::string spec = R"("spec":{"max_duration":5400,"estimated_duration":90,"deadline":"2026-11-23T00:00:00Z","budget":"500 fen",
        "resources":{"accelerators":["H800:2"]}})";
    const auto answer = R"({"state":"running","since":"2026-11-22T04:30:00Z","submitted_at":"2026-11-22T04:29:55Z",
        "started_at":"2026-11-22T04:30:00Z","held_fen":384,"accrued_fen":2,)" + spec + "}";
    rig.on(path, answer);
    rig.width = 100;
    ASSERT_EQ(rig.run({"job", "show", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "state         running since 2026-11-22 04:30:00 UTC (1h 30m)\n"
              "submitted     2026-11-22 04:29:55 UTC\n"
              "started       2026-11-22 04:30:00 UTC\n"
              "accelerators  H800:2\n"
              "max duration  1h 30m\n"
              "estimated     1m 30s\n"
              "deadline      2026-11-23 00:00:00 UTC\n"
              "budget        CNY 5.00\n"
              "restarts      0 after errors, 0 after faults of sites\n"
              "held          CNY 3.84\n"
              "owed so far   CNY 0.02\n");
    ASSERT_EQ(rig.run({"job", "show", job_a, "--json"}), 0);
    EXPECT_EQ(rig.out, answer + "\n") << "integers and UTC, as the server said them";
}

TEST(Jobs, ANameCannotMoveTheCursor) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a, R"({"name":"a\u001b[2Jb\r\u009b31m\u202ec","state":"failed\u0007"})");
    rig.width = 80;
    ASSERT_EQ(rig.run({"job", "show", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("a?[2Jb??31m?c"));
    EXPECT_EQ(rig.out.find_first_of("\x1b\r\x07"), std::string::npos);
}

TEST(Jobs, WhyTellsTimesAsEverywhereAndJsonAsTheServerDid) {
    Rig rig;
    const std::string answer = std::string{R"({"job":")"} + job_a + R"(","state":"running","waiting":false,"reasons":[{"code":"running",)" +
                               R"("text":"it is running at pidu-core since 2026-11-22T05:00:00.273559862Z"}]})";
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/why", answer);
    ASSERT_EQ(rig.run({"job", "why", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out, std::string{job_a} + " is running:\n  running: it is running at pidu-core since 2026-11-22 05:00:00\n");
    ASSERT_EQ(rig.run({"job", "why", job_a, "--json"}), 0) << rig.err;
    EXPECT_EQ(rig.out, answer + "\n");
}

TEST(Jobs, WhyOfOneThatIsOverNamesWhereToLook) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/why", [](const auto&) {
        http::Problem document;
        document.type = http::problem_type("already_finished");
        document.status = 409;
        document.detail = "it has failed at 2026-11-22T05:00:00.273559862Z";
        return Response::problem(document);
    });
    EXPECT_EQ(rig.run({"job", "why", job_a}), 1);
    EXPECT_EQ(rig.err, std::string{"weir: it has failed at 2026-11-22 05:00:00; how it ended: weir job show "} + job_a + "\n");
}

TEST(Jobs, AreNamedByTheLineThatIsRefusedWhateverTheRefusalIs) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", [](const auto&) { return problem(404, "after[1] names job-x, which is not known", "spec.after[1]"); });
    rig.on("POST /v1/jobs", [](const auto&) { return problem(404, "voucher vch-x is not in force here", "funding[0]"); });
    rig.on("POST /v1/jobs", [](const auto&) { return problem(404, "project vision is not known here", "project"); });
    const auto path = rig.write("job.yaml",
                                "name: digits\nresources: {accelerators: cpu}\nrun: train\nafter:\n  - job-01k00000000000000000000001\n"
                                "  - job-01k00000000000000000000002\n");
    EXPECT_EQ(rig.run({"submit", path}), 5);
    EXPECT_THAT(rig.err, HasSubstr(path + ":6:5: after[1] names job-x"));
    EXPECT_EQ(rig.run({"submit", path, "--funding", "prepaid"}), 5);
    EXPECT_THAT(rig.err, StartsWith("weir: voucher vch-x")) << "no line of the file says so";
    EXPECT_EQ(rig.run({"submit", path}), 5);
    EXPECT_THAT(rig.err, StartsWith("weir: project vision")) << "nor of the project";
    const auto folder = std::filesystem::path{path}.parent_path().string();
    EXPECT_EQ(rig.run({"submit", folder}), 2);
    EXPECT_THAT(rig.err, HasSubstr(folder + " is a directory; name the file in it, such as"));
}

TEST(Jobs, ThatCannotRunAsThingsAreAreSubmittedWithAWarning) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa","repeated":false,"revision":7,"warnings":[)"
                            R"({"code":"never_fits","site":"east","text":"east: 1 node with 9 x cpu was asked, none has more than 8"}]})");
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 0);
    EXPECT_THAT(rig.out, StartsWith("job-"));
    EXPECT_EQ(rig.err, "warning: as things are no site can run it: east: 1 node with 9 x cpu was asked, none has more than 8\n");
}

TEST(Jobs, WhoseVoucherPaysNothingAreSubmittedWithAWarning) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa","repeated":false,"revision":7,"warnings":[)"
                            R"({"code":"funding_unused","text":"vch-1 pays nothing of it: it ends too early"}]})");
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 0);
    EXPECT_EQ(rig.err, "warning: vch-1 pays nothing of it: it ends too early\n");
}

TEST(Jobs, AreEstimatedBeforeTheyAreSubmittedAndWhileTheyWait) {
    Rig rig;
    rig.on("GET /v1/catalog", R"({"items":[{"model":"cpu"}],"revision":1})");
    rig.on("POST /v1/jobs:estimate", R"({"project":"vision","holds":[{"source":"prepaid","per_mille":1000,"amount":1204}],"held_fen":1204,
        "places":[{"site":"east","model":"cpu","emulated":true,
        "fen_per_card_hour":600,"cost_expected":600,"cost_max":1204,"parts":[],"clauses":[]}],
        "starts_at":"2026-11-22T06:10:00Z","ends_at":"2026-11-22T06:40:00Z","site":"east","model":"cpu","emulated":true,"cost_expected":600,
        "text":"an estimate","warnings":[{"code":"x","text":"look here"}],"revision":3})");
    const auto path = rig.write("job.yaml", "name: a\nresources:\n  accelerators: [cpu:2]\nrun: 'true'\n");
    ASSERT_EQ(rig.run({"submit", path, "--project", "vision", "--dry-run"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("where         east on cpu (emulated)\n"));
    EXPECT_THAT(rig.out, HasSubstr("starts        2026-11-22 06:10:00 UTC (in 10m)\n"));
    EXPECT_THAT(rig.out, HasSubstr("costs         CNY 6.00 as it estimates its length\n"));
    EXPECT_THAT(rig.out, HasSubstr("  of prepaid  CNY 12.04\n"));
    EXPECT_THAT(rig.out, HasSubstr("east  cpu (emulated)              6.00        6.00    12.04\n"));
    EXPECT_THAT(rig.err, HasSubstr("warning: look here\n"));
    EXPECT_TRUE(rig.seen("POST").back().find("\"id\"") == std::string::npos) << "nothing is made";
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/eta", R"({"job":"x","state":"queued","starts_at":"2026-11-22T07:30:00Z",
        "ends_at":"2026-11-22T08:00:00Z","site":"east","model":"cpu","text":"an estimate","as_of":"2026-11-22T06:00:00Z","revision":3})");
    ASSERT_EQ(rig.run({"job", "eta", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("starts    2026-11-22 07:30:00 UTC (in 1h 30m)\n"));
}

TEST(People, AQuotaIsShownWithWhatIsLeftOfIt) {
    Rig rig;
    rig.on("GET /v1/projects", R"({"items":[{"name":"vision"},{"name":"speech"}],"revision":1})");
    rig.on("GET /v1/projects/vision", R"({"name":"vision","use":[{"model":"A100","limit":4000,"used":1500},{"model":"cpu","used":1000}],
        "live_jobs":3,"live_jobs_max":100})");
    rig.on("GET /v1/projects/speech", R"({"name":"speech","use":[],"live_jobs":0,"live_jobs_max":100})");
    ASSERT_EQ(rig.run({"quota"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "PROJECT  MODEL  CARDS IN USE  QUOTA  LEFT  LIVE JOBS\n"
              "vision   A100            1.5      4   2.5   3 of 100\n"
              "vision   cpu               1   none     -   3 of 100\n"
              "speech   every             0   none     -   0 of 100\n");
}

TEST(Pages, OfAServerThatGoesRoundInACircleEnd) {
    Rig rig;
    rig.on("GET /v1/jobs", [](const http::Request& request) {
        return json(request.query_value("cursor") == "c1" ? R"({"items":[],"next_cursor":"c2","revision":1})"
                                                          : R"({"items":[],"next_cursor":"c1","revision":1})");
    });
    EXPECT_EQ(rig.run({"job", "list"}), 1);
    EXPECT_THAT(rig.err, HasSubstr("the list has no end"));
}

TEST(Pages, AreFollowedUpToTheLimit) {
    Rig rig;
    std::vector<std::string> asked;
    rig.on("GET /v1/sites", [&](const http::Request& request) {
        asked.emplace_back(request.query_value("limit").value_or(""));
        return request.query_value("cursor") ? json(R"({"items":[{"name":"b"}],"next_cursor":"c2","revision":1})")
                                             : json(R"({"items":[{"name":"a"}],"next_cursor":"c1","revision":1})");
    });
    EXPECT_EQ(rig.run({"site", "list", "--limit", "2"}), 0);
    EXPECT_THAT(asked, ElementsAre("2", "1"));
    EXPECT_THAT(rig.out, HasSubstr("\nb "));
}

// ---- streams

TEST(Logs, GoOnWhereTheConnectionBroke) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"state":"running","generation":1})");
    rig.on(path, R"({"state":"running","generation":1})");
    rig.on(path, R"({"state":"succeeded","generation":1})");
    const std::string whole = "abcdefghi";
    rig.on(path + "/logs", [&](const http::Request& request) {
        const auto offset = std::stoul(std::string{request.query_value("offset").value_or("0")});
        EXPECT_EQ(request.query_value("generation"), "1");
        if (request.query_value("follow")) return broken(whole.substr(offset, 2));
        const auto size = offset < 3 ? 3 - offset : offset == 5 ? 4UL : 0UL;
        return piece(whole.substr(offset, size), offset + size, offset + size == whole.size());
    });
    ASSERT_EQ(rig.run({"job", "logs", job_a, "-f"}), 0) << rig.err;
    EXPECT_EQ(rig.out, whole);
}

TEST(Logs, ATerminalIsShownWhatItWouldObeyAndAFileGetsTheBytes) {
    Rig rig;
    const std::string printed = "\x1b[2Jstep 1\r\n\xff";
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/logs", [&](const http::Request& request) {
        const bool all = request.query_value("offset") != "0";
        return piece(all ? "" : printed, printed.size(), true);
    });
    ASSERT_EQ(rig.run({"job", "logs", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out, printed);
    rig.width = 80;
    ASSERT_EQ(rig.run({"job", "logs", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out, "\\x1b[2Jstep 1\n\\xff");
    ASSERT_EQ(rig.run({"job", "logs", job_a, "--raw"}), 0) << rig.err;
    EXPECT_EQ(rig.out, printed);
}

TEST(Logs, FollowsTheNextGeneration) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"state":"queued","generation":0})");
    rig.on(path, R"({"state":"running","generation":1})");
    rig.on(path, R"({"state":"running","generation":2})");
    rig.on(path, R"({"state":"succeeded","generation":2})");
    rig.on(path + "/logs", [](const http::Request& request) {
        if (request.query_value("offset") != "0") return piece("", 5, true);
        return piece(request.query_value("generation") == "1" ? "one\n.." : "two\n..", 5, true);
    });
    ASSERT_EQ(rig.run({"job", "logs", job_a, "-f"}), 0) << rig.err;
    EXPECT_EQ(rig.out, "one\n..two\n..");
    EXPECT_THAT(rig.err, HasSubstr("generation 2 begins"));
}

TEST(Logs, AreReadToTheirPresentEndWithoutFollow) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/logs", [](const http::Request& request) {
        EXPECT_EQ(request.query_value("stream"), "stderr");
        EXPECT_EQ(request.query_value("node_rank"), "1");
        return request.query_value("offset") == "0" ? piece("later", 105, false) : piece("", 105, false);  // 100 bytes were dropped.
    });
    ASSERT_EQ(rig.run({"job", "logs", job_a, "--stderr", "--node", "1"}), 0) << rig.err;
    EXPECT_EQ(rig.out, "later");
}

TEST(Logs, SayHowMuchOfTheirStartIsMissing) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/logs", [](const http::Request& request) {
        const bool first = request.query_value("offset") == "0";
        return piece(first ? "d of it\n" : "", 293'601'288, true).with_header("Weir-Log-Offset", first ? "293601280" : "293601288");
    });
    ASSERT_EQ(rig.run({"job", "logs", job_a}), 0) << rig.err;
    EXPECT_EQ(rig.out, "d of it\n");
    EXPECT_EQ(rig.err, "weir: the first 280.0 MiB of this output are not kept: of what a task prints only the newest is, and what follows "
                       "begins inside a line\n");
}

TEST(Logs, OfAJobThatNeverRanAreNotAskedForAgain) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"state":"failed","generation":0})");
    rig.on(path + "/logs", [](const auto&) { return problem(404, "it was never started, so it printed nothing"); });
    EXPECT_EQ(rig.run({"job", "logs", job_a}), 5);
    EXPECT_EQ(rig.err, "weir: it was never started, so it printed nothing\n");
    EXPECT_EQ(rig.run({"job", "logs", job_a, "--follow"}), 5);
    EXPECT_TRUE(rig.slept.empty());
}

TEST(Logs, OfAJobThatHasNotStartedSayWhatItWaitsFor) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path + "/logs", [](const auto&) { return problem(404, "it was not started yet; why it waits tells: weir job why"); });
    EXPECT_EQ(rig.run({"job", "logs", job_a}), 5);
    EXPECT_EQ(rig.err, "weir: it was not started yet; why it waits tells: weir job why\n");
    EXPECT_TRUE(rig.slept.empty()) << "waiting a few seconds does not start it";
}

TEST(Logs, ThatCannotBeReadNowAreRefusedInTheServersWords) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path + "/logs", [](const auto&) { return problem(503, "the log is on another machine, or it is gone", {}, "log_unavailable"); });
    EXPECT_EQ(rig.run({"job", "logs", job_a}), 1) << "it is not the server that is away";
    EXPECT_EQ(rig.err, "weir: the log is on another machine, or it is gone\n");  // The server did answer: no word of its address.
}

TEST(Watch, OfAJobEndsWithIt) {
    Rig rig;
    rig.on("GET /v1/watch", [&](const auto&) {
        const auto stream = http::Stream::open();
        for (const auto* name : {"job_placed", "job_finished", "job_placed"}) (void)stream.push(http::format_event({"5", name, "{}"}));
        return Response::events(stream);
    });
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"id":"x","state":"running","reason":"processes_running","revision":4})");
    ASSERT_EQ(rig.run({"watch", "--job", job_a, "--json"}), 0) << rig.err;
    EXPECT_EQ(rig.out, "{}\n{}\n");
    EXPECT_THAT(rig.seen("GET /v1/watch").front(), HasSubstr(" 4 ")) << "no event between the look and the watch is missed";
}

TEST(Watch, OfAJobThatHasEndedSaysSoAndEnds) {
    Rig rig;
    const auto path = std::string{"GET /v1/jobs/"} + job_a;
    rig.on(path, R"({"id":"x","state":"succeeded","reason":"exited","since":"2026-11-22T05:00:00Z","revision":9})");
    ASSERT_EQ(rig.run({"watch", "--job", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.err, HasSubstr("succeeded"));
    EXPECT_THAT(rig.err, HasSubstr("--since 0"));
}

TEST(Watch, GoesOnAfterTheLastEvent) {
    Rig rig;
    const auto events = [](int first, int last) {
        const auto stream = http::Stream::open();
        for (int i = first; i <= last; ++i) {
            const auto revision = std::to_string(i);
            (void)stream.push(http::format_event(
                {revision, "job_finished",
                 R"({"revision":)" + revision + R"(,"type":47,"at":"2026-11-22T05:00:00Z","actor":"system","event":{"job":"job-1"}})"}));
        }
        return Response::events(stream);
    };
    rig.on("GET /v1/watch", [&](const auto&) { return events(5, 6); });
    rig.on("GET /v1/watch", [&](const auto&) { return events(7, 8); });
    ASSERT_EQ(rig.run({"watch", "--since", "4", "--count", "3"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("GET /v1/watch"), ElementsAre("GET /v1/watch 4 secret", "GET /v1/watch 6 secret"));
    EXPECT_EQ(rig.out,
              "2026-11-22 05:00:00         5  job_finished        job=job-1\n"
              "2026-11-22 05:00:00         6  job_finished        job=job-1\n"
              "2026-11-22 05:00:00         7  job_finished        job=job-1\n");
}

TEST(Watch, EndsWhereEventsAreGone) {
    Rig rig;
    rig.on("GET /v1/watch", [](const auto&) { return problem(410, "events after revision 4 are no longer kept here"); });
    EXPECT_EQ(rig.run({"watch", "--since", "4"}), 1);
    EXPECT_THAT(rig.err, HasSubstr("no longer kept"));
}

// ---- money, people, sites

constexpr const char* two_accounts = R"({"items":[
    {"account":"acc-1","name":"prepaid of lab","kind":"buyer","debits_pending":0,"credits_pending":0,
     "debits_posted":100,"credits_posted":900},
    {"account":"acc-2","name":"vch-1 of short-2026","kind":"voucher","debits_pending":12345,"credits_pending":0,
     "debits_posted":100,"credits_posted":900}],"revision":1})";

TEST(Money, AccountsOfAnOwnerAreToldAndThatThereAreNoneOnlyWhereThereAreNone) {
    Rig rig;
    rig.on("GET /v1/ledger/accounts", two_accounts);
    ASSERT_EQ(rig.run({"ledger", "accounts", "--owner", "lab", "--json"}), 0);
    EXPECT_EQ(rig.err, "") << "two belong to it";
    rig.on("GET /v1/ledger/accounts", R"({"items":[],"revision":1})");
    ASSERT_EQ(rig.run({"ledger", "accounts", "--owner", "lab"}), 0);
    EXPECT_EQ(rig.run({"ledger", "accounts", "--owner", "lab"}), 0);
    EXPECT_THAT(rig.err, HasSubstr("no account belongs to lab"));
}

TEST(Money, AnOrganisationWithoutVouchersIsSaid) {
    Rig rig;
    rig.on("GET /v1/vouchers", R"({"items":[],"revision":1})");
    ASSERT_EQ(rig.run({"voucher", "list", "--organisation", "nobody"}), 0);
    EXPECT_THAT(rig.err, HasSubstr("no voucher in force of nobody is there for you to see"));
    ASSERT_EQ(rig.run({"voucher", "list", "--organisation", "nobody", "--json"}), 0);
    EXPECT_EQ(rig.err, "");
}

TEST(Jobs, SayWhichDependencyFailed) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a, std::string{R"({"id":")"} + job_a +
               R"(","state":"failed","reason":"dependency_failed","since":"2026-11-22T05:00:00Z","spec":{"after":[")" + job_b + R"("]}})");
    rig.on(std::string{"GET /v1/jobs/"} + job_b, std::string{R"({"id":")"} + job_b + R"(","state":"cancelled"})");
    ASSERT_EQ(rig.run({"job", "show", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr(std::string{"after   "}));
    EXPECT_THAT(rig.out, HasSubstr(std::string{job_b} + " (cancelled)"));
}

TEST(Money, AnAmountNeedsItsUnit) {
    Rig rig;
    rig.on("POST /v1/deposits", R"({"id":"x","repeated":false,"revision":5})");
    EXPECT_EQ(rig.run({"deposit", "lab", "1000"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("yuan"));
    EXPECT_EQ(rig.run({"deposit", "lab", "1000.50 yuan"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("POST /v1/deposits").back(), HasSubstr(R"("organisation":"lab","amount":100050})"));
}

TEST(Money, ALedgerThatDoesNotBalanceIsAFailure) {
    Rig rig;
    const std::string sheet =
        R"({"ledgers":[{"ledger":1,"title":"cash",
        "lines":[{"code":"bank","accounts":1,"debits_posted":1050}],"debits_posted":1050,"credits_posted":1050,"balanced":)";
    rig.on("GET /v1/ledger/trial-balance", sheet + R"(true}],"revision":4})");
    rig.on("GET /v1/ledger/trial-balance", sheet + R"(false}],"revision":4})");
    EXPECT_EQ(rig.run({"ledger", "trial-balance"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("10.50"));
    EXPECT_EQ(rig.run({"ledger", "trial-balance"}), 1);
    EXPECT_THAT(rig.out, HasSubstr("NOT BALANCED"));
}

TEST(People, RolesAreSetExactly) {
    Rig rig;
    rig.on("PUT /v1/projects/vision/members/ann", R"({"id":"ann","repeated":false,"revision":5})");
    EXPECT_EQ(rig.run({"project", "member", "vision", "ann"}), 2);
    EXPECT_EQ(rig.run({"project", "member", "vision", "ann", "--role", "owner", "--role", "member"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"roles":["owner","member"]})"));
    EXPECT_EQ(rig.run({"project", "member", "vision", "ann", "--none"}), 0);
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"roles":[]})"));
}

TEST(People, AQuotaIsReadExactly) {
    Rig rig;
    rig.on("POST /v1/projects", R"({"id":"vision","repeated":false,"revision":5})");
    EXPECT_EQ(rig.run({"project", "set", "vision", "--organisation", "lab", "--quota", "H800:16", "--quota", "A100:0.5"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"("quota":[{"model":"H800","milli_cards":16000},{"model":"A100","milli_cards":500}])"));
    for (const auto* wrong : {"H800", ":4", "H800:", "H800:1.", "H800:x", "H800:-1", "H800:1.2345"}) {
        EXPECT_EQ(rig.run({"project", "set", "vision", "--organisation", "lab", "--quota", wrong}), 2) << wrong;
    }
}

TEST(Tokens, TheSecretAloneGoesToStandardOutputOrIntoAPrivateFile) {
    Rig rig;
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","secret":"s3cret","repeated":false,"revision":5})");
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","secret":"s3cret","repeated":false,"revision":5})");
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","secret":"s3cret","repeated":false,"revision":5})");
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","repeated":true,"revision":5})");
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--expires", "30d"}), 0);
    EXPECT_EQ(rig.out, "s3cret\n");
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"("expires_at":"2026-12-22T06:00:00Z")"));
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--to", rig.path("agent.token")}), 0);
    EXPECT_EQ(rig.out, "token tok-1\n");
    EXPECT_EQ(fs::status(rig.path("agent.token")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--to", rig.path("other.token"), "--json"}), 0);
    EXPECT_EQ(rig.out, R"({"id":"tok-1","secret_file":")" + rig.path("other.token") + "\"}\n");
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core"}), 6);  // An earlier attempt took the secret along.
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--expires", "soon"}), 2);
}

TEST(Tokens, AnExpiryIsRefusedWithItsBounds) {
    Rig rig;
    for (const auto* wrong : {"0s", "400000d", "-1d", "soon"}) {
        EXPECT_EQ(rig.run({"token", "issue", "--expires", wrong}), 2) << wrong;
        EXPECT_THAT(rig.err, HasSubstr("must be a length above 0s that ends before 2262-04-11"));
    }
}

TEST(Tokens, OfEverybodyAreNotIssuedButListed) {
    Rig rig;
    rig.on("GET /v1/tokens", [](const auto&) {
        http::Problem document;
        document.type = http::problem_type("forbidden");
        document.status = 403;
        document.detail = "aud may not issue tokens for others";
        return Response::problem(document);
    });
    EXPECT_EQ(rig.run({"token", "list", "--all"}), 4);
    EXPECT_THAT(rig.err, StartsWith("weir: everybody's tokens are listed for the network role operator alone"));
    EXPECT_EQ(rig.run({"token", "list"}), 4);
    EXPECT_THAT(rig.err, StartsWith("weir: aud may not"));
}

TEST(Tokens, NothingIsMadeWhereTheSecretCannotBeKept) {
    Rig rig;
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","secret":"s3cret","repeated":false,"revision":5})");
    fs::create_directory(rig.path("folder"));
    for (const auto& to : {rig.path("folder"), rig.write("file", "") + "/below", rig.write("of.another.token", "only copy")}) {
        EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--to", to}), 2) << to;
        EXPECT_TRUE(rig.seen("POST").empty());
    }
}

TEST(Config, ADirectoryInItsPlaceIsSaid) {
    Rig rig;
    fs::create_directories(rig.path(".config/weir/config.yaml"));
    EXPECT_EQ(rig.run({"whoami"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("is a directory"));
    EXPECT_EQ(rig.run({"--token-file", rig.path(".config"), "whoami"}), 2);
}

TEST(Sites, NodesShowEmulatedCards) {
    Rig rig;
    rig.on("GET /v1/nodes",
           R"({"items":[{"site":"pidu-core","name":"n1","cards":[
        {"model":"H800","count":8,"memory":"80GiB","slicing":"fractional","emulated":true},
        {"model":"cpu","count":2,"memory":"0MiB","slicing":"exclusive","emulated":false}],
        "cpus":64,"memory":"512GiB","position":["a","r1"],"healthy":true,"reachable":true}],"revision":1})");
    ASSERT_EQ(rig.run({"node", "list"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "SITE       NODE  CARDS                                      CPUS  MEMORY  STATE    POSITION\n"
              "pidu-core  n1    8 x H800 (emulated) in fractions, 2 x cpu    64  512GiB  healthy  a, r1\n");
}

// Found by a review: the option made a body that was no JSON.
TEST(People, AProjectsBoundOfLiveJobsIsSentWithTheRest) {
    Rig rig;
    std::string sent;
    rig.on("POST /v1/projects", [&](const http::Request& request) {
        sent = request.body;
        return Response::json(201, R"({"id":"vision","repeated":false,"revision":7})");
    });
    EXPECT_EQ(rig.run({"project", "set", "vision", "--organisation", "lab", "--live-jobs-max", "5"}), 0) << rig.err;
    EXPECT_EQ(sent, R"({"name":"vision","organisation":"lab","live_jobs_max":5})");
}

TEST(Sites, OneWhoseAgentNeverReportedHasNotJoined) {
    Rig rig;
    rig.on("GET /v1/sites/pidu-core", R"({"name":"pidu-core","reachable":false,"reachable_since":"1970-01-01T00:00:00Z","open":true})");
    rig.on("GET /v1/sites/pidu-core", R"({"name":"pidu-core","reachable":false,"reachable_since":"2026-11-22T05:00:00Z","open":true})");
    ASSERT_EQ(rig.run({"site", "show", "pidu-core"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("not joined: its agent has never reported\n"));
    ASSERT_EQ(rig.run({"site", "show", "pidu-core"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("out of reach since 2026-11-22 05:00:00\n"));
}

TEST(Sites, WhatIsPausedIsNotCalledOpenAlone) {
    Rig rig;
    rig.on("GET /v1/sites",
           R"({"items":[{"name":"east","reachable":true,"open":true,"nodes":2,"healthy_nodes":0},
                        {"name":"west","reachable":true,"open":true,"nodes":2,"healthy_nodes":1},
                        {"name":"new","reachable":true,"open":true,"nodes":0,"healthy_nodes":0}],"revision":1})");
    ASSERT_EQ(rig.run({"site", "list"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("east  open, no healthy node"));
    EXPECT_THAT(rig.out, HasSubstr("west  open  "));
    EXPECT_THAT(rig.out, HasSubstr("new   open  "));
}

TEST(Sites, AreEmptiedStoppedAndTakenIntoServiceAgain) {
    Rig rig;
    const std::string made = R"({"id":"east","repeated":false,"revision":5})";
    rig.on("PUT /v1/sites/east/duty", made);
    ASSERT_EQ(rig.run({"site", "drain", "east", "--deadline", "2h"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"duty":"draining","deadline":"2026-11-22T08:00:00Z"})"));
    EXPECT_THAT(rig.out, HasSubstr("east is being emptied, at the latest by 2026-11-22T08:00:00Z; "));
    EXPECT_EQ(rig.run({"site", "drain", "east", "--deadline", "soon"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("--deadline is 'soon' and must be a length above 0s"));
    EXPECT_EQ(rig.run({"site", "stop", "east"}), 2) << "what ends all work at once is not a slip of the finger";
    rig.on("PUT /v1/sites/east/duty", made);
    ASSERT_EQ(rig.run({"site", "stop", "east", "--now"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"duty":"stopped"})"));
    rig.on("PUT /v1/sites/east/duty", made);
    ASSERT_EQ(rig.run({"site", "resume", "east"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"duty":"working"})"));
    rig.on("GET /v1/sites/east", R"({"name":"east","reachable":true,"reachable_since":"2026-11-22T05:00:00Z","open":true,"duty":"draining",
        "nodes":2,"healthy_nodes":2,"tasks":3,"tasks_leaving":2,"places_held":1,"drained_by":"2026-11-22T08:00:00Z"})");
    ASSERT_EQ(rig.run({"site", "show", "east"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("draining since 2026-11-22 05:00:00\n"));
    EXPECT_THAT(rig.out, HasSubstr("3, 2 of them leaving; places held for 1 more\n"));
}

TEST(People, AnOrganisationIsSuspendedAndTakenBack) {
    Rig rig;
    for (const bool suspended : {true, false}) {
        rig.on("PUT /v1/organisations/lab/suspension", R"({"id":"lab","repeated":false,"revision":5})");
        ASSERT_EQ(rig.run({"org", suspended ? "suspend" : "resume", "lab"}), 0) << rig.err;
        EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(suspended ? R"({"suspended":true})" : R"({"suspended":false})"));
    }
    rig.on("GET /v1/organisations/lab", R"({"name":"lab","prepaid_fen":100,"suspended":true})");
    ASSERT_EQ(rig.run({"org", "show", "lab"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("its jobs wait until: weir org resume lab\n"));
}

TEST(Sites, AFileIsSentAndItsRefusedFieldIsFound) {
    Rig rig;
    rig.on("POST /v1/sites", [](const auto&) { return problem(422, "the tariff names no model", "tariff[1].model"); });
    const auto path = rig.write(
        "site.yaml", "name: pidu-core\ntariff:\n  - {model: cpu, fen_per_card_hour: 18}\n  - {model: nope, fen_per_card_hour: 1}\n");
    EXPECT_EQ(rig.run({"site", "set", "-f", path}), 1);
    EXPECT_THAT(rig.err, HasSubstr(path + ":4:13: the tariff names no model"));
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"({"name":"pidu-core","tariff":[{"model":"cpu","fen_per_card_hour":18})"));
}

TEST(Sites, AFileOfAnotherKindIsToldLineByLine) {
    Rig rig;
    rig.on("POST /v1/sites", [](const auto&) {
        http::Problem document;
        document.status = 422;
        document.detail = "budget: there is no such field; there are name, tariff; run: there is no such field; name: is missing";
        document.members.push_back({"field", std::string{"budget"}});
        document.members.push_back({"problems", http::RawJson{R"([
            {"field":"budget","message":"there is no such field; there are name, tariff"},
            {"field":"run","message":"there is no such field"},{"field":"name","message":"is missing"}])"}});
        return Response::problem(document);
    });
    const auto path = rig.write("job.yaml", "budget: 1\nrun: echo\n");
    EXPECT_EQ(rig.run({"site", "set", "-f", path}), 1);
    EXPECT_EQ(rig.err, "weir: " + path + ":1:9: budget: there is no such field; there are name, tariff\n" + path +
                           ":2:6: run: there is no such field\nname: is missing\n");
}

TEST(Audit, VerifyIsAProgramOfItsOwnAndSaysSo) {
    Rig rig;
    EXPECT_EQ(rig.run({"audit", "--help"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("verify"));
    EXPECT_EQ(rig.run({"--json", "audit", "verify"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("with no option before audit"));
}

TEST(Audit, PrintsEachEntryAsALineAsItWasHashed) {
    Rig rig;
    const std::string first =
        R"({"revision":12,"type":42,"at":"2026-11-22T05:00:00.000000001Z","actor":"subject:ann",)"
        R"("event":{"a":"\u001b \"算\" \\","b":"9007199254740993","c":[],"d":{}}})";
    const std::string second = R"({"revision":11,"type":1,"at":"2026-11-22T05:00:00Z","actor":"system","event":{"epoch":1}})";
    rig.on("GET /v1/audit", [&](const http::Request& request) {
        return request.query_value("cursor") ? json(R"({"items":[)" + second + R"(],"revision":12})")
                                             : json(R"({"items":[)" + first + R"(],"next_cursor":"c1","revision":12})");
    });
    ASSERT_EQ(rig.run({"audit", "log", "--json"}), 0) << rig.err;
    EXPECT_EQ(rig.out, first + "\n" + second + "\n");
}

TEST(Audit, AsksForWhatIsWantedAndSaysWhereThereIsNothing) {
    Rig rig;
    std::string asked;
    rig.on("GET /v1/audit", [&](const http::Request& request) {
        asked = fmt::format("{} {} {} {}", request.query_value("actor").value_or("-"), request.query_value("type").value_or("-"),
                            request.query_value("job").value_or("-"), request.query_value("project").value_or("-"));
        return json(R"({"items":[],"revision":12})");
    });
    ASSERT_EQ(rig.run({"audit", "log", "--actor", "ann", "--type", "job_placed", "--job", job_a, "--project", "vision"}), 0) << rig.err;
    EXPECT_EQ(asked, std::string{"ann job_placed "} + job_a + " vision");
    EXPECT_EQ(rig.err, std::string{"weir: no entry of the journal is there with --actor ann with --type job_placed with --job "} + job_a +
                           " with --project vision; an actor is written subject:NAME, agent:SITE or system\n");
    ASSERT_EQ(rig.run({"audit", "log", "--json", "--type", "job_placed"}), 0);
    EXPECT_EQ(rig.out, "");
    EXPECT_EQ(rig.err, "weir: no entry of the journal is there with --type job_placed\n");
}

TEST(Audit, ShowsWhatHappened) {
    Rig rig;
    rig.on("GET /v1/audit",
           R"({"items":[{"revision":12,"type":42,"at":"2026-11-22T05:00:00Z","actor":"subject:ann",
        "event":{"job":"job-1","generation":1,"to":"running"}}],"revision":12})");
    ASSERT_EQ(rig.run({"audit", "log"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "REVISION  TIME                 ACTOR        EVENT              ABOUT\n"
              "      12  2026-11-22 05:00:00  subject:ann  job_state_changed  job=job-1 generation=1 to=running\n");
}

}  // namespace
}  // namespace weir::cli
