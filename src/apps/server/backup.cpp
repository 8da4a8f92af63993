#include "apps/server/backup.hpp"

#include "adapters/store_sqlite/backup.hpp"
#include "adapters/store_sqlite/restore.hpp"
#include "apps/server/audit.hpp"
#include "base/time.hpp"
#include "control/entry.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace weir::server {

bool backup(const std::string& store, const std::string& target) {
    const auto report = store::write_backup(store, {}, target);
    if (!report) return holds(false, report.error().message);
    return holds(true, fmt::format("{} holds {} and all before it, its chain verified from the first record: {} bytes, head {}", target,
                                   fmt::format("revision {}", report->head.revision), report->size_bytes, report->head.hash.text()));
}

bool restore(const RestoreRequest& request) {
    store::RestoreOptions options{.source = request.source,
                                  .then = request.then,
                                  .target = request.target + "/weir.db",
                                  .until_revision = request.until_revision};
    if (!request.until_time.empty()) {
        const auto until = parse_utc(request.until_time);
        if (!until) return holds(false, fmt::format("--until-time {} must be such as 2026-11-22T06:00:00Z", request.until_time));
        options.keep = [until](const ports::Record& record) {
            const auto entry = control::read_entry(record.text);
            return entry && entry->at <= *until;
        };
    }
    std::error_code error;
    const bool made = std::filesystem::create_directories(request.target, error);
    if (error) return holds(false, fmt::format("cannot make the directory {}: {}; name a new one", request.target, error.message()));
    const auto restored = store::restore_store(options);
    if (!restored) {
        if (made) std::filesystem::remove(request.target, error);
        return holds(false, restored.error().message);
    }
    return holds(
        true,
        fmt::format(
            "{} holds revision {} and all before it; {} later records of the source were left out; start it with weir-server --data {}",
            options.target, restored->head.revision, restored->left_out, request.target));
}

}  // namespace weir::server
