#include "apps/up/children.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace weir::up {

std::optional<Child> Child::start(const std::vector<std::string>& arguments, const std::string& log,
                                  const std::vector<std::string>& environment) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // Ctrl-C in the terminal reaches the demonstration alone; it ends its children in their order.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);

    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (const auto& variable : environment) envp.push_back(const_cast<char*>(variable.c_str()));
    for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
    envp.push_back(nullptr);
    pid_t pid = -1;
    const int failed = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed == 0 ? std::optional{Child{pid}} : std::nullopt;
}

Child::Child(Child&& other) noexcept : pid_{std::exchange(other.pid_, -1)}, code_{other.code_} {}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        stop();
        pid_ = std::exchange(other.pid_, -1);
        code_ = other.code_;
    }
    return *this;
}

Child::~Child() { stop(); }

std::optional<int> Child::wait(int ms) {
    if (code_ || pid_ < 0) return code_;
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (descriptor >= 0) {
        pollfd ended{descriptor, POLLIN, 0};
        (void)::poll(&ended, 1, ms);
        ::close(descriptor);
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return code_;
}

bool Child::running() { return pid_ > 0 && !wait(0); }

void Child::kill_hard() {
    if (running()) ::kill(pid_, SIGKILL);
    (void)wait(5000);
}

void Child::stop() {
    if (!running()) return;
    ::kill(pid_, SIGTERM);
    if (!wait(5000)) kill_hard();
}

}  // namespace weir::up
