#include "control/fair_lock.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir::control {
namespace {

/// The lock that this thread reads under.
thread_local const FairLock* reading = nullptr;

void refuse_to_ask_twice(const FairLock* lock) {
    if (reading != lock) return;
    std::fputs("weir: a thread that reads the state asked for its lock again; this is a bug\n", stderr);
    std::abort();
}

}  // namespace

void FairLock::enter(std::unique_lock<std::mutex>& held) {
    const auto number = next_++;
    turn_.wait(held, [&] { return serving_ == number; });
}

void FairLock::lock() {
    refuse_to_ask_twice(this);
    std::unique_lock held{mutex_};
    enter(held);
    turn_.wait(held, [&] { return readers_ == 0; });
}

void FairLock::unlock() {
    {
        const std::lock_guard held{mutex_};
        ++serving_;
        if (serving_ == next_) return;
    }
    turn_.notify_all();
}

void FairLock::lock_shared() {
    refuse_to_ask_twice(this);
    {
        std::unique_lock held{mutex_};
        enter(held);
        ++readers_;
        ++serving_;
        reading = this;
        if (serving_ == next_) return;
    }
    turn_.notify_all();
}

void FairLock::unlock_shared() {
    {
        const std::lock_guard held{mutex_};
        reading = nullptr;
        if (--readers_ > 0 || serving_ == next_) return;
    }
    turn_.notify_all();
}

std::uint64_t FairLock::waiting() const {
    const std::lock_guard held{mutex_};
    return next_ - serving_;
}

}  // namespace weir::control
