#include "agent/disk_watch.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace weir::agent {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds pause_min{5};
constexpr std::chrono::seconds pause_max{30};
constexpr int pause_in_looks = 10;  ///< A look takes this part of the time, or more where it is long.

}  // namespace

DiskFigures look_at_disk(ports::SiteBackend& backend, const std::vector<ports::TaskKey>& tasks) {
    DiskFigures figures;
    for (const auto& key : tasks) {
        // One that is gone takes nothing.
        if (const auto use = backend.measure_task(key)) figures.tasks.emplace(key, *use);
    }
    if (const auto disk = backend.disk()) figures.disk = *disk;
    return figures;
}

struct DiskWatch::Impl {
    Impl(ports::SiteBackend& backend, std::function<void()> wake)
        : backend_{backend}, wake_{std::move(wake)}, thread_{[this](const std::stop_token& stop) { run(stop); }} {}

    void run(const std::stop_token& stop) {
        Clock::duration pause{};
        while (!stop.stop_requested()) {
            std::vector<ports::TaskKey> tasks;
            {
                std::unique_lock lock{mutex_};
                stopped_.wait_for(lock, stop, pause, [] { return false; });
                if (stop.stop_requested()) return;
                tasks = tasks_;
            }
            const auto began = Clock::now();
            auto figures = look_at_disk(backend_, tasks);
            pause = std::clamp<Clock::duration>(pause_in_looks * (Clock::now() - began), pause_min, pause_max);
            {
                const std::lock_guard lock{mutex_};
                figures_ = std::move(figures);
            }
            wake_();
        }
    }

    ports::SiteBackend& backend_;
    std::function<void()> wake_;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::vector<ports::TaskKey> tasks_;
    std::optional<DiskFigures> figures_;
    std::jthread thread_;  ///< Last: it uses all of the above.
};

DiskWatch::DiskWatch(ports::SiteBackend& backend, std::function<void()> wake) : impl_{std::make_unique<Impl>(backend, std::move(wake))} {}
DiskWatch::~DiskWatch() = default;

void DiskWatch::watch(std::vector<ports::TaskKey> tasks) {
    const std::lock_guard lock{impl_->mutex_};
    impl_->tasks_ = std::move(tasks);
}

std::optional<DiskFigures> DiskWatch::take() {
    const std::lock_guard lock{impl_->mutex_};
    return std::exchange(impl_->figures_, std::nullopt);
}

}  // namespace weir::agent
