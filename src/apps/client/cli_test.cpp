// Goal: every command says what the server said, ends with the documented exit code, and repeats only what may be
// repeated.
// Method: whole command lines against a server in this process that answers what each test wrote down.
#include "apps/client/cli.hpp"

#include "codec/value.hpp"
#include "transport/http/server/server.hpp"
#include "transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

namespace weir::cli {
namespace {

using http::Response;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace fs = std::filesystem;

/// Gives a text and then breaks the connection.
class Broken final : public http::BodySource {
public:
    explicit Broken(std::string text) : text_{std::move(text)} {}
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return std::nullopt; }
    std::optional<std::size_t> read(std::span<char> into) override {
        if (text_.empty()) return std::nullopt;
        const auto size = text_.copy(into.data(), into.size());
        text_.erase(0, size);
        return size;
    }

private:
    std::string text_;
};

Response json(std::string text, int status = 200) { return Response::json(status, std::move(text)); }
Response broken(std::string text = {}) { return Response::pulled("text/plain", std::make_unique<Broken>(std::move(text))); }
Response problem(int status, std::string detail, std::string field = {}) {
    http::Problem document;
    document.type = http::problem_type("some_case");
    document.status = status;
    document.detail = std::move(detail);
    if (!field.empty()) document.members.push_back({"field", field});
    return Response::problem(document);
}
Response piece(std::string text, std::uint64_t next, bool ended) {
    return Response::text(200, std::move(text)).with_header("Weir-Log-Next", std::to_string(next)).with_header("Weir-Log-Ended", ended ? "true" : "false");
}

constexpr const char* catalogue = R"({"items":[{"model":"cpu"},{"model":"H800"}],"revision":1})";
constexpr const char* one_project = R"({"actor":"subject:ann","subject":"ann","scopes":["write"],"projects":[{"project":"vision","roles":["owner"]}],"revision":1})";
constexpr const char* job_a = "job-01kaj3aaaaaaaaaaaaaaaaaaaa";
constexpr const char* job_b = "job-01kaj3bbbbbbbbbbbbbbbbbbbb";

/// A server with answers for each `METHOD /path`: in turn, the last one again and again.
class Rig {
public:
    using Answer = std::function<Response(const http::Request&)>;

