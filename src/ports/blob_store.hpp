// ports/blob_store.hpp: the network's store of content, as a site sees it: bytes that are known by their digest.
//
// It answers one question: where do the bytes with this SHA-256 come from, and where do they go? What they mean (the files of a
// checkpoint, the manifest that lists them) is the agent's business.
//
// Promises of every store:
//   - a blob that was put() is whole and durable; one that was damaged since is stored anew by the next put();
//   - put() takes up an upload of the same blob that broke off where it broke off, and refuses bytes that do not make the digest;
//   - fetch() hands on nothing but the bytes that make the digest, or fails;
//   - each function may be called from any thread.
#pragma once

#include "base/result.hpp"
#include "base/sha256.hpp"
#include "ports/copying.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::ports {

/// In descending precedence. Values reach metrics.
enum class BlobFault : std::uint8_t {
    not_found = 1,    ///< There is no such blob.
    damaged = 2,      ///< The bytes do not make the digest: those given to put(), or those that the store has.
    unavailable = 3,  ///< Not now (disk full, network, called off): try again.
};

struct BlobError {
    BlobFault fault{};
    std::string message;
};

template <class T>
using BlobResult = Result<T, BlobError>;

class BlobStore {
public:
    BlobStore() = default;
    BlobStore(const BlobStore&) = delete;
    BlobStore& operator=(const BlobStore&) = delete;
    virtual ~BlobStore() = default;

    /// How many bytes it would take now.
    [[nodiscard]] virtual BlobResult<std::int64_t> room() = 0;
    /// Stores the `size` bytes of a file, read from its start, where the store does not have them. Repeating it is harmless.
    [[nodiscard]] virtual BlobResult<void> put(const Digest& digest, std::int64_t size, int file, Copying& copying) = 0;
    /// As put(), for bytes at hand.
    [[nodiscard]] virtual BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) = 0;
    /// Writes a blob to a descriptor. After a failure part of it may have been written.
    [[nodiscard]] virtual BlobResult<void> fetch(const Digest& digest, int into, Copying& copying) = 0;
    /// A blob of at most `at_most` bytes; a larger one is damaged.
    [[nodiscard]] virtual BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t at_most) = 0;
};

}  // namespace weir::ports
