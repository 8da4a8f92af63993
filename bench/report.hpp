// bench/report.hpp: what every benchmark says about itself: machine, commit, raw numbers and their median.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::bench {

/// Adds up measured sections: by the wall, and by the processor time of this thread, which a busy neighbour does not touch
/// (but for the caches it shares).
class Stopwatch {
public:
    void start() {
        wall_from_ = std::chrono::steady_clock::now();
        core_from_s_ = core_s();
    }
    void stop() {
        core_spent_s_ += core_s() - core_from_s_;
        wall_spent_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_from_).count();
    }
    [[nodiscard]] double wall_spent_s() const { return wall_spent_s_; }
    [[nodiscard]] double core_spent_s() const { return core_spent_s_; }

private:
    static double core_s() {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
    }

    std::chrono::steady_clock::time_point wall_from_{};
    double core_from_s_ = 0;
    double wall_spent_s_ = 0;
    double core_spent_s_ = 0;
};

/// Rates of the same work in several runs.
struct Rates {
    std::vector<double> per_second;       ///< Of the wall clock.
    std::vector<double> per_core_second;  ///< Of processor time.
    void add(double count, const Stopwatch& watch) {
        per_second.push_back(count / watch.wall_spent_s());
        per_core_second.push_back(count / watch.core_spent_s());
    }
};

[[nodiscard]] inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The value below which so much of the values lies; `share` is 0 to 1. There must be a value.
[[nodiscard]] inline double percentile(std::vector<double> values, double share) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

/// The processor's name as the kernel gives it.
[[nodiscard]] inline std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    }
    return "unknown";
}

/// `"machine": {...}, "commit": "..."`; bench/run names the commit in WEIR_COMMIT, and in WEIR_LOAD_BEFORE the load average before
/// the run: how much other work the machine had.
[[nodiscard]] inline std::string provenance() {
    const char* commit = std::getenv("WEIR_COMMIT");
    const char* load = std::getenv("WEIR_LOAD_BEFORE");
    return fmt::format(R"("machine": {{"processor": "{}", "cores": {}, "load_before": {}}}, "commit": "{}")", processor(),
                       std::thread::hardware_concurrency(), load != nullptr ? load : "null", commit != nullptr ? commit : "unknown");
}

/// `"name": {"median": ..., "runs": [...]}` with so many decimals.
[[nodiscard]] inline std::string series(std::string_view name, const std::vector<double>& runs, int decimals = 2) {
    std::string all;
    for (const double run : runs) all += fmt::format("{}{:.{}f}", all.empty() ? "" : ", ", run, decimals);
    return fmt::format(R"("{}": {{"median": {:.{}f}, "runs": [{}]}})", name, median(runs), decimals, all);
}

/// `"name": {"median": ..., "runs": [...]}` of rates per second, rounded to whole numbers.
[[nodiscard]] inline std::string rates(std::string_view name, const std::vector<double>& per_second) {
    return series(name, per_second, 0);
}

}  // namespace weir::bench
