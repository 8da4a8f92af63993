// Goal: people order over the API what is to leave a site, and see how far it has come; nobody orders it of what is not theirs.
#include "transport/api/test_server.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::api::test {
namespace {

using http::Method;
using testing::HasSubstr;

/// A town with two sites, and a job that runs at east.
class MovingTown : public Town {
public:
    MovingTown() {
        SiteReport nodes;
        nodes.nodes = {node("n1"), node("n2")};
        EXPECT_EQ(report(nodes).status, 200);
        const auto west =
            post("root", "/v1/sites",
                 R"({"name":"west","owner":"owner","region":"cn/sichuan","tariff":[{"model":"A100","fen_per_card_hour":900}]})");
        EXPECT_EQ(west.status, 201) << west.body;
        const auto made = post("ann", "/v1/jobs",
                               R"({"project":"vision","spec":{"name":"train","resources":{"accelerators":["A100:1"]},"run":"true",)"
                               R"("checkpoint":{"protocol":"signal"},"max_duration":600}})");
        EXPECT_EQ(made.status, 201) << made.body;
        job = text_of(made.body, "id");
        EXPECT_TRUE(comes("ann", path(), R"("state":"placed")"));
        SiteReport runs;
        runs.tasks = {{*JobId::parse(job), 1, TaskState::running, Reason::none, 0, {}, 0}};
        EXPECT_EQ(report(runs).status, 200);
    }
    [[nodiscard]] std::string path(const std::string& what = {}) const { return "/v1/jobs/" + job + what; }

