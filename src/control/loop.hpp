// control/loop.hpp: the one writer thread: takes commands from a bounded queue, commits them in batches, answers.
//
// Everything that comes while a commit waits for the disk goes into the next one, so the batch grows with the load and
// the latency stays that of one or two commits. A failed append ends the loop: what waits
// in the queue is refused, what was in the failed batch gets no answer, `fatal` is called and the process must end.
// What waits is shared out: nobody's requests take the room of all others', and a part is kept for the sites' agents, whose reports
// keep what runs alive (base/fair_share.hpp).
// A wall clock that jumps ahead is not followed (checked_clock.hpp): what is decided has the time that time() tells.
#pragma once

#include "base/fair_share.hpp"
#include "control/checked_clock.hpp"
#include "control/leases.hpp"
#include "control/reader.hpp"
#include "control/writer.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weir::control {

/// The clocks of the world, given to the loop by whoever builds it: a program brings real ones, a test its own.
struct Clocks {
    std::function<Instant()> wall;     ///< UTC; may jump.
    std::function<Instant()> steady;   ///< Only runs forward; its origin means nothing.
};

struct LoopOptions {
    std::size_t queue_max = 65'536;        ///< Requests that may wait; one more is refused with queue_full.
    std::size_t queue_bytes_max = 256U << 20U;  ///< What they may take together, as they were sent. One alone may have more.
    std::size_t batch_max = 8'192;         ///< Requests of one transaction.
    Duration tick = milliseconds(200);     ///< Between two looks at timers and leases, when nothing else happens.
};

/// Called once, from the loop's thread, after the commit; `revision` is the first that shows the change.
using AnswerTo = std::move_only_function<void(Answer answer, std::uint64_t revision)>;

struct LoopFigures {
    std::uint64_t commits = 0;
    std::uint64_t requests = 0;
    std::uint64_t events = 0;
    std::uint64_t refused_queue_full = 0;
    std::size_t queued = 0;
    std::size_t queued_bytes = 0;
};

class Loop {
public:
    /// What is carried out before anything else, timers among it.
    struct First {
        Command command;
        AnswerTo answer;
    };
    Loop(Writer& writer, Reader& reader, Clocks clocks, LoopOptions options, std::function<void(const ports::JournalError&)> fatal,
         std::optional<First> first = std::nullopt);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Queues a request that was sent in so many bytes. Refused at once (and answered so) where the queue is full or the loop is stopping.
    void submit(Request request, AnswerTo answer, std::size_t bytes = 0);

    /// A site's agent was heard: its leases run on. Writes nothing.
    void heard(const SiteName& site);

    [[nodiscard]] LoopFigures figures() const;
    /// It was told to stop, or the journal failed: nothing more is taken.
    [[nodiscard]] bool is_over() const;

    /// What is taken to be the time: the wall clock's, unless it jumped ahead.
    [[nodiscard]] Instant time() const;
    /// What is wrong with the wall clock now.
    [[nodiscard]] std::optional<ClockTrouble> clock_trouble() const;

    /// Finishes what is queued, then ends the thread.
    void stop();

private:
    struct Waiting {
        Request request;
        AnswerTo answer;
        std::size_t bytes = 0;
        std::string holder{};  ///< On whose account it waits.
    };
    [[nodiscard]] CheckedClock::Look look() const { return {clocks_.wall(), clocks_.steady()}; }
    /// Takes room for the request; false, and nothing is taken, where there is none for whoever sends it.
    [[nodiscard]] bool take_room(const Actor& actor, const std::string& holder, std::size_t bytes);
    void give_room_back(const Waiting& waiting);
    [[nodiscard]] Refusal queue_full(const std::string& holder, std::size_t bytes) const;
    void run();
    /// False: the loop is over.
    [[nodiscard]] bool commit(std::vector<Waiting> batch);
    void give_up(const ports::JournalError& error);
    void add_due(std::vector<Waiting>& batch);

    Writer& writer_;
    Reader& reader_;
    Clocks clocks_;
    LoopOptions options_;
    std::function<void(const ports::JournalError&)> fatal_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Waiting> queue_;
    FairShare room_;        ///< Requests that wait.
    FairShare room_bytes_;  ///< Their bytes; one that waits alone may have more and is not counted here.
    std::size_t queue_bytes_ = 0;
    LeaseKeeper leases_;
    LoopFigures figures_;
    bool stopping_ = false;
    mutable std::mutex clock_mutex_;
    CheckedClock clock_;
    std::thread thread_;
};

}  // namespace weir::control
