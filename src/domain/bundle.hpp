// domain/bundle.hpp: many small files in one body of a request.
//
// It answers one question: which bytes of this stream are which blob? A bundle has no names in it: where a file goes is said by a tree
// alone. Each blob stands after its digest and its length, so that a bundle that breaks off is good up to there:
//
//     weir-bundle 1\n  then, as often as there are blobs:  32 bytes SHA-256, 4 bytes length (little endian), the bytes
#pragma once

#include "base/result.hpp"
#include "base/sha256.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

namespace limits {
inline constexpr std::size_t bundle_blob_bytes_max = std::size_t{256} << 10;  ///< What is larger is sent by itself.
inline constexpr std::size_t bundle_bytes_max = std::size_t{8} << 20;
inline constexpr std::size_t bundle_blobs_max = 4'096;
}  // namespace limits

struct SmallBlob {
    Digest digest;
    std::string bytes;
    bool operator==(const SmallBlob&) const = default;
};

/// Appends one blob to the text of a bundle; an empty text becomes a bundle first.
void add_to_bundle(std::string& bundle, const Digest& digest, std::string_view bytes);

/// Reads a bundle as its pieces come. Bytes that do not make their digest are refused.
class BundleReader {
public:
    /// Takes the next piece. An error is final; what was whole before it stays good.
    [[nodiscard]] Result<void, std::string> take(std::string_view piece);
    /// What is whole so far, since the last call.
    [[nodiscard]] std::vector<SmallBlob> release();
    /// An error where the bundle ends within a blob, or is none.
    [[nodiscard]] Result<void, std::string> finish() const;

private:
    [[nodiscard]] Result<bool, std::string> cut_one();

    std::string rest_;
    std::size_t at_ = 0;        ///< Where in rest_ the next thing begins.
    std::size_t taken_ = 0;
    std::size_t blobs_ = 0;
    bool begun_ = false;
    std::vector<SmallBlob> whole_;
};

}  // namespace weir
