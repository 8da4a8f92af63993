// apply: each event makes one change. It assigns and adds what the event carries; it asks nothing and refuses nothing.
#include "codec/encode.hpp"
#include "control/core/core.hpp"
#include "control/core/feed.hpp"
#include "control/core/job_use.hpp"
#include "domain/desired_list.hpp"
#include "domain/limits.hpp"
#include "domain/tree.hpp"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

namespace weir::control {
namespace {

struct At {
    std::uint64_t revision;
    Instant time;
};

void leave_state(State& s, JobState state) {
    const auto count = s.jobs_by_state.find(state);
    if (--count->second == 0) s.jobs_by_state.erase(count);
}

void set_state(State& s, LiveJob& job, JobState state, Reason reason, At at) {
    leave_state(s, job.state);
    ++s.jobs_by_state[state];
    job.state = state;
    job.reason = reason;
    job.since = at.time;
    job.changed_at = at.revision;
}

/// A key no longer counts against its project's cap.
void forget_key(State& s, const ProjectName& project) {
    const auto count = s.keys_of.find(project);
    if (count != s.keys_of.end() && --count->second == 0) s.keys_of.erase(count);
}

std::string cause_name(LossCause cause) { return std::string{codec::name_of(cause)}; }

/// Takes the job's line into the digest of its site's list, or out of it.
void toggle_line(DesiredLog& log, const LiveJob& job) {
    toggle(log.digest, job.id, job.generation, job.stop_ordered ? Wanted::stop : Wanted::run, *job.placement);
}

/// The same for the place that is held for it.
void toggle_place(DesiredLog& log, const LiveJob& job) {
    toggle(log.places_held, job.id, job.move->target_generation, Wanted::prepare, *job.move->target);
}

bool is_suspended(const State& s, const LiveJob& job) { return s.suspended.contains(s.projects.at(job.project).organisation); }

/// Of no use any more: the job stays, begins anew somewhere, or is over.
void drop_move(State& s, LiveJob& job, At at) {
    if (!job.move) return;
    if (job.move->target) {
        auto& log = s.desired_log[job.move->target->site];
        toggle_place(log, job);
        log.note(job.id, at.revision);
        s.places_held[job.move->target->site].erase(job.id);
    }
    job.move.reset();
    job.move_ended_at = at.time;
    s.moves.erase(job.id);
}

void set_deadline(State& state, LiveJob& job, std::optional<Instant> deadline) {
    if (job.deadline) state.deadlines.erase({*job.deadline, job.id});
    job.deadline = deadline;
    if (deadline) state.deadlines.insert({*deadline, job.id});
}

void leave_site(State& state, LiveJob& job, At at) {
    if (!job.placement) return;
    state.tasks[job.placement->site].erase(job.id);
    auto& log = state.desired_log[job.placement->site];
    toggle_line(log, job);
    log.note(job.id, at.revision);
    set_deadline(state, job, std::nullopt);
    job.placement.reset();
    job.started_at.reset();
    job.stop_ordered.reset();
    job.stop_within.reset();
    job.stop_overruled.reset();
    job.arrival.reset();
    state.unwelcome.erase(job.id);
}

/// The job holds the placement from now on.
void enter_site(State& s, LiveJob& job, const std::optional<std::vector<SourceShare>>& shares, std::optional<Instant> start_by, At at) {
    const auto& placement = *job.placement;
    job.generations_used = std::max(job.generations_used, job.generation);
    set_deadline(s, job, start_by);
    job.usage.push_back(
        {job.generation, placement.site, placement.model, placement.emulated, placement.fen_per_card_hour, at.time, {}, {}, {}, {}});
    if (shares) {
        for (const auto& share : *shares) job.usage.back().shares.push_back({share.per_mille, share.until_s, {}});
    }
    s.tasks[placement.site][job.id] = job.generation;
    auto& log = s.desired_log[placement.site];
    toggle_line(log, job);
    log.note(job.id, at.revision);
    if (is_suspended(s, job)) s.unwelcome.insert(job.id);
}

/// What the ended generation used since its last checkpoint is lost to this cause.
void lose(LiveJob& job, std::uint32_t generation, LossCause cause) {
    if (auto* usage = usage_of(job, generation)) {
        usage->lost[cause_name(cause)] += usage->at_risk;
        usage->at_risk = {};
    }
}

/// Restarts count against what the job may have of them; leaving a site on purpose does not.
void count_restart(LiveJob& job, LossCause cause) {
    switch (cause) {
        case LossCause::tenant_error: ++job.error_restarts; break;
        case LossCause::move:
        case LossCause::tenant_move:
        case LossCause::site_drain:
        case LossCause::suspension: break;
        default: ++job.fault_restarts; break;
    }
}

/// The tree that a job begins in; nothing where it has none.
std::optional<Digest> tree_of(const JobSpec& spec) { return spec.workdir ? parse_tree_name(*spec.workdir) : std::nullopt; }

/// One more live job begins in its tree.
void use_tree(State& s, const LiveJob& job) {
    const auto tree = tree_of(job.spec);
    if (!tree || ++s.tree_uses[{job.project, *tree}] > 1) return;
    const auto& trees = s.data[job.project].trees;
    if (const auto kept = trees.find(*tree); kept != trees.end()) s.unused_trees.erase({kept->second.used_at, job.project, *tree});
}

void leave_tree(State& s, const LiveJob& job, At at) {
    const auto tree = tree_of(job.spec);
    if (!tree) return;
    const auto uses = s.tree_uses.find({job.project, *tree});
    if (--uses->second > 0) return;
    s.tree_uses.erase(uses);
    auto& trees = s.data[job.project].trees;
    const auto kept = trees.find(*tree);
    if (kept == trees.end()) return;
    kept->second.used_at = at.time;
    s.unused_trees.insert({at.time, job.project, *tree});
}

/// What a job leaves is kept for so long from its end on.
void begin_retention(State& s, const LiveJob& job, At at) {
    const auto data = s.data.find(job.project);
    if (data == s.data.end()) return;
    const auto outputs = data->second.outputs.find(job.id);
    if (outputs == data->second.outputs.end()) return;
    outputs->second.keep_until = at.time + seconds(outputs->second.retention.value);
    s.output_ends.insert({*outputs->second.keep_until, job.project, job.id});
}

/// Its bytes may go, unless the project keeps the same tree for another reason.
void drop_tree(ProjectData& data, const Digest& tree, DropReason reason, const std::optional<SubjectName>& by, At at) {
    if (!keeps(data, tree)) data.dropped[tree] = {reason, by, at.time};
}

// ---- one function per event

void make(State& s, const LeaderStarted& e, At at) {
    s.epoch = e.epoch;
    s.leader = {at.time, e.grants.value_or(LeaseTerms{}), e.respects.value_or(LeaseTerms{}), e.generations_above.value_or(0)};
}

void make(State& s, const OrganisationSet& e, At) { s.organisations[e.organisation.name] = e.organisation; }

void make(State& s, const ProjectSet& e, At) { s.projects[e.project.name] = e.project; }

void make(State& s, const RolesSet& e, At) {
    auto& held = e.project.empty() ? s.network_roles : s.members[e.project];
    if (e.roles.empty()) {
        held.erase(e.subject);
    } else {
        held[e.subject] = e.roles;
    }
}

void make(State& s, const TokenIssued& e, At) {
    s.tokens[e.token.id] = e.token;
    s.token_by_hash[e.token.hash] = e.token.id;
}

void make(State& s, const TokenEnded& e, At) {
    const auto token = s.tokens.find(e.token);
    if (token == s.tokens.end()) return;
    s.token_by_hash.erase(token->second.hash);
    s.tokens.erase(token);
}

void make(State& s, const SiteSet& e, At) { s.sites[e.site.name].site = e.site; }

void make(State& s, const NodeSet& e, At) { s.sites[e.site].nodes[e.node.name] = e.node; }

void make(State& s, const NodeRemoved& e, At) { s.sites[e.site].nodes.erase(e.node); }

void make(State& s, const ReportTaken& e, At at) {
    auto& site = s.sites[e.site];
    if (site.session != e.session && !e.session.empty()) site.session_since = at.time;
    // A session that was ended with its token spoke all the same: the next one learns of it.
    if (site.session != e.session && !site.session.empty()) site.session_before = site.session;
    site.session = e.session;
    site.sequence = e.sequence;
}

void make(State& s, const SiteReachable& e, At at) {
    auto& site = s.sites[e.site];
    site.reachable = e.reachable;
    site.reachable_since = at.time;
}

void make(State& s, const ProgrammeOpened& e, At) { s.programmes[e.programme.name] = {e.programme, e.voucher_ledger, e.cap_ledger}; }

void make(State& s, const VoucherAwarded& e, At) {
    s.vouchers[e.voucher.id] = e.voucher;
    s.vouchers_of[e.voucher.organisation].insert(e.voucher.id);
}

void make(State& s, const VoucherEnded& e, At) {
    const auto voucher = s.vouchers.find(e.voucher);
    if (voucher == s.vouchers.end()) return;
    s.vouchers_of[voucher->second.organisation].erase(e.voucher);
    s.vouchers.erase(voucher);
}

void make(State& s, const LedgerPosted& e, At) {
    // A violation here is a bug of decide or a damaged journal: the caller's sweep reports it (check.hpp).
    for (const auto& opened : e.opened) s.ledger_broken |= !s.ledger.apply(opened);
    for (const auto& posting : e.postings) s.ledger_broken |= !s.ledger.apply(posting);
    if (e.forgotten) s.ledger_broken |= !s.ledger.apply(*e.forgotten);
}

void make(State& s, const JobSubmitted& e, At at) {
    LiveJob job;
    job.id = e.job;
    job.project = e.project;
    job.submitter = e.submitter;
    job.body = e.body;
    job.spec = e.spec;
    job.submitted_at = at.time;
    job.holds = e.holds;
    job.waits_for = e.waits_for;
    ++s.jobs_by_state[job.state];
    set_state(s, job, JobState::queued, Reason::submitted, at);
    for (const auto& awaited : e.waits_for) s.dependents[awaited].insert(e.job);
    ++s.live_jobs[e.project];
    s.live_bytes[e.project] += bytes_of(e.spec);
    use_tree(s, job);
    s.jobs.insert_or_assign(e.job, std::move(job));
}

void make(State& s, const JobPlaced& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.generation = e.generation;
    job.placement = e.placement;
    set_state(s, job, JobState::placed, Reason::placed, at);
    job.run_for = e.run_for.value_or(job.spec->max_duration);
    enter_site(s, job, e.shares, e.start_by, at);
}

void make(State& s, const JobStateChanged& e, At at) {
    auto& job = s.jobs.at(e.job);
    set_state(s, job, e.to, e.reason, at);
    if (e.to == JobState::running && !job.started_at) {
        job.started_at = at.time;
        if (!job.stop_ordered) set_deadline(s, job, at.time + seconds(job.run_for.value));
    }
}

void make(State& s, const TaskMetered& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.changed_at = at.revision;
    take_meter(job, e, at.time);
}

void make(State& s, const CheckpointStored& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.changed_at = at.revision;
    take_checkpoint(job, e, at.time);
    if (!job.move || !job.move->target) return;
    // The place that is held is told of it, and the site where it runs need not ask for another.
    s.desired_log[job.move->target->site].note(e.job, at.revision);
    s.desired_log[job.placement->site].note(e.job, at.revision);
}

void make(State& s, const JobRequeued& e, At at) {
    auto& job = s.jobs.at(e.job);
    lose(job, e.generation, e.cause);
    drop_move(s, job, at);
    for (const auto& node : e.avoid) job.avoid.push_back({job.placement->site, node.node});
    leave_site(s, job, at);
    job.not_before = e.not_before;
    count_restart(job, e.cause);
    if (e.reason == Reason::node_lost) ++job.nodes_killed;
    set_state(s, job, JobState::queued, e.reason, at);
}

void make(State& s, const JobStopOrdered& e, At at) {
    auto& job = s.jobs.at(e.job);
    auto* log = job.placement ? &s.desired_log[job.placement->site] : nullptr;
    if (log != nullptr) toggle_line(*log, job);
    if (job.stop_ordered) job.stop_overruled = job.stop_ordered;
    job.stop_ordered = e.reason;
    job.stop_within = e.checkpoint_within;
    job.changed_at = at.revision;
    if (e.reason != Reason::moving) drop_move(s, job, at);
    if (e.checkpoint_within && job.state == JobState::running) set_state(s, job, JobState::checkpointing, e.reason, at);
    set_deadline(s, job, e.end_by);
    if (log == nullptr) return;
    toggle_line(*log, job);
    log->note(e.job, at.revision);
}

void make(State& s, const JobFinished& e, At at) {
    auto found = s.jobs.find(e.job);
    if (found == s.jobs.end()) return;
    auto& job = found->second;
    drop_move(s, job, at);
    leave_site(s, job, at);
    for (const auto& awaited : job.waits_for) {
        const auto waiting = s.dependents.find(awaited);
        if (waiting != s.dependents.end()) waiting->second.erase(e.job);
    }
    if (e.outcome == JobState::succeeded) {
        for (const auto& dependent : s.dependents[e.job]) std::erase(s.jobs.at(dependent).waits_for, e.job);
    } else if (const auto waiting = s.dependents.find(e.job); waiting != s.dependents.end()) {
        s.forsaken.insert(waiting->second.begin(), waiting->second.end());
    }
    s.dependents.erase(e.job);
    s.forsaken.erase(e.job);
    --s.live_jobs[job.project];
    s.live_bytes[job.project] -= bytes_of(job.spec);
    leave_tree(s, job, at);
    begin_retention(s, job, at);
    leave_state(s, job.state);
    s.finished[e.job] = {job.project, job.body, e.outcome, at.time};
    ++s.finished_of[job.project];
    s.jobs.erase(found);
}

// ---- work that leaves a site

void make(State& s, const JobMoveOrdered& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.move = Move{.cause = e.cause, .to = e.to, .restart = e.restart, .ordered_at = at.time, .leave_by = e.leave_by, .target = {},
                    .target_generation = 0, .reserved_at = {}, .prepare_by = {}, .prepared = {}, .prepared_at = {}, .prepared_in_ms = 0};
    job.changed_at = at.revision;
    s.moves.insert(e.job);
}

void make(State& s, const JobMoveReserved& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.move->target = e.target;
    job.move->target_generation = e.generation;
    job.move->reserved_at = at.time;
    job.move->prepare_by = e.prepare_by;
    job.generations_used = std::max(job.generations_used, e.generation);
    job.changed_at = at.revision;
    s.places_held[e.target.site][e.job] = e.generation;
    auto& log = s.desired_log[e.target.site];
    toggle_place(log, job);
    log.note(e.job, at.revision);
    s.desired_log[job.placement->site].note(e.job, at.revision);
}

void make(State& s, const JobMovePrepared& e, At at) {
    auto& job = s.jobs.at(e.job);
    auto& move = *job.move;
    const auto point = std::ranges::find(job.checkpoints, e.manifest, &StoredCheckpoint::manifest);
    const auto since = point == job.checkpoints.end() ? move.reserved_at : std::max(point->stored_at, move.reserved_at);
    move.prepared = e.manifest;
    move.prepared_at = at.time;
    move.prepared_in_ms = (at.time - since).ns / 1'000'000;
    job.changed_at = at.revision;
    s.desired_log[job.placement->site].note(e.job, at.revision);
}

void make(State& s, const JobMoved& e, At at) {
    auto& job = s.jobs.at(e.job);
    const auto move = *job.move;
    const auto* usage = usage_of(job, e.generation);
    Arrival arrival{job.placement->site, e.paused_at, usage != nullptr ? usage->at_risk : MilliCardSeconds{}, move.prepared.has_value()};
    lose(job, e.generation, e.cause);
    drop_move(s, job, at);
    leave_site(s, job, at);
    count_restart(job, e.cause);
    job.generation = move.target_generation;
    job.placement = *move.target;
    job.placement->fen_per_card_hour = e.fen_per_card_hour;
    set_state(s, job, JobState::moving, e.reason, at);
    job.run_for = e.run_for;
    job.arrival = std::move(arrival);
    enter_site(s, job, e.shares, e.start_by, at);
}

void make(State& s, const JobMoveEnded& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.changed_at = at.revision;
    drop_move(s, job, at);
}

void make(State& s, const JobArrived& e, At at) {
    auto& job = s.jobs.at(e.job);
    job.changed_at = at.revision;
    job.arrival.reset();
    if (job.moved.size() == moves_remembered) job.moved.erase(job.moved.begin());
    job.moved.push_back({e.generation, e.from, e.to, at.time, e.pause_ms, e.lost, e.prepared});
}

void make(State& s, const SiteDutySet& e, At) {
    auto& site = s.sites[e.site];
    site.duty = e.duty;
    site.drained_by = e.deadline;
}

void make(State& s, const AcceleratorSet& e, At) { s.accelerators[e.accelerator.model] = e.accelerator; }

void make(State& s, const OrganisationSuspended& e, At) {
    if (!e.suspended) {
        s.suspended.erase(e.organisation);
        std::erase_if(s.unwelcome, [&](const JobId& id) { return !is_suspended(s, s.jobs.at(id)); });
        return;
    }
    s.suspended.insert(e.organisation);
    for (const auto& [id, job] : s.jobs) {
        if (job.placement && is_suspended(s, job)) s.unwelcome.insert(id);
    }
}

// ---- what projects keep

void make(State& s, const TreeKept& e, At at) {
    auto& data = s.data[e.project];
    data.trees[e.tree] = {e.size, at.time};
    if (!s.tree_uses.contains({e.project, e.tree})) s.unused_trees.insert({at.time, e.project, e.tree});
    data.dropped.erase(e.tree);
}

void make(State& s, const TreeDropped& e, At at) {
    auto& data = s.data[e.project];
    if (const auto kept = data.trees.find(e.tree); kept != data.trees.end()) {
        s.unused_trees.erase({kept->second.used_at, e.project, e.tree});
        data.trees.erase(kept);
    }
    drop_tree(data, e.tree, e.reason, e.by, at);
}

void make(State& s, const FilesSet& e, At at) {
    auto& data = s.data[e.project];
    const auto before = std::exchange(data.files, e.tree ? std::optional{FilesHead{*e.tree, e.size}} : std::nullopt);
    if (e.tree) data.dropped.erase(*e.tree);
    if (before) drop_tree(data, before->tree, e.tree ? DropReason::replaced : DropReason::removed, e.by, at);
}

void make(State& s, const OutputsStored& e, At at) {
    auto& data = s.data[e.project];
    const auto before = data.outputs.find(e.job);
    const auto old = before == data.outputs.end() ? std::nullopt : std::optional{before->second.tree};
    data.outputs[e.job] = {e.generation, e.name, e.tree, e.size, at.time, e.retention, std::nullopt};
    data.dropped.erase(e.tree);
    if (old) drop_tree(data, *old, DropReason::replaced, std::nullopt, at);
    if (const auto job = s.jobs.find(e.job); job != s.jobs.end()) job->second.outputs_refused.reset();
}

void make(State& s, const OutputsRefused& e, At) {
    if (const auto job = s.jobs.find(e.job); job != s.jobs.end())
        job->second.outputs_refused = RefusedOutputs{e.generation, e.fault, e.bytes, e.bytes_max};
}

void make(State& s, const OutputsDropped& e, At at) {
    auto& data = s.data[e.project];
    if (const auto outputs = data.outputs.find(e.job); outputs != data.outputs.end()) {
        if (outputs->second.keep_until) s.output_ends.erase({*outputs->second.keep_until, e.project, e.job});
        data.outputs.erase(outputs);
    }
    drop_tree(data, e.tree, e.reason, e.by, at);
}

void make(State& s, const DataErased& e, At at) {
    auto& data = s.data[e.project];
    data.dropped.erase(e.tree);
    if (const auto known = data.erased.find(e.tree); known != data.erased.end())
        s.receipts.erase({known->second.erased_at, e.project, e.tree});
    s.receipts.insert({at.time, e.project, e.tree});
    data.erased[e.tree] = {at.revision, at.time, e.reason, e.by, e.dropped_at, e.list, e.copies};
}

void make(State& s, const DataQuotaSet& e, At) { s.data[e.project].quota_bytes = e.bytes; }

void make(State& s, const ReceiptsForgotten& e, At) {
    std::erase_if(s.data[e.project].erased, [&](const auto& one) {
        if (one.second.erased_at >= e.before) return false;
        s.receipts.erase({one.second.erased_at, e.project, one.first});
        return true;
    });
}

void make(State& s, const RecordsForgotten& e, At at) {
    s.forgotten_before = e.before;
    // Its id could come again, or somebody may still ask what became of it.
    const auto end = std::ranges::find_if(s.finished, [&](const auto& entry) { return time_of(entry.first.uid) >= e.before; });
    for (auto it = s.finished.begin(); it != end;) {
        if (it->second.finished_at >= e.before) {
            ++it;
            continue;
        }
        const auto count = s.finished_of.find(it->second.project);
        if (--count->second == 0) s.finished_of.erase(count);
        it = s.finished.erase(it);
    }
    for (auto& [scope, keys] : s.keys) {
        std::erase_if(keys, [&](const auto& key) {
            if (key.second.expires_at > at.time) return false;
            forget_key(s, key.second.project);
            return true;
        });
    }
    std::erase_if(s.keys, [](const auto& scope) { return scope.second.empty(); });
}

void make(State& s, const KeyRecorded& e, At) {
    const auto [known, is_new] = s.keys[e.scope].try_emplace(e.key);
    if (!is_new) forget_key(s, known->second.project);
    known->second = {e.body, e.answer, e.expires_at, e.project};
    if (!e.project.empty()) ++s.keys_of[e.project];
}

}  // namespace

void apply(State& state, const Event& event, std::uint64_t revision, Instant at) {
    std::visit([&](const auto& one) { make(state, one, At{revision, at}); }, event);
    state.revision = revision;
    state.now = at;
}

void apply(Core& core, const Event& event, std::uint64_t revision, Instant at) {
    // The scheduler is told what a job held before the job leaves, and what it waits for after it came.
    before(core, event);
    apply(core.state, event, revision, at);
    after(core, event);
}

void rebuild(State& s) {
    s.token_by_hash.clear();
    s.deadlines.clear();
    s.dependents.clear();
    s.forsaken.clear();
    s.live_jobs.clear();
    s.live_bytes.clear();
    s.jobs_by_state.clear();
    s.tasks.clear();
    s.places_held.clear();
    s.moves.clear();
    s.unwelcome.clear();
    s.desired_log.clear();
    s.desired_known_from = s.revision;
    s.vouchers_of.clear();
    s.keys_of.clear();
    s.finished_of.clear();
    s.tree_uses.clear();
    s.unused_trees.clear();
    s.output_ends.clear();
    s.receipts.clear();
    for (const auto& [project, data] : s.data) {
        for (const auto& [digest, tree] : data.trees) s.unused_trees.insert({tree.used_at, project, digest});
        for (const auto& [job, outputs] : data.outputs) {
            if (outputs.keep_until) s.output_ends.insert({*outputs.keep_until, project, job});
        }
        for (const auto& [digest, receipt] : data.erased) s.receipts.insert({receipt.erased_at, project, digest});
    }
    for (const auto& [id, left] : s.finished) ++s.finished_of[left.project];
    for (const auto& [scope, keys] : s.keys) {
        for (const auto& [key, record] : keys) {
            if (!record.project.empty()) ++s.keys_of[record.project];
        }
    }
    for (const auto& [id, token] : s.tokens) s.token_by_hash[token.hash] = id;
    for (const auto& [id, voucher] : s.vouchers) s.vouchers_of[voucher.organisation].insert(id);
    for (const auto& [id, job] : s.jobs) {
        ++s.live_jobs[job.project];
        s.live_bytes[job.project] += bytes_of(job.spec);
        use_tree(s, job);
        ++s.jobs_by_state[job.state];
        for (const auto& awaited : job.waits_for) {
            // An awaited job that succeeded is no longer named: one that is not live left without success.
            if (s.jobs.contains(awaited)) {
                s.dependents[awaited].insert(id);
            } else {
                s.forsaken.insert(id);
            }
        }
        if (job.placement) {
            s.tasks[job.placement->site][id] = job.generation;
            toggle_line(s.desired_log[job.placement->site], job);
            if (job.deadline) s.deadlines.insert({*job.deadline, id});
            if (is_suspended(s, job)) s.unwelcome.insert(id);
        }
        if (!job.move) continue;
        s.moves.insert(id);
        if (!job.move->target) continue;
        s.places_held[job.move->target->site][id] = job.move->target_generation;
        toggle_place(s.desired_log[job.move->target->site], job);
    }
}

}  // namespace weir::control
