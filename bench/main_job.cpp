// bench/main_job.cpp: how long the main job of the README takes on a machine where everything is installed and built.
//
// `./dev up --once`, whole: the check that nothing is missing and nothing is to be built, the network, the training that loses a site, the
// bill. Run from the root of the tree, after a first one. bench/newcomer measures it on a machine that has nothing.
#include "bench/report.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

constexpr int runs = 5;
constexpr double goal_s = 60;

double main_job_s() {
    const auto from = std::chrono::steady_clock::now();
    if (std::system("./dev up --once >/dev/null") != 0) {
        std::fputs("main_job: it failed; see: ./dev up --once\n", stderr);
        std::_Exit(1);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

}  // namespace

int main() {
    main_job_s();
    std::vector<double> seen;
    for (int i = 0; i < runs; ++i) seen.push_back(main_job_s());
    fmt::print("{{\"benchmark\": \"main_job\", {}, \"goal_s\": {:.0f}, \"meets_goal\": {},\n {}}}\n", weir::bench::provenance(), goal_s,
               weir::bench::median(seen) < goal_s, weir::bench::series("warm_s", seen));
    return 0;
}
