#include "control/loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

namespace weir::control {
namespace {

Refusal stopping() {
    return {RefusalCode::shutting_down, "the server is stopping and takes nothing more; send it again to its successor", {}, {}};
}

FairShare::Reach reach_of(const Actor& actor) {
    switch (actor.kind) {
        case Actor::Kind::system: return FairShare::Reach::all;
        case Actor::Kind::agent: return FairShare::Reach::kept;
        case Actor::Kind::subject: break;
    }
    return FairShare::Reach::common;
}

}  // namespace

Loop::Loop(Writer& writer, Reader& reader, Clocks clocks, LoopOptions options, std::function<void(const ports::JournalError&)> fatal,
           std::optional<First> first)
    : writer_{writer}, reader_{reader}, clocks_{std::move(clocks)}, options_{options}, fatal_{std::move(fatal)},
      room_{options.queue_max, options.queue_max / 4}, room_bytes_{options.queue_bytes_max, options.queue_bytes_max / 4},
      leases_{writer.core().policy, clocks_.steady(),
              terms_to_respect(writer.core().state, writer.core().policy, clocks_.wall())},
      clock_{look(), writer.core().state.now, writer.core().policy.clock_tolerance} {
    if (first) queue_.push_back({Request{Actor{}, std::move(first->command)}, std::move(first->answer), 0});
    thread_ = std::thread{[this] { run(); }};
}

Loop::~Loop() { stop(); }

bool Loop::take_room(const Actor& actor, const std::string& holder, std::size_t bytes) {
    const auto reach = reach_of(actor);
    if (!room_.take(holder, reach, 1)) return false;
    if (queue_.empty() && bytes > options_.queue_bytes_max) return true;
    const bool too_large_waits = queue_bytes_ > room_bytes_.used();
    if (!(too_large_waits && bytes > 0) && room_bytes_.take(holder, reach, bytes)) return true;
    room_.give_back(holder, 1);
    return false;
}

void Loop::give_room_back(const Waiting& waiting) {
    room_.give_back(waiting.holder, 1);
    if (waiting.bytes <= options_.queue_bytes_max) room_bytes_.give_back(waiting.holder, waiting.bytes);
    queue_bytes_ -= waiting.bytes;
}

Refusal Loop::queue_full(const std::string& holder, std::size_t bytes) const {
    return {RefusalCode::queue_full,
            fmt::format("{} requests of {} bytes wait already, {} of {} bytes are {}'s, and this one has {}, at most {} requests of {} "
                        "bytes may, shared by all who ask; send it again in a second",
                        queue_.size(), queue_bytes_, room_.held(holder), room_bytes_.held(holder), holder, bytes, options_.queue_max,
                        options_.queue_bytes_max),
            {},
            {}};
}

void Loop::submit(Request request, AnswerTo answer, std::size_t bytes) {
    Refusal refusal;
    auto holder = request.actor.text();
    {
        const std::lock_guard lock{mutex_};
        if (!stopping_ && take_room(request.actor, holder, bytes)) {
            queue_.push_back({std::move(request), std::move(answer), bytes, std::move(holder)});
            queue_bytes_ += bytes;
            if (queue_.size() == 1) wake_.notify_one();
            return;
        }
        if (stopping_) {
            refusal = stopping();
        } else {
            ++figures_.refused_queue_full;
            refusal = queue_full(holder, bytes);
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
    figures.queued_bytes = queue_bytes_;
    return figures;
}

bool Loop::is_over() const {
    const std::lock_guard lock{mutex_};
    return stopping_;
}

Instant Loop::time() const {
    const auto now = look();
    const std::lock_guard lock{clock_mutex_};
    return clock_.time_at(now);
}

std::optional<ClockTrouble> Loop::clock_trouble() const {
    const auto now = look();
    const std::lock_guard lock{clock_mutex_};
    return clock_.trouble_at(now);
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
        for (const auto& waiting : refused) give_room_back(waiting);
    }
    for (auto& waiting : refused) waiting.answer(fail(stopping()), 0);
}

bool Loop::commit(std::vector<Waiting> batch) {
    std::vector<Request> requests;
    requests.reserve(batch.size());
    for (auto& waiting : batch) requests.push_back(std::move(waiting.request));
    // Most often one transaction takes them all.
    for (std::size_t done = 0; done < batch.size();) {
        const auto now = [&] {
            const auto seen = look();
            const std::lock_guard lock{clock_mutex_};
            return clock_.take(seen);
        }();
        auto outcome = writer_.commit(std::span{requests}.subspan(done), now);
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
            for (const auto& waiting : batch) give_room_back(waiting);
        }
        if (const auto now = clocks_.steady(); now >= next_tick) {
            next_tick = now + options_.tick;
            add_due(batch);
        }
        if (!batch.empty() && !commit(std::move(batch))) return;
    }
}

}  // namespace weir::control
