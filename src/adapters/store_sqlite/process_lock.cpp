#include "adapters/store_sqlite/process_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;

JournalError refused(const std::string& path, int error) {
    const auto fault = error == EROFS || error == EACCES    ? JournalFault::read_only
                       : error == ENOSPC || error == EDQUOT ? JournalFault::disk_full
                                                            : JournalFault::unavailable;
    return {fault,
            fmt::format("cannot lock {}: {}; look at the directory, its permissions and its free space", path, std::strerror(error))};
}

std::string holder(int descriptor) {
    std::array<char, 64> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    std::string_view line{text.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
    line = line.substr(0, line.find('\n'));
    return line.empty() ? "another process" : fmt::format("process {}", line);
}

}  // namespace

ports::JournalResult<ProcessLock> ProcessLock::take(const std::string& path) {
    ProcessLock lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)};
    if (lock.descriptor_ < 0) return fail(refused(path, errno));
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return fail(refused(path, errno));
        return fail(
            JournalError{JournalFault::in_use, fmt::format("the store is open for writing by {} (lock file {}): two servers cannot share "
                                                           "one store; stop that one, or use another directory",
                                                           holder(lock.descriptor_), path)});
    }
    const auto line = fmt::format("{}\n", ::getpid());
    const auto written = ::ftruncate(lock.descriptor_, 0) == 0 ? ::pwrite(lock.descriptor_, line.data(), line.size(), 0) : -1;
    if (written != static_cast<ssize_t>(line.size())) return fail(refused(path, errno));
    return lock;
}

ProcessLock::ProcessLock(ProcessLock&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}

ProcessLock& ProcessLock::operator=(ProcessLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

ProcessLock::~ProcessLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace weir::store
