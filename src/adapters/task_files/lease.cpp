#include "adapters/task_files/lease.hpp"

#include "adapters/task_files/task_folder.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

/// Over what is there, for a disk that has no room for another file. For a moment it is no lease at all, and a supervisor goes on with the
/// one that it read before.
bool overwrite_lease(int folder, const char* name, std::string_view text) {
    const Fd file = open_beneath(folder, name, O_WRONLY);
    const auto put = [&](std::string_view piece, off_t at) {
        return pwrite(file.get(), piece.data(), piece.size(), at) == std::ssize(piece);
    };
    return file && put("-", 0) && put(text.substr(1), 1) && ftruncate(file.get(), std::ssize(text)) == 0 && put(text.substr(0, 1), 0);
}

}  // namespace

BackendResult<void> write_lease(int folder, const char* name, const std::string& boot_id, ports::BootInstant deadline) {
    char known_room[supervisor::lease_bytes_max];
    if (const auto text = supervisor::read_file(folder, name, known_room)) {
        const auto known = supervisor::parse_lease(*text);
        if (known && supervisor::lease_end_ns(*known, boot_id) >= deadline.ns) return {};
    }
    supervisor::Lease lease{.deadline_ns = deadline.ns};
    boot_id.copy(lease.boot_id, supervisor::boot_id_size);
    char room[supervisor::lease_bytes_max];
    const auto text = supervisor::print_lease(lease, room);
    // A lease need not survive the host: after a restart it is over whatever it says.
    if (supervisor::replace_file(folder, name, (std::string{name} + ".new").c_str(), text, 0600, supervisor::Durable::no)) return {};
    const int error = errno;
    if (overwrite_lease(folder, name, text)) return {};
    return fail(cannot("write", "the lease", error));
}

BackendResult<void> end_unbegun(int folder, const std::string& boot_id, supervisor::Reason reason, const std::string& detail) {
    const auto lock = supervisor::take_lock(folder, supervisor::lock_file);
    if (!lock) return refuse(BackendFault::unavailable, "the task is just being started; ask again");
    const auto record = read_record(folder, boot_id);
    if (record.status) return {};
    supervisor::Status status{.phase = supervisor::Phase::ended,
                              .reason = reason,
                              .exit_code = reason == supervisor::Reason::start_failed ? 125 : 0,
                              .ended_at_s = supervisor::wall_now_s(),
                              .ended_ns = supervisor::boot_now_ns()};
    boot_id.copy(status.boot_id, supervisor::boot_id_size);
    detail.copy(status.detail, sizeof status.detail - 1);
    return write_end(folder, status);
}

}  // namespace weir::task_files
