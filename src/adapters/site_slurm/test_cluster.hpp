// adapters/site_slurm/test_cluster.hpp: one real Slurm for all tests of a program, and sites on it.
//
// The cluster is tests/slurm_cluster.py: real daemons, emulated nodes and cards. The tests work as the user whose jobs they are; only root
// can make such a cluster, so that whoever is not root skips.
#pragma once

#include "adapters/site_slurm/slurm_site.hpp"
#include "supervisor/test_rig.hpp"

#include <pwd.h>

#include <stdexcept>

namespace weir::site_slurm {

class Cluster {
public:
    static Cluster& get() {
        static Cluster one;
        return one;
    }
    ~Cluster() {
        if (pid_ <= 0) return;
        // The input's end stops it.
        close(input_);
        int status = 0;
        waitpid(pid_, &status, 0);
        close(output_);
        (void)!setresuid(0, 0, 0);
        (void)!setresgid(0, 0, 0);
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    [[nodiscard]] const std::string& why_not() const { return why_not_; }
    [[nodiscard]] std::filesystem::path folder() const { return folder_; }
    /// `kill PART` or `start PART`.
    void say(const std::string& line) {
        const auto text = line + "\n";
        ASSERT_TRUE(supervisor::write_all(input_, text));
        ASSERT_EQ(read_line(), "ok") << line;
    }

private:
    Cluster() {
        if (geteuid() != 0) {
            why_not_ = "only root can run a Slurm of its own";
            return;
        }
        std::string name = (std::filesystem::temp_directory_path() / "weir-slurm-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        chmod(folder_.c_str(), 0755);
        const passwd* const user = getpwnam("nobody");
        std::filesystem::create_directory(folder_ / "sites");
        int in[2];
        int out[2];
        if (user == nullptr || chown((folder_ / "sites").c_str(), user->pw_uid, user->pw_gid) != 0 || pipe2(in, O_CLOEXEC) != 0 ||
            pipe2(out, O_CLOEXEC) != 0) {
            why_not_ = "there is no user nobody";
            return;
        }
        const auto cluster = (folder_ / "cluster").string();
        pid_ = fork();
        if (pid_ == 0) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            execl(WEIR_PYTHON, "python3", "-B", WEIR_SLURM_CLUSTER, cluster.c_str(), "2", "nobody", nullptr);
            _exit(126);
        }
        close(in[0]);
        close(out[1]);
        input_ = in[1];
        output_ = out[0];
        const auto word = read_line();
        if (word != "ready") why_not_ = word.empty() ? "Slurm did not come up" : word;
        // From here on as an agent is: never root.
        if (setresgid(user->pw_gid, user->pw_gid, 0) != 0 || setresuid(user->pw_uid, user->pw_uid, 0) != 0)
            why_not_ = "the user cannot be changed";
    }

    std::string read_line() const {
        std::string line;
        for (char c = 0;;) {
            pollfd source{.fd = output_, .events = POLLIN, .revents = 0};
            if (poll(&source, 1, 4 * supervisor::patience_ms) <= 0 || read(output_, &c, 1) != 1 || c == '\n') return line;
            line += c;
        }
    }

    std::string why_not_;
    std::filesystem::path folder_;
    pid_t pid_ = 0;
    int input_ = -1;
    int output_ = -1;
};

/// A site with a root of its own on the one cluster.
struct World {
    World() {
        auto& cluster = Cluster::get();
        if (!cluster.why_not().empty()) return;
        std::string name = (cluster.folder() / "sites" / "XXXXXX").string();
        config = {.root = mkdtemp(name.data()),
                  .supervisor = WEIR_SUPERVISOR,
                  .rest = {.address = {.path = cluster.folder() / "cluster" / "rest" / "slurmrestd.sock"}},
                  .kinds = {{"l20", {.model = "L20", .stack = ports::CardStack::cuda}}},
                  .emulated = true,
                  .tenants_share_user = true,
                  .disk_floor_bytes = 1,
                  .ask_every_ms = 100,
                  .leave_within_s = 5};
        restart();
    }
    ~World() {
        if (!site) return;
        for (const auto& task : site->observe().value()) (void)site->fence(task.key.job, task.key.generation);
        std::string why;
        EXPECT_TRUE(eventually([&] {
            for (const auto& task : site->observe().value()) {
                const auto forgotten = site->forget(task.key);
                if (!forgotten) why = forgotten.error().message;
            }
            return site->observe()->empty();
        })) << why;
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] static std::string why_not() { return Cluster::get().why_not(); }
    ports::SiteBackend& backend() { return *site; }
    void restart() {
        site.reset();
        auto opened = SlurmSite::open(config);
        if (!opened) throw std::runtime_error{opened.error().message};
        site = std::move(*opened);
    }
    [[nodiscard]] static std::string node(std::int32_t rank) { return rank == 0 ? "n1" : "n2"; }
    [[nodiscard]] static ports::BootInstant in_s(std::int64_t seconds) { return {supervisor::boot_now_ns() + seconds * 1'000'000'000}; }
    /// More patient than with hosts alone: Slurm has a rhythm of its own.
    [[nodiscard]] static bool eventually(const std::function<bool()>& holds) {
        return supervisor::eventually(holds) || supervisor::eventually(holds);
    }
    [[nodiscard]] ports::TaskObserved look(const ports::TaskKey& key) const {
        for (const auto& task : site->observe().value()) {
            if (task.key == key) return task;
        }
        return {};
    }
    [[nodiscard]] ports::TaskObserved await_state(const ports::TaskKey& key, ports::TaskState state) const {
        ports::TaskObserved seen;
        EXPECT_TRUE(eventually([&] {
            seen = look(key);
            return seen.state == state;
        })) << static_cast<int>(seen.state) << ' ' << seen.detail;
        return seen;
    }
    [[nodiscard]] std::vector<SlurmJob> jobs_of(const ports::TaskKey& key) const {
        return SlurmRest{config.rest}.jobs_named(site->name_of(key.job, key.generation)).value();
    }
    [[nodiscard]] std::filesystem::path folder(const ports::TaskKey& key) const {
        return std::filesystem::path{config.root} / "tasks" / key.job / std::to_string(key.generation) / std::to_string(key.node_rank);
    }

    SlurmConfig config;
    std::unique_ptr<SlurmSite> site;
};

}  // namespace weir::site_slurm
