// What is to be done: observing, starting, stopping, fencing, renewing. Checkpoints are in reconciler_checkpoints.cpp, what is to be said
// in reconciler_reports.cpp.
#include "agent/reconciler.hpp"

#include "agent/task_spec.hpp"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir::agent {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr int looks_max = 4;  ///< In one step; what is left waits for the next.
/// Of a task whose files took more than they may: what the kernel says of a quota that is used up, EDQUOT.
constexpr std::int64_t disk_exit_code = 122;

std::optional<GenerationKey> key_of(const ports::TaskKey& task) {
    const auto job = JobId::parse(task.job);
    if (!job || task.generation < 1 || task.generation > UINT32_MAX) return std::nullopt;
    return GenerationKey{*job, static_cast<std::uint32_t>(task.generation)};
}

/// A rank that is gone and was not done: the others cannot go on without it.
bool has_ended_badly(const ports::TaskObserved* rank) {
    return rank != nullptr && rank->state == ports::TaskState::ended && reason_of(*rank) != Reason::exited;
}

void widen(std::vector<const ports::TaskObserved*>& ranks, std::size_t size) {
    if (ranks.size() < size) ranks.resize(size, nullptr);
}

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, ports::SiteBackend& backend, CheckpointDesk& desk, Records records, NodeTable nodes,
                       PortPicker pick_port, std::uint64_t seed)
    : options_{std::move(options)},
      backend_{backend},
      desk_{desk},
      records_{std::move(records)},
      nodes_{std::move(nodes)},
      pick_port_{std::move(pick_port)},
      random_{seed, "agent sessions"},
      book_{options_.site},
      doubts_{records_.vouching(), records_.session()} {
    remember_cards();
}

void Reconciler::hear(Desired desired) { heard_ = std::move(desired); }

void Reconciler::hear_revision(std::uint64_t revision) {
    auto& list = heard_ ? heard_ : desired_;
    if (!list) return;
    list->revision = revision;
    if (!heard_) doubts_.hear_revision(revision);
}

void Reconciler::set_paused(bool paused) {
    if (paused == paused_) return;
    spdlog::info("{} site={}", paused ? "agent.paused" : "agent.resumed", options_.site.text());
    paused_ = paused;
    nodes_told_ = false;
    refusals_.forget_nodes();
}

void Reconciler::set_nodes(NodeTable nodes) {
    if (nodes.nodes != nodes_.nodes) {
        nodes_told_ = false;
        refusals_.forget_nodes();
    }
    nodes_ = std::move(nodes);
    remember_cards();
}

void Reconciler::hear_disk(const DiskFigures& figures) {
    for (const auto& [task, use] : figures.tasks) {
        const auto key = key_of(task);
        const auto* known = key ? records_.find(*key) : nullptr;
        const auto most = options_.task_disk.value << 20;
        const bool is_within = use.whole && use.bytes <= most && use.files <= options_.task_files;
        if (known == nullptr || known->end_known || !known->disk_used_up.empty() || is_within) continue;
        auto record = *known;
        record.disk_used_up =
            use.files > options_.task_files
                ? fmt::format("it has more than {} files and folders on node rank {}, and no task may have more here", options_.task_files,
                              task.node_rank)
            : use.whole
                ? fmt::format("its files on node rank {} take {} MiB and a task may take {} MiB of this site's disk", task.node_rank,
                              (use.bytes + (1 << 20) - 1) >> 20, options_.task_disk.value)
                : fmt::format("its folders on node rank {} are nested deeper, or closed tighter, than can be watched", task.node_rank);
        spdlog::warn("task.disk job={} generation={} why=\"{}\"", record.job.text(), record.generation, record.disk_used_up);
        save(record);
    }
    if (!figures.disk) return;
    // A quarter more than the floor, so that a disk at its edge does not take the site in and out.
    const auto& disk = *figures.disk;
    const auto is_below = [this](std::int64_t free, std::int64_t floor) { return free < floor + (disk_full_ ? floor / 4 : 0); };
    const bool full = is_below(disk.free_bytes, disk.floor_bytes) || is_below(disk.free_files, disk.floor_files);
    if (full == disk_full_) return;
    spdlog::log(full ? spdlog::level::err : spdlog::level::info,
                "agent.disk site={} free_mib={} floor_mib={} free_files={} floor_files={} what_next=\"{}\"", options_.site.text(),
                disk.free_bytes >> 20, disk.floor_bytes >> 20, disk.free_files, disk.floor_files,
                full ? "starts nothing" : "works again");
    disk_full_ = full;
    nodes_told_ = false;
    refusals_.forget_nodes();
}

