#include "transport/api/waker.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace weir::api {

Waker::Waker(control::Reader& reader, std::function<Instant()> steady, std::size_t most)
    : reader_{reader}, steady_{std::move(steady)}, most_{most} {
    watcher_ = reader_.on_commit([this](std::uint64_t) {
        const std::lock_guard lock{mutex_};
        committed_ = true;
        if (!waiting_.empty()) wake_.notify_one();
    });
    thread_ = std::thread{[this] { run(); }};
}

void Waker::wait(Condition condition, Duration longest, Then then) {
    bool met = reader_.ask([&](const control::Core& core) { return condition(core); });
    if (!met && longest.ns > 0) {
        const std::lock_guard lock{mutex_};
        if (!stopping_ && waiting_.size() < most_) {
            waiting_.push_back({std::move(condition), steady_() + longest, std::move(then)});
            committed_ = true;  // a commit may have come between the look and the lock
            wake_.notify_one();
            return;
        }
    }
    then(met);
}

bool Waker::after(Duration length, Then then) {
    const std::lock_guard lock{mutex_};
    if (stopping_ || waiting_.size() >= most_) return false;
    waiting_.push_back({[](const control::Core&) { return false; }, steady_() + length, std::move(then)});
    wake_.notify_one();
    return true;
}

std::size_t Waker::waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_.size();
}

/// Those that are over; called with the lock held.
std::vector<Waker::Waiting> Waker::take_due() {
    const auto now = steady_();
    std::vector<Waiting> due;
    const auto rest = std::ranges::partition(waiting_, [&](const Waiting& one) { return !stopping_ && one.until > now; });
    std::ranges::move(rest, std::back_inserter(due));
    waiting_.erase(rest.begin(), rest.end());
    return due;
}

void Waker::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        if (waiting_.empty()) {
            wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        } else if (!committed_ && !stopping_) {
            const auto next = std::ranges::min_element(waiting_, {}, &Waiting::until)->until;
            wake_.wait_for(lock, std::chrono::nanoseconds{std::max<std::int64_t>(0, (next - steady_()).ns)});
        }
        const bool look = std::exchange(committed_, false);
        auto due = take_due();
        std::vector<Waiting> looking;
        if (look) looking = std::exchange(waiting_, {});
        const bool over = stopping_;
        lock.unlock();

        std::vector<Waiting> met;
        reader_.ask([&](const control::Core& core) {
            const auto split = std::ranges::partition(looking, [&](Waiting& one) { return !one.condition(core); });
            std::ranges::move(split, std::back_inserter(met));
            looking.erase(split.begin(), split.end());
            return 0;
        });
        for (auto& one : met) one.then(true);
        for (auto& one : due) one.then(false);

        lock.lock();
        std::ranges::move(looking, std::back_inserter(waiting_));
        if (over && waiting_.empty()) return;
    }
}

void Waker::stop() {
    {
        const std::lock_guard lock{mutex_};
        if (!thread_.joinable()) return;
        stopping_ = true;
    }
    reader_.forget(watcher_);
    wake_.notify_one();
    thread_.join();
}

}  // namespace weir::api
