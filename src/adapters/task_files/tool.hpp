// adapters/task_files/tool.hpp: runs a program of the host and takes what it prints, but waits for it only so long.
//
// It answers one question: what did it say? A driver's tool may hang in the kernel for ever; it is then killed and left to
// the kernel, and the answer is that there was none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::task_files {

enum class ToolEnd : std::uint8_t {
    exited = 1,
    absent = 2,    ///< There is no such program.
    too_late = 3,  ///< The deadline passed, or it printed more than was allowed.
};

struct ToolAnswer {
    ToolEnd end = ToolEnd::absent;
    int exit_code = 0;    ///< Or 128 + signal.
    std::string printed;  ///< Standard output.
};

/// Runs arguments[0], looked up in PATH, with a clean environment, no input and no terminal.
[[nodiscard]] ToolAnswer run_tool(const std::vector<std::string>& arguments, int deadline_ms, std::size_t bytes_max = 1 << 20);

}  // namespace weir::task_files