std::vector<ports::TaskKey> Reconciler::live_tasks() const {
    std::vector<ports::TaskKey> live;
    for (const auto& task : observed_) {
        if (task.state != ports::TaskState::ended) live.push_back(task.key);
    }
    return live;
}

void Reconciler::remember_cards() {
    if (const auto saved = records_.save_cards(nodes_.cards); !saved)
        spdlog::warn("agent.cards site={} why=\"{}\"", options_.site.text(), saved.error());
}

bool Reconciler::has_live_tasks() const {
    return std::ranges::any_of(gangs_, [](const auto& entry) { return entry.second.view.any_alive; });
}

bool Reconciler::is_moving() const {
    return heard_.has_value() || std::ranges::any_of(gangs_, [this](const auto& entry) {
               const auto& gang = entry.second;
               const auto* record = records_.find(entry.first);
               const bool closing = gang.closing != Closing::none;
               // The desk wakes whoever waits for it.
               if (gang.desired != nullptr && gang.desired->is_prepare()) return false;
               if (gang.view.state == TaskState::ended)
                   return (gang.desired != nullptr || gang.view.any_here) && (record == nullptr || !record->end_known);
               const auto memory = memory_.find(entry.first);
               // A program may take minutes to publish: it is looked at no more often than others that run.
               if (closing) return gang.view.any_alive && (memory == memory_.end() || !memory->second.awaits_checkpoint);
               return gang.desired != nullptr && gang.view.state == TaskState::starting && !is_doubtful(entry.first, gang);
           });
}

void Reconciler::step(ports::BootInstant now, std::int64_t now_s) {
    now_ = now;
    if (now_s < now_s_) ++era_;
    now_s_ = now_s;
    if (heard_) {
        gangs_.clear();
        desired_ = std::exchange(heard_, std::nullopt);
        doubts_.hear_list(*desired_);
        remember_vouching();
    }
    take_grants();
    if (doubts_.look(now_)) remember_vouching();
    for (int looks = 0; looks < looks_max; ++looks) {
        take_answers();
        if (!look()) return;
        bool acted = false;
        // Older generations come first: they are fenced before a newer one is looked at.
        for (auto& [key, gang] : gangs_) acted = act(key, gang) || acted;
        if (!acted) break;
    }
    log_ends();
    clean_up();
}

/// Each end once, whoever caused it: what a provider is not paid for must be found here.
void Reconciler::log_ends() {
    for (const auto& [key, gang] : gangs_) {
        const auto* record = records_.find(key);
        if (!gang.view.any_here || gang.view.state != TaskState::ended || record == nullptr || record->end_known) continue;
        if (std::exchange(memory_[key].end_logged, true)) continue;
        const auto failed = gang.view.first_failed ? static_cast<std::size_t>(*gang.view.first_failed) : 0;
        const auto* rank = failed < gang.ranks.size() ? gang.ranks[failed] : nullptr;
        spdlog::info("task.end job={} generation={} reason={} exit_code={} rank={} detail=\"{}\"", key.job.text(), key.generation,
                     boost::describe::enum_to_string(gang.view.reason, "?"), gang.view.exit_code,
                     failed, rank == nullptr ? "" : rank->detail);
    }
}

// ---- looking ----

