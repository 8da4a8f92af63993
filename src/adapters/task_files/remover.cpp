#include "adapters/task_files/remover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int slice_files = 256;                    ///< After so many the thread rests for as long as they took.
constexpr std::chrono::milliseconds rest_max{200};
constexpr std::chrono::minutes again_after{1};      ///< What could not be removed is tried again.

/// Behind everybody else, with the processor and with the disk.
void step_back() {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);
    constexpr int thread_itself = 0;
    // linux/ioprio.h says these; in later headers of 6.1 it is C that no C++ compiler takes.
    constexpr int who_process = 1;
    constexpr int best_effort_last = 2 << 13 | 7;
    (void)syscall(SYS_ioprio_set, who_process, thread_itself, best_effort_last);
}

/// Whoever made it may have closed it to himself, and the agent may be no root.
Fd open_closed_folder(int directory, const char* name) {
    const Fd place{openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!place) return {};
    (void)chmod(fmt::format("/proc/self/fd/{}", place.get()).c_str(), 0700);
    return Fd{openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

struct Listing {
    explicit Listing(int folder) : stream{folder < 0 ? nullptr : fdopendir(folder)} {
        if (stream == nullptr && folder >= 0) ::close(folder);
    }
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    ~Listing() {
        if (stream != nullptr) closedir(stream);
    }
    [[nodiscard]] const char* next() const {
        while (const dirent* const entry = readdir(stream)) {
            const std::string_view name{entry->d_name};
            if (name != "." && name != "..") return entry->d_name;
        }
        return nullptr;
    }
    DIR* stream;
};

}  // namespace

struct Remover::Impl {
    explicit Impl(Fd folder) : folder_{std::move(folder)} {
        for (const auto& name : list_folder(folder_.get())) {
            std::uint64_t number = 0;
            const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
            if (error == std::errc{} && end == name.data() + name.size()) next_ = std::max(next_, number + 1);
        }
        thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
    }

    void run(const std::stop_token& stop) {
        step_back();
        while (!stop.stop_requested()) {
            bool left = false;
            std::uint64_t seen = 0;
            {
                const std::lock_guard lock{mutex_};
                seen = taken_;
            }
            while (!stop.stop_requested() && pass(stop)) {
            }
            left = !list_folder(folder_.get()).empty();
            std::unique_lock lock{mutex_};
            is_empty_ = !left && taken_ == seen;
            changed_.notify_all();
            const auto came = [&] { return taken_ != seen; };
            if (left) changed_.wait_for(lock, stop, again_after, came);
            else changed_.wait(lock, stop, came);
        }
    }

    /// Goes once through what lies in the folder. True where anything was removed or moved.
    bool pass(const std::stop_token& stop) {
        bool did = false;
        for (const auto& name : list_folder(folder_.get())) {
            if (stop.stop_requested()) return false;
            if (unlinkat(folder_.get(), name.c_str(), 0) == 0 || empty(name, stop)) did = true;
        }
        return did;
    }

    /// Removes what is in a folder, moves up what is not empty itself, and removes the folder. True where anything changed.
    bool empty(const std::string& name, const std::stop_token& stop) {
        if (unlinkat(folder_.get(), name.c_str(), AT_REMOVEDIR) == 0) return true;
        Fd folder = open_closed_folder(folder_.get(), name.c_str());
        if (!folder) return false;
        const int below = folder.get();
        const Listing listing{folder.release()};
        if (listing.stream == nullptr) return false;
        bool did_any = false;
        for (bool did = true; did && !stop.stop_requested();) {
            did = false;
            rewinddir(listing.stream);
            while (const char* const entry = listing.next()) {
                if (stop.stop_requested()) return did_any;
                if (unlinkat(below, entry, 0) == 0 || unlinkat(below, entry, AT_REMOVEDIR) == 0 || move_up(below, entry)) did = true;
                rest(stop);
            }
            did_any = did_any || did;
        }
        return unlinkat(folder_.get(), name.c_str(), AT_REMOVEDIR) == 0 || did_any;
    }

    bool move_up(int directory, const char* name) {
        struct stat facts{};
        if (fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(facts.st_mode)) return false;
        return bring(directory, name);
    }

    bool bring(int directory, const char* name) {
        if (renameat(directory, name, folder_.get(), new_name().c_str()) == 0) return true;
        // A folder that is closed even to its owner cannot be given another parent.
        if (errno != EACCES || !open_closed_folder(directory, name)) return false;
        return renameat(directory, name, folder_.get(), new_name().c_str()) == 0;
    }

    std::string new_name() {
        const std::lock_guard lock{mutex_};
        return fmt::format("{}", next_++);
    }

    /// Half of the time is the others'.
    void rest(const std::stop_token& stop) {
        if (++files_ % slice_files != 0) return;
        const auto took = std::min<Clock::duration>(Clock::now() - slice_began_, rest_max);
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, stop, took, [] { return false; });
        slice_began_ = Clock::now();
    }

    Fd folder_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t next_ = 1;
    std::uint64_t taken_ = 0;
    bool is_empty_ = false;
    std::uint64_t files_ = 0;  ///< Of the thread alone, as is what follows.
    Clock::time_point slice_began_ = Clock::now();
    std::jthread thread_;  ///< Last: it uses all of the above.
};

Remover::Remover(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Remover::~Remover() = default;

BackendResult<std::unique_ptr<Remover>> Remover::open(int root) {
    Fd folder = WEIR_TRY(make_folder(root, removed_folder, 0700, std::nullopt));
    return std::unique_ptr<Remover>{new Remover{std::make_unique<Impl>(std::move(folder))}};
}

bool Remover::take(int directory, const std::string& name) {
    if (!impl_->bring(directory, name.c_str())) return errno == ENOENT;
    {
        const std::lock_guard lock{impl_->mutex_};
        ++impl_->taken_;
        impl_->is_empty_ = false;
    }
    impl_->changed_.notify_all();
    return true;
}

void Remover::await_empty() {
    std::unique_lock lock{impl_->mutex_};
    impl_->changed_.wait(lock, [&] { return impl_->is_empty_; });
}

}  // namespace weir::task_files
