// Goal: a length of time without its unit is found wherever it stands, and said how to write.
#include "codec/bare_lengths.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace weir::codec {
namespace {

constexpr std::array<std::string_view, 3> paths{"max_duration", "retry.backoff", "checkpoint.interval"};

TEST(BareLengths, AreFoundWithTheirPlaceAndWhatToWrite) {
    const auto document = read_yaml("max_duration: 60\nretry: {backoff: 5s}\ncheckpoint:\n  interval: 10\nother: 7\n");
    ASSERT_TRUE(document);
    const auto problems = bare_lengths(*document, paths, "job.yaml");
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(describe(problems[0]),
              "job.yaml:1:15: max_duration: is 60 without a unit; write 60s for seconds, 60m for minutes or 60h for hours");
    EXPECT_EQ(problems[1].path, "checkpoint.interval");
    EXPECT_EQ(problems[1].line, 4U);
    EXPECT_EQ(bare_lengths(*document, paths, "body", "spec")[0].path, "spec.max_duration");
}

TEST(BareLengths, AreNotWhatHasAUnitOrIsNothing) {
    for (const auto* text : {"{}", "max_duration: 1h", "max_duration: 0", "retry: 5", "[1]", "max_duration: \"60\""}) {
        const auto document = read_yaml(text);
        ASSERT_TRUE(document) << text;
        EXPECT_TRUE(bare_lengths(*document, paths, "x").empty()) << text;
    }
}

}  // namespace
}  // namespace weir::codec
