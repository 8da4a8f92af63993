// codec/bare_lengths.hpp: was a length of time written as a bare number?
//
// What programs send and are answered has whole seconds as numbers. What people write has a unit: to one 60 is a minute, to another an
// hour, and a wrong guess stops their work. So a file is looked through before it is decoded.
#pragma once

#include "codec/decode.hpp"

#include <span>
#include <string_view>

namespace weir::codec {

/// A problem for each of these members (`retry.backoff`) that is a number other than 0. `prefix` comes before the path in what is
/// told: `spec`, or empty.
[[nodiscard]] Problems bare_lengths(const Value& document, std::span<const std::string_view> paths, std::string_view origin,
                                    std::string_view prefix = {});

}  // namespace weir::codec
