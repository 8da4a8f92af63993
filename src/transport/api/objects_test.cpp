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

TEST(Objects, AModelOfTheCatalogueIsComparedSetAndThenPriced) {
    Town town;
    const std::string model = R"({"model":"L40S","vendor":"NVIDIA","stack":"cuda","domestic":false,)"
                              R"("memory_mib":{"value":49152,"source":"vendor: data sheet, 2023"},"interconnect":"PCIe 4.0"})";
    const auto site = R"({"name":"west","owner":"owner","region":"cn","tariff":[{"model":"L40S","fen_per_card_hour":500}]})";
    EXPECT_EQ(town.post("root", "/v1/sites", site).status, 422) << "not known yet";
    EXPECT_EQ(town.post("ann", "/v1/catalog", model).status, 403);
    const auto compared = town.post("root", compare, R"({"catalogue":[)" + model + "]}");
    EXPECT_THAT(compared.body, HasSubstr(R"("catalogue":[{"after":{"model":"L40S",)")) << compared.body;
    ASSERT_EQ(town.post("root", "/v1/catalog", model).status, 201);
    EXPECT_EQ(town.post("root", "/v1/catalog", model).status, 200) << "as it is";
    EXPECT_THAT(town.post("root", compare, R"({"catalogue":[)" + model + "]}").body, HasSubstr(R"("changes":false)"));
    EXPECT_TRUE(town.comes("ann", "/v1/catalog?vendor=NVIDIA", "L40S"));
    EXPECT_EQ(town.post("root", "/v1/sites", site).status, 201);
    for (const auto* bad :
         {R"({"model":"a:1","vendor":"v","stack":"cuda","domestic":false,"interconnect":""})",
          R"({"model":"a","vendor":"","stack":"cuda","domestic":false,"interconnect":""})",
          R"({"model":"a","vendor":"v","stack":"cuda","domestic":false,"interconnect":"","tdp_w":{"value":0,"source":"s"}})",
          R"({"model":"a","vendor":"v","stack":"cuda","domestic":false,"interconnect":"","tdp_w":{"value":9,"source":""}})"})
        EXPECT_EQ(town.post("root", "/v1/catalog", bad).status, 422) << bad;
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
