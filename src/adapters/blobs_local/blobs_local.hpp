// adapters/blobs_local/blobs_local.hpp: the network's store as a directory: one file per blob, named by its digest.
//
// It answers one question: how do bytes get under their name whole, or not at all? A copy is made beside, synced, checked against
// the digest and renamed; a copy that broke off is taken up where it broke off.
//
//     blobs/ab/cdef...          the blob abcdef..., read-only
//     partial/abcdef....SITE    a copy under way, of the writer SITE
//     damaged/abcdef...         what bore that name and was not it: for people
//
// A disk may rot under it: a blob is read and compared with its digest once in an agent's life before it is believed, and each time that it
// is fetched. All three folders and what is in them are the agent's user's alone: the checkpoints of all projects lie there.
//
// In this version agents reach the directory themselves: all sites share it by one machine or one file system. Who may write to it
// is a matter of the directory's owner and mode. The last GiB of its disk is left to others.
#pragma once

#include "ports/blob_store.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir::blobs_local {

class LocalBlobs final : public ports::BlobStore {
public:
    /// Makes the directory if it is not there. `writer` tells the writers of one directory apart: the site's name.
    [[nodiscard]] static ports::BlobResult<std::unique_ptr<LocalBlobs>> open(std::string directory, std::string writer);

    /// What others on this host may do to it though they should not; for the operator.
    [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

    /// It was removed: what comes under its name is looked at anew.
    void forget(const Digest& digest);

    [[nodiscard]] ports::BlobResult<std::int64_t> room() override;
    [[nodiscard]] ports::BlobResult<void> put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) override;
    [[nodiscard]] ports::BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) override;
    [[nodiscard]] ports::BlobResult<void> fetch(const Digest& digest, int into, ports::Copying& copying) override;
    [[nodiscard]] ports::BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t at_most) override;

private:
    LocalBlobs(std::string directory, std::string writer) : directory_{std::move(directory)}, writer_{std::move(writer)} {}
    [[nodiscard]] std::string folder_of(const Digest& digest) const;
    [[nodiscard]] std::string path_of(const Digest& digest) const;
    [[nodiscard]] std::string partial_of(const Digest& digest) const;
    [[nodiscard]] std::string damaged_of(const Digest& digest) const;
    /// Whether it need not be stored: the size is right, and so is the digest. What bears its name and is not it is set aside.
    [[nodiscard]] ports::BlobResult<bool> has(const Digest& digest, std::int64_t size, ports::Copying& copying);
    [[nodiscard]] bool is_verified(const Digest& digest);
    void note_verified(const Digest& digest);
    /// Takes the name from a file that has other bytes than it says. @returns what became of it.
    std::string set_aside(const Digest& digest, int file);

    std::string directory_;
    std::string writer_;
    std::mutex guard_;
    std::set<Digest> under_way_;  ///< Being stored by a thread of ours: a second one would write to the same copy.
    std::set<Digest> verified_;   ///< Compared with their digest by this object.
    std::vector<std::string> remarks_;
};

}  // namespace weir::blobs_local
