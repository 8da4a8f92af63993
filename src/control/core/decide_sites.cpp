// Where work runs: sites as operators set them, and what their agents report. A report is level, not edge: it may be
// lost, repeated or late, and changes nothing the second time.
#include "codec/encode.hpp"
#include "control/core/funding.hpp"
#include "control/core/job_use.hpp"
#include "control/core/rules.hpp"
#include "control/core/settle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace weir::control {
namespace {

/// The job that a line of a report is about, if the line still matters: live, of that generation, and running there.
const LiveJob* current(const State& state, const SiteName& site, JobId id, std::uint32_t generation) {
    const auto job = state.jobs.find(id);
    if (job == state.jobs.end() || job->second.generation != generation) return nullptr;
    if (!job->second.placement || job->second.placement->site != site) return nullptr;
    return &job->second;
}

/// Inventory: nodes that changed, and nodes that are gone.
void compare_nodes(const SiteState& site, const std::vector<Node>& reported, std::vector<Event>& events) {
    std::set<NodeName> seen;
    for (const auto& node : reported) {
        seen.insert(node.name);
        const auto known = site.nodes.find(node.name);
        if (known == site.nodes.end() || known->second != node) events.push_back(NodeSet{site.site.name, node});
    }
    for (const auto& [name, node] : site.nodes) {
        if (!seen.contains(name)) events.push_back(NodeRemoved{site.site.name, name});
    }
}

std::optional<Refusal> check_nodes(const Core& core, const std::vector<Node>& nodes) {
    if (nodes.size() > limits::nodes_per_site_max) {
        return Refusal{RefusalCode::limit_reached,
                       fmt::format("the report has {} nodes, at most {} are taken from one site", nodes.size(), limits::nodes_per_site_max),
                       "nodes",
                       {}};
    }
    std::set<NodeName> seen;
    for (const auto& node : nodes) {
        if (auto flaw = first_of(flaws(node), fmt::format("node {}", node.name.value))) return flaw;
        if (!seen.insert(node.name).second)
            return Refusal{RefusalCode::bad_value, fmt::format("node {} is reported twice", node.name.value), "nodes", {}};
        for (const auto& group : node.cards) {
            if (!core.catalogue.contains(group.model)) {
                return Refusal{
                    RefusalCode::unknown_model,
                    fmt::format("node {} has cards of the model '{}', which the catalogue does not have", node.name.value, group.model),
                    "nodes",
                    {}};
            }
        }
    }
    return std::nullopt;
}

/// The jobs of one report as they are once its meters and checkpoints count: what follows from it is decided on these.
class Drafts {
public:
    explicit Drafts(const State& state) : state_{state} {}

