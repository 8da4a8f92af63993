// supervisor/asked.hpp: what is asked of a running task by a file, where no socket reaches its supervisor.
//
// It answers one question: what should have been done by now? On a site whose tasks run on other hosts than the agent, the two share a
// folder and nothing else. The file says how things should be, not what to do next: it may be read twice, late, or with a step left out.
//
// Lines of `key value`; readers skip keys that they do not know. Counts only grow.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::supervisor {

inline constexpr const char* asked_file = "asked";
inline constexpr std::size_t asked_bytes_max = 256;

struct Asked {
    enum class End : std::uint8_t { none = 0, stop = 1, kill = 2 };
    End end = End::none;           ///< stop: SIGTERM, the task's grace, SIGKILL; kill: SIGKILL.
    std::int64_t checkpoints = 0;  ///< How many were asked for.
    std::int64_t signals = 0;      ///< How many signals were asked for.
    std::int64_t signal = 0;       ///< The last of them, 1 to 64.
    friend bool operator==(const Asked&, const Asked&) = default;
};

/// Prints into `room` (asked_bytes_max always fits) and returns the text.
[[nodiscard]] std::string_view print_asked(const Asked& asked, std::span<char> room);
/// Nothing for what a print_asked of this or a newer version did not write in full.
[[nodiscard]] std::optional<Asked> parse_asked(std::string_view text);

}  // namespace weir::supervisor
