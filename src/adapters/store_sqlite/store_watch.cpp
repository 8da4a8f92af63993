#include "adapters/store_sqlite/store_watch.hpp"

#include "adapters/store_sqlite/backup.hpp"
#include "adapters/store_sqlite/faults.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

#include <algorithm>

namespace weir::store {

StoreWatch::Identity StoreWatch::identity_of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    return std::pair{static_cast<std::uint64_t>(found.st_dev), static_cast<std::uint64_t>(found.st_ino)};
}

ports::JournalResult<StoreWatch> StoreWatch::open(const std::string& path) {
    StoreWatch watch;
    watch.path_ = path;
    watch.open_ = Connection::open({.path = path});
    // One question opens the log beside the file too.
    if (!watch.open_ || watch.open_.run("SELECT count(*) FROM meta") != SQLITE_OK)
        return fail(fault_of(watch.open_, Stage::reading, path, "watch the store"));
    for (const auto* part : {"", "-wal"}) watch.files_.emplace_back(path + part, identity_of(path + part));
    return watch;
}

std::optional<std::string> StoreWatch::trouble() const {
    const auto lost = std::ranges::find_if(files_, [](const auto& file) { return file.second && identity_of(file.first) != file.second; });
    if (lost == files_.end()) return std::nullopt;
    return fmt::format("{} was removed or replaced while the server ran, and what it writes now has no name", lost->first);
}

std::string StoreWatch::rescue() {
    const auto target = path_ + ".rescued";
    if (const auto copied = write_rescue(open_, path_, target); !copied)
        return fmt::format("it could not be copied to {} either: {}", target, copied.error().message);
    return fmt::format(
        "all that was acknowledged was copied to {}: verify it (weir audit verify --store {}) and make a store of it "
        "(weir-server restore --from {})",
        target, target, target);
}

}  // namespace weir::store
