// sim/timeline.hpp: virtual time: what happens next, in an order that a seed decides and nothing else.
#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::sim {

class Timeline {
public:
    explicit Timeline(Instant start) : now_{start} {}
    [[nodiscard]] Instant now() const { return now_; }

    /// Runs `what` after `delay`; of two at one instant the earlier planned goes first.
    void after(Duration delay, std::function<void()> what) {
        planned_.push_back({now_ + delay, ++count_, std::move(what)});
        std::ranges::push_heap(planned_, later);
    }

    /// Does the next thing; false where there is none before `end`.
    bool step(Instant end) {
        if (planned_.empty() || planned_.front().at > end) return false;
        std::ranges::pop_heap(planned_, later);
        const auto next = std::move(planned_.back());
        planned_.pop_back();
        now_ = next.at;
        next.what();
        return true;
    }

private:
    struct Planned {
        Instant at;
        std::uint64_t number = 0;
        std::function<void()> what;
    };
    static bool later(const Planned& a, const Planned& b) { return std::tie(a.at, a.number) > std::tie(b.at, b.number); }

    Instant now_;
    std::uint64_t count_ = 0;
    std::vector<Planned> planned_;  ///< A heap: the next is in front.
};

}  // namespace weir::sim
