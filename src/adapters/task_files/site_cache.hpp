// adapters/task_files/site_cache.hpp: files of folders that jobs began in, kept at the site by digest, and folders made of them.
//
//     <root>/cache/<project>/ab/cdef...        0444, of the agent's user; with .x at its end 0555
//
// It answers one question: how does a task get its folder without fetching what the one before it had? A file is compared with its digest
// when it comes, and once in an agent's life before it is given to a task; what does not hold is fetched anew. A task gets a second name of
// the file where its user cannot change it (the agent is root, or the sandbox binds the folder read-only), and else a copy. Beyond its size
// the cache loses what was used longest ago. Projects share nothing: what one's task could change, its own tasks alone would see.
#pragma once

#include "adapters/task_files/files.hpp"
#include "domain/tree.hpp"
#include "ports/copying.hpp"
#include "ports/site_backend.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace weir::task_files {

class SiteCache {
public:
    /// `root`: of the site, open, outlives it.
    SiteCache(int root, std::int64_t bytes_max) : root_{root}, bytes_max_{bytes_max} {}

    /// Makes the folder `name` below `task` of the tree, read-only; all of it or nothing. `links`: second names will do.
    [[nodiscard]] BackendResult<void> install(int task, const std::string& name, const std::string& project, const Tree& tree, bool links,
                                              const ports::FetchFile& fetch, ports::Copying& copying);
    /// Removes what was used longest ago, until the rest fits.
    void trim();
    /// Whether the cache has it; for tests.
    [[nodiscard]] bool has(const std::string& project, const Digest& digest) const;

private:
    struct Kept {
        std::string project;
        const TreeEntry& entry;
        [[nodiscard]] std::string path() const;
    };
    [[nodiscard]] BackendResult<Fd> open(const Kept& kept, const ports::FetchFile& fetch, ports::Copying& copying);
    [[nodiscard]] BackendResult<Fd> bring(const Kept& kept, const ports::FetchFile& fetch, ports::Copying& copying);
    [[nodiscard]] bool was_compared(const std::string& path);
    [[nodiscard]] BackendResult<void> place(int folder, const std::string& name, const Kept& kept, bool links,
                                            const ports::FetchFile& fetch, ports::Copying& copying);

    int root_;
    std::int64_t bytes_max_;
    std::atomic<std::uint64_t> next_ = 0;  ///< Of the names of files that come.
    std::mutex guard_;
    std::set<std::string> compared_;       ///< With their digest, in this life.
};

}  // namespace weir::task_files
