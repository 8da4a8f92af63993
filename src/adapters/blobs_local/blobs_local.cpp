#include "adapters/blobs_local/blobs_local.hpp"

#include "adapters/blobs_local/local_files.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::blobs_local {
namespace {

using ports::BlobError;
using ports::BlobFault;
using ports::BlobResult;

constexpr std::size_t verified_max = 100'000;  ///< Digests that are remembered: about 8 MB.

/// What others may do there though they should not, and what to do about it; nothing where they may not. A folder of the store's own is
/// narrowed first, one that was there before it may serve others too.
std::optional<std::string> widely_open(const std::string& path, mode_t too_much, bool is_own) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0 || (found.st_mode & too_much) == 0) return std::nullopt;
    if (is_own && ::chmod(path.c_str(), 0700) == 0) return std::nullopt;
    return fmt::format("{} has mode {:04o}, so that others {} checkpoints: make it 0700, of the agent's user", path, found.st_mode & 07777U,
                       is_own ? "may reach" : "may replace");
}

/// What a copy reads from: up to `bytes.size()` bytes from `offset` on; less than nothing on an error.
using Source = std::function<ssize_t(char* into, std::size_t bytes, std::int64_t offset)>;
/// What it gives a piece to. False with errno set.
using Sink = std::function<bool(std::string_view piece)>;

/// How far a copy came.
enum class Reached : std::uint8_t { end = 1, error = 2, later = 3, never = 4 };

/// Hands the bytes [from, to) on in pieces. `error` with errno set; a source that is shorter than it was said to be is at its end.
Reached hand_on(std::int64_t from, std::int64_t to, const Source& source, const Sink& sink, ports::Copying& copying) {
    std::vector<char> piece(piece_bytes);
    while (from < to) {
        const auto wanted = std::min<std::int64_t>(to - from, static_cast<std::int64_t>(piece.size()));
        const auto got = source(piece.data(), static_cast<std::size_t>(wanted), from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Reached::error;
        if (got == 0) break;
        if (!sink({piece.data(), static_cast<std::size_t>(got)})) return Reached::error;
        from += got;
        const auto onward = copying.onward(got);
        if (onward != ports::Onward::go_on) return onward == ports::Onward::later ? Reached::later : Reached::never;
    }
    return Reached::end;
}

/// The digest of a whole file: nothing where it could not be read, or the reading was called off.
std::pair<Reached, Digest> digest_of(int file, std::int64_t size, ports::Copying& copying) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    Digest digest;
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return {Reached::error, digest};
    const Source source = [file](char* into, std::size_t bytes, std::int64_t at) { return ::pread(file, into, bytes, at); };
    const Sink sink = [&context](std::string_view piece) { return EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1; };
    const auto reached = hand_on(0, size, source, sink, copying);
    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr);
    return {reached, digest};
}

auto called_off(const Digest& digest) {
    return fail(BlobError{BlobFault::unavailable, fmt::format("the copy of {} was called off", digest.text())});
}

struct Copy {
    std::string partial;
    std::string root;    ///< Of `folder`.
    std::string folder;
    std::string path;
};

BlobResult<void> publish(const Copy& copy, const Fd& file) {
    if (::fsync(file.get()) != 0) return cannot("sync", copy.partial);
    if (!make_folder(copy.folder) || !give_to_owner_of(copy.root, copy.folder)) return cannot("make", copy.folder);
    // Whoever made it may not have come to this yet: a name that a power cut takes away takes the blob with it.
    if (!sync_folder(copy.root)) return cannot("sync", copy.root);
    if (::fchmod(file.get(), 0400) != 0 || !give_to_owner_of(copy.root, copy.partial)) return cannot("protect", copy.partial);
    if (::rename(copy.partial.c_str(), copy.path.c_str()) != 0) return cannot("publish", copy.path);
    if (!sync_folder(copy.folder)) return cannot("sync", copy.folder);
    return {};
}

/// What a partial copy became.
struct Grown {
    Reached reached = Reached::end;
    std::int64_t before = 0;    ///< Bytes that an earlier attempt left.
    std::int64_t bytes = 0;
    std::optional<Digest> digest{};  ///< Nothing where it is not of the size that was announced.
};

