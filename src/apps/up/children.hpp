// apps/up/children.hpp: the programs that the demonstration starts, and ends by their own pids.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace weir::up {

/// A child process; ended, and waited for, with the object.
class Child {
public:
    /// Starts `arguments[0]` with stdout and stderr appended to `log`, in a process group of its own.
    [[nodiscard]] static std::optional<Child> start(const std::vector<std::string>& arguments, const std::string& log,
                                                    const std::vector<std::string>& environment = {});
    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool running();
    /// The exit code, once it has ended within `ms`; 128 + n for signal n.
    [[nodiscard]] std::optional<int> wait(int ms);
    /// SIGKILL, at once.
    void kill_hard();
    /// SIGTERM, then SIGKILL after five seconds.
    void stop();

private:
    explicit Child(pid_t pid) : pid_{pid} {}
    pid_t pid_ = -1;
    std::optional<int> code_;
};

}  // namespace weir::up
