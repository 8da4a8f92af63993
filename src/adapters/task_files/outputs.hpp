// adapters/task_files/outputs.hpp: what a task leaves in its folder of outputs, as a tree.
//
// It answers one question: which files lie there whole, and what are their digests? When they are looked at and where they go is the
// agent's business. The tenant may write while this looks: a file that was changed lately, or while it was read, is passed over.
//
// What cannot be kept (a device, a socket, a link that leads out, a name that is not UTF-8) is left out and named; the rest is kept.
#pragma once

#include "adapters/task_files/files.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>

namespace weir::task_files {

/// `now_ns`: nanoseconds since 1970, by the clock of the file system.
[[nodiscard]] BackendResult<ports::Outputs> collect_outputs(int folder, const ports::OutputLook& look, std::int64_t now_ns,
                                                            ports::Copying& copying);

}  // namespace weir::task_files
