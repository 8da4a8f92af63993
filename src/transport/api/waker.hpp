// transport/api/waker.hpp: questions that wait for the state to change, on one thread for all of them.
//
// It answers: is it time to answer this one? A condition is looked at when it comes in, after every commit, and once more
// when its time is over.
#pragma once

#include "control/reader.hpp"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::api {

class Waker {
public:
    using Condition = std::move_only_function<bool(const control::Core&)>;
    /// Called once, on the waker's thread or, where nothing had to wait, on the asker's. `met`: the condition holds.
    using Then = std::move_only_function<void(bool met)>;

    Waker(control::Reader& reader, std::function<Instant()> steady, std::size_t most);
    ~Waker() { stop(); }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

    /// Waits for the condition, at most for so long; not at all where too many wait already or the waker has stopped.
    void wait(Condition condition, Duration longest, Then then);
    /// Calls `then` after so long. False, and `then` is dropped, where too many wait already or the waker has stopped.
    bool after(Duration length, Then then);
    [[nodiscard]] std::size_t waiting() const;
    void stop();

private:
    struct Waiting {
        Condition condition;
        Instant until;
        Then then;
    };
    void run();
    std::vector<Waiting> take_due();

    control::Reader& reader_;
    std::function<Instant()> steady_;
    std::size_t most_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Waiting> waiting_;
    bool committed_ = false;
    bool stopping_ = false;
    std::uint64_t watcher_ = 0;
    std::thread thread_;
};

}  // namespace weir::api
