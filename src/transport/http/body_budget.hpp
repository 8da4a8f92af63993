// transport/http/body_budget.hpp: how many bytes may all bodies of a server take together, while their requests are in flight?
//
// A limit for each body and one for connections do not bound their product. A body takes its share as it arrives and gives it back when
// its request is gone, wherever that is by then: a share may outlive the server. From any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace weir::http {

class BodyBudget {
public:
    explicit BodyBudget(std::size_t most) : most_{most} {}

    /// False, and nothing is taken, where so many more bytes would be too many.
    [[nodiscard]] bool take(std::size_t bytes) {
        auto used = used_.load(std::memory_order_relaxed);
        do {
            if (bytes > most_ - std::min(used, most_)) {
                refused_.fetch_add(1, std::memory_order_relaxed);
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
        return true;
    }
    void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t most() const { return most_; }
    /// How often take() said no.
    [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

private:
    std::size_t most_;
    std::atomic<std::size_t> used_ = 0;
    std::atomic<std::uint64_t> refused_ = 0;
};

/// What one body takes.
class BodyShare {
public:
    BodyShare() = default;
    explicit BodyShare(std::shared_ptr<BodyBudget> budget) : budget_{std::move(budget)} {}
    BodyShare(BodyShare&& other) noexcept : budget_{std::move(other.budget_)}, bytes_{std::exchange(other.bytes_, 0)} {}
    BodyShare& operator=(BodyShare&& other) noexcept {
        BodyShare old{std::move(*this)};
        budget_ = std::move(other.budget_);
        bytes_ = std::exchange(other.bytes_, 0);
        return *this;
    }
    ~BodyShare() {
        if (budget_ && bytes_ > 0) budget_->give_back(bytes_);
    }

    /// False, and it stays as it is, where there is not so much. Without a budget there is always enough.
    [[nodiscard]] bool grow_to(std::size_t bytes) {
        if (bytes <= bytes_) return true;
        if (budget_ && !budget_->take(bytes - bytes_)) return false;
        bytes_ = bytes;
        return true;
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    std::shared_ptr<BodyBudget> budget_;
    std::size_t bytes_ = 0;
};

}  // namespace weir::http