    /// Nothing where the job is not live.
    LiveJob* find(JobId id) {
        if (const auto draft = drafts_.find(id); draft != drafts_.end()) return &draft->second;
        const auto job = state_.jobs.find(id);
        return job == state_.jobs.end() ? nullptr : &drafts_.emplace(id, job->second).first->second;
    }
    [[nodiscard]] const std::map<JobId, LiveJob>& all() const { return drafts_; }

private:
    const State& state_;
    std::map<JobId, LiveJob> drafts_;
};

/// So much more than has gone by since the cards were given may a meter have counted: both ends are whole seconds, and clocks go at
/// different speeds, a thousandth at the very most.
constexpr std::int64_t meter_slack_s = 5;
constexpr std::int64_t meter_drift_divisor = 1000;

/// The cards of a rank on that model; nothing for a rank beyond the gang.
std::optional<MilliCards> cards_of(const LiveJob& job, const std::string& model, std::uint32_t node_rank) {
    if (node_rank >= static_cast<std::uint64_t>(job.spec->num_nodes)) return std::nullopt;
    const auto ask = std::ranges::find(job.spec->resources.accelerators, model, &AcceleratorAsk::model);
    return ask == job.spec->resources.accelerators.end() ? std::nullopt : std::optional{ask->per_node};
}

/// Takes a meter interval once: the next number of its meter, after the interval before. Others are passed over; the
/// agent sends them again or never.
///
/// A meter tells the time by its own clock, which may be hours from ours. What bounds it is how much it counts: never more seconds than
/// went by since the cards were given. What is beyond that moves the meter on, and counts once so much has gone by: our own clock may
/// have stood still.
void take_interval(Drafts& drafts, const SiteName& site, const MeterReport& report, Instant now, std::vector<Event>& events) {
    auto* job = drafts.find(report.job);
    if (job == nullptr || report.from_s < 0 || report.to_s <= report.from_s) return;
    const auto* usage = usage_of(*job, report.generation);
    if (usage == nullptr || usage->site != site) return;
    const auto cards = cards_of(*job, usage->model, report.node_rank);
    if (!cards || report.to_s - report.from_s > limits::duration_s_max) return;
    const auto* known = meter_of(*job, report.generation, report.node_rank);
    const auto before = known != nullptr ? *known : MeterState{};
    if (report.sequence != before.sequence + 1 || report.from_s < before.to_s) return;
    const auto went_by_s = std::max<std::int64_t>(floor_seconds(now) - floor_seconds(usage->placed_at), 0);
    const MilliCardSeconds most{cards->value * (went_by_s + went_by_s / meter_drift_divisor + meter_slack_s)};
    const auto told_s = checked_add(before.told_s, report.to_s - report.from_s);
    const auto told = told_s ? checked_mul(cards->value, *told_s) : std::nullopt;
    if (!told) return;
    const auto used = std::max(std::min(MilliCardSeconds{*told}, most) - before.used, MilliCardSeconds{0});
    // What an earlier generation still reports came after the network had given it up: nobody but its provider pays.
    const bool late = report.generation != job->generation || !job->placement;
    const TaskMetered metered{report.job, report.generation, report.node_rank, report.sequence, report.from_s, report.to_s, used,
                              late ? std::optional{payer_of(LossCause::lease_lost)} : std::nullopt};
    take_meter(*job, metered, now);
    events.push_back(metered);
}

void take_point(Drafts& drafts, const SiteName& site, const CheckpointReport& point, Instant now, std::vector<Event>& events) {
    auto* job = drafts.find(point.job);
    if (job == nullptr || job->generation != point.generation || !job->placement || job->placement->site != site || !is_name(point.name))
        return;
    const auto& have = job->checkpoints;
    const bool known =
        std::ranges::any_of(have, [&](const auto& one) { return one.manifest == point.manifest && one.name == point.name; });
    // The newest under another name (`latest` that became `prev`) holds no more than it did: what was used since is as unsaved as before.
    if (known || (!have.empty() && have.back().manifest == point.manifest)) return;
    const CheckpointStored stored{point.job, point.generation, point.name, point.manifest, point.bytes, point.taken_s};
    take_checkpoint(*job, stored, now);
    events.push_back(stored);
}

/// A job whose use has reached what is promised for it stops before it owes what nobody promised.
void stop_spent(const Core& core, const Drafts& drafts, const std::set<JobId>& ended, Instant now, std::vector<Event>& events) {
    for (const auto& [id, job] : drafts.all()) {
        if (ended.contains(id) || !job.placement || job.stop_ordered || job.placement->fen_per_card_hour.value == 0) continue;
        if (is_spent(core, job)) events.push_back(stop_order(core, job, Reason::budget_reached, now));
    }
}

Reason reason_of_progress(TaskState state) { return state == TaskState::starting ? Reason::agent_started : Reason::processes_running; }

/// How long ago what is reported was, and never before the job's state began.
Duration ago_of(const TaskReport& report, const LiveJob& job, Instant now) {
    const auto most = std::max<std::int64_t>((now - job.since).ns / 1'000'000, 0);
    return milliseconds(std::clamp<std::int64_t>(report.ago_ms.value_or(0), 0, most));
}

/// Takes what a report says of a generation, if that is the present one and this report has not ended it already. `ended` are the jobs
/// whose generation has ended so far.
void take_task(const Core& core, Drafts& drafts, const SiteName& site, const TaskReport& report, Instant now, std::set<JobId>& ended,
               std::vector<Event>& events) {
    if (current(core.state, site, report.job, report.generation) == nullptr || ended.contains(report.job)) return;
    auto* job = drafts.find(report.job);
    if (report.state == TaskState::ended) {
        ended.insert(report.job);
        end_generation(core, *job, {report.reason, report.exit_code, report.blamed, ago_of(report, *job, now)}, now, events);
        return;
    }
    const auto to = report.state == TaskState::starting ? JobState::starting : JobState::running;
    // One that was asked for its last checkpoint here is told to run by an agent that began anew, and runs no further for it.
    if (job->state == to || job->state == JobState::checkpointing || !may_follow(job->state, to)) return;
    job->state = to;
    events.push_back(JobStateChanged{job->id, job->generation, to, reason_of_progress(report.state)});
    if (to != JobState::running || !job->arrival) return;
    const auto& arrival = *job->arrival;
    const auto pause = std::max<std::int64_t>((now - ago_of(report, *job, now) - arrival.paused_at).ns / 1'000'000, 0);
    events.push_back(
        JobArrived{job->id, job->generation, arrival.from, job->placement->site, pause, arrival.lost, arrival.prepared});
    job->arrival.reset();
}

/// A checkpoint lies at the place that is held for a job that is to move there.
void take_prepared(const State& state, const SiteName& site, const PreparedReport& report, std::vector<Event>& events) {
    const auto job = state.jobs.find(report.job);
    if (job == state.jobs.end() || !job->second.move || !job->second.move->target) return;
    const auto& move = *job->second.move;
    if (move.target->site != site || move.target_generation != report.generation || move.prepared == report.manifest) return;
    events.push_back(JobMovePrepared{report.job, report.generation, report.manifest});
}

/// How far a session may be ahead of our clock: one of next year would shut out all that come before.
constexpr Duration session_ahead_max = seconds(300);

std::optional<Refusal> check_session(const std::string& session, Instant now) {
    const auto refused = [](std::string message) { return Refusal{RefusalCode::bad_value, std::move(message), "session", {}}; };
    if (session.size() > limits::session_max) {
        return refused(fmt::format("the session's name has {} characters, at most {} are taken; agents name theirs by when they began",
                                   session.size(), limits::session_max));
    }
    const auto began = parse_uid(session);
    if (!began || format_uid(*began) != session)
        return refused(fmt::format("the session is called '{}' and must be a uid, the instant at which it began and chance", session));
    if (time_of(*began) > now + session_ahead_max) {
        return refused(fmt::format("session {} began at {} and it is {}, at most {} before it; set the clock of the site right", session,
                                   moment(time_of(*began)), moment(now), format_duration(session_ahead_max)));
    }
    return std::nullopt;
}

/// Whether this report is the next of its agent's life; or a refusal that says what would be.
Result<bool, Refusal> is_next(const SiteState& site, const SiteReport& report, Instant now) {
    if (auto flaw = check_session(report.session, now)) return fail(std::move(*flaw));
    if (report.session == site.session) {
        if (report.sequence == site.sequence) return false;
        if (report.sequence == site.sequence + 1) return true;
        return fail(
            Refusal{RefusalCode::stale_sequence,
                    fmt::format("report {} came where {} is next; send that, or begin a new session", report.sequence, site.sequence + 1),
                    "sequence",
                    {}});
    }
    if (report.session > site.session && report.sequence == 1) return true;
    return fail(Refusal{RefusalCode::stale_sequence,
                        fmt::format("report {} of session {} came, and session {} is at {}; a new session has a later id and begins at 1",
                                    report.sequence, report.session, site.session.empty() ? "none" : site.session, site.sequence),
                        "session",
                        {}});
}

constexpr std::size_t lines_max = 1000;                            ///< Of each kind in a report.
constexpr std::int64_t checkpoint_bytes_max = std::int64_t{1} << 50;  ///< Sites take less (agent/config.hpp).

constexpr std::int64_t exit_code_most = 255;

/// Whether the reason of a task's end and its exit code agree.
bool is_sound(const TaskReport& task) {
    if (task.exit_code < -exit_code_most || task.exit_code > exit_code_most) return false;
    if (task.reason == Reason::exited) return task.exit_code == 0;
    return task.reason != Reason::exit_code || task.exit_code > 0;
}

/// At most so many lines of each kind; each as it can be.
std::optional<Refusal> check_lines(const SiteReport& report) {
    const std::pair<const char*, std::size_t> kinds[] = {
        {"meters", report.meters.size()}, {"checkpoints", report.checkpoints.size()}, {"tasks", report.tasks.size()},
        {"prepared", report.prepared ? report.prepared->size() : 0}, {"outputs", report.outputs ? report.outputs->size() : 0}};
    for (const auto& [kind, lines] : kinds) {
        if (lines <= lines_max) continue;
        return Refusal{RefusalCode::limit_reached,
                       fmt::format("the report has {} lines of {}, at most {} are taken; send the others with the next report", lines, kind,
                                   lines_max),
                       kind,
                       {}};
    }
    for (const auto& task : report.tasks) {
        if (task.state != TaskState::ended || is_sound(task)) continue;
        return Refusal{
            RefusalCode::bad_value,
            fmt::format("{} is told to have ended with the reason {} and the exit code {}: exited means 0, exit_code from 1 to 255, "
                        "and no code is beyond {}",
                        task.job.text(), codec::name_of(task.reason), task.exit_code, exit_code_most),
            "tasks",
            {}};
    }
    for (const auto& point : report.checkpoints) {
        if (point.bytes >= 0 && point.bytes <= checkpoint_bytes_max) continue;
        return Refusal{RefusalCode::bad_value,
                       fmt::format("checkpoint {} of {} has {} bytes, and has from 0 to {}", point.name, point.job.text(), point.bytes,
                                   checkpoint_bytes_max),
                       "checkpoints",
                       {}};
    }
    return std::nullopt;
}

}  // namespace

