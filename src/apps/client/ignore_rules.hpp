// apps/client/ignore_rules.hpp: which files a folder's .gitignore and .weirignore leave out.
//
// It answers one question: is this path left out? By the rules of git (gitignore(5)): the last pattern that matches decides, `!` takes
// back, a slash at the front or in the middle anchors a pattern to the folder of its file, one at the end means folders alone, `*`, `?` and
// `[...]` match no slash, `**` does. Files further down come later. What lies in a folder that is left out cannot be taken back: whoever
// walks does not enter it. Folders named .git are left out always.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// Whether a pattern of git matches all of a text, in which slashes separate names.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

class IgnoreRules {
public:
    /// Adds the lines of a file in `folder`, a path relative to the top, empty for the top itself. Folders above come before those below.
    void add(std::string_view folder, std::string_view text);
    /// `path` is relative to the top.
    [[nodiscard]] bool is_left_out(std::string_view path, bool is_folder) const;

private:
    struct Rule {
        std::string folder;    ///< With a slash at its end, or empty.
        std::string pattern;
        bool takes_back = false;
        bool folders_only = false;
        bool anchored = false;
    };
    std::vector<Rule> rules_;
};

}  // namespace weir::cli
