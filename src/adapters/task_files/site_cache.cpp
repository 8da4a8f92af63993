#include "adapters/task_files/site_cache.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

constexpr const char* cache_folder = "cache";
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::size_t compared_max = 1'000'000;  ///< Names that are remembered.

auto called_off(std::string_view what) {
    return refuse(BackendFault::unavailable, fmt::format("the copy of {} was called off", what));
}

/// Reads all of a file; gives each piece to `take`, which may end it.
template <class Take>
bool read_all(int file, Take&& take) {
    std::vector<char> room(piece_bytes);
    for (off_t at = 0;;) {
        const auto got = pread(file, room.data(), room.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) return true;
        if (!take(std::string_view{room.data(), static_cast<std::size_t>(got)})) return false;
        at += got;
    }
}

/// Whether the file has these bytes; nothing where it could not be read, or that was called off.
std::optional<bool> holds(int file, const TreeEntry& entry, ports::Copying& copying) {
    struct stat facts{};
    if (fstat(file, &facts) != 0) return std::nullopt;
    if (facts.st_size != entry.size) return false;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return std::nullopt;
    const bool whole = read_all(file, [&](std::string_view piece) {
        return EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1 &&
               copying.onward(static_cast<std::int64_t>(piece.size())) == ports::Onward::go_on;
    });
    if (!whole) return std::nullopt;
    Digest made;
    EVP_DigestFinal_ex(context.get(), made.bytes.data(), nullptr);
    return made == entry.digest;
}

mode_t mode_of(const TreeEntry& entry) { return entry.kind == EntryKind::executable ? 0555 : 0444; }

/// The folders on the way to a path below `top`, made where they are not there. @returns the last one.
BackendResult<Fd> way_to(int top, std::string_view path) {
    Fd at{fcntl(top, F_DUPFD_CLOEXEC, 0)};
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/')) {
        at = WEIR_TRY(make_folder(at.get(), std::string{path.substr(0, slash)}, 0755, std::nullopt));
        path.remove_prefix(slash + 1);
    }
    return at;
}

std::string name_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return std::string{slash == std::string_view::npos ? path : path.substr(slash + 1)};
}

}  // namespace

std::string SiteCache::Kept::path() const {
    const auto digest = entry.digest.text();
    return fmt::format("{}/{}/{}/{}{}", cache_folder, project, digest.substr(0, 2), digest.substr(2),
                       entry.kind == EntryKind::executable ? ".x" : "");
}

bool SiteCache::was_compared(const std::string& path) {
    const std::lock_guard lock{guard_};
    if (compared_.size() >= compared_max) compared_.clear();
    return !compared_.insert(path).second;
}

bool SiteCache::has(const std::string& project, const Digest& digest) const {
    const TreeEntry entry{.path = {}, .kind = EntryKind::file, .size = 0, .digest = digest, .target = {}};
    return static_cast<bool>(open_regular(root_, Kept{project, entry}.path()));
}

BackendResult<Fd> SiteCache::bring(const Kept& kept, const ports::FetchFile& fetch, ports::Copying& copying) {
    const auto path = kept.path();
    const Fd folder = WEIR_TRY(way_to(root_, path));
    const auto aside = fmt::format(".new-{}-{}", getpid(), next_++);
    Fd file = open_beneath(folder.get(), aside, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file) return fail(cannot("create a file of", path, errno));
    const auto give_up = [&] { unlinkat(folder.get(), aside.c_str(), 0); };
    const auto fetched = fetch({.size = kept.entry.size, .sha256 = kept.entry.digest, .path = kept.entry.path}, file.get());
    if (!fetched) {
        give_up();
        return fail(fetched.error());
    }
    const auto good = holds(file.get(), kept.entry, copying);
    if (!good) {
        give_up();
        return called_off(kept.entry.path);
    }
    if (!*good) {
        give_up();
        return refuse(BackendFault::bad_checkpoint, fmt::format("{} came with other bytes than its digest says", kept.entry.path));
    }
    if (fchmod(file.get(), mode_of(kept.entry)) != 0 || renameat(folder.get(), aside.c_str(), folder.get(), name_of(path).c_str()) != 0) {
        const int error = errno;
        give_up();
        return fail(cannot("keep", path, error));
    }
    (void)was_compared(path);
    return file;
}

