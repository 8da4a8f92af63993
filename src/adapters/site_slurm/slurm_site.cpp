// What there is, what is observed, what is asked of a running task. The way of an order to a job is in slurm_site_start.cpp.
#include "adapters/site_slurm/slurm_site.hpp"

#include "adapters/site_slurm/step_script.hpp"
#include "adapters/task_files/lease.hpp"
#include "adapters/task_files/order.hpp"
#include "supervisor/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <unistd.h>

namespace weir::site_slurm {
namespace {

constexpr const char* forgotten = "FORGOTTEN";
constexpr std::int64_t second_ns = 1'000'000'000;

}  // namespace

SlurmSite::SlurmSite(SlurmConfig config)
    : FolderSite{config.root, {.cache_bytes_max = config.cache_bytes_max, .disk_floor_bytes = config.disk_floor_bytes}},
      config_{std::move(config)},
      rest_{config_.rest} {}

BackendResult<std::unique_ptr<SlurmSite>> SlurmSite::open(SlurmConfig config) {
    std::unique_ptr<SlurmSite> site{new SlurmSite{std::move(config)}};
    WEIR_CHECK(site->prepare());
    return site;
}

BackendResult<void> SlurmSite::prepare() {
    if (geteuid() == 0) {
        return refuse(BackendFault::refused,
                      "the agent of a Slurm site must not be root: its tasks are jobs of its own user; run it as a user that Slurm knows");
    }
    if (!config_.tenants_share_user) {
        return refuse(
            BackendFault::refused,
            fmt::format("all tasks of a Slurm site run as user {}, who can read the site's folder: say that its tenants share one "
                        "user (shared_user: true), or run a process site with users of its own",
                        geteuid()));
    }
    if (!config_.root.starts_with('/') || !config_.supervisor.starts_with('/')) {
        return refuse(BackendFault::invalid, fmt::format("the site's root `{}` and supervisor `{}` must be absolute paths; write them so",
                                                         config_.root, config_.supervisor));
    }
    if (access(config_.supervisor.c_str(), X_OK) != 0) return fail(cannot("run the supervisor", config_.supervisor, errno));
    char boot_id[supervisor::boot_id_size + 1];
    supervisor::read_boot_id(boot_id);
    boot_id_ = boot_id;
    if (boot_id_.empty()) return fail(cannot("read", "the boot id of this host", errno));
    WEIR_CHECK(open_root(std::nullopt, 0700));
    if (!supervisor::replace_file(root_.get(), step_file, "weir-step.new", step_script, 0700, supervisor::Durable::no)) {
        return fail(cannot("write the script of steps below", config_.root, errno));
    }
    read_notes();
    return {};
}

void SlurmSite::read_notes() {
    for (const auto& [key, end] : list_.all()) {
        auto& gang = gangs_[{key.job, key.generation}];
        if (gang.note) continue;
        const Fd folder = open_folder(tasks_.get(), fmt::format("{}/{}", key.job, key.generation));
        const auto text = folder ? read_text(folder.get(), note_file, 1024) : std::nullopt;
        if (text) gang.note = parse_note(*text);
    }
}

ports::Capabilities SlurmSite::capabilities() const {
    ports::Capabilities all;
    all.backend = "slurm";
    all.nodes_come_and_go = true;
    all.checkpoints_beside = true;
    all.isolation.push_back(
        fmt::format("all tasks run as user {}: they can reach each other's files at this site, and the agent's", geteuid()));
    all.isolation.emplace_back("memory, processors and cards are limited as Slurm is set up on its nodes; Weir adds nothing");
    all.isolation.emplace_back("no sandbox: a task sees the files of its node as its user does");
    all.isolation.emplace_back("the disk is watched, not limited: a task whose files take more than it may is stopped once that is seen");
    return all;
}

// --- inventory ---------------------------------------------------------------------------------------------------------

BackendResult<ports::Inventory> SlurmSite::inventory() {
    const auto nodes = rest_.nodes();
    if (!nodes) return refuse(BackendFault::unavailable, nodes.error().message);
    ports::Inventory inventory;
    for (const auto& node : *nodes) {
        const auto& in = node.partitions;
        if (!config_.partition.empty() && std::ranges::find(in, config_.partition) == in.end()) continue;
        if (const auto why = why_away(node)) {
            inventory.remarks.push_back(fmt::format("node {} is {} in Slurm: its cards are not offered", node.name, *why));
            continue;
        }
        inventory.milli_cpus += node.cpus * 1000;
        inventory.memory_mib += node.memory_mib;
        const auto kinds = parse_gres(node.gres);
        if (kinds.size() > 1) {
            inventory.remarks.push_back(
                fmt::format("node {} has {} types of cards ({}), and a job here is given cards of one: {} alone are offered", node.name,
                            kinds.size(), node.gres, kinds.front().type));
        }
        if (kinds.empty()) continue;
        const auto known = config_.kinds.find(kinds.front().type);
        const CardKind kind = known == config_.kinds.end() ? CardKind{.model = kinds.front().type} : known->second;
        for (std::int32_t index = 0; index < kinds.front().count; ++index) {
            inventory.cards.push_back(
                {.node = node.name, .index = index, .model = kind.model, .stack = kind.stack, .emulated = config_.emulated});
        }
    }
    if (config_.emulated) inventory.remarks.emplace_back("the cards are emulated: Slurm counts them, and nothing stands behind them");
    std::ranges::sort(inventory.cards, {}, [](const ports::Card& card) { return std::tie(card.node, card.stack, card.index); });
    return inventory;
}

// --- what is observed --------------------------------------------------------------------------------------------------

BackendResult<Owner> SlurmSite::owner_of(const std::string&) { return Owner{.uid = geteuid(), .gid = getegid()}; }

/// Also one whose supervisor is just about to: its spec is given out.
bool SlurmSite::has_begun(int folder) const {
    const auto record = read_record(folder, boot_id_);
    return record.status || record.alive || open_regular(folder, begin_file);
}

bool SlurmSite::is_silent(int folder) const {
    const auto record = read_record(folder, boot_id_);
    return !record.alive && record.status.has_value();
}

BackendResult<std::vector<ports::TaskObserved>> SlurmSite::observe() {
    std::vector<ports::TaskObserved> all;
    std::map<GangKey, bool> lives;
    for (auto& [key, end] : list_.all()) {
        auto& any = lives[{key.job, key.generation}];
        if (end) {
            all.push_back(std::move(*end));
            continue;
        }
        const Fd folder = open_folder(root_.get(), folder_of(key));
        if (!folder || !open_regular(folder.get(), order_file)) continue;
        all.push_back(look_at(folder.get(), key));
        if (all.back().state == ports::TaskState::ended) list_.keep_end(all.back());
        else any = true;
    }
    for (auto& [key, gang] : gangs_) {
        if (!lives[key]) tidy(key, gang);
    }
    return all;
}

ports::TaskObserved SlurmSite::look_at(int folder, const ports::TaskKey& key) {
    const auto record = read_record(folder, boot_id_);
    if (!record.status && !record.alive) return look_at_waiting(folder, key, record);
    if (record.status && !record.alive && record.status->phase != supervisor::Phase::ended) return bury(folder, key, record);
    return observe_record(key, record);
}

/// Ordered, and no supervisor has it.
ports::TaskObserved SlurmSite::look_at_waiting(int folder, const ports::TaskKey& key, const TaskRecord& record) {
    auto observed = observe_record(key, record);
    const auto end = [&](supervisor::Reason reason, const std::string& why) {
        // Where a supervisor has just begun it, its word counts.
        if (end_unbegun(folder, boot_id_, reason, why)) observed = observe_record(key, read_record(folder, boot_id_));
        else observed.begun = true;
        return observed;
    };
    if (read_fence(tasks_.get(), key.job) >= key.generation) return end(supervisor::Reason::stopped, "fenced before it began");
    if (!lease_holds(folder)) return end(supervisor::Reason::lease_ended, "the lease was over before the task began");
    auto& gang = gangs_[{key.job, key.generation}];
    if (!gang.note || gang.note->job == 0) return observed;
    observed.begun = true;
    const auto& heard = ask({key.job, key.generation}, gang);
    if (!heard.answered) {
        observed.detail = fmt::format("job {} of Slurm: {}", gang.note->job, heard.why_not);
        return observed;
    }
    const std::string state = heard.job ? heard.job->state : forgotten;
    if (!heard.job || is_over(state)) {
        return end(static_cast<supervisor::Reason>(end_of(state, false)),
                   fmt::format("Slurm ended job {} as {} before the task began", gang.note->job, state));
    }
    observed.detail = fmt::format("job {} of Slurm is {}{}", gang.note->job, state,
                                  is_waiting(state) && !heard.job->reason.empty() ? ": " + heard.job->reason : "");
    if (is_waiting(state)) return observed;
    if (const auto begun = begin(folder, key, gang); !begun) observed.detail = begun.error().message;
    return observed;
}

/// Its supervisor is gone without a word. Slurm ends what is left of its job; once that is so, the end is written.
ports::TaskObserved SlurmSite::bury(int folder, const ports::TaskKey& key, TaskRecord record) {
    auto observed = observe_record(key, record);
    auto& gang = gangs_[{key.job, key.generation}];
    std::string state = forgotten;
    if (gang.note && gang.note->job > 0) {
        const auto& heard = ask({key.job, key.generation}, gang);
        observed.state = ports::TaskState::stopping;
        observed.detail = fmt::format("the supervisor was killed; job {} of Slurm: {}", gang.note->job,
                                      heard.answered ? (heard.job ? heard.job->state : forgotten) : heard.why_not);
        if (!heard.answered) return observed;
        if (heard.job && !is_over(heard.job->state)) {
            // Repeated at each look, where it cannot be told now.
            (void)rest_.cancel(gang.note->job);
            return observed;
        }
        if (heard.job) state = heard.job->state;
    }
    auto& status = *record.status;
    status.phase = supervisor::Phase::ended;
    status.reason = static_cast<supervisor::Reason>(end_of(state, true));
    status.exit_code = 137;
    status.metered_s = record.alive_s;
    status.ended_at_s = status.started_at_s + record.alive_s;
    if (status.began_ns > 0) status.ended_ns = status.began_ns + record.alive_s * second_ns;
    const auto detail = fmt::format("the supervisor was killed; Slurm's job {} is {}", gang.note ? gang.note->job : 0, state);
    detail.copy(status.detail, sizeof status.detail - 1);
    if (!write_end(folder, status)) return observed;
    return observe_record(key, read_record(folder, boot_id_));
}

const SlurmSite::Heard& SlurmSite::ask(const GangKey& key, Gang& gang) {
    const auto now_ns = supervisor::boot_now_ns();
    if (gang.heard_at_ns != 0 && now_ns - gang.heard_at_ns < std::int64_t{config_.ask_every_ms} * 1'000'000) return gang.heard;
    gang.heard_at_ns = now_ns;
    auto job = rest_.job(gang.note->job);
    // An id is used again after a controller lost its state: another's job is not ours.
    if (job && *job && ((*job)->name != name_of(key.first, key.second) || (*job)->user_id != geteuid())) *job = std::nullopt;
    gang.heard = job ? Heard{.answered = true, .job = std::move(*job)} : Heard{.why_not = job.error().message};
    return gang.heard;
}

/// All its tasks are over: its job should be.
void SlurmSite::tidy(const GangKey& key, Gang& gang) {
    if (!gang.note || gang.note->job == 0 || !gang.note->over.empty()) return;
    const auto now_ns = supervisor::boot_now_ns();
    if (gang.empty_since_ns == 0) gang.empty_since_ns = now_ns;
    const auto asked_at_ns = gang.heard_at_ns;
    const auto& heard = ask(key, gang);
    if (!heard.answered || gang.heard_at_ns == asked_at_ns) return;
    if (!heard.job || is_over(heard.job->state)) {
        // Asked again where this cannot be written down now.
        (void)write_note(key, gang, {.job = gang.note->job, .over = heard.job ? heard.job->state : forgotten});
        return;
    }
    // What runs is about to leave by itself.
    const bool stays = now_ns - gang.empty_since_ns > config_.leave_within_s * second_ns;
    if (is_waiting(heard.job->state) || stays) (void)rest_.cancel(gang.note->job);
}

// --- leases ------------------------------------------------------------------------------------------------------------

bool SlurmSite::lease_holds(int folder) const {
    const auto text = read_text(folder, agent_lease_file, supervisor::lease_bytes_max);
    const auto lease = text ? supervisor::parse_lease(*text) : std::nullopt;
    return lease && supervisor::lease_end_ns(*lease, boot_id_) > supervisor::boot_now_ns();
}

/// To the host that the task runs on, in its own clock.
BackendResult<void> SlurmSite::pass_lease_on(int folder, const TaskRecord& record) {
    std::string boot_id;
    std::int64_t there_ns = 0;
    if (record.status) {
        boot_id = record.status->boot_id;
        there_ns = record.status->began_ns + record.alive_s * second_ns;
    } else {
        const auto text = read_text(folder, arrival_file, 1024);
        const auto arrival = text ? parse_arrival(*text) : std::nullopt;
        if (!arrival) return {};
        boot_id = arrival->boot_id;
        there_ns = arrival->uptime_ns;
    }
    // After what the host wrote was read: so that its clock was there before ours was here.
    const auto now_ns = supervisor::boot_now_ns();
    const auto text = read_text(folder, agent_lease_file, supervisor::lease_bytes_max);
    const auto lease = text ? supervisor::parse_lease(*text) : std::nullopt;
    if (!lease) return {};
    const auto deadline_ns = supervisor::lease_end_ns(*lease, boot_id_);
    const auto until_ns = boot_id == boot_id_ ? deadline_ns : deadline_there(deadline_ns, now_ns, there_ns);
    return write_lease(folder, supervisor::lease_file, boot_id, {until_ns});
}

BackendResult<void> SlurmSite::renew_lease(const ports::TaskKey& key, ports::BootInstant deadline) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    if (record.status && record.status->phase == supervisor::Phase::ended) {
        return refuse(BackendFault::ended, fmt::format("task {} is over; its lease cannot be renewed", key_text(key)));
    }
    WEIR_CHECK(write_lease(folder.get(), agent_lease_file, boot_id_, deadline));
    return record.status || open_regular(folder.get(), begin_file) ? pass_lease_on(folder.get(), record) : BackendResult<void>{};
}

