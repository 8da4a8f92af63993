#include "adapters/store_sqlite/faults.hpp"

#include <fmt/format.h>

namespace weir::store {
namespace {

using ports::JournalError;
using ports::JournalFault;

constexpr std::string_view restore_advice =
    "stop, copy all files of the store aside, and restore from the newest backup and then on from this file (docs/recovery.md says how)";

}  // namespace

JournalError damaged(std::string_view path, std::string_view what) {
    return {JournalFault::damaged, fmt::format("{} is damaged: {}; {}", path, what, restore_advice)};
}

JournalError fault_of(int code, Stage stage, std::string_view path, std::string_view doing, std::string_view detail) {
    const auto said = fmt::format("{} (SQLite code {})", detail, code);
    switch (code & 0xFF) {
        case SQLITE_FULL:
            return {JournalFault::disk_full,
                    fmt::format("cannot {}: no space for {}; nothing was written, make room and try again", doing, path)};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return damaged(path, fmt::format("cannot {}: {}", doing, said));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {JournalFault::in_use,
                    fmt::format("cannot {}: another process holds {} ({}); stop it, or use another directory", doing, path, said)};
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return {JournalFault::read_only,
                    fmt::format("cannot {}: {} refuses writes ({}); remount it or fix its permissions", doing, path, said)};
        case SQLITE_CANTOPEN:
            if (stage == Stage::writing) break;
            return {
                JournalFault::unavailable,
                fmt::format("cannot {}: {} on {}; look at the disk and at the permissions; what is on a disk that can only be read, copy "
                            "with its -wal and -shm to one that can be written, and name the copy",
                            doing, said, path)};
        default: break;
    }
    if (stage == Stage::writing) {
        return {JournalFault::outcome_unknown,
                fmt::format("{}: {} on {}; it may or may not be durable, so this process must end and replay", doing, said, path)};
    }
    return {JournalFault::unavailable, fmt::format("cannot {}: {} on {}; look at the disk and at the permissions", doing, said, path)};
}

JournalError fault_of(const Connection& connection, Stage stage, std::string_view path, std::string_view doing) {
    return fault_of(connection.code(), stage, path, doing, connection.message());
}

}  // namespace weir::store
