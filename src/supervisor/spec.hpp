// supervisor/spec.hpp: what a supervisor is told to run, as one strict file.
//
// It answers one question: is this a complete order that may be obeyed? Making the directories and limits that it names is
// the backend's work.
//
// The file is a row of records `key=value`, each ended by a NUL, the first `weir-task=1`, the last `end=`. Unknown, repeated
// and missing keys (but for those two of Spec that say so), figures out of range and an order to run as root are refused;
// nothing is guessed. The parsed Spec points into the bytes, which must outlive it.
#pragma once

#include "base/task_limits.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::supervisor {

inline constexpr std::size_t spec_bytes_max = 384 * 1024;
inline constexpr std::size_t processes_max = static_cast<std::size_t>(task_limits::processes_per_node_max);
inline constexpr std::size_t environment_max = 512;
inline constexpr std::size_t wrapper_max = 512;
inline constexpr std::size_t cgroups_max = 8;
inline constexpr std::size_t cards_max = static_cast<std::size_t>(task_limits::cards_per_node_max);

/// A list with room for `Max` values.
template <class T, std::size_t Max>
struct FixedList {
    std::array<T, Max> values{};
    std::size_t size = 0;
    [[nodiscard]] bool push(T value) {
        if (size == Max) return false;
        values[size++] = value;
        return true;
    }
    [[nodiscard]] std::span<const T> all() const { return {values.data(), size}; }
};

enum class Stack : std::uint8_t { none = 1, cuda = 2, cann = 3, other = 4 };

struct Spec {
    const char* job = nullptr;
    std::int64_t generation = 0;
    std::int64_t node_rank = 0;
    std::int64_t nnodes = 0;
    std::int64_t processes = 0;       ///< How many times `run` is started here.
    std::int64_t nproc_per_node = 0;  ///< WEIR_NPROC_PER_NODE: what a launcher inside the task should start.
    std::int64_t rank_offset = 0;
    std::int64_t world_size = 0;
    const char* master_addr = nullptr;
    std::int64_t master_port = 0;
    const char* run = nullptr;
    const char* workdir = nullptr;
    const char* checkpoint_dir = nullptr;
    const char* resume_dir = nullptr;  ///< Empty: start afresh.
    const char* output_dir = nullptr;
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    Stack stack = Stack::none;
    bool emulated = false;
    std::int64_t log_quota = 0;          ///< Bytes for all streams together.
    std::int64_t kill_grace_s = 0;
    std::int64_t checkpoint_signal = 0;  ///< 0: none.
    std::int64_t checkpoint_before_s = 0;  ///< Ask for a checkpoint so long before a lease ends that nobody renews; 0, or missing: do not.
    std::int64_t stop_after_s = 0;         ///< Stop the task when it has run so long, whatever its lease says; 0, or missing: never.
    const char* init = nullptr;          ///< This program's path inside the wrapper; empty where there is no wrapper.
    FixedList<const char*, cards_max> cards;
    FixedList<const char*, environment_max> environment;  ///< `NAME=value` of the tenant.
    FixedList<const char*, wrapper_max> wrapper;          ///< Put before the command: the sandbox and its arguments.
    FixedList<const char*, cgroups_max> cgroups;          ///< Directories that the task's first process joins.
};

/// Why a spec is refused. In the order of the file; within one record, in this order.
enum class SpecFault : std::uint8_t {
    too_large = 1,
    not_a_spec = 2,         ///< The first record is another one: another program, or a newer version.
    unknown_key = 3,
    repeated_key = 4,
    too_many = 5,           ///< More cards, variables, arguments or limits than fit.
    out_of_range = 6,
    reserved_variable = 7,  ///< The tenant's environment names a variable that Weir sets.
    truncated = 8,          ///< No `end=`, or bytes after it.
    missing_key = 9,
    inconsistent = 10,      ///< Ranks beyond the world, a node beyond the gang, a wrapper without the init inside it.
    runs_as_root = 11,
};

struct SpecError {
    SpecFault fault{};
    char key[48] = {};  ///< Of the record at fault; empty for the file as a whole.
};

/// Fills `spec` from `bytes`; nothing is returned where all of it holds.
[[nodiscard]] std::optional<SpecError> parse_spec(std::span<const char> bytes, Spec& spec);

/// What is wrong, in words; ends with what the figure at fault may be, where there is one.
[[nodiscard]] const char* describe(SpecFault fault);

}  // namespace weir::supervisor