bool Reconciler::look() {
    auto observed = backend_.observe();
    if (!observed) {
        if (complaint_ != observed.error().message)
            spdlog::error("agent.blind site={} why=\"{}\"", options_.site.text(), observed.error().message);
        complaint_ = observed.error().message;
        return false;
    }
    complaint_.clear();
    gangs_.clear();
    observed_ = std::move(*observed);
    for (const auto& [key, record] : records_.all()) widen(gangs_[key].ranks, record.nodes.size());
    for (const auto& task : observed_) {
        const auto key = key_of(task.key);
        if (!key || task.key.node_rank < 0) continue;
        auto& ranks = gangs_[*key].ranks;
        widen(ranks, static_cast<std::size_t>(task.key.node_rank) + 1);
        ranks[static_cast<std::size_t>(task.key.node_rank)] = &task;
    }
    if (desired_) {
        for (const auto& task : desired_->tasks) {
            auto& gang = gangs_[{task.job, task.generation}];
            gang.desired = &task;
            widen(gang.ranks, task.placement.nodes.size());
        }
    }
    for (auto& [key, gang] : gangs_) adopt(key, gang);
    for (auto& [key, gang] : gangs_) {
        gang.closing = why_closed(key, gang);
        gang.view = look_at(gang.ranks, gang.closing != Closing::none);
        const bool none_failed = gang.view.any_here && gang.view.reason == Reason::site_lost_task && !gang.view.first_failed;
        const auto* record = records_.find(key);
        if (none_failed && record != nullptr && record->stopped_as_ordered) gang.view.reason = Reason::stopped_as_ordered;
        if (record != nullptr && !record->refused.empty() && gang.view.state == TaskState::ended && !gang.view.first_failed) {
            gang.view.reason = Reason::start_failed;
        }
        if (record != nullptr && !record->disk_used_up.empty() && gang.view.state == TaskState::ended && !gang.view.first_failed) {
            gang.view.reason = Reason::disk_exceeded;
            gang.view.exit_code = disk_exit_code;
        }
    }
    return true;
}

/// A task without a record: the record was lost, the task was not.
void Reconciler::adopt(const GenerationKey& key, const Gang& gang) {
    if (records_.find(key) != nullptr) return;
    const auto first = std::ranges::find_if(gang.ranks, [](const auto* rank) { return rank != nullptr; });
    if (first == gang.ranks.end()) return;
    GenerationRecord record;
    record.job = key.job;
    record.generation = key.generation;
    if (const auto project = ProjectName::parse((*first)->project)) record.project = *project;
    record.nodes.resize(gang.ranks.size());
    if (gang.desired != nullptr) {
        for (std::size_t i = 0; i < gang.desired->placement.nodes.size(); ++i) record.nodes[i] = gang.desired->placement.nodes[i].node;
        record.run_on = gang.desired->run_on;
        record.checkpoint = gang.desired->checkpoint;
        record.output_bytes_max = gang.desired->output_bytes_max;
        record.outputs_of_all = gang.desired->output_nodes == OutputNodes::all ? std::optional{true} : std::nullopt;
    }
    record.slice_s = options_.meter_slice.value;
    record.metered.resize(gang.ranks.size(), 0);
    record.prepared = true;
    spdlog::warn("task.adopted job={} generation={} why=\"no record of it was left\"", key.job.text(), key.generation);
    save(record);
}

Reconciler::Closing Reconciler::why_closed(const GenerationKey& key, const Gang& gang) const {
    const auto* record = records_.find(key);
    const auto newest = std::prev(gangs_.upper_bound({key.job, UINT32_MAX}));
    if (newest->first.generation > key.generation && newest->second.desired != nullptr) return Closing::superseded;
    if (gang.desired != nullptr && gang.desired->stop) return Closing::stop_ordered;
    // A generation that came after this one was here before: the order to run this one is older than that.
    if (newest->first.generation > key.generation) return Closing::superseded;
    if (desired_ && gang.desired == nullptr) return Closing::undesired;
    if (record != nullptr && !record->refused.empty()) return Closing::refused;
    if (std::ranges::any_of(gang.ranks, has_ended_badly)) return Closing::failed;
    if (record != nullptr && !record->disk_used_up.empty()) return Closing::disk_used_up;
    if (record != nullptr && record->end_known) return Closing::told;
    if (doubt_of(key, gang) == Doubt::over) return Closing::lost;
    return paused_ ? Closing::paused : Closing::none;
}

// ---- acting ----

bool Reconciler::act(const GenerationKey& key, Gang& gang) {
    drop_copies(key, gang);
    const bool keeps = keep_outputs(key, gang);
    const bool ordered = replicate(key, gang) || keeps;
    if (gang.closing != Closing::none) return close(key, gang) || ordered;
    return (gang.desired != nullptr && open(key, gang)) || ordered;
}

