// codec/compress.hpp: zstd frames that know their size and their checksum.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::codec {

/// In descending precedence.
enum class CompressError : std::uint8_t {
    not_a_frame = 1,  ///< Not one whole zstd frame with a size, written by compress().
    too_large = 2,    ///< The frame says that it holds more than the limit.
    damaged = 3,      ///< The content does not match the frame or its checksum.
};
[[nodiscard]] std::string_view describe(CompressError error);

/// One frame with content size and checksum. Levels 1 (fast) to 19 (small).
[[nodiscard]] std::string compress(std::string_view bytes, int level = 3);

/// The content of exactly one frame. Allocates no more than `max_bytes`, and nothing for a frame that claims more.
[[nodiscard]] Result<std::string, CompressError> decompress(std::string_view frame, std::size_t max_bytes);

}  // namespace weir::codec
