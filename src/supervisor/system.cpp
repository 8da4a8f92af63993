#include "supervisor/system.hpp"

#include "supervisor/status.hpp"
#include "supervisor/text.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace weir::supervisor {

void Fd::reset() {
    if (number_ >= 0) close(number_);
    number_ = -1;
}

namespace {

/// One by one; a listing goes on behind the number that it told last, so closing what it told skips nobody.
bool close_listed(unsigned first, unsigned last) {
    const Fd listing{open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    alignas(dirent64) char room[4096];
    while (true) {
        const auto size = listing ? getdents64(listing.get(), room, sizeof room) : -1;
        if (size <= 0) return size == 0;
        for (std::ptrdiff_t at = 0; at < size;) {
            const auto* const entry = reinterpret_cast<const dirent64*>(room + at);
            at += entry->d_reclen;
            const auto number = parse_number(entry->d_name);
            if (number && *number >= first && *number <= last && *number != listing.get()) close(static_cast<int>(*number));
        }
    }
}

}  // namespace

bool close_descriptors(unsigned first, unsigned last) {
    return first > last || syscall(SYS_close_range, first, last, 0) == 0 || close_listed(first, last);
}

std::int64_t boot_now_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void set_timer(int timer, std::int64_t due_ns) {
    constexpr std::int64_t second_ns = 1'000'000'000;
    itimerspec when{};
    when.it_value.tv_sec = due_ns / second_ns;
    when.it_value.tv_nsec = due_ns % second_ns;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr);
}

std::int64_t wall_now_s() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec};
}

void read_boot_id(std::span<char> room) {
    const Fd file{open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    const auto size = file ? read(file.get(), room.data(), boot_id_size) : 0;
    room[size == static_cast<ssize_t>(boot_id_size) ? boot_id_size : 0] = '\0';
}

std::optional<std::string_view> read_file(int directory, const char* name, std::span<char> room) {
    const Fd file{openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!file) return std::nullopt;
    std::size_t size = 0;
    while (size < room.size()) {
        const auto got = read(file.get(), room.data() + size, room.size() - size);
        if (got == 0) return std::string_view{room.data(), size};
        if (got < 0 && errno != EINTR) return std::nullopt;
        if (got > 0) size += static_cast<std::size_t>(got);
    }
    errno = EFBIG;
    return std::nullopt;
}

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto wrote = write(descriptor, text.data(), text.size());
        if (wrote < 0 && errno != EINTR) return false;
        if (wrote > 0) text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
}

bool replace_file(int directory, const char* name, const char* temporary, std::string_view text, mode_t mode, Durable durable) {
    if (unlinkat(directory, temporary, 0) != 0 && errno != ENOENT) return false;
    const Fd file{openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!file || !write_all(file.get(), text)) return false;
    if (fchmod(file.get(), mode) != 0) return false;
    if (durable == Durable::yes && fsync(file.get()) != 0) return false;
    if (renameat(directory, temporary, directory, name) != 0) return false;
    return durable == Durable::no || fsync(directory) == 0;
}

namespace {

struct flock whole_file() {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

}  // namespace

std::optional<Fd> take_lock(int directory, const char* name) {
    Fd file{openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return std::nullopt;
    auto lock = whole_file();
    if (fcntl(file.get(), F_OFD_SETLK, &lock) != 0) return std::nullopt;
    return file;
}

bool is_locked(int directory, const char* name) {
    const Fd file{openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (!file) return false;
    auto lock = whole_file();
    return fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace weir::supervisor
