#include "adapters/site_process/cards.hpp"

#include <charconv>
#include <optional>

namespace weir::site_process {
namespace {

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto at = text.find(separator);
        parts.push_back(trim(text.substr(0, at)));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

/// Words between runs of blanks.
std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    for (const auto part : split(text, ' ')) {
        if (!part.empty()) found.push_back(part);
    }
    return found;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

/// The first line of a chip: `| 0     910B3               | OK            | 97.5        44                0    / 0             |`.
struct ChipHead {
    std::int32_t card = 0;
    std::string model;
};

bool looks_like_bus_address(std::string_view cell) {
    return cell.find(':') != std::string_view::npos && cell.find('.') != std::string_view::npos;
}

std::optional<ChipHead> read_head(const std::vector<std::string_view>& cells) {
    const auto left = words(cells[0]);
    if (left.size() < 2 || looks_like_bus_address(cells[1])) return std::nullopt;
    const auto card = number<std::int32_t>(left[0]);
    if (!card) return std::nullopt;
    return ChipHead{.card = *card, .model = std::string{left[1]}};
}

/// The last `used / total` of a cell; the total, where it is above zero. A chip prints its DDR first, then its HBM; one of them may be 0.
std::int64_t read_memory(std::string_view cell) {
    std::int64_t memory_mib = 0;
    const auto parts = split(cell, '/');
    for (std::size_t at = 1; at < parts.size(); ++at) {
        const auto behind = words(parts[at]);
        const auto total = behind.empty() ? std::nullopt : number<std::int64_t>(behind.front());
        if (total && *total > 0) memory_mib = *total;
    }
    return memory_mib;
}

}  // namespace

CardReading read_nvidia(std::string_view text) {
    CardReading reading;
    for (const auto line : split(text, '\n')) {
        if (line.empty()) continue;
        const auto fields = split(line, ',');
        const auto index = number<std::int32_t>(fields[0]);
        const auto memory_mib = fields.size() == 4 ? number<std::int64_t>(fields[2]) : std::nullopt;
        if (!index || !memory_mib || fields[1].empty()) {
            ++reading.lines_not_understood;
            continue;
        }
        reading.cards.push_back({.index = *index,
                                 .model = std::string{fields[1]},
                                 .stack = ports::CardStack::cuda,
                                 .memory_mib = *memory_mib,
                                 .uuid = std::string{fields[3]}});
    }
    return reading;
}

CardReading read_ascend(std::string_view text) {
    CardReading reading;
    std::optional<ChipHead> head;
    for (const auto line : split(text, '\n')) {
        // The table of processes below names chips too.
        if (line.find("Process") != std::string_view::npos) break;
        if (!line.starts_with('|')) continue;
        auto cells = split(line, '|');
        cells.erase(cells.begin());
        if (cells.size() < 4) continue;
        if (auto found = read_head(cells)) {
            if (head) ++reading.lines_not_understood;
            head = std::move(found);
            continue;
        }
        if (!head || !looks_like_bus_address(cells[1])) continue;
        const auto numbers = words(cells[0]);
        // Chips of a card with several are numbered twice: within the card, and over all. The variable wants the latter.
        auto index = number<std::int32_t>(numbers.empty() ? std::string_view{} : numbers.back());
        if (index && numbers.size() == 1) index = static_cast<std::int32_t>(reading.cards.size());
        const auto memory_mib = read_memory(cells[2]);
        if (!index || memory_mib == 0) {
            ++reading.lines_not_understood;
        } else {
            reading.cards.push_back({.index = *index,
                                     .model = "Ascend" + head->model,
                                     .stack = ports::CardStack::cann,
                                     .memory_mib = memory_mib,
                                     .uuid = std::string{cells[1]}});
        }
        head.reset();
    }
    return reading;
}

}  // namespace weir::site_process