/// Copies what the file lacks and reads all of it back. `error` with errno set.
Grown grow(const Fd& file, std::int64_t size, const Source& source, ports::Copying& copying) {
    Grown grown;
    auto have = size_of(file.get());
    if (have && *have > size) have = ::ftruncate(file.get(), 0) == 0 ? std::optional<std::int64_t>{0} : std::nullopt;
    if (!have) return {.reached = Reached::error};
    grown.before = *have;
    const Sink sink = [&file](std::string_view piece) { return write_all(file.get(), piece); };
    grown.reached = hand_on(*have, size, source, sink, copying);
    if (grown.reached != Reached::end) return grown;
    grown.bytes = size_of(file.get()).value_or(0);
    if (grown.bytes == size) std::tie(grown.reached, grown.digest) = digest_of(file.get(), size, copying);
    return grown;
}

BlobResult<void> store(const Copy& copy, const Digest& digest, std::int64_t size, const Source& source, ports::Copying& copying) {
    const Fd file{::open(copy.partial.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    if (!file) return cannot("open", copy.partial);
    if (::flock(file.get(), LOCK_EX) != 0) return cannot("lock", copy.partial);
    auto grown = grow(file, size, source, copying);
    if (grown.reached == Reached::end && grown.digest != digest && grown.before > 0) {
        // What an earlier attempt left is at fault, as after a power cut, or what came now: copied whole, it says which.
        if (::ftruncate(file.get(), 0) != 0) return cannot("empty", copy.partial);
        grown = grow(file, size, source, copying);
    }
    if (grown.reached == Reached::never) ::unlink(copy.partial.c_str());
    if (grown.reached == Reached::never || grown.reached == Reached::later) return called_off(digest);
    if (grown.reached == Reached::error) return cannot("copy to", copy.partial);
    if (grown.digest != digest) {
        ::unlink(copy.partial.c_str());
        return fail(
            BlobError{BlobFault::damaged, fmt::format("{} bytes with digest {} were announced, and {} bytes with digest {} came", size,
                                                      digest.text(), grown.bytes, grown.digest ? grown.digest->text() : "none")});
    }
    return publish(copy, file);
}

}  // namespace

BlobResult<std::unique_ptr<LocalBlobs>> LocalBlobs::open(std::string directory, std::string writer) {
    const std::vector own{directory + "/blobs", directory + "/partial", directory + "/damaged"};
    if (!make_folder(directory)) return cannot("make", directory);
    for (const auto& path : own) {
        if (!make_folder(path)) return cannot("make", path);
    }
    if (!sync_folder(directory)) return cannot("sync", directory);
    std::unique_ptr<LocalBlobs> store{new LocalBlobs{directory, std::move(writer)}};
    if (auto remark = widely_open(directory, S_IWGRP | S_IWOTH, false)) store->remarks_.push_back(std::move(*remark));
    for (const auto& path : own) {
        if (auto remark = widely_open(path, S_IRWXG | S_IRWXO, true)) store->remarks_.push_back(std::move(*remark));
    }
    return store;
}

std::string LocalBlobs::folder_of(const Digest& digest) const { return directory_ + "/blobs/" + digest.text().substr(0, 2); }
std::string LocalBlobs::path_of(const Digest& digest) const { return folder_of(digest) + "/" + digest.text().substr(2); }
std::string LocalBlobs::partial_of(const Digest& digest) const { return directory_ + "/partial/" + digest.text() + "." + writer_; }
std::string LocalBlobs::damaged_of(const Digest& digest) const { return directory_ + "/damaged/" + digest.text(); }

void LocalBlobs::note_verified(const Digest& digest) {
    const std::lock_guard lock{guard_};
    if (verified_.size() >= verified_max) verified_.erase(verified_.begin());
    verified_.insert(digest);
}

bool LocalBlobs::is_verified(const Digest& digest) {
    const std::lock_guard lock{guard_};
    return verified_.contains(digest);
}

void LocalBlobs::forget(const Digest& digest) {
    const std::lock_guard lock{guard_};
    verified_.erase(digest);
}

std::string LocalBlobs::set_aside(const Digest& digest, int file) {
    const std::lock_guard lock{guard_};
    verified_.erase(digest);
    const auto path = path_of(digest);
    struct stat looked_at{};
    struct stat there{};
    // Another thread may have stored it anew meanwhile.
    if (::fstat(file, &looked_at) != 0 || ::stat(path.c_str(), &there) != 0 || looked_at.st_ino != there.st_ino) return "it is gone by now";
    const auto aside = damaged_of(digest);
    if (::rename(path.c_str(), aside.c_str()) != 0) return fmt::format("it cannot be renamed ({}): remove it", std::strerror(errno));
    return fmt::format("it is kept as {}, and stored anew with the next checkpoint that has it; look at that disk", aside);
}

BlobResult<bool> LocalBlobs::has(const Digest& digest, std::int64_t size, ports::Copying& copying) {
    const auto path = path_of(digest);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) return false;
    if (!file) return cannot("open", path);
    const auto found = size_of(file.get());
    if (!found) return cannot("look at", path);
    if (*found == size) {
        if (is_verified(digest)) return true;
        const auto [read, made] = digest_of(file.get(), size, copying);
        if (read == Reached::error) return cannot("read", path);
        if (read != Reached::end) return called_off(digest);
        if (made == digest) {
            note_verified(digest);
            return true;
        }
    }
    (void)set_aside(digest, file.get());
    return false;
}

