// Goal: whoever knows several servers finds the one that leads, and never repeats what may have been done.
// Method: answers made by hand, and addresses where nobody listens.
#include "transport/http/client/servers.hpp"

#include "transport/http/problem.hpp"

#include <gmock/gmock.h>

namespace weir::http {
namespace {

using testing::ElementsAre;

Result<Answer, CallError> problem(int status, std::string_view code) {
    Problem document;
    document.type = problem_type(code);
    document.status = status;
    Answer answer;
    answer.status = status;
    answer.body = render_json(document);
    return answer;
}

Result<Answer, CallError> broken(CallFault fault, bool maybe_sent) { return fail(CallError{fault, maybe_sent, "broken"}); }

TEST(Servers, AreReadFromAListAndAskedInTurn) {
    EXPECT_THAT(split_servers("http://a:1"), ElementsAre("http://a:1"));
    EXPECT_THAT(split_servers(" http://a:1/ ,http://b\n"), ElementsAre("http://a:1", "http://b"));
    EXPECT_THAT(split_servers("http://a,"), ElementsAre("http://a", ""));
    std::vector<std::uint16_t> ports;
    auto servers = Servers::make("http://a:1, http://b:2", [&](ClientOptions& options) { ports.push_back(options.port); });
    ASSERT_TRUE(servers);
    EXPECT_THAT(ports, ElementsAre(1, 2));
    EXPECT_EQ(servers->count(), 2U);
    EXPECT_EQ(servers->url(), "http://a:1");
    servers->next();
    EXPECT_EQ(servers->url(), "http://b:2");
    EXPECT_EQ(servers->client().options().port, 2);
    servers->next();
    EXPECT_EQ(servers->url(), "http://a:1");
}

TEST(Servers, AListWithAPartThatIsNoAddressOrWithTooManyIsNone) {
    const auto none = [](ClientOptions&) {};
    std::string many = "http://a";
    for (std::size_t i = 1; i < servers_max; ++i) many += ",http://a";
    EXPECT_TRUE(Servers::make(many, none));
    for (const auto& bad : {std::string{}, std::string{"http://a,"}, std::string{"http://a,b"}, std::string{"http://a http://b"},
                            many + ",http://a"})
        EXPECT_FALSE(Servers::make(bad, none)) << bad;
}

TEST(Servers, OnlyWhereNothingWasDoneIsItElsewhere) {
    EXPECT_TRUE(is_elsewhere(problem(503, "not_leader")));
    EXPECT_FALSE(is_elsewhere(problem(503, "not_ready")));
    EXPECT_FALSE(is_elsewhere(problem(503, "not_leader_of_the_choir")));
    EXPECT_FALSE(is_elsewhere(problem(409, "not_leader")));
    EXPECT_FALSE(is_elsewhere(Answer{}));
    for (const auto fault : {CallFault::unresolved, CallFault::refused, CallFault::unreachable})
        EXPECT_TRUE(is_elsewhere(broken(fault, false)));
    for (const auto fault : {CallFault::timed_out, CallFault::closed, CallFault::interrupted, CallFault::protocol})
        EXPECT_FALSE(is_elsewhere(broken(fault, false)));
    EXPECT_FALSE(is_elsewhere(broken(CallFault::unreachable, true)));
}

}  // namespace
}  // namespace weir::http
