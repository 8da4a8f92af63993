// Goal: the agent's loop makes real processes run and resume, and finds them again after its own death.
// Method: a real process site with the real supervisor and a real store of blobs below a temporary directory; the test plays the
// server, and tasks that should go on wait for a FIFO that nobody writes to.
#include "adapters/blobs_local/blobs_local.hpp"
#include "adapters/site_process/process_site.hpp"
#include "agent/agent.hpp"
#include "agent/test_link.hpp"
#include "base/task_limits.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::agent {
namespace {

namespace fs = std::filesystem;

constexpr auto publish =
    "mkdir $WEIR_CHECKPOINT_DIR/.tmp-1 && echo $RANK of $WORLD_SIZE at $MASTER_PORT > $WEIR_CHECKPOINT_DIR/.tmp-1/weights && "
    "mv $WEIR_CHECKPOINT_DIR/.tmp-1 $WEIR_CHECKPOINT_DIR/step-1; ";
constexpr auto go_on = "mkfifo $WEIR_OUTPUT_DIR/never; read line < $WEIR_OUTPUT_DIR/never";

class RealSiteTest : public testing::Test {
protected:
    RealSiteTest() {
        std::string pattern = (fs::temp_directory_path() / "weir-real-XXXXXX").string();
        base = ::mkdtemp(pattern.data());
        ::chmod(base.c_str(), 0755);
        config.site = *SiteName::parse("pidu-core");
        config.root = base / "root";
        site.root = config.root;
        site.supervisor = WEIR_SUPERVISOR;
        site.users_lock = base / "lock";
        site.sandbox = false;
        site.limits = false;
        if (::geteuid() == 0) {
            const auto first = 1'500'000'000 + static_cast<uid_t>(::getpid()) * 16;
            site.site_owner = {.uid = first, .gid = first};
            site.users = {.first = first + 1, .count = 8};
        }
        for (const auto* name : {"n1", "n2"}) {
            NodeDeclaration node;
            node.name = *NodeName::parse(name);
            CardDeclaration cards;
            cards.model = "L20";
            cards.count = 2;
            cards.memory = MiB{1024};
            cards.emulated = true;
            node.cards = {cards};
            config.nodes.push_back(node);
            site_process::EmulatedCards emulated;
            emulated.node = name;
            emulated.model = "L20";
            emulated.stack = ports::CardStack::cuda;
            emulated.memory_mib = 1024;
            emulated.count = 2;
            site.emulated.push_back(emulated);
        }
        store = std::move(blobs_local::LocalBlobs::open(base / "blobs", "pidu-core").value());
        begin();
    }
    ~RealSiteTest() override {
        end();
        if (auto reopened = site_process::ProcessSite::open(site)) sweep(**reopened);
        std::error_code ignored;
        fs::remove_all(base, ignored);
    }

    void begin(std::vector<DesiredTask> tasks = {}) {
        link = std::make_unique<FakeLink>();
        if (!tasks.empty()) link->desire(std::move(tasks));
        auto opened = site_process::ProcessSite::open(site);
        ASSERT_TRUE(opened) << opened.error().message;
        backend = std::move(*opened);
        thread = std::jthread{[this](const std::stop_token& stop) {
            const AgentParts parts{.backend = *backend, .link = *link, .store = *store, .change_descriptor = backend->change_descriptor()};
            const auto ran = run_agent(config, parts, stop);
            EXPECT_TRUE(ran) << ran.error();
        }};
        // What is ordered from now on is ordered of this agent: it may begin it at once.
        ASSERT_TRUE(link->wait_for([](const SiteReport& report) { return report.sequence == 1; }));
    }
    /// The agent dies: its tasks do not.
    void end() {
        thread = {};
        backend.reset();
    }
    static void sweep(site_process::ProcessSite& reopened) {
        const auto deadline = std::chrono::steady_clock::now() + FakeLink::patience;
        for (bool alive = true; alive && std::chrono::steady_clock::now() < deadline; ::poll(nullptr, 0, 1)) {
            alive = false;
            for (const auto& one : reopened.observe().value()) {
                if (one.state == ports::TaskState::ended) continue;
                alive = true;
                (void)reopened.fence(one.key.job, one.key.generation);
            }
        }
        EXPECT_LT(std::chrono::steady_clock::now(), deadline) << "somebody is left behind";
    }

    static DesiredTask task(std::uint32_t generation, const std::string& run, std::int64_t nodes) {
        DesiredTask wanted;
        wanted.job = *JobId::parse("job-01k00000000000000000000001");
        wanted.generation = generation;
        wanted.project = *ProjectName::parse("lab");
        wanted.run = run;
        wanted.placement.model = "L20";
        wanted.placement.nodes.push_back({*NodeName::parse("n1"), {{1, MilliCards{1000}}}});
        if (nodes > 1) wanted.placement.nodes.push_back({*NodeName::parse("n2"), {{0, MilliCards{1000}}}});
        return wanted;
    }
    static auto told(std::uint32_t generation, TaskState state, Reason reason = Reason::none) {
        return [=](const SiteReport& report) {
            return std::ranges::any_of(
                report.tasks, [&](const auto& one) { return one.generation == generation && one.state == state && one.reason == reason; });
        };
    }
    std::string output(const std::string& path) const {
        std::ostringstream text;
        text << std::ifstream(base / "root/tasks/job-01k00000000000000000000001" / path).rdbuf();
        return text.str();
    }

