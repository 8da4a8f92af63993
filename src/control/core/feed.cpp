#include "control/core/feed.hpp"

#include "base/sha256.hpp"
#include "control/core/funding.hpp"
#include "domain/limits.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

namespace weir::control {
namespace {

static_assert(limits::quota_milli_max <= scheduler::amount_max);

scheduler::Tier tier_of(Tier tier) {
    switch (tier) {
        case Tier::edge: return scheduler::Tier::edge;
        case Tier::cloud: return scheduler::Tier::cloud;
        case Tier::core: return scheduler::Tier::core;
    }
    return scheduler::Tier::cloud;
}

std::int32_t priority_of(PriorityClass priority) {
    switch (priority) {
        case PriorityClass::low: return 10;
        case PriorityClass::normal: return 20;
        case PriorityClass::high: return 30;
    }
    return 20;
}

void tell(Core& core, scheduler::Delta delta) {
    if (!core.scheduler.apply(std::move(delta))) ++core.facts_refused;
}

void tell_site(Core& core, const SiteName& name) {
    const auto& site = core.state.sites.at(name);
    scheduler::SiteSet set;
    set.site = name.value;
    set.region = site.site.region;
    set.tier = tier_of(site.site.tier);
    set.open = site.site.open && site.reachable && site.duty == SiteDuty::working;
    for (const auto& line : site.site.tariff) set.price_fen[line.model] = line.fen_per_card_hour.value;
    set.levels = {"zone", "block", "rack"};
    tell(core, std::move(set));
}

void tell_node(Core& core, const SiteName& site, const Node& node) {
    scheduler::NodeSet set;
    set.site = site.value;
    set.node = node.name.value;
    for (const auto& group : node.cards) {
        const bool shared = group.slicing == Slicing::fractional;
        set.accelerators.push_back({group.model, static_cast<std::int32_t>(group.count), group.memory.value,
                                    shared ? scheduler::Slicing::fractional : scheduler::Slicing::exclusive, shared ? "weir" : "",
                                    group.emulated});
    }
    set.cpus_milli = node.cpus.value;
    set.memory_mib = node.memory.value;
    set.position = node.position;
    set.healthy = node.healthy;
    tell(core, std::move(set));
}

void tell_quota(Core& core, const Project* old, const Project& project) {
    std::set<std::string> named;
    for (const auto& line : project.quota) {
        named.insert(line.model);
        // A project of long ago may have had a quota above the maximum of today, which nobody can reach either.
        tell(core, scheduler::QuotaSet{project.name.value, line.model, std::min(line.milli_cards.value, limits::quota_milli_max)});
    }
    if (old == nullptr) return;
    for (const auto& line : old->quota) {
        if (!named.contains(line.model)) tell(core, scheduler::QuotaSet{project.name.value, line.model, std::nullopt});
    }
}

std::string key_of(const scheduler::FundingAnswers& answers) {
    std::string text;
    for (const auto& [site, models] : answers) {
        text += site + "\n";
        for (const auto& [model, answer] : models) {
            text += model + (answer.eligible ? "+" : "-");
            for (const auto& clause : answer.clauses) text += clause.source + "\x1f" + clause.clause + "\x1e";
            text += "\n";
        }
    }
    return sha256(text).text().substr(0, 24);
}

void release_funding(Core& core, const std::string& key) {
    const auto users = core.funding.users.find(key);
    if (users == core.funding.users.end() || --users->second > 0) return;
    core.funding.users.erase(users);
    tell(core, scheduler::FundingRemoved{key});
}

/// What was answered before may be wrong now.
void forget_answers(Core& core) {
    const auto gone = std::exchange(core.funding.remembered, {});
    for (const auto& [question, key] : gone) release_funding(core, key);
}

FundingQuestion question_of(const Core& core, const LiveJob& job) {
    FundingQuestion question;
    question.organisation = core.state.projects.at(job.project).organisation;
    question.models.reserve(job.spec->resources.accelerators.size());
    for (const auto& ask : job.spec->resources.accelerators) question.models.emplace_back(ask.model, ask.per_node.value);
    question.nodes = job.spec->num_nodes;
    question.max_duration_s = job.spec->max_duration.value;
    if (job.spec->budget) question.budget_fen = job.spec->budget->fen.value;
    for (const auto& source : sources_of(job.spec)) {
        question.sources.emplace_back(source.voucher, held_of(job, source).value);
        if (source.voucher && lapses_during(core.state, *source.voucher, job.spec, job.seeks_since()))
            question.at = job.seeks_since();
    }
    if (!job.usage.empty()) {
        const auto purse = purse_of(core, job, std::nullopt);
        for (const auto free : spendable(job, purse)) question.left.push_back(free.value);
        question.left.push_back(purse.budget.value);
    }
    return question;
}

/// The funding key of a job's answers, told to the scheduler where it is new. The caller is one more who uses it.
/// A job is judged as of when its wait began: at its submission, after an attempt that ended, or when a voucher lapsed meanwhile.
std::string tell_funding(Core& core, const LiveJob& job) {
    auto& book = core.funding;
    auto question = question_of(core, job);
    auto known = book.remembered.find(question);
    if (known == book.remembered.end()) {
        if (book.remembered.size() >= FundingBook::remembered_max) forget_answers(core);
        auto answers = funding_answers(core, job, job.seeks_since());
        auto key = key_of(answers);
        if (book.users[key]++ == 0) tell(core, scheduler::FundingSet{key, std::move(answers)});
        known = book.remembered.emplace(std::move(question), std::move(key)).first;
    }
    ++book.users[known->second];
    return known->second;
}

void forget_end(FundingBook& book, JobId job) {
    const auto end = book.end_of.find(job);
    if (end == book.end_of.end()) return;
    book.ends.erase({end->second, job});
    book.end_of.erase(end);
}

/// The job waits: which vouchers it names, and when the first of them lapses.
void note_waiting(Core& core, const LiveJob& job) {
    if (job.spec->funding.empty()) return;
    for (const auto& source : job.spec->funding) {
        if (source.voucher) core.funding.waiters[*source.voucher].insert(job.id);
    }
    forget_end(core.funding, job.id);
    if (const auto end = answers_end(core.state, job)) {
        core.funding.ends.insert({*end, job.id});
        core.funding.end_of.emplace(job.id, *end);
    }
}

void note_gone(Core& core, const LiveJob& job) {
    forget_end(core.funding, job.id);
    for (const auto& source : job.spec->funding) {
        if (!source.voucher) continue;
        const auto waiters = core.funding.waiters.find(*source.voucher);
        if (waiters == core.funding.waiters.end()) continue;
        waiters->second.erase(job.id);
        if (waiters->second.empty()) core.funding.waiters.erase(waiters);
    }
}

void tell_queued(Core& core, LiveJob& job) {
    const auto old = std::move(job.funding_key);
    job.funding_key = tell_funding(core, job);
    auto queued = queued_of(core, job);
    queued.ask.funding = job.funding_key;
    tell(core, std::move(queued));
    if (!old.empty()) release_funding(core, old);
    note_waiting(core, job);
}

/// A waiting job is judged anew where what it was judged by has changed; the scheduler hears of it only where the answers differ.
void judge_again(Core& core, LiveJob& job) {
    const auto key = tell_funding(core, job);
    const bool same = key == job.funding_key;
    if (same) {
        note_waiting(core, job);
    } else {
        tell_queued(core, job);
    }
    release_funding(core, key);
}

void judge_waiters(Core& core, VoucherId voucher) {
    const auto waiters = core.funding.waiters.find(voucher);
    if (waiters == core.funding.waiters.end()) return;
    const auto jobs = waiters->second;
    for (const auto& id : jobs) judge_again(core, core.state.jobs.at(id));
}

void tell_held(Core& core, const LiveJob& job, const Placement& placement, std::uint32_t generation) {
    scheduler::JobPlaced placed;
    placed.job = job.id.uid;
    placed.generation = generation;
    placed.allocation.project = job.project.value;
    placed.allocation.site = placement.site.value;
    placed.allocation.model = placement.model;
    const bool fraction = placement.per_node.value < 1000;
    for (const auto& node : placement.nodes) {
        scheduler::NodeShare share;
        share.node = node.node.value;
        for (const auto& card : node.cards) {
            share.cards.push_back(
                {static_cast<std::int32_t>(card.index), card.share.value, fraction ? job.spec->resources.accelerator_memory.value : 0});
        }
        share.cpus_milli = job.spec->resources.cpus.value;
        share.memory_mib = job.spec->resources.memory.value;
        share.emulated = placement.emulated;
        placed.allocation.nodes.push_back(std::move(share));
    }
    tell(core, std::move(placed));
}

void tell_placed(Core& core, const LiveJob& job) { tell_held(core, job, *job.placement, job.generation); }

void forget_funding(Core& core, LiveJob& job) {
    if (job.funding_key.empty()) return;
    release_funding(core, job.funding_key);
    job.funding_key.clear();
    note_gone(core, job);
}

/// A move comes to nothing: its place is free again, or none is sought any more.
void tell_stays(Core& core, LiveJob& job) {
    if (!job.move) return;
    if (job.move->target) {
        tell(core, scheduler::JobReleased{job.id.uid, job.move->target_generation});
    } else {
        tell(core, scheduler::JobWithdrawn{job.id.uid});
        forget_funding(core, job);
    }
}

// ---- before

struct Before {
    Core& core;
    void operator()(const ProjectSet& e) const {
        const auto old = core.state.projects.find(e.project.name);
        tell_quota(core, old == core.state.projects.end() ? nullptr : &old->second, e.project);
    }
    void operator()(const NodeRemoved& e) const { tell(core, scheduler::NodeRemoved{e.site.value, e.node.value}); }
    void operator()(const JobRequeued& e) const {
        tell_stays(core, core.state.jobs.at(e.job));
        tell(core, scheduler::JobReleased{e.job.uid, e.generation});
    }
    void operator()(const JobStopOrdered& e) const {
        if (e.reason != Reason::moving) tell_stays(core, core.state.jobs.at(e.job));
    }
    void operator()(const JobMoveEnded& e) const { tell_stays(core, core.state.jobs.at(e.job)); }
    void operator()(const JobMoved& e) const { tell(core, scheduler::JobReleased{e.job.uid, e.generation}); }
    void operator()(const JobFinished& e) const {
        const auto job = core.state.jobs.find(e.job);
        if (job == core.state.jobs.end()) return;
        tell(core, scheduler::JobRemoved{e.job.uid});
        forget_funding(core, job->second);
        if (e.outcome != JobState::succeeded) return;
        const auto waiting = core.state.dependents.find(e.job);
        if (waiting == core.state.dependents.end()) return;
        freed = waiting->second;
    }
    void operator()(const auto&) const {}
    std::set<JobId>& freed;
};

// ---- after

struct After {
    Core& core;
    void operator()(const SiteSet& e) const {
        tell_site(core, e.site.name);
        forget_answers(core);
        for (auto& [id, job] : core.state.jobs) {
            if (job.seeks_place()) judge_again(core, job);
        }
    }
    void operator()(const OrganisationSet& e) const {
        forget_answers(core);
        const auto vouchers = core.state.vouchers_of.find(e.organisation.name);
        if (vouchers == core.state.vouchers_of.end()) return;
        for (const auto& voucher : vouchers->second) judge_waiters(core, voucher);
    }
    void operator()(const ProgrammeOpened&) const { forget_answers(core); }
    void operator()(const VoucherAwarded&) const { forget_answers(core); }
    void operator()(const SiteReachable& e) const { tell_site(core, e.site); }
    void operator()(const NodeSet& e) const { tell_node(core, e.site, e.node); }
    void operator()(const ProjectSet& e) const {
        for (auto& [id, job] : core.state.jobs) {
            if (job.seeks_place() && job.project == e.project.name) tell_queued(core, job);
        }
    }
    void operator()(const VoucherEnded& e) const {
        forget_answers(core);
        judge_waiters(core, e.voucher);
    }
    void operator()(const JobStateChanged& e) const {
        auto& job = core.state.jobs.at(e.job);
        if (!job.placement) tell_queued(core, job);
    }
    /// What an old generation still tells of a waiting job may change what its sources have left.
    void operator()(const TaskMetered& e) const {
        const auto job = core.state.jobs.find(e.job);
        if (job != core.state.jobs.end() && job->second.seeks_place()) judge_again(core, job->second);
    }
    void operator()(const SiteDutySet& e) const { tell_site(core, e.site); }
    /// Which stack a model needs, and whether a clause for domestic chips takes it, may be judged anew.
    void operator()(const AcceleratorSet& e) const {
        core.catalogue[e.accelerator.model] = e.accelerator;
        forget_answers(core);
        for (auto& [id, job] : core.state.jobs) {
            if (job.seeks_place()) tell_queued(core, job);
        }
    }
    void operator()(const OrganisationSuspended& e) const {
        for (auto& [id, job] : core.state.jobs) {
            if (job.seeks_place() && core.state.projects.at(job.project).organisation == e.organisation) tell_queued(core, job);
        }
    }
    void operator()(const JobMoveOrdered& e) const { tell_queued(core, core.state.jobs.at(e.job)); }
    void operator()(const JobMoveReserved& e) const {
        auto& job = core.state.jobs.at(e.job);
        tell_held(core, job, *job.move->target, job.move->target_generation);
        forget_funding(core, job);
    }
    void operator()(const JobSubmitted& e) const { tell_queued(core, core.state.jobs.at(e.job)); }
    void operator()(const JobRequeued& e) const { tell_queued(core, core.state.jobs.at(e.job)); }
    void operator()(const JobPlaced& e) const {
        auto& job = core.state.jobs.at(e.job);
        tell_placed(core, job);
        forget_funding(core, job);
    }
    void operator()(const auto&) const {}
};

}  // namespace

std::vector<std::size_t> ways_of(const Catalogue& catalogue, const LiveJob& job) {
    const auto stack_of = [&](const std::string& model) {
        const auto known = catalogue.find(model);
        return known == catalogue.end() ? std::string{} : known->second.stack;
    };
    const auto& checkpoint = job.spec->checkpoint;
    const bool takes_along = job.move && !job.move->restart && checkpoint.protocol != CheckpointProtocol::none;
    const auto may_load = [&](const std::string& model) {
        const auto stack = stack_of(model);
        return stack == stack_of(job.placement->model) ||
               (checkpoint.stacks && std::ranges::find(*checkpoint.stacks, stack) != checkpoint.stacks->end());
    };
    std::vector<std::size_t> ways;
    const auto& asks = job.spec->resources.accelerators;
    for (std::size_t i = 0; i < asks.size(); ++i) {
        if (!takes_along || may_load(asks[i].model)) ways.push_back(i);
    }
    return ways;
}

scheduler::JobQueued queued_of(const Core& core, const LiveJob& job) {
    scheduler::JobQueued queued;
    queued.job = job.id.uid;
    queued.ask = ask_of(core.state, core.catalogue, job);
    queued.priority = priority_of(job.spec->priority);
    queued.queued_at = job.submitted_at;
    queued.not_before = job.not_before;
    queued.dependencies = static_cast<std::int32_t>(job.waits_for.size());
    // A suspension is one more thing that it waits for.
    if (core.state.suspended.contains(core.state.projects.at(job.project).organisation)) ++queued.dependencies;
    return queued;
}

scheduler::Ask ask_of(const State& state, const Catalogue& catalogue, const LiveJob& job) {
    const JobSpec& spec = job.spec;
    const auto& project = state.projects.at(job.project);
    scheduler::Ask ask;
    ask.project = job.project.value;
    ask.nodes = static_cast<std::int32_t>(spec.num_nodes);
    for (const auto way : ways_of(catalogue, job)) {
        const auto& one = spec.resources.accelerators[way];
        ask.alternatives.push_back({one.model, one.per_node.value, spec.resources.accelerator_memory.value});
    }
    ask.cpus_milli = spec.resources.cpus.value;
    ask.memory_mib = spec.resources.memory.value;
    for (const auto& site : spec.trust.empty() ? project.trusted : spec.trust) ask.trusted_sites.push_back(site.value);
    if (job.move) {
        ask.held_model = job.placement->model;
        ask.excluded_sites.push_back(job.placement->site.value);
        if (const auto& to = job.move->to) {
            const bool trusted = ask.trusted_sites.empty() || std::ranges::find(ask.trusted_sites, to->value) != ask.trusted_sites.end();
            ask.trusted_sites = {to->value};
            if (!trusted) ask.excluded_sites.push_back(to->value);
        }
    }
    for (const auto& node : job.avoid) ask.excluded_nodes.push_back({node.site.value, node.node.value});
    if (!spec.residency.empty()) ask.residency.push_back(spec.residency);
    if (spec.tier) ask.required_tier = tier_of(*spec.tier);
    std::ranges::sort(ask.trusted_sites);
    std::ranges::sort(ask.excluded_sites);
    std::ranges::sort(ask.excluded_nodes);
    return ask;
}

void before(Core& core, const Event& event) {
    core.freed.clear();
    std::visit(Before{core, core.freed}, event);
}

void after(Core& core, const Event& event) {
    std::visit(After{core}, event);
    for (const auto& id : core.freed) {
        const auto job = core.state.jobs.find(id);
        if (job != core.state.jobs.end()) tell_queued(core, job->second);
    }
    core.freed.clear();
}

void rebuild(Core& core) {
    rebuild(core.state);
    core.scheduler = scheduler::Scheduler{};
    core.funding = {};
    core.facts_refused = 0;
    for (const auto& [model, accelerator] : core.state.accelerators) core.catalogue[model] = accelerator;
    for (const auto& [name, site] : core.state.sites) {
        tell_site(core, name);
        for (const auto& [node_name, node] : site.nodes) tell_node(core, name, node);
    }
    for (const auto& [name, project] : core.state.projects) tell_quota(core, nullptr, project);
    for (auto& [id, job] : core.state.jobs) {
        job.funding_key.clear();
        if (job.placement) {
            tell_placed(core, job);
            if (job.move && job.move->target) tell_held(core, job, *job.move->target, job.move->target_generation);
        }
        if (job.seeks_place()) tell_queued(core, job);
    }
}

}  // namespace weir::control
