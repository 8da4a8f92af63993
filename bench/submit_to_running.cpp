// bench/submit_to_running.cpp: from the sending of a job to its process running, on an idle site of plain hosts.
//
// A real weir-server, a real agent with its long poll, a real supervisor, all on this machine. One job at a time, the site idle before
// each. The task writes the time itself, as its first act: `date +%s%N` below /bin/sh, so a shell and one more program start within
// the figure. Times are the wall clock's; where it moved against the boot clock by more than a millisecond during the run, the run is
// refused. The floor is `sh -c date` started by this process: what any way of starting that command must cost.
#include "bench/load.hpp"
#include "bench/real_network.hpp"
#include "bench/report.hpp"

#include <spawn.h>
#include <time.h>

#include <fstream>
#include <thread>

extern char** environ;

namespace {

using namespace weir;
using bench::give_up;

constexpr int jobs_at_most = 100;
constexpr double seconds_at_most = 22;  ///< Of one kind of site.
constexpr int warm_up_jobs = 3;
constexpr double goal_ms = 50;
constexpr std::int64_t patience_ns = 20'000'000'000;
constexpr std::int64_t drift_ns_max = 1'000'000;

std::int64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}
std::int64_t wall_ns() { return clock_ns(CLOCK_REALTIME); }

std::int64_t written_number(const std::string& path) {
    std::int64_t number = 0;
    std::string line;
    if (std::ifstream file{path}; std::getline(file, line) && !file.eof()) number = std::stoll(line);
    return number;
}

/// What became of one job, in milliseconds after it was sent.
struct Run {
    double answered_ms = 0;  ///< The submission is durable.
    double running_ms = 0;   ///< The task itself says so.
};

class Bench {
public:
    explicit Bench(bench::RealNetwork& network) : network_{network} {}

    Run run() {
        const auto sent_ns = wall_ns();
        const auto made = network_.member().post(
            "/v1/jobs",
            R"({"project":"bench-0","spec":{"name":"now","resources":{"accelerators":["A100:1"]},)"
            R"("run":"date +%s%N >\"$WEIR_OUTPUT_DIR/at\"","max_duration":"1m"}})");
        if (!made) give_up("a submission was refused: " + made.error());
        const auto answered_ns = wall_ns();
        const auto job = up::text_at(*made, "id");
        const auto written = fmt::format("{}/{}/1/0/outputs/at", network_.tasks(), job);
        std::int64_t running_ns = 0;
        while ((running_ns = written_number(written)) == 0) {
            if (wall_ns() - sent_ns > patience_ns) give_up(job + " did not run in 20 s");
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        const auto ms = [&](std::int64_t at_ns) { return static_cast<double>(at_ns - sent_ns) / 1e6; };
        const Run run{ms(answered_ns), ms(running_ns)};
        wait_for_end(job);
        return run;
    }

private:
    void wait_for_end(const std::string& job) {
        const auto from_ns = wall_ns();
        for (;;) {
            const auto seen = network_.member().get("/v1/jobs/" + job);
            if (!seen) give_up(seen.error());
            const auto state = up::text_at(*seen, "state");
            if (state == "succeeded") return;
            if (state == "failed" || wall_ns() - from_ns > patience_ns) give_up(job + " ended as " + state);
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
    }
    bench::RealNetwork& network_;
};

/// `sh -c date` from here: the milliseconds until it has written the time.
double bare_ms(const std::string& path) {
    const auto command = fmt::format("date +%s%N >{}", path);
    const char* const words[] = {"sh", "-c", command.c_str(), nullptr};
    const auto from_ns = wall_ns();
    const auto child = [&] {
        pid_t pid = -1;
        if (::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, const_cast<char* const*>(words), environ) != 0) give_up("no shell");
        return pid;
    }();
    ::waitpid(child, nullptr, 0);
    return static_cast<double>(written_number(path) - from_ns) / 1e6;
}

std::string stage(std::string_view name, const std::vector<Run>& runs, double Run::* of) {
    std::vector<double> ms;
    for (const auto& run : runs) ms.push_back(run.*of);
    return fmt::format(R"("{}": {:.1f})", name, bench::median(ms));
}

std::string measure(bench::RealNetwork& network, bool sandbox) {
    network.start_agent(sandbox);
    if (network.sandboxed() != sandbox) give_up("bubblewrap may not make namespaces here, so there is no sandboxed start to measure");
    Bench bench{network};
    for (int i = 0; i < warm_up_jobs; ++i) (void)bench.run();
    std::vector<Run> runs;
    const auto from = std::chrono::steady_clock::now();
    while (runs.size() < jobs_at_most && std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count() < seconds_at_most)
        runs.push_back(bench.run());
    network.stop_agent();
    std::vector<double> ms;
    for (const auto& run : runs) ms.push_back(run.running_ms);
    const auto p50 = bench::percentile(ms, 0.5);
    return fmt::format(
        "{{\"jobs\": {}, \"p50_ms\": {:.1f}, \"p99_ms\": {:.1f}, \"goal_p50_ms\": {:.0f}, \"meets_goal\": {},\n"
        "    \"median_ms_after_sending\": {{{}, {}}},\n    \"runs_ms\": [{:.1f}]}}",
        runs.size(), p50, bench::percentile(ms, 0.99), goal_ms, p50 < goal_ms, stage("submission_answered", runs, &Run::answered_ms),
        stage("task_runs", runs, &Run::running_ms), fmt::join(ms, ", "));
}

void measure_all() {
    const bench::Directory directory;
    const auto offset_ns = wall_ns() - clock_ns(CLOCK_BOOTTIME);
    bench::RealNetwork network{directory, {.projects = 1, .people = 1}};
    std::vector<double> bare;
    for (int i = 0; i < 50; ++i) bare.push_back(bare_ms(directory.file("bare")));
    const double sync_us = directory.sync_us();
    const auto plain = measure(network, false);
    const auto sandboxed = measure(network, true);
    if (std::abs(wall_ns() - clock_ns(CLOCK_BOOTTIME) - offset_ns) > drift_ns_max)
        give_up("the wall clock was moved during the run; run it again");
    fmt::print("{{\"benchmark\": \"submit_to_running\", {}, \"sync_of_4_kib_us\": {:.0f},\n", bench::provenance(), sync_us);
    fmt::print("  \"floor\": \"sh -c date, started by the benchmark itself\", \"floor_p50_ms\": {:.1f}, \"floor_p99_ms\": {:.1f},\n",
               bench::percentile(bare, 0.5), bench::percentile(bare, 0.99));
    fmt::print("  \"plain\": {},\n  \"sandboxed\": {}}}\n", plain, sandboxed);
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
