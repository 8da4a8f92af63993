// transport/api/worker.hpp: one thread for questions that may block: views, logs, the journal.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::api {

class Worker {
public:
    using Task = std::move_only_function<void()>;

    explicit Worker(std::size_t most) : most_{most}, thread_{[this] { run(); }} {}
    ~Worker() { stop(); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Queues a task; false, and the task is dropped, where too many wait or the worker has stopped.
    bool post(Task task) {
        const std::lock_guard lock{mutex_};
        if (stopping_ || queue_.size() >= most_) return false;
        queue_.push_back(std::move(task));
        wake_.notify_one();
        return true;
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
    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            auto task = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            task();
            task = {};
            lock.lock();
        }
    }

    std::size_t most_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> queue_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::api
