// bench/move_pause.cpp: how long a training stands still when it is moved to another site, and what it does again.
//
// Two ranks, a checkpoint of 200 MB whose bytes are new each time, two sites whose copies are held to 1 Gbit/s (bench/move/measure.py). The
// floor without a copy ahead is two ways of the checkpoint, to the store and on to the other site: 3.2 s. Run from the root of the tree.
#include "bench/report.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

constexpr double goal_ms = 3'000;
constexpr double floor_ms = 2 * 200e6 * 8 / 1e9 * 1'000;

}  // namespace

int main() {
    auto* const lines = ::popen("/usr/bin/python3 -B bench/move/measure.py --programs build/release/bin --source . --moves 5", "r");
    if (lines == nullptr) return 1;
    std::vector<double> pause_ms;
    std::vector<double> again_s;
    char line[512];
    while (std::fgets(line, sizeof line, lines) != nullptr) {
        double pause = 0;
        double again = 0;
        if (std::sscanf(line, "move %lf %lf", &pause, &again) == 2) {
            pause_ms.push_back(pause);
            again_s.push_back(again / 1'000);
        }
    }
    if (::pclose(lines) != 0 || pause_ms.empty()) {
        std::fputs("move_pause: it failed; see: python3 bench/move/measure.py\n", stderr);
        return 1;
    }
    fmt::print("{{\"benchmark\": \"move_pause\", {}, \"checkpoint_bytes\": 200000000, \"link_bit_per_s\": 1000000000, "
               "\"floor_of_a_copy_while_it_stands_still_ms\": {:.0f}, \"goal_ms\": {:.0f}, \"meets_goal\": {},\n {},\n {}}}\n",
               weir::bench::provenance(), floor_ms, goal_ms, weir::bench::median(pause_ms) < goal_ms,
               weir::bench::series("pause_ms", pause_ms), weir::bench::series("card_seconds_done_again", again_s));
    return 0;
}