// --- what is asked of a task -------------------------------------------------------------------------------------------

/// By the file that the supervisor looks for each second: its socket does not reach from host to host.
BackendResult<void> SlurmSite::tell(const ports::TaskKey& key, const std::function<void(supervisor::Asked&)>& change) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    if (!record.alive) return refuse(BackendFault::ended, fmt::format("task {} is over or not begun; observe it", key_text(key)));
    const auto known = read_text(folder.get(), supervisor::asked_file, supervisor::asked_bytes_max);
    auto asked = known ? supervisor::parse_asked(*known).value_or(supervisor::Asked{}) : supervisor::Asked{};
    change(asked);
    char room[supervisor::asked_bytes_max];
    const auto text = supervisor::print_asked(asked, room);
    if (supervisor::replace_file(folder.get(), supervisor::asked_file, "asked.new", text, 0600, supervisor::Durable::no)) return {};
    return fail(cannot("write down what is asked of", key_text(key), errno));
}

BackendResult<void> SlurmSite::stop(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    const auto record = read_record(folder.get(), boot_id_);
    if (!record.status && !record.alive) return end_unbegun(folder.get(), boot_id_, supervisor::Reason::stopped, "");
    const auto told = tell(key, [](supervisor::Asked& asked) { asked.end = std::max(asked.end, supervisor::Asked::End::stop); });
    if (!told && told.error().fault == BackendFault::ended) return {};
    return told;
}

