// Goal: every route answers those who may ask, tells the others no more than they may know, and changes things once.
// Method: a real server and real clients over a small town; tables of who asks for what and what comes back.
#include "transport/api/job_views.hpp"
#include "transport/api/test_server.hpp"
#include "transport/http/server/raw_peer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace weir::api::test {
namespace {

using http::Method;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

std::string problem(std::string_view code) { return "urn:weir:problem:" + std::string{code}; }

TEST(Access, EveryRouteOfV1AsksForAToken) {
    Town town;
    for (const auto& route : town.server->router().routes()) {
        if (!route->pattern.starts_with("/v1/") || route->options.name == "openapi") continue;
        std::string target = route->pattern;
        for (auto at = target.find('{'); at != std::string::npos; at = target.find('{')) target.replace(at, target.find('}') - at + 1, "x");
        for (const std::string person : {"", "weir_0000"}) {
            const auto answer = town.ask(person, route->method, target);
            EXPECT_EQ(answer.status, 401) << route->pattern;
            EXPECT_EQ(text_of(answer.body, "type"), problem("unauthenticated")) << route->pattern;
            EXPECT_EQ(answer.headers.find("WWW-Authenticate"), "Bearer realm=\"weir\"");
        }
    }
}

TEST(Access, AnExpiredTokenIsNoToken) {
    Town town;
    const auto secret =
        town.token_for("ann", {Scope::admin}, {}, Instant{std::chrono::system_clock::now().time_since_epoch().count()} + seconds(600));
    EXPECT_EQ(town.get(secret, "/v1/whoami").status, 200);
    town.wall_shift_ns = seconds(1200).ns;
    const auto answer = town.get(secret, "/v1/whoami");
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(text_of(answer.body, "type"), problem("unauthenticated"));
}

struct Asked {
    std::string person;
    Method method;
    std::string target;
    std::string body;
    int status;
    std::string code;
};

TEST(Access, WhoMayDoWhat) {
    Town town;
    const std::string organisation = R"({"name":"new-lab","kind":"university"})";
    const std::string deposit = R"({"organisation":"lab","amount":100})";
    const std::vector<Asked> table{
        {"root", Method::post, "/v1/organisations", organisation, 201, ""},
        {"root", Method::post, "/v1/organisations", organisation, 200, ""},
        {"ann", Method::post, "/v1/organisations", organisation, 403, "forbidden"},
        {"root", Method::get, "/v1/organisations/lab", "", 200, ""},
        {"ann", Method::get, "/v1/organisations/lab", "", 200, ""},
        {"eve", Method::get, "/v1/organisations/lab", "", 404, "not_found"},
        {"ann", Method::get, "/v1/projects/vision", "", 200, ""},
        {"eve", Method::get, "/v1/projects/vision", "", 404, "not_found"},
        {"aud", Method::get, "/v1/projects/vision", "", 200, ""},
        {"root", Method::post, "/v1/projects", R"({"name":"speech","organisation":"lab"})", 201, ""},
        {"root", Method::post, "/v1/projects", R"({"name":"speech","organisation":"rivals"})", 409, "already_exists_different"},
        {"root", Method::post, "/v1/projects", R"({"name":"p2","organisation":"nobody"})", 404, "not_found"},
        {"ann", Method::put, "/v1/projects/vision/members/bob", R"({"roles":["member"]})", 403, "forbidden"},
        {"own", Method::put, "/v1/projects/vision/members/bob", R"({"roles":["member"]})", 200, ""},
        {"own", Method::put, "/v1/projects/vision/members/bob", R"({"roles":["operator"]})", 422, "bad_value"},
        {"eve", Method::put, "/v1/projects/vision/members/eve", R"({"roles":["owner"]})", 404, "not_found"},
        {"own", Method::put, "/v1/network/roles/own", R"({"roles":["operator"]})", 403, "forbidden"},
        {"root", Method::put, "/v1/network/roles/kim", R"({"roles":["auditor"]})", 200, ""},
        {"root", Method::post, "/v1/sites",
         R"({"name":"west","owner":"owner","region":"cn/sichuan","tariff":[{"model":"A100","fen_per_card_hour":900}]})", 201, ""},
        {"root", Method::post, "/v1/sites",
         R"({"name":"w2","owner":"owner","region":"cn/sichuan","tariff":[{"model":"Q9","fen_per_card_hour":900}]})", 422, "bad_value"},
        {"ann", Method::get, "/v1/sites", "", 200, ""},
        {"ann", Method::get, "/v1/sites/nowhere", "", 404, "not_found"},
        {"agent", Method::get, "/v1/sites", "", 403, "forbidden"},
        {"ann", Method::get, "/v1/catalog", "", 200, ""},
        {"ann", Method::get, "/v1/nodes", "", 200, ""},
        {"fin", Method::post, "/v1/deposits", deposit, 201, ""},
        {"root", Method::post, "/v1/deposits", deposit, 403, "forbidden"},
        {"fin", Method::post, "/v1/deposits", R"({"organisation":"lab","amount":0})", 422, "bad_value"},
        {"fin", Method::get, "/v1/ledger/trial-balance", "", 200, ""},
        {"ann", Method::get, "/v1/ledger/trial-balance", "", 403, "forbidden"},
        {"aud", Method::get, "/v1/audit", "", 200, ""},
        {"ann", Method::get, "/v1/audit", "", 403, "forbidden"},
        {"ann", Method::post, "/v1/jobs", Town::job_body(), 201, ""},
        {"eve", Method::post, "/v1/jobs", Town::job_body(), 404, "not_found"},
        {"ann-reads", Method::post, "/v1/jobs", Town::job_body(), 403, "forbidden"},
        {"aud", Method::post, "/v1/jobs", Town::job_body(), 403, "forbidden"},
        {"ann", Method::post, "/v1/jobs",
         R"({"project":"vision","spec":{"name":"t","resources":{"accelerators":["A101:1"]},"run":"true"}})", 422, "bad_value"},
        {"ann", Method::get, "/v1/jobs/job-nothing/why", "", 404, "not_found"},
        {"ann", Method::del, "/v1/jobs/job-01kaj3y0000000000000000000", "", 404, "not_found"},
        {"ann", Method::post, "/v1/tokens", R"({"scopes":["read"]})", 201, ""},
        {"ann-reads", Method::post, "/v1/tokens", R"({"scopes":["write"]})", 403, "forbidden"},
        {"ann", Method::post, "/v1/tokens", R"({"subject":"root","scopes":["admin"]})", 403, "forbidden"},
        {"ann", Method::del, "/v1/tokens/tok-01kaj3y0000000000000000000", "", 404, "not_found"},
        {"root", Method::post, "/v1/sites/east/agent-token", "{}", 201, ""},
        {"ann", Method::post, "/v1/sites/east/agent-token", "{}", 403, "forbidden"},
        {"root", Method::post, "/v1/sites/nowhere/agent-token", "{}", 404, "not_found"},
        {"root", Method::get, "/v1/tokens?all=true", "", 200, ""},
        {"ann", Method::get, "/v1/tokens?all=true", "", 403, "forbidden"},
        {"ann", Method::get, "/v1/sites/east/desired", "", 403, "forbidden"},
        {"agent", Method::get, "/v1/sites/east/desired?session=00000000000000000000000001", "", 200, ""},
        {"agent", Method::get, "/v1/sites/east/desired", "", 400, "bad_parameter"},
        {"agent", Method::get, "/v1/sites/west/desired", "", 403, "forbidden"},
        {"agent", Method::get, "/v1/watch", "", 403, "forbidden"},
        {"ann", Method::get, "/v1/watch?project=rival", "", 404, "not_found"},
        {"", Method::get, "/healthz", "", 200, ""},
        {"", Method::get, "/readyz", "", 200, ""},
        {"", Method::get, "/metrics", "", 200, ""},
        {"", Method::get, "/v1/openapi.json", "", 200, ""},
    };
    for (const auto& [person, method, target, body, status, code] : table) {
        const auto answer = town.ask(person, method, target, body);
        const auto told = fmt::format("{} {} {} {}: {}", person, http::name_of(method), target, body, answer.body);
        EXPECT_EQ(answer.status, status) << told;
        if (code.empty()) continue;
        EXPECT_EQ(text_of(answer.body, "type"), problem(code)) << told;
        EXPECT_EQ(text_of(answer.body, "instance"), target) << told;
        EXPECT_EQ(answer.headers.find("Content-Type"), http::problem_media_type) << told;
    }
}

// Goal: what the head of a request tells is enough to refuse it: no byte of its body is waited for.
TEST(Access, WhoMaySubmitNowhereIsRefusedBeforeALargeBodyIsRead) {
    Town town;
    const auto nobody = town.token_for("nobody", {Scope::write});
    const auto asked = [&](const std::string& token, std::string_view target) {
        http::RawPeer peer{town.server->port()};
        peer.send(fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 900000\r\n\r\n", target, token));
        const auto answer = peer.answer();
        return answer ? answer->status : 0;
    };
    for (const auto* target : {"/v1/jobs", "/v1/jobs:batch"}) {
        EXPECT_EQ(asked(nobody, target), 403) << target;
        EXPECT_EQ(asked(town.token("ann-reads"), target), 403) << "its scope lets it read alone";
        EXPECT_EQ(asked(town.token("agent"), target), 403) << target;
    }
    EXPECT_EQ(asked(nobody, "/v1/sites/east/report"), 403);
    EXPECT_EQ(asked(town.token("agent"), "/v1/sites/west/report"), 403) << "another site's";
    EXPECT_EQ(town.post(nobody, "/v1/jobs:batch", R"({"jobs":[]})").status, 422) << "a small body is read";
}

TEST(Access, WhatIsAnothersReadsLikeWhatIsNot) {
    Town town;
    const auto job = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const std::string nobodys = "job-01kaj3y0000000000000000000";
    const auto same_but_for_the_id = [](std::string text, const std::string& id) {
        for (auto at = text.find(id); at != std::string::npos; at = text.find(id)) text.replace(at, id.size(), "ID");
        return text;
    };
    for (const std::string part : {"", "/why", "/bill", "/logs"}) {
        const auto foreign = town.get("eve", "/v1/jobs/" + job + part);
        const auto unknown = town.get("eve", "/v1/jobs/" + nobodys + part);
        EXPECT_EQ(foreign.status, 404) << part;
        EXPECT_EQ(same_but_for_the_id(foreign.body, job), same_but_for_the_id(unknown.body, nobodys)) << part;
        EXPECT_NE(same_but_for_the_id(town.get("ann", "/v1/jobs/" + job + part).body, job), same_but_for_the_id(unknown.body, nobodys));
    }
    const auto foreign = town.ask("eve", Method::del, "/v1/jobs/" + job);
    const auto unknown = town.ask("eve", Method::del, "/v1/jobs/" + nobodys);
    EXPECT_EQ(same_but_for_the_id(foreign.body, job), same_but_for_the_id(unknown.body, nobodys));
    EXPECT_EQ(town.get("eve", "/v1/jobs").body.find(job), std::string::npos);
    EXPECT_THAT(town.get("ann", "/v1/jobs").body, HasSubstr(job));
    EXPECT_THAT(town.get("root", "/v1/jobs").body, HasSubstr(job));
    EXPECT_EQ(same_but_for_the_id(town.get("eve", "/v1/projects/vision").body, "vision"),
              same_but_for_the_id(town.get("eve", "/v1/projects/nothing").body, "nothing"));
}

TEST(Tokens, ASecretIsShownOnceAndEndsAtOnce) {
    Town town;
    const auto made = town.ask("ann", Method::post, "/v1/tokens", R"({"scopes":["write"]})", {{"Idempotency-Key", "k1"}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto secret = text_of(made.body, "secret");
    const auto id = text_of(made.body, "id");
    EXPECT_EQ(made.headers.find("Location"), "/v1/tokens/" + id);
    const auto me = town.get(secret, "/v1/whoami").body;
    EXPECT_THAT(me, HasSubstr(R"("actor":"subject:ann")"));
    EXPECT_THAT(me, HasSubstr(R"("scopes":["write"])")) << "what was asked, and no default beside it";
    const auto again = town.ask("ann", Method::post, "/v1/tokens", R"({"scopes":["write"]})", {{"Idempotency-Key", "k1"}});
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(text_of(again.body, "id"), id);
    EXPECT_EQ(text_of(again.body, "secret"), "") << "only the hash was kept";
    EXPECT_EQ(town.get("ann", "/v1/tokens").body.find("hash"), std::string::npos);
    std::string journal;
    for (const auto& record : town.journal.read(1, SIZE_MAX, SIZE_MAX).value()) journal += record.text;
    EXPECT_THAT(journal, HasSubstr(id));
    EXPECT_THAT(journal, Not(HasSubstr(secret)));
    EXPECT_EQ(town.ask("ann", Method::del, "/v1/tokens/" + id).status, 200);
    EXPECT_EQ(town.get(secret, "/v1/whoami").status, 401);
}

TEST(Jobs, AreSubmittedOnceByTheirIdOrTheirKey) {
    Town town;
    const auto id = JobId{town.uid()}.text();
    const auto body = Town::job_body("vision", R"("id":")" + id + R"(",)");
    const auto first = town.post("ann", "/v1/jobs", body);
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(text_of(first.body, "id"), id);
    EXPECT_TRUE(first.headers.find("Weir-Revision"));
    EXPECT_EQ(town.post("ann", "/v1/jobs", body).status, 200);
    auto other = body;
    other.replace(other.find("A100:1"), 6, "A100:2");
    EXPECT_EQ(text_of(town.post("ann", "/v1/jobs", other).body, "type"), problem("already_exists_different"));

    const auto keyed = [&](const std::string& text) {
        return town.ask("ann", Method::post, "/v1/jobs", text, {{"Idempotency-Key", "key-1"}});
    };
    const auto one = keyed(Town::job_body());
    const auto two = keyed(Town::job_body());
    EXPECT_EQ(one.status, 201);
    EXPECT_EQ(two.status, 200);
    EXPECT_EQ(text_of(one.body, "id"), text_of(two.body, "id"));
    EXPECT_EQ(text_of(keyed(Town::job_body("rival")).body, "type"), problem("key_reused"));
    EXPECT_EQ(town.ask("ann", Method::post, "/v1/jobs", Town::job_body(), {{"Idempotency-Key", std::string(200, 'k')}}).status, 422);
}

TEST(Jobs, ComeAsYamlToo) {
    Town town;
    const std::string yaml = "project: vision\nspec:\n  name: hello\n  resources:\n    accelerators: A100:1\n  run: echo hi\n";
    EXPECT_EQ(town.ask("ann", Method::post, "/v1/jobs", yaml, {}, "application/yaml").status, 201);
    const auto bare = town.ask("ann", Method::post, "/v1/jobs", yaml + "\n  max_duration: 60\n", {}, "application/yaml");
    EXPECT_EQ(bare.status, 422) << "a person's file says which unit it means";
    EXPECT_THAT(bare.body, HasSubstr("is 60 without a unit; write 60s for seconds"));
    auto counted = Town::job_body();
    counted.replace(counted.find(R"("run")"), 0, R"("max_duration":60,)");
    EXPECT_EQ(town.post("ann", "/v1/jobs", counted).status, 201) << "a program sends what it is answered";
    EXPECT_EQ(text_of(town.ask("ann", Method::post, "/v1/jobs", yaml).body, "type"), problem("unreadable_body"));
    EXPECT_EQ(text_of(town.ask("ann", Method::post, "/v1/jobs", yaml, {}, "text/html").body, "type"), problem("unsupported_media_type"));
}

TEST(Jobs, WaitWithAReasonAndAreCancelled) {
    Town town;
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto why = town.get("ann", "/v1/jobs/" + id + "/why");
    EXPECT_EQ(why.status, 200);
    EXPECT_THAT(why.body, HasSubstr(R"("waiting":true,"reasons":[{"code":)")) << "the site has reported no nodes";
    EXPECT_EQ(why.body.find("operator_text"), std::string::npos);
    EXPECT_THAT(town.get("root", "/v1/jobs/" + id + "/why").body, HasSubstr("operator_text"));
    EXPECT_THAT(town.get("ann", "/v1/jobs/" + id).body, HasSubstr(R"("state":"queued")"));
    EXPECT_THAT(town.get("ann", "/v1/jobs/" + id + "/bill").body, HasSubstr(R"("final":false)"));
    EXPECT_EQ(town.ask("ann", Method::del, "/v1/jobs/" + id).status, 200);
    EXPECT_THAT(town.get("ann", "/v1/jobs/" + id).body, HasSubstr(R"("state":"cancelled")"));
    EXPECT_EQ(text_of(town.get("ann", "/v1/jobs/" + id + "/why").body, "type"), problem("already_finished"));
}

TEST(Jobs, OfABatchAreEachAnsweredAlone) {
    Town town;
    const auto answer = town.post("ann", "/v1/jobs:batch",
                                  R"({"jobs":[)" + Town::job_body() + "," + Town::job_body("rival") +
                                      R"(,{"project":"vision","spec":{"nome":"x"}},)" + Town::job_body() + "]}");
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto value = codec::read_json(answer.body);
    const auto* items = value->find("items")->array();
    ASSERT_EQ(items->size(), 4U);
    const auto status = [&](std::size_t i) { return *(*items)[i].find("status")->integer(); };
    EXPECT_EQ(status(0), 201);
    EXPECT_EQ(status(1), 404);
    EXPECT_EQ(status(2), 422);
    EXPECT_EQ(status(3), 201);
    EXPECT_EQ(town.post("ann", "/v1/jobs:batch", R"({"jobs":[]})").status, 422);
    EXPECT_EQ(town.post("ann", "/v1/jobs:batch", R"({"job":[]})").status, 422);
    EXPECT_EQ(town.post("ann", "/v1/jobs:batch", "[1,2]").status, 422);
}

TEST(Lists, ArePagedNewestFirstWithoutGapOrRepetition) {
    Town town;
    std::vector<std::string> submitted;
    for (int i = 0; i < 7; ++i) {
        submitted.push_back(JobId{town.uid()}.text());
        ASSERT_EQ(town.post("ann", "/v1/jobs", Town::job_body("vision", R"("id":")" + submitted.back() + R"(",)")).status, 201);
    }
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/jobs/" + submitted[3]).status, 200);
    std::vector<std::string> listed;
    std::string cursor;
    for (int pages = 0; pages < 10; ++pages) {
        const auto answer = town.get("ann", "/v1/jobs?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
        const auto page = codec::decode_json<Page<JobSummary>>(answer.body, "page");
        ASSERT_TRUE(page) << answer.body;
        EXPECT_LE(page->items.size(), 2U);
        for (const auto& job : page->items) listed.push_back(job.id.text());
        if (!page->next_cursor) break;
        cursor = *page->next_cursor;
    }
    std::ranges::reverse(submitted);
    EXPECT_EQ(listed, submitted) << "the cancelled one is between the live ones";
    EXPECT_THAT(town.get("ann", "/v1/jobs?state=cancelled").body, HasSubstr(submitted[3]));
    EXPECT_EQ(town.get("ann", "/v1/jobs?state=live").body.find(submitted[3]), std::string::npos);
    const auto names = town.get("root", "/v1/organisations?limit=1");
    EXPECT_THAT(names.body, HasSubstr(R"("name":"lab")"));
    EXPECT_THAT(town.get("root", "/v1/organisations?limit=1&cursor=" + text_of(names.body, "next_cursor")).body,
                HasSubstr(R"("name":"owner")"));
}

TEST(Lists, TakeNoParameterThatTheyDoNotKnow) {
    Town town;
    for (const std::string query : {"?limit=0", "?limit=501", "?limit=x", "?limit=-1", "?cursor=zz", "?state=dead", "?colour=red",
                                    "?limit=1&limit=2", "?limit=99999999999999999999999"}) {
        const auto answer = town.get("ann", "/v1/jobs" + query);
        EXPECT_EQ(answer.status, 400) << query;
        EXPECT_EQ(text_of(answer.body, "type"), problem("bad_parameter")) << query;
        EXPECT_FALSE(text_of(answer.body, "field").empty()) << query;
    }
}

TEST(Revisions, AnswersCarryThemAndWaitForThem) {
    Town town;
    const auto made = town.post("ann", "/v1/jobs", Town::job_body());
    const auto revision = std::string{*made.headers.find("Weir-Revision")};
    const auto seen = town.get("ann", "/v1/jobs?min_revision=" + revision);
    EXPECT_EQ(seen.status, 200);
    EXPECT_THAT(seen.body, HasSubstr(text_of(made.body, "id")));
    const auto tag = std::string{*seen.headers.find("ETag")};
    const auto quiet = town.get("ann", "/v1/sites");
    const auto same = town.ask("ann", Method::get, "/v1/sites", {}, {{"If-None-Match", std::string{*quiet.headers.find("ETag")}}});
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same.body, "");

    TownOptions hasty;
    hasty.api.revision_wait = milliseconds(50);
    Town other{hasty};
    const auto late = other.get("ann", "/v1/jobs?min_revision=999999");
    EXPECT_EQ(late.status, 503);
    EXPECT_EQ(text_of(late.body, "type"), problem("revision_not_reached"));
    EXPECT_TRUE(late.headers.find("Retry-After"));
}

TEST(Money, AVoucherIsAwardedHeldAndShown) {
    Town town;
    const auto now = Instant{std::chrono::system_clock::now().time_since_epoch().count()};
    const auto programme = fmt::format(
        R"({{"name":"p1","title":"P","legal_ref":"","fiscal_year":2026,"effective_from":"{}","effective_to":"{}","funder":"city",)"
        R"("budget":100000,"entity_cap":50000,"ratio":[{{"kinds":[],"per_mille":500,"clause":"half"}}],"kinds":{{"any_of":[],)"
        R"("clause":""}},"registered_in":{{"any_of":[],"clause":""}},"sites":{{"any_of":[],"clause":""}},"tiers":{{"any_of":[],)"
        R"("clause":""}},"models":{{"any_of":[],"clause":""}},"validity_days":30}})",
        format_utc(now - hours(24)), format_utc(now + hours(24)));
    ASSERT_EQ(town.post("root", "/v1/programmes", programme).status, 201);
    EXPECT_EQ(town.get("ann", "/v1/programmes/p1").status, 200);
    const auto made = town.post("app", "/v1/vouchers", R"({"programme":"p1","organisation":"lab","amount":40000})");
    ASSERT_EQ(made.status, 201) << made.body;
    const auto id = text_of(made.body, "id");
    EXPECT_EQ(text_of(town.post("app", "/v1/vouchers", R"({"programme":"p1","organisation":"lab","amount":40000})").body, "type"),
              problem("cap_reached"));
    auto body = Town::job_body();
    body.replace(body.find(R"("run")"), 0, R"("funding":[")" + id + R"(","prepaid"],)");
    const auto job = town.post("ann", "/v1/jobs", body);
    ASSERT_EQ(job.status, 201) << job.body;
    // An hour of one card is 6 yuan, half of it from the voucher.
    EXPECT_THAT(town.get("ann", "/v1/vouchers/" + id).body, HasSubstr(R"("amount":40000)"));
    EXPECT_THAT(town.get("ann", "/v1/vouchers/" + id).body, HasSubstr(R"("held_fen":301,"redeemed_fen":0,"left_fen":39699)"));
    EXPECT_EQ(town.get("eve", "/v1/vouchers/" + id).status, 404);
    EXPECT_EQ(town.get("eve", "/v1/vouchers").body.find(id), std::string::npos);
    EXPECT_THAT(town.get("aud", "/v1/ledger/trial-balance").body, HasSubstr(R"("balanced":true)"));
    EXPECT_EQ(town.get("aud", "/v1/ledger/trial-balance").body.find(R"("balanced":false)"), std::string::npos);
    auto longer = body;
    longer.replace(longer.find(R"("run")"), 0, R"("max_duration":"31d","budget":"1 yuan",)");
    const auto unpaid = town.post("ann", "/v1/jobs", longer);
    ASSERT_EQ(unpaid.status, 201) << unpaid.body;
    EXPECT_THAT(unpaid.body, HasSubstr(R"("code":"funding_unused","text":")" + id + " pays nothing of it: the voucher is valid from "))
        << "a voucher that ends before the run could";
    EXPECT_EQ(job.body.find("funding_unused"), std::string::npos);
    body.replace(body.find("A100:1"), 6, "A100:64");
    body.replace(body.find(R"("run")"), 0, R"("max_duration":"30d","num_nodes":64,)");
    const auto dear = town.post("ann", "/v1/jobs", body);
    EXPECT_EQ(dear.status, 402) << dear.body;
}

TEST(System, SaysHowItIs) {
    Town town;
    const auto metrics = town.get("", "/metrics").body;
    for (const std::string name : {"weir_loop_commits_total", "weir_jobs{state=\"queued\"} 0", "weir_reader_revision",
                                   "weir_http_latency_seconds_bucket{le=\"+Inf\"}"})
        EXPECT_THAT(metrics, HasSubstr(name));
    EXPECT_EQ(town.get("", "/readyz").body, "ready\n");
    town.ready = false;
    const auto answer = town.get("", "/readyz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(text_of(answer.body, "type"), problem("not_ready"));
}

TEST(System, IsNotReadyWhileTheClockIsNotBelievedAndWorksAllTheSame) {
    Town town;
    EXPECT_THAT(town.get("", "/metrics").body, HasSubstr("weir_clock_not_believed 0\n"));
    town.wall_shift_ns = hours(72).ns;
    const auto answer = town.get("", "/readyz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_THAT(answer.body, HasSubstr("ahead of what went by"));
    EXPECT_THAT(town.get("", "/metrics").body, HasSubstr("weir_clock_not_believed 1\n"));
    town.wall_shift_ns = 0;
    EXPECT_EQ(town.get("", "/readyz").status, 200);
    EXPECT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201) << "no time was lost";
}

TEST(System, IsNotReadyWhenItStops) {
    Town town;
    town.loop->stop();
    EXPECT_THAT(town.get("", "/readyz").body, HasSubstr("nothing is decided any more"));
    town.api->stop();
    const auto answer = town.get("", "/readyz");
    EXPECT_EQ(answer.status, 503);
    EXPECT_THAT(answer.body, HasSubstr("the server is stopping"));
}

TEST(Jobs, ThatNoSiteCouldEverRunAreTakenWithAWarning) {
    Town town;
    const auto submit = [&](const std::string& cards, int nodes) {
        const auto answer = town.post("ann", "/v1/jobs",
                                      fmt::format(R"({{"project":"vision","spec":{{"name":"t","resources":{{"accelerators":["{}"]}},)"
                                                  R"("num_nodes":{},"run":"true"}}}})",
                                                  cards, nodes));
        EXPECT_EQ(answer.status, 201) << answer.body;
        const auto made = codec::decode_json<JobMade>(answer.body, "answer").value();
        return made.warnings ? made.warnings->front().code : "";
    };
    EXPECT_EQ(submit("A100:1", 1), "model_absent") << "nobody has reported yet";
    SiteReport report;
    report.nodes = {Town::node("n1"), Town::node("n2")};
    ASSERT_EQ(town.report(report).status, 200);
    EXPECT_EQ(submit("A100:1", 1), "") << "that nothing fits is not remembered";
    EXPECT_EQ(submit("A100:2", 1), "");
    EXPECT_EQ(submit("A100:3", 1), "never_fits");
    EXPECT_EQ(submit("A100:1", 3), "never_fits");
    EXPECT_EQ(submit("A100:2", 2), "quota_too_small");
    EXPECT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).body.find("warnings"), std::string::npos);
}

/// A batch of so many items, none of which is a job: what they are does not matter for what they count.
http::Answer batch(const Town& town, const std::string& person, int jobs) {
    std::string list = "0";
    for (int i = 1; i < jobs; ++i) list += ",0";
    return town.post(person, "/v1/jobs:batch", R"({"jobs":[)" + list + "]}");
}

TEST(System, ABatchCountsByItsJobs) {
    TownOptions options;
    options.api.rate = {.per_second = 1, .burst = 22};
    const Town town{options};
    EXPECT_EQ(batch(town, "ann", 49).status, 200) << "counts as one";
    EXPECT_EQ(batch(town, "ann", 1'000).status, 200) << "counts as 21";
    const auto refused = batch(town, "ann", 1'000);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(text_of(refused.body, "type"), problem("too_many_requests"));
    EXPECT_TRUE(refused.headers.find("Retry-After"));
    EXPECT_EQ(batch(town, "own", 1'000).status, 200) << "another token's is another";
}

TEST(System, ABatchLargerThanTheBucketIsTakenFromAFullOne) {
    TownOptions options;
    options.api.rate = {.per_second = 1, .burst = 8};
    const Town town{options};
    EXPECT_EQ(batch(town, "ann", 1'000).status, 200);
    EXPECT_EQ(batch(town, "ann", 1'000).status, 429);
}

TEST(Requests, ThatComeWithTwoOfAHeaderOrPackedAreRefused) {
    Town town;
    const auto ask = [&](std::vector<std::pair<std::string, std::string>> headers) {
        return town.ask("ann", Method::post, "/v1/jobs", Town::job_body(), std::move(headers));
    };
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"Authorization", "Bearer x"}, {"authorization", "Bearer " + town.token("ann")}, {"Content-Type", "application/yaml"}}) {
        const auto answer = ask({{name, value}});
        EXPECT_EQ(answer.status, 400) << name;
        EXPECT_EQ(text_of(answer.body, "type"), problem("repeated_header")) << name;
    }
    EXPECT_EQ(text_of(ask({{"Idempotency-Key", "a"}, {"Idempotency-Key", "a"}}).body, "field"), "Idempotency-Key");
    const auto packed = ask({{"Content-Encoding", "gzip"}});
    EXPECT_EQ(packed.status, 415);
    EXPECT_EQ(packed.headers.find("Accept-Encoding"), "identity");
    EXPECT_EQ(ask({{"Content-Encoding", "Identity"}}).status, 201);
}

TEST(Lists, TakeNoCursorOfAnotherList) {
    Town town;
    const auto cursor = text_of(town.get("root", "/v1/organisations?limit=1").body, "next_cursor");
    ASSERT_FALSE(cursor.empty());
    EXPECT_EQ(town.get("root", "/v1/organisations?cursor=" + cursor).status, 200);
    for (const std::string path : {"/v1/projects", "/v1/jobs", "/v1/nodes", "/v1/audit", "/v1/organisations/lab"}) {
        const auto answer = town.get("root", path + "?cursor=" + cursor);
        EXPECT_EQ(answer.status, 400) << path;
        EXPECT_EQ(text_of(answer.body, "type"), problem("bad_parameter")) << path;
    }
    EXPECT_EQ(town.get("root", "/v1/organisations?cursor=c1ffff").status, 400);
    EXPECT_EQ(town.get("root", "/v1/organisations?cursor=" + cursor.substr(0, 10)).status, 400);
    for (const std::string made_up : {"78", "312f", "fffe00"}) {
        const auto answer = town.get("root", "/v1/organisations?cursor=" + cursor.substr(0, 10) + made_up);
        EXPECT_EQ(answer.status, 400) << "the mark of a good one and another position: " << made_up;
    }
}

TEST(System, ATokenThatAsksTooOftenIsToldWhenToComeBack) {
    TownOptions options;
    options.api.rate = {.per_second = 1, .burst = 3};
    Town town{options};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(town.get("ann", "/v1/whoami").status, 200);
    const auto answer = town.get("ann", "/v1/whoami");
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(text_of(answer.body, "type"), problem("too_many_requests"));
    EXPECT_THAT(text_of(answer.body, "detail"), MatchesRegex("tok-.* may ask 1 times a second, 3 at once, and this counts as 1; .*"));
    EXPECT_TRUE(answer.headers.find("Retry-After"));
    const auto second = town.token_for("ann", {Scope::read});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(town.get(second, "/v1/whoami").status, 200) << "one token does not lock out the others";
    const auto third = town.get(town.token_for("ann", {Scope::read}), "/v1/whoami");
    EXPECT_EQ(third.status, 429) << "but many tokens are not as many buckets";
    EXPECT_THAT(text_of(third.body, "detail"), StartsWith("subject:ann with all tokens together may ask 2 times a second, 6 at once,"));
    EXPECT_EQ(town.get("eve", "/v1/whoami").status, 200) << "another subject has buckets of its own";
}

TEST(Audit, IsPickedByJobAndProject) {
    Town town;
    const auto job = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto other = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    ASSERT_FALSE(job.empty());
    const auto by_job = town.get("aud", "/v1/audit?job=" + job).body;
    EXPECT_THAT(by_job, HasSubstr(R"("event":{"job":")" + job));
    EXPECT_THAT(by_job, HasSubstr(R"("type":33)")) << "what was held for it";
    EXPECT_EQ(by_job.find(other), std::string::npos);
    const auto by_project = town.get("aud", "/v1/audit?project=vision").body;
    EXPECT_THAT(by_project, HasSubstr(R"("event":{"job":")" + job));
    EXPECT_THAT(by_project, HasSubstr(R"("event":{"job":")" + other));
    EXPECT_THAT(by_project, HasSubstr(R"("type":33)"));
    EXPECT_THAT(by_project, HasSubstr(R"("type":11)")) << "the project itself";
    EXPECT_EQ(by_project.find(R"("project":"rival")"), std::string::npos);
    const auto rivals = town.get("aud", "/v1/audit?project=rival").body;
    EXPECT_EQ(rivals.find(job), std::string::npos);
    EXPECT_EQ(town.get("aud", "/v1/audit?project=unheard-of").status, 404);
    EXPECT_EQ(town.get("aud", "/v1/audit?job=job-1").status, 400);
}

TEST(Audit, OfTheNilJobHasNothing) {
    Town town;
    town.must(control::OpenProgramme{Town::programme("p1")});  // Its budget is booked, and no job caused that.
    const auto answer = town.get("aud", "/v1/audit?job=job-00000000000000000000000000");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, HasSubstr(R"("items":[])"));
}

TEST(Audit, AKindThatIsNoneIsRefusedWithTheNearest) {
    Town town;
    const auto answer = town.get("aud", "/v1/audit?type=job_place");
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(text_of(answer.body, "detail"),
                HasSubstr("the parameter type is 'job_place', did you mean job_placed? It must be one of "));
    EXPECT_THAT(text_of(answer.body, "detail"), HasSubstr("ledger_posted"));
    EXPECT_THAT(text_of(town.get("aud", "/v1/audit?type=nonsense").body, "detail"), HasSubstr("must be one of leader_started, "));
}

TEST(Audit, IsTheJournalNewestFirst) {
    Town town;
    ASSERT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201);
    const auto all = town.get("aud", "/v1/audit?limit=5");
    EXPECT_EQ(all.status, 200) << all.body;
    EXPECT_THAT(all.body, HasSubstr(R"("actor":"subject:ann")"));
    EXPECT_EQ(town.get("aud", "/v1/audit?actor=subject:ann&type=job_placed").body.find("subject:ann"), std::string::npos);
    EXPECT_THAT(town.get("aud", "/v1/audit?actor=subject:ann&type=job_submitted").body, HasSubstr(R"("actor":"subject:ann")"));
    std::uint64_t last = UINT64_MAX;
    std::string cursor;
    std::size_t records = 0;
    do {
        const auto answer = town.get("aud", "/v1/audit?limit=4" + (cursor.empty() ? "" : "&cursor=" + cursor));
        ASSERT_EQ(answer.status, 200) << answer.body;
        const auto page = codec::read_json(answer.body);
        ASSERT_TRUE(page) << answer.body;
        for (const auto& item : *page->find("items")->array()) {
            const auto revision = static_cast<std::uint64_t>(*item.find("revision")->integer());
            EXPECT_LT(revision, last);
            last = revision;
            ++records;
        }
        cursor = text_of(answer.body, "next_cursor");
    } while (!cursor.empty());
    EXPECT_EQ(last, 1U);
    EXPECT_EQ(records, town.journal.head()->revision);
}

}  // namespace
}  // namespace weir::api::test
