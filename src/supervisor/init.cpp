#include "supervisor/init.hpp"

#include "supervisor/call_filter.hpp"
#include "supervisor/system.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

void report(InitReport message) {
    while (write(report_descriptor, &message, sizeof message) < 0 && errno == EINTR) {
    }
}

int give_up(InitStep step, int error) {
    report({.kind = InitReport::Kind::failed, .step = step, .value = error});
    return 1;
}

/// The plan as strings in memory that stays mapped.
struct Strings {
    InitPlan head;
    const char* workdir = nullptr;
    const char* run = nullptr;
    FixedList<char*, environment_max + 64> common;
    std::array<std::array<char*, rank_variables>, processes_max> ranks{};
};

class StringReader {
public:
    StringReader(char* at, char* end) : at_(at), end_(end) {}
    /// The next string, or nullptr past the end.
    char* next() {
        if (at_ >= end_) return nullptr;
        auto* const stop = static_cast<char*>(std::memchr(at_, '\0', static_cast<std::size_t>(end_ - at_)));
        if (stop == nullptr) return nullptr;
        return std::exchange(at_, stop + 1);
    }

private:
    char* at_;
    char* end_;
};

bool read_plan(Strings& strings) {
    struct stat facts{};
    if (fstat(plan_descriptor, &facts) != 0) return false;
    const auto size = static_cast<std::size_t>(facts.st_size);
    if (size <= sizeof(InitPlan) || size > plan_bytes_max) return false;
    auto* const bytes = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, plan_descriptor, 0));
    if (bytes == MAP_FAILED) return false;
    std::memcpy(&strings.head, bytes, sizeof(InitPlan));
    const auto& head = strings.head;
    if (head.magic != plan_magic || head.processes == 0 || head.processes > processes_max) return false;
    if (head.environment > strings.common.values.size()) return false;
    StringReader reader{bytes + sizeof(InitPlan), bytes + size};
    strings.workdir = reader.next();
    strings.run = reader.next();
    for (std::uint32_t i = 0; i < head.environment; ++i) {
        char* const variable = reader.next();
        if (variable == nullptr || !strings.common.push(variable)) return false;
    }
    for (std::uint32_t rank = 0; rank < head.processes; ++rank) {
        for (auto& variable : strings.ranks[rank]) {
            if ((variable = reader.next()) == nullptr) return false;
        }
    }
    return strings.workdir != nullptr && strings.run != nullptr;
}

/// Leaves nothing of the agent's power: neither groups nor ids nor a way back through a set-user-id program.
/// @returns the step that failed, or nothing.
std::optional<InitStep> drop_privileges(const InitPlan& plan) {
    const uid_t uid = plan.uid;
    const gid_t gid = plan.gid;
    if (uid == 0 || gid == 0) {
        errno = EPERM;
        return InitStep::user;
    }
    if (geteuid() == 0) {
        if (setgroups(0, nullptr) != 0) return InitStep::groups;
        if (setresgid(gid, gid, gid) != 0) return InitStep::group;
        if (setresuid(uid, uid, uid) != 0) return InitStep::user;
    }
    if (getuid() != uid || geteuid() != uid) {
        errno = EPERM;
        return InitStep::user;
    }
    const rlimit no_core{0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0) return InitStep::privileges;
    if (can_filter_calls()) {
        errno = forbid_user_namespaces();
        if (errno != 0) return InitStep::privileges;
    }
    // The kernel forgets the death signal when the ids change.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return InitStep::privileges;
    return std::nullopt;
}

/// Whether whoever reads our reports is gone: then nobody fences this task any more.
bool supervisor_is_gone() {
    pollfd reader{.fd = report_descriptor, .events = 0, .revents = 0};
    return poll(&reader, 1, 0) > 0 && (reader.revents & (POLLERR | POLLNVAL)) != 0;
}

