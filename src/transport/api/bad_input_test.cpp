// Goal: each kind of bad input is refused with the status and the problem of its case, and the server goes on.
// Method: one row for each kind, sent to a real server; the rows of single fields of a job are in faults_test.cpp.
#include "transport/api/test_server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace weir::api::test {
namespace {

using http::Method;

struct Bad {
    std::string what;
    std::string person;   ///< Or a token's secret.
    Method method;
    std::string target;
    std::string body;
    int status;
    std::string code;
};

std::string job(const std::string& more, const std::string& resources = R"({"accelerators":["A100:1"]})") {
    return R"({"project":"vision","spec":{"name":"t","resources":)" + resources + R"(,"run":"true")" + more + "}}";
}

TEST(BadInput, OfEachKindIsRefusedWithTheProblemOfItsCase) {
    Town town;
    const auto foreign_job = text_of(town.post("eve", "/v1/jobs", Town::job_body("rival")).body, "id");
    ASSERT_TRUE(foreign_job.starts_with("job-"));
    const auto own = JobId{town.uid()}.text();
    const auto wall = Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count()};
    const auto expired = town.token_for("ann", {Scope::admin}, {}, wall + seconds(1800));
    const auto revoked = town.token_for("ann", {Scope::admin});
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/tokens/" + text_of(town.get(revoked, "/v1/whoami").body, "token")).status, 200);
    Town other;
    const auto of_another_network = other.token_for("other", {Scope::admin});
    const std::string deposit = R"({"organisation":"lab","amount":)";
    const std::string member = "/v1/projects/vision/members/";

