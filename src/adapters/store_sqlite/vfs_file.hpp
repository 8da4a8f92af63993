// adapters/store_sqlite/vfs_file.hpp: looks at files through the VFS that SQLite uses, so that a simulated disk is seen
// and not the real one behind it.
#pragma once

#include "adapters/sqlite/sqlite.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::store {

/// The database file carries locks that the platform drops when any handle of the process closes, unless the VFS knows
/// that the handle is one of the database's; hence it must be told.
enum class FileKind : std::uint8_t { database = 1, other = 2 };

/// One open file.
class VfsFile {
public:
    /// Opens a file that exists, for reading.
    [[nodiscard]] static std::optional<VfsFile> open(const std::string& vfs, const std::string& path, FileKind kind);
    /// Opens a file that exists, and is no database, for writing.
    [[nodiscard]] static std::optional<VfsFile> open_to_write(const std::string& vfs, const std::string& path);
    /// Opens a file for writing and makes it if need be.
    [[nodiscard]] static std::optional<VfsFile> create(const std::string& vfs, const std::string& path);
    VfsFile(VfsFile&&) noexcept;
    VfsFile& operator=(VfsFile&&) = delete;
    ~VfsFile();

    [[nodiscard]] std::uint64_t size() const;
    /// `size` bytes from `offset`; false if there are fewer or they cannot be read.
    [[nodiscard]] bool read(std::uint64_t offset, void* into, int size) const;

    /// Writes `text` at the start and syncs: SQLITE_OK or an error.
    [[nodiscard]] int store(const std::string& text);
    /// Writes all bytes anew as they are and syncs, so that they are on the disk also where an earlier sync failed: SQLITE_OK or an error.
    [[nodiscard]] int store_again();

private:
    VfsFile() = default;
    [[nodiscard]] static std::optional<VfsFile> open_as(const std::string& vfs, const std::string& path, int flags);

    sqlite3_filename name_ = nullptr;  // The VFS refers to it until the file is closed.
    sqlite3_file* file_ = nullptr;
};

/// Bytes in the file; nothing if there is no such file.
[[nodiscard]] std::optional<std::uint64_t> file_size(const std::string& vfs, const std::string& path, FileKind kind);

/// Makes a small file whose name survives a power cut: SQLITE_OK or an error.
[[nodiscard]] int make_durable_file(const std::string& vfs, const std::string& path);

/// Removes the file, durably; one that is not there is removed.
[[nodiscard]] int remove_durably(const std::string& vfs, const std::string& path);

}  // namespace weir::store