Decision decide(const Core& core, const Actor& actor, const SetAccelerator& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    const auto& wanted = command.accelerator;
    if (auto flaw = first_of(flaws(wanted), "accelerator")) return refuse(*flaw);
    const auto known = core.catalogue.find(wanted.model);
    if (known != core.catalogue.end() && known->second == wanted) return repeat(wanted.model);
    const auto& set = core.state.accelerators;
    if (!set.contains(wanted.model)) {
        if (auto full = no_room(set.size(), limits::models_max, "models", "put them into the catalogue's file (--catalogue)"))
            return refuse(*std::move(full));
    }
    return accept(wanted.model, {AcceleratorSet{wanted}});
}

Decision decide(const Core& core, const Actor& actor, const SetSite& command, Instant now) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    const auto& site = command.site;
    if (auto flaw = first_of(flaws(site, core.catalogue), "site")) return refuse(*flaw);
    if (!core.state.organisations.contains(site.owner)) {
        return refuse(RefusalCode::not_found, fmt::format("organisation {} is not known; create it first", site.owner.value), "owner");
    }
    const auto known = core.state.sites.find(site.name);
    if (known != core.state.sites.end()) {
        if (known->second.site == site) return repeat(site.name.value);
        if (known->second.site.owner != site.owner) {
            return refuse(RefusalCode::already_exists_different,
                          fmt::format("site {} belongs to {} and its earnings do too; register another name for {}", site.name.value,
                                      known->second.site.owner.value, site.owner.value),
                          "owner");
        }
    } else if (auto full =
                   no_room(core.state.sites.size(), limits::sites_max, "sites", "join those of one owner, or run another network")) {
        return refuse(*std::move(full));
    }
    std::vector<Event> events{SiteSet{site}};
    std::vector<ledger::AccountSpec> accounts{
        {account::bank(), cash_ledger, ledger::AccountCode::bank, ledger::Bound::none},
        {account::clearing(), cash_ledger, ledger::AccountCode::clearing, ledger::Bound::none},
        {account::network(), cash_ledger, ledger::AccountCode::network_loss, ledger::Bound::none},
        {account::supplier(site.owner), cash_ledger, ledger::AccountCode::supplier, ledger::Bound::none},
    };
    for (const auto& [name, opened] : core.state.programmes) accounts.push_back(account::redeemed_at(opened, site.owner));
    auto facts = open_accounts(core, accounts, now);
    if (!facts) return refuse(facts.error());
    if (!facts->empty()) events.push_back(*std::move(facts));
    return accept(site.name.value, std::move(events));
}

