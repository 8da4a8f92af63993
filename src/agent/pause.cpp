#include "agent/pause.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::agent {
namespace {

std::string path_of(const std::string& root) { return root + "/" + pause_file; }

Result<void, std::string> sync_folder(const std::string& root) {
    const int folder = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool good = folder >= 0 && ::fsync(folder) == 0;
    const int error = errno;
    if (folder >= 0) ::close(folder);
    if (good) return {};
    return fail(fmt::format("cannot sync {}: {}", root, std::strerror(error)));
}

}  // namespace

bool is_paused(const std::string& root) {
    struct stat found{};
    return ::stat(path_of(root).c_str(), &found) == 0;
}

Result<PauseChange, std::string> pause_site(const std::string& root, Instant now) {
    const int file = ::open(path_of(root).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file < 0 && errno == EEXIST) return PauseChange::was_so;
    if (file < 0) {
        return fail(fmt::format("cannot make {}: {}; give the agent's own file, and run this as the user who owns its root",
                                path_of(root), std::strerror(errno)));
    }
    const auto text = fmt::format("paused since {}\n", format_utc(now));
    // The file's being there is the order; its words are for people.
    [[maybe_unused]] const auto wrote = ::write(file, text.data(), text.size());
    [[maybe_unused]] const auto synced = ::fsync(file);
    ::close(file);
    WEIR_CHECK(sync_folder(root));
    return PauseChange::made;
}

Result<PauseChange, std::string> resume_site(const std::string& root) {
    if (::unlink(path_of(root).c_str()) == 0) {
        WEIR_CHECK(sync_folder(root));
        return PauseChange::made;
    }
    if (errno == ENOENT) return PauseChange::was_so;
    return fail(fmt::format("cannot remove {}: {}; run this as the user who owns the site's root", path_of(root), std::strerror(errno)));
}

}  // namespace weir::agent
