#include "control/loop.hpp"

#include <fmt/format.h>

#include <chrono>
#include <iterator>
#include <utility>

namespace weir::control {

Loop::Loop(Writer& writer, Reader& reader, Clocks clocks, LoopOptions options, std::function<void(const ports::JournalError&)> fatal)
    : writer_{writer}, reader_{reader}, clocks_{std::move(clocks)}, options_{options}, fatal_{std::move(fatal)},
      leases_{writer.core().policy, clocks_.steady()}, thread_{[this] { run(); }} {}

Loop::~Loop() { stop(); }

void Loop::submit(Request request, AnswerTo answer) {
    Refusal refusal;
    {
        const std::lock_guard lock{mutex_};
        if (!stopping_ && queue_.size() < options_.queue_max) {
            queue_.push_back({std::move(request), std::move(answer)});
            if (queue_.size() == 1) wake_.notify_one();
            return;
        }
        if (stopping_) {
            refusal = {RefusalCode::shutting_down, "the server is stopping and takes nothing more; send it again to its successor", {}, {}};
        } else {
            ++figures_.refused_queue_full;
            refusal = {
                RefusalCode::queue_full,
                fmt::format("{} requests wait already, at most {} may; send it again in a second", queue_.size(), options_.queue_max),
                {},
                {}};
        }
    }
    answer(fail(std::move(refusal)), 0);
}

void Loop::heard(const SiteName& site) {
    const auto now = clocks_.steady();
    const std::lock_guard lock{mutex_};
    leases_.heard(site, now);
}

LoopFigures Loop::figures() const {
    const std::lock_guard lock{mutex_};
    auto figures = figures_;
    figures.queued = queue_.size();
    return figures;
}

void Loop::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

/// Timers and leases come in as commands of the network itself.
void Loop::add_due(std::vector<Waiting>& batch) {
    const auto add = [&](Command command) { batch.push_back({Request{Actor{}, std::move(command)}, [](Answer, std::uint64_t) {}}); };
    std::vector<Command> due;
    {
        const auto now = clocks_.steady();
        const std::lock_guard lock{mutex_};
        due = leases_.due(writer_.core().state, now);
    }
    for (auto& command : due) add(std::move(command));
    add(Tick{});
}

void Loop::commit(std::vector<Waiting> batch) {
    std::vector<Request> requests;
    requests.reserve(batch.size());
    for (auto& waiting : batch) requests.push_back(std::move(waiting.request));
    auto outcome = writer_.commit(requests, clocks_.wall());
    if (!outcome) {
        fatal_(outcome.error());
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        return;
    }
    reader_.take(outcome->committed);
    {
        const std::lock_guard lock{mutex_};
        ++figures_.commits;
        figures_.requests += batch.size();
        figures_.events += outcome->committed->entries.size();
    }
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].answer(std::move(outcome->answers[i]), outcome->committed->revision);
}

void Loop::run() {
    auto next_tick = clocks_.steady();
    for (;;) {
        std::vector<Waiting> batch;
        {
            std::unique_lock lock{mutex_};
            wake_.wait_for(lock, std::chrono::nanoseconds{options_.tick.ns}, [&] { return stopping_ || !queue_.empty(); });
            if (stopping_ && queue_.empty()) return;
            const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), options_.batch_max));
            batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
            queue_.erase(queue_.begin(), queue_.begin() + count);
        }
        if (const auto now = clocks_.steady(); now >= next_tick) {
            next_tick = now + options_.tick;
            add_due(batch);
        }
        if (!batch.empty()) commit(std::move(batch));
    }
}

}  // namespace weir::control
