// bench/supervisor_size.cpp: what weir-supervisor costs a host: bytes on the disk, and resident memory while it keeps a task.
//
// It is started as a process site starts it, with 1 and with 64 ranks that sleep, and read once every rank runs. Beside it lives the
// task's init, which is the same program. The floor is what the kernel says of a rank: /bin/sleep, as small as a usual program gets.
#include "adapters/site_process/process_site.hpp"
#include "bench/real_network.hpp"
#include "bench/report.hpp"
#include "supervisor/status.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <thread>

namespace {

using namespace weir;
using bench::give_up;

constexpr std::array rank_counts{1, 64};
constexpr int rounds = 3;
constexpr unsigned site_uid = 61'000;

std::string slurp(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Whether nothing has to be loaded beside the program itself: it names no interpreter.
bool is_static(const std::string& program) {
    const auto bytes = slurp(program);
    Elf64_Ehdr head{};
    if (bytes.size() < sizeof head) give_up(program + " is no program; build the target programs");
    bytes.copy(reinterpret_cast<char*>(&head), sizeof head);
    for (std::size_t i = 0; i < head.e_phnum; ++i) {
        Elf64_Phdr part{};
        bytes.copy(reinterpret_cast<char*>(&part), sizeof part, head.e_phoff + i * sizeof part);
        if (part.p_type == PT_INTERP) return false;
    }
    return true;
}

struct Resident {
    double supervisor_kib = 0;
    double init_kib = 0;
    double rank_kib = 0;  ///< A `sleep` among the ranks.
};

std::vector<pid_t> children_of(pid_t pid) {
    std::istringstream list{slurp(fmt::format("/proc/{}/task/{}/children", pid, pid))};
    std::vector<pid_t> pids;
    for (pid_t child = 0; list >> child;) pids.push_back(child);
    return pids;
}

double resident_kib(pid_t pid) { return static_cast<double>(bench::status_number(pid, "VmRSS:")); }

Resident measure(site_process::ProcessSite& site, const std::string& root, int ranks, int round) {
    ports::TaskSpec task;
    task.key = {.job = fmt::format("job-{}-{}", ranks, round), .generation = 1, .node_rank = 0};
    task.project = "bench";
    task.run = "exec sleep 60";
    task.processes_per_node = ranks;
    task.world_size = ranks;
    task.master_port = 29'500;
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    task.lease_deadline = {(now.tv_sec + 60) * 1'000'000'000};
    if (const auto started = site.start(task); !started) give_up("a task did not start: " + started.error().message);
    supervisor::Status status;
    if (!supervisor::parse_status(slurp(fmt::format("{}/tasks/{}/1/0/status", root, task.key.job)), status))
        give_up("a task has no status");
    const auto supervisor_pid = static_cast<pid_t>(status.supervisor_pid);
    std::vector<pid_t> sleepers;
    pid_t init = 0;
    for (int tries = 0; tries < 500 && sleepers.size() < static_cast<std::size_t>(ranks); ++tries) {
        if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds{20});
        const auto below = children_of(supervisor_pid);
        if (below.size() != 1) continue;
        init = below.front();
        sleepers.clear();
        for (const auto pid : children_of(init)) {
            if (slurp(fmt::format("/proc/{}/comm", pid)) == "sleep\n") sleepers.push_back(pid);
        }
    }
    if (sleepers.size() < static_cast<std::size_t>(ranks)) give_up(fmt::format("{} of {} ranks run after 10 s", sleepers.size(), ranks));
    const Resident seen{resident_kib(supervisor_pid), resident_kib(init), resident_kib(sleepers.front())};
    if (const auto stopped = site.stop(task.key); !stopped) give_up("a task did not stop: " + stopped.error().message);
    for (int tries = 0; tries < 500; ++tries) {
        const auto observed = site.observe();
        const bool over = observed && std::ranges::all_of(*observed, [](const auto& one) { return one.state == ports::TaskState::ended; });
        if (over) return seen;
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    give_up("a task did not end in 10 s");
}

void measure_all() {
    const bench::Directory directory;
    ::chmod(directory.path().c_str(), 0711);
    const auto program = bench::programs() + "/weir-supervisor";
    const auto root = directory.file("site");
    site_process::SiteConfig config;
    config.root = root;
    config.supervisor = program;
    config.emulated = {{"n1", "A100", ports::CardStack::cuda, 81'920, 8}};
    config.sandbox = false;
    if (::geteuid() == 0) {
        config.site_owner = {site_uid, site_uid};
        config.users = {site_uid + 1, 100};
    }
    auto site = site_process::ProcessSite::open(std::move(config));
    if (!site) give_up(site.error().message);
    std::string shapes;
    for (const int ranks : rank_counts) {
        std::vector<double> supervisor_kib, init_kib, rank_kib;
        for (int round = 0; round < rounds; ++round) {
            const auto seen = measure(**site, root, ranks, round);
            supervisor_kib.push_back(seen.supervisor_kib);
            init_kib.push_back(seen.init_kib);
            rank_kib.push_back(seen.rank_kib);
        }
        shapes += fmt::format("{}\n    {{\"ranks\": {}, {}, {}, {}}}", shapes.empty() ? "" : ",", ranks,
                              bench::series("supervisor_resident_kib", supervisor_kib, 0), bench::series("init_resident_kib", init_kib, 0),
                              bench::series("floor_sleep_resident_kib", rank_kib, 0));
    }
    fmt::print("{{\"benchmark\": \"supervisor_size\", {},\n", bench::provenance());
    fmt::print("  \"bytes\": {}, \"goal_bytes\": 2000000, \"static\": {}, \"goal_resident_kib\": 3000,\n  \"floor\": \"a rank that is "
               "/bin/sleep\",\n  \"resident\": [{}\n  ]}}\n",
               std::filesystem::file_size(program), is_static(program), shapes);
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
