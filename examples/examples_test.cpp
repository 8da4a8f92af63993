// Goal: every file that we ship as an example is read by the real types and has no flaw.
// Method: the files themselves, found below the folder that is named at build time.
#include "agent/config.hpp"
#include "codec/decode.hpp"
#include "domain/limits.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace weir {

struct CatalogueFile {
    std::vector<Accelerator> accelerators;
};
BOOST_DESCRIBE_STRUCT(CatalogueFile, (), (accelerators))

namespace {

namespace fs = std::filesystem;

const fs::path root{WEIR_SOURCE_DIR};

template <class T>
T read_file(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    EXPECT_TRUE(file) << path;
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto read = codec::decode_yaml<T>(text, path.filename().string());
    EXPECT_TRUE(read) << codec::describe(read.error());
    return read ? std::move(*read) : T{};
}

std::vector<fs::path> files(const char* folder, std::string_view ending) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(root / folder)) {
        if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
    }
    EXPECT_FALSE(found.empty()) << folder;
    return found;
}

Catalogue catalogue() {
    Catalogue models;
    for (auto& one : read_file<CatalogueFile>(root / "catalogue/accelerators.yaml").accelerators) {
        EXPECT_TRUE(models.emplace(one.model, one).second) << one.model << " stands there twice";
    }
    return models;
}

void expect_flawless(const std::vector<Flaw>& flaws, const fs::path& path) {
    for (const auto& flaw : flaws) ADD_FAILURE() << path.filename() << ": " << flaw.path << " " << flaw.message;
}

TEST(Examples, TheCatalogueIsRead) {
    const auto models = catalogue();
    ASSERT_TRUE(models.contains("H100"));
    EXPECT_EQ(models.at("H100").fp64_gflops->value, 34'000);
    EXPECT_FALSE(models.at("V100").int8_gops) << "a figure that nobody publishes is absent, not zero";
    EXPECT_TRUE(models.at("Ascend910B3").domestic);
    EXPECT_TRUE(models.contains("cpu"));
}

TEST(Examples, EveryJobMayBeSubmitted) {
    for (const auto& path : files("examples/jobs", ".yaml")) expect_flawless(flaws(read_file<JobSpec>(path), catalogue()), path);
}

TEST(Examples, EverySiteAndItsNodesMayBeDeclared) {
    for (const auto& path : files("examples/sites", ".yaml")) {
        if (path.string().ends_with(".nodes.yaml")) {
            EXPECT_FALSE(read_file<agent::NodeFile>(path).nodes.empty()) << path;
        } else {
            expect_flawless(flaws(read_file<Site>(path), catalogue()), path);
        }
    }
}

TEST(Examples, EveryAgentMayBeRun) {
    for (const auto& path : files("examples/agents", ".yaml")) {
        const auto config = read_file<agent::AgentConfig>(path);
        EXPECT_EQ(config.backend == Backend::slurm, config.slurm.has_value()) << path;
        EXPECT_FALSE(config.nodes.empty()) << path;
    }
}

TEST(Examples, TheProgrammeMayBeLoaded) {
    for (const auto& path : files("examples/programmes", ".yaml")) expect_flawless(flaws(read_file<Programme>(path)), path);
}

}  // namespace
}  // namespace weir
