#include "adapters/blobs_local/blobs_local.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::blobs_local {
namespace {

using ports::BlobError;
using ports::BlobFault;
using ports::BlobResult;

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

class Fd {
public:
    explicit Fd(int fd) : fd_{fd} {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

auto cannot(std::string_view what, const std::string& path) {
    return fail(BlobError{BlobFault::unavailable, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno))});
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto wrote = ::write(file, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
}

/// The digest of a whole file of ours: nobody else writes to it, so it may be mapped.
std::optional<Digest> digest_of(int file, std::int64_t size) {
    if (size == 0) return sha256({});
    void* const mapped = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) return std::nullopt;
    const auto digest = sha256({static_cast<const char*>(mapped), static_cast<std::size_t>(size)});
    ::munmap(mapped, static_cast<std::size_t>(size));
    return digest;
}

std::optional<std::int64_t> size_of(int file) {
    struct stat found{};
    if (::fstat(file, &found) != 0) return std::nullopt;
    return found.st_size;
}

bool sync_folder(const std::string& path) {
    const Fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return folder && ::fsync(folder.get()) == 0;
}

bool make_folder(const std::string& path) { return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST; }

/// What a copy reads from: up to `bytes.size()` bytes from `offset` on; less than nothing on an error.
using Source = std::function<ssize_t(char* into, std::size_t bytes, std::int64_t offset)>;

/// Appends to `file`, which has `have` bytes of `size`, what is missing. False with errno set.
bool append_rest(int file, std::int64_t have, std::int64_t size, const Source& source) {
    std::vector<char> piece(piece_bytes);
    while (have < size) {
        const auto wanted = std::min<std::int64_t>(size - have, static_cast<std::int64_t>(piece.size()));
        const auto got = source(piece.data(), static_cast<std::size_t>(wanted), have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;  // Shorter than it was said to be: the digest tells.
        if (!write_all(file, {piece.data(), static_cast<std::size_t>(got)})) return false;
        have += got;
    }
    return true;
}

struct Copy {
    std::string partial;
    std::string root;    ///< Of `folder`.
    std::string folder;
    std::string path;
};

BlobResult<void> store(const Copy& copy, const Digest& digest, std::int64_t size, const Source& source) {
    const Fd file{::open(copy.partial.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    if (!file) return cannot("open", copy.partial);
    if (::flock(file.get(), LOCK_EX) != 0) return cannot("lock", copy.partial);
    auto have = size_of(file.get());
    if (!have) return cannot("look at", copy.partial);
    if (*have > size) {
        if (::ftruncate(file.get(), 0) != 0) return cannot("empty", copy.partial);
        have = 0;
    }
    if (!append_rest(file.get(), *have, size, source)) return cannot("copy to", copy.partial);
    const auto whole = size_of(file.get());
    const auto made = whole == size ? digest_of(file.get(), size) : std::nullopt;
    if (made != digest) {
        // What an earlier attempt left may be at fault: the next attempt begins afresh.
        ::unlink(copy.partial.c_str());
        const auto found = made ? made->text() : "none";
        return fail(BlobError{BlobFault::damaged, fmt::format("{} bytes with digest {} were announced, and {} bytes with digest {} came",
                                                              size, digest.text(), whole.value_or(0), found)});
    }
    if (::fsync(file.get()) != 0) return cannot("sync", copy.partial);
    if (!make_folder(copy.folder)) return cannot("make", copy.folder);
    // Whoever made it may not have come to this yet: a name that a power cut takes away takes the blob with it.
    if (!sync_folder(copy.root)) return cannot("sync", copy.root);
    if (::fchmod(file.get(), 0444) != 0) return cannot("protect", copy.partial);
    if (::rename(copy.partial.c_str(), copy.path.c_str()) != 0) return cannot("publish", copy.path);
    if (!sync_folder(copy.folder)) return cannot("sync", copy.folder);
    return {};
}

}  // namespace

BlobResult<std::unique_ptr<LocalBlobs>> LocalBlobs::open(std::string directory, std::string writer) {
    for (const auto& path : {directory, directory + "/blobs", directory + "/partial"}) {
        if (!make_folder(path)) return cannot("make", path);
    }
    if (!sync_folder(directory)) return cannot("sync", directory);
    return std::unique_ptr<LocalBlobs>(new LocalBlobs{std::move(directory), std::move(writer)});
}

std::string LocalBlobs::folder_of(const Digest& digest) const { return directory_ + "/blobs/" + digest.text().substr(0, 2); }
std::string LocalBlobs::path_of(const Digest& digest) const { return folder_of(digest) + "/" + digest.text().substr(2); }
std::string LocalBlobs::partial_of(const Digest& digest) const { return directory_ + "/partial/" + digest.text() + "." + writer_; }

BlobResult<bool> LocalBlobs::has(const Digest& digest) {
    struct stat found{};
    const auto path = path_of(digest);
    if (::stat(path.c_str(), &found) == 0) return S_ISREG(found.st_mode);
    if (errno == ENOENT) return false;
    return cannot("look at", path);
}

BlobResult<void> LocalBlobs::put(const Digest& digest, std::int64_t size, int file) {
    if (WEIR_TRY(has(digest))) return {};
    const Source source = [file](char* into, std::size_t bytes, std::int64_t offset) { return ::pread(file, into, bytes, offset); };
    return store({partial_of(digest), directory_ + "/blobs", folder_of(digest), path_of(digest)}, digest, size, source);
}

BlobResult<void> LocalBlobs::put_bytes(const Digest& digest, std::string_view bytes) {
    if (WEIR_TRY(has(digest))) return {};
    const Source source = [bytes](char* into, std::size_t wanted, std::int64_t offset) -> ssize_t {
        const auto piece = bytes.substr(static_cast<std::size_t>(offset), wanted);
        std::copy(piece.begin(), piece.end(), into);
        return static_cast<ssize_t>(piece.size());
    };
    return store({partial_of(digest), directory_ + "/blobs", folder_of(digest), path_of(digest)}, digest,
                 static_cast<std::int64_t>(bytes.size()), source);
}

BlobResult<void> LocalBlobs::fetch(const Digest& digest, int into) {
    const auto path = path_of(digest);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not in {}", digest.text(), directory_)});
    if (!file) return cannot("open", path);
    const auto size = size_of(file.get());
    if (!size) return cannot("look at", path);
    const auto made = digest_of(file.get(), *size);
    if (!made) return cannot("map", path);
    if (*made != digest) return fail(BlobError{BlobFault::damaged, fmt::format("{} has digest {}: remove it", path, made->text())});
    const Source source = [&file](char* to, std::size_t bytes, std::int64_t offset) { return ::pread(file.get(), to, bytes, offset); };
    if (!append_rest(into, 0, *size, source)) return cannot("hand on", path);
    return {};
}

BlobResult<std::string> LocalBlobs::fetch_bytes(const Digest& digest, std::size_t at_most) {
    const auto path = path_of(digest);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not in {}", digest.text(), directory_)});
    if (!file) return cannot("open", path);
    const auto size = size_of(file.get());
    if (!size) return cannot("look at", path);
    if (*size > static_cast<std::int64_t>(at_most)) {
        return fail(BlobError{BlobFault::damaged, fmt::format("{} has {} bytes, at most {} are read", path, *size, at_most)});
    }
    std::string bytes(static_cast<std::size_t>(*size), '\0');
    for (std::size_t have = 0; have < bytes.size();) {
        const auto got = ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot("read", path);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    if (sha256(bytes) != digest) return fail(BlobError{BlobFault::damaged, fmt::format("{} has another digest: remove it", path)});
    return bytes;
}

}  // namespace weir::blobs_local
