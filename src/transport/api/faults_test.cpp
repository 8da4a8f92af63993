// Goal: what nobody should send is refused with the problem document of its case, and the server goes on.
#include "transport/api/test_server.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::api::test {
namespace {

using http::Method;
using testing::HasSubstr;

struct Bad {
    std::string what;
    std::string body;
    int status;
    std::string code;
    std::string field;
};

std::string job(const std::string& spec) { return R"({"project":"vision","spec":)" + spec + "}"; }
std::string spec(const std::string& more) {
    return job(R"({"name":"t","resources":{"accelerators":["A100:1"]},"run":"true",)" + more + "}");
}
std::string cards(const std::string& ask) { return job(R"({"name":"t","resources":{"accelerators":[)" + ask + R"(]},"run":"true"})"); }

TEST(BadJobs, AreRefusedByTheirCaseAndField) {
    Town town;
    std::string deep(100'000, '[');
    const std::vector<Bad> table{
        {"nothing", "", 400, "unreadable_body", ""},
        {"no JSON", "{", 400, "unreadable_body", ""},
        {"a list", "[]", 422, "bad_value", ""},
        {"null", "null", 422, "bad_value", ""},
        {"unknown field", R"({"project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"},"colour":"red"})",
         422, "bad_value", "colour"},
        {"unknown field deep inside", spec(R"("retry":{"max_restart":1})"), 422, "bad_value", "spec.retry.max_restart"},
        {"missing field", R"({"spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"}})", 422, "bad_value", "project"},
        {"duplicate key", R"({"project":"vision","project":"rival","spec":{}})", 400, "unreadable_body", ""},
        {"100,000 deep", deep, 400, "unreadable_body", ""},
        {"invalid UTF-8",
         R"({"project":")"
         "\xff\xfe"
         R"("})",
         400, "unreadable_body", ""},
        {"half a surrogate", R"({"project":"\ud800"})", 400, "unreadable_body", ""},
        {"no cards", cards(R"("A100:0")"), 422, "bad_value", "resources.accelerators[0].count"},
        {"negative cards", cards(R"("A100:-1")"), 422, "bad_value", "spec.resources.accelerators[0]"},
        {"huge cards", cards(R"("A100:99999999999999999999")"), 422, "bad_value", "spec.resources.accelerators[0]"},
        {"65 cards", cards(R"("A100:65")"), 422, "bad_value", "resources.accelerators[0].count"},
        {"one and a half cards", cards(R"("A100:1.5")"), 422, "bad_value", "resources.accelerators[0].count"},
        {"memory without a unit", job(R"({"name":"t","resources":{"accelerators":["A100:1"],"memory":4},"run":"true"})"), 422, "bad_value",
         "spec.resources.memory"},
        {"memory in pounds", job(R"({"name":"t","resources":{"accelerators":["A100:1"],"memory":"4lb"},"run":"true"})"), 422, "bad_value",
         "spec.resources.memory"},
        {"a budget without a unit", spec(R"("budget":"12")"), 422, "bad_value", "spec.budget"},
        {"no nodes", spec(R"("num_nodes":0)"), 422, "bad_value", "num_nodes"},
        {"minus one node", spec(R"("num_nodes":-1)"), 422, "bad_value", "num_nodes"},
        {"too many nodes", spec(R"("num_nodes":4097)"), 422, "bad_value", "num_nodes"},
        {"nodes beyond any integer", spec(R"("num_nodes":1e400)"), 422, "bad_value", ""},
        {"half a node", spec(R"("num_nodes":0.5)"), 422, "bad_value", "spec.num_nodes"},
        {"no time", spec(R"("max_duration":0)"), 422, "bad_value", "max_duration"},
        {"time in parsecs", spec(R"("max_duration":"3pc")"), 422, "bad_value", "spec.max_duration"},
        {"a path for a project", R"({"project":"../../etc","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"}})", 422,
         "bad_value", "project"},
        {"a path for a name", job(R"({"name":"../x","resources":{"accelerators":["A100:1"]},"run":"true"})"), 422, "bad_value", "name"},
        {"a path for a region", spec(R"("residency":"cn/../sichuan")"), 422, "bad_value", "residency"},
        {"a foreign id",
         R"({"id":"tok-01kaj3y0000000000000000000","project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},)"
         R"("run":"true"}})",
         422, "bad_value", "id"},
        {"an old id",
         R"({"id":"job-00000000000000000000000001","project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},)"
         R"("run":"true"}})",
         422, "id_too_old", "id"},
        {"an id of the future",
         R"({"id":"job-7zzzzzzzzzzzzzzzzzzzzzzzzz","project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},)"
         R"("run":"true"}})",
         422, "id_from_the_future", "id"},
        {"a missing reference", spec(R"("after":["job-01kaj3y0000000000000000000"])"), 404, "not_found", "after[0]"},
        {"a voucher of nobody", spec(R"("funding":["vch-01kaj3y0000000000000000000"])"), 0, "", ""},
        {"a command with a zero byte", job(R"({"name":"t","resources":{"accelerators":["A100:1"]},"run":"a\u0000b"})"), 422, "bad_value",
         "run"},
        {"a variable of ours", spec(R"("envs":{"WEIR_RANK":"0"})"), 422, "bad_value", "envs.WEIR_RANK"},
    };
    for (const auto& [what, body, status, code, field] : table) {
        const auto answer = town.post("ann", "/v1/jobs", body);
        if (status == 0) {
            EXPECT_GE(answer.status, 402) << what << answer.body;
            EXPECT_LE(answer.status, 422) << what << answer.body;
            continue;
        }
        EXPECT_EQ(answer.status, status) << what << ": " << answer.body;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:" + code) << what << ": " << answer.body;
        if (!field.empty()) EXPECT_EQ(text_of(answer.body, "field"), field) << what << ": " << answer.body;
    }
    EXPECT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201) << "the server goes on";
}

