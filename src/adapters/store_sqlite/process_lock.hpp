// adapters/store_sqlite/process_lock.hpp: one writer per store and machine, named so that a person can find it.
//
// A courtesy, not the safety: the lock may not work on a network file system. The epoch is what fences.
#pragma once

#include "ports/journal.hpp"

#include <string>

namespace weir::store {

/// Holds flock on a file for as long as it lives; the kernel lets go when the process ends, however it ends.
class ProcessLock {
public:
    /// Faults: in_use, read_only, disk_full, unavailable.
    [[nodiscard]] static ports::JournalResult<ProcessLock> take(const std::string& path);
    ProcessLock() = default;
    ProcessLock(ProcessLock&& other) noexcept;
    ProcessLock& operator=(ProcessLock&& other) noexcept;
    ~ProcessLock();

private:
    explicit ProcessLock(int descriptor) : descriptor_{descriptor} {}
    int descriptor_ = -1;
};

}  // namespace weir::store
