// base/fair_share.hpp: how much of what all share may one holder have?
//
// Whoever asks first would take all of it, so nobody may have more than what he leaves to the others: of what is free, as much
// stays free as he holds. One who is alone may have half; of ten who want all of it each has an eleventh, and an eleventh is
// left for who comes next. A first, small thing is never refused for that reason. Besides, a part is kept for those who may
// take it.
//
// Not synchronised: whoever shares it between threads locks it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace weir {

class FairShare {
public:
    enum class Reach : std::uint8_t {
        common = 1,  ///< A share of what is not kept.
        kept = 2,    ///< A share of everything.
        all = 3,     ///< As much as there is: for the house itself.
    };

    FairShare(std::size_t most, std::size_t kept) : most_{most}, kept_{std::min(kept, most)} {}

    /// False, and nothing is taken, where it would be too much.
    [[nodiscard]] bool take(std::string_view holder, Reach reach, std::size_t amount) {
        const auto limit = reach == Reach::common ? most_ - kept_ : most_;
        if (amount > limit - std::min(used_, limit)) return false;
        const auto have = held(holder);
        if (reach != Reach::all && have > 0 && have + amount > limit - used_ - amount) return false;
        used_ += amount;
        if (amount == 0) return true;
        const auto found = by_holder_.find(holder);
        if (found == by_holder_.end()) {
            by_holder_.emplace(holder, amount);
        } else {
            found->second += amount;
        }
        return true;
    }
    /// Gives back what take() gave.
    void give_back(std::string_view holder, std::size_t amount) {
        const auto found = by_holder_.find(holder);
        if (found == by_holder_.end()) return;
        amount = std::min(amount, found->second);
        used_ -= amount;
        found->second -= amount;
        if (found->second == 0) by_holder_.erase(found);
    }

    [[nodiscard]] std::size_t used() const { return used_; }
    [[nodiscard]] std::size_t most() const { return most_; }
    [[nodiscard]] std::size_t held(std::string_view holder) const {
        const auto found = by_holder_.find(holder);
        return found == by_holder_.end() ? 0 : found->second;
    }
    [[nodiscard]] std::size_t holders() const { return by_holder_.size(); }

private:
    std::size_t most_;
    std::size_t kept_;
    std::size_t used_ = 0;
    std::map<std::string, std::size_t, std::less<>> by_holder_;
};

}  // namespace weir
