// codec/sample_random.hpp: random values of the sample types, full of edges; for property tests.
#pragma once

#include "base/random.hpp"
#include "codec/sample.hpp"

namespace weir::codec::sample {

/// The value that belongs to a seed. Strings are UTF-8, doubles finite, lengths within the rules.
[[nodiscard]] Everything make_everything(std::uint64_t seed);

}  // namespace weir::codec::sample
