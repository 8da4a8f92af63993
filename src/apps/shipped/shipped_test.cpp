// Goal: shipped files are found wherever the programs were put, the nearest first, and a refusal names every place.
#include "apps/shipped/shipped.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::apps {
namespace {

namespace fs = std::filesystem;

class Shipped : public testing::Test {
protected:
    [[nodiscard]] std::string at(const std::string& path) const { return path.empty() ? top_.string() : (top_ / path).string(); }
    void put(const std::string& folder) const {
        fs::create_directories(top_ / folder / "catalogue");
        std::ofstream{top_ / folder / shipped_catalogue} << "accelerators: []\n";
    }

    const TestFolder made_;
    const fs::path top_ = made_.path();
};

TEST_F(Shipped, IsFoundBesideTheProgramInAShareFolderOrInTheCheckout) {
    const auto bin = at("build/release/bin");
    const auto find = [&] { return find_shipped(bin, shipped_catalogue, "--catalogue FILE"); };
    ASSERT_FALSE(find());
    EXPECT_EQ(find().error(), "catalogue/accelerators.yaml is in none of " + bin + ", " + at("build/release/share/weir") + ", " + at("") +
                                  "; name it with --catalogue FILE");
    put("");
    EXPECT_EQ(find().value(), at(""));
    put("build/release/share/weir");
    EXPECT_EQ(find().value(), at("build/release/share/weir"));
    put("build/release/bin");
    EXPECT_EQ(find().value(), bin);
}

TEST_F(Shipped, AFolderOfThatNameIsNoFile) {
    fs::create_directories(top_ / "bin" / shipped_catalogue);
    EXPECT_FALSE(find_shipped(at("bin"), shipped_catalogue, "--catalogue FILE"));
}

TEST_F(Shipped, WhatIsNamedWins) {
    EXPECT_EQ(catalogue_path("mine.yaml").value(), "mine.yaml");
}

}  // namespace
}  // namespace weir::apps
