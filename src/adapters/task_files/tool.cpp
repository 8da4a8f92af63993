#include "adapters/task_files/tool.hpp"

#include "supervisor/system.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

constexpr std::int64_t millisecond_ns = 1'000'000;

/// Reads until the end or the deadline. @returns whether the end was seen in time and within bounds.
bool read_until(int descriptor, std::int64_t deadline_ns, std::size_t bytes_max, std::string& printed) {
    char room[16 * 1024];
    while (true) {
        const auto left_ms = (deadline_ns - supervisor::boot_now_ns()) / millisecond_ns;
        pollfd source{.fd = descriptor, .events = POLLIN, .revents = 0};
        const int ready = left_ms <= 0 ? 0 : poll(&source, 1, static_cast<int>(left_ms));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const auto got = read(descriptor, room, sizeof room);
        if (got == 0) return true;
        if (got < 0) return false;
        printed.append(room, static_cast<std::size_t>(got));
        if (printed.size() > bytes_max) return false;
    }
}

/// The exit code, waited for until the deadline; nothing where the kernel does not let it go.
bool wait_until(pid_t pid, std::int64_t deadline_ns, int& status) {
    // A kernel before 5.3 has no descriptors of processes: there it is asked again and again.
    constexpr std::int64_t look_again_ms = 5;
    const supervisor::Fd handle{static_cast<int>(syscall(SYS_pidfd_open, pid, 0))};
    pollfd source{.fd = handle.get(), .events = POLLIN, .revents = 0};
    while (true) {
        const auto left_ms = std::max<std::int64_t>(0, (deadline_ns - supervisor::boot_now_ns()) / millisecond_ns);
        (void)poll(&source, 1, static_cast<int>(handle ? left_ms : std::min(left_ms, look_again_ms)));
        const bool ended = waitpid(pid, &status, WNOHANG) == pid;
        if (ended || handle || left_ms == 0) return ended;
    }
}

}  // namespace

ToolAnswer run_tool(const std::vector<std::string>& arguments, int deadline_ms, std::size_t bytes_max) {
    ToolAnswer answer;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return answer;
    const supervisor::Fd reading{ends[0]};
    supervisor::Fd writing{ends[1]};

    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/Ascend/driver/tools";
    char language[] = "LC_ALL=C";
    char* const variables[] = {path, language, nullptr};

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, writing.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, words.front(), &files, &attributes, words.data(), variables);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    writing.reset();
    if (error != 0) return answer;

    const auto deadline_ns = supervisor::boot_now_ns() + deadline_ms * millisecond_ns;
    int status = 0;
    const bool said_all = read_until(reading.get(), deadline_ns, bytes_max, answer.printed);
    answer.end = said_all && wait_until(pid, deadline_ns, status) ? ToolEnd::exited : ToolEnd::too_late;
    if (answer.end == ToolEnd::too_late) {
        kill(-pid, SIGKILL);
        // One that is stuck in the kernel is reaped at the next call, or by the agent's parent.
        (void)wait_until(pid, supervisor::boot_now_ns() + 100 * millisecond_ns, status);
        return answer;
    }
    answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return answer;
}

}  // namespace weir::task_files
