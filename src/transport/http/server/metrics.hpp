// transport/http/server/metrics.hpp: what the server has done so far, as plain numbers.
//
// Each io thread counts for itself; a snapshot adds them up and is exact once the server is still.
#pragma once

#include "base/time.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::http {

/// Upper bounds of the latency buckets in microseconds; one more bucket has no bound.
constexpr std::array<std::int64_t, 16> latency_bounds_us{100,     250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
                                                         50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

/// Everything since the start, but for those that say "now".
struct Metrics {
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;  ///< 503 or closed at once: the limit was reached.
    std::uint64_t connections_open = 0;     ///< Now.
    std::uint64_t strangers_closed = 0;     ///< Without a good token so far, closed for others: the limit was reached.
    std::uint64_t holders_closed = 0;       ///< Of one who held most of all connections, closed for others.
    std::uint64_t body_bytes = 0;           ///< Now: of all bodies whose requests are in flight.
    std::uint64_t bodies_refused = 0;       ///< 503: all bodies together would have taken too much.
    std::uint64_t requests_in_flight = 0;   ///< Now: handed to a handler that has not replied.
    std::uint64_t streams_open = 0;         ///< Now.
    std::uint64_t streams_dropped = 0;      ///< Ended because the reader was too slow.
    std::uint64_t timeouts = 0;             ///< Connections or requests that ran into a deadline.
    std::uint64_t malformed = 0;            ///< Requests that could not be read.
    std::uint64_t replies_missing = 0;      ///< Answered 500: the handler dropped its Reply or was too late.
    std::uint64_t replies_late = 0;         ///< Ignored: repeated, or after the deadline or the connection.
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    /// Answers by the first digit of their status; [0] is unused.
    std::array<std::uint64_t, 6> responses_by_class{};
    /// From the last byte of the request to the reply. Counts per bucket, not cumulative.
    std::array<std::uint64_t, latency_bounds_us.size() + 1> latency_counts{};
    std::uint64_t latency_sum_us = 0;
};

/// The counters of one io thread: written by it alone, read by anyone.
class Counters {
public:
    using Value = std::atomic<std::uint64_t>;

    static void add(Value& value, std::uint64_t n = 1) {
        value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    static void subtract(Value& value) { value.store(value.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed); }
    void answered(int status, Duration latency);
    void add_to(Metrics& sum) const;

    Value accepted{}, refused{}, strangers_closed{}, holders_closed{}, open{}, in_flight{}, streams{}, streams_dropped{}, timeouts{},
        malformed{}, replies_missing{}, replies_late{}, received{}, sent{};

private:
    std::array<Value, 6> by_class_{};
    std::array<Value, latency_bounds_us.size() + 1> latency_{};
    Value latency_sum_us_{};
};

}  // namespace weir::http