    const auto post = Method::post;
    const auto get = Method::get;
    const std::vector<Bad> table{
        {"unknown field", "ann", post, "/v1/jobs", job(R"(,"colour":"red")"), 422, "bad_value"},
        {"unknown field of a token", "ann", post, "/v1/tokens", R"({"scope":["read"]})", 422, "bad_value"},
        {"unknown parameter", "ann", get, "/v1/jobs?colour=red", "", 400, "bad_parameter"},
        {"unknown route", "ann", get, "/v1/colours", "", 404, "no_such_path"},
        {"unknown method", "ann", Method::put, "/v1/jobs", "{}", 405, "method_not_allowed"},
        {"duplicate key", "ann", post, "/v1/jobs", R"({"project":"vision","project":"vision","spec":{}})", 400, "unreadable_body"},
        {"duplicate key deep inside", "ann", post, "/v1/jobs", job(R"(,"envs":{"A":"1","A":"2"})"), 400, "unreadable_body"},
        {"duplicate parameter", "ann", get, "/v1/jobs?limit=1&limit=2", "", 400, "bad_parameter"},
        {"memory in pounds", "ann", post, "/v1/jobs", job("", R"({"accelerators":["A100:1"],"memory":"4lb"})"), 422, "bad_value"},
        {"memory without a unit", "ann", post, "/v1/jobs", job("", R"({"accelerators":["A100:1"],"memory":4})"), 422, "bad_value"},
        {"time in parsecs", "ann", post, "/v1/jobs", job(R"(,"max_duration":"3pc")"), 422, "bad_value"},
        {"a budget without a unit", "ann", post, "/v1/jobs", job(R"(,"budget":12)"), 422, "bad_value"},
        {"0 cards", "ann", post, "/v1/jobs", job("", R"({"accelerators":["A100:0"]})"), 422, "bad_value"},
        {"0 fen", "fin", post, "/v1/deposits", deposit + "0}", 422, "bad_value"},
        {"0 items of a page", "ann", get, "/v1/jobs?limit=0", "", 400, "bad_parameter"},
        {"negative nodes", "ann", post, "/v1/jobs", job(R"(,"num_nodes":-1)"), 422, "bad_value"},
        {"negative fen", "fin", post, "/v1/deposits", deposit + "-1}", 422, "bad_value"},
        {"negative time", "ann", post, "/v1/jobs", job(R"(,"max_duration":-5)"), 422, "bad_value"},
        {"too many nodes", "ann", post, "/v1/jobs", job(R"(,"num_nodes":4097)"), 422, "bad_value"},
        {"more fen than there are", "fin", post, "/v1/deposits", deposit + "9223372036854775807}", 422, "bad_value"},
        {"a number beyond 64 bits", "fin", post, "/v1/deposits", deposit + "99999999999999999999999}", 422, "bad_value"},
        {"a number beyond any", "fin", post, "/v1/deposits", deposit + "1e999}", 422, "bad_value"},
        {"a job that waits for itself", "ann", post, "/v1/jobs",
         R"({"id":")" + own + R"(","project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true","after":[")" +
             own + R"("]}})",
         422, "bad_value"},
        {"a job that waits for nothing known", "ann", post, "/v1/jobs", job(R"(,"after":["job-01kaj3y0000000000000000000"])"), 404,
         "not_found"},
        {"a project of an unknown organisation", "root", post, "/v1/projects", R"({"name":"p9","organisation":"nobody"})", 404,
         "not_found"},
        {"a model that is in no catalogue", "ann", post, "/v1/jobs", job("", R"({"accelerators":["Z9:1"]})"), 422, "bad_value"},
        {"a voucher of nobody", "ann", post, "/v1/jobs", job(R"(,"funding":["vch-01kaj3y0000000000000000000"])"), 404, "not_found"},
        {"a body of 100 MB", "ann", post, "/v1/jobs", std::string(100'000'000, ' '), 413, "body_too_large"},
        {"a body of 100 MB to a small route", "fin", post, "/v1/deposits", std::string(100'000'000, ' '), 413, "body_too_large"},
        {"JSON 100,000 deep", "ann", post, "/v1/jobs", std::string(100'000, '['), 400, "unreadable_body"},
        {"JSON 100,000 deep, and closed", "ann", post, "/v1/jobs", std::string(100'000, '[') + std::string(100'000, ']'), 400,
         "unreadable_body"},
        {"objects 100,000 deep", "ann", post, "/v1/jobs:batch",
         [] {
             std::string deep;
             for (int i = 0; i < 100'000; ++i) deep += R"({"a":)";
             return deep;
         }(),
         400, "unreadable_body"},
        {"no JSON", "ann", post, "/v1/jobs", "{\"project\":", 400, "unreadable_body"},
        {"invalid UTF-8", "ann", post, "/v1/jobs", job(",\"setup\":\"\xff\xfe\""), 400, "unreadable_body"},
        {"UTF-8 of a surrogate", "ann", post, "/v1/jobs", job(",\"setup\":\"\xed\xa0\x80\""), 400, "unreadable_body"},
        {"invalid UTF-8 in a path", "ann", get, "/v1/jobs/%ff", "", 400, "bad_target"},
        {"a path that climbs", "ann", get, "/v1/sites/..%2f..%2fetc", "", 400, "bad_target"},
        {"a path that climbs by dots", "ann", get, "/v1/sites/%2e%2e/nodes", "", 400, "bad_target"},
        {"a path with a zero byte", "ann", get, "/v1/jobs/a%00b", "", 400, "bad_target"},
        {"a path for a project", "ann", post, "/v1/jobs",
         R"({"project":"../../etc","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"}})", 422, "bad_value"},
        {"a path for a name", "root", post, "/v1/organisations", R"({"name":"../x","kind":"university"})", 422, "bad_value"},
        {"a path for a subject", "own", Method::put, member + "..%2fx", R"({"roles":["member"]})", 400, "bad_target"},
        {"a person's address for a subject", "own", Method::put, member + "Li@example.org", R"({"roles":["member"]})", 422, "bad_value"},
        {"another tenant's project", "ann", get, "/v1/projects/rival", "", 404, "not_found"},
        {"another tenant's organisation", "ann", get, "/v1/organisations/rivals", "", 404, "not_found"},
        {"another tenant's job", "ann", get, "/v1/jobs/" + foreign_job, "", 404, "not_found"},
        {"why another tenant's job waits", "ann", get, "/v1/jobs/" + foreign_job + "/why", "", 404, "not_found"},
        {"another tenant's bill", "ann", get, "/v1/jobs/" + foreign_job + "/bill", "", 404, "not_found"},
        {"another tenant's job, to cancel", "ann", Method::del, "/v1/jobs/" + foreign_job, "", 404, "not_found"},
        {"another tenant's job, to wait for", "ann", post, "/v1/jobs", job(R"(,"after":[")" + foreign_job + R"("])"), 404, "not_found"},
        {"another tenant's id for one's own job", "ann", post, "/v1/jobs",
         R"({"id":")" + foreign_job + R"(","project":"vision","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"}})",
         422, "bad_value"},
        {"another tenant's project, to submit to", "ann", post, "/v1/jobs", Town::job_body("rival"), 404, "not_found"},
        {"another site's tasks", "agent", get, "/v1/sites/west/desired", "", 403, "forbidden"},
        {"an id of another kind", "ann", get, "/v1/jobs/tok-01kaj3y0000000000000000000", "", 404, "not_found"},
        {"no token", "", get, "/v1/whoami", "", 401, "unauthenticated"},
        {"no such token", "weir_00", get, "/v1/whoami", "", 401, "unauthenticated"},
        {"an expired token", expired, get, "/v1/whoami", "", 401, "unauthenticated"},
        {"a revoked token", revoked, get, "/v1/whoami", "", 401, "unauthenticated"},
        {"a token of another network", of_another_network, post, "/v1/jobs", job(""), 401, "unauthenticated"},
        {"an agent's token for a tenant's route", "agent", get, "/v1/sites", "", 403, "forbidden"},
        {"a token that may only read, to change", "ann-reads", post, "/v1/jobs", job(""), 403, "forbidden"},
    };
    EXPECT_EQ(town.get(expired, "/v1/whoami").status, 200) << "good until its time";
    town.wall_shift_ns = seconds(1801).ns;
    for (const auto& [what, person, method, target, body, status, code] : table) {
        const auto answer = town.ask(person, method, target, body);
        const auto told = what + ": " + answer.body.substr(0, 500);
        EXPECT_EQ(answer.status, status) << told;
        EXPECT_EQ(answer.headers.find("Content-Type"), http::problem_media_type) << told;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:" + code) << told;
        const auto document = codec::read_json(answer.body);
        ASSERT_TRUE(document) << told;
        ASSERT_NE(document->find("status"), nullptr) << told;
        EXPECT_EQ(*document->find("status")->integer(), status) << told;
        EXPECT_FALSE(text_of(answer.body, "detail").empty()) << told;
        EXPECT_FALSE(text_of(answer.body, "title").empty()) << told;
    }
    EXPECT_LT(town.server->metrics().bytes_received, 20'000'000U) << "what is too large is not read";
    EXPECT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201) << "the server goes on";
}

// Secrets have 256 bits and are not guessed; what is guarded is the server and its log.
TEST(BadTokens, FromOneAddressAreAnsweredOnlySoOften) {
    TownOptions options;
    options.api.failures = {.per_second = 1, .burst = 3};
    Town town{options};
    int refused = 0;
    for (int i = 0; i < 3; ++i) refused += town.get(fmt::format("weir_{}", i), "/v1/whoami").status == 401 ? 1 : 0;
    EXPECT_EQ(refused, 3);
    http::Answer answer;
    for (int i = 0; i < 50 && answer.status != 429; ++i) answer = town.get("weir_more", "/v1/whoami");
    EXPECT_EQ(answer.status, 429) << "three at once, then one a second";
    EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:too_many_requests");
    EXPECT_EQ(answer.headers.find("Retry-After"), "1");
    EXPECT_EQ(town.get("ann", "/v1/whoami").status, 200) << "a good token of the same address is none of it";
    EXPECT_EQ(town.get("", "/healthz").status, 200);
    EXPECT_NE(town.get("", "/metrics").body.find("weir_api_failures_limited_total 1\n"), std::string::npos);
}

}  // namespace
}  // namespace weir::api::test
