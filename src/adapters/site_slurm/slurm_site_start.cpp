// The way of an order to a job of Slurm, and of a job that has its nodes to its supervisors.
#include "adapters/site_slurm/slurm_site.hpp"
#include "adapters/site_slurm/step_script.hpp"
#include "adapters/task_files/lease.hpp"
#include "adapters/task_files/order.hpp"
#include "base/sha256.hpp"
#include "supervisor/spec.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include <unistd.h>

namespace weir::site_slurm {
namespace {

constexpr const char* draft_file = "spec.draft";  ///< The spec, but for the cards, which Slurm chooses.

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
    return out + "'";
}

}  // namespace

std::string SlurmSite::name_of(const std::string& job, std::int64_t generation) const {
    return fmt::format("weir-{:.12}-{}.{}", sha256(config_.root).text(), job, generation);
}

BackendResult<void> SlurmSite::check(const ports::TaskSpec& task) const {
    if (auto fault = find_fault(task)) {
        return refuse(BackendFault::invalid, fmt::format("task {} cannot be started: {}", key_text(task.key), *fault));
    }
    if (!is_safe_name(task.node)) {
        return refuse(BackendFault::invalid, fmt::format("task {} names no node of Slurm (`{}`); say on which it is placed",
                                                         key_text(task.key), task.node));
    }
    if (task.key.node_rank >= task.nnodes) {
        return refuse(BackendFault::invalid, fmt::format("task {} is beyond its gang of {} nodes", key_text(task.key), task.nnodes));
    }
    if (!task.workdir.empty() || !task.read_only_paths.empty()) {
        return refuse(BackendFault::refused, fmt::format("task {} asks for {} paths of the host, and a Slurm site shares none with tasks; "
                                                         "send a folder with the job",
                                                         key_text(task.key), task.read_only_paths.size() + (task.workdir.empty() ? 0 : 1)));
    }
    return check_fence(task.key);
}

BackendResult<void> SlurmSite::write_orders(int folder, const ports::TaskSpec& task) {
    const auto path = fmt::format("{}/{}", config_.root, folder_of(task.key));
    const auto below = [&](const std::string& name) { return fmt::format("{}/{}", path, name); };
    HostPart host{.owner = {.uid = geteuid(), .gid = getegid()},
                  .emulated = config_.emulated && !task.cards.empty() && task.stack != ports::CardStack::none,
                  .workdir = below(work_folder),
                  .home = below(work_folder),
                  .temporary = below(temporary_folder),
                  .checkpoint_dir = below(checkpoints_folder),
                  .output_dir = below(outputs_folder)};
    if (!task.resume.empty()) {
        host.resume_dir = below(fmt::format("{}/{}", resume_folder, task.resume));
        if (!open_folder(folder, fmt::format("{}/{}", resume_folder, task.resume))) {
            return refuse(BackendFault::not_found, fmt::format("checkpoint {} is not installed for task {}; install it before the start",
                                                               task.resume, key_text(task.key)));
        }
    }
    if (!task.tree.empty()) {
        if (!parse_tree_name(task.tree) || !open_folder(folder, task.tree)) {
            return refuse(BackendFault::not_found, fmt::format("{} is not in place for task {}; install it before the start", task.tree,
                                                               key_text(task.key)));
        }
        host.workdir = below(task.tree);
    }
    const auto text = spec_text(task, host);
    supervisor::Spec checked;
    if (const auto error = supervisor::parse_spec(text, checked)) {
        return refuse(BackendFault::invalid, fmt::format("task {} cannot be started: {}: {}", key_text(task.key), error->key,
                                                         supervisor::describe(error->fault)));
    }
    if (supervisor::replace_file(folder, draft_file, "draft.new", text, 0600, supervisor::Durable::no)) return {};
    return fail(cannot("write the spec of", key_text(task.key), errno));
}

BackendResult<ports::StartOutcome> SlurmSite::start(const ports::TaskSpec& task) {
    WEIR_CHECK(check(task));
    // Whoever was ordered before is not refused for what came later.
    const Fd known = open_folder(root_.get(), folder_of(task.key));
    if (!known || !open_regular(known.get(), order_file)) WEIR_CHECK(check_disk());
    const auto owner = WEIR_TRY(owner_of(task.project));
    const Fd folder = WEIR_TRY(make_task_folder(task.key, task.project, owner));
    WEIR_CHECK(write_order(folder.get(), task));
    const auto record = read_record(folder.get(), boot_id_);
    if (!record.alive && record.status) return ports::StartOutcome::already_ended;
    WEIR_CHECK(write_lease(folder.get(), agent_lease_file, boot_id_, task.lease_deadline));
    if (record.alive) {
        WEIR_CHECK(pass_lease_on(folder.get(), record));
        return ports::StartOutcome::already_running;
    }
    if (!lease_holds(folder.get())) {
        WEIR_CHECK(end_unbegun(folder.get(), boot_id_, supervisor::Reason::lease_ended, "the lease was over before the task began"));
        return ports::StartOutcome::already_ended;
    }
    const GangKey key{task.key.job, task.key.generation};
    auto& gang = gangs_[key];
    if (gang.note && gang.note->job > 0) return ports::StartOutcome::already_running;
    WEIR_CHECK(write_orders(folder.get(), task));
    const bool has_cards = !task.cards.empty() && task.stack != ports::CardStack::none;
    const auto cards = static_cast<std::int64_t>(task.cards.size());
    const auto seconds = task.stop_after_s + task.kill_grace_s + config_.begin_within_s;
    gang.places[task.key.node_rank] = {.node = task.node,
                                       .gpus = has_cards ? cards : 0,
                                       .cpus = std::max({std::int64_t{1}, (task.milli_cpus + 999) / 1000, has_cards ? 0 : cards}),
                                       .memory_mib = task.memory_mib,
                                       .minutes_max = task.stop_after_s > 0 ? seconds / 60 + 1 : 0};
    if (std::ssize(gang.places) < task.nnodes) return ports::StartOutcome::started;
    WEIR_CHECK(submit(key, gang, task.nnodes));
    return ports::StartOutcome::started;
}

