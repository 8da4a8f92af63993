#include "agent/gang.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace weir::agent {
namespace {

/// Those that say most about the cause first.
constexpr std::array telling{Reason::node_lost, Reason::site_lost_task, Reason::start_failed,         Reason::out_of_memory,
                             Reason::signalled, Reason::exit_code,      Reason::max_duration_reached, Reason::lease_lost};

std::size_t rank_of(Reason reason) { return static_cast<std::size_t>(std::ranges::find(telling, reason) - telling.begin()); }

bool has_failed(const ports::TaskObserved& rank) {
    const auto reason = reason_of(rank);
    return reason && *reason != Reason::exited;
}

const ports::TaskObserved* first_failed(const std::vector<const ports::TaskObserved*>& ranks) {
    const ports::TaskObserved* first = nullptr;
    const auto order = [](const ports::TaskObserved& rank) {
        return std::tuple{rank.ended_at_s, rank_of(*reason_of(rank)), rank.key.node_rank};
    };
    for (const auto* rank : ranks) {
        if (rank == nullptr || !has_failed(*rank)) continue;
        if (first == nullptr || order(*rank) < order(*first)) first = rank;
    }
    return first;
}

bool is_alive(const ports::TaskObserved& rank) { return rank.state != ports::TaskState::ended; }

/// The last of these instants of the ranks that were started, where it is known of each.
std::optional<ports::BootInstant> last_of(const std::vector<const ports::TaskObserved*>& ranks,
                                          std::optional<ports::BootInstant> ports::TaskObserved::*instant) {
    std::optional<ports::BootInstant> last;
    for (const auto* rank : ranks) {
        if (rank == nullptr) continue;
        if (!(rank->*instant)) return std::nullopt;
        last = std::max(last, rank->*instant);
    }
    return last;
}

}  // namespace

std::optional<Reason> reason_of(const ports::TaskObserved& rank) {
    if (!rank.reason) return std::nullopt;
    switch (*rank.reason) {
        case ports::EndReason::exited: return rank.exit_code == 0 ? Reason::exited : Reason::exit_code;
        case ports::EndReason::signalled: return Reason::signalled;
        case ports::EndReason::lease_ended: return Reason::lease_lost;
        case ports::EndReason::stopped: return std::nullopt;
        case ports::EndReason::start_failed: return Reason::start_failed;
        case ports::EndReason::out_of_memory: return Reason::out_of_memory;
        case ports::EndReason::supervisor_lost: return Reason::site_lost_task;
        case ports::EndReason::host_restarted: return Reason::node_lost;
        case ports::EndReason::duration_ended: return Reason::max_duration_reached;
    }
    return Reason::site_lost_task;
}

GangView look_at(const std::vector<const ports::TaskObserved*>& ranks, bool closed) {
    GangView view;
    bool all_here = true;
    bool all_run = true;
    bool all_done = true;
    for (const auto* rank : ranks) {
        if (rank == nullptr) {
            all_here = false;
            continue;
        }
        view.any_here = true;
        view.any_alive = view.any_alive || is_alive(*rank);
        all_run = all_run && rank->state != ports::TaskState::starting;
        all_done = all_done && reason_of(*rank) == Reason::exited;
        view.ended_at_s = std::max(view.ended_at_s, rank->ended_at_s);
    }
    view.began = last_of(ranks, &ports::TaskObserved::began);
    if (view.any_alive) {
        view.ended_at_s = 0;
    } else {
        view.ended = last_of(ranks, &ports::TaskObserved::ended);
    }
    const auto* failed = first_failed(ranks);
    if (failed != nullptr) {
        view.first_failed = failed->key.node_rank;
        view.exit_code = failed->exit_code;
        view.lost_node = failed->reason == ports::EndReason::host_restarted;
    }
    if (!view.any_alive && (all_here || closed)) {
        view.state = TaskState::ended;
        if (failed != nullptr) {
            view.reason = *reason_of(*failed);
        } else {
            view.reason = all_here && all_done ? Reason::exited : Reason::site_lost_task;
        }
    } else if (all_here && all_run) {
        view.state = TaskState::running;
    }
    return view;
}

}  // namespace weir::agent
