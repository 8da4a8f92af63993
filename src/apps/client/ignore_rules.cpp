#include "apps/client/ignore_rules.hpp"

#include <algorithm>
#include <optional>
#include <ranges>

namespace weir::cli {
namespace {

/// `[...]` at the front of the pattern: whether the character is in it, and how long it is; nothing where it does not end.
struct Set {
    bool holds = false;
    std::size_t size = 0;
};
std::optional<Set> match_set(std::string_view pattern, char c) {
    std::size_t at = 1;
    const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
    if (inverted) ++at;
    bool holds = false;
    for (bool first = true; at < pattern.size(); first = false) {
        if (pattern[at] == ']' && !first) return Set{holds != inverted && c != '/', at + 1};
        if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
        const char low = pattern[at++];
        char high = low;
        if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
            ++at;
            if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
            high = pattern[at++];
        }
        if (low <= c && c <= high) holds = true;
    }
    return std::nullopt;
}

bool match_from(std::string_view pattern, std::string_view text, bool at_name);

/// `**` at the front: with slashes around it any number of folders, elsewhere as `*`.
bool match_stars(std::string_view pattern, std::string_view text, bool at_name) {
    const auto stars = std::min(pattern.find_first_not_of('*'), pattern.size());
    const auto rest = pattern.substr(stars);
    const bool over_folders = stars == 2 && at_name && (rest.empty() || rest.front() == '/');
    if (over_folders && rest.empty()) return true;
    if (over_folders) {
        // None at all, or up to any slash.
        if (match_from(rest.substr(1), text, true)) return true;
        for (auto slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/', slash + 1)) {
            if (match_from(rest.substr(1), text.substr(slash + 1), true)) return true;
        }
        return false;
    }
    for (std::size_t taken = 0; taken <= text.size(); ++taken) {
        if (match_from(rest, text.substr(taken), false)) return true;
        if (taken < text.size() && text[taken] == '/') return false;
    }
    return false;
}

/// `at_name`: a name begins here, in the pattern and in the text.
bool match_from(std::string_view pattern, std::string_view text, bool at_name) {
    while (!pattern.empty()) {
        char wanted = pattern.front();
        if (wanted == '*') return match_stars(pattern, text, at_name);
        if (text.empty()) return false;
        const char c = text.front();
        std::size_t size = 1;
        if (wanted == '?') {
            if (c == '/') return false;
        } else if (const auto set = wanted == '[' ? match_set(pattern, c) : std::nullopt) {
            if (!set->holds) return false;
            size = set->size;
        } else if (wanted == '[') {
            return false;
        } else {
            if (wanted == '\\') {
                if (pattern.size() < 2) return false;
                wanted = pattern[1];
                size = 2;
            }
            if (wanted != c) return false;
        }
        at_name = c == '/';
        pattern.remove_prefix(size);
        text.remove_prefix(1);
    }
    return text.empty();
}

/// Without blanks at the end, but for one that a backslash keeps.
std::string_view without_trailing_blanks(std::string_view line) {
    while (line.ends_with(' ')) {
        const auto before = line.substr(0, line.size() - 1);
        const auto kept = before.find_last_not_of('\\');
        const auto slashes = before.size() - (kept == std::string_view::npos ? 0 : kept + 1);
        if (slashes % 2 == 1) break;
        line = before;
    }
    return line;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) { return match_from(pattern, text, true); }

void IgnoreRules::add(std::string_view folder, std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        line = without_trailing_blanks(line);
        if (line.empty() || line.starts_with('#')) continue;
        Rule rule;
        rule.folder = folder.empty() ? std::string{} : std::string{folder} + "/";
        if (line.starts_with('!')) {
            rule.takes_back = true;
            line.remove_prefix(1);
        }
        if (line.ends_with('/')) {
            rule.folders_only = true;
            line.remove_suffix(1);
        }
        rule.anchored = line.find('/') != std::string_view::npos;
        if (line.starts_with('/')) line.remove_prefix(1);
        rule.pattern = line;
        if (!rule.pattern.empty()) rules_.push_back(std::move(rule));
    }
}

bool IgnoreRules::is_left_out(std::string_view path, bool is_folder) const {
    const auto name = path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    if (name == ".git") return true;
    for (const auto& rule : rules_ | std::views::reverse) {
        if (rule.folders_only && !is_folder) continue;
        if (!path.starts_with(rule.folder)) continue;
        if (matches(rule.pattern, rule.anchored ? path.substr(rule.folder.size()) : name)) return !rule.takes_back;
    }
    return false;
}

}  // namespace weir::cli
