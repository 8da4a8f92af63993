// adapters/blobs_moved/stage.hpp: files of ours on their way to the far end or from it.
//
// It answers one question: does this file have the bytes that it is to have? All that is here is made anew where it is lost: nothing is
// synced.
#pragma once

#include "base/sha256.hpp"
#include "ports/blob_store.hpp"
#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::blobs_moved {

using supervisor::Fd;

/// unavailable, with errno's words.
[[nodiscard]] inline auto cannot(std::string_view what, const std::string& path) {
    return fail(ports::BlobError{ports::BlobFault::unavailable, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno))});
}

/// A digest that grows.
class Hash {
public:
    Hash();
    ~Hash();
    Hash(const Hash&) = delete;
    Hash& operator=(const Hash&) = delete;
    void take(std::string_view bytes);
    /// All of a file; false where it cannot be read.
    [[nodiscard]] bool take_file(const std::string& path);
    /// Of all that was taken; nothing is taken after it.
    [[nodiscard]] Digest digest();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

struct Piece {
    Digest digest;
    std::int64_t bytes = 0;
};

/// Makes a folder of ours, for us alone; true where it is there already.
[[nodiscard]] bool make_stage(const std::string& path);
/// Copies [from, from + size) of a file, or less where that ends before. Nothing where it cannot be read or written, or is called off.
[[nodiscard]] std::optional<Piece> copy_piece(int file, std::int64_t from, std::int64_t size, int into, ports::Copying& copying);
/// Whether the file has this size and digest.
[[nodiscard]] bool holds(const std::string& path, const Digest& digest, std::int64_t size);
/// 0 where there is none.
[[nodiscard]] std::int64_t file_size(const std::string& path);
/// Appends a whole file to a descriptor.
[[nodiscard]] bool hand_file(const std::string& path, int into);
[[nodiscard]] bool write_at(int file, std::string_view bytes, std::int64_t offset);
/// All of a file from its beginning on; nothing where it is longer.
[[nodiscard]] std::optional<std::string> read_file(int file, std::size_t at_most);
[[nodiscard]] std::optional<std::string> read_whole(const std::string& path, std::size_t at_most);
/// A file without a name that has these bytes.
[[nodiscard]] Fd memory_file(std::string_view bytes);
/// What may still be put there: the last GiB of a disk is left to others.
[[nodiscard]] ports::BlobResult<std::int64_t> room_at(const std::string& directory);

}  // namespace weir::blobs_moved
