// adapters/site_process/users.hpp: which local user each project's tasks run as.
//
// It answers one question: who is this project here? Users are taken from a range that belongs to the site alone, the lowest
// free one first, and written down before they are used, so that a project keeps its user for ever. They need no account.
#pragma once

#include "adapters/task_files/files.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include <sys/types.h>

namespace weir::site_process {

using namespace task_files;  // Files, owners and refusals are called the same here.

struct UserRange {
    uid_t first = 0;
    std::uint32_t count = 0;
    [[nodiscard]] bool contains(uid_t uid) const { return uid >= first && uid - first < count; }
};

class Users {
public:
    /// Reads what was written down in `directory`, which outlives it.
    [[nodiscard]] static BackendResult<Users> open(int directory, UserRange range);

    /// A project whose user is not of the range: that may have changed since it was written down.
    [[nodiscard]] std::optional<std::pair<std::string, uid_t>> find_outside() const;

    [[nodiscard]] BackendResult<uid_t> of(const std::string& project);

private:
    Users(int directory, UserRange range) : directory_(directory), range_(range) {}

    int directory_;
    UserRange range_;
    std::map<std::string, uid_t> known_;
};

}  // namespace weir::site_process
