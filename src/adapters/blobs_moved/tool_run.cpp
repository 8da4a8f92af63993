#include "adapters/blobs_moved/tool_run.hpp"

#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::blobs_moved {
namespace {

using supervisor::Fd;

constexpr int look_ms = 100;  ///< How often headway is looked at.

struct Pipe {
    Fd reading;
    Fd writing;
};

std::optional<Pipe> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
    return Pipe{Fd{ends[0]}, Fd{ends[1]}};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> list;
    for (const auto& word : words) list.push_back(const_cast<char*>(word.c_str()));
    list.push_back(nullptr);
    return list;
}

/// What is left of the environment of the agent, which may hold secrets of its own.
std::vector<std::string> environment_of(const ToolRun& run) {
    std::vector<std::string> all{"LC_ALL=C"};
    for (const char* name : {"PATH", "HOME"}) {
        if (const char* value = std::getenv(name); value != nullptr) all.push_back(fmt::format("{}={}", name, value));
    }
    all.insert(all.end(), run.environment.begin(), run.environment.end());
    return all;
}

struct Child {
    pid_t pid = -1;
    Fd out;
    Fd err;
};

/// In the child, after fork(): nothing but calls that are safe there.
[[noreturn]] void become(const std::vector<char*>& words, const std::vector<char*>& environment, int out, int err, pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0) _exit(127);
    (void)supervisor::close_descriptors(3, ~0U);
    execvpe(words.front(), words.data(), environment.data());
    _exit(127);
}

std::optional<Child> start(const ToolRun& run) {
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) return std::nullopt;
    const auto words = pointers(run.words);
    const auto kept = environment_of(run);
    const auto environment = pointers(kept);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return std::nullopt;
    if (pid == 0) become(words, environment, run.out >= 0 ? run.out : out->writing.get(), err->writing.get(), parent);
    setpgid(pid, pid);
    return Child{pid, std::move(out->reading), std::move(err->reading)};
}

/// Reads what is there. False at its end.
bool take(const Fd& from, std::string& into) {
    std::array<char, 16 * 1024> room{};
    const auto got = read(from.get(), room.data(), room.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    into.append(room.data(), static_cast<std::size_t>(got));
    return got > 0;
}

void keep_end(std::string& text) {
    if (text.size() > complaint_bytes_max) text.erase(0, text.size() - complaint_bytes_max);
}

std::string one_line(std::string text) {
    for (auto& letter : text) {
        if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = ' ';
    }
    const auto first = text.find_first_not_of(' ');
    return first == std::string::npos ? std::string{} : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Follows it until both of its streams end; why it was not let come to that, otherwise.
ToolEnd follow(const ToolRun& run, const Child& child, ToolAnswer& answer, ports::Copying& copying) {
    bool out_open = true;
    bool err_open = true;
    std::int64_t carried = 0;
    std::size_t printed = 0;
    auto headway_ns = supervisor::boot_now_ns();
    while (out_open || err_open) {
        std::array<pollfd, 2> sources{pollfd{.fd = out_open ? child.out.get() : -1, .events = POLLIN, .revents = 0},
                                      pollfd{.fd = err_open ? child.err.get() : -1, .events = POLLIN, .revents = 0}};
        (void)poll(sources.data(), sources.size(), look_ms);
        const auto before = answer.said.size() + answer.complaint.size();
        if (sources[0].revents != 0) out_open = take(child.out, answer.said);
        if (sources[1].revents != 0) err_open = take(child.err, answer.complaint);
        printed += answer.said.size() + answer.complaint.size() - before;
        keep_end(answer.complaint);
        if (answer.said.size() > said_bytes_max) return ToolEnd::said_too_much;
        const auto now = run.carried ? run.carried(answer) : static_cast<std::int64_t>(printed);
        const auto now_ns = supervisor::boot_now_ns();
        if (copying.onward(run.carried ? std::max<std::int64_t>(now - carried, 0) : 0) != ports::Onward::go_on) return ToolEnd::called_off;
        if (now != carried) headway_ns = now_ns;
        carried = now;
        if (now_ns - headway_ns >= run.stall.ns) return ToolEnd::stalled;
    }
    return ToolEnd::exited;
}

/// Its status. One that closed its streams and does not end is ended as one that stands still.
int await_end(const ToolRun& run, pid_t pid, ToolAnswer& answer) {
    const auto since_ns = supervisor::boot_now_ns();
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (answer.end == ToolEnd::exited && supervisor::boot_now_ns() - since_ns >= run.stall.ns) {
            answer.end = ToolEnd::stalled;
            kill(-pid, SIGKILL);
        }
        (void)poll(nullptr, 0, 5);
    }
    return status;
}

}  // namespace

ToolAnswer run_tool(const ToolRun& run, ports::Copying& copying) {
    ToolAnswer answer;
    auto child = start(run);
    if (!child) {
        answer.end = ToolEnd::not_started;
        return answer;
    }
    answer.end = follow(run, *child, answer, copying);
    if (answer.end != ToolEnd::exited) kill(-child->pid, SIGKILL);
    const int status = await_end(run, child->pid, answer);
    answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    answer.complaint = one_line(std::move(answer.complaint));
    return answer;
}

std::string describe(const ToolRun& run, const ToolAnswer& answer) {
    const auto& program = run.words.front();
    switch (answer.end) {
        case ToolEnd::not_started: return fmt::format("{} could not be started", program);
        case ToolEnd::stalled: return fmt::format("{} made no headway for {} and was ended", program, format_duration(run.stall));
        case ToolEnd::called_off: return fmt::format("{} was called off", program);
        case ToolEnd::said_too_much: return fmt::format("{} printed more than {} bytes", program, said_bytes_max);
        case ToolEnd::exited: break;
    }
    if (answer.exit_code == 127) return fmt::format("{} is not installed here, or could not be started", program);
    return fmt::format("{} ended with {}: {}", program, answer.exit_code, answer.complaint.empty() ? "it said nothing" : answer.complaint);
}

}  // namespace weir::blobs_moved
