#include "apps/client/console.hpp"

#include <fmt/format.h>
#include <sodium.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <fcntl.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <thread>

namespace weir::cli {
namespace {

constexpr std::size_t usual_width = 80;
constexpr std::size_t usual_height = 24;

std::size_t terminal_width() {
    if (::isatty(STDOUT_FILENO) == 0) return 0;
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual_width;
}

std::size_t terminal_height() {
    if (::isatty(STDOUT_FILENO) == 0) return 0;
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : usual_height;
}

Instant wall_clock() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

Uid uid_of_now() {
    std::array<std::uint64_t, 2> chance{};
    ::randombytes_buf(chance.data(), sizeof chance);
    return make_uid(wall_clock(), chance[0], chance[1]);
}

std::tm local(Instant at) {
    const std::time_t whole = floor_seconds(at);
    std::tm parts{};
    ::localtime_r(&whole, &parts);
    return parts;
}

/// A command that waits would learn of a closed pipe only when it has something to print. As `tail -f` does, it ends then as if it had
/// printed: by the signal that every command of a pipeline ends by.
void end_with_reader() {
    struct stat out {};
    if (::fstat(STDOUT_FILENO, &out) != 0 || !(S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode))) return;
    std::thread{[] {
        pollfd reader{STDOUT_FILENO, 0, 0};
        while (::poll(&reader, 1, -1) < 0 && errno == EINTR) {
        }
        ::signal(SIGPIPE, SIG_DFL);
        ::kill(::getpid(), SIGPIPE);
    }}.detach();
}

/// Switches the terminal's echo off for its life.
class Hidden {
public:
    Hidden() : is_terminal_{::tcgetattr(STDIN_FILENO, &before_) == 0} {
        if (!is_terminal_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ~Hidden() {
        if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }
    Hidden(const Hidden&) = delete;
    Hidden& operator=(const Hidden&) = delete;

private:
    termios before_{};
    bool is_terminal_;
};

std::string wrong(std::string_view what, const std::string& path) {
    return fmt::format("{} cannot be {}: {}", path, what, std::strerror(errno));
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(file, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Console system_console() {
    if (::sodium_init() < 0) std::abort();
    return {.in = std::cin,
            .out = std::cout,
            .err = std::cerr,
            .width = terminal_width(),
            .height = terminal_height(),
            .talks = ::isatty(STDERR_FILENO) != 0,
            .asks = ::isatty(STDIN_FILENO) != 0,
            .environment = [](const std::string& name) -> std::optional<std::string> {
                const char* value = std::getenv(name.c_str());
                return value != nullptr ? std::optional<std::string>{value} : std::nullopt;
            },
            .now = wall_clock,
            .new_uid = uid_of_now,
            .sleep = [](Duration length) { std::this_thread::sleep_for(std::chrono::nanoseconds{length.ns}); },
            .local_time = local,
            .end_with_reader = end_with_reader,
            .hidden_line =
                [] {
                    const Hidden hidden;
                    std::string line;
                    std::getline(std::cin, line);
                    return line;
                }};
}

std::optional<std::string> private_file_fault(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (fs::is_directory(path, error)) return fmt::format("{} is a directory; name a file", path);
    if (fs::exists(path, error))
        return fmt::format("{} is there already, and what it holds would be lost; name another file, or move it away", path);
    const auto probe = path + ".probe";
    if (auto fault = write_private_file(probe, "")) return fault;
    fs::remove(probe, error);
    return std::nullopt;
}

std::optional<std::string> write_private_file(const std::string& path, const std::string& text) {
    namespace fs = std::filesystem;
    const auto folder = fs::path{path}.parent_path();
    std::error_code error;
    if (!folder.empty() && !fs::exists(folder, error)) {
        fs::create_directories(folder, error);
        if (error) return fmt::format("{} cannot be made: {}", folder.string(), error.message());
        fs::permissions(folder, fs::perms::owner_all, error);
    }
    std::string draft = path + ".XXXXXX";
    const int file = ::mkstemp(draft.data());  // Mode 0600 from its first moment.
    if (file < 0) return wrong("written", path);
    const bool written = write_all(file, text) && ::fsync(file) == 0;
    const bool closed = ::close(file) == 0;
    if (written && closed && ::rename(draft.c_str(), path.c_str()) == 0) return std::nullopt;
    auto message = wrong("written", path);
    ::unlink(draft.c_str());
    return message;
}

}  // namespace weir::cli