    Rig() {
        char name[] = "/tmp/weir-cli-XXXXXX";
        folder_ = ::mkdtemp(name);
        http::Router router;
        using enum http::Method;
        for (const auto method : {get, post, put, del}) {
            EXPECT_TRUE(router.add({.method = method, .pattern = "/{rest...}", .handler = http::answer_with([this](const http::Request& request) { return answer(request); }), .options = {}}));
        }
        auto started = http::Server::start(std::move(router));
        EXPECT_TRUE(started);
        server_.emplace(std::move(*started));
        environment["WEIR_SERVER"] = server_->url();
        environment["WEIR_TOKEN"] = "secret";
        environment["HOME"] = folder_.string();
    }
    ~Rig() {
        server_.reset();
        fs::remove_all(folder_);
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    void on(const std::string& what, Answer made) { answers_[what].push_back(std::move(made)); }
    void on(const std::string& what, std::string text) {
        on(what, [text = std::move(text)](const http::Request&) { return json(text); });
    }

    int run(std::vector<std::string> arguments, std::string input = {}) {
        std::istringstream in{std::move(input)};
        std::ostringstream out_stream;
        std::ostringstream err_stream;
        std::uint64_t chance = 0;
        Console console{.in = in, .out = out_stream, .err = err_stream, .width = width};
        console.environment = [this](const std::string& name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional{found->second};
        };
        console.now = [] { return *parse_utc("2026-11-22T06:00:00Z"); };
        console.new_uid = [&] { return make_uid(console.now(), 7, ++chance); };
        console.sleep = [this](Duration length) { slept.push_back(length); };
        console.local_time = [](Instant at) {
            const std::time_t whole = floor_seconds(at);
            std::tm parts{};
            ::gmtime_r(&whole, &parts);
            return parts;
        };
        const int code = cli::run(arguments, console);
        out = out_stream.str();
        err = err_stream.str();
        return code;
    }

    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
        const auto path = folder_ / name;
        std::ofstream{path} << text;
        return path.string();
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
    [[nodiscard]] std::vector<std::string> seen(const std::string& start) {
        const std::lock_guard lock{mutex_};
        std::vector<std::string> found;
        for (const auto& one : seen_) {
            if (one.starts_with(start)) found.push_back(one);
        }
        return found;
    }
    void stop() { server_->stop({}); }
    [[nodiscard]] std::string url() const { return server_->url(); }

    std::map<std::string, std::string> environment;
    std::size_t width = 0;
    std::string out;
    std::string err;
    std::vector<Duration> slept;

private:
    Response answer(const http::Request& request) {
        const std::lock_guard lock{mutex_};
        const auto what = std::string{http::name_of(request.method)} + " " + request.path;
        seen_.push_back(what + " " + std::string{request.header("Last-Event-ID").value_or("")} + request.body + " " + std::string{request.bearer_token().value_or("")});
        const auto found = answers_.find(what);
        if (found == answers_.end()) return problem(404, "nothing is written down for " + what);
        auto made = found->second.front();
        if (found->second.size() > 1) found->second.pop_front();
        return made(request);
    }

    fs::path folder_;
    std::mutex mutex_;
    std::map<std::string, std::deque<Answer>> answers_;
    std::vector<std::string> seen_;
    std::optional<http::Server> server_;
};

void serve_submission(Rig& rig) {
    rig.on("GET /v1/whoami", one_project);
    rig.on("GET /v1/catalog", catalogue);
}

std::string good_job(const Rig& rig) { return rig.write("job.yaml", "name: hello\nresources:\n  accelerators: cpu:1\nrun: echo hi\n"); }

// ---- the command line

TEST(Arguments, HelpIsNoErrorAndNonsenseIs) {
    Rig rig;
    EXPECT_EQ(rig.run({"--help"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("submit"));
    EXPECT_EQ(rig.run({"job", "--help"}), 0);
    for (const auto& wrong : std::vector<std::vector<std::string>>{{}, {"jobs"}, {"job"}, {"job", "show"}, {"submit"}, {"job", "list", "--limit", "0"}, {"job", "logs", job_a, "--node", "x"}, {"whoami", "--wat"}}) {
        EXPECT_EQ(rig.run(wrong), 2) << testing::PrintToString(wrong);
        EXPECT_NE(rig.err, "");
    }
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

TEST(ExitCode, FollowsTheStatusOfTheAnswer) {
    struct Case {
        int status;
        int reading;
        int changing;
    };
    for (const auto& [status, reading, changing] : {Case{400, 1, 1}, {401, 4, 4}, {402, 1, 1}, {403, 4, 4}, {404, 5, 5}, {409, 1, 1}, {422, 1, 1}, {429, 1, 1}, {500, 1, 6}, {503, 3, 3}}) {
        Rig rig;
        rig.on("GET /v1/organisations/lab", [status](const auto&) { return problem(status, "asked 3 and 2 are left", "name"); });
        rig.on("POST /v1/organisations", [status](const auto&) { return problem(status, "asked 3 and 2 are left", "name"); });
        EXPECT_EQ(rig.run({"org", "show", "lab"}), reading) << status;
        EXPECT_THAT(rig.err, StartsWith("weir: asked 3 and 2 are left\n  field: name\n"));
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
    for (const auto& [text, said] : {Case{"name: hello\nresources:\n  accelerators: cpu:1\n  memory: 4\nrun: echo\n", ":4:11: resources.memory: "},
                                     {"name: hello\nresources:\n  accelerators: cpu:1\nrunn: echo\n", ":4:1: runn: "},
                                     {"name: hello\nresources:\n  accelerators: [cpu:1, H8000:2]\nrun: echo\n", ":3:25: resources.accelerators[1]"},
                                     {"name: hello\nresources:\n  accelerators: cpu:1\nrun: echo\nnum_nodes: 0\n", ":5:12: num_nodes: "},
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
    EXPECT_EQ(rig.run({"submit", "-", "--project", "other"}, R"({"name":"hello","resources":{"accelerators":"cpu:1"},"run":"echo"})"), 0) << rig.err;
    EXPECT_THAT(rig.seen("POST /v1/jobs").front(), HasSubstr(R"("project":"other")"));
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

// ---- jobs

constexpr const char* two_jobs = R"({"items":[
    {"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa","project":"vision","name":"digits","state":"running","reason":"none","site":"pidu-core","model":"H800","emulated":true,"num_nodes":1,"since":"2026-11-22T05:00:00Z"},
    {"id":"job-01kaj3bbbbbbbbbbbbbbbbbbbb","project":"vision","name":"hello","state":"queued","reason":"submitted","emulated":false,"num_nodes":1,"since":"2026-11-22T05:30:00Z"}],"revision":4})";

TEST(Jobs, AreListedWithEmulatedCardsMarked) {
    Rig rig;
    rig.on("GET /v1/jobs", two_jobs);
    ASSERT_EQ(rig.run({"job", "list"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "ID                              NAME    PROJECT  STATE    REASON     SITE       MODEL            NODES  SINCE\n"
              "job-01kaj3aaaaaaaaaaaaaaaaaaaa  digits  vision   running  none       pidu-core  H800 (emulated)      1  2026-11-22 05:00:00\n"
              "job-01kaj3bbbbbbbbbbbbbbbbbbbb  hello   vision   queued   submitted                                  1  2026-11-22 05:30:00\n");
    rig.width = 80;
    ASSERT_EQ(rig.run({"job", "list"}), 0);
    std::istringstream lines{rig.out};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 82U) << line;  // An ellipsis has 3 bytes.
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
    EXPECT_EQ(rig.run({"job", "cancel", "01kaj3"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("means 2 jobs"));
    EXPECT_EQ(rig.run({"job", "cancel", "bbbbb"}), 2);
    EXPECT_EQ(rig.run({"job", "cancel", "cccccc"}), 5);
}

TEST(Jobs, BillAddsUpWhatTheTenantPays) {
    Rig rig;
    rig.on(std::string{"GET /v1/jobs/"} + job_a + "/bill", std::string{R"({"job":")"} + job_a + R"(","final":true,"lines":[
        {"generation":1,"site":"pidu-core","model":"H800","emulated":true,"fen_per_card_hour":1200,"used":3600000,"payer":"tenant","amount":1200},
        {"generation":1,"site":"pidu-core","model":"H800","emulated":true,"fen_per_card_hour":1200,"used":360000,"payer":"provider","lost":"provider_fault","amount":0}],
        "paid":[{"source":"prepaid","held":5000,"captured":1200}],"revision":4})");
    ASSERT_EQ(rig.run({"job", "bill", job_a}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("  1  pidu-core    H800 (emulated)       1.000           12.00  tenant                          12.00\n"));
    EXPECT_THAT(rig.out, HasSubstr("prepaid        50.00      12.00\n"));
}

TEST(Pages, AreFollowedUpToTheLimit) {
    Rig rig;
    std::vector<std::string> asked;
    rig.on("GET /v1/sites", [&](const http::Request& request) {
        asked.emplace_back(request.query_value("limit").value_or(""));
        return request.query_value("cursor") ? json(R"({"items":[{"name":"b"}],"next_cursor":"c2","revision":1})") : json(R"({"items":[{"name":"a"}],"next_cursor":"c1","revision":1})");
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

TEST(Watch, GoesOnAfterTheLastEvent) {
    Rig rig;
    const auto events = [](int first, int last) {
        const auto stream = http::Stream::open();
        for (int i = first; i <= last; ++i) {
            const auto revision = std::to_string(i);
            (void)stream.push(http::format_event({revision, "job_finished", R"({"revision":)" + revision + R"(,"type":47,"at":"2026-11-22T05:00:00Z","actor":"system","event":{"job":"job-1"}})"}));
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
    const std::string sheet = R"({"ledgers":[{"ledger":1,"title":"cash","lines":[{"code":"bank","accounts":1,"debits_posted":1050}],"debits_posted":1050,"credits_posted":1050,"balanced":)";
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
    rig.on("POST /v1/sites/pidu-core/agent-token", R"({"id":"tok-1","repeated":true,"revision":5})");
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--expires", "30d"}), 0);
    EXPECT_EQ(rig.out, "s3cret\n");
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"("expires_at":"2026-12-22T06:00:00Z")"));
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--to", rig.path("agent.token")}), 0);
    EXPECT_EQ(rig.out, "");
    EXPECT_EQ(fs::status(rig.path("agent.token")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core"}), 6);  // An earlier attempt took the secret along.
    EXPECT_EQ(rig.run({"site", "agent-token", "pidu-core", "--expires", "soon"}), 2);
}

TEST(Sites, NodesShowEmulatedCards) {
    Rig rig;
    rig.on("GET /v1/nodes", R"({"items":[{"site":"pidu-core","name":"n1","cards":[{"model":"H800","count":8,"memory":"80GiB","slicing":"fractional","emulated":true},{"model":"cpu","count":2,"memory":"0MiB","slicing":"exclusive","emulated":false}],"cpus":64,"memory":"512GiB","position":["a","r1"],"healthy":true,"reachable":true}],"revision":1})");
    ASSERT_EQ(rig.run({"node", "list"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "SITE       NODE  CARDS                                      CPUS  MEMORY  STATE    POSITION\n"
              "pidu-core  n1    8 x H800 (emulated) in fractions, 2 x cpu    64  512GiB  healthy  a, r1\n");
}

TEST(Sites, AFileIsSentAndItsRefusedFieldIsFound) {
    Rig rig;
    rig.on("POST /v1/sites", [](const auto&) { return problem(422, "the tariff names no model", "tariff[1].model"); });
    const auto path = rig.write("site.yaml", "name: pidu-core\ntariff:\n  - {model: cpu, fen_per_card_hour: 18}\n  - {model: nope, fen_per_card_hour: 1}\n");
    EXPECT_EQ(rig.run({"site", "set", "-f", path}), 1);
    EXPECT_THAT(rig.err, HasSubstr(path + ":4:13: the tariff names no model"));
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"({"name":"pidu-core","tariff":[{"model":"cpu","fen_per_card_hour":18})"));
}

TEST(Audit, ShowsWhatHappened) {
    Rig rig;
    rig.on("GET /v1/audit", R"({"items":[{"revision":12,"type":42,"at":"2026-11-22T05:00:00Z","actor":"subject:ann","event":{"job":"job-1","generation":1,"to":"running"}}],"revision":12})");
    ASSERT_EQ(rig.run({"audit", "log"}), 0) << rig.err;
    EXPECT_EQ(rig.out,
              "REVISION  TIME                 ACTOR        EVENT              ABOUT\n"
              "      12  2026-11-22 05:00:00  subject:ann  job_state_changed  job=job-1 generation=1 to=running\n");
}

}  // namespace
}  // namespace weir::cli