TEST(BadJobs, AJobThatWaitsForItselfIsRefused) {
    Town town;
    const auto id = JobId{town.uid()}.text();
    const auto answer = town.post(
        "ann", "/v1/jobs",
        fmt::format(
            R"({{"id":"{0}","project":"vision","spec":{{"name":"t","resources":{{"accelerators":["A100:1"]}},"run":"true",)"
            R"("after":["{0}"]}}}})",
            id));
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(text_of(answer.body, "field"), "after[0]");
}

TEST(BadJobs, AllProblemsOfADocumentAreListedWithTheirPlaces) {
    Town town;
    const auto answer = town.post("ann", "/v1/jobs", "{\"project\":\"vision\",\n \"spec\":{\"name\":7,\"run\":true}}");
    EXPECT_EQ(answer.status, 422);
    const auto document = codec::read_json(answer.body);
    const auto* problems = document->find("problems");
    ASSERT_NE(problems, nullptr) << answer.body;
    EXPECT_EQ(problems->array()->size(), 3U) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(R"({"field":"spec.name","line":2,"column":17,"code":"wrong_type",)"));
}

TEST(BadBodies, ABodyOfA100MBIsRefusedBeforeItIsRead) {
    Town town;
    auto peer = town.client("ann");
    http::Call call;
    call.method = Method::post;
    call.target = "/v1/jobs";
    call.content_type = "application/json";
    call.body = std::string(100'000'000, ' ');
    const auto answer = peer.call(std::move(call));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 413);
    EXPECT_EQ(text_of(answer->body, "type"), "urn:weir:problem:body_too_large");
    EXPECT_LT(town.server->metrics().bytes_received, 10'000'000U);
}

TEST(BadBodies, ABodyWhereNoneBelongsIsRefused) {
    Town town;
    EXPECT_EQ(text_of(town.ask("ann", Method::del, "/v1/tokens/tok-01kaj3y0000000000000000000", "{}").body, "type"),
              "urn:weir:problem:unexpected_body");
}

TEST(BadTargets, DoNotClimbOutOfTheirPath) {
    Town town;
    for (const std::string target : {"/v1/jobs/..%2f..%2fetc", "/v1/sites/%2e%2e/nodes", "/v1//jobs", "/v1/jobs/%ff", "/v1/jobs/a%00b"}) {
        const auto answer = town.get("ann", target);
        EXPECT_EQ(answer.status, 400) << target;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:bad_target") << target;
    }
    for (const auto& target :
         std::vector<std::string>{"/v1/organisations/LAB", "/v1/projects/a%20b", "/v1/projects/" + std::string(200, 'a'),
                                  "/v1/sites/%E5%9B%9B/nodes", "/v1/programmes/@", "/v1/vouchers/1", "/v1/jobs/1"}) {
        const auto answer = town.get("ann", target);
        EXPECT_EQ(answer.status, 404) << target;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:not_found") << target;
    }
    EXPECT_EQ(town.get("ann", "/v1/nothing").status, 404);
    EXPECT_EQ(town.ask("ann", Method::put, "/v1/jobs", "{}").status, 405);
}

}  // namespace
}  // namespace weir::api::test
