// adapters/blobs_local/data_local.hpp: what projects keep, in folders of the network's store: one for each project.
//
//     projects/NAME/blobs/ab/cdef...            as in blobs_local.hpp
//     projects/NAME/partial/abcdef....upload    an upload in pieces, under way
//     projects/NAME/partial/abcdef....small     of many small blobs that are stored at once
//
// It answers one question: how do ten thousand small files become durable without ten thousand waits for the disk? They are written
// beside, the file system is synced once, and then they are named. The server and the agents of one machine, or of one shared file
// system, may use it at the same time; where an agent is root, what it stores belongs to the owner of the directory.
#pragma once

#include "adapters/blobs_local/blobs_local.hpp"
#include "ports/data_store.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace weir::blobs_local {

class LocalData final : public ports::DataStore {
public:
    [[nodiscard]] static ports::BlobResult<std::shared_ptr<LocalData>> open(std::string directory, std::string writer);

    [[nodiscard]] ports::BlobResult<std::int64_t> room() override { return blobs_->room(); }
    [[nodiscard]] ports::BlobResult<void> put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) override {
        return blobs_->put(digest, size, file, copying);
    }
    [[nodiscard]] ports::BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) override {
        return blobs_->put_bytes(digest, bytes);
    }
    [[nodiscard]] ports::BlobResult<void> fetch(const Digest& digest, int into, ports::Copying& copying) override {
        return blobs_->fetch(digest, into, copying);
    }
    [[nodiscard]] ports::BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t at_most) override {
        return blobs_->fetch_bytes(digest, at_most);
    }

    [[nodiscard]] ports::BlobResult<std::vector<ports::SizedDigest>> lacking(std::span<const ports::SizedDigest> wanted) override;
    [[nodiscard]] ports::BlobResult<void> put_all(std::span<const SmallBlob> blobs) override;
    [[nodiscard]] ports::BlobResult<std::int64_t> uploaded(const ports::SizedDigest& blob) override;
    [[nodiscard]] ports::BlobResult<std::int64_t> append(const ports::SizedDigest& blob, std::int64_t offset,
                                                         std::string_view piece) override;
    [[nodiscard]] ports::BlobResult<ports::OpenBlob> open(const Digest& digest) override;
    [[nodiscard]] ports::BlobResult<ports::Removed> remove(std::span<const Digest> digests) override;
    [[nodiscard]] ports::BlobResult<std::vector<ports::StoredBlob>> list() override;
    [[nodiscard]] ports::BlobResult<ports::Removed> remove_uploads(std::int64_t before_s) override;

private:
    LocalData(std::string directory, std::unique_ptr<LocalBlobs> blobs) : directory_{std::move(directory)}, blobs_{std::move(blobs)} {}
    [[nodiscard]] std::string path_of(const Digest& digest) const;
    [[nodiscard]] std::string upload_of(const Digest& digest) const;
    [[nodiscard]] bool has(const ports::SizedDigest& blob) const;
    [[nodiscard]] ports::BlobResult<void> finish(const ports::SizedDigest& blob);
    [[nodiscard]] ports::BlobResult<void> name_all(std::span<const SmallBlob* const> blobs);

    std::string directory_;
    std::unique_ptr<LocalBlobs> blobs_;
    std::mutex writing_;  ///< Uploads and small blobs of one project come one after the other.
};

class LocalDataStores final : public ports::DataStores {
public:
    /// `directory`: of the network's store; made if it is not there. `writer` tells the writers of one directory apart.
    [[nodiscard]] static ports::BlobResult<std::unique_ptr<LocalDataStores>> open(const std::string& directory, std::string writer);
    [[nodiscard]] ports::BlobResult<std::shared_ptr<ports::DataStore>> of(const ProjectName& project) override;
    [[nodiscard]] ports::BlobResult<std::vector<ProjectName>> projects() override;

private:
    LocalDataStores(std::string directory, std::string writer) : directory_{std::move(directory)}, writer_{std::move(writer)} {}
    std::string directory_;  ///< That of the projects.
    std::string writer_;
    std::mutex guard_;
    std::map<ProjectName, std::shared_ptr<LocalData>> open_;
};

}  // namespace weir::blobs_local
