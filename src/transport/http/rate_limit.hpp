// transport/http/rate_limit.hpp: how often may one token ask? A token bucket as a pure value.
//
// `now` is an argument (any clock that does not go back), so the same questions always get the same answers.
// The bucket keeps one instant: the time at which it will be full again (the generic cell rate algorithm),
// which is why a bucket unused for long can be forgotten without a trace.
//
// Not synchronised: whoever shares a limiter between threads locks it.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::http {

struct Rate {
    /// Tokens that come back per second; at least 1.
    std::int64_t per_second = 100;
    /// Tokens a full bucket holds; at least 1.
    std::int64_t burst = 200;
};

class TokenBucket {
public:
    /// Takes `cost` tokens, or nothing and tells after how long they will be there. A cost above the burst
    /// waits for a full bucket.
    [[nodiscard]] Result<void, Duration> take(const Rate& rate, Instant now, std::int64_t cost = 1);
    /// True when the bucket is full at `now`: forgetting it changes nothing.
    [[nodiscard]] bool full(Instant now) const { return full_at_ <= now; }

private:
    Instant full_at_{INT64_MIN};
};

/// One bucket per key, for at most `max_keys` keys: a new key beyond that takes the place of the key that
/// asked longest ago.
class RateLimiter {
public:
    RateLimiter(Rate rate, std::size_t max_keys) : rate_{rate}, max_keys_{max_keys < 1 ? 1 : max_keys} {}

    /// As TokenBucket::take, for the bucket of `key`.
    [[nodiscard]] Result<void, Duration> take(std::string_view key, Instant now, std::int64_t cost = 1);
    [[nodiscard]] std::size_t size() const { return buckets_.size(); }
    [[nodiscard]] const Rate& rate() const { return rate_; }

private:
    struct Entry {
        std::string key;
        TokenBucket bucket;
    };
    Rate rate_;
    std::size_t max_keys_;
    std::list<Entry> by_use_;  ///< Latest use first. Its strings are the keys of buckets_.
    std::unordered_map<std::string_view, std::list<Entry>::iterator> buckets_;
};

}  // namespace weir::http
