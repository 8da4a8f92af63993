// Goal: every command line ends with the documented exit code, repeats only what may be repeated, and refuses a wrong
// file before anything is sent.
#include "apps/client/session.hpp"
#include "apps/client/test_rig.hpp"
#include "apps/version/version.hpp"

namespace weir::cli {
namespace {

TEST(Arguments, HelpIsNoErrorAndNonsenseIs) {
    Rig rig;
    EXPECT_EQ(rig.run({"--help"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("submit"));
    EXPECT_THAT(rig.out, HasSubstr("12 done, but its output could not be written"));
    EXPECT_EQ(rig.run({"job", "--help"}), 0);
    for (const auto& wrong : std::vector<std::vector<std::string>>{{},
                                                                   {"jobs"},
                                                                   {"job"},
                                                                   {"job", "show"},
                                                                   {"submit"},
                                                                   {"job", "list", "--limit", "0"},
                                                                   {"job", "logs", job_a, "--node", "x"},
                                                                   {"whoami", "--wat"}}) {
        EXPECT_EQ(rig.run(wrong), 2) << testing::PrintToString(wrong);
        EXPECT_NE(rig.err, "");
    }
    EXPECT_EQ(rig.run({"--server", "http://127.0.0.1:1", "job", "lsit"}), 2);
    EXPECT_EQ(rig.err, "weir: weir job has no command \"lsit\", did you mean list; see: weir job --help\n");
}

TEST(Arguments, VersionIsToldWithoutAServerOrAToken) {
    Rig rig;
    rig.stop();
    rig.environment.erase("WEIR_TOKEN");
    EXPECT_EQ(rig.run({"--version"}), 0);
    EXPECT_EQ(rig.out, "weir " + std::string{version()} + "\n");
    EXPECT_EQ(rig.run({"job", "list", "--version"}), 0);
    EXPECT_THAT(rig.out, StartsWith("weir "));
}

TEST(Arguments, KnowsItsOwnCommands) {
    EXPECT_TRUE(is_client_command("submit"));
    EXPECT_TRUE(is_client_command("audit"));
    EXPECT_FALSE(is_client_command("server"));
    EXPECT_FALSE(is_client_command("--json"));
}

TEST(Arguments, GlobalFlagsStandBeforeOrBehindTheCommand) {
    Rig rig;
    rig.on("GET /v1/whoami", one_project);
    EXPECT_EQ(rig.run({"--json", "whoami"}), 0);
    EXPECT_EQ(rig.out, std::string{one_project} + "\n");
    EXPECT_EQ(rig.run({"whoami", "--json"}), 0);
    EXPECT_EQ(rig.out, std::string{one_project} + "\n");
}

// ---- exit codes

TEST(ExitCode, SaysThatTheOutputCouldNotBeWritten) {
    Rig rig;
    rig.on("GET /v1/whoami", one_project);
    rig.disk_is_full = true;
    EXPECT_EQ(rig.run({"whoami"}), 12);
    EXPECT_THAT(rig.err, StartsWith("weir: what there is to say could not be written"));
    EXPECT_EQ(rig.run({"--help"}), 12);
    EXPECT_THAT(rig.err, HasSubstr("could not be written"));
}

TEST(ExitCode, OfAChangeWithAnAnswerThatIsNoneIsAnUnknownOutcome) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", [](const http::Request&) { return Response::text(200, "<html>welcome to the hotel</html>"); });
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 6);
    EXPECT_THAT(rig.err, HasSubstr("the answer is no JSON"));
    EXPECT_THAT(rig.err, HasSubstr("repeat with: weir submit"));
    rig.on("GET /v1/sites", [](const http::Request&) { return Response::text(200, "<html>"); });
    EXPECT_EQ(rig.run({"site", "list"}), 1) << "a question changes nothing";
}

TEST(ExitCode, FollowsTheStatusOfTheAnswer) {
    struct Case {
        int status;
        int reading;
        int changing;
    };
    for (const auto& [status, reading, changing] : {Case{400, 1, 1},
                                                    {401, 4, 4},
                                                    {402, 1, 1},
                                                    {403, 4, 4},
                                                    {404, 5, 5},
                                                    {409, 1, 1},
                                                    {422, 1, 1},
                                                    {429, 1, 1},
                                                    {500, 1, 6},
                                                    {503, 3, 3}}) {
        Rig rig;
        rig.on("GET /v1/organisations/lab", [status](const auto&) { return problem(status, "asked 3 and 2 are left", "name"); });
        rig.on("POST /v1/organisations", [status](const auto&) { return problem(status, "asked 3 and 2 are left", "name"); });
        EXPECT_EQ(rig.run({"org", "show", "lab"}), reading) << status;
        // A field of what does not exist is no news.
        EXPECT_THAT(rig.err, StartsWith("weir: asked 3 and 2 are left\n"));
        EXPECT_EQ(rig.err.contains("\n  field: name\n"), status != 404) << status;
        EXPECT_EQ(rig.run({"org", "set", "lab", "--kind", "startup"}), changing) << status;
    }
}

TEST(ExitCode, ThreeWhereNobodyListens) {
    Rig rig;
    rig.stop();
    EXPECT_EQ(rig.run({"whoami"}), 3);
    EXPECT_THAT(rig.err, HasSubstr(rig.url()));
    EXPECT_TRUE(rig.slept.empty());
}

TEST(ExitCode, FourWithoutAToken) {
    Rig rig;
    rig.environment.erase("WEIR_TOKEN");
    EXPECT_EQ(rig.run({"whoami"}), 4);
    EXPECT_THAT(rig.err, HasSubstr("weir login"));
}

TEST(Session, WaitsAsLongAsTheServerAsks) {
    Rig rig;
    rig.on("GET /v1/whoami", [](const auto&) { return http::too_many_requests(seconds(7), "too many"); });
    rig.on("GET /v1/whoami", one_project);
    EXPECT_EQ(rig.run({"whoami"}), 0);
    EXPECT_THAT(rig.slept, ElementsAre(seconds(7)));
}

TEST(Session, AsksAgainAfterABrokenConnection) {
    Rig rig;
    rig.on("GET /v1/whoami", [](const auto&) { return broken("{"); });
    rig.on("GET /v1/whoami", one_project);
    EXPECT_EQ(rig.run({"whoami"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("vision"));
}

// ---- login

TEST(Session, AsksTheOtherServersWhereOneIsAwayOrDoesNotLead) {
    Rig rig;
    Rig standby;
    const auto refuse = [](const http::Request&) {
        return problem(503, "this server stands by", {}, "not_leader").with_header("Retry-After", "1");
    };
    standby.on("GET /v1/whoami", refuse);
    rig.on("GET /v1/whoami", one_project);
    const auto dead = [] { return Rig{}.url(); }();
    rig.environment["WEIR_SERVER"] = dead + " , " + standby.url() + "/," + rig.url();
    EXPECT_EQ(rig.run({"whoami"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr(rig.url())) << "the one that answered is told";
    EXPECT_TRUE(rig.slept.empty());
    EXPECT_EQ(standby.seen("GET /v1/whoami").size(), 1U);

    rig.environment["WEIR_SERVER"] = dead + "," + standby.url();
    EXPECT_EQ(rig.run({"whoami"}), 3) << "nobody leads, after a while";
    EXPECT_EQ(rig.slept.size(), static_cast<std::size_t>(most_rounds - 1));
    EXPECT_EQ(rig.run({"--server", "http://a,b", "whoami"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("at most 8"));
}

TEST(Session, RepeatsAChangeAtAnotherServerUnderTheSameKey) {
    Rig rig;
    Rig frozen;
    serve_submission(rig);
    serve_submission(frozen);
    frozen.on("POST /v1/jobs", [](const http::Request&) { return broken(); });
    rig.on("POST /v1/jobs", [](const http::Request&) { return json(R"({"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa"})", 201); });
    rig.environment["WEIR_SERVER"] = frozen.url() + "," + rig.url();
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 0) << rig.err;
    ASSERT_EQ(frozen.seen("POST /v1/jobs").size(), 1U);
    EXPECT_EQ(frozen.seen("POST /v1/jobs"), rig.seen("POST /v1/jobs")) << "the same job, known by its id";
}

TEST(Login, StoresForTheOwnerAloneWhatWorks) {
    Rig rig;
    rig.environment.erase("WEIR_TOKEN");
    rig.on("GET /v1/whoami", one_project);
    ASSERT_EQ(rig.run({"login"}, "a-token\n"), 0) << rig.err;
    const auto path = rig.path(".config/weir/config.yaml");
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(rig.run({"whoami"}), 0);
    EXPECT_THAT(rig.seen("GET /v1/whoami").back(), HasSubstr("a-token"));
    EXPECT_THAT(rig.out + rig.err, Not(HasSubstr("a-token")));
}

TEST(Login, StoresNothingThatTheServerRefuses) {
    Rig rig;
    rig.on("GET /v1/whoami", [](const auto&) { return problem(401, "the token is not known"); });
    EXPECT_EQ(rig.run({"login"}, "wrong\n"), 4);
    EXPECT_FALSE(fs::exists(rig.path(".config")));
}

TEST(Login, TheStoredTokenGoesToItsServerAlone) {
    Rig rig;
    rig.environment.erase("WEIR_TOKEN");
    fs::create_directories(rig.path(".config/weir"));
    (void)rig.write(".config/weir/config.yaml", "server: http://127.0.0.1:1\ntoken: stored\n");
    EXPECT_EQ(rig.run({"whoami"}), 4);
    EXPECT_TRUE(rig.seen("GET").empty());
}

TEST(Login, TheStoredTokenGoesToEachServerOfTheStoredOnes) {
    Rig rig;
    rig.environment.erase("WEIR_TOKEN");
    rig.on("GET /v1/whoami", one_project);
    rig.environment.erase("WEIR_SERVER");
    const auto list = "http://127.0.0.1:1," + rig.url();
    ASSERT_EQ(rig.run({"--server", list, "login"}, "stored\n"), 0) << rig.err;
    EXPECT_EQ(rig.run({"whoami"}), 0) << rig.err;
    EXPECT_EQ(rig.run({"--server", rig.url() + "/", "whoami"}), 0) << rig.err;
    EXPECT_EQ(rig.run({"--server", rig.url() + ",http://127.0.0.1:2", "whoami"}), 4) << "one of them is not known";
}

TEST(Login, AWrongFileIsNamedWithItsLine) {
    Rig rig;
    fs::create_directories(rig.path(".config/weir"));
    const auto path = rig.write(".config/weir/config.yaml", "server: http://127.0.0.1:1\ntokne: stored\n");
    EXPECT_EQ(rig.run({"whoami"}), 2);
    EXPECT_THAT(rig.err, HasSubstr(path + ":2:1: "));
    EXPECT_THAT(rig.err, HasSubstr("token"));
}

// ---- submit

TEST(Submit, SendsTheSameIdAgainAfterABrokenConnection) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", [](const auto&) { return broken(); });
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":true,"revision":9})");
    ASSERT_EQ(rig.run({"submit", good_job(rig)}), 0) << rig.err;
    const auto sent = rig.seen("POST /v1/jobs");
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0], sent[1]);
    const auto id = rig.out.substr(0, rig.out.find('\n'));
    EXPECT_THAT(id, StartsWith("job-"));
    EXPECT_THAT(sent[0], HasSubstr("\"id\":\"" + id + "\",\"project\":\"vision\",\"spec\":{\"name\":\"hello\""));
}

TEST(Submit, IsNoRefusalWhereOnlyTheIdCannotBeWritten) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    rig.disk_is_full = true;
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", job_a}), 12) << "a script that repeats it would pay twice";
    EXPECT_THAT(rig.err, HasSubstr(std::string{"submitted: "} + job_a));
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", job_a, "--json"}), 12);
    EXPECT_THAT(rig.err, HasSubstr(std::string{"submitted: "} + job_a));
}

TEST(Submit, SaysHowToRepeatWhereTheOutcomeIsUnknown) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", [](const auto&) { return broken(); });
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 6);
    EXPECT_EQ(rig.seen("POST /v1/jobs").size(), 5U);
    EXPECT_EQ(rig.out, "");
    EXPECT_THAT(rig.err, HasSubstr("--project vision --id job-"));
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", job_a}), 6);
    EXPECT_THAT(rig.seen("POST /v1/jobs").back(), HasSubstr(job_a));
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", "mine"}), 2);
}

