// bench/disk.hpp: a directory on a disk that really syncs, and the least that makes bytes durable on it.
//
// A durable figure says nothing where a sync costs nothing. Directory refuses a file system in memory and a program that runs
// under a library which swallows syncs; how long one sync took is part of each report.
#pragma once

#include "bench/report.hpp"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::bench {

/// The benchmark ends without a figure: nothing that it could print would be true.
struct GaveUp : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] inline void give_up(const std::string& what) { throw GaveUp{what}; }

/// What main returns: runs the benchmark, and where it gives up says why, after everything that it started was ended.
template <class Work>
[[nodiscard]] int run(Work&& work) {
    try {
        work();
        return 0;
    } catch (const GaveUp& why) {
        std::fprintf(stderr, "bench: %s\n", why.what());
        return 1;
    }
}

/// Appends with one write() and one fdatasync(): the floor of everything durable.
class SyncedFile {
public:
    explicit SyncedFile(const std::string& path) : file_{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)} {}
    SyncedFile(const SyncedFile&) = delete;
    SyncedFile& operator=(const SyncedFile&) = delete;
    ~SyncedFile() { ::close(file_); }
    [[nodiscard]] bool append(std::string_view bytes) {
        return ::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fdatasync(file_) == 0;
    }

private:
    int file_;
};

/// Of its own, below TMPDIR or /tmp, removed with the object.
class Directory {
public:
    Directory() {
        auto pattern = (std::filesystem::temp_directory_path() / "weir-bench-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            give_up("no directory can be made at " + pattern + "; set TMPDIR to one that can be written");
        path_ = pattern;
        struct statfs where{};
        if (::statfs(path_.c_str(), &where) != 0 || where.f_type == tmpfs_magic)
            give_up(path_ + " is in memory and syncs nothing; set TMPDIR to a directory on a disk");
        const char* preloaded = std::getenv("LD_PRELOAD");
        if (preloaded != nullptr && std::string_view{preloaded}.contains("eatmydata"))
            give_up("LD_PRELOAD swallows every sync (eatmydata); unset it");
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

    /// Removes the files whose names begin so.
    void forget(const std::string& prefix) const {
        for (const auto& entry : std::filesystem::directory_iterator(path_)) {
            if (entry.path().filename().string().starts_with(prefix)) std::filesystem::remove_all(entry.path());
        }
    }

    /// Microseconds that 4 KiB take to become durable here: the median of so many.
    [[nodiscard]] double sync_us(int times = 50) const {
        SyncedFile probe{file("sync-probe")};
        const std::string page(4096, 'x');
        std::vector<double> us;
        for (int i = 0; i < times; ++i) {
            const auto from = std::chrono::steady_clock::now();
            if (!probe.append(page)) give_up(path_ + " cannot be written");
            us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
        }
        return median(us);
    }

private:
    static constexpr long tmpfs_magic = 0x01021994;
    std::string path_;
};

}  // namespace weir::bench
