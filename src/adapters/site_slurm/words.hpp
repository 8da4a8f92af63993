// adapters/site_slurm/words.hpp: what Slurm's words mean to the port.
//
// It answers one question: given what Slurm says of a job or a node, what became of a task, and what is there? Pure functions.
#pragma once

#include "adapters/site_slurm/rest.hpp"
#include "ports/site_backend.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::site_slurm {

/// Whether nothing of the job runs any more. A job that is completing still has processes.
[[nodiscard]] bool is_over(std::string_view job_state);
/// Whether it waits, and has no node yet.
[[nodiscard]] bool is_waiting(std::string_view job_state);

/// Why a task ended that could not say so itself: its supervisor is gone, or never came. `begun`: it had one.
[[nodiscard]] ports::EndReason end_of(std::string_view job_state, bool begun);

/// One kind of cards of a node.
struct GresCount {
    std::string type{};  ///< "h800"; empty where Slurm was told none.
    std::int32_t count = 0;
    friend bool operator==(const GresCount&, const GresCount&) = default;
};
/// The gpus of a node's GRES text, such as `gpu:h800:8(S:0-1),gpu:a800:2`. What is no gpu is left out.
[[nodiscard]] std::vector<GresCount> parse_gres(std::string_view text);

/// Why nothing new can run on a node, in Slurm's word; nothing where it can.
[[nodiscard]] std::optional<std::string> why_away(const SlurmNode& node);

/// What a task's step says of where it is, before its supervisor begins.
struct Arrival {
    std::int64_t job = 0;
    std::string boot_id{};
    std::int64_t uptime_ns = 0;  ///< CLOCK_BOOTTIME of its host, when it said so.
    std::string node{};
    std::vector<std::int32_t> cards{};  ///< As Slurm numbers them for this task.
    friend bool operator==(const Arrival&, const Arrival&) = default;
};
/// Nothing where it is not whole.
[[nodiscard]] std::optional<Arrival> parse_arrival(std::string_view text);

/// What is known of a gang's job. Durable: it is written down before Slurm is asked, and again after.
struct GangNote {
    std::int64_t job = 0;  ///< 0: Slurm is being asked, or the answer was lost.
    std::string over{};    ///< Its last state, once nothing of it runs; "FORGOTTEN" where Slurm knows it no more.
    friend bool operator==(const GangNote&, const GangNote&) = default;
};
[[nodiscard]] std::string print_note(const GangNote& note);
[[nodiscard]] std::optional<GangNote> parse_note(std::string_view text);

/// A supervisor's spec with other cards: those that Slurm gave.
[[nodiscard]] std::string with_cards(std::string_view spec, const std::vector<std::int32_t>& cards);

/// A deadline of the agent's boot clock in that of a host whose clock read at least `host_ns` at some moment before the agent's read
/// `agent_ns`: never later in truth than the agent's. Both clocks tick alike but for the drift that leases allow for.
[[nodiscard]] constexpr std::int64_t deadline_there(std::int64_t deadline_ns, std::int64_t agent_ns, std::int64_t host_ns) {
    return host_ns + (deadline_ns - agent_ns);
}

}  // namespace weir::site_slurm
