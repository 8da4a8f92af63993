// agent/manifest.hpp: the list of a checkpoint's files as the network's store keeps it.
//
// The canonical text of the port: one line `size sha256 path` for each file, sorted by path. Its SHA-256 names the checkpoint, so the
// list is a blob like any other.
#pragma once

#include "ports/site_backend.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::agent {

inline constexpr std::size_t manifest_bytes_max = std::size_t{4} << 20;

[[nodiscard]] std::string manifest_text(std::vector<ports::ManifestEntry> files);
/// None where the text is not canonical.
[[nodiscard]] std::optional<std::vector<ports::ManifestEntry>> parse_manifest(std::string_view text);

}  // namespace weir::agent
