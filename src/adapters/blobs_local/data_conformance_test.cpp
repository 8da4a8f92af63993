// Goal: a directory keeps the promises of all stores.
// Method: ports/blob_store_conformance.hpp over a real directory; a disk that is full is a limit of file sizes of this process.
#include "adapters/blobs_local/data_local.hpp"
#include "base/test_folder.hpp"
#include "ports/blob_store_conformance.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>

namespace weir::blobs_local {
namespace {

struct DirectoryWorld {
    static constexpr std::size_t large = (std::size_t{3} << 20) + 100;
    ports::BlobResult<std::shared_ptr<ports::DataStore>> open() {
        const auto stores = WEIR_TRY(LocalDataStores::open(folder.file("store"), "network"));
        return stores->of(ProjectName{"vision"});
    }
    void damage(const Digest& digest) {
        const auto path = folder.path() / "store/projects/vision/blobs" / digest.text().substr(0, 2) / digest.text().substr(2);
        std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        const auto byte = file.get();
        ASSERT_GE(byte, 0) << path;
        file.seekp(0);
        file.put(static_cast<char>(byte ^ 1));
    }
    bool fill() {
        before = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &old);
        const rlimit tight{std::size_t{1} << 20, old.rlim_max};
        return ::setrlimit(RLIMIT_FSIZE, &tight) == 0;
    }
    void free() {
        ::setrlimit(RLIMIT_FSIZE, &old);
        std::signal(SIGXFSZ, before);
    }

    TestFolder folder;
    rlimit old{};
    void (*before)(int) = SIG_DFL;
};

}  // namespace
}  // namespace weir::blobs_local

namespace weir::ports {
INSTANTIATE_TYPED_TEST_SUITE_P(Directory, BlobStoreConformance, blobs_local::DirectoryWorld);
}  // namespace weir::ports
