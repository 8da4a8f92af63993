#include "agent/manifest.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace weir::agent {
namespace {

std::optional<ports::ManifestEntry> parse_line(std::string_view line) {
    ports::ManifestEntry entry;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), entry.size);
    if (error != std::errc{} || entry.size < 0) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (line.size() < 67 || line[0] != ' ' || line[65] != ' ') return std::nullopt;
    const auto digest = Digest::parse(line.substr(1, 64));
    if (!digest) return std::nullopt;
    entry.sha256 = *digest;
    entry.path = line.substr(66);
    return entry;
}

}  // namespace

std::string manifest_text(std::vector<ports::ManifestEntry> files) {
    std::ranges::sort(files, {}, &ports::ManifestEntry::path);
    std::string text;
    for (const auto& file : files) text += fmt::format("{} {} {}\n", file.size, file.sha256.text(), file.path);
    return text;
}

std::optional<std::vector<ports::ManifestEntry>> parse_manifest(std::string_view text) {
    std::vector<ports::ManifestEntry> files;
    for (auto rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        auto entry = parse_line(rest.substr(0, end));
        if (!entry) return std::nullopt;
        files.push_back(std::move(*entry));
        rest.remove_prefix(end + 1);
    }
    if (manifest_text(files) != text) return std::nullopt;
    return files;
}

}  // namespace weir::agent
