// agent/disk_watch.hpp: looks at what tasks write and what is left of the disk, beside the loop that keeps the leases.
//
// It answers one question: how many bytes did each task take when it was looked at last? What follows from that is the reconciler's.
// A look goes through every file of every task, so it has a thread of its own where the backend permits, and the next one comes after a
// pause that is long beside it.
#pragma once

#include "ports/site_backend.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace weir::agent {

/// One look.
struct DiskFigures {
    std::map<ports::TaskKey, ports::DiskUse> tasks;
    std::optional<ports::DiskSpace> disk;
};

/// Looks at these tasks now.
[[nodiscard]] DiskFigures look_at_disk(ports::SiteBackend& backend, const std::vector<ports::TaskKey>& tasks);

class DiskWatch {
public:
    /// `wake` is called on the thread after each look; it must not block.
    DiskWatch(ports::SiteBackend& backend, std::function<void()> wake);
    DiskWatch(const DiskWatch&) = delete;
    DiskWatch& operator=(const DiskWatch&) = delete;
    ~DiskWatch();
    /// What is to be looked at from now on.
    void watch(std::vector<ports::TaskKey> tasks);
    /// The last look, once.
    [[nodiscard]] std::optional<DiskFigures> take();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::agent
