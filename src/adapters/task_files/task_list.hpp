// adapters/task_files/task_list.hpp: which tasks have a folder here, and what was seen of those that are over.
//
// It answers one question: what need not be read from the disk again? Only the agent that holds the root makes and removes the
// folders of tasks, and an end that was written down never changes: a site that keeps the folders of ten thousand ended tasks
// for their logs costs no more to observe than what runs on it.
#pragma once

#include "ports/site_backend.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace weir::task_files {

/// Any thread may call.
class TaskList {
public:
    struct Known {
        ports::TaskKey key{};
        std::optional<ports::TaskObserved> end{};  ///< Nothing: the folder must be asked.
    };

    /// Anew, of the folders below `tasks`.
    void read(int tasks);
    void add(const ports::TaskKey& key);
    void remove(const ports::TaskKey& key);
    /// An end that was read from the folder of its task; nothing for one that is not listed.
    void keep_end(const ports::TaskObserved& observed);
    /// All of them, by key.
    [[nodiscard]] std::vector<Known> all() const;

private:
    mutable std::mutex mutex_;
    std::map<ports::TaskKey, std::optional<ports::TaskObserved>> known_;
};

}  // namespace weir::task_files
