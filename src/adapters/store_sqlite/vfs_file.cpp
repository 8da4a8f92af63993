#include "adapters/store_sqlite/vfs_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace weir::store {
namespace {

sqlite3_vfs* find(const std::string& name) { return sqlite3_vfs_find(name.empty() ? nullptr : name.c_str()); }

std::string full_path(sqlite3_vfs* vfs, const std::string& path) {
    std::vector<char> buffer(static_cast<std::size_t>(vfs->mxPathname) + 1, '\0');
    if (vfs->xFullPathname(vfs, path.c_str(), vfs->mxPathname, buffer.data()) & 0xFF & ~SQLITE_OK_SYMLINK) return path;
    return buffer.data();
}

}  // namespace

std::optional<VfsFile> VfsFile::open_as(const std::string& vfs_name, const std::string& path, int flags) {
    sqlite3_vfs* vfs = find(vfs_name);
    if (vfs == nullptr) return std::nullopt;
    VfsFile file;
    auto* memory = static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(vfs->szOsFile)));
    if (memory == nullptr) return std::nullopt;
    file.name_ = sqlite3_create_filename(full_path(vfs, path).c_str(), "", "", 0, nullptr);
    file.file_ = memory;
    if (vfs->xOpen(vfs, file.name_, memory, flags, nullptr) != SQLITE_OK) return std::nullopt;
    return file;
}

std::optional<VfsFile> VfsFile::open(const std::string& vfs, const std::string& path, FileKind kind) {
    // Opened as what it is, a log would be refused where its database is missing, which is just what must be noticed.
    const int type = kind == FileKind::database ? SQLITE_OPEN_MAIN_DB : SQLITE_OPEN_SUPER_JOURNAL;
    return open_as(vfs, path, SQLITE_OPEN_READONLY | type);
}

std::optional<VfsFile> VfsFile::open_to_write(const std::string& vfs, const std::string& path) {
    return open_as(vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_SUPER_JOURNAL);
}

std::optional<VfsFile> VfsFile::create(const std::string& vfs, const std::string& path) {
    // The platform's VFS syncs the directory with the first sync of a new journal file.
    return open_as(vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL);
}

VfsFile::VfsFile(VfsFile&& other) noexcept : name_{std::exchange(other.name_, nullptr)}, file_{std::exchange(other.file_, nullptr)} {}

VfsFile::~VfsFile() {
    if (file_ != nullptr && file_->pMethods != nullptr) file_->pMethods->xClose(file_);
    std::free(file_);
    sqlite3_free_filename(name_);
}

std::uint64_t VfsFile::size() const {
    sqlite3_int64 size = 0;
    if (file_->pMethods->xFileSize(file_, &size) != SQLITE_OK) return 0;
    return static_cast<std::uint64_t>(size);
}

bool VfsFile::read(std::uint64_t offset, void* into, int size) const {
    return file_->pMethods->xRead(file_, into, size, static_cast<sqlite3_int64>(offset)) == SQLITE_OK;
}

std::optional<std::uint64_t> file_size(const std::string& vfs, const std::string& path, FileKind kind) {
    const auto file = VfsFile::open(vfs, path, kind);
    if (!file) return std::nullopt;
    return file->size();
}

int VfsFile::store(const std::string& text) {
    const int code = file_->pMethods->xWrite(file_, text.data(), static_cast<int>(text.size()), 0);
    return code == SQLITE_OK ? file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL) : code;
}

int VfsFile::store_again() {
    std::vector<char> piece(std::size_t{1} << 20U);
    const auto end = size();
    for (std::uint64_t at = 0; at < end; at += piece.size()) {
        const auto bytes = static_cast<int>(std::min<std::uint64_t>(piece.size(), end - at));
        if (!read(at, piece.data(), bytes)) return SQLITE_IOERR_READ;
        const int code = file_->pMethods->xWrite(file_, piece.data(), bytes, static_cast<sqlite3_int64>(at));
        if (code != SQLITE_OK) return code;
    }
    return file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL);
}

int make_durable_file(const std::string& vfs, const std::string& path) {
    auto file = VfsFile::create(vfs, path);
    return file ? file->store("1") : SQLITE_CANTOPEN;
}

int remove_durably(const std::string& vfs, const std::string& path) {
    sqlite3_vfs* used = find(vfs);
    if (used == nullptr) return SQLITE_CANTOPEN;
    const int code = used->xDelete(used, full_path(used, path).c_str(), 1);
    return code == SQLITE_IOERR_DELETE_NOENT ? SQLITE_OK : code;
}

}  // namespace weir::store
