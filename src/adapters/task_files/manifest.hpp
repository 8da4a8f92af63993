// adapters/task_files/manifest.hpp: the list of a checkpoint's files, as text.
//
// It answers one question: which bytes is a checkpoint made of? One line `size sha256 path` for each file but the manifest
// itself; the path goes to the end of the line. The canonical text is sorted by path: its SHA-256 names the checkpoint.
#pragma once

#include "ports/site_backend.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::task_files {

inline constexpr const char* manifest_file = "MANIFEST";
inline constexpr std::size_t manifest_bytes_max = 4 << 20;
inline constexpr std::size_t manifest_files_max = 10'000;

/// The entries sorted by path, or what is wrong, with the number of the line.
[[nodiscard]] Result<std::vector<ports::ManifestEntry>, std::string> parse_manifest(std::string_view text);

/// The canonical text.
[[nodiscard]] std::string print_manifest(std::vector<ports::ManifestEntry> files);

/// The checkpoint that these files make, its figures filled in.
[[nodiscard]] ports::Checkpoint make_checkpoint(std::string name, std::vector<ports::ManifestEntry> files, bool sealed_by_task);

}  // namespace weir::task_files
