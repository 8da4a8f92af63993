// adapters/site_process/disk.hpp: what a tenant's files take, and what is left.
//
// It answers one question: how many bytes of the disk does everything below this folder take? By blocks, so that holes cost nothing;
// a file with several names counts once, in parts. Nothing is followed, and no name of a tenant's is trusted.
#pragma once

#include "adapters/site_process/files.hpp"
#include "ports/site_backend.hpp"

namespace weir::site_process {

inline constexpr int disk_depth_max = 64;  ///< Folders; what lies deeper is not looked at.

[[nodiscard]] ports::DiskUse disk_use(int folder);

/// What unprivileged programs may still write to the file system of `folder`; nothing where the kernel does not say.
[[nodiscard]] std::optional<std::int64_t> free_bytes(int folder);

}  // namespace weir::site_process
