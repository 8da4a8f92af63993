// supervisor/status.hpp: what a supervisor says of its task, and the lease it lives by, as small text files.
//
// It answers one question: what became of this task? The file is replaced as a whole (temporary name, rename), so a reader
// sees an old truth or a new one, never half of one; the last line is `end`.
//
// Both files are lines of `key value`. Readers skip keys that they do not know: a newer supervisor may outlive its agent.
#pragma once

#include "supervisor/spec.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::supervisor {

inline constexpr std::size_t boot_id_size = 36;
inline constexpr std::size_t status_bytes_max = 8 * 1024;

/// Names inside a task's directory.
inline constexpr const char* spec_file = "spec";
inline constexpr const char* status_file = "status";
inline constexpr const char* lease_file = "lease";
inline constexpr const char* lock_file = "lock";        ///< Held (OFD lock) for as long as a supervisor lives.
inline constexpr const char* alive_file = "alive";      ///< Metered seconds so far, 20 digits, once a second.
inline constexpr const char* control_file = "control";  ///< SOCK_SEQPACKET.
inline constexpr const char* log_folder = "logs";
inline constexpr const char* request_file = "REQUEST";  ///< In the checkpoint directory: number of the latest request; the task removes it.

/// Values are stored.
enum class Phase : std::uint8_t { starting = 1, running = 2, stopping = 3, ended = 4 };

/// Why a task ended. Values are stored and equal ports::EndReason.
enum class Reason : std::uint8_t {
    none = 0,
    exited = 1,
    signalled = 2,
    lease_ended = 3,
    stopped = 4,
    start_failed = 5,
    out_of_memory = 6,
    supervisor_lost = 7,  ///< Written by the agent, after the sweep.
    host_restarted = 8,   ///< Likewise.
    duration_ended = 9,   ///< It ran as long as it may.
};

struct RankEnd {
    enum class Kind : std::uint8_t { none = 0, exited = 1, signalled = 2 };
    Kind kind = Kind::none;
    std::int32_t code = 0;
};

struct Status {
    Phase phase = Phase::starting;
    Reason reason = Reason::none;
    std::int64_t exit_code = 0;
    std::int64_t supervisor_pid = 0;
    std::int64_t supervisor_start = 0;  ///< Field 22 of /proc/PID/stat: with the boot id it tells a reused pid.
    char boot_id[boot_id_size + 1] = {};
    std::int64_t started_at_s = 0;      ///< Wall clock, read once; all else is counted on CLOCK_BOOTTIME.
    std::int64_t ended_at_s = 0;
    std::int64_t began_ns = 0;          ///< CLOCK_BOOTTIME of the boot `boot_id`; 0: not, or a supervisor of before did not say.
    std::int64_t ended_ns = 0;          ///< Likewise: by then surely nobody was left.
    std::int64_t metered_s = 0;         ///< Whole seconds, rounded down, so that intervals on one card never overlap.
    std::int64_t checkpoint_requests = 0;
    std::int64_t dropped_log_bytes = 0; ///< Lost because they could not be written, e.g. to a full disk.
    std::int64_t processes = 0;
    std::array<RankEnd, processes_max> ends{};
    char detail[256] = {};
};

/// Prints into `room` (status_bytes_max always fits) and returns the text.
[[nodiscard]] std::string_view print_status(const Status& status, std::span<char> room);
/// False for anything that a print_status of this or a newer version did not write in full.
[[nodiscard]] bool parse_status(std::string_view text, Status& status);

/// A lease holds until CLOCK_BOOTTIME of the boot `boot_id` reaches deadline_ns.
struct Lease {
    char boot_id[boot_id_size + 1] = {};
    std::int64_t deadline_ns = 0;
};

inline constexpr std::size_t lease_bytes_max = 256;

[[nodiscard]] std::string_view print_lease(const Lease& lease, std::span<char> room);
[[nodiscard]] std::optional<Lease> parse_lease(std::string_view text);

/// When a lease ends on the boot `boot_id`: at once (0) if it was given for another boot.
[[nodiscard]] std::int64_t lease_end_ns(const Lease& lease, std::string_view boot_id);

}  // namespace weir::supervisor
