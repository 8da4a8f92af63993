// sim/timeline.hpp: virtual time: what happens next, in an order that a seed decides and nothing else.
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace weir::sim {

class Timeline {
public:
    [[nodiscard]] Instant now() const { return now_; }

    /// Runs `what` after `delay`; of two at one instant the earlier planned goes first.
    void after(Duration delay, std::function<void()> what) { planned_.emplace(std::pair{now_ + delay, ++count_}, std::move(what)); }

    /// Does the next thing; false where there is none before `end`.
    bool step(Instant end) {
        if (planned_.empty() || planned_.begin()->first.first > end) return false;
        auto next = planned_.extract(planned_.begin());
        now_ = next.key().first;
        next.mapped()();
        return true;
    }

private:
    Instant now_{1'800'000'000'000'000'000};
    std::uint64_t count_ = 0;
    std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> planned_;
};

}  // namespace weir::sim
