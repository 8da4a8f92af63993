#include "transport/http/router.hpp"

#include <gtest/gtest.h>

#include <array>

namespace weir::http {
namespace {

Route route(Method method, std::string pattern) {
    Route made;
    made.method = method;
    made.pattern = std::move(pattern);
    made.handler = answer_with([](const Request&) { return Response::empty(); });
    return made;
}

std::string describe(const Router::Match& match) {
    if (match.route == nullptr) return match.allow.empty() ? "unknown" : "allow " + std::string{match.allow};
    std::string text = match.route->pattern;
    for (const auto& [name, value] : match.parameters) text += " " + std::string{name} + "=" + value;
    return text;
}

// Goal: each path has one route, its parameters, or the right refusal.
TEST(Router, FindsThePattern) {
    Router router;
    for (const auto& [method, pattern] :
         {std::pair{Method::get, "/"}, std::pair{Method::get, "/v1/jobs"}, std::pair{Method::post, "/v1/jobs"},
          std::pair{Method::get, "/v1/jobs/{job}"}, std::pair{Method::del, "/v1/jobs/{job}"},
          std::pair{Method::get, "/v1/jobs/{job}/tasks/{task}"}, std::pair{Method::get, "/v1/jobs/search"},
          std::pair{Method::get, "/ui/{rest...}"}, std::pair{Method::put, "/v1/blobs/{blob}"}}) {
        ASSERT_TRUE(router.add(route(method, pattern))) << pattern;
    }
    struct Row {
        Method method;
        std::string_view path;
        std::string_view found;
    };
    for (const auto& [method, path, found] : std::array{
             Row{Method::get, "/", "/"},
             Row{Method::get, "/v1/jobs", "/v1/jobs"},
             Row{Method::head, "/v1/jobs", "/v1/jobs"},
             Row{Method::get, "/v1/jobs/job-1", "/v1/jobs/{job} job=job-1"},
             Row{Method::get, "/v1/jobs/a b", "/v1/jobs/{job} job=a b"},
             Row{Method::get, "/v1/jobs/search", "/v1/jobs/search"},
             Row{Method::get, "/v1/jobs/j/tasks/t", "/v1/jobs/{job}/tasks/{task} job=j task=t"},
             Row{Method::get, "/ui/a/b.css", "/ui/{rest...} rest=a/b.css"},
             Row{Method::put, "/v1/jobs", "allow GET, HEAD, POST, OPTIONS"},
             Row{Method::options, "/v1/jobs/x", "allow GET, HEAD, DELETE, OPTIONS"},
             Row{Method::head, "/v1/blobs/x", "allow PUT, OPTIONS"},
             Row{Method::get, "/v1", "unknown"},
             Row{Method::get, "/v1/jobs/", "unknown"},
             Row{Method::get, "/v1/jobs/j/tasks", "unknown"},
             Row{Method::get, "/v2/jobs", "unknown"},
             Row{Method::options, "*", "unknown"},
         }) {
        EXPECT_EQ(describe(router.match(method, path)), found) << path;
    }
    EXPECT_EQ(router.routes().size(), 9U);
}

TEST(Router, RefusesWhatCouldNotBeMatched) {
    Router router;
    ASSERT_TRUE(router.add(route(Method::get, "/a/{b}")));
    for (const auto& [pattern, refusal] :
         {std::pair{"a", RouteRefusal::pattern_not_absolute}, std::pair{"", RouteRefusal::pattern_not_absolute},
          std::pair{"/a/", RouteRefusal::pattern_not_absolute}, std::pair{"/a//b", RouteRefusal::pattern_not_absolute},
          std::pair{"/{}", RouteRefusal::bad_parameter}, std::pair{"/x{b}", RouteRefusal::bad_parameter},
          std::pair{"/{b", RouteRefusal::bad_parameter}, std::pair{"/{b...}/c", RouteRefusal::bad_parameter},
          std::pair{"/a/{c}", RouteRefusal::parameter_renamed}, std::pair{"/a/{b}", RouteRefusal::already_routed}}) {
        const auto added = router.add(route(Method::get, pattern));
        ASSERT_FALSE(added) << pattern;
        EXPECT_EQ(added.error(), refusal) << pattern;
    }
    EXPECT_EQ(router.routes().size(), 1U);
}

}  // namespace
}  // namespace weir::http
