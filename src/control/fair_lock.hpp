// control/fair_lock.hpp: a lock for many readers and a writer that takes them in the order in which they came.
//
// std::shared_mutex lets a new reader in while others read, so that questions that overlap without end keep the writer
// out for ever. Here everybody draws a number: readers that stand next to each other go in together, a writer goes in
// alone, and nobody is overtaken.
//
// A thread that reads must not ask for the lock again: it would wait behind a writer that waits for it. That ends the
// process, whether a writer waits or not.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace weir::control {

/// Has the names that std::unique_lock and std::shared_lock want.
class FairLock {
public:
    void lock();
    void unlock();
    void lock_shared();
    void unlock_shared();

    /// How many wait, and a writer inside.
    [[nodiscard]] std::uint64_t waiting() const;

private:
    void enter(std::unique_lock<std::mutex>& held);

    mutable std::mutex mutex_;
    std::condition_variable turn_;
    std::uint64_t next_ = 0;      ///< The number that the next one draws.
    std::uint64_t serving_ = 0;   ///< The number that may go in.
    std::uint64_t readers_ = 0;   ///< Those inside.
};

}  // namespace weir::control
