// control/loop.hpp: the one writer thread: takes commands from a bounded queue, commits them in batches, answers.
//
// Everything that comes while a commit waits for the disk goes into the next one, so the batch grows with the load and
// the latency stays that of one or two commits. A failed append ends the loop: what waits
// in the queue is refused, what was in the failed batch gets no answer, `fatal` is called and the process must end.
#pragma once

#include "control/leases.hpp"
#include "control/reader.hpp"
#include "control/writer.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace weir::control {

/// The clocks of the world, given to the loop by whoever builds it: a program brings real ones, a test its own.
struct Clocks {
    std::function<Instant()> wall;     ///< UTC; may jump.
    std::function<Instant()> steady;   ///< Only runs forward; its origin means nothing.
};

struct LoopOptions {
    std::size_t queue_max = 65'536;        ///< Requests that may wait; one more is refused with queue_full.
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
};

class Loop {
public:
    Loop(Writer& writer, Reader& reader, Clocks clocks, LoopOptions options, std::function<void(const ports::JournalError&)> fatal);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Queues a request. Refused at once (and answered so) where the queue is full or the loop is stopping.
    void submit(Request request, AnswerTo answer);

    /// A site's agent was heard: its leases run on. Writes nothing.
    void heard(const SiteName& site);

    [[nodiscard]] LoopFigures figures() const;

    /// Finishes what is queued, then ends the thread.
    void stop();

private:
    struct Waiting {
        Request request;
        AnswerTo answer;
    };
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
    LeaseKeeper leases_;
    LoopFigures figures_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::control
