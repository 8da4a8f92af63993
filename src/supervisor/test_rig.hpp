// supervisor/test_rig.hpp: one real supervisor with real processes below a temporary directory, for tests.
//
// Nothing here sleeps: a test waits for a supervisor's end (pidfd), for a byte of the task (a FIFO), or asks again and again
// through the control socket until a deadline that no healthy run comes near.
#pragma once

#include "supervisor/control.hpp"
#include "supervisor/processes.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"
#include "supervisor/system.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::supervisor {

inline constexpr int patience_ms = 30'000;

/// Asks until `holds` or the deadline; yields the processor in between.
inline bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{patience_ms};
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        poll(nullptr, 0, 1);
    }
    return true;
}

inline std::string slurp(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The user that the tenant is: a foreign one where the test is run by root.
inline uid_t tenant_id() { return geteuid() == 0 ? 61'001 : geteuid(); }
inline gid_t tenant_group() { return geteuid() == 0 ? 61'001 : getegid(); }

/// Whether it still can do anything; whoever is dead and not yet reaped does not live.
inline bool process_lives(pid_t pid) {
    const auto process = read_process(pid);
    return process && !process->zombie;
}

class Rig {
public:
    explicit Rig(const std::filesystem::path& base = std::filesystem::temp_directory_path()) {
        std::string name = (base / "weir-supervisor-XXXXXX").string();
        root_ = mkdtemp(name.data());
        chmod(root_.c_str(), 0711);
        for (const char* const folder : {"checkpoints", "outputs", "work"}) {
            const auto path = root_ / folder;
            mkdir(path.c_str(), 0700);
            if (geteuid() == 0) EXPECT_EQ(chown(path.c_str(), tenant_id(), tenant_group()), 0);
        }
        directory_ = Fd{open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        values_ = {{"job", "job-1"},     {"generation", "3"},   {"node_rank", "0"},    {"nnodes", "1"},
                   {"processes", "1"},   {"nproc_per_node", "1"}, {"rank_offset", "0"}, {"world_size", "1"},
                   {"master_addr", "127.0.0.1"}, {"master_port", "29500"}, {"run", "true"}, {"workdir", path("work")},
                   {"checkpoint_dir", path("checkpoints")}, {"resume_dir", ""}, {"output_dir", path("outputs")},
                   {"uid", std::to_string(tenant_id())}, {"gid", std::to_string(tenant_group())}, {"stack", "none"},
                   {"emulated", "0"},    {"log_quota", "1048576"}, {"kill_grace_s", "20"}, {"checkpoint_signal", "0"}, {"init", ""}};
        lease_for_s(3600);
    }
    ~Rig() {
        if (pid_ > 0) {
            (void)command("kill");
            if (!ended_) end_status();
        }
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    [[nodiscard]] std::string path(const std::string& name) const { return (root_ / name).string(); }
    Rig& set(const std::string& key, const std::string& value) {
        values_[key] = value;
        return *this;
    }
    Rig& add(const std::string& key, const std::string& value) {
        more_.emplace_back(key, value);
        return *this;
    }
    Rig& run(const std::string& command_line) { return set("run", command_line); }

    [[nodiscard]] std::string spec() const {
        std::string text{"weir-task=1\0", 12};
        for (const auto& [key, value] : values_) text += key + "=" + value + '\0';
        for (const auto& [key, value] : more_) text += key + "=" + value + '\0';
        return text + std::string{"end=\0", 5};
    }

    void lease_until_ns(std::int64_t deadline_ns, const std::string& boot_id = {}) {
        Lease lease{.deadline_ns = deadline_ns};
        read_boot_id(lease.boot_id);
        if (!boot_id.empty()) boot_id.copy(lease.boot_id, boot_id_size);
        char room[lease_bytes_max];
        ASSERT_TRUE(replace_file(directory_.get(), lease_file, "lease.new", print_lease(lease, room), 0600, Durable::no));
    }
    void lease_for_s(std::int64_t length_s) { lease_until_ns(boot_now_ns() + length_s * 1'000'000'000); }

    /// A FIFO in the task's outputs; the tenant writes `$WEIR_OUTPUT_DIR/<name>`.
    void make_fifo(const std::string& name) {
        const auto where = path("outputs/" + name);
        ASSERT_EQ(mkfifo(where.c_str(), 0666), 0);
        chmod(where.c_str(), 0666);
        fifos_[name] = Fd{open(where.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    }
    [[nodiscard]] bool has_line(const std::string& name) {
        pollfd source{.fd = fifos_[name].get(), .events = POLLIN, .revents = 0};
        return poll(&source, 1, 0) == 1;
    }
    /// The next line that the task writes to the FIFO.
    [[nodiscard]] std::string await_line(const std::string& name) {
        std::string line;
        for (char c = 0; c != '\n';) {
            pollfd source{.fd = fifos_[name].get(), .events = POLLIN, .revents = 0};
            if (poll(&source, 1, patience_ms) <= 0) return line + "<nothing came>";
            if (read(source.fd, &c, 1) == 1 && c != '\n') line += c;
        }
        return line;
    }

    /// Starts it and returns its first word: `running`, `ended` or `refused ...`.
    std::string start() {
        std::ofstream(path("spec"), std::ios::binary) << spec();
        return start_again();
    }
    /// Starts it and does something before its first word is waited for.
    std::string start_and(const std::function<void()>& meanwhile) {
        std::ofstream(path("spec"), std::ios::binary) << spec();
        return start_again(meanwhile);
    }
    std::string start_again(const std::function<void()>& meanwhile = [] {}) {
        int ends[2];
        if (pipe2(ends, 0) != 0) return "no pipe";
        const auto number = std::to_string(ends[1]);
        const auto where = path("spec");
        pid_ = fork();
        if (pid_ == 0) {
            close(ends[0]);
            execl(WEIR_SUPERVISOR, "weir-supervisor", "--report", number.c_str(), where.c_str(), nullptr);
            _exit(126);
        }
        close(ends[1]);
        ended_ = false;
        meanwhile();
        std::string word;
        char c = 0;
        while (read(ends[0], &c, 1) == 1 && c != '\n') word += c;
        close(ends[0]);
        return word;
    }

    [[nodiscard]] pid_t supervisor() const { return pid_; }
    [[nodiscard]] int directory() const { return directory_.get(); }

    /// Waits for the supervisor's exit; its exit code, or 128 + signal.
    int exit_code() {
        const Fd handle{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))};
        pollfd source{.fd = handle.get(), .events = POLLIN, .revents = 0};
        if (handle) {  // a kernel before 5.3 has none: there ctest's own limit ends who waits in vain
            EXPECT_EQ(poll(&source, 1, patience_ms), 1) << "the supervisor has not ended";
            if (source.revents == 0) kill(pid_, SIGKILL);
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        ended_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    Status status() const {
        Status status;
        EXPECT_TRUE(parse_status(slurp(path("status")), status)) << slurp(path("status"));
        return status;
    }
    Status end_status() {
        exit_code();
        return status();
    }

    /// Says one thing to the supervisor; its answer, or empty where nobody listens.
    std::string command(const std::string& text) const {
        const Fd socket = connect_control(directory_.get());
        if (!socket || send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return {};
        char room[256];
        pollfd source{.fd = socket.get(), .events = POLLIN, .revents = 0};
        if (poll(&source, 1, patience_ms) <= 0) return {};
        const auto got = recv(socket.get(), room, sizeof room, 0);
        return got > 0 ? std::string(room, static_cast<std::size_t>(got)) : std::string{};
    }

    /// All that is kept of a stream, in order.
    [[nodiscard]] std::string log(const std::string& stream) const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(root_ / "logs")) {
            const auto name = entry.path().filename().string();
            if (name.starts_with(stream + ".")) names.push_back(name);
        }
        std::sort(names.begin(), names.end());
        std::string text;
        for (const auto& name : names) text += slurp(root_ / "logs" / name);
        return text;
    }

private:
    std::filesystem::path root_;
    Fd directory_;
    std::map<std::string, std::string> values_;
    std::vector<std::pair<std::string, std::string>> more_;
    std::map<std::string, Fd> fifos_;
    pid_t pid_ = -1;
    bool ended_ = true;
};

}  // namespace weir::supervisor