TEST(Submit, NamesFileLineAndFieldBeforeAnythingIsSent) {
    struct Case {
        const char* text;
        const char* said;
    };
    for (const auto& [text, said] :
         {Case{"name: hello\nresources:\n  accelerators: cpu:1\n  memory: 4\nrun: echo\n", ":4:11: resources.memory: "},
          {"name: hello\nresources:\n  accelerators: cpu:1\nrunn: echo\n", ":4:1: runn: "},
          {"name: hello\nresources:\n  accelerators: [cpu:1, H8000:2]\nrun: echo\n", ":3:25: resources.accelerators[1]"},
          {"name: hello\nresources:\n  accelerators: {cpu: 1, H8000: 2}\nrun: echo\n", ":3:33: resources.accelerators[1]"},
          {"name: hello\nresources:\n  accelerators:\n    cpu: 1\n    H800: many\nrun: echo\n", ":5:11: resources.accelerators.H800: "},
          {"name: hello\nresources:\n  accelerators: cpu:1\nrun: echo\nnum_nodes: 0\n", ":5:12: num_nodes: "},
          {"name: hello\nresources:\n  accelerators: cpu:1\nrun: echo\nmax_duration: 60\n",
           ":5:15: max_duration: is 60 without a unit; write 60s for seconds, 60m for minutes"},
          {"name: hello\nname: again\n", ":2:1: "}}) {
        Rig rig;
        serve_submission(rig);
        const auto path = rig.write("bad.yaml", text);
        EXPECT_EQ(rig.run({"submit", path}), 2) << text;
        EXPECT_THAT(rig.err, HasSubstr(path + said));
        EXPECT_TRUE(rig.seen("POST").empty());
    }
}

