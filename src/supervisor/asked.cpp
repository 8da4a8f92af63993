#include "supervisor/asked.hpp"

#include "supervisor/text.hpp"

#include <array>

namespace weir::supervisor {
namespace {

constexpr std::array end_names{"none", "stop", "kill"};

bool take_field(std::string_view key, std::string_view value, Asked& asked) {
    if (key == "to_end") {
        for (std::size_t at = 0; at < end_names.size(); ++at) {
            if (value != end_names[at]) continue;
            asked.end = static_cast<Asked::End>(at);
            return true;
        }
        return false;
    }
    std::int64_t* const into = key == "checkpoints" ? &asked.checkpoints
                               : key == "signals"   ? &asked.signals
                               : key == "signal"    ? &asked.signal
                                                    : nullptr;
    if (into == nullptr) return true;
    const auto number = parse_number(value);
    if (!number || *number < 0) return false;
    *into = *number;
    return true;
}

}  // namespace

std::string_view print_asked(const Asked& asked, std::span<char> room) {
    TextBuffer text{room};
    text.add("weir-asked 1\nto_end ").add(end_names[static_cast<std::size_t>(asked.end)]);
    text.add("\ncheckpoints ").add(asked.checkpoints).add("\nsignals ").add(asked.signals);
    text.add("\nsignal ").add(asked.signal).add("\nend\n");
    return text.view();
}

std::optional<Asked> parse_asked(std::string_view text) {
    Asked asked;
    if (take_line(text) != "weir-asked 1") return std::nullopt;
    while (const auto line = take_line(text)) {
        if (*line == "end") return text.empty() ? std::optional{asked} : std::nullopt;
        std::string_view value = *line;
        const auto key = take_until(value, ' ');
        if (!take_field(key, value, asked)) return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace weir::supervisor
