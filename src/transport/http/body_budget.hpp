// transport/http/body_budget.hpp: how many bytes may all bodies of a server take together, while their requests are in flight?
//
// A limit for each body and one for connections do not bound their product. A body takes its share as it arrives and gives it back when
// its request is gone, wherever that is by then: a share may outlive the server. Nobody takes so much that others have no room, and a
// part is kept for some (base/fair_share.hpp). From any thread.
#pragma once

#include "base/fair_share.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace weir::http {

/// On whose account a request is kept: whoever has many is one holder.
struct Holder {
    std::string name;         ///< Empty: nobody's; such requests have no share of their own and are not held to one.
    bool privileged = false;  ///< May take what is kept of each thing for those without whom nothing works.
    std::size_t connections_max = 0;  ///< Fewer than everybody may have; 0: as many.

    [[nodiscard]] FairShare::Reach reach() const {
        return name.empty() ? FairShare::Reach::all : privileged ? FairShare::Reach::kept : FairShare::Reach::common;
    }
};

class BodyBudget {
public:
    explicit BodyBudget(std::size_t most, std::size_t kept = 0) : share_{most, kept} {}

    /// False, and nothing is taken, where so many more bytes would be too many, of all or of this holder.
    [[nodiscard]] bool take(const Holder& holder, std::size_t bytes) {
        const std::lock_guard lock{mutex_};
        const bool taken = share_.take(holder.name, holder.reach(), bytes);
        if (!taken) ++refused_;
        return taken;
    }
    void give_back(const Holder& holder, std::size_t bytes) {
        const std::lock_guard lock{mutex_};
        share_.give_back(holder.name, bytes);
    }

    [[nodiscard]] std::size_t used() const {
        const std::lock_guard lock{mutex_};
        return share_.used();
    }
    [[nodiscard]] std::size_t held(const Holder& holder) const {
        const std::lock_guard lock{mutex_};
        return share_.held(holder.name);
    }
    [[nodiscard]] std::size_t most() const { return share_.most(); }
    /// How often take() said no.
    [[nodiscard]] std::uint64_t refused() const {
        const std::lock_guard lock{mutex_};
        return refused_;
    }

private:
    mutable std::mutex mutex_;
    FairShare share_;
    std::uint64_t refused_ = 0;
};

/// What one body takes.
class BodyShare {
public:
    BodyShare() = default;
    explicit BodyShare(std::shared_ptr<BodyBudget> budget, Holder holder = {}) : budget_{std::move(budget)}, holder_{std::move(holder)} {}
    BodyShare(BodyShare&& other) noexcept
        : budget_{std::move(other.budget_)}, holder_{std::move(other.holder_)}, bytes_{std::exchange(other.bytes_, 0)} {}
    BodyShare& operator=(BodyShare&& other) noexcept {
        BodyShare old{std::move(*this)};
        budget_ = std::move(other.budget_);
        holder_ = std::move(other.holder_);
        bytes_ = std::exchange(other.bytes_, 0);
        return *this;
    }
    ~BodyShare() {
        if (budget_ && bytes_ > 0) budget_->give_back(holder_, bytes_);
    }

    /// False, and it stays as it is, where there is not so much. Without a budget there is always enough.
    [[nodiscard]] bool grow_to(std::size_t bytes) {
        if (bytes <= bytes_) return true;
        if (budget_ && !budget_->take(holder_, bytes - bytes_)) return false;
        bytes_ = bytes;
        return true;
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    std::shared_ptr<BodyBudget> budget_;
    Holder holder_;
    std::size_t bytes_ = 0;
};

}  // namespace weir::http
