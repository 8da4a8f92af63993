#include "control/loop.hpp"

#include <fmt/format.h>

#include <chrono>
#include <iterator>
#include <span>
#include <utility>

namespace weir::control {
namespace {

Refusal stopping() {
    return {RefusalCode::shutting_down, "the server is stopping and takes nothing more; send it again to its successor", {}, {}};
}

}  // namespace

Loop::Loop(Writer& writer, Reader& reader, Clocks clocks, LoopOptions options, std::function<void(const ports::JournalError&)> fatal)
    : writer_{writer}, reader_{reader}, clocks_{std::move(clocks)}, options_{options}, fatal_{std::move(fatal)},
      leases_{writer.core().policy, clocks_.steady(),
              terms_to_respect(writer.core().state, writer.core().policy, clocks_.wall())}, thread_{[this] { run(); }} {}

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
            refusal = stopping();
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

/// Nothing more is carried out. Those of the failed batch get no answer: whether it is durable nobody knows.
void Loop::give_up(const ports::JournalError& error) {
    fatal_(error);
    std::deque<Waiting> refused;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        refused.swap(queue_);
    }
    for (auto& waiting : refused) waiting.answer(fail(stopping()), 0);
}

bool Loop::commit(std::vector<Waiting> batch) {
    std::vector<Request> requests;
    requests.reserve(batch.size());
    for (auto& waiting : batch) requests.push_back(std::move(waiting.request));
    // Most often one transaction takes them all.
    for (std::size_t done = 0; done < batch.size();) {
        auto outcome = writer_.commit(std::span{requests}.subspan(done), clocks_.wall());
        if (!outcome) {
            give_up(outcome.error());
            return false;
        }
        reader_.take(outcome->committed);
        {
            const std::lock_guard lock{mutex_};
            ++figures_.commits;
            figures_.requests += outcome->answers.size();
            figures_.events += outcome->committed->entries.size();
        }
        for (auto& answer : outcome->answers) batch[done++].answer(std::move(answer), outcome->committed->revision);
    }
    return true;
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
        if (!batch.empty() && !commit(std::move(batch))) return;
    }
}

}  // namespace weir::control