    std::string job;
};

TEST(Moves, AreOrderedSeenAndCalledOff) {
    MovingTown town;
    const auto ordered = town.post("ann", town.path("/move"), R"({"to":"west"})");
    ASSERT_EQ(ordered.status, 200) << ordered.body;
    EXPECT_THAT(ordered.body, HasSubstr(R"("repeated":false)"));
    EXPECT_THAT(town.post("ann", town.path("/move"), R"({"to":"west"})").body, HasSubstr(R"("repeated":true)"));
    const auto shown = town.get("ann", town.path());
    EXPECT_THAT(shown.body, HasSubstr(R"("move":{"cause":"tenant","to":"west","restart":false)"));
    EXPECT_THAT(shown.body, HasSubstr(R"("state":"running")")) << "it runs on";
    const auto other = town.post("ann", town.path("/move"), "{}");
    EXPECT_EQ(other.status, 409) << other.body;
    EXPECT_THAT(other.body, HasSubstr("urn:weir:problem:not_movable"));
    EXPECT_EQ(town.post("ann", town.path("/move"), R"({"call_off":true})").status, 200);
    EXPECT_THAT(town.get("ann", town.path()).body, testing::Not(HasSubstr(R"("move")")));
}

TEST(Moves, AreShownWithWhatTheyCost) {
    MovingTown town;
    const auto west = town.token_for("", {Scope::agent}, SiteName{"west"});
    std::uint64_t sequence = 0;
    const auto from_west = [&](SiteReport report) {
        report.site = SiteName{"west"};
        report.session = format_uid({0, 1});
        report.sequence = ++sequence;
        EXPECT_EQ(town.ask(west, Method::post, "/v1/sites/west/report", codec::to_json(report),
                           {{std::string{agent_protocol::header}, std::to_string(agent_protocol::newest)}}).status,
                  200);
    };
    SiteReport nodes;
    nodes.nodes = {Town::node("n1")};
    from_west(std::move(nodes));
    const auto id = *JobId::parse(town.job);
    SiteReport published;
    published.checkpoints = {{id, 1, "one", sha256("one"), 10, {}}};
    ASSERT_EQ(town.report(std::move(published)).status, 200);
    ASSERT_EQ(town.post("ann", town.path("/move"), R"({"to":"west"})").status, 200);
    EXPECT_TRUE(town.comes("ann", town.path(), R"("target_generation":2)"));
    EXPECT_THAT(town.get("ann", town.path("/why")).body,
                HasSubstr("a place is held for it at west, where its checkpoint is awaited until"));
    SiteReport prepared;
    prepared.prepared = {{id, 2, sha256("one")}};
    from_west(std::move(prepared));
    EXPECT_TRUE(town.comes("ann", town.path(), R"("stop_ordered":"moving")")) << "the state is " << town.get("ann", town.path()).body;
    SiteReport ended;
    ended.tasks = {{id, 1, TaskState::ended, Reason::stopped_as_ordered, 0, {}, 50}};
    ASSERT_EQ(town.report(std::move(ended)).status, 200);
    EXPECT_TRUE(town.comes("ann", town.path(), R"("arrival":{"from":"east")"));
    EXPECT_THAT(town.get("ann", town.path("/why")).body, HasSubstr("it comes from east, where it ended at"));
    SiteReport runs;
    runs.tasks = {{id, 2, TaskState::running, Reason::none, 0, {}, 0}};
    from_west(std::move(runs));
    const auto shown = town.get("ann", town.path()).body;
    EXPECT_THAT(shown, HasSubstr(R"("site":"west")"));
    EXPECT_THAT(shown, HasSubstr(R"("moves":[{"generation":2,"from":"east","to":"west","arrived_at":")"));
    EXPECT_THAT(shown, HasSubstr(R"("lost":0,"prepared":true}])"));
}

TEST(Moves, OfASiteAndOfAnOrganisationAreShownWithThem) {
    MovingTown town;
    const auto draining = town.ask("root", Method::put, "/v1/sites/east/duty", R"({"duty":"draining","deadline":"2099-01-01T00:00:00Z"})");
    ASSERT_EQ(draining.status, 200) << draining.body;
    EXPECT_TRUE(town.comes("root", "/v1/sites/east", R"("duty":"draining","drained_by":"2099-01-01T00:00:00Z")"));
    EXPECT_TRUE(town.comes("root", "/v1/sites/east", R"("tasks_leaving":1)"));
    EXPECT_TRUE(town.comes("ann", town.path(), R"("cause":"site_drain")")) << "the network moves what can move";
    EXPECT_EQ(town.ask("root", Method::put, "/v1/sites/east/duty", R"({"duty":"working"})").status, 200);
    EXPECT_TRUE(town.comes("root", "/v1/sites/east", R"("tasks_leaving":0)")) << "nothing has to leave any more";
    ASSERT_EQ(town.ask("root", Method::put, "/v1/organisations/lab/suspension", R"({"suspended":true})").status, 200);
    EXPECT_THAT(town.get("ann", "/v1/organisations/lab").body, HasSubstr(R"("suspended":true)"));
    EXPECT_TRUE(town.comes("ann", town.path(), R"("stop_ordered":"suspended")"));
    const auto refused = town.post("ann", "/v1/jobs", Town::job_body());
    EXPECT_EQ(refused.status, 403) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("urn:weir:problem:suspended"));
}

TEST(Moves, AreOrderedByThoseWhoMay) {
    MovingTown town;
    struct Asked {
        std::string person;
        Method method;
        std::string target;
        std::string body;
        int status;
        std::string code;
    };
    const std::string drain = R"({"duty":"draining"})";
    const std::vector<Asked> table{
        {"eve", Method::post, town.path("/move"), R"({"to":"west"})", 404, "not_found"},
        {"ann-reads", Method::post, town.path("/move"), R"({"to":"west"})", 403, "forbidden"},
        {"ann", Method::post, "/v1/jobs/job-01kaj3y0000000000000000000/move", "{}", 404, "not_found"},
        {"ann", Method::post, "/v1/jobs/none/move", "{}", 404, "not_found"},
        {"ann", Method::post, town.path("/move"), R"({"to":"nowhere"})", 404, "not_found"},
        {"ann", Method::post, town.path("/move"), R"({"to":"east"})", 409, "not_movable"},
        {"ann", Method::post, town.path("/move"), R"({"to":""})", 422, "bad_value"},
        {"ann", Method::post, town.path("/move"), R"({"whither":"west"})", 422, "bad_value"},
        {"ann", Method::put, "/v1/sites/east/duty", drain, 403, "forbidden"},
        {"root", Method::put, "/v1/sites/nowhere/duty", drain, 404, "not_found"},
        {"root", Method::put, "/v1/sites/east/duty", R"({"duty":"asleep"})", 422, "bad_value"},
        {"root", Method::put, "/v1/sites/east/duty", R"({"duty":"draining","deadline":"2001-01-01T00:00:00Z"})", 422, "bad_value"},
        {"root", Method::put, "/v1/sites/east/duty", R"({"duty":"stopped","deadline":"2099-01-01T00:00:00Z"})", 422, "bad_value"},
        {"ann", Method::put, "/v1/organisations/lab/suspension", R"({"suspended":true})", 403, "forbidden"},
        {"own", Method::put, "/v1/organisations/rivals/suspension", R"({"suspended":true})", 403, "forbidden"},
        {"root", Method::put, "/v1/organisations/nobody/suspension", R"({"suspended":true})", 404, "not_found"},
    };
    for (const auto& [person, method, target, body, status, code] : table) {
        const auto answer = town.ask(person, method, target, body);
        const auto told = fmt::format("{} {} {}: {}", person, target, body, answer.body);
        EXPECT_EQ(answer.status, status) << told;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:" + code) << told;
    }
}

}  // namespace
}  // namespace weir::api::test
