#include "adapters/site_process/users_claim.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::site_process {
namespace {

constexpr const char* ranges_file = "users";
constexpr std::size_t root_bytes_max = 4096;

struct flock lock_of(UserRange range) {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = range.first;
    lock.l_len = range.count;
    return lock;
}

std::string name_file(std::int64_t first) { return fmt::format("{}.{}", ranges_file, first); }

/// Whoever else can write there could keep every agent of the host from starting.
BackendResult<Fd> open_own_folder(const std::string& path) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail(cannot("make", path, errno));
    Fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    struct stat facts{};
    if (!folder || fstat(folder.get(), &facts) != 0) return fail(cannot("open", path, errno));
    if (facts.st_uid != geteuid() || (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return refuse(BackendFault::unavailable, fmt::format("{} belongs to user {} and has mode {:04o}: make it this agent's user's alone",
                                                             path, facts.st_uid, facts.st_mode & 07777U));
    }
    return folder;
}

}  // namespace

BackendResult<Fd> claim_users(const std::string& folder, UserRange range, const std::string& root) {
    const Fd claims = WEIR_TRY(open_own_folder(folder));
    Fd ranges = open_beneath(claims.get(), ranges_file, O_RDWR | O_CREAT, 0600);
    if (!ranges) return fail(cannot("open", folder + "/" + ranges_file, errno));
    auto lock = lock_of(range);
    if (fcntl(ranges.get(), F_OFD_SETLK, &lock) == 0) {
        // Only people miss it.
        (void)supervisor::replace_file(claims.get(), name_file(range.first).c_str(), ".new", root, 0600, supervisor::Durable::no);
        return ranges;
    }
    auto held = lock_of(range);
    if (fcntl(ranges.get(), F_OFD_GETLK, &held) != 0 || held.l_type == F_UNLCK) return fail(cannot("lock", folder, errno));
    const auto other = read_text(claims.get(), name_file(held.l_start), root_bytes_max);
    return refuse(BackendFault::refused,
                  fmt::format("the site's users {} to {} and those of the site at {}, {} to {}, are users of one host: each would end the "
                              "other's tasks; give each site a range of its own",
                              range.first, std::int64_t{range.first} + range.count - 1, other.value_or("another root"), held.l_start,
                              held.l_start + held.l_len - 1));
}

}  // namespace weir::site_process
