// Goal: the server reads out what a task of this site printed, and nothing to which the site only links.
// Method: two sites below a temporary folder; one has the log, the other a link to it in one part of the path after another.
#include "apps/server/site_logs.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::server {
namespace {

namespace fs = std::filesystem;

const SiteName east{"east"};
const SiteName west{"west"};
const JobId job = *JobId::parse("job-01k00000000000000000000001");
const std::string printed = "the loss is 0.5\n";

class SiteLogsTest : public testing::Test {
protected:
    SiteLogsTest() {
        fs::create_directories((folder / "east" / log).parent_path());
        std::ofstream{folder / "east" / log} << printed;
    }

    [[nodiscard]] std::string root(const SiteName& site) const { return (folder / site.value).string(); }
    static Result<std::string, api::LogFault> read(std::map<SiteName, std::string> roots, const SiteName& site, std::uint32_t generation) {
        SiteLogs logs{std::move(roots)};
        auto piece = logs.read({.job = job, .site = site, .generation = generation});
        if (!piece) return fail(piece.error().fault);
        return piece->bytes;
    }

    const TestFolder made;
    const fs::path folder = made.path();
    const fs::path log = fs::path{"tasks"} / job.text() / "2" / "0" / "logs" / "0.out.00000000000000000000";
};

TEST_F(SiteLogsTest, ATasksOutputIsReadWhereverItsSiteIsKnown) {
    EXPECT_EQ(read({{east, root(east)}}, east, 2), printed);
    EXPECT_EQ(read({{east, root(east)}, {west, root(west)}}, SiteName{}, 0), printed) << "the newest that is here";
    EXPECT_EQ(read({{east, root(east)}}, east, 1).error(), api::LogFault::unknown);
    EXPECT_EQ(read({{east, root(east)}}, west, 2).error(), api::LogFault::unavailable);
}

TEST_F(SiteLogsTest, TheOperatorMayLinkTheRootItself) {
    fs::create_directory_symlink(root(east), folder / "elsewhere");
    EXPECT_EQ(read({{east, (folder / "elsewhere").string()}}, east, 2), printed);
}

TEST_F(SiteLogsTest, NoPartOfThePathBelowTheRootMayBeALink) {
    fs::path part;
    for (const auto& name : log) {
        part /= name;
        fs::remove_all(root(west));
        fs::create_directories((root(west) / part).parent_path());
        fs::create_symlink(root(east) / part, root(west) / part);
        ASSERT_TRUE(fs::exists(root(west) / log)) << "whoever follows links gets there";
        for (const std::uint32_t generation : {0U, 2U})
            EXPECT_NE(read({{west, root(west)}}, SiteName{}, generation), printed) << part << ", where the site is not known";
        EXPECT_NE(read({{west, root(west)}}, west, 2), printed) << part;
    }
}

}  // namespace
}  // namespace weir::server
