#include "adapters/blobs_local/data_local.hpp"

#include "adapters/blobs_local/local_files.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

namespace weir::blobs_local {
namespace {

namespace fs = std::filesystem;
using ports::BlobError;
using ports::BlobFault;
using ports::BlobResult;
using ports::Removed;
using ports::SizedDigest;

/// With more files than this one sync of the file system is less work than one for each.
constexpr std::size_t single_syncs_max = 8;
constexpr std::string_view upload_suffix = ".upload";
constexpr std::string_view small_suffix = ".small";

std::string text_of(const Digest& digest, std::string_view suffix) { return digest.text() + std::string{suffix}; }

}  // namespace

BlobResult<std::shared_ptr<LocalData>> LocalData::open(std::string directory, std::string writer) {
    auto blobs = WEIR_TRY(LocalBlobs::open(directory, std::move(writer)));
    return std::shared_ptr<LocalData>{new LocalData{std::move(directory), std::move(blobs)}};
}

std::string LocalData::path_of(const Digest& digest) const {
    const auto text = digest.text();
    return directory_ + "/blobs/" + text.substr(0, 2) + "/" + text.substr(2);
}

std::string LocalData::upload_of(const Digest& digest) const { return directory_ + "/partial/" + text_of(digest, upload_suffix); }

bool LocalData::has(const SizedDigest& blob) const {
    struct stat found{};
    return ::stat(path_of(blob.digest).c_str(), &found) == 0 && found.st_size == blob.size;
}

BlobResult<std::vector<SizedDigest>> LocalData::lacking(std::span<const SizedDigest> wanted) {
    std::vector<SizedDigest> missing;
    for (const auto& blob : wanted) {
        struct stat found{};
        if (::stat(path_of(blob.digest).c_str(), &found) == 0) {
            if (found.st_size != blob.size) missing.push_back(blob);
        } else if (errno == ENOENT) {
            missing.push_back(blob);
        } else {
            return cannot("look at", path_of(blob.digest));
        }
    }
    return missing;
}

BlobResult<void> LocalData::name_all(std::span<const SmallBlob* const> blobs) {
    std::set<std::string> folders;
    for (const auto* blob : blobs) {
        const auto path = path_of(blob->digest);
        folders.insert(path.substr(0, path.rfind('/')));
    }
    const auto root = directory_ + "/blobs";
    for (const auto& folder : folders) {
        if (!make_folder(folder) || !give_to_owner_of(root, folder)) return cannot("make", folder);
    }
    for (const auto* blob : blobs) {
        const auto partial = directory_ + "/partial/" + text_of(blob->digest, small_suffix);
        if (::rename(partial.c_str(), path_of(blob->digest).c_str()) != 0) return cannot("publish", path_of(blob->digest));
    }
    for (const auto& folder : folders) {
        if (!sync_folder(folder)) return cannot("sync", folder);
    }
    if (!sync_folder(root)) return cannot("sync", root);
    return {};
}

BlobResult<void> LocalData::put_all(std::span<const SmallBlob> blobs) {
    const std::lock_guard lock{writing_};
    std::vector<const SmallBlob*> fresh;
    std::set<Digest> seen;
    for (const auto& blob : blobs) {
        if (sha256(blob.bytes) != blob.digest)
            return fail(BlobError{BlobFault::damaged, fmt::format("{} bytes do not make {}", blob.bytes.size(), blob.digest.text())});
        if (seen.insert(blob.digest).second && !has({blob.digest, static_cast<std::int64_t>(blob.bytes.size())})) fresh.push_back(&blob);
    }
    if (fresh.empty()) return {};
    const auto folder = directory_ + "/partial";
    for (const auto* blob : fresh) {
        const auto path = folder + "/" + text_of(blob->digest, small_suffix);
        const Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file) return cannot("make", path);
        if (!write_all(file.get(), blob->bytes)) {
            auto error = cannot("write", path);
            ::unlink(path.c_str());
            return error;
        }
        if (::fchmod(file.get(), 0400) != 0 || !give_to_owner_of(folder, path)) return cannot("protect", path);
        if (fresh.size() <= single_syncs_max && ::fsync(file.get()) != 0) return cannot("sync", path);
    }
    if (fresh.size() > single_syncs_max) {
        const Fd opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (!opened || ::syncfs(opened.get()) != 0) return cannot("sync the disk of", folder);
    }
    return name_all(fresh);
}

BlobResult<std::int64_t> LocalData::uploaded(const SizedDigest& blob) {
    if (has(blob)) return blob.size;
    struct stat found{};
    if (::stat(upload_of(blob.digest).c_str(), &found) == 0) return std::min(found.st_size, blob.size);
    if (errno == ENOENT) return 0;
    return cannot("look at", upload_of(blob.digest));
}

BlobResult<void> LocalData::finish(const SizedDigest& blob) {
    const auto path = upload_of(blob.digest);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file) return cannot("open", path);
    const auto made = digest_of_file(file.get(), blob.size);
    if (!made) return cannot("read", path);
    if (*made != blob.digest) {
        ::unlink(path.c_str());
        return fail(BlobError{BlobFault::damaged, fmt::format("{} bytes with digest {} were announced, and bytes with digest {} came; send "
                                                              "them again",
                                                              blob.size, blob.digest.text(), made->text())});
    }
    if (::fsync(file.get()) != 0) return cannot("sync", path);
    const auto root = directory_ + "/blobs";
    const auto target = path_of(blob.digest);
    const auto folder = target.substr(0, target.rfind('/'));
    if (!make_folder(folder) || !give_to_owner_of(root, folder) || !sync_folder(root)) return cannot("make", folder);
    if (::fchmod(file.get(), 0400) != 0 || !give_to_owner_of(root, path)) return cannot("protect", path);
    if (::rename(path.c_str(), target.c_str()) != 0) return cannot("publish", target);
    if (!sync_folder(folder)) return cannot("sync", folder);
    return {};
}

