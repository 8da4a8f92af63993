#include "adapters/task_files/disk.hpp"

#include <algorithm>
#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

constexpr std::int64_t block_bytes = 4096;

void add_folder(int folder, int depth, std::int64_t files_max, ports::DiskUse& use);

void add_entry(int folder, const dirent& entry, int depth, std::int64_t files_max, ports::DiskUse& use) {
    struct stat facts{};
    if (fstatat(folder, entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) use.whole = false;
        return;
    }
    // A folder's links are no second names of it, but its own and those below it.
    const auto names = S_ISDIR(facts.st_mode) ? 1 : std::max<std::int64_t>(static_cast<std::int64_t>(facts.st_nlink), 1);
    use.bytes += std::max(std::int64_t{facts.st_blocks} * 512, block_bytes) / names;
    ++use.files;
    if (!S_ISDIR(facts.st_mode)) return;
    const int below = openat(folder, entry.d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) {
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) use.whole = false;
        return;
    }
    add_folder(below, depth + 1, files_max, use);
}

/// Takes `folder` and closes it.
void add_folder(int folder, int depth, std::int64_t files_max, ports::DiskUse& use) {
    DIR* const listing = depth > disk_depth_max ? nullptr : fdopendir(folder);
    if (listing == nullptr) {
        use.whole = false;
        close(folder);
        return;
    }
    while (const dirent* const entry = use.files > files_max ? nullptr : readdir(listing)) {
        const std::string_view name{entry->d_name};
        if (name != "." && name != "..") add_entry(dirfd(listing), *entry, depth, files_max, use);
    }
    closedir(listing);
}

}  // namespace

ports::DiskUse disk_use(int folder, std::int64_t files_max) {
    ports::DiskUse use;
    const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return {0, false};
    add_folder(copy, 0, files_max, use);
    return use;
}

FilesLeft files_left(int folder) {
    struct statvfs found{};
    // Some file systems have no such bound, and say 0 of it.
    if (fstatvfs(folder, &found) != 0 || found.f_files == 0) return {};
    return {.free = static_cast<std::int64_t>(found.f_favail), .floor = static_cast<std::int64_t>(found.f_files / 100)};
}

std::optional<std::int64_t> free_bytes(int folder) {
    struct statvfs found{};
    if (fstatvfs(folder, &found) != 0) return std::nullopt;
    return static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
}

}  // namespace weir::task_files
