#include "adapters/store_sqlite/vfs_file.hpp"

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

/// An open file handle in memory that the VFS chose the size of, or null.
sqlite3_file* open_file(const std::string& vfs_name, const std::string& path, int flags) {
    sqlite3_vfs* vfs = find(vfs_name);
    if (vfs == nullptr) return nullptr;
    auto* file = static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(vfs->szOsFile)));
    if (file == nullptr) return nullptr;
    const auto full = full_path(vfs, path);
    const auto name = sqlite3_create_filename(full.c_str(), "", "", 0, nullptr);
    const int code = vfs->xOpen(vfs, name, file, flags, nullptr);
    sqlite3_free_filename(name);
    if (code == SQLITE_OK) return file;
    if (file->pMethods != nullptr) file->pMethods->xClose(file);
    std::free(file);
    return nullptr;
}

void close_file(sqlite3_file* file) {
    if (file == nullptr) return;
    file->pMethods->xClose(file);
    std::free(file);
}

}  // namespace

std::optional<VfsFile> VfsFile::open(const std::string& vfs, const std::string& path, FileKind kind) {
    const int type = kind == FileKind::database ? SQLITE_OPEN_MAIN_DB : SQLITE_OPEN_MAIN_JOURNAL;
    sqlite3_file* file = open_file(vfs, path, SQLITE_OPEN_READONLY | type);
    if (file == nullptr) return std::nullopt;
    return VfsFile{file};
}

VfsFile::VfsFile(VfsFile&& other) noexcept : file_{std::exchange(other.file_, nullptr)} {}

VfsFile::~VfsFile() { close_file(file_); }

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

int make_durable_file(const std::string& vfs, const std::string& path) {
    // The platform's VFS syncs the directory with the first sync of a new journal file.
    sqlite3_file* file = open_file(vfs, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL);
    if (file == nullptr) return SQLITE_CANTOPEN;
    int code = file->pMethods->xWrite(file, "1", 1, 0);
    if (code == SQLITE_OK) code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    close_file(file);
    return code;
}

int remove_durably(const std::string& vfs, const std::string& path) {
    sqlite3_vfs* used = find(vfs);
    if (used == nullptr) return SQLITE_CANTOPEN;
    const int code = used->xDelete(used, full_path(used, path).c_str(), 1);
    return code == SQLITE_IOERR_DELETE_NOENT ? SQLITE_OK : code;
}

}  // namespace weir::store
