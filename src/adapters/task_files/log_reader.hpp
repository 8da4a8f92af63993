// adapters/task_files/log_reader.hpp: reads a task's output back by offset, while the supervisor writes on.
//
// It answers one question: which bytes follow this offset? How they are kept is told in supervisor/log_ring.hpp. A segment
// may vanish between looking and reading; then the look is taken again.
#pragma once

#include "ports/site_backend.hpp"

#include <string>

namespace weir::task_files {

/// At most `max_bytes` of `stream` (such as `0.out`) in the folder `logs` from `offset` on, or from the first byte kept. `final`
/// is left to the caller.
[[nodiscard]] ports::LogChunk read_log(int logs, const std::string& stream, std::int64_t offset, std::int64_t max_bytes);

}  // namespace weir::task_files
