// base/task_limits.hpp: what the parent of a task can be given, known to whoever accepts a job as well as to whoever starts it.
//
// It answers one question: will the supervisor take this? A job that it would refuse is refused when it is submitted, by the same
// figures and the same names: later the refusal would look like a fault of the site, again and again.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::task_limits {

inline constexpr std::int64_t processes_per_node_max = 64;
inline constexpr std::int64_t cards_per_node_max = 64;
inline constexpr std::size_t variables_max = 256;            ///< Of the tenant.
inline constexpr std::size_t variable_name_bytes_max = 128;
inline constexpr std::size_t variable_bytes_max = 32'768;    ///< Of one value.
inline constexpr std::size_t variables_bytes_max = 131'072;  ///< Of all names and values together.
/// Of one argument of a program, its NUL not counted: what Linux takes where a page has 4 KiB. A command is one argument.
inline constexpr std::size_t argument_bytes_max = 131'071;
inline constexpr std::size_t script_bytes_max = 65'536;      ///< Of `setup`, or of `run`.
inline constexpr std::size_t scripts_bytes_max = 128'000;    ///< Of both: they are one command, with a few lines around them.

/// Whether Weir sets this variable itself, so that a tenant cannot.
[[nodiscard]] constexpr bool is_reserved_variable(std::string_view name) {
    constexpr std::array<std::string_view, 8> reserved{"RANK",        "WORLD_SIZE",  "LOCAL_RANK",           "LOCAL_WORLD_SIZE",
                                                       "MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES"};
    return name.starts_with("WEIR_") || std::ranges::find(reserved, name) != reserved.end();
}

/// A letter or '_', then letters, digits and '_'; at most 128.
[[nodiscard]] constexpr bool is_variable_name(std::string_view name) {
    if (name.empty() || name.size() > variable_name_bytes_max || (name.front() >= '0' && name.front() <= '9')) return false;
    return std::ranges::all_of(
        name, [](char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

}  // namespace weir::task_limits
