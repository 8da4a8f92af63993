#include "control/reader.hpp"

#include <algorithm>
#include <utility>

namespace weir::control {

Reader::Reader(Core core, Kept kept)
    : kept_{kept}, core_{std::move(core)}, dropped_to_{core_.state.revision} {}

void Reader::take(std::shared_ptr<const Committed> committed) {
    const auto revision = committed->revision;
    if (!committed->entries.empty()) {
        const std::unique_lock lock{mutex_};
        for (const auto& entry : committed->entries) apply(core_, entry.event, entry.revision, entry.at);
        recent_bytes_ += committed->bytes;
        recent_.push_back(std::move(committed));
        while (recent_.size() > kept_.batches || (recent_bytes_ > kept_.bytes && recent_.size() > 1)) {
            dropped_to_ = recent_.front()->revision;
            recent_bytes_ -= recent_.front()->bytes;
            recent_.pop_front();
        }
    }
    const std::lock_guard lock{watchers_mutex_};
    for (const auto& [id, woken] : watchers_) woken(revision);
}

std::uint64_t Reader::revision() const {
    const std::shared_lock lock{mutex_};
    return core_.state.revision;
}

std::uint64_t Reader::on_commit(std::function<void(std::uint64_t)> woken) {
    const std::lock_guard lock{watchers_mutex_};
    watchers_[next_watcher_] = std::move(woken);
    return next_watcher_++;
}

void Reader::forget(std::uint64_t watcher) {
    const std::lock_guard lock{watchers_mutex_};
    watchers_.erase(watcher);
}

std::optional<std::vector<std::shared_ptr<const Committed>>> Reader::since(std::uint64_t revision) const {
    const std::shared_lock lock{mutex_};
    if (revision < dropped_to_) return std::nullopt;
    const auto first = std::ranges::upper_bound(recent_, revision, {}, [](const auto& batch) { return batch->revision; });
    return std::vector<std::shared_ptr<const Committed>>{first, recent_.end()};
}

}  // namespace weir::control