Decision decide(const Core& core, const Actor& actor, const SiteReport& command, Instant now) {
    if (auto allowed = permit(core.state, actor, Action::report); !allowed) return refuse(allowed.error());
    if (actor.kind == Actor::Kind::agent && actor.site != command.site) {
        return refuse(RefusalCode::forbidden, fmt::format("the agent of {} may not report for {}", actor.site.value, command.site.value),
                      "site");
    }
    const auto site = core.state.sites.find(command.site);
    if (site == core.state.sites.end())
        return refuse(RefusalCode::not_found, fmt::format("site {} is not known; an operator registers it first", command.site.value),
                      "site");
    const auto next = is_next(site->second, command, now);
    if (!next) return refuse(next.error());
    if (!*next) {
        // Nothing new, but a silent site that speaks is there again.
        if (site->second.reachable) return repeat(fmt::format("{}", command.sequence));
        return accept(fmt::format("{}", command.sequence), {SiteReachable{command.site, true}});
    }
    if (auto flaw = check_lines(command)) return refuse(*flaw);
    if (command.nodes) {
        if (auto flaw = check_nodes(core, *command.nodes)) return refuse(*flaw);
    }
    std::vector<Event> events;
    if (!site->second.reachable) events.push_back(SiteReachable{command.site, true});
    if (command.nodes) compare_nodes(site->second, *command.nodes, events);
    Drafts drafts{core.state};
    for (const auto& meter : command.meters) take_interval(drafts, command.site, meter, now, events);
    for (const auto& point : command.checkpoints) take_point(drafts, command.site, point, now, events);
    OutputsTaken taken;
    for (const auto& output : command.outputs.value_or(std::vector<OutputReport>{}))
        take_output(core, command.site, output, taken, events);
    std::set<JobId> ended;
    for (const auto& task : command.tasks) take_task(core, drafts, command.site, task, now, ended, events);
    for (const auto& point : command.prepared.value_or(std::vector<PreparedReport>{})) {
        if (!ended.contains(point.job)) take_prepared(core.state, command.site, point, events);
    }
    stop_spent(core, drafts, ended, now, events);
    events.push_back(ReportTaken{command.site, command.session, command.sequence});
    return accept(fmt::format("{}", command.sequence), std::move(events));
}

Decision decide(const Core& core, const Actor& actor, const SilenceSite& command, Instant) {
    if (actor.kind != Actor::Kind::system) return refuse(RefusalCode::forbidden, "only the network itself says that a site is silent");
    const auto site = core.state.sites.find(command.site);
    if (site == core.state.sites.end() || !site->second.reachable) return repeat(command.site.value);
    return accept(command.site.value, {SiteReachable{command.site, false}});
}

}  // namespace weir::control
