#include "adapters/store_sqlite/publish.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;

JournalError exists(const std::string& path) {
    return {JournalFault::already_exists, fmt::format("{} exists and is never overwritten; name a new file", path)};
}

JournalError refused(const std::string& path, int error) {
    if (error == EEXIST) return exists(path);
    const auto fault = error == EROFS || error == EACCES || error == EPERM ? JournalFault::read_only
                       : error == ENOSPC || error == EDQUOT                ? JournalFault::disk_full
                                                                           : JournalFault::unavailable;
    return {fault,
            fmt::format("cannot write {}: {}; look at the directory, its permissions and its free space", path, std::strerror(error))};
}

/// Syncs a file or a directory by name; the errno of the failure, or 0.
int sync_path(const std::string& path, int flags) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
    if (descriptor < 0) return errno;
    const int error = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    return error;
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

JournalResult<void> publish(const std::string& from, const std::string& to) {
    if (const int error = sync_path(from, 0); error != 0) return fail(refused(from, error));
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
        if (errno != EINVAL && errno != ENOSYS) return fail(refused(to, errno));
        // File systems without an exclusive rename: a second name, then the first one away.
        if (::link(from.c_str(), to.c_str()) != 0 || ::unlink(from.c_str()) != 0) return fail(refused(to, errno));
    }
    if (const int error = sync_path(directory_of(to), O_DIRECTORY); error != 0) return fail(refused(to, error));
    return {};
}

JournalResult<void> must_be_absent(const std::string& path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) == 0) return fail(exists(path));
    if (errno != ENOENT) return fail(refused(path, errno));
    return {};
}

void remove_leftovers(const std::string& path) {
    for (const std::string_view suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + std::string{suffix}).c_str());
}

}  // namespace weir::store
