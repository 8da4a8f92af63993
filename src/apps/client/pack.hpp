// apps/client/pack.hpp: a folder on this machine as a tree, without reading what was read before.
//
// It answers one question: what is in this folder now? Files that .gitignore and .weirignore name are left out. A file whose size, times
// and inode are those of the last time has the digest of the last time; one that changed within the last two seconds before that was looked
// at may have changed after it, and is read again. The memory is a file of the user's cache folder; without it everything is read.
#pragma once

#include "apps/client/console.hpp"
#include "apps/client/failure.hpp"
#include "domain/tree.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::cli {

struct Packed {
    std::string folder;                       ///< Absolute.
    Tree tree;
    std::map<Digest, std::string> where;      ///< A file that has these bytes, below the folder.
    std::int64_t files_read = 0;              ///< Whose digest was not known.
    std::vector<std::string> warnings;
};

/// `memory`: file with the digests of before; empty: none is kept.
[[nodiscard]] Result<Packed, Failure> pack(const std::string& folder, const std::string& memory);

/// One file, as a tree of its name alone.
[[nodiscard]] Result<Packed, Failure> pack_file(const std::string& path);

/// The memory's path for a folder; empty where the user has no cache folder.
[[nodiscard]] std::string memory_of(const Console& console, const std::string& folder);

}  // namespace weir::cli
