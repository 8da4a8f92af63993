#include "apps/client/table.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

namespace weir::cli {
namespace {

constexpr std::size_t gap = 2;

struct Character {
    std::size_t bytes = 1;
    std::size_t width = 1;
};

bool is_wide(std::uint32_t code) {
    return (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) || (code >= 0xAC00 && code <= 0xD7A3) ||
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
           (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x1F300 && code <= 0x1F9FF) || (code >= 0x20000 && code <= 0x3FFFD);
}

bool is_combining(std::uint32_t code) {
    return (code >= 0x0300 && code <= 0x036F) || (code >= 0x200B && code <= 0x200F) || (code >= 0xFE00 && code <= 0xFE0F);
}

/// The character at the front of good UTF-8.
Character first_of(std::string_view text) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t bytes = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (bytes > text.size()) return {text.size(), 1};
    std::uint32_t code = bytes == 1 ? byte : byte & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
    return {bytes, is_combining(code) ? 0U : is_wide(code) ? 2U : 1U};
}

/// Columns from the highest rank to the lowest, the last of a rank first.
std::vector<std::size_t> by_rank(const std::vector<Column>& columns) {
    std::vector<std::size_t> order(columns.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, std::ranges::greater{}, [&](std::size_t i) { return std::pair{columns[i].rank, i}; });
    return order;
}

struct Layout {
    std::vector<std::size_t> widths;
    std::vector<bool> shown;

    [[nodiscard]] std::size_t total() const {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            if (shown[i]) sum += widths[i] + (sum > 0 ? gap : 0);
        }
        return sum;
    }
};

void fit(Layout& layout, const std::vector<Column>& columns, std::size_t width) {
    const auto order = by_rank(columns);
    for (const auto i : order) {
        const auto total = layout.total();
        if (total <= width) return;
        if (columns[i].least == 0 || layout.widths[i] <= columns[i].least) continue;
        layout.widths[i] -= std::min(total - width, layout.widths[i] - columns[i].least);
    }
    for (const auto i : order) {
        if (layout.total() <= width) return;
        if (columns[i].rank > 1 && !columns[i].stays) layout.shown[i] = false;
    }
}

/// What was left out may have made more room than was needed: the most important of the cut columns have it back.
void grow(Layout& layout, const std::vector<Column>& columns, const std::vector<std::size_t>& wanted, std::size_t width) {
    auto order = by_rank(columns);
    std::ranges::reverse(order);
    for (const auto i : order) {
        const auto total = layout.total();
        if (total >= width) return;
        if (layout.shown[i]) layout.widths[i] += std::min(width - total, wanted[i] - layout.widths[i]);
    }
}

std::string line_of(const std::vector<std::string_view>& cells, const std::vector<Column>& columns, const Layout& layout) {
    std::string line;
    bool first = true;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (!layout.shown[i]) continue;
        if (!first) line.append(gap, ' ');
        first = false;
        const auto text = columns[i].keeps_end ? cut_middle(cells[i], layout.widths[i]) : cut(cells[i], layout.widths[i]);
        const std::string padding(layout.widths[i] - display_width(text), ' ');
        line += columns[i].align == Align::right ? padding + text : text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + '\n';
}

/// One line, or as many as its longest cell that wraps needs.
std::string lines_of(const std::vector<std::string>& cells, const std::vector<Column>& columns, const Layout& layout) {
    std::vector<std::vector<std::string_view>> parts;
    std::size_t height = 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        parts.push_back(wrapped(cells[i], columns[i].wraps ? layout.widths[i] : 0));
        if (layout.shown[i]) height = std::max(height, parts.back().size());
    }
    std::string out;
    for (std::size_t at = 0; at < height; ++at) {
        std::vector<std::string_view> line;
        for (const auto& part : parts) line.push_back(at < part.size() ? part[at] : std::string_view{});
        out += line_of(line, columns, layout);
    }
    return out;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto one = first_of(text);
        width += one.width;
        text.remove_prefix(one.bytes);
    }
    return width;
}

std::string cut(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string{text};
    if (width == 0) return {};
    std::string out;
    std::size_t used = 1;
    while (!text.empty()) {
        const auto one = first_of(text);
        if (used + one.width > width) break;
        used += one.width;
        out += text.substr(0, one.bytes);
        text.remove_prefix(one.bytes);
    }
    return out + "…";
}

std::vector<std::string_view> wrapped(std::string_view text, std::size_t room) {
    constexpr auto none = std::string_view::npos;
    std::vector<std::string_view> lines;
    while (room > 0 && display_width(text) > room) {
        std::size_t end = 0;
        bool behind_comma = false;
        for (auto blank = text.find(' ', 1); blank != none; blank = text.find(' ', blank + 1)) {
            if (end > 0 && display_width(text.substr(0, blank)) > room) break;
            const bool is_comma = text[blank - 1] == ',';
            if (text[blank - 1] != ' ' && (is_comma || !behind_comma)) end = blank;
            behind_comma = behind_comma || is_comma;
        }
        if (end == 0) break;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
    }
    lines.push_back(text);
    return lines;
}

std::string cut_middle(std::string_view text, std::size_t width) {
    const auto whole = display_width(text);
    if (whole <= width) return std::string{text};
    if (width < 4) return cut(text, width);
    auto out = cut(text, width / 3);
    auto left = whole;
    while (left > width - display_width(out)) {
        const auto one = first_of(text);
        left -= one.width;
        text.remove_prefix(one.bytes);
    }
    return out + std::string{text};
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
    std::vector<std::string> titles;
    for (const auto& column : columns_) titles.push_back(column.title);
    Layout layout{std::vector<std::size_t>(columns_.size()), std::vector<bool>(columns_.size(), true)};
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        layout.widths[i] = display_width(titles[i]);
        for (const auto& row : rows_) layout.widths[i] = std::max(layout.widths[i], display_width(row[i]));
    }
    if (width > 0) {
        const auto wanted = layout.widths;
        fit(layout, columns_, width);
        grow(layout, columns_, wanted, width);
    }
    std::string out = lines_of(titles, columns_, layout);
    for (const auto& row : rows_) out += lines_of(row, columns_, layout);
    return out;
}

void Fields::add(std::string name, std::string value) {
    if (!value.empty()) lines_.emplace_back(std::move(name), std::move(value));
}

std::string Fields::text(std::size_t width) const {
    std::size_t widest = 0;
    for (const auto& [name, value] : lines_) widest = std::max(widest, display_width(name));
    const auto indent = widest + gap;
    std::string out;
    for (const auto& [name, value] : lines_) {
        auto head = name + std::string(indent - display_width(name), ' ');
        for (const auto line : wrapped(value, width > indent ? width - indent : 0)) {
            out += head.append(line) + '\n';
            head.assign(indent, ' ');
        }
    }
    return out;
}

}  // namespace weir::cli
