// domain/tree.hpp: a folder as a value: which files it has, by path, kind, size and digest.
//
// It answers one question: what exactly is in this folder? Its text is canonical, so that the SHA-256 of the text names the folder as a
// whole. Whoever reads a tree from others gets one that can be unpacked anywhere without leaving its folder, or a reason why not:
//
//     weir-tree 1
//     - 1200 <sha256> data/labels.csv         a file
//     x 310 <sha256> run.sh                   a file that may be executed
//     l 11 lib/current 2.1                    a link: the length of its path, its path, what it points to
//
// Lines are sorted by path, byte by byte. Folders are there by what they hold; an empty one is not kept. Of a file's mode only whether it
// may be executed is. Paths are UTF-8 without control characters; names that differ in case alone are two files, as on Linux.
#pragma once

#include "base/result.hpp"
#include "base/sha256.hpp"
#include "domain/data.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

namespace limits {
inline constexpr std::size_t tree_files_max = 200'000;
inline constexpr std::size_t tree_text_bytes_max = std::size_t{32} << 20;
inline constexpr std::size_t tree_path_bytes_max = 2'048;
inline constexpr std::size_t tree_name_bytes_max = 255;
inline constexpr std::size_t tree_depth_max = 100;  ///< Names in a path.
inline constexpr std::int64_t tree_bytes_max = std::int64_t{1} << 44;
}  // namespace limits

/// Values are the letters of the text.
enum class EntryKind : char { file = '-', executable = 'x', link = 'l' };

struct TreeEntry {
    std::string path;
    EntryKind kind = EntryKind::file;
    std::int64_t size = 0;   ///< Of a file.
    Digest digest;           ///< Of a file.
    std::string target;      ///< Of a link.
    [[nodiscard]] bool is_link() const { return kind == EntryKind::link; }
    bool operator==(const TreeEntry&) const = default;
};

struct Tree {
    std::vector<TreeEntry> entries;  ///< Sorted by path.
    bool operator==(const Tree&) const = default;
};

/// What is wrong with a path of a tree, or nothing: it is relative, of names of 1 to 255 bytes that are neither "." nor "..", at most 100
/// of them and 2048 bytes, UTF-8, without control characters.
[[nodiscard]] std::optional<std::string> path_fault(std::string_view path);

/// What is wrong with a link at `path`, or nothing. Its target is relative; ".." stands at its front alone and leads no higher than the
/// folder of the tree: so no chain of such links leads out.
[[nodiscard]] std::optional<std::string> link_fault(std::string_view path, std::string_view target);

/// A tree of these entries in any order, or what is wrong with them: a bad path, a path twice, a path below a file or a link, a limit.
[[nodiscard]] Result<Tree, std::string> make_tree(std::vector<TreeEntry> entries);

/// Its text. The tree is one of make_tree().
[[nodiscard]] std::string tree_text(const Tree& tree);
/// The inverse, with everything checked that make_tree() checks, and that the text is canonical.
[[nodiscard]] Result<Tree, std::string> parse_tree(std::string_view text);

/// Sum over its files, and how many entries it has. `text_bytes`: of its manifest.
[[nodiscard]] TreeSize size_of(const Tree& tree, std::size_t text_bytes);

/// The entry of a path; nothing where there is none.
[[nodiscard]] const TreeEntry* find(const Tree& tree, std::string_view path);

/// `tree-` and 64 hexadecimal digits: how a tree is named in a job and on a command line.
[[nodiscard]] std::string tree_name(const Digest& digest);
[[nodiscard]] std::optional<Digest> parse_tree_name(std::string_view name);

/// Foreign bytes for a message: control characters and what is not UTF-8 as \xHH, cut at 200 bytes.
[[nodiscard]] std::string escaped(std::string_view bytes);

}  // namespace weir
