// adapters/store_sqlite/vfs_file.hpp: looks at files through the VFS that SQLite uses, so that a simulated disk is seen
// and not the real one behind it.
#pragma once

#include "adapters/store_sqlite/sqlite.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::store {

/// The database file carries locks that the platform drops when any handle of the process closes, unless the VFS knows
/// that the handle is one of the database's; hence it must be told.
enum class FileKind : std::uint8_t { database = 1, other = 2 };

/// Reading of one file, opened read-only.
class VfsFile {
public:
    [[nodiscard]] static std::optional<VfsFile> open(const std::string& vfs, const std::string& path, FileKind kind);
    VfsFile(VfsFile&&) noexcept;
    VfsFile& operator=(VfsFile&&) = delete;
    ~VfsFile();

    [[nodiscard]] std::uint64_t size() const;
    /// `size` bytes from `offset`; false if there are fewer or they cannot be read.
    [[nodiscard]] bool read(std::uint64_t offset, void* into, int size) const;

private:
    explicit VfsFile(sqlite3_file* file) : file_{file} {}
    sqlite3_file* file_;
};

/// Bytes in the file; nothing if there is no such file.
[[nodiscard]] std::optional<std::uint64_t> file_size(const std::string& vfs, const std::string& path, FileKind kind);

/// Makes an empty file whose name survives a power cut: SQLITE_OK or an error.
[[nodiscard]] int make_durable_file(const std::string& vfs, const std::string& path);

/// Removes the file, durably; one that is not there is removed.
[[nodiscard]] int remove_durably(const std::string& vfs, const std::string& path);

}  // namespace weir::store
