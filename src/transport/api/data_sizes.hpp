// transport/api/data_sizes.hpp: how many bytes lie in a project's store, as far as an upload must know.
//
// Counted once, then guessed upwards with what comes; counted anew where the guess is too much, and after what was removed.
#pragma once

#include "ports/data_store.hpp"

#include <map>
#include <mutex>

namespace weir::api {

class DataSizes {
public:
    [[nodiscard]] ports::BlobResult<std::int64_t> of(const ProjectName& project, ports::DataStore& store) {
        {
            const std::lock_guard lock{mutex_};
            if (const auto known = sizes_.find(project); known != sizes_.end()) return known->second;
        }
        const auto blobs = WEIR_TRY(store.list());
        std::int64_t bytes = 0;
        for (const auto& blob : blobs) bytes += blob.bytes;
        const std::lock_guard lock{mutex_};
        sizes_[project] = bytes;
        return bytes;
    }
    void add(const ProjectName& project, std::int64_t bytes) {
        const std::lock_guard lock{mutex_};
        if (const auto known = sizes_.find(project); known != sizes_.end()) known->second += bytes;
    }
    void forget(const ProjectName& project) {
        const std::lock_guard lock{mutex_};
        sizes_.erase(project);
    }

private:
    std::mutex mutex_;
    std::map<ProjectName, std::int64_t> sizes_;
};

}  // namespace weir::api