BackendResult<void> SlurmSite::submit(const GangKey& key, Gang& gang, std::int32_t nnodes) {
    GangJob job{.name = name_of(key.first, key.second), .comment = "a gang of Weir; its tasks begin when its agent says so",
                .partition = config_.partition, .account = config_.account};
    std::string nodes;
    std::set<std::string> names;
    const auto& first = gang.places.begin()->second;
    for (const auto& [rank, place] : gang.places) {
        auto like_first = place;
        like_first.node = first.node;
        if (!names.insert(place.node).second || like_first != first) {
            return refuse(
                BackendFault::invalid,
                fmt::format("rank {} of {}/{} is on {} with {} cards: a gang of {} nodes here is one job of Slurm, with a node for "
                            "each rank and the same on each; place it so",
                            rank, key.first, key.second, place.node, place.gpus, nnodes));
        }
        job.nodes.push_back(place.node);
        nodes += fmt::format("{} {}\n", rank, place.node);
    }
    job.gpus_per_node = first.gpus;
    job.cpus_per_node = first.cpus;
    job.memory_mib_per_node = first.memory_mib;
    job.minutes_max = first.minutes_max;
    const auto folder = fmt::format("{}/{}/{}/{}", config_.root, tasks_folder, key.first, key.second);
    job.script = fmt::format(
        "#!/bin/sh\nexec srun --nodes={0} --ntasks={0} --ntasks-per-node=1 --kill-on-bad-exit=0 --wait=0 --mpi=none --input=none "
        "--output=none --error=none /bin/sh {1} {2} {3} {4}\n",
        nnodes, quoted(fmt::format("{}/{}", config_.root, step_file)), quoted(folder), quoted(config_.supervisor), config_.begin_within_s);
    const Fd generation = WEIR_TRY(open_generation(key));
    if (!supervisor::replace_file(generation.get(), nodes_file, "nodes.new", nodes, 0600, supervisor::Durable::no)) {
        return fail(cannot("write down the nodes of", folder, errno));
    }
    // Somebody asked before and died, or never heard the answer: then the job is there, or never will be.
    if (gang.note) {
        WEIR_CHECK(adopt(key, gang));
        if (gang.note->job > 0) return {};
    }
    WEIR_CHECK(write_note(key, gang, {}));
    const auto id = rest_.submit(job);
    if (!id && id.error().refused) {
        // There is no job, and nothing to look for.
        unlinkat(generation.get(), note_file, 0);
        gang.note.reset();
        return refuse(BackendFault::refused, id.error().message);
    }
    if (!id) return refuse(BackendFault::unavailable, id.error().message);
    gang.heard_at_ns = 0;
    return write_note(key, gang, {.job = *id});
}

/// Finds the job of a gang by its name.
BackendResult<void> SlurmSite::adopt(const GangKey& key, Gang& gang) {
    auto found = rest_.jobs_named(name_of(key.first, key.second));
    if (!found) return refuse(BackendFault::unavailable, found.error().message);
    // Anybody may give a job any name.
    std::erase_if(*found, [](const SlurmJob& job) { return job.user_id != geteuid(); });
    if (found->empty()) return {};
    return write_note(key, gang, {.job = found->front().id});
}

/// The task's step stands on its node: it is given what it waits for. The file `begin` comes last.
BackendResult<void> SlurmSite::begin(int folder, const ports::TaskKey& key, const Gang& gang) {
    if (open_regular(folder, begin_file)) return {};
    const auto text = read_text(folder, arrival_file, 1024);
    const auto arrival = text ? parse_arrival(*text) : std::nullopt;
    if (!arrival || arrival->job != gang.note->job) return {};
    auto spec = read_text(folder, draft_file, supervisor::spec_bytes_max);
    if (!spec) return refuse(BackendFault::unavailable, fmt::format("the spec of task {} is gone", key_text(key)));
    supervisor::Spec known;
    const bool sound = !supervisor::parse_spec(*spec, known).has_value();
    const auto wanted = sound && known.stack != supervisor::Stack::none ? std::ssize(known.cards.all()) : 0;
    if (wanted > 0) {
        if (std::ssize(arrival->cards) != wanted) {
            return end_unbegun(folder, boot_id_, supervisor::Reason::start_failed,
                               fmt::format("Slurm gave {} cards on {} and {} were ordered", arrival->cards.size(), arrival->node, wanted));
        }
        *spec = with_cards(*spec, arrival->cards);
    }
    WEIR_CHECK(pass_lease_on(folder, {}));
    using supervisor::Durable;
    if (!supervisor::replace_file(folder, supervisor::spec_file, "spec.new", *spec, 0600, Durable::no) ||
        !supervisor::replace_file(folder, begin_file, "begin.new", fmt::format("{} {}\n", arrival->job, arrival->boot_id), 0600,
                                  Durable::no)) {
        return fail(cannot("give out the spec of", key_text(key), errno));
    }
    return {};
}

}  // namespace weir::site_slurm
