// Goal: a server that stands by says so to everybody, and whoever knows another address goes on there.
// Method: the real listener on 127.0.0.1, asked by the real client.
#include "apps/server/standby.hpp"

#include "transport/http/client/servers.hpp"

#include <gmock/gmock.h>

namespace weir::server {
namespace {

using http::Method;
using testing::HasSubstr;

TEST(Standby, RefusesEveryRouteAndTellsWhereToAsk) {
    auto standby = start_standby({}, "1.2.3");
    ASSERT_TRUE(standby) << standby.error().message;
    http::Client client{http::parse_base_url(standby->url()).value()};
    const auto ask = [&](Method method, std::string target) {
        http::Call call;
        call.method = method;
        call.target = std::move(target);
        return client.call(std::move(call));
    };
    for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::del}) {
        for (const auto* target : {"/v1/jobs", "/v1/sites/pidu-core/report?a=b", "/readyz"}) {
            const auto answer = ask(method, target);
            ASSERT_TRUE(answer) << answer.error().message;
            EXPECT_EQ(answer->status, 503) << target;
            EXPECT_EQ(answer->headers.find("Retry-After"), "1");
            EXPECT_TRUE(http::is_elsewhere(answer)) << answer->body;
        }
    }
    const auto health = ask(Method::get, "/healthz");
    ASSERT_TRUE(health);
    EXPECT_EQ(health->status, 200);
    EXPECT_EQ(health->body, "ok\nweir 1.2.3, standing by\n");
    const auto figures = ask(Method::get, "/metrics");
    ASSERT_TRUE(figures);
    EXPECT_THAT(figures->body, HasSubstr("\nweir_leads 0\n"));
    EXPECT_THAT(figures->body, HasSubstr("weir_build_info{build=\"1.2.3\"} 1\n"));
}

}  // namespace
}  // namespace weir::server