    fs::path base;
    AgentConfig config;
    site_process::SiteConfig site;
    std::unique_ptr<FakeLink> link;
    std::unique_ptr<blobs_local::LocalBlobs> store;
    std::unique_ptr<site_process::ProcessSite> backend;
    std::jthread thread;
};

TEST_F(RealSiteTest, AGangRunsIsFoundAgainAndResumesFromItsCheckpoint) {
    const auto first = task(1, std::string{publish} + go_on, 2);
    link->desire({first});
    ASSERT_TRUE(link->wait_for(told(1, TaskState::running)));
    std::optional<CheckpointReport> point;
    ASSERT_TRUE(link->wait_for([&](const SiteReport& report) {
        if (!report.checkpoints.empty()) point = report.checkpoints.front();
        return point.has_value();
    }));
    EXPECT_EQ(point->name, "step-1");
    end();
    begin({first});
    ASSERT_TRUE(link->wait_for(told(1, TaskState::running)));

    // The next generation comes: the older one, which would never end by itself, is gone before it runs.
    auto next = task(2,
                     "test -e $WEIR_OUTPUT_DIR/set && cat $WEIR_RESUME_DIR/weights > $WEIR_OUTPUT_DIR/found; echo $CUDA_VISIBLE_DEVICES >> "
                     "$WEIR_OUTPUT_DIR/found",
                     1);
    next.setup = "touch $WEIR_OUTPUT_DIR/set";
    next.resume = {{1, point->name, point->manifest, point->bytes, Instant{}}};
    link->desire({next});
    ASSERT_TRUE(link->wait_for(told(2, TaskState::ended, Reason::exited)));
    end();
    const auto reopened = site_process::ProcessSite::open(site);
    ASSERT_TRUE(reopened);
    const auto found = output(fs::relative((*reopened)->outputs_path({"job-01k00000000000000000000001", 2, 0}),
                                           base / "root/tasks/job-01k00000000000000000000001") /
                              "found");
    EXPECT_TRUE(found.starts_with("0 of 2 at ")) << found;
    EXPECT_TRUE(found.ends_with("\n1\n")) << found;
    for (const auto& one : (*reopened)->observe().value()) EXPECT_EQ(one.state, ports::TaskState::ended);
}

TEST_F(RealSiteTest, ATaskThatPublishesUnderOneNameAgainAndAgainHasEachStored) {
    const std::string again =
        "mkfifo $WEIR_OUTPUT_DIR/go; for n in 1 2; do mkdir $WEIR_CHECKPOINT_DIR/.tmp-1; echo $n > $WEIR_CHECKPOINT_DIR/.tmp-1/n; "
        "rm -rf $WEIR_CHECKPOINT_DIR/latest; mv $WEIR_CHECKPOINT_DIR/.tmp-1 $WEIR_CHECKPOINT_DIR/latest; read line < $WEIR_OUTPUT_DIR/go; "
        "done";
    link->desire({task(1, again, 1)});
    std::set<Digest> manifests;
    const auto stored = [&](std::size_t wanted) {
        return link->wait_for([&](const SiteReport& report) {
            for (const auto& point : report.checkpoints) manifests.insert(point.manifest);
            return manifests.size() == wanted;
        });
    };
    ASSERT_TRUE(stored(1));
    const auto go = backend->outputs_path({"job-01k00000000000000000000001", 1, 0}) + "/go";
    std::ofstream{go} << "\n";
    ASSERT_TRUE(stored(2)) << "the second one under the same name";
    std::ofstream{go} << "\n";
    ASSERT_TRUE(link->wait_for(told(1, TaskState::ended, Reason::exited)));
}

TEST_F(RealSiteTest, ACommandAsLongAsTheDomainAcceptsRuns) {
    auto longest = task(1, "true", 1);
    longest.setup = std::string(task_limits::script_bytes_max - 1, '#') + "\n";
    longest.run += "\n" + std::string(task_limits::scripts_bytes_max - longest.setup.size() - longest.run.size() - 1, '#');
    for (int i = 0; i < 4; ++i) longest.envs["V" + std::to_string(i)] = std::string(task_limits::variable_bytes_max - 2, 'v');
    link->desire({longest});
    ASSERT_TRUE(link->wait_for(told(1, TaskState::ended, Reason::exited)));
}

TEST_F(RealSiteTest, ARankThatFailsEndsItsGang) {
    link->desire({task(1, std::string{"test $RANK = 0 || exit 9; "} + go_on, 2)});
    ASSERT_TRUE(link->wait_for(told(1, TaskState::ended, Reason::exit_code)));
}

}  // namespace
}  // namespace weir::agent
