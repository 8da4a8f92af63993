#include "adapters/blobs_moved/stage.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weir::blobs_moved {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

/// Reads a file from `at` on in pieces, up to `end`; `take` may end it. False where it could not be read, or `take` was false.
template <class Take>
bool each_piece(int file, std::int64_t at, std::int64_t end, Take&& take) {
    std::vector<char> room(static_cast<std::size_t>(std::clamp<std::int64_t>(end - at, 1, piece_bytes)));
    while (at < end) {
        const auto wanted = std::min<std::int64_t>(end - at, std::ssize(room));
        const auto got = ::pread(file, room.data(), static_cast<std::size_t>(wanted), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) return true;
        if (!take(std::string_view{room.data(), static_cast<std::size_t>(got)})) return false;
        at += got;
    }
    return true;
}

}  // namespace

struct Hash::Context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> made{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Hash::Hash() : context_{std::make_unique<Context>()} { EVP_DigestInit_ex(context_->made.get(), EVP_sha256(), nullptr); }
Hash::~Hash() = default;
void Hash::take(std::string_view bytes) { EVP_DigestUpdate(context_->made.get(), bytes.data(), bytes.size()); }

bool Hash::take_file(const std::string& path) {
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    return file && each_piece(file.get(), 0, INT64_MAX, [this](std::string_view piece) {
        take(piece);
        return true;
    });
}

Digest Hash::digest() {
    Digest made;
    EVP_DigestFinal_ex(context_->made.get(), made.bytes.data(), nullptr);
    return made;
}

bool make_stage(const std::string& path) { return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST; }

std::optional<Piece> copy_piece(int file, std::int64_t from, std::int64_t size, int into, ports::Copying& copying) {
    Hash hash;
    Piece piece;
    const bool whole = each_piece(file, from, from + size, [&](std::string_view bytes) {
        hash.take(bytes);
        piece.bytes += std::ssize(bytes);
        return supervisor::write_all(into, bytes) && copying.onward(std::ssize(bytes)) == ports::Onward::go_on;
    });
    if (!whole) return std::nullopt;
    piece.digest = hash.digest();
    return piece;
}

bool holds(const std::string& path, const Digest& digest, std::int64_t size) {
    if (file_size(path) != size) return false;
    Hash hash;
    return hash.take_file(path) && hash.digest() == digest;
}

std::int64_t file_size(const std::string& path) {
    struct stat facts{};
    return ::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) ? facts.st_size : 0;
}

bool hand_file(const std::string& path, int into) {
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    return file && each_piece(file.get(), 0, INT64_MAX, [into](std::string_view piece) { return supervisor::write_all(into, piece); });
}

bool write_at(int file, std::string_view bytes, std::int64_t offset) {
    return ::lseek(file, offset, SEEK_SET) == offset && supervisor::write_all(file, bytes);
}

std::optional<std::string> read_file(int file, std::size_t at_most) {
    std::string bytes;
    const bool whole = each_piece(file, 0, INT64_MAX, [&](std::string_view piece) {
        bytes += piece;
        return bytes.size() <= at_most;
    });
    return whole ? std::optional{std::move(bytes)} : std::nullopt;
}

std::optional<std::string> read_whole(const std::string& path, std::size_t at_most) {
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    return file ? read_file(file.get(), at_most) : std::nullopt;
}

Fd memory_file(std::string_view bytes) {
    Fd file{::memfd_create("blob", MFD_CLOEXEC)};
    if (!file || !supervisor::write_all(file.get(), bytes)) return {};
    return file;
}

ports::BlobResult<std::int64_t> room_at(const std::string& directory) {
    constexpr std::int64_t left_free_bytes = std::int64_t{1} << 30;
    struct statvfs found{};
    if (::statvfs(directory.c_str(), &found) != 0) return cannot("look at the disk of", directory);
    const auto free = static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
    return std::max<std::int64_t>(free - left_free_bytes, 0);
}

}  // namespace weir::blobs_moved
