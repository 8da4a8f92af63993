// Goal: an operator's file is compared with what is there, every default filled in; others learn nothing by it, and nothing changes.
#include "transport/api/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::api::test {
namespace {

using testing::HasSubstr;

constexpr const char* compare = "/v1/objects:compare";

TEST(Objects, AreComparedWithWhatIsThereAndNothingChanges) {
    Town town;
    const auto revision = text_of(town.get("root", "/v1/sites/east").body, "revision");
    const auto told =
        town.ask("root", http::Method::post, compare,
                 "organisations:\n  - {name: lab, kind: university, title: Lab, registered_in: cn/sichuan/chengdu}\n"
                 "sites:\n  - {name: east, owner: owner, region: cn/sichuan/chengdu, tariff: [{model: A100, fen_per_card_hour: 650}]}\n"
                 "projects:\n  - {name: speech, organisation: lab}\n"
                 "members:\n  - {project: vision, subject: ann, roles: [owner]}\n"
                 "roles:\n  - {subject: root, roles: [operator]}\n",
                 {}, "application/yaml");
    ASSERT_EQ(told.status, 200) << told.body;
    EXPECT_THAT(told.body, HasSubstr(R"("title":"Lab","credit_code":"","size_class":"small","registered_in":"cn/sichuan/chengdu",)"
                                     R"("control_group":""},"changes":false}])"))
        << "what it is and what it would be, with what the file leaves out";
    EXPECT_THAT(told.body, HasSubstr(R"("fen_per_card_hour":600})"));
    EXPECT_THAT(told.body, HasSubstr(R"("fen_per_card_hour":650})"));
    EXPECT_THAT(told.body, HasSubstr(R"("projects":[{"after":{"name":"speech",)")) << "it would be new";
    EXPECT_THAT(told.body,
                HasSubstr(R"("roles":["member"]},"after":{"project":"vision","subject":"ann","roles":["owner"]},"changes":true)"));
    EXPECT_THAT(told.body, HasSubstr(R"("after":{"subject":"root","roles":["operator"]},"changes":false)"));
    EXPECT_EQ(text_of(town.get("root", "/v1/sites/east").body, "revision"), revision);
    EXPECT_EQ(town.get("root", "/v1/projects/speech").status, 404);
}

TEST(Objects, AreComparedForOperatorsAlone) {
    Town town;
    const std::string body = R"({"members":[{"project":"rival","subject":"eve","roles":["owner"]}]})";
    for (const std::string person : {"ann", "own", "aud", "fin"}) EXPECT_EQ(town.post(person, compare, body).status, 403) << person;
    EXPECT_EQ(town.post("root", compare, R"({"site":[]})").status, 422) << "a section that is none";
    const auto flaw = town.post("root", compare, R"({"sites":[{"name":"east","owner":"owner","region":"cn","tier":"clod"}]})");
    EXPECT_EQ(flaw.status, 422);
    EXPECT_THAT(flaw.body, HasSubstr("sites[0].tier"));
}

TEST(Capacity, IsOfEachSiteByModel) {
    Town town;
    SiteReport nodes;
    nodes.nodes = {Town::node("n1"), Town::node("n2")};
    nodes.nodes->back().healthy = false;
    EXPECT_EQ(town.report(nodes).status, 200);
    EXPECT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201);
    EXPECT_TRUE(town.comes("eve", "/v1/capacity",
                           R"("cards":[{"model":"A100","emulated":true,"total":4000,"healthy":2000,"used":1000,"held":0}])"));
    EXPECT_EQ(town.get("agent", "/v1/capacity").status, 403);
}

}  // namespace
}  // namespace weir::api::test