TEST(Submit, ReadsJsonAndStandardInput) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    EXPECT_EQ(rig.run({"submit", "-", "--project", "other"}, R"({"name":"hello","resources":{"accelerators":"cpu:1"},"run":"echo"})"), 0)
        << rig.err;
    EXPECT_THAT(rig.seen("POST /v1/jobs").front(), HasSubstr(R"("project":"other")"));
    EXPECT_THAT(rig.seen("POST /v1/jobs").front(), HasSubstr(R"("max_duration":3600)"));
    EXPECT_EQ(rig.run({"submit", "-"}, R"({"name":5})"), 2);
    EXPECT_THAT(rig.err, HasSubstr("standard input:1:9: name: "));
}

TEST(Submit, PutsTheLineInFrontOfAFieldThatTheServerRefuses) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", [](const auto&) { return problem(422, "the budget is too small", "spec.run"); });
    const auto path = good_job(rig);
    EXPECT_EQ(rig.run({"submit", path}), 1);
    EXPECT_THAT(rig.err, HasSubstr(path + ":4:6: the budget is too small"));
}

TEST(Submit, FundingOfTheCommandLineReplacesThatOfTheFile) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    const auto* voucher = "vch-01kaj3aaaaaaaaaaaaaaaaaaaa";
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--funding", voucher, "--funding", "prepaid"}), 0) << rig.err;
    EXPECT_THAT(rig.seen("POST /v1/jobs").back(), HasSubstr(R"("funding":["vch-01kaj3aaaaaaaaaaaaaaaaaaaa","prepaid"])"));
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--funding", "vch-1"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("--funding is 'vch-1' and must be prepaid, or the id of a voucher"));
}

