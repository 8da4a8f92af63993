#include "adapters/site_process/users.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

namespace weir::site_process {
namespace {

constexpr const char* users_file = "users";
constexpr std::size_t users_bytes_max = 8 << 20;

}  // namespace

BackendResult<Users> Users::open(int directory, UserRange range) {
    Users users{directory, range};
    struct stat facts{};
    if (fstatat(directory, users_file, &facts, AT_SYMLINK_NOFOLLOW) != 0) return users;
    const auto text = read_text(directory, users_file, users_bytes_max);
    if (!text)
        return refuse(BackendFault::unavailable,
                      "the file `users` of the site's root cannot be read; restore it, or no project keeps its user");
    std::string_view rest{*text};
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto blank = line.find(' ');
        uid_t uid = 0;
        const auto digits = blank == std::string_view::npos ? std::string_view{} : line.substr(blank + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), uid);
        if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || uid == 0) {
            return refuse(BackendFault::unavailable,
                          fmt::format("the file `users` of the site's root has the line `{}`, wanted `project uid`", line));
        }
        users.known_.emplace(std::string{line.substr(0, blank)}, uid);
    }
    return users;
}

std::optional<std::pair<std::string, uid_t>> Users::find_outside() const {
    for (const auto& known : known_) {
        if (!range_.contains(known.second)) return known;
    }
    return std::nullopt;
}

BackendResult<uid_t> Users::of(const std::string& project) {
    if (const auto at = known_.find(project); at != known_.end()) return at->second;
    std::set<uid_t> taken;
    for (const auto& [name, uid] : known_) taken.insert(uid);
    for (std::uint32_t i = 0; i < range_.count; ++i) {
        const uid_t uid = range_.first + i;
        if (taken.contains(uid)) continue;
        known_.emplace(project, uid);
        std::string text;
        for (const auto& [name, id] : known_) text += fmt::format("{} {}\n", name, id);
        if (supervisor::replace_file(directory_, users_file, "users.new", text, 0600, supervisor::Durable::yes)) return uid;
        const int error = errno;
        known_.erase(project);
        return fail(cannot("write down the user of", project, error));
    }
    return refuse(BackendFault::refused,
                  fmt::format("project {} needs a user and all {} of the site's range are taken; widen the range in the "
                              "site's file",
                              project, range_.count));
}

}  // namespace weir::site_process