/// True where the site has changed so that another look pays.
bool Reconciler::close(const GenerationKey& key, Gang& gang) {
    if (!gang.view.any_alive) return false;
    auto& memory = memory_[key];
    if (memory.logged != gang.closing) {
        static constexpr std::string_view reasons[] = {"",
                                                       "a newer generation follows",
                                                       "its stop was ordered",
                                                       "it is no longer desired",
                                                       "it was refused",
                                                       "one of its ranks failed",
                                                       "its end was told",
                                                       "the site is paused",
                                                       "its files take more than it may use of the disk",
                                                       "an agent that spoke before may have run it"};
        spdlog::info("task.stop job={} generation={} why=\"{}\"", key.job.text(), key.generation,
                     reasons[static_cast<std::size_t>(gang.closing)]);
        memory.logged = gang.closing;
    }
    if (gang.closing == Closing::superseded) return fence_older(std::prev(gangs_.upper_bound({key.job, UINT32_MAX}))->first);
    memory.awaits_checkpoint = (gang.closing == Closing::paused && waits_for_checkpoint(key, gang)) ||
                               (gang.closing == Closing::stop_ordered && waits_to_leave(key, gang));
    if (memory.awaits_checkpoint) return false;
    if (gang.closing == Closing::stop_ordered) note_order_to_stop(key, gang);
    for (const auto* rank : gang.ranks) {
        if (rank == nullptr || rank->state == ports::TaskState::ended || rank->state == ports::TaskState::stopping) continue;
        const auto stopped = backend_.stop(rank->key);
        if (!stopped && stopped.error().fault != ports::BackendFault::ended) complain(key, "stop", stopped.error().message);
    }
    return false;
}

/// What the site stopped by itself before the order came has not obeyed it: it is the site's loss.
void Reconciler::note_order_to_stop(const GenerationKey& key, const Gang& gang) {
    const auto* known = records_.find(key);
    if (known == nullptr || known->stopped_as_ordered) return;
    const auto was_stopped = [](const auto* rank) {
        return rank != nullptr && (rank->state == ports::TaskState::stopping || rank->reason == ports::EndReason::stopped);
    };
    if (std::ranges::any_of(gang.ranks, was_stopped)) return;
    auto record = *known;
    record.stopped_as_ordered = true;
    save(record);
}

bool Reconciler::fence_older(const GenerationKey& key) {
    if (key.generation < 2) return true;
    const auto fenced = backend_.fence(key.job.text(), key.generation - 1);
    if (!fenced) complain(key, "fence", fenced.error().message);
    return fenced.has_value();
}

/// A place is held for it here: what it will resume from is put there, and nothing else.
bool Reconciler::hold(const GenerationKey& key, const Gang& gang) {
    // Nobody knows yet who speaks for this site.
    if (!terms_ || book_.is_new() || gang.desired->resume.empty()) return false;
    const auto* record = make_record(key, *gang.desired);
    if (record == nullptr) return false;
    const bool was_prepared = record->prepared;
    return is_prepared(key, *record, gang) && !was_prepared;
}

bool Reconciler::open(const GenerationKey& key, Gang& gang) {
    if (gang.desired->is_prepare()) return hold(key, gang);
    forget_request(key);
    const auto deadline = deadline_of(gang.desired->run_on);
    if (!deadline || *deadline <= now_) return false;
    if (older_lives(key)) return false;
    if (is_doubtful(key, gang)) {
        complain(key, "start", "an agent that spoke for this site before may still run it; is told as lost once that one's lease is over");
        return false;
    }
    const auto* record = make_record(key, *gang.desired);
    if (record == nullptr) return false;
    bool acted = false;
    for (std::size_t i = 0; i < gang.ranks.size(); ++i) {
        if (gang.ranks[i] != nullptr && gang.ranks[i]->begun) {
            renew(key, *gang.ranks[i], *deadline);
        } else if (list_is_current() && is_prepared(key, *record, gang)) {
            acted = start(key, gang, static_cast<std::int32_t>(i), *deadline) || acted;
            record = records_.find(key);
            if (!record->refused.empty()) return true;
        }
    }
    ask_as_wanted(key, gang);
    return acted;
}

/// The lease that the server granted last is of a list that may no longer be ours: after a silence it may have given a task of ours to
/// another site, and would have it run twice. And before a session's first answer nobody knows who spoke since the one before.
bool Reconciler::list_is_current() const { return !book_.is_new() && desired_->revision >= terms_->desired_revision; }