BlobResult<std::int64_t> LocalBlobs::room() {
    return room_at(directory_);
}

BlobResult<void> LocalBlobs::put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) {
    if (WEIR_TRY(has(digest, size, copying))) return {};
    {
        const std::lock_guard lock{guard_};
        if (!under_way_.insert(digest).second)
            return fail(BlobError{BlobFault::unavailable, fmt::format("{} is just being stored for another task", digest.text())});
    }
    const Source source = [file](char* into, std::size_t bytes, std::int64_t offset) { return ::pread(file, into, bytes, offset); };
    auto stored = store({partial_of(digest), directory_ + "/blobs", folder_of(digest), path_of(digest)}, digest, size, source, copying);
    if (stored) note_verified(digest);
    const std::lock_guard lock{guard_};
    under_way_.erase(digest);
    return stored;
}

BlobResult<void> LocalBlobs::put_bytes(const Digest& digest, std::string_view bytes) {
    ports::Unhindered copying;
    const auto size = static_cast<std::int64_t>(bytes.size());
    if (WEIR_TRY(has(digest, size, copying))) return {};
    const Source source = [bytes](char* into, std::size_t wanted, std::int64_t offset) -> ssize_t {
        const auto piece = bytes.substr(static_cast<std::size_t>(offset), wanted);
        std::copy(piece.begin(), piece.end(), into);
        return static_cast<ssize_t>(piece.size());
    };
    WEIR_CHECK(store({partial_of(digest), directory_ + "/blobs", folder_of(digest), path_of(digest)}, digest, size, source, copying));
    note_verified(digest);
    return {};
}

BlobResult<void> LocalBlobs::fetch(const Digest& digest, int into, ports::Copying& copying) {
    const auto path = path_of(digest);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not in {}", digest.text(), directory_)});
    if (!file) return cannot("open", path);
    const auto size = size_of(file.get());
    if (!size) return cannot("look at", path);
    const auto [read, made] = digest_of(file.get(), *size, copying);
    if (read == Reached::error) return cannot("read", path);
    if (read != Reached::end) return called_off(digest);
    if (made != digest) {
        return fail(
            BlobError{BlobFault::damaged, fmt::format("{} has digest {}: {}", path, made.text(), set_aside(digest, file.get()))});
    }
    const Source source = [&file](char* to, std::size_t bytes, std::int64_t offset) { return ::pread(file.get(), to, bytes, offset); };
    const auto handed = hand_on(0, *size, source, [into](std::string_view piece) { return write_all(into, piece); }, copying);
    if (handed == Reached::error) return cannot("hand on", path);
    if (handed != Reached::end) return called_off(digest);
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
    if (const auto made = sha256(bytes); made != digest) {
        return fail(
            BlobError{BlobFault::damaged, fmt::format("{} has digest {}: {}", path, made.text(), set_aside(digest, file.get()))});
    }
    return bytes;
}

}  // namespace weir::blobs_local
