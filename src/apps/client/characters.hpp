// apps/client/characters.hpp: which bytes of foreign text may reach a terminal?
//
// A terminal obeys what it is sent: a job's name or a line that a program printed could move the cursor, change the title, or show
// something else than it says. What can do so never passes as it came: controls of C0 and C1, and the marks that turn the direction
// of writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

struct Character {
    enum class Kind : std::uint8_t { plain = 1, control = 2, bad = 3, incomplete = 4 };
    Kind kind = Kind::plain;
    std::size_t bytes = 1;
    std::uint32_t code = 0;  ///< Of `bad` and `incomplete` the first byte.
};

/// The character at the front of a text that is not empty. `incomplete`: the text ends within it.
[[nodiscard]] Character character_of(std::string_view text);

/// Output of a program, piece by piece, as a terminal may show it: line ends and tabs stay, a carriage return ends its line, other
/// controls are spelled (`\x1b`, `\u202e`), and so are bytes that are not UTF-8.
class TerminalText {
public:
    /// What of the bytes up to now can be shown; an unfinished character waits for the next piece.
    [[nodiscard]] std::string take(std::string_view bytes);
    /// What was still waiting when no more comes.
    [[nodiscard]] std::string rest();

private:
    std::string waiting_;
};

}  // namespace weir::cli
