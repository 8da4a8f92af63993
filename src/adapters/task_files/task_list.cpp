#include "adapters/task_files/task_list.hpp"

#include "adapters/task_files/task_folder.hpp"

namespace weir::task_files {

void TaskList::read(int tasks) {
    const auto keys = list_keys(tasks);
    const std::lock_guard lock{mutex_};
    known_.clear();
    for (const auto& key : keys) known_.try_emplace(key);
}

void TaskList::add(const ports::TaskKey& key) {
    const std::lock_guard lock{mutex_};
    known_.try_emplace(key);
}

void TaskList::remove(const ports::TaskKey& key) {
    const std::lock_guard lock{mutex_};
    known_.erase(key);
}

void TaskList::keep_end(const ports::TaskObserved& observed) {
    const std::lock_guard lock{mutex_};
    const auto known = known_.find(observed.key);
    if (known == known_.end()) return;
    known->second = observed;
    known->second->swept_processes = 0;  // They are told of once.
}

std::vector<TaskList::Known> TaskList::all() const {
    const std::lock_guard lock{mutex_};
    std::vector<Known> all;
    all.reserve(known_.size());
    for (const auto& [key, end] : known_) all.push_back({key, end});
    return all;
}

}  // namespace weir::task_files
