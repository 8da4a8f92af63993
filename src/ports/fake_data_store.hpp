// ports/fake_data_store.hpp: stores of projects in memory, for tests. It keeps the promises of data_store.hpp but durability.
#pragma once

#include "ports/data_store.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

namespace weir::ports {

class FakeDataStore final : public DataStore {
public:
    BlobResult<std::int64_t> room() override { return free_bytes; }
    BlobResult<void> put(const Digest& digest, std::int64_t size, int file, Copying&) override {
        std::string bytes(static_cast<std::size_t>(size), '\0');
        if (::pread(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return damaged();
        return put_bytes(digest, bytes);
    }
    BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) override {
        if (sha256(bytes) != digest) return damaged();
        const std::lock_guard lock{mutex_};
        blobs_[digest] = bytes;
        return {};
    }
    BlobResult<void> fetch(const Digest& digest, int into, Copying&) override {
        const auto bytes = WEIR_TRY(fetch_bytes(digest, SIZE_MAX));
        if (::write(into, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return damaged();
        return {};
    }
    BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t at_most) override {
        const std::lock_guard lock{mutex_};
        const auto blob = blobs_.find(digest);
        if (blob == blobs_.end()) return fail(BlobError{BlobFault::not_found, "there is no such blob"});
        if (blob->second.size() > at_most) return damaged();
        return blob->second;
    }
    BlobResult<std::vector<SizedDigest>> lacking(std::span<const SizedDigest> wanted) override {
        const std::lock_guard lock{mutex_};
        std::vector<SizedDigest> missing;
        for (const auto& blob : wanted) {
            if (!blobs_.contains(blob.digest)) missing.push_back(blob);
        }
        return missing;
    }
    BlobResult<void> put_all(std::span<const SmallBlob> blobs) override {
        for (const auto& blob : blobs) WEIR_CHECK(put_bytes(blob.digest, blob.bytes));
        return {};
    }
    BlobResult<std::int64_t> uploaded(const SizedDigest& blob) override {
        const std::lock_guard lock{mutex_};
        return blobs_.contains(blob.digest) ? blob.size : static_cast<std::int64_t>(uploads_[blob.digest].size());
    }
    BlobResult<std::int64_t> append(const SizedDigest& blob, std::int64_t offset, std::string_view piece) override {
        if (WEIR_TRY(uploaded(blob)) != offset) return fail(BlobError{BlobFault::unavailable, "go on from where it broke off"});
        const std::lock_guard lock{mutex_};
        auto& bytes = uploads_[blob.digest];
        bytes += piece;
        const auto have = static_cast<std::int64_t>(bytes.size());
        if (have < blob.size) return have;
        auto whole = std::exchange(bytes, {});
        if (sha256(whole) != blob.digest) return damaged();
        blobs_[blob.digest] = std::move(whole);
        return have;
    }
    BlobResult<OpenBlob> open(const Digest& digest) override {
        const auto bytes = WEIR_TRY(fetch_bytes(digest, SIZE_MAX));
        const int file = ::memfd_create("blob", MFD_CLOEXEC);
        if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return damaged();
        return OpenBlob{file, static_cast<std::int64_t>(bytes.size())};
    }
    BlobResult<Removed> remove(std::span<const Digest> digests) override {
        const std::lock_guard lock{mutex_};
        Removed removed;
        for (const auto& digest : digests) {
            const auto blob = blobs_.find(digest);
            if (blob == blobs_.end()) continue;
            ++removed.files;
            removed.bytes += static_cast<std::int64_t>(blob->second.size());
            blobs_.erase(blob);
        }
        return removed;
    }
    BlobResult<std::vector<StoredBlob>> list() override {
        const std::lock_guard lock{mutex_};
        std::vector<StoredBlob> found;
        for (const auto& [digest, bytes] : blobs_) found.push_back({digest, static_cast<std::int64_t>(bytes.size()), stored_s});
        return found;
    }
    BlobResult<Removed> remove_uploads(std::int64_t) override { return Removed{}; }

    std::int64_t free_bytes = std::int64_t{1} << 40;
    std::int64_t stored_s = INT64_MAX;  ///< When all of its blobs were stored, as it says.

private:
    static tl::unexpected<BlobError> damaged() { return fail(BlobError{BlobFault::damaged, "these bytes do not make that digest"}); }
    std::mutex mutex_;
    std::map<Digest, std::string> blobs_;
    std::map<Digest, std::string> uploads_;
};

class FakeDataStores final : public DataStores {
public:
    BlobResult<std::shared_ptr<DataStore>> of(const ProjectName& project) override { return std::shared_ptr<DataStore>{fake(project)}; }
    BlobResult<std::vector<ProjectName>> projects() override {
        const std::lock_guard lock{mutex_};
        std::vector<ProjectName> names;
        for (const auto& [name, store] : stores_) names.push_back(name);
        return names;
    }
    std::shared_ptr<FakeDataStore> fake(const ProjectName& project) {
        const std::lock_guard lock{mutex_};
        auto& store = stores_[project];
        if (!store) store = std::make_shared<FakeDataStore>();
        return store;
    }

private:
    std::mutex mutex_;
    std::map<ProjectName, std::shared_ptr<FakeDataStore>> stores_;
};

}  // namespace weir::ports
