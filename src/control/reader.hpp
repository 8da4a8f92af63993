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
    /// What is kept of the batches for those who follow: the newest, at most so many and of so many bytes of records (a batch alone may
    /// have more). In memory an entry takes about twice its text.
    struct Kept {
        std::size_t batches = 4096;
        std::size_t bytes = std::size_t{64} << 20;
    };

    explicit Reader(Core core) : Reader{std::move(core), Kept{}} {}
    /// `kept` is for tests.
    Reader(Core core, Kept kept);

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
    Kept kept_;
    Core core_;
    std::deque<std::shared_ptr<const Committed>> recent_;
    std::size_t recent_bytes_ = 0;
    std::uint64_t dropped_to_ = 0;  ///< Revision up to which batches are no longer kept.
    mutable std::mutex watchers_mutex_;
    std::map<std::uint64_t, std::function<void(std::uint64_t)>> watchers_;
    std::uint64_t next_watcher_ = 1;
};

}  // namespace weir::control