/// The file in the cache, that holds.
BackendResult<Fd> SiteCache::open(const Kept& kept, const ports::FetchFile& fetch, ports::Copying& copying) {
    const auto path = kept.path();
    Fd file = open_regular(root_, path);
    if (!file) return bring(kept, fetch, copying);
    struct stat facts{};
    const bool same_size = fstat(file.get(), &facts) == 0 && facts.st_size == kept.entry.size;
    if (same_size && was_compared(path)) {
        // What was used last is kept longest; its other times are the tenant's to see.
        const timespec now_and_as_it_is[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
        futimens(file.get(), now_and_as_it_is);
        return file;
    }
    const auto good = same_size ? holds(file.get(), kept.entry, copying) : std::optional{false};
    if (!good) return called_off(kept.entry.path);
    if (*good) return file;
    unlinkat(root_, path.c_str(), 0);
    return bring(kept, fetch, copying);
}

BackendResult<void> SiteCache::place(int folder, const std::string& name, const Kept& kept, bool links, const ports::FetchFile& fetch,
                                     ports::Copying& copying) {
    const Fd source = WEIR_TRY(open(kept, fetch, copying));
    if (links && linkat(root_, kept.path().c_str(), folder, name.c_str(), 0) == 0) return {};
    // Another task may have had the cache trimmed meanwhile, or a file has as many names as there can be: a copy does as well.
    const Fd copy = open_beneath(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!copy) return fail(cannot("create", kept.entry.path, errno));
    bool is_off = false;
    const bool whole = read_all(source.get(), [&](std::string_view piece) {
        is_off = copying.onward(static_cast<std::int64_t>(piece.size())) != ports::Onward::go_on;
        return !is_off && supervisor::write_all(copy.get(), piece);
    });
    if (is_off) return called_off(kept.entry.path);
    if (!whole || fchmod(copy.get(), mode_of(kept.entry)) != 0) return fail(cannot("copy", kept.entry.path, errno));
    return {};
}

BackendResult<void> SiteCache::install(int task, const std::string& name, const std::string& project, const Tree& tree, bool links,
                                       const ports::FetchFile& fetch, ports::Copying& copying) {
    if (open_folder(task, name)) return {};
    const auto aside = ".new-" + name;
    if (!remove_tree(task, aside)) return fail(cannot("clear", aside, errno));
    WEIR_TRY(make_folder(root_, cache_folder, 0711, std::nullopt));
    const Fd target = WEIR_TRY(make_folder(task, aside, 0755, std::nullopt));
    for (const auto& entry : tree.entries) {
        const Fd folder = WEIR_TRY(way_to(target.get(), entry.path));
        const auto last = name_of(entry.path);
        if (entry.is_link()) {
            if (symlinkat(entry.target.c_str(), folder.get(), last.c_str()) != 0) return fail(cannot("link", entry.path, errno));
            continue;
        }
        WEIR_CHECK(place(folder.get(), last, {project, entry}, links, fetch, copying));
    }
    if (renameat(task, aside.c_str(), task, name.c_str()) != 0) return fail(cannot("publish", name, errno));
    return {};
}

void SiteCache::trim() {
    struct Old {
        std::int64_t used_ns = 0;
        std::int64_t bytes = 0;
        std::string path;
    };
    namespace fs = std::filesystem;
    std::vector<Old> files;
    std::int64_t bytes = 0;
    std::error_code error;
    const auto top = fmt::format("/proc/self/fd/{}/{}", root_, cache_folder);
    for (auto at = fs::recursive_directory_iterator{top, error}; !error && at != fs::recursive_directory_iterator{}; at.increment(error)) {
        struct stat facts{};
        if (lstat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
        files.push_back({facts.st_atim.tv_sec * 1'000'000'000 + facts.st_atim.tv_nsec, facts.st_size, at->path().string()});
        bytes += facts.st_size;
    }
    if (bytes <= bytes_max_) return;
    std::ranges::sort(files, {}, &Old::used_ns);
    for (const auto& file : files) {
        if (bytes <= bytes_max_) break;
        if (unlink(file.path.c_str()) == 0) bytes -= file.bytes;
    }
}

}  // namespace weir::task_files
