// adapters/task_files/disk.hpp: what a tenant's files take, and what is left.
//
// It answers one question: how many bytes of the disk does everything below this folder take? By blocks, so that holes cost nothing,
// and at least one for each file, since an empty one takes its place too; a file with several names counts once, in parts. Nothing is
// followed, and no name of a tenant's is trusted.
#pragma once

#include "adapters/task_files/files.hpp"
#include "ports/site_backend.hpp"

namespace weir::task_files {

inline constexpr int disk_depth_max = 64;  ///< Folders; what lies deeper is not looked at.

/// What no task has a use for; a look at so many takes seconds.
inline constexpr std::int64_t disk_files_max = 2'000'000;

/// Ends where more than `files_max` files and folders are seen.
[[nodiscard]] ports::DiskUse disk_use(int folder, std::int64_t files_max = disk_files_max);

/// How many more files the file system of `folder` can take, and a hundredth of all that it can: below that nothing is started.
struct FilesLeft {
    std::int64_t free = INT64_MAX;
    std::int64_t floor = 0;
};
[[nodiscard]] FilesLeft files_left(int folder);

/// What unprivileged programs may still write to the file system of `folder`; nothing where the kernel does not say.
[[nodiscard]] std::optional<std::int64_t> free_bytes(int folder);

}  // namespace weir::task_files
