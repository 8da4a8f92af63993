// adapters/site_process/sandbox.hpp: what a task sees of its host: the arguments of bubblewrap.
//
// It answers one question: which files, devices and processes are there for a task? Limits of memory and processor are
// cgroups.hpp's; who the task is, supervisor/init.hpp's.
//
// A task sees the system read-only, what the site shares read-only, its own folders as they are, a private /tmp and
// /dev/shm, the device files of its cards and only its own processes. The network is the host's: ranks meet on it.
#pragma once

#include "ports/site_backend.hpp"

#include <string>
#include <vector>

namespace weir::site_process {

inline constexpr const char* init_in_sandbox = "/.weir/init";

struct SandboxPlan {
    bool as_root = false;                ///< The supervisor is root: the init inside keeps the right to change its user, and nothing else.
    std::string supervisor{};              ///< The program that becomes the init inside.
    std::vector<std::string> read_only{};  ///< Must be there; at the same path inside.
    std::vector<std::string> writable{};   ///< Likewise.
    std::vector<std::string> devices{};    ///< Passed where they are there.
    bool real_cards = false;             ///< Drivers look for their cards in /sys.
};

/// `bwrap ... --`, to be put before the init's own command line.
[[nodiscard]] std::vector<std::string> sandbox_arguments(const SandboxPlan& plan);

/// The device files of cards of a stack.
[[nodiscard]] std::vector<std::string> device_files(ports::CardStack stack, const std::vector<std::int32_t>& cards);

/// Empty where bubblewrap can make such a sandbox here; otherwise why not.
[[nodiscard]] std::string probe_sandbox(bool as_root, const std::string& supervisor, int deadline_ms);

}  // namespace weir::site_process