/// Whether it may have been begun by another agent of this site.
Doubt Reconciler::doubt_of(const GenerationKey& key, const Gang& gang) const {
    const bool any_here = std::ranges::any_of(gang.ranks, [](const auto* rank) { return rank != nullptr; });
    if (any_here || gang.desired == nullptr || gang.desired->is_prepare()) return Doubt::none;
    const auto* record = records_.find(key);
    return doubts_.of(key, record != nullptr && !record->is_held(), gang.desired->run_on, now_);
}

bool Reconciler::older_lives(const GenerationKey& key) const {
    for (auto it = gangs_.lower_bound({key.job, 0}); it != gangs_.end() && it->first < key; ++it) {
        if (it->second.view.any_alive) return true;
    }
    return false;
}

/// The record of a generation that is to run here, durable before its first process; of one for which a place is held, before its
/// checkpoint.
const GenerationRecord* Reconciler::make_record(const GenerationKey& key, const DesiredTask& desired) {
    const auto* known = records_.find(key);
    if (known != nullptr && (!known->is_held() || desired.is_prepare())) return known;
    if (!fence_older(key)) return nullptr;
    std::set<std::uint16_t> taken;
    for (const auto& [other, record] : records_.all()) {
        if (record.master_port != 0) taken.insert(record.master_port);
    }
    // What was put in place while it was held is there; all else is as it is now that it begins.
    GenerationRecord record = known != nullptr ? *known : GenerationRecord{};
    record.job = key.job;
    record.generation = key.generation;
    record.project = desired.project;
    record.nodes.clear();
    for (const auto& placed : desired.placement.nodes) record.nodes.push_back(placed.node);
    record.master_port = desired.is_prepare() ? 0 : pick_port_(taken);
    record.run_on = desired.run_on;
    record.checkpoint = desired.checkpoint;
    record.kill_grace_s = terms_->kill_grace_ms / 1000;
    // A lease is renewed when a third of it is over: who comes near its last third is cut off.
    const auto lease_s = (desired.run_on ? terms_->run_on_lease_ms : terms_->lease_ms) / 1000;
    if (can_be_asked(desired.checkpoint)) record.checkpoint_before_s = std::min(record.kill_grace_s, lease_s / 3);
    record.slice_s = options_.meter_slice.value;
    record.held = desired.is_prepare() ? std::optional{true} : std::nullopt;
    if (known == nullptr) record.prepared = desired.resume.empty() && !desired.workdir;
    record.output_bytes_max = desired.output_bytes_max;
    record.outputs_of_all = desired.output_nodes == OutputNodes::all ? std::optional{true} : std::nullopt;
    record.metered.assign(record.nodes.size(), 0);
    if (record.master_port == 0 && !desired.is_prepare()) {
        complain(key, "start", "no port is free for its first rank");
        return nullptr;
    }
    if (const auto saved = records_.save(record); !saved) {
        complain(key, "start", saved.error());
        return nullptr;
    }
    if (known != nullptr) {
        // It begins now: what could not be put in place before is tried at once.
        memory_[key].prepare_after = {};
        memory_[key].put_off = 0;
    }
    return records_.find(key);
}

bool Reconciler::start(const GenerationKey& key, const Gang& gang, std::int32_t rank, ports::BootInstant deadline) {
    const auto* record = records_.find(key);
    const auto spec = spec_of(*gang.desired, *record, nodes_, rank, deadline);
    if (!spec) {
        refuse_for_good(key, spec.error());
        return true;
    }
    const auto started = backend_.start(*spec);
    if (started) {
        memory_[key].granted[rank] = deadline;
        spdlog::info("task.start job={} generation={} rank={} nnodes={} resume={} lease_s={}", key.job.text(), key.generation, rank,
                     spec->nnodes, spec->resume.empty() ? "none" : spec->resume, (deadline.ns - now_.ns) / ns_per_s);
        return true;
    }
    switch (started.error().fault) {
        case ports::BackendFault::unavailable: complain(key, "start", started.error().message); return false;
        case ports::BackendFault::start_failed: complain(key, "start", started.error().message); return true;
        default: refuse_for_good(key, started.error().message); return true;
    }
}

void Reconciler::refuse_for_good(const GenerationKey& key, const std::string& reason) {
    auto record = *records_.find(key);
    record.refused = reason;
    spdlog::error("task.refused job={} generation={} why=\"{}\"", key.job.text(), key.generation, reason);
    save(record);
}