BackendResult<void> SlurmSite::signal(const ports::TaskKey& key, int number) {
    if (number < 1 || number > 64) return refuse(BackendFault::invalid, fmt::format("signal {} is not between 1 and 64", number));
    return tell(key, [&](supervisor::Asked& asked) {
        ++asked.signals;
        asked.signal = number;
    });
}

BackendResult<void> SlurmSite::request_checkpoint(const ports::TaskKey& key) {
    return tell(key, [](supervisor::Asked& asked) { ++asked.checkpoints; });
}

BackendResult<void> SlurmSite::fence(const std::string& job, std::int64_t generation) {
    if (!is_safe_name(job) || generation < 1)
        return refuse(BackendFault::invalid, fmt::format("`{}` at {} is no generation of a job", job, generation));
    WEIR_TRY(make_folder(tasks_.get(), job, passage(), std::nullopt));
    WEIR_CHECK(raise_fence(tasks_.get(), job, generation));
    for (const auto& [key, end] : list_.all()) {
        if (end || key.job != job || key.generation > generation) continue;
        const Fd folder = open_folder(root_.get(), folder_of(key));
        if (!folder) continue;
        const auto record = read_record(folder.get(), boot_id_);
        if (!record.status && !record.alive) {
            WEIR_CHECK(end_unbegun(folder.get(), boot_id_, supervisor::Reason::stopped, "fenced before it began"));
            continue;
        }
        const auto told = tell(key, [](supervisor::Asked& asked) { asked.end = supervisor::Asked::End::kill; });
        if (!told && told.error().fault != BackendFault::ended) return told;
    }
    return {};
}

