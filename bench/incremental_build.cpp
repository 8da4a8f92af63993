// bench/incremental_build.cpp: how long a change of one file takes until the programs are built again.
//
// Touches one file, builds the target `programs` of the release preset without the compiler's cache, several times each. The floor is the
// same command with nothing to do. Run from the root of the tree; the last build leaves everything as it was.
#include "bench/report.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

constexpr int runs = 3;

/// What one would change, a file of each engine and one of the core.
constexpr std::array files{"src/engines/ledger/judge.cpp", "src/engines/scheduler/search.cpp", "src/control/core/settle.cpp"};

double build_s() {
    const auto from = std::chrono::steady_clock::now();
    if (std::system("CCACHE_DISABLE=1 cmake --build build/release --target programs >/dev/null") != 0) {
        std::fputs("incremental_build: the programs do not build; see: ./dev build release programs\n", stderr);
        std::_Exit(1);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

std::string row(std::string_view name, const std::vector<double>& values) {
    return fmt::format(R"({{"touched": "{}", {}}})", name, weir::bench::series("programs_built_s", values));
}

}  // namespace

int main() {
    build_s();
    std::vector<double> floor;
    for (int i = 0; i < runs; ++i) floor.push_back(build_s());
    std::string rows = row("nothing", floor);
    for (const auto* file : files) {
        std::vector<double> seen;
        for (int i = 0; i < runs; ++i) {
            std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now());
            seen.push_back(build_s());
        }
        rows += ",\n  " + row(file, seen);
    }
    fmt::print("{{\"benchmark\": \"incremental_build\", {}, \"runs\": {},\n \"builds\": [\n  {}]}}\n", weir::bench::provenance(), runs,
               rows);
    return 0;
}
