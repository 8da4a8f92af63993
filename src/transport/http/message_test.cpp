#include "transport/http/message.hpp"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(Problem, PrintsItsMembersInOrder) {
    Problem problem;
    problem.type = problem_type("body_too_large");
    problem.status = 413;
    problem.detail = "the body has 20 bytes and at most 10 are taken here; send less";
    problem.instance = "/v1/jobs";
    problem.members = {{.name = "limit_bytes", .value = std::int64_t{10}},
                       {.name = "hint", .value = std::string{"less"}},
                       {.name = "final", .value = true},
                       {.name = "errors", .value = RawJson{R"([{"line":3}])"}}};
    EXPECT_EQ(render_json(problem), R"({"type":"urn:weir:problem:body_too_large","title":"Content Too Large","status":413,)"
                                    R"("detail":"the body has 20 bytes and at most 10 are taken here; send less","instance":"/v1/jobs",)"
                                    R"("limit_bytes":10,"hint":"less","final":true,"errors":[{"line":3}]})");
    EXPECT_EQ(render_json({.type = "", .title = "", .status = 404, .detail = "", .instance = "", .members = {}}),
              R"({"type":"about:blank","title":"Not Found","status":404})");
}

TEST(Problem, TextIsAlwaysJson) {
    std::string out;
    append_json_string(out, "a\"b\\c\n\r\t\x01\x7f堰\xff\xC0\xAF/");
    EXPECT_EQ(out, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\x7f堰\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD/\"");
}

TEST(Headers, NamesHaveNoCaseAndValuesNoLineBreaks) {
    Headers headers;
    headers.add("Content-Type", "text/plain");
    headers.add("X-A", "1\r\nX-B: 2");
    headers.add("x-a", "3");
    EXPECT_EQ(headers.find("content-TYPE"), "text/plain");
    EXPECT_EQ(headers.find("X-A"), "1  X-B: 2");
    EXPECT_EQ(headers.count("X-a"), 2U);
    EXPECT_EQ(headers.find("X-B"), std::nullopt);
}

TEST(Request, FindsTheBearerToken) {
    const auto token_of = [](std::string_view value) {
        Request request;
        request.headers.add("Authorization", value);
        const auto token = request.bearer_token();
        return token ? std::string{*token} : "none";
    };
    EXPECT_EQ(token_of("Bearer abc"), "abc");
    EXPECT_EQ(token_of("bearer abc"), "abc");
    EXPECT_EQ(token_of("Basic abc"), "none");
    EXPECT_EQ(token_of("Bearer "), "none");
    EXPECT_EQ(Request{}.bearer_token(), std::nullopt);
}

TEST(Response, ARetryTimeIsWholeSecondsRoundedUp) {
    for (const auto& [wait, text] : {std::pair{milliseconds(1), "1"}, std::pair{seconds(2), "2"}, std::pair{milliseconds(2001), "3"}}) {
        const Response response = too_many_requests(wait, "slow down");
        EXPECT_EQ(response.status, 429);
        ASSERT_EQ(response.headers.size(), 1U);
        EXPECT_EQ(response.headers[0].second, text);
    }
}

}  // namespace
}  // namespace weir::http