BackendResult<void> SlurmSite::forget(const ports::TaskKey& key) {
    const Fd folder = WEIR_TRY(open_task(key));
    const GangKey gang_key{key.job, key.generation};
    const auto known = gangs_.find(gang_key);
    const bool has_job = known != gangs_.end() && known->second.note && known->second.note->job > 0;
    const auto record = read_record(folder.get(), boot_id_);
    const bool waits = !record.status && has_job;
    if (record.alive || waits || (record.status && record.status->phase != supervisor::Phase::ended)) {
        return refuse(BackendFault::refused, fmt::format("task {} has not ended; stop it and observe its end first", key_text(key)));
    }
    const auto all = list_.all();
    const bool last = std::ranges::none_of(all, [&](const auto& other) {
        return other.key.job == key.job && other.key.generation == key.generation && other.key.node_rank != key.node_rank;
    });
    if (last && has_job && known->second.note->over.empty()) {
        tidy(gang_key, known->second);
        if (known->second.note->over.empty()) {
            return refuse(BackendFault::unavailable, fmt::format("Slurm has not ended job {} of task {} yet; try again",
                                                                 known->second.note->job, key_text(key)));
        }
    }
    if (last) {
        const Fd generation = WEIR_TRY(open_generation(gang_key));
        for (const char* const name : {note_file, nodes_file}) unlinkat(generation.get(), name, 0);
    }
    WEIR_CHECK(bury_folder(key, config_.fences_max));
    if (last) gangs_.erase(gang_key);
    return {};
}

BackendResult<Fd> SlurmSite::open_generation(const GangKey& key) const {
    Fd folder = open_folder(tasks_.get(), fmt::format("{}/{}", key.first, key.second));
    if (!folder) return fail(cannot("open the folder of", fmt::format("{}/{}", key.first, key.second), errno));
    return folder;
}

BackendResult<void> SlurmSite::write_note(const GangKey& key, Gang& gang, GangNote note) {
    const Fd folder = WEIR_TRY(open_generation(key));
    if (!supervisor::replace_file(folder.get(), note_file, "slurm.new", print_note(note), 0600, supervisor::Durable::yes)) {
        return fail(cannot("write down the job of", fmt::format("{}/{}", key.first, key.second), errno));
    }
    gang.note = std::move(note);
    return {};
}

}  // namespace weir::site_slurm
