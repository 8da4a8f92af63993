// control/reader.hpp: the second instance of the state, fed only by what is durable. All questions are asked of it.
//
// Any thread may ask. Every answer carries its revision, and a caller can wait for a revision before asking. Recent
// entries are kept for those who watch; who is further behind reads the journal.
#pragma once

#include "control/fair_lock.hpp"
#include "control/writer.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace weir::control {

class Reader {
public:
    /// How many committed batches are kept for those who follow.
    static constexpr std::size_t batches_kept = 4096;

    /// `kept` is for tests.
    explicit Reader(Core core, std::size_t kept = batches_kept);

    /// Takes a batch in; called by the loop, in order, after it is durable.
    void take(std::shared_ptr<const Committed> committed);

    /// Runs `question` on the state; nothing changes meanwhile. Keep it short: the loop waits for it.
    /// It must not ask the reader again.
    template <class Question>
    auto ask(Question&& question) const {
        const std::shared_lock lock{mutex_};
        return std::forward<Question>(question)(static_cast<const Core&>(core_));
    }

    [[nodiscard]] std::uint64_t revision() const;

    /// Calls `woken` after each batch, on the loop's thread; it must only hand on. Returns a number for forget().
    std::uint64_t on_commit(std::function<void(std::uint64_t revision)> woken);
    void forget(std::uint64_t watcher);

    /// Batches after `revision`, oldest first; nothing where some of them are no longer kept.
    [[nodiscard]] std::optional<std::vector<std::shared_ptr<const Committed>>> since(std::uint64_t revision) const;

private:
    mutable FairLock mutex_;   ///< Fair: questions without end do not keep the loop out.
    std::size_t kept_;
    Core core_;
    std::deque<std::shared_ptr<const Committed>> recent_;
    std::uint64_t dropped_to_ = 0;  ///< Revision up to which batches are no longer kept.
    mutable std::mutex watchers_mutex_;
    std::map<std::uint64_t, std::function<void(std::uint64_t)>> watchers_;
    std::uint64_t next_watcher_ = 1;
};

}  // namespace weir::control
