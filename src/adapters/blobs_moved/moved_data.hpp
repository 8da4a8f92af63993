// adapters/blobs_moved/moved_data.hpp: the network's store behind a tool that copies: S3 and the like by rclone, folders by rsync.
//
// It answers one question: how do bytes get under their name at the far end whole, by a tool that may lie, hang or die? Each file that was
// sent is fetched again and compared before it bears its name, and each that is fetched is compared before it is handed on; what does
// not hold is tried again, with a pause that doubles. (rsync gives names by itself: there a file bears its own before it was compared, and
// loses it where it does not hold.) Large blobs go in parts, so that a copy that breaks off is taken up at the last one:
//
//     blobs/ab/cdef...            the blob abcdef...
//     blobs/ab/cdef....parts-N    a blob of N bytes in parts: of each its digest and size, one line
//     parts/abcdef.../00007-DIGEST    such a part
//     partial/...                 under way, where the far end shows files before they are whole
//
// Below `stage` lie copies under way: at most one part of a blob at a time, and uploads of clients until they are whole.
#pragma once

#include "ports/data_store.hpp"
#include "ports/mover.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir::blobs_moved {

/// Lets this time go by, or less where the copy is called off.
using Pause = std::function<void(Duration, ports::Copying&)>;
/// With a real clock.
void pause_for_real(Duration duration, ports::Copying& copying);

struct MovedOptions {
    std::string stage{};                              ///< A folder of ours.
    std::string prefix{};                             ///< At the far end: empty, or with a slash at its end.
    std::string writer{};                             ///< Tells the writers of one far end apart: the site's name.
    std::int64_t part_bytes = std::int64_t{256} << 20;
    int attempts = 5;                                 ///< Of each file.
    Duration first_pause = seconds(1);                ///< After the first that fails; it doubles.
    Pause pause = pause_for_real;
};

/// The store of one project, or that of checkpoints.
class MovedData final : public ports::DataStore {
public:
    /// Makes `stage` where it is not there.
    [[nodiscard]] static ports::BlobResult<std::shared_ptr<MovedData>> open(std::shared_ptr<ports::Mover> mover, MovedOptions options);

    [[nodiscard]] ports::BlobResult<std::int64_t> room() override;
    [[nodiscard]] ports::BlobResult<void> put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) override;
    [[nodiscard]] ports::BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) override;
    [[nodiscard]] ports::BlobResult<void> fetch(const Digest& digest, int into, ports::Copying& copying) override;
    [[nodiscard]] ports::BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t at_most) override;
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
    /// A blob as it lies at the far end.
    struct Far {
        std::string name;
        std::int64_t size = 0;
        std::int64_t stored_s = 0;
        bool in_parts = false;
    };
    struct Part {
        Digest digest;
        std::int64_t size = 0;
    };
    /// One file that is to be sent, or was fetched, below `stage`.
    struct Staged {
        std::string path;
        Part part;
    };

    MovedData(std::shared_ptr<ports::Mover> mover, MovedOptions options) : mover_{std::move(mover)}, options_{std::move(options)} {}
    [[nodiscard]] std::string far(const std::string& name) const { return options_.prefix + name; }
    [[nodiscard]] ports::BlobResult<std::map<Digest, Far>> look(const std::string& folder);
    [[nodiscard]] ports::BlobResult<std::optional<Far>> find(const Digest& digest);
    [[nodiscard]] ports::BlobResult<void> send(const Staged& staged, const std::string& name, ports::Copying& copying);
    [[nodiscard]] ports::BlobResult<void> bring(const std::string& name, const Staged& staged, ports::Copying& copying);
    [[nodiscard]] ports::BlobResult<Staged> stage(int file, std::int64_t from, std::int64_t size, const std::string& name,
                                                  ports::Copying& copying);
    [[nodiscard]] ports::BlobResult<void> put_in_parts(const Digest& digest, std::int64_t size, int file, ports::Copying& copying);
    [[nodiscard]] ports::BlobResult<std::vector<Part>> parts_of(const Digest& digest, const Far& found, ports::Copying& copying);
    [[nodiscard]] std::string staged_path(const std::string& name) const { return options_.stage + "/" + name; }

    std::shared_ptr<ports::Mover> mover_;
    MovedOptions options_;
    std::mutex guard_;
    std::mutex uploading_;
    std::set<Digest> under_way_;  ///< Being stored by a thread of ours.
    std::set<Digest> bad_;        ///< What the far end has under this name did not hold: it is stored anew by the next put().
};

/// The stores of all projects behind one mover.
class MovedStores final : public ports::DataStores {
public:
    MovedStores(std::shared_ptr<ports::Mover> mover, MovedOptions options) : mover_{std::move(mover)}, options_{std::move(options)} {}
    [[nodiscard]] ports::BlobResult<std::shared_ptr<ports::DataStore>> of(const ProjectName& project) override;
    [[nodiscard]] ports::BlobResult<std::vector<ProjectName>> projects() override;

private:
    std::shared_ptr<ports::Mover> mover_;
    MovedOptions options_;
    std::mutex guard_;
    std::map<ProjectName, std::shared_ptr<MovedData>> open_;
};

}  // namespace weir::blobs_moved
