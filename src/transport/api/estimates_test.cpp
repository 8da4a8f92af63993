// Goal: before a submission everybody is told where, when and for how much, by the code that will decide it; after it, when.
#include "transport/api/test_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::api::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string job(const std::string& accelerators, const std::string& more = {}) {
    return R"({"project":"vision","spec":{"name":"train","resources":{"accelerators":[")" + accelerators +
           R"("]},"run":"true","max_duration":3600,"estimated_duration":1800)" + more + "}}";
}

class EstimateTown : public Town {
public:
    EstimateTown() {
        SiteReport nodes;
        nodes.nodes = {node("n1")};
        EXPECT_EQ(report(nodes).status, 200);
    }
    [[nodiscard]] std::string submitted(const std::string& body) const {
        const auto made = post("ann", "/v1/jobs", body);
        EXPECT_EQ(made.status, 201) << made.body;
        return text_of(made.body, "id");
    }
};

TEST(Estimates, SayWhereWhenAndForHowMuchAndKeepNothing) {
    EstimateTown town;
    const auto told = town.post("ann", "/v1/jobs:estimate", job("A100:2"));
    ASSERT_EQ(told.status, 200) << told.body;
    EXPECT_THAT(told.body, HasSubstr(R"("holds":[{"source":"prepaid","per_mille":1000,"amount":1204}],"held_fen":1204)"))
        << "two cards for an hour and the grace of ten seconds at six yuan";
    EXPECT_THAT(told.body,
                HasSubstr(R"("site":"east","model":"A100","emulated":true,"fen_per_card_hour":600,"cost_expected":600,"cost_max":1204)"));
    EXPECT_THAT(told.body, HasSubstr(R"("starts_at":")"));
    EXPECT_THAT(told.body, HasSubstr(R"("cost_expected":600,"text":"an estimate:)"));
    EXPECT_THAT(town.get("ann", "/v1/jobs").body, HasSubstr(R"("items":[])"));
}

TEST(Estimates, OfARefusedJobAreItsRefusal) {
    EstimateTown town;
    const auto both = [&](const std::string& body) {
        const auto estimate = town.post("ann", "/v1/jobs:estimate", body);
        const auto submission = town.post("ann", "/v1/jobs", body);
        EXPECT_EQ(estimate.status, submission.status) << body;
        EXPECT_EQ(text_of(estimate.body, "detail"), text_of(submission.body, "detail"));
        return estimate.status;
    };
    EXPECT_EQ(both(job("A100:2", R"(,"residency":"cn/beijing")")), 422);
    EXPECT_EQ(both(job("A100:2", R"(,"num_nodes":1000)")), 402);
    EXPECT_EQ(both(R"({"project":"rival","spec":{"name":"t","resources":{"accelerators":["A100:1"]},"run":"true"}})"), 404);
    EXPECT_EQ(town.post("ann", "/v1/jobs:estimate", "{}").status, 422);
    EXPECT_EQ(town.post("ann-reads", "/v1/jobs:estimate", job("A100:1")).status, 403);
}

TEST(Estimates, AJobThatCouldNeverRunHasWarningsAndNoStart) {
    EstimateTown town;
    const auto told = town.post("ann", "/v1/jobs:estimate", job("A100:3"));
    ASSERT_EQ(told.status, 200) << told.body;
    EXPECT_THAT(told.body, Not(HasSubstr("starts_at")));
    EXPECT_THAT(told.body, HasSubstr(R"("warnings":[{"code":"never_fits")"));
}

TEST(Eta, OfAJobThatWaitsIsWhenTheOneBeforeItShouldEnd) {
    EstimateTown town;
    const auto first = town.submitted(job("A100:2"));
    EXPECT_TRUE(town.comes("ann", "/v1/jobs/" + first, R"("state":"placed")"));
    const auto next = town.submitted(job("A100:2"));
    const auto eta = town.get("ann", "/v1/jobs/" + next + "/eta");
    ASSERT_EQ(eta.status, 200) << eta.body;
    const auto since = parse_utc(text_of(town.get("ann", "/v1/jobs/" + first).body, "since"));
    ASSERT_TRUE(since);
    EXPECT_EQ(text_of(eta.body, "starts_at"), format_utc(*since + seconds(1800)));
    EXPECT_EQ(text_of(eta.body, "ends_at"), format_utc(*since + seconds(3600)));
    EXPECT_EQ(text_of(eta.body, "site"), "east");
    EXPECT_EQ(text_of(town.get("ann", "/v1/jobs/" + first + "/eta").body, "ends_at"), format_utc(*since + seconds(1800)));
    EXPECT_EQ(town.get("eve", "/v1/jobs/" + next + "/eta").status, 404) << "another tenant's job does not exist";
    EXPECT_EQ(town.ask("ann", http::Method::del, "/v1/jobs/" + next).status, 200);
    EXPECT_EQ(town.get("ann", "/v1/jobs/" + next + "/eta").status, 409);
}

}  // namespace
}  // namespace weir::api::test
