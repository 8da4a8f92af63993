#include "adapters/task_files/manifest.hpp"

#include "adapters/task_files/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::task_files {
namespace {

bool by_path(const ports::ManifestEntry& a, const ports::ManifestEntry& b) { return a.path < b.path; }

std::optional<ports::ManifestEntry> parse_entry(std::string_view line) {
    const auto first = line.find(' ');
    if (first == std::string_view::npos || line.size() < first + 66 || line[first + 65] != ' ') return std::nullopt;
    ports::ManifestEntry entry;
    const auto [end, error] = std::from_chars(line.data(), line.data() + first, entry.size);
    const auto digest = Digest::parse(line.substr(first + 1, 64));
    if (error != std::errc{} || end != line.data() + first || entry.size < 0 || !digest) return std::nullopt;
    entry.sha256 = *digest;
    entry.path = line.substr(first + 66);
    if (!is_safe_path(entry.path) || entry.path == manifest_file) return std::nullopt;
    return entry;
}

}  // namespace

Result<std::vector<ports::ManifestEntry>, std::string> parse_manifest(std::string_view text) {
    std::vector<ports::ManifestEntry> files;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return fail(fmt::format("line {} has no end", line_number));
        auto entry = parse_entry(text.substr(0, end));
        if (!entry) return fail(fmt::format("line {} is not `size sha256 path` with a plain relative path", line_number));
        if (files.size() == manifest_files_max) return fail(fmt::format("there are more than {} files", manifest_files_max));
        files.push_back(std::move(*entry));
        text.remove_prefix(end + 1);
    }
    if (files.empty()) return fail(std::string{"there is no file"});
    std::sort(files.begin(), files.end(), by_path);
    const auto twice = std::adjacent_find(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path == b.path; });
    if (twice != files.end()) return fail(fmt::format("{} stands twice", twice->path));
    return files;
}

std::string print_manifest(std::vector<ports::ManifestEntry> files) {
    std::sort(files.begin(), files.end(), by_path);
    std::string text;
    for (const auto& file : files) text += fmt::format("{} {} {}\n", file.size, file.sha256.text(), file.path);
    return text;
}

ports::Checkpoint make_checkpoint(std::string name, std::vector<ports::ManifestEntry> files, bool sealed_by_task) {
    std::sort(files.begin(), files.end(), by_path);
    ports::Checkpoint checkpoint{.name = std::move(name), .files = std::move(files), .sealed_by_task = sealed_by_task};
    for (const auto& file : checkpoint.files) checkpoint.bytes += file.size;
    checkpoint.digest = sha256(print_manifest(checkpoint.files));
    return checkpoint;
}

}  // namespace weir::task_files
