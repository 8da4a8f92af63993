#include "adapters/blobs_local/local_files.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace weir::blobs_local {

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto wrote = ::write(file, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
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

bool make_folder(const std::string& path) { return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST; }

bool give_to_owner_of(const std::string& directory, const std::string& path) {
    if (::geteuid() != 0) return true;
    struct stat owner{};
    return ::stat(directory.c_str(), &owner) == 0 && (owner.st_uid == 0 || ::lchown(path.c_str(), owner.st_uid, owner.st_gid) == 0);
}

std::optional<Digest> digest_of_file(int file, std::int64_t size) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return std::nullopt;
    std::vector<char> piece(piece_bytes);
    for (std::int64_t at = 0; at < size;) {
        const auto wanted = std::min<std::int64_t>(size - at, static_cast<std::int64_t>(piece.size()));
        const auto got = ::pread(file, piece.data(), static_cast<std::size_t>(wanted), at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(got)) != 1) return std::nullopt;
        at += got;
    }
    Digest digest;
    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr);
    return digest;
}

ports::BlobResult<std::int64_t> room_at(const std::string& directory) {
    constexpr std::int64_t left_free_bytes = std::int64_t{1} << 30;
    struct statvfs found{};
    if (::statvfs(directory.c_str(), &found) != 0) return cannot("look at the disk of", directory);
    const auto free = static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
    return std::max<std::int64_t>(free - left_free_bytes, 0);
}

}  // namespace weir::blobs_local