BlobResult<std::int64_t> LocalData::append(const SizedDigest& blob, std::int64_t offset, std::string_view piece) {
    const std::lock_guard lock{writing_};
    if (has(blob)) return blob.size;
    const auto path = upload_of(blob.digest);
    const Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return cannot("open", path);
    auto have = size_of(file.get());
    if (have && *have > blob.size) have = ::ftruncate(file.get(), 0) == 0 ? std::optional<std::int64_t>{0} : std::nullopt;
    if (!have) return cannot("look at", path);
    const auto length = static_cast<std::int64_t>(piece.size());
    if (offset != *have || offset > blob.size - length) {
        return fail(BlobError{BlobFault::unavailable, fmt::format("{} bytes from {} on came of {}, of which {} of {} are here; go on from "
                                                                  "there",
                                                                  length, offset, blob.digest.text(), *have, blob.size)});
    }
    if (::lseek(file.get(), offset, SEEK_SET) < 0) return cannot("go on with", path);
    if (!write_all(file.get(), piece)) return cannot("write", path);
    if (offset + length == blob.size) WEIR_CHECK(finish(blob));
    return offset + length;
}

BlobResult<ports::OpenBlob> LocalData::open(const Digest& digest) {
    Fd file{::open(path_of(digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file && errno == ENOENT) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not stored", digest.text())});
    if (!file) return cannot("open", path_of(digest));
    const auto size = size_of(file.get());
    if (!size) return cannot("look at", path_of(digest));
    return ports::OpenBlob{file.release(), *size};
}

BlobResult<Removed> LocalData::remove(std::span<const Digest> digests) {
    const std::lock_guard lock{writing_};
    Removed removed;
    std::set<std::string> folders;
    for (const auto& digest : digests) {
        const auto path = path_of(digest);
        ::unlink(upload_of(digest).c_str());
        struct stat found{};
        if (::stat(path.c_str(), &found) != 0) continue;
        if (::unlink(path.c_str()) != 0) return cannot("remove", path);
        blobs_->forget(digest);
        ++removed.files;
        removed.bytes += found.st_size;
        folders.insert(path.substr(0, path.rfind('/')));
    }
    for (const auto& folder : folders) {
        if (!sync_folder(folder)) return cannot("sync", folder);
    }
    return removed;
}

BlobResult<std::vector<ports::StoredBlob>> LocalData::list() {
    std::vector<ports::StoredBlob> found;
    std::error_code error;
    for (const auto& folder : fs::directory_iterator{directory_ + "/blobs", error}) {
        for (const auto& entry : fs::directory_iterator{folder.path(), error}) {
            const auto digest = Digest::parse(folder.path().filename().string() + entry.path().filename().string());
            struct stat facts{};
            if (!digest || ::stat(entry.path().c_str(), &facts) != 0) continue;
            found.push_back({*digest, facts.st_size, facts.st_mtim.tv_sec});
        }
    }
    if (error) return fail(BlobError{BlobFault::unavailable, fmt::format("cannot list {}: {}", directory_, error.message())});
    std::ranges::sort(found, {}, &ports::StoredBlob::digest);
    return found;
}

BlobResult<Removed> LocalData::remove_uploads(std::int64_t before_s) {
    const std::lock_guard lock{writing_};
    Removed removed;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{directory_ + "/partial", error}) {
        const auto name = entry.path().filename().string();
        struct stat facts{};
        if (!name.ends_with(upload_suffix) && !name.ends_with(small_suffix)) continue;
        if (::stat(entry.path().c_str(), &facts) != 0 || facts.st_mtim.tv_sec >= before_s) continue;
        if (::unlink(entry.path().c_str()) != 0) continue;
        ++removed.files;
        removed.bytes += facts.st_size;
    }
    if (error) return fail(BlobError{BlobFault::unavailable, fmt::format("cannot list {}: {}", directory_, error.message())});
    return removed;
}

BlobResult<std::unique_ptr<LocalDataStores>> LocalDataStores::open(const std::string& directory, std::string writer) {
    if (!make_folder(directory)) return cannot("make", directory);
    auto projects = directory + "/projects";
    if (!make_folder(projects) || !give_to_owner_of(directory, projects)) return cannot("make", projects);
    return std::unique_ptr<LocalDataStores>{new LocalDataStores{std::move(projects), std::move(writer)}};
}

BlobResult<std::shared_ptr<ports::DataStore>> LocalDataStores::of(const ProjectName& project) {
    const std::lock_guard lock{guard_};
    auto& known = open_[project];
    if (!known) {
        const auto path = directory_ + "/" + project.text();
        auto opened = LocalData::open(path, writer_);
        if (!opened) {
            open_.erase(project);
            return fail(std::move(opened).error());
        }
        for (const auto& part : {path, path + "/blobs", path + "/partial", path + "/damaged"}) {
            if (!give_to_owner_of(directory_, part)) return cannot("give away", part);
        }
        known = std::move(*opened);
    }
    return std::shared_ptr<ports::DataStore>{known};
}

BlobResult<std::vector<ProjectName>> LocalDataStores::projects() {
    std::vector<ProjectName> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{directory_, error}) {
        if (auto name = ProjectName::parse(entry.path().filename().string())) names.push_back(std::move(*name));
    }
    if (error) return fail(BlobError{BlobFault::unavailable, fmt::format("cannot list {}: {}", directory_, error.message())});
    std::ranges::sort(names);
    return names;
}

}  // namespace weir::blobs_local
