// Goal: an operator sees what would change before it does, and a file that was half applied goes on where it stopped.
#include "apps/client/test_rig.hpp"

namespace weir::cli {
namespace {

constexpr const char* file =
    "organisations:\n  - {name: lab, kind: university}\nsites:\n  - {name: east, owner: lab, region: cn}\n"
    "members:\n  - {project: vision, subject: ann, roles: [owner]}\n";

constexpr const char* compared = R"({"organisations":[{"after":{"name":"lab","kind":"university","title":""},"changes":true}],
    "sites":[{"before":{"name":"east","owner":"lab","pue_milli":1300,"tariff":[]},
              "after":{"name":"east","owner":"lab","pue_milli":1180,"tariff":[]},"changes":true},
             {"before":{"name":"west"},"after":{"name":"west"},"changes":false}],
    "projects":[],"members":[{"before":{"project":"vision","subject":"ann","roles":["member"]},
    "after":{"project":"vision","subject":"ann","roles":["owner"]},"changes":true}],"roles":[],"programmes":[],"revision":7})";

constexpr const char* shown = "+ organisation lab (new)\n"
                              "    name: \"lab\"\n"
                              "    kind: \"university\"\n"
                              "~ site east\n"
                              "    pue_milli: 1300 -> 1180\n"
                              "~ member ann in vision\n"
                              "    roles: [\"member\"] -> [\"owner\"]\n"
                              "3 to change, 1 as they are\n";

constexpr const char* made = R"({"id":"x","repeated":false,"revision":8})";

TEST(Apply, ShowsTheDifferenceAndChangesNothingWithoutAYes) {
    Rig rig;
    const auto path = rig.write("network.yaml", file);
    rig.on("POST /v1/objects:compare", compared);
    ASSERT_EQ(rig.run({"apply", "-f", path, "--dry-run"}), 0) << rig.err;
    EXPECT_EQ(rig.out, shown);
    rig.on("POST /v1/objects:compare", compared);
    EXPECT_EQ(rig.run({"apply", "-f", path}), 2) << "nobody can be asked";
    EXPECT_THAT(rig.err, HasSubstr("3 objects would change and nobody can be asked here; say --yes"));
    EXPECT_EQ(rig.seen("POST").size(), 2U) << "only the questions were sent";
}

TEST(Apply, SendsWhatChangesInItsOrder) {
    Rig rig;
    const auto path = rig.write("network.yaml", file);
    rig.on("POST /v1/objects:compare", compared);
    rig.on("POST /v1/organisations", made);
    rig.on("POST /v1/sites", made);
    rig.on("PUT /v1/projects/vision/members/ann", made);
    ASSERT_EQ(rig.run({"apply", "-f", path, "--yes"}), 0) << rig.err;
    EXPECT_EQ(rig.out, std::string{shown} + "organisation lab\nsite east\nmember ann in vision\n");
    EXPECT_THAT(rig.seen("POST").back(), HasSubstr(R"("pue_milli":1180)"));
    EXPECT_THAT(rig.seen("PUT").back(), HasSubstr(R"({"roles":["owner"]})"));
}

TEST(Apply, ThatIsRefusedOnTheWaySaysHowFarItCame) {
    Rig rig;
    const auto path = rig.write("network.yaml", file);
    rig.on("POST /v1/objects:compare", compared);
    rig.on("POST /v1/organisations", made);
    rig.on("POST /v1/sites", [](const auto&) { return problem(422, "the tariff names no model", "tariff"); });
    EXPECT_EQ(rig.run({"apply", "-f", path, "--yes"}), 1);
    EXPECT_THAT(rig.err, HasSubstr("site east: the tariff names no model; 1 of 3 changes were applied before it: apply the file again"));
}

TEST(Apply, OfAFileWithAMistakeNamesItsLine) {
    Rig rig;
    const auto path = rig.write("network.yaml", file);
    rig.on("POST /v1/objects:compare", [](const auto&) { return problem(422, "is no kind of organisation", "organisations[0].kind"); });
    EXPECT_EQ(rig.run({"apply", "-f", path, "--dry-run"}), 1);
    EXPECT_THAT(rig.err, HasSubstr("network.yaml:2:"));
}

TEST(Top, IsOnePictureOffATerminal) {
    Rig rig;
    rig.on("GET /v1/capacity", R"({"items":[
        {"site":"east","reachable":true,"duty":"draining","tasks":2,"cards":[{"model":"A100","emulated":true,"total":16000,"healthy":16000,
         "used":8000,"held":1500}]},
        {"site":"west","reachable":false,"duty":"working","tasks":0,"cards":[]}],"revision":3})");
    rig.on("GET /v1/jobs",
           R"({"items":[{"id":"job-01kaj3aaaaaaaaaaaaaaaaaaaa","name":"digits","project":"vision","state":"running","site":"east",
        "model":"A100","emulated":true,"num_nodes":2,"since":"2026-11-22T05:00:00Z"},
        {"id":"job-01kaj3bbbbbbbbbbbbbbbbbbbb","name":"more","project":"vision","state":"queued","num_nodes":1,
        "since":"2026-11-22T05:30:00Z"}],"revision":3})");
    ASSERT_EQ(rig.run({"top"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("1 queued, 1 running\n"));
    EXPECT_THAT(rig.out, HasSubstr("east  draining      A100 (emulated)     16       16       8   1.5  [#####+....]\n"));
    EXPECT_THAT(rig.out, HasSubstr("west  out of reach  none"));
    EXPECT_THAT(rig.out, HasSubstr("digits  vision   running  east  A100 (emulated)      2"));
    EXPECT_THAT(rig.out, testing::Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace weir::cli
