#include "transport/http/rate_limit.hpp"

#include <algorithm>

namespace weir::http {

Result<void, Duration> TokenBucket::take(const Rate& rate, Instant now, std::int64_t cost) {
    const std::int64_t per_second = std::max<std::int64_t>(1, rate.per_second);
    const std::int64_t burst = std::max<std::int64_t>(1, rate.burst);
    const Duration refill{std::max<std::int64_t>(1, 1'000'000'000 / per_second)};
    const Duration capacity = refill * burst;
    const Duration price = refill * std::clamp<std::int64_t>(cost, 0, burst);
    const Instant base = std::max(full_at_, now);
    const Duration missing = (base - now) + price - capacity;
    if (missing.ns > 0) return fail(missing);
    full_at_ = base + price;
    return {};
}

Result<void, Duration> RateLimiter::take(std::string_view key, Instant now, std::int64_t cost) {
    const auto found = buckets_.find(key);
    if (found != buckets_.end()) {
        by_use_.splice(by_use_.begin(), by_use_, found->second);
        return found->second->bucket.take(rate_, now, cost);
    }
    if (buckets_.size() >= max_keys_) {
        buckets_.erase(by_use_.back().key);
        by_use_.pop_back();
    }
    by_use_.push_front({.key = std::string{key}, .bucket = {}});
    buckets_.emplace(by_use_.front().key, by_use_.begin());
    return by_use_.front().bucket.take(rate_, now, cost);
}

}  // namespace weir::http