void default_signals() {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// In the child: becomes the tenant's command, or writes errno to `failure` and ends.
[[noreturn]] void become(const Strings& strings, std::uint32_t rank, pid_t parent, int failure) {
    std::array<char*, environment_max + 64 + rank_variables + 1> variables{};
    std::size_t count = 0;
    for (char* const variable : strings.common.all()) variables[count++] = variable;
    for (char* const variable : strings.ranks[rank]) variables[count++] = variable;

    setpgid(0, 0);
    const int streams = first_stream_descriptor + 2 * static_cast<int>(rank);
    const bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent && dup2(streams, STDOUT_FILENO) >= 0 &&
                       dup2(streams + 1, STDERR_FILENO) >= 0;
    if (ready) {
        default_signals();
        const char* const arguments[] = {"sh", "-c", strings.run, nullptr};
        execve("/bin/sh", const_cast<char* const*>(arguments), variables.data());
    }
    const int error = errno;
    (void)!write(failure, &error, sizeof error);
    _exit(127);
}

struct Ranks {
    std::array<pid_t, processes_max> pids{};
    std::uint32_t living = 0;
};

/// Starts one process and waits until it has become the command. @returns 0 or errno, with the step.
std::pair<InitStep, int> start_rank(const Strings& strings, std::uint32_t rank, Ranks& ranks) {
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0) return {InitStep::fork, errno};
    const Fd reading{failure[0]};
    Fd writing{failure[1]};
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return {InitStep::fork, errno};
    if (pid == 0) become(strings, rank, parent, writing.get());
    writing.reset();
    ranks.pids[rank] = pid;
    ++ranks.living;
    int error = 0;
    ssize_t got = 0;
    while ((got = read(reading.get(), &error, sizeof error)) < 0 && errno == EINTR) {
    }
    return {InitStep::exec, got == static_cast<ssize_t>(sizeof error) ? error : 0};
}

/// Reaps all there is. @returns whether any child, of whatever origin, is left.
bool reap(Ranks& ranks) {
    for (;;) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) continue;
        if (pid <= 0) return pid == 0;
        for (std::uint16_t rank = 0; rank < processes_max; ++rank) {
            if (ranks.pids[rank] != pid) continue;
            ranks.pids[rank] = 0;
            --ranks.living;
            report({.kind = InitReport::Kind::ended, .step = {}, .rank = rank, .value = status, .at_ns = boot_now_ns()});
        }
    }
}

/// Reaps until the task is over. Only the parent's SIGTERM counts: a tenant cannot keep its own task from ending.
int serve(const Fd& signals, Ranks& ranks) {
    bool stopping = false;
    for (;;) {
        const bool any_left = reap(ranks);
        if (ranks.living == 0 && (!stopping || !any_left)) return 0;
        pollfd sources[] = {{.fd = signals.get(), .events = POLLIN, .revents = 0}, {.fd = report_descriptor, .events = 0, .revents = 0}};
        if (poll(sources, 2, -1) < 0 && errno != EINTR) return 1;
        if ((sources[1].revents & (POLLERR | POLLNVAL)) != 0) return 1;
        signalfd_siginfo caught{};
        while (read(signals.get(), &caught, sizeof caught) == static_cast<ssize_t>(sizeof caught)) {
            if (caught.ssi_signo == SIGTERM && caught.ssi_pid == static_cast<std::uint32_t>(getppid())) stopping = true;
        }
    }
}

sigset_t watched_signals() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) sigaddset(&watched, number);
    return watched;
}

}  // namespace

int run_init() {
    static Strings strings;  // too large for comfort on a stack, and needed until the end
    const sigset_t watched = watched_signals();
    sigprocmask(SIG_SETMASK, &watched, nullptr);
    umask(022);
    if (!read_plan(strings)) return give_up(InitStep::plan, errno);
    // Stay open here, but not in what we start.
    for (int number = plan_descriptor; number < first_stream_descriptor + 2 * static_cast<int>(strings.head.processes); ++number) {
        fcntl(number, F_SETFD, FD_CLOEXEC);
    }
    close(plan_descriptor);
    if (const auto step = drop_privileges(strings.head)) return give_up(*step, errno);
    if (supervisor_is_gone()) return 1;
    const Fd signals{signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC)};
    if (!signals) return give_up(InitStep::privileges, errno);
    if (chdir(strings.workdir) != 0) return give_up(InitStep::workdir, errno);

    Ranks ranks;
    for (std::uint32_t rank = 0; rank < strings.head.processes; ++rank) {
        if (const auto [step, error] = start_rank(strings, rank, ranks); error != 0) return give_up(step, error);
    }
    for (std::uint32_t stream = 0; stream < 2 * strings.head.processes; ++stream) close(first_stream_descriptor + static_cast<int>(stream));
    report({.kind = InitReport::Kind::started});
    return serve(signals, ranks);
}

const char* describe(InitStep step) {
    switch (step) {
        case InitStep::plan: return "read its plan";
        case InitStep::groups: return "give up its groups";
        case InitStep::group: return "change its group";
        case InitStep::user: return "change its user";
        case InitStep::privileges: return "give up its privileges";
        case InitStep::workdir: return "enter the working directory";
        case InitStep::fork: return "start a process";
        case InitStep::exec: return "run /bin/sh";
    }
    return "start";
}

}  // namespace weir::supervisor
