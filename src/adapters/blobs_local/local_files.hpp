// adapters/blobs_local/local_files.hpp: the few calls that a store in a directory is made of.
//
// It answers one question: how is a file written so that it is there after a power cut? Errors are values with errno's words.
#pragma once

#include "ports/blob_store.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace weir::blobs_local {

inline constexpr std::size_t piece_bytes = std::size_t{1} << 20;

class Fd {
public:
    explicit Fd(int fd) : fd_{fd} {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

/// unavailable, with errno's words.
[[nodiscard]] inline auto cannot(std::string_view what, const std::string& path) {
    return fail(ports::BlobError{ports::BlobFault::unavailable, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno))});
}

/// False with errno set; some of it may be written then.
[[nodiscard]] bool write_all(int file, std::string_view bytes);
[[nodiscard]] std::optional<std::int64_t> size_of(int file);
[[nodiscard]] bool sync_folder(const std::string& path);
/// What projects keep is their own: whoever else has a user on this host reads none of it. True where it is there already.
[[nodiscard]] bool make_folder(const std::string& path);
/// As root, which stores for others: what lies in a directory belongs to whose the directory is. Otherwise nothing to do.
[[nodiscard]] bool give_to_owner_of(const std::string& directory, const std::string& path);
/// Of the first `size` bytes of a file; nothing where they could not be read.
[[nodiscard]] std::optional<Digest> digest_of_file(int file, std::int64_t size);
/// What may still be stored there: the last GiB of a disk is left to others.
[[nodiscard]] ports::BlobResult<std::int64_t> room_at(const std::string& directory);

}  // namespace weir::blobs_local
