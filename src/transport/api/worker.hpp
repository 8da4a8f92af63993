// transport/api/worker.hpp: one thread for questions that may block: views, logs, the journal.
//
// Those who ask take turns: each has a queue of his own, bounded, and who asked one thing is not behind another's three hundred.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace weir::api {

struct WorkerLimits {
    std::size_t waiting = 1'000;  ///< Tasks that may wait, of all together.
    std::size_t each = 100;       ///< Of one who asks.
};

class Worker {
public:
    using Task = std::move_only_function<void()>;

    explicit Worker(WorkerLimits limits) : limits_{limits}, thread_{[this] { run(); }} {}
    ~Worker() { stop(); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    enum class Posted : unsigned char { taken = 1, too_many = 2, too_many_of_one = 3 };

    /// Queues a task of `who`; it is dropped where too many wait or the worker has stopped.
    Posted post(const std::string& who, Task task) {
        const std::lock_guard lock{mutex_};
        if (stopping_ || waiting_ >= limits_.waiting) return Posted::too_many;
        auto& own = queues_[who];
        if (own.size() >= limits_.each) return Posted::too_many_of_one;
        if (own.empty()) turns_.push_back(who);
        own.push_back(std::move(task));
        ++waiting_;
        wake_.notify_one();
        return Posted::taken;
    }

    /// Finishes what is queued, then ends the thread.
    void stop() {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) thread_.join();
    }

private:
    /// The next task of whoever's turn it is; he goes to the end of the line where he has more.
    Task next() {
        auto who = std::move(turns_.front());
        turns_.pop_front();
        const auto own = queues_.find(who);
        auto task = std::move(own->second.front());
        own->second.pop_front();
        --waiting_;
        if (own->second.empty()) {
            queues_.erase(own);
        } else {
            turns_.push_back(std::move(who));
        }
        return task;
    }
    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || !turns_.empty(); });
            if (turns_.empty()) return;
            auto task = next();
            lock.unlock();
            task();
            task = {};
            lock.lock();
        }
    }

    WorkerLimits limits_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, std::deque<Task>> queues_;  ///< None of them is empty.
    std::deque<std::string> turns_;                   ///< Each who has a queue, once.
    std::size_t waiting_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::api
