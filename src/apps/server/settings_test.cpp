#include "apps/server/settings.hpp"

#include "base/test_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace weir::server {
namespace {

class PolicyOfAFile : public testing::Test {
protected:
    [[nodiscard]] Result<control::Policy, std::string> read(const std::string& text) const {
        const auto path = folder.file("policy.yaml");
        std::ofstream{path} << text;
        return read_policy(path);
    }

    TestFolder folder;
};

TEST_F(PolicyOfAFile, KeepsItsDefaultsWhereTheFileIsSilent) {
    const auto policy = read("task_lease: 45s\nremember: 3660d\n");
    ASSERT_TRUE(policy) << policy.error();
    EXPECT_EQ(policy->task_lease, seconds(45));
    EXPECT_EQ(policy->remember, hours(3660 * 24));
    EXPECT_EQ(policy->stop_within, control::Policy{}.stop_within);
}

TEST_F(PolicyOfAFile, IsRefusedWithBothNumbersWhereALengthIsOutOfItsBounds) {
    const auto refusal = [&](const std::string& text) {
        const auto policy = read(text);
        return policy ? std::string{"taken"} : policy.error();
    };
    EXPECT_THAT(refusal("task_lease: 0s\n"), testing::EndsWith("policy.yaml: task_lease is 0 ms, and must be at least 1 s"));
    EXPECT_THAT(refusal("run_on_lease: 10s\n"), testing::EndsWith("run_on_lease is 10 s, and must be at least 30 s"));
    EXPECT_THAT(refusal("run_on_lease: 22000d\n"), testing::EndsWith("run_on_lease is 22000 d, and must be at most 366 d"));
    EXPECT_THAT(refusal("stop_within: 367d\n"), testing::EndsWith("stop_within is 367 d, and must be at most 366 d"));
    EXPECT_THAT(refusal("remember: 3661d\n"), testing::EndsWith("remember is 3661 d, and must be at most 3660 d"));
    EXPECT_THAT(refusal("stop_withn: 1h\n"), testing::HasSubstr("stop_withn"));
}

}  // namespace
}  // namespace weir::server
