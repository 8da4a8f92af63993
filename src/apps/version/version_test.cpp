// Goal: the version is a release of three numbers with at most a commit behind it.
#include "apps/version/version.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace weir {
namespace {

TEST(Version, IsTheReleaseAndTheCommitOfTheCheckout) {
    const std::string text{version()};
    EXPECT_TRUE(std::regex_match(text, std::regex{R"(\d+\.\d+\.\d+(\+[0-9a-f]{7,40})?)"})) << text;
    EXPECT_TRUE(text.starts_with(release())) << text;
}

}  // namespace
}  // namespace weir
