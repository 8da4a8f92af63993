// sim/lying_disk/lying_vfs.hpp: lets SQLite work on a lying disk.
//
// It answers how SQLite's file calls, file locks and the shared memory of a write-ahead log look on one simulated machine.
// What is kept and lost is the disk's business (lying_disk.hpp). As SQLite's own VFS for Unix, the first sync of a
// new journal or log also syncs the directory.
//
// All calls are safe from any thread. The clock stands still and sleeping takes no time.
#pragma once

#include "sim/lying_disk/lying_disk.hpp"

#include <sqlite3.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace weir::sim {

/// A machine with a lying disk, registered with SQLite under name() for its lifetime; connections must close before it ends.
class LyingMachine {
public:
    explicit LyingMachine(std::uint64_t seed);
    LyingMachine(const LyingMachine&) = delete;
    LyingMachine& operator=(const LyingMachine&) = delete;
    ~LyingMachine();

    [[nodiscard]] const std::string& name() const { return name_; }
    /// For use while no connection is at work on another thread.
    [[nodiscard]] LyingDisk& disk() { return disk_; }
    /// The power goes if it has not, and comes back. All open connections stay dead.
    void restart();

private:
    struct Handle;   // An open file.
    struct Methods;  // What SQLite calls on it.
    struct Calls;    // What SQLite calls on the machine.

    /// Locks on a database file, by handle.
    struct FileLocks {
        int shared = 0;
        const Handle* reserved = nullptr;
        const Handle* exclusive = nullptr;  // Pending or exclusive.
    };
    /// Shared memory of a log's index and the locks on it; gone after a power cut.
    struct SharedMemory {
        std::map<int, std::unique_ptr<char[]>> regions;
        std::array<int, SQLITE_SHM_NLOCK> readers{};
        std::array<const Handle*, SQLITE_SHM_NLOCK> writer{};
    };

    std::mutex mutex_;
    LyingDisk disk_;
    Random random_;
    std::string name_;
    sqlite3_vfs vfs_{};
    std::uint64_t boot_ = 1;
    std::map<std::string, FileLocks> locks_;
    std::map<std::string, std::shared_ptr<SharedMemory>> shared_memory_;
};

}  // namespace weir::sim
