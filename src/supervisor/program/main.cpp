// weir-supervisor: the parent of one task on one node. See supervisor/supervise.hpp.
//
//     weir-supervisor [--detach] [--report DESCRIPTOR] DIRECTORY/spec
//     weir-supervisor --init                                 (inside the task; see supervisor/init.hpp)
#include "supervisor/init.hpp"
#include "supervisor/supervise.hpp"
#include "supervisor/system.hpp"
#include "supervisor/text.hpp"

#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

constexpr const char* usage = "usage: weir-supervisor [--detach] [--report DESCRIPTOR] DIRECTORY/spec\n";

/// Keeps `kept` alone of what the agent had open. Input, output and errors go nowhere: the status file is what is said.
void close_all_but(int kept) {
    using weir::supervisor::close_descriptors;
    const int nothing = open("/dev/null", O_RDWR);
    for (int number = 0; number < 3; ++number) {
        if (number != kept) dup2(nothing, number);
    }
    if (kept < 3) {
        (void)close_descriptors(3, ~0U);
        return;
    }
    const auto at = static_cast<unsigned>(kept);
    (void)close_descriptors(3, at - 1);
    (void)close_descriptors(at + 1, ~0U);
    fcntl(kept, F_SETFD, FD_CLOEXEC);
}

}  // namespace

int main(int count, char** arguments) {
    using weir::supervisor::Outcome;
    if (count == 2 && std::strcmp(arguments[1], "--init") == 0) return weir::supervisor::run_init();
    int report_to = -1;
    int at = 1;
    const bool detach = count > at && std::strcmp(arguments[at], "--detach") == 0;
    if (detach) ++at;
    if (count > at + 1 && std::strcmp(arguments[at], "--report") == 0) {
        const auto number = weir::supervisor::parse_number(arguments[at + 1]);
        report_to = number && *number > 2 && *number < 1'000'000 ? static_cast<int>(*number) : -2;
        at += 2;
    }
    if (at + 1 != count || report_to == -2) {
        (void)!write(STDERR_FILENO, usage, std::strlen(usage));
        return static_cast<int>(Outcome::bad_usage);
    }
    close_all_but(report_to);
    if (detach) {
        const pid_t child = fork();
        if (child != 0) _exit(child < 0 ? static_cast<int>(Outcome::cannot_start) : 0);
    }
    setsid();
    // A tenant under the same user must not be able to trace its own fence.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const auto outcome = weir::supervisor::supervise(arguments[at], report_to);
    return static_cast<int>(outcome);
}
