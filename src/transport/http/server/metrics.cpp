#include "transport/http/server/metrics.hpp"

#include <algorithm>

namespace weir::http {

void Counters::answered(int status, Duration latency) {
    const std::int64_t us = std::max<std::int64_t>(0, latency.ns / 1000);
    const auto bound = std::ranges::lower_bound(latency_bounds_us, us);
    add(latency_.at(static_cast<std::size_t>(bound - latency_bounds_us.begin())));
    add(latency_sum_us_, static_cast<std::uint64_t>(us));
    add(by_class_.at(static_cast<std::size_t>(std::clamp(status / 100, 1, 5))));
}

void Counters::add_to(Metrics& sum) const {
    const auto get = [](const Value& value) { return value.load(std::memory_order_relaxed); };
    sum.connections_accepted += get(accepted);
    sum.connections_refused += get(refused);
    sum.strangers_closed += get(strangers_closed);
    sum.holders_closed += get(holders_closed);
    sum.connections_open += get(open);
    sum.requests_in_flight += get(in_flight);
    sum.streams_open += get(streams);
    sum.streams_dropped += get(streams_dropped);
    sum.timeouts += get(timeouts);
    sum.malformed += get(malformed);
    sum.replies_missing += get(replies_missing);
    sum.replies_late += get(replies_late);
    sum.bytes_received += get(received);
    sum.bytes_sent += get(sent);
    sum.latency_sum_us += get(latency_sum_us_);
    for (std::size_t i = 0; i < by_class_.size(); ++i) sum.responses_by_class[i] += get(by_class_[i]);
    for (std::size_t i = 0; i < latency_.size(); ++i) sum.latency_counts[i] += get(latency_[i]);
}

}  // namespace weir::http
