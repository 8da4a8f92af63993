// supervisor/processes.hpp: which processes there are, read from /proc, and who descends from whom.
//
// It answers one question: which processes must be gone before a task is over? A walk is a picture that is stale at once:
// whoever kills by it repeats until a walk finds nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <sys/types.h>

namespace weir::supervisor {

struct Process {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t session = 0;
    std::uint32_t depth = 0;        ///< Of a descendant: 1 for a child.
    std::int64_t start_ticks = 0;   ///< Since boot; with the pid it names one process of this boot.
    bool zombie = false;            ///< Dead, waiting to be reaped.
    bool stopped = false;           ///< By a signal, or by who traces it.
};

/// All processes of one moment, in memory of its own that is given back at the end.
class ProcessTable {
public:
    static constexpr std::size_t capacity = 65'536;

    ProcessTable();
    ~ProcessTable();
    ProcessTable(const ProcessTable&) = delete;
    ProcessTable& operator=(const ProcessTable&) = delete;

    /// Reads /proc anew; false where not all of it could be read.
    [[nodiscard]] bool read();
    [[nodiscard]] std::span<Process> all() { return {rows_, size_}; }
    /// Keeps the descendants of `root` (not itself) alone and sets their depth.
    [[nodiscard]] std::span<Process> keep_descendants(pid_t root);

private:
    Process* rows_ = nullptr;
    std::size_t size_ = 0;
};

/// One process, or nothing if there is none.
[[nodiscard]] std::optional<Process> read_process(pid_t pid);

/// Whether the process has a handler of its own for the signal.
[[nodiscard]] bool catches_signal(pid_t pid, int number);

}  // namespace weir::supervisor
