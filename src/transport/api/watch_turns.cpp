#include "transport/api/watch_turns.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>

namespace weir::api {

WatchTurn WatchTurns::next(std::vector<HungryWatch> hungry, std::uint64_t head) {
    WatchTurn turn;
    std::map<std::string_view, std::deque<HungryWatch>> queues;
    std::ranges::sort(hungry, {}, &HungryWatch::sent);
    for (const auto& watch : hungry) {
        if (head - watch.sent <= live_within) {
            turn.live.push_back(watch);
        } else {
            queues[watch.subject].push_back(watch);
        }
    }
    auto queue = queues.upper_bound(last_);
    while (!queues.empty() && turn.catching_up.size() < catching_up_at_once) {
        if (queue == queues.end()) queue = queues.begin();
        turn.catching_up.push_back(queue->second.front());
        queue->second.pop_front();
        last_ = queue->first;
        queue = queue->second.empty() ? queues.erase(queue) : std::next(queue);
    }
    std::ranges::sort(turn.catching_up, {}, &HungryWatch::sent);
    turn.complete = queues.empty();
    return turn;
}

}  // namespace weir::api