void Reconciler::renew(const GenerationKey& key, const ports::TaskObserved& rank, ports::BootInstant deadline) {
    if (rank.state == ports::TaskState::ended) return;
    auto& granted = memory_[key].granted[rank.key.node_rank];
    if (deadline <= granted) return;
    const auto renewed = backend_.renew_lease(rank.key, deadline);
    if (renewed) {
        granted = deadline;
    } else if (renewed.error().fault != ports::BackendFault::ended) {
        complain(key, "renew", renewed.error().message);
    }
}

std::optional<ports::BootInstant> Reconciler::deadline_of(bool run_on) const {
    if (!grant_) return std::nullopt;
    return ports::BootInstant{grant_->sent_at.ns + (run_on ? grant_->terms.run_on_lease_ms : grant_->terms.lease_ms) * 1'000'000};
}

// ---- keeping house ----

/// Ended generations beyond those that are kept, the oldest end first.
std::set<GenerationKey> Reconciler::beyond_room() const {
    std::vector<std::pair<std::int64_t, GenerationKey>> ended;
    for (const auto& [key, gang] : gangs_) {
        if (gang.desired == nullptr && !gang.view.any_alive && gang.view.any_here) ended.emplace_back(gang.view.ended_at_s, key);
    }
    if (ended.size() <= options_.ended_kept_max) return {};
    std::ranges::sort(ended);
    std::set<GenerationKey> beyond;
    for (std::size_t i = 0; i < ended.size() - options_.ended_kept_max; ++i) beyond.insert(ended[i].second);
    return beyond;
}

void Reconciler::clean_up() {
    if (!desired_) return;
    const auto beyond = beyond_room();
    for (const auto& [key, gang] : gangs_) {
        const auto* record = records_.find(key);
        if (gang.view.any_here && !gang.view.any_alive && is_end_told(key)) shed(key, gang);
        if (gang.desired != nullptr || gang.view.any_alive || record == nullptr) continue;
        if (gang.view.any_here) {
            const bool is_time = now_s_ >= gang.view.ended_at_s + options_.log_retention.value || beyond.contains(key);
            if (!record->end_known || !is_time) continue;
            for (const auto* rank : gang.ranks) {
                if (rank == nullptr) continue;
                if (const auto gone = backend_.forget(rank->key); !gone) complain(key, "forget", gone.error().message);
            }
            continue;
        }
        // What was copied for a start that never came, or is just being copied.
        if (desk_.is_at_work(key)) continue;
        for (std::size_t i = 0; i < record->nodes.size(); ++i) {
            (void)backend_.forget({key.job.text(), key.generation, static_cast<std::int32_t>(i)});
        }
        records_.remove(key);
    }
    std::erase_if(memory_, [this](const auto& entry) { return !gangs_.contains(entry.first) && records_.find(entry.first) == nullptr; });
}

bool Reconciler::is_end_told(const GenerationKey& key) const {
    const auto* record = records_.find(key);
    const auto memory = memory_.find(key);
    return (record != nullptr && record->end_known) || (memory != memory_.end() && memory->second.told == TaskState::ended);
}

/// Whatever filled the disk is over now, and the record of that may be what found no room.
void Reconciler::shed(const GenerationKey& key, const Gang& gang) {
    if (!memory_[key].shed) {
        bool all = true;
        for (const auto* rank : gang.ranks) {
            if (rank == nullptr) continue;
            const auto done = backend_.shed(rank->key);
            if (!done) complain(key, "give back its work folder", done.error().message);
            all = all && done.has_value();
        }
        memory_[key].shed = all;
    }
    const auto* known = records_.find(key);
    if (known == nullptr || known->end_known) return;
    auto record = *known;
    record.end_known = true;
    save(record);
}

void Reconciler::save(const GenerationRecord& record) {
    if (const auto saved = records_.save(record); !saved) complain(record.key(), "remember", saved.error());
}

void Reconciler::complain(const GenerationKey& key, std::string_view what, const std::string& why) {
    auto& complaints = memory_[key].complaints;
    const auto last = complaints.find(what);
    if (last != complaints.end() && last->second == why) return;
    complaints.insert_or_assign(std::string{what}, why);
    spdlog::warn("task.trouble job={} generation={} what=\"{}\" why=\"{}\"", key.job.text(), key.generation, what, why);
}

}  // namespace weir::agent
