// weir-sim: lives through cities, one for each seed. A failure prints its seed; the same seed fails the same way.
#include "../city.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    std::uint64_t first = 1;
    std::uint64_t seeds = 20;
    bool soak = false;
    bool trace = false;
    bool lax = false;
    CLI::App app{"lives through simulated cities and checks the laws after every step"};
    app.add_option("--first", first, "first seed");
    app.add_option("--seeds", seeds, "how many seeds");
    app.add_flag("--soak", soak, "100,000 seeds, or as many as WEIR_SOAK_SEEDS says");
    app.add_flag("--trace", trace, "print every durable entry");
    app.add_flag("--lax", lax, "do not ask that every rare path was reached");
    CLI11_PARSE(app, argc, argv);
    if (soak) {
        const char* wanted = std::getenv("WEIR_SOAK_SEEDS");
        seeds = wanted == nullptr ? 100'000 : std::strtoull(wanted, nullptr, 10);
    }

    weir::sim::Probes probes;
    std::uint64_t entries = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t finished = 0;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const auto report = weir::sim::live_through({.seed = seed, .trace = trace});
        probes.add(report.probes);
        entries += report.entries;
        acknowledged += report.jobs_acknowledged;
        finished += report.jobs_finished;
        if (!report.broken.empty()) {
            fmt::print(stderr, "seed {} broke a law {}\nreplay it: weir-sim --first {} --seeds 1 --trace --lax\n", seed, report.broken,
                       seed);
            return 1;
        }
        if (seeds <= 5) fmt::print("seed {}: journal head {}, {} entries\n", seed, report.signature, report.entries);
        if ((seed - first + 1) % 100 == 0) {
            fmt::print("{} seeds\n", seed - first + 1);
            std::fflush(stdout);
        }
    }
    fmt::print("{} seeds: {} entries, {} jobs acknowledged, {} finished; every law held\n", seeds, entries, acknowledged, finished);
    bool all = true;
    for (const auto name : weir::sim::required_probes) {
        const auto count = probes.count(std::string{name});
        fmt::print("{:>10}  {}\n", count, name);
        all = all && count > 0;
    }
    if (!all && !lax) {
        fmt::print(stderr, "a rare path was reached by no seed: it is not tested\n");
        return 1;
    }
    return 0;
}
