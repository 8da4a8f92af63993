// apps/client/table.hpp: rows and columns that fit the terminal.
//
// Off a terminal nothing is cut and nothing left out, so that scripts see the same columns everywhere. Widths
// are columns of a terminal: a Chinese character takes two.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

enum class Align : unsigned char { left = 1, right = 2 };

struct Column {
    std::string title;
    /// 1: never left out. Where the terminal is too narrow, the columns of the highest rank suffer first.
    int rank = 1;
    /// It may be cut to this width, with an ellipsis; 0: it is shown whole or not at all.
    std::size_t least = 0;
    Align align = Align::left;
    /// Cut in the middle: for names that begin alike, such as ids.
    bool keeps_end = false;
    /// Goes on in the next line instead of being cut, behind a comma where it can: only a word that is too long is cut.
    bool wraps = false;
    /// Never left out, whatever its rank: for what is still of use when it is cut, and should be cut before others are.
    bool stays = false;
};

class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}
    /// One cell for each column; missing ones are empty.
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// Lines with their ends. `width` 0: as wide as it needs to be. First columns are cut, the highest rank first,
    /// then left out, the highest rank first; what room is left then goes back to the cut ones.
    [[nodiscard]] std::string text(std::size_t width) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// Lines of a name and its value, the values below each other.
class Fields {
public:
    /// Empty values are passed over.
    void add(std::string name, std::string value);
    /// A value that does not fit `width` goes on below its beginning; 0: each is one line.
    [[nodiscard]] std::string text(std::size_t width) const;

private:
    std::vector<std::pair<std::string, std::string>> lines_;
};

/// Columns of a terminal that UTF-8 text takes.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The text, or as much of its front as fits with "…" behind it.
[[nodiscard]] std::string cut(std::string_view text, std::size_t width);
/// The text in lines of at most `room` columns, broken at blanks, behind a comma where the line has one. A longer word has a line of
/// its own; `room` 0: all is one line.
[[nodiscard]] std::vector<std::string_view> wrapped(std::string_view text, std::size_t room);
/// The text, or its beginning and, twice as much, its end with "…" between them.
[[nodiscard]] std::string cut_middle(std::string_view text, std::size_t width);

}  // namespace weir::cli
