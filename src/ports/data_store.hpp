// ports/data_store.hpp: the network's store of what projects keep, as the server and the agents see it.
//
// It answers one question: which of a project's bytes are stored, and how do more come, in pieces that may break off? What the bytes mean
// (trees, files, outputs) and who may have them is for others. A project has a store of its own: nothing in it is shared with another's.
//
// Promises beside those of BlobStore:
//   - what lacking() does not name is there with its size; each blob is compared with its digest when it is stored and when it is fetched;
//   - a blob is under its name whole and durable, or not at all; a disk that is full in the middle loses nothing that was there;
//   - an upload in pieces can be taken up where the last good piece ended, also after the server was killed.
#pragma once

#include "domain/bundle.hpp"
#include "domain/names.hpp"
#include "ports/blob_store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::ports {

struct SizedDigest {
    Digest digest;
    std::int64_t size = 0;
    friend auto operator<=>(const SizedDigest&, const SizedDigest&) = default;
};

/// A blob in the store.
struct StoredBlob {
    Digest digest;
    std::int64_t bytes = 0;
    std::int64_t stored_s = 0;  ///< Seconds since 1970, by the store's clock.
};

/// What is gone.
struct Removed {
    std::int64_t files = 0;
    std::int64_t bytes = 0;
};

/// A blob that can be read: the caller closes `file`. Its bytes are not compared with the digest.
struct OpenBlob {
    int file = -1;
    std::int64_t size = 0;
};

/// The store of one project.
class DataStore : public BlobStore {
public:
    /// Which of these are not there with their size, in the order given.
    [[nodiscard]] virtual BlobResult<std::vector<SizedDigest>> lacking(std::span<const SizedDigest> wanted) = 0;
    /// Stores many small blobs; all of them are durable once it returns. After a failure some may be there.
    [[nodiscard]] virtual BlobResult<void> put_all(std::span<const SmallBlob> blobs) = 0;
    /// How many bytes of an upload in pieces are there; the blob's size where it is whole and stored.
    [[nodiscard]] virtual BlobResult<std::int64_t> uploaded(const SizedDigest& blob) = 0;
    /// The next piece of an upload, which begins at `offset`: as far as uploaded() says. The last one makes it a blob, or is damaged:
    /// then the upload begins anew. @returns how many bytes are there.
    [[nodiscard]] virtual BlobResult<std::int64_t> append(const SizedDigest& blob, std::int64_t offset, std::string_view piece) = 0;
    [[nodiscard]] virtual BlobResult<OpenBlob> open(const Digest& digest) = 0;
    /// Removes what is there of these.
    [[nodiscard]] virtual BlobResult<Removed> remove(std::span<const Digest> digests) = 0;
    /// All of its blobs, sorted by digest.
    [[nodiscard]] virtual BlobResult<std::vector<StoredBlob>> list() = 0;
    /// Removes uploads that nobody has gone on with since then (seconds since 1970).
    [[nodiscard]] virtual BlobResult<Removed> remove_uploads(std::int64_t before_s) = 0;
};

class DataStores {
public:
    DataStores() = default;
    DataStores(const DataStores&) = delete;
    DataStores& operator=(const DataStores&) = delete;
    virtual ~DataStores() = default;
    /// From any thread. The same project has the same store, as long as somebody has it.
    [[nodiscard]] virtual BlobResult<std::shared_ptr<DataStore>> of(const ProjectName& project) = 0;
    /// Projects that have a store.
    [[nodiscard]] virtual BlobResult<std::vector<ProjectName>> projects() = 0;
};

}  // namespace weir::ports
