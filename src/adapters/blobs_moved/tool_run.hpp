// adapters/blobs_moved/tool_run.hpp: one run of a tool that copies, watched until its end.
//
// It answers one question: did the tool come to an end by itself, and what did it say? It is ended where nobody wants its work any more,
// where it makes no headway for too long, and where the agent that began it dies.
//
// Nothing secret stands among the words of its command line, which every user of the host can read: secrets come from files that its
// environment names.
#pragma once

#include "base/time.hpp"
#include "ports/copying.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weir::blobs_moved {

inline constexpr std::size_t said_bytes_max = std::size_t{64} << 20;  ///< Of its standard output, where that is kept.
inline constexpr std::size_t complaint_bytes_max = 4'096;             ///< Of its standard error: the end of it.

struct ToolAnswer;

struct ToolRun {
    std::vector<std::string> words{};        ///< The program, found on PATH where it has no slash, and its arguments.
    std::vector<std::string> environment{};  ///< NAME=VALUE, beside PATH, HOME and LC_ALL.
    int out = -1;                            ///< Where its standard output goes; -1: it is kept.
    /// How many bytes it has carried, by what it has printed until now or by a file that it writes. None: what it prints is headway.
    std::function<std::int64_t(const ToolAnswer& so_far)> carried{};
    Duration stall = seconds(120);           ///< Without headway for so long it is ended.
};

enum class ToolEnd : std::uint8_t { exited = 1, not_started = 2, stalled = 3, called_off = 4, said_too_much = 5 };

struct ToolAnswer {
    ToolEnd end = ToolEnd::exited;
    int exit_code = 0;        ///< 128 + n for signal n.
    std::string said{};       ///< Its standard output.
    std::string complaint{};  ///< The end of its standard error, in one line.
    [[nodiscard]] bool ok() const { return end == ToolEnd::exited && exit_code == 0; }
};

[[nodiscard]] ToolAnswer run_tool(const ToolRun& run, ports::Copying& copying);

/// What went wrong with it, for a person.
[[nodiscard]] std::string describe(const ToolRun& run, const ToolAnswer& answer);

}  // namespace weir::blobs_moved
