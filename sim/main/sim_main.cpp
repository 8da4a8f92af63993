// weir-sim: lives through cities, one for each seed. A failure prints its seed; the same seed fails the same way.
//
// Cities may be lived through side by side; what is printed is the same, for reports are taken in the order of their seeds.
#include "../city.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace {

struct Task {
    std::uint64_t first = 1;
    std::uint64_t seeds = 20;
    std::size_t jobs = 1;
    bool trace = false;
};

/// Threads that take the next seed each; nothing is shared between cities.
class Cities {
public:
    explicit Cities(const Task& task) : task_{task}, next_{task.first} {
        for (std::size_t i = 0; i < task.jobs; ++i) threads_.emplace_back([this] { live(); });
    }
    ~Cities() {
        {
            const std::lock_guard lock{mutex_};
            next_ = task_.first + task_.seeds;
        }
        for (auto& thread : threads_) thread.join();
    }
    Cities(const Cities&) = delete;
    Cities& operator=(const Cities&) = delete;

    /// Waits for the report of a seed and takes it.
    weir::sim::CityReport take(std::uint64_t seed) {
        std::unique_lock lock{mutex_};
        told_.wait(lock, [&] { return reports_.contains(seed); });
        return std::move(reports_.extract(seed).mapped());
    }

private:
    std::optional<std::uint64_t> next() {
        const std::lock_guard lock{mutex_};
        return next_ < task_.first + task_.seeds ? std::optional{next_++} : std::nullopt;
    }
    void live() {
        while (const auto seed = next()) {
            auto report = weir::sim::live_through({.seed = *seed, .trace = task_.trace});
            const std::lock_guard lock{mutex_};
            reports_.emplace(*seed, std::move(report));
            told_.notify_one();
        }
    }

    Task task_;
    std::mutex mutex_;
    std::condition_variable told_;
    std::uint64_t next_;
    std::map<std::uint64_t, weir::sim::CityReport> reports_;
    std::vector<std::thread> threads_;
};

/// Whether each rare path was reached; prints how often.
bool print_paths(const weir::sim::Probes& probes) {
    bool all = true;
    for (const auto name : weir::sim::required_probes) {
        const auto count = probes.count(std::string{name});
        fmt::print("{:>10}  {}\n", count, name);
        all = all && count > 0;
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    Task task;
    bool soak = false;
    bool lax = false;
    CLI::App app{"lives through simulated cities and checks the laws after every step"};
    app.add_option("--first", task.first, "first seed");
    app.add_option("--seeds", task.seeds, "how many seeds");
    app.add_option("--jobs", task.jobs, "how many cities at a time; 0: one for each processor");
    app.add_flag("--soak", soak, "100,000 seeds, or as many as WEIR_SOAK_SEEDS says");
    app.add_flag("--trace", task.trace, "print every durable entry; one city at a time");
    app.add_flag("--lax", lax, "do not ask that every rare path was reached");
    CLI11_PARSE(app, argc, argv);
    if (soak) {
        const char* wanted = std::getenv("WEIR_SOAK_SEEDS");
        task.seeds = wanted == nullptr ? 100'000 : std::strtoull(wanted, nullptr, 10);
    }
    if (task.jobs == 0) task.jobs = std::max(1U, std::thread::hardware_concurrency());
    if (task.trace) task.jobs = 1;

    weir::sim::Probes probes;
    std::uint64_t entries = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t finished = 0;
    Cities cities{task};
    for (std::uint64_t seed = task.first; seed < task.first + task.seeds; ++seed) {
        const auto report = cities.take(seed);
        probes.add(report.probes);
        entries += report.entries;
        acknowledged += report.jobs_acknowledged;
        finished += report.jobs_finished;
        if (!report.broken.empty()) {
            fmt::print(stderr, "seed {} broke a law {}\nreplay it: weir-sim --first {} --seeds 1 --trace --lax\n", seed, report.broken,
                       seed);
            return 1;
        }
        if (task.seeds <= 5) fmt::print("seed {}: journal head {}, {} entries\n", seed, report.signature, report.entries);
        if ((seed - task.first + 1) % 100 == 0) {
            fmt::print("{} seeds\n", seed - task.first + 1);
            std::fflush(stdout);
        }
    }
    fmt::print("{} seeds: {} entries, {} jobs acknowledged, {} finished; every law held\n", task.seeds, entries, acknowledged, finished);
    const bool all = print_paths(probes);
    if (!all && !lax) {
        fmt::print(stderr, "a rare path was reached by no seed: it is not tested\n");
        return 1;
    }
    return 0;
}
