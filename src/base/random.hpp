// base/random.hpp: chance that can be repeated.
//
// One stream per purpose, derived from (seed, purpose), so that an extra draw in one place changes
// nothing elsewhere. The distributions are our own: the standard ones differ between libraries.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

/// xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64.
class Random {
public:
    explicit Random(std::uint64_t seed, std::string_view purpose = {});

    [[nodiscard]] std::uint64_t next();
    /// Uniform in [0, bound); bound > 0. Lemire's method, without bias.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    /// Uniform in [low, high], both included.
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high);
    /// True in `numerator` of `denominator` draws.
    [[nodiscard]] bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }

private:
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace weir