TEST(Submit, NeedsToKnowTheProject) {
    Rig rig;
    rig.on("GET /v1/whoami", R"({"projects":[{"project":"a","roles":[]},{"project":"b","roles":[]}]})");
    EXPECT_EQ(rig.run({"submit", good_job(rig)}), 2);
    EXPECT_THAT(rig.err, HasSubstr("2 projects: a, b"));
}

TEST(Submit, WaitEndsWithTheJob) {
    Rig rig;
    serve_submission(rig);
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    const std::string id = job_a;
    const auto path = "GET /v1/jobs/" + id;
    rig.on(path, R"({"state":"running","site":"pidu-core","model":"H800","emulated":true})");
    rig.on(path, R"({"state":"succeeded","exit_code":0})");
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", id, "--wait"}), 0) << rig.err;
    EXPECT_EQ(rig.out, id + "\n" + id + " succeeded\n");
    rig.on(path, R"({"state":"failed","reason":"exit_code","exit_code":3})");
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", id, "--wait"}), 0);
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", id, "--wait"}), 10);
    EXPECT_THAT(rig.out, HasSubstr("failed: exit_code 3"));
}

// A script that took this for "nothing was changed" would submit, and pay, twice.
TEST(Submit, ThatLosesTheServerSaysThatTheJobIsThere) {
    Rig rig;
    serve_submission(rig);
    const std::string id = job_a;
    const auto path = good_job(rig);
    rig.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    rig.on("GET /v1/jobs/" + id, [](const auto&) { return problem(503, "the server is stopping"); });
    EXPECT_EQ(rig.run({"submit", path, "--id", id, "--funding", "prepaid", "--wait"}), 11);
    EXPECT_EQ(rig.out, id + "\n");
    EXPECT_EQ(rig.err, "weir: the server is stopping; " + id + " was submitted and its end was not seen: look at it with: weir job show " +
                           id + ", or wait again with: weir submit " + path + " --project vision --id " + id +
                           " --funding prepaid --wait, which does no harm\n");
    Rig other;
    serve_submission(other);
    other.on("POST /v1/jobs", R"({"id":"x","repeated":false,"revision":9})");
    other.on("GET /v1/jobs/" + id, [](const auto&) { return problem(401, "the token was revoked"); });
    EXPECT_EQ(other.run({"submit", path, "--id", id, "--wait"}), 11) << "nor is the submission refused that was taken";
}

TEST(Submit, WaitTellsAProgramOfTheSubmissionBeforeItWaits) {
    Rig rig;
    serve_submission(rig);
    const std::string made = R"({"id":"x","repeated":false,"revision":9})";
    const std::string over = R"({"state":"succeeded","exit_code":0})";
    rig.on("POST /v1/jobs", made);
    rig.on(std::string{"GET /v1/jobs/"} + job_a, R"({"state":"running"})");
    rig.on(std::string{"GET /v1/jobs/"} + job_a, over);
    EXPECT_EQ(rig.run({"submit", good_job(rig), "--id", job_a, "--wait", "--json"}), 0) << rig.err;
    EXPECT_EQ(rig.read_while_it_slept, made + "\n");
    EXPECT_EQ(rig.out, made + "\n" + over + "\n");
}

}  // namespace
}  // namespace weir::cli
