// Goal: nobody overtakes a writer that waits, and nobody is inside together with one.
// Method: threads whose order is made sure of by the number of those that wait, never by time.
#include "control/fair_lock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::control {
namespace {

void until_waiting(const FairLock& lock, std::uint64_t count) {
    while (lock.waiting() != count) std::this_thread::yield();
}

TEST(FairLock, AReaderThatComesAfterAWaitingWriterGoesInAfterIt) {
    FairLock lock;
    std::mutex mutex;
    std::string order;
    const auto note = [&](char who) {
        const std::lock_guard held{mutex};
        order += who;
    };
    lock.lock_shared();
    std::thread writer{[&] {
        const std::unique_lock held{lock};
        note('w');
    }};
    until_waiting(lock, 1);
    std::thread reader{[&] {
        const std::shared_lock held{lock};
        note('r');
    }};
    until_waiting(lock, 2);
    EXPECT_EQ(order, "") << "both wait for the reader inside";
    lock.unlock_shared();
    writer.join();
    reader.join();
    EXPECT_EQ(order, "wr");
    EXPECT_EQ(lock.waiting(), 0U);
}

TEST(FairLock, ReadersGoInTogether) {
    FairLock lock;
    std::atomic<int> inside = 0;
    std::vector<std::thread> readers;
    lock.lock();
    for (std::uint64_t i = 0; i < 4; ++i) {
        readers.emplace_back([&] {
            const std::shared_lock held{lock};
            ++inside;
            while (inside < 4) std::this_thread::yield();  // never ends where one keeps the others out
        });
        until_waiting(lock, i + 2);
    }
    EXPECT_EQ(inside, 0);
    lock.unlock();
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(inside, 4);
}

TEST(FairLock, NobodyIsInsideTogetherWithAWriter) {
    FairLock lock;
    std::int64_t guarded = 0;
    std::atomic<bool> torn = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 2'000; ++n) {
                const std::unique_lock held{lock};
                ++guarded;
                ++guarded;
            }
        });
        threads.emplace_back([&] {
            for (int n = 0; n < 2'000; ++n) {
                const std::shared_lock held{lock};
                if (guarded % 2 != 0) torn = true;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(guarded, 8'000);
    EXPECT_FALSE(torn);
}

TEST(FairLock, AReaderThatAsksAgainEndsTheProcessInsteadOfHanging) {
    FairLock lock;
    const std::shared_lock held{lock};
    EXPECT_DEATH(lock.lock_shared(), "asked for its lock again");
}

}  // namespace
}  // namespace weir::control
