// engines/ledger/mix.hpp: cheap, well spread hashes of 128-bit keys and of request bodies.
//
// Not for secrets: whoever may choose keys can find two that collide where there is no seed. Nothing but speed depends on the
// spread in tables; a fingerprint protects a caller against himself only.
#pragma once

#include "base/id.hpp"

#include <cstdint>

namespace weir::ledger {

/// Both halves of the 128-bit product, folded.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15ULL) * (b ^ 0xD1B54A32D192ED03ULL);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

[[nodiscard]] constexpr std::uint64_t mix(Uid uid) { return mix(uid.high, uid.low); }

/// For tables: with a seed that nobody else knows, nobody can choose keys that collide.
[[nodiscard]] constexpr std::uint64_t mix(Uid uid, std::uint64_t seed) { return mix(uid.high ^ seed, uid.low ^ (seed << 32 | seed >> 32)); }

}  // namespace weir::ledger
