// Goal: a site of hosts keeps the promises of every site.
// Method: the suite of the port over real sites below temporary roots; as root each has users of its own.
#include "ports/site_backend_conformance.hpp"

#include "adapters/site_process/process_site.hpp"
#include "supervisor/test_rig.hpp"

namespace weir::site_process {
namespace {

struct World {
    World() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-site-XXXXXX").string();
        base = mkdtemp(name.data());
        chmod(base.c_str(), 0755);
        // Users that no other run of these tests has; host_test and process_site_test count from a million on.
        static uid_t next = 0;
        const auto first = 900'000'000 + static_cast<uid_t>(getpid()) * 64 + 4 * (next++ % 16);
        config = {.root = base / "root", .supervisor = WEIR_SUPERVISOR, .users_lock = base / "lock",
                  .emulated = {{.node = "n1", .model = "A100", .stack = ports::CardStack::cuda, .memory_mib = 1024, .count = 2},
                               {.node = "n2", .model = "A100", .stack = ports::CardStack::cuda, .memory_mib = 1024, .count = 2}}};
        if (geteuid() == 0) {
            config.site_owner = {.uid = first, .gid = first};
            config.users = {.first = first + 1, .count = 3};
        }
        restart();
    }
    ~World() {
        for (const auto& task : site->observe().value()) {
            (void)site->fence(task.key.job, task.key.generation);
            EXPECT_TRUE(eventually([&] {
                const auto all = site->observe().value();
                return std::ranges::all_of(all, [](const auto& seen) { return seen.state == ports::TaskState::ended; });
            }));
            (void)site->forget(task.key);
        }
        site.reset();
        std::error_code ignored;
        std::filesystem::remove_all(base, ignored);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] static std::string why_not() { return {}; }
    ports::SiteBackend& backend() { return *site; }
    void restart() {
        site.reset();
        auto opened = ProcessSite::open(config);
        if (!opened) throw std::runtime_error{opened.error().message};
        site = std::move(*opened);
    }
    [[nodiscard]] static std::string node(std::int32_t rank) { return rank == 0 ? "n1" : "n2"; }
    [[nodiscard]] static ports::BootInstant in_s(std::int64_t seconds) { return {supervisor::boot_now_ns() + seconds * 1'000'000'000}; }
    [[nodiscard]] static bool eventually(const std::function<bool()>& holds) { return supervisor::eventually(holds); }

    std::filesystem::path base;
    SiteConfig config;
    std::unique_ptr<ProcessSite> site;
};

}  // namespace
}  // namespace weir::site_process

namespace weir::ports {

INSTANTIATE_TYPED_TEST_SUITE_P(Process, SiteConformance, site_process::World);

}  // namespace weir::ports
