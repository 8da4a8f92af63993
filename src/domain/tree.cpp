#include "domain/tree.hpp"

#include "base/quantity.hpp"
#include "codec/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace weir {
namespace {

constexpr std::string_view head = "weir-tree 1\n";
constexpr std::string_view name_prefix = "tree-";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The folder of a path that has a folder; empty at the top.
std::string_view parent_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::optional<std::string> text_fault(std::string_view text, std::size_t bytes_max) {
    if (text.empty()) return "is empty";
    if (text.size() > bytes_max) return fmt::format("has {} bytes, at most {} are taken", text.size(), bytes_max);
    if (!codec::check_utf8(text).good) return "is not UTF-8; rename it";
    if (std::ranges::any_of(text, is_control)) return "has a control character; rename it";
    return std::nullopt;
}

/// What is wrong with the names between slashes.
std::optional<std::string> names_fault(std::string_view path, bool may_climb) {
    std::size_t names = 0;
    for (bool climbs = may_climb;; ++names) {
        const auto slash = path.find('/');
        const auto name = path.substr(0, slash);
        if (name.empty()) return names == 0 ? "begins with a slash; only paths within the folder are taken" : "has an empty name in it";
        if (name.size() > limits::tree_name_bytes_max)
            return fmt::format("has a name of {} bytes, at most {} are taken", name.size(), limits::tree_name_bytes_max);
        if (name != "..") climbs = false;
        if (name == "." || (name == ".." && !climbs)) return fmt::format("has '{}' in it; only paths within the folder are taken", name);
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    if (names + 1 > limits::tree_depth_max)
        return fmt::format("is {} names deep, at most {} are taken", names + 1, limits::tree_depth_max);
    return std::nullopt;
}

std::optional<std::string> entry_fault(const TreeEntry& entry) {
    if (auto fault = path_fault(entry.path)) return fault;
    if (entry.is_link()) return link_fault(entry.path, entry.target);
    if (entry.size < 0) return fmt::format("has {} bytes", entry.size);
    return std::nullopt;
}

/// A path below what is no folder, or nothing. The paths are sorted and each is there once.
std::optional<std::string> nesting_fault(const std::vector<TreeEntry>& entries) {
    std::set<std::string_view> folders;
    for (const auto& entry : entries) {
        for (auto folder = parent_of(entry.path); !folder.empty() && folders.insert(folder).second; folder = parent_of(folder)) {
        }
    }
    for (const auto& entry : entries) {
        if (folders.contains(entry.path))
            return fmt::format("'{}' is a {} and has files below it", escaped(entry.path), entry.is_link() ? "link" : "file");
    }
    return std::nullopt;
}

/// Cuts one field and the blank after it off the front; nothing where there is no blank.
std::optional<std::string_view> cut(std::string_view& line) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    const auto field = line.substr(0, blank);
    line.remove_prefix(blank + 1);
    return field;
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<TreeEntry> parse_line(std::string_view line) {
    const auto kind = cut(line);
    const auto size = cut(line);
    if (!kind || !size || kind->size() != 1) return std::nullopt;
    const auto count = number(*size);
    if (!count) return std::nullopt;
    TreeEntry entry;
    entry.kind = static_cast<EntryKind>(kind->front());
    if (entry.is_link()) {
        const auto length = static_cast<std::size_t>(*count);
        if (length >= line.size() || line[length] != ' ') return std::nullopt;
        entry.path = line.substr(0, length);
        entry.target = line.substr(length + 1);
        return entry;
    }
    if (entry.kind != EntryKind::file && entry.kind != EntryKind::executable) return std::nullopt;
    const auto digest = cut(line);
    const auto parsed = digest ? Digest::parse(*digest) : std::nullopt;
    if (!parsed) return std::nullopt;
    entry.size = *count;
    entry.digest = *parsed;
    entry.path = line;
    return entry;
}

}  // namespace

std::string escaped(std::string_view bytes) {
    constexpr std::size_t bytes_max = 200;
    std::string out;
    const bool is_text = codec::check_utf8(bytes).good;
    for (const char c : bytes.substr(0, bytes_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_control(c) || c == '\\' || (!is_text && byte >= 0x80)) {
            out += c == '\\' ? std::string{"\\\\"} : fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    if (bytes.size() > bytes_max) out += "...";
    return out;
}

std::optional<std::string> path_fault(std::string_view path) {
    if (auto fault = text_fault(path, limits::tree_path_bytes_max)) return fault;
    return names_fault(path, false);
}

std::optional<std::string> link_fault(std::string_view path, std::string_view target) {
    if (auto fault = text_fault(target, limits::tree_path_bytes_max)) return fmt::format("is a link whose target {}", *fault);
    if (target.starts_with('/')) return fmt::format("is a link to '{}', outside of the folder; copy what it points to", escaped(target));
    if (auto fault = names_fault(target, true)) return fmt::format("is a link whose target '{}' {}", escaped(target), *fault);
    auto climbs = 0;
    for (auto rest = target; rest == ".." || rest.starts_with("../"); rest.remove_prefix(std::min<std::size_t>(rest.size(), 3))) ++climbs;
    if (climbs > std::ranges::count(path, '/'))
        return fmt::format("is a link to '{}', outside of the folder; copy what it points to", escaped(target));
    return std::nullopt;
}

Result<Tree, std::string> make_tree(std::vector<TreeEntry> entries) {
    if (entries.size() > limits::tree_files_max)
        return fail(fmt::format("there are {} files, at most {} are taken; leave some out with .weirignore", entries.size(),
                                limits::tree_files_max));
    std::ranges::sort(entries, {}, &TreeEntry::path);
    std::int64_t bytes = 0;
    std::size_t text_bytes = head.size();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& entry = entries[i];
        if (auto fault = entry_fault(entry)) return fail(fmt::format("'{}' {}", escaped(entry.path), *fault));
        if (i > 0 && entries[i - 1].path == entry.path) return fail(fmt::format("'{}' is there twice", escaped(entry.path)));
        const auto sum = checked_add(bytes, entry.size);
        if (!sum || *sum > limits::tree_bytes_max) {
            return fail(fmt::format("with '{}' its files have more than {} bytes, which is the most that is taken; leave some out with "
                                    ".weirignore",
                                    escaped(entry.path), limits::tree_bytes_max));
        }
        bytes = *sum;
        text_bytes += entry.path.size() + entry.target.size() + 90;
    }
    if (text_bytes > limits::tree_text_bytes_max) {
        return fail(fmt::format("the names of its {} files take {} bytes, at most {} are taken; leave some out with .weirignore",
                                entries.size(), text_bytes, limits::tree_text_bytes_max));
    }
    if (auto fault = nesting_fault(entries)) return fail(*std::move(fault));
    return Tree{std::move(entries)};
}

std::string tree_text(const Tree& tree) {
    std::string text{head};
    for (const auto& entry : tree.entries) {
        const auto letter = static_cast<char>(entry.kind);
        if (entry.is_link()) {
            text += fmt::format("{} {} {} {}\n", letter, entry.path.size(), entry.path, entry.target);
        } else {
            text += fmt::format("{} {} {} {}\n", letter, entry.size, entry.digest.text(), entry.path);
        }
    }
    return text;
}

Result<Tree, std::string> parse_tree(std::string_view text) {
    if (text.size() > limits::tree_text_bytes_max)
        return fail(fmt::format("a manifest of {} bytes came, at most {} are taken", text.size(), limits::tree_text_bytes_max));
    if (!text.starts_with(head)) return fail(std::string{"it is no manifest of a folder: it does not begin with weir-tree 1"});
    std::vector<TreeEntry> entries;
    auto rest = text.substr(head.size());
    for (std::size_t line = 2; !rest.empty(); ++line) {
        const auto end = rest.find('\n');
        auto entry = end == std::string_view::npos ? std::nullopt : parse_line(rest.substr(0, end));
        if (!entry) return fail(fmt::format("line {} of the manifest is none", line));
        if (entries.size() == limits::tree_files_max)
            return fail(fmt::format("there are more than {} files, which is the most that is taken", limits::tree_files_max));
        entries.push_back(*std::move(entry));
        rest.remove_prefix(end + 1);
    }
    auto tree = WEIR_TRY(make_tree(std::move(entries)));
    if (tree_text(tree) != text)
        return fail(std::string{"the manifest is not in its one form: sorted by path, numbers without zeros in front"});
    return tree;
}

TreeSize size_of(const Tree& tree, std::size_t text_bytes) {
    TreeSize size{static_cast<std::int64_t>(text_bytes), static_cast<std::int64_t>(tree.entries.size())};
    for (const auto& entry : tree.entries) size.bytes += entry.size;
    return size;
}

const TreeEntry* find(const Tree& tree, std::string_view path) {
    const auto found =
        std::ranges::lower_bound(tree.entries, path, {}, [](const TreeEntry& entry) { return std::string_view{entry.path}; });
    return found == tree.entries.end() || found->path != path ? nullptr : &*found;
}

std::string tree_name(const Digest& digest) { return std::string{name_prefix} + digest.text(); }

std::optional<Digest> parse_tree_name(std::string_view name) {
    if (!name.starts_with(name_prefix)) return std::nullopt;
    return Digest::parse(name.substr(name_prefix.size()));
}

}  // namespace weir
