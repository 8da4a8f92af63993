#include "site.hpp"

#include "base/sha256.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::sim {

using namespace control;

namespace {

constexpr std::int64_t slice_s = 10;
constexpr Duration local_stop_slack = seconds(30);  ///< As the agent has it: the network's own order comes first.

std::int64_t progress_of(const std::string& checkpoint) {
    std::int64_t progress = 0;
    const auto digits = std::string_view{checkpoint}.substr(std::min<std::size_t>(checkpoint.size(), 2));
    std::from_chars(digits.data(), digits.data() + digits.size(), progress);
    return progress;
}

}  // namespace

SimSite::SimSite(SiteOptions options, Timeline& timeline, Server& server, Random random, Probes& probes, Truth& truth,
                 const std::map<JobId, Behaviour>& behaviours)
    : options_{std::move(options)}, timeline_{timeline}, server_{server}, random_{random}, probes_{probes}, truth_{truth},
      behaviours_{behaviours}, booted_{timeline.now()} {}

Instant SimSite::boot() const {
    const auto since = timeline_.now() - booted_;
    return Instant{since.ns + since.ns / 1'000'000 * options_.drift_ppm};
}

void SimSite::start() {
    new_session();
    timeline_.after(milliseconds(random_.between(1, 1000)), [this] { repeat(&SimSite::supervise, seconds(1)); });
    timeline_.after(milliseconds(random_.between(1, 1000)), [this] { repeat(&SimSite::agent_round, milliseconds(1500)); });
}

void SimSite::repeat(void (SimSite::*what)(), Duration every) {
    (this->*what)();
    timeline_.after(every, [this, what, every] { repeat(what, every); });
}

// ---- supervisors: they know their lease and nothing of the agent

void SimSite::supervise() {
    if (!powered_) return;
    for (auto& [key, task] : tasks_) {
        if (task.phase == Phase::ended) continue;
        if (auto node = lost_node(task)) {
            probes_.hit("node or cards lost under a running task");
            end(task, Reason::node_lost, 0, std::move(node));
            continue;
        }
        const auto now = boot();
        const auto& behaviour = behaviours_.at(key.first);
        if (task.phase == Phase::leaving && now >= task.publish_at && now < task.leave_at) {
            task.checkpoint_s = std::max(task.checkpoint_s, task.progress_at_start_s + (now - task.began_boot).ns / 1'000'000'000);
            probes_.hit("checkpoint published before a stop");
            stop(task, of_obedience());
        }
        if (task.phase == Phase::leaving && now >= task.leave_at) {
            probes_.hit("task stopped without the checkpoint that was asked for");
            stop(task, of_obedience());
        }
        if (task.phase != Phase::stopping && now >= task.lease) stop(task, Reason::lease_lost);
        if (task.phase != Phase::stopping && now - task.began_boot >= seconds(task.desired.max_duration.value) + local_stop_slack)
            stop(task, Reason::max_duration_reached);
        if (task.phase == Phase::stopping) {
            if (now < task.kill_at) continue;
            if (task.why_stopped == Reason::lease_lost) probes_.hit("task stopped by its supervisor at the end of its lease");
            if (task.why_stopped == Reason::max_duration_reached) probes_.hit("task stopped by its supervisor at its longest duration");
            end(task, task.why_stopped, 143);
            continue;
        }
        if (task.desired.run_on && now >= lease_base_ + lease_ + grace_) probes_.hit("task that runs on outlived the lease of others");
        if (task.phase == Phase::starting) task.phase = Phase::running;
        const auto progress = task.progress_at_start_s + (now - task.began_boot).ns / 1'000'000'000;
        if (behaviour.checkpoint_every_s > 0) task.checkpoint_s = progress / behaviour.checkpoint_every_s * behaviour.checkpoint_every_s;
        if (behaviour.kills_its_node && progress > 5) {
            end(task, Reason::node_lost, 0, task.desired.placement.nodes.front().node);
        } else if (behaviour.fails_at_s && progress >= *behaviour.fails_at_s) {
            end(task, Reason::exit_code, 1);
        } else if (progress >= behaviour.work_s) {
            end(task, Reason::exited, 0);
        }
    }
}

void SimSite::set_nodes(std::vector<Node> nodes) {
    options_.nodes = std::move(nodes);
    told_nodes_ = false;
}

std::optional<NodeName> SimSite::lost_node(const Task& task) const {
    for (const auto& placed : task.desired.placement.nodes) {
        const auto node = std::ranges::find(options_.nodes, placed.node, &Node::name);
        if (node == options_.nodes.end()) return placed.node;
        std::int64_t cards = 0;
        for (const auto& group : node->cards) cards += group.count;
        if (std::ranges::any_of(placed.cards, [&](const CardShare& card) { return card.index >= cards; })) return placed.node;
    }
    return std::nullopt;
}

void SimSite::leave(Task& task, Seconds checkpoint_within) {
    task.phase = Phase::leaving;
    task.publish_at = boot() + seconds(random_.between(0, checkpoint_within.value + checkpoint_within.value / 4));
    task.leave_at = boot() + seconds(checkpoint_within.value);
}

/// A copy takes its time; what was copied before is of use to the next one only as far as it is the same.
void SimSite::prepare(const DesiredTask& wanted) {
    if (wanted.resume.empty()) return;
    auto& copy = copies_[{wanted.job, wanted.generation}];
    const auto& newest = wanted.resume.front().manifest;
    if (copy.manifest == newest) return;
    copy = {newest, boot() + seconds(random_.between(1, 40)), false};
}

void SimSite::stop(Task& task, Reason why) {
    task.phase = Phase::stopping;
    task.why_stopped = why;
    task.kill_at = boot() + Duration{random_.between(0, grace_.ns)};
}

void SimSite::end(Task& task, Reason reason, std::int64_t exit_code, std::optional<NodeName> blamed) {
    task.phase = Phase::ended;
    task.ended_boot = boot();
    task.last = {task.desired.job, task.desired.generation, TaskState::ended, reason, exit_code, std::move(blamed)};
    task.reported = false;
    truth_.task_ended(task.desired.job, task.desired.generation, options_.name, task.ended_boot - task.began_boot);
}

// ---- the agent

void SimSite::new_session() {
    session_ = format_uid({++sessions_, 0});
    sequence_ = 0;
    told_nodes_ = false;
    pending_.reset();
    for (auto& [key, task] : tasks_) task.reported = false;
    for (auto& [key, copy] : copies_) copy.reported = false;
}

void SimSite::agent_round() {
    if (!powered_ || !agent_up_) return;
    reconcile();
    if (!pending_) pending_ = next_report();
    send(*pending_);
}

void SimSite::reconcile() {
    if (!desired_) return;
    for (auto& [key, task] : tasks_) {
        const auto wanted =
            std::ranges::find_if(desired_->tasks, [&](const DesiredTask& d) { return d.job == key.first && d.generation == key.second; });
        const bool unwanted = wanted == desired_->tasks.end() || wanted->stop;
        const bool ordered = wanted != desired_->tasks.end();
        const bool runs = task.phase == Phase::running;
        if (ordered && runs && wanted->checkpoint_wanted && *wanted->checkpoint_wanted > task.asked_for) {
            // Every fourth program does not hear it.
            task.asked_for = *wanted->checkpoint_wanted;
            if (random_.between(0, 3) > 0) {
                task.checkpoint_s = std::max(task.checkpoint_s, task.progress_at_start_s + (boot() - task.began_boot).ns / 1'000'000'000);
                probes_.hit("checkpoint published because one was wanted");
            }
        }
        if (unwanted && ordered && runs && wanted->checkpoint_within) {
            leave(task, *wanted->checkpoint_within);
        } else if (unwanted && (task.phase == Phase::starting || runs)) {
            stop(task, ordered ? of_obedience() : Reason::site_lost_task);
        }
    }
    std::erase_if(copies_, [&](const auto& copy) {
        return std::ranges::none_of(
            desired_->tasks, [&](const DesiredTask& d) { return d.job == copy.first.first && d.generation == copy.first.second; });
    });
    for (const auto& wanted : desired_->tasks) {
        if (wanted.is_prepare()) {
            prepare(wanted);
            continue;
        }
        if (!wanted.stop && !tasks_.contains({wanted.job, wanted.generation})) begin(wanted);
        if (wanted.stop && !tasks_.contains({wanted.job, wanted.generation})) {
            // Told to stop what never began: say that it ended.
            Task never;
            never.desired = wanted;
            never.phase = Phase::ended;
            never.began_boot = never.ended_boot = boot();
            never.meter_from_s = floor_seconds(wall());
            never.last = {wanted.job, wanted.generation, TaskState::ended, Reason::site_lost_task, 0, std::nullopt};
            tasks_.emplace(Key{wanted.job, wanted.generation}, never);
        }
    }
    // What has ended, was acknowledged and is not wanted any more is forgotten.
    std::erase_if(tasks_, [&](const auto& entry) {
        const bool wanted = std::ranges::any_of(
            desired_->tasks, [&](const DesiredTask& d) { return d.job == entry.first.first && d.generation == entry.first.second; });
        const bool over = entry.second.phase == Phase::ended && entry.second.reported && !wanted;
        if (over) removed_.emplace_back(boot(), entry.second);
        return over;
    });
    std::erase_if(removed_, [&](const auto& record) { return boot() - record.first > seconds(60); });
}

void SimSite::begin(const DesiredTask& desired) {
    if (!list_.is_whole() || list_.revision() < news_) return;  // what it says may have been taken back
    const auto end_of_lease = lease_end(desired);
    if (boot() >= end_of_lease) return;
    for (auto& [key, task] : tasks_) {
        if (key.first == desired.job && task.phase != Phase::ended) return;  // never two generations at once
    }
    Task task;
    task.desired = desired;
    task.phase = Phase::starting;
    task.began_boot = boot();
    task.meter_from_s = floor_seconds(wall());
    task.lease = end_of_lease;
    task.last = {desired.job, desired.generation, TaskState::running, Reason::none, 0, std::nullopt};
    if (!desired.resume.empty()) {
        task.progress_at_start_s = progress_of(desired.resume.front().name);
        task.checkpoint_s = task.stored_s = task.progress_at_start_s;
        probes_.hit("job resumed from a checkpoint");
        const auto copy = copies_.find({desired.job, desired.generation});
        if (copy != copies_.end() && copy->second.there_at <= boot()) {
            probes_.hit(copy->second.manifest == desired.resume.front().manifest ? "job began where its last checkpoint lay already"
                                                                                  : "job began where an earlier checkpoint lay already");
        }
    }
    truth_.task_began(desired.job, desired.generation, options_.name);
    tasks_.emplace(Key{desired.job, desired.generation}, std::move(task));
}

SiteReport SimSite::next_report() {
    SiteReport report;
    report.site = options_.name;
    report.session = session_;
    if (!told_nodes_) report.nodes = options_.nodes;
    for (auto& [key, task] : tasks_) {
        const auto held = ((task.phase == Phase::ended ? task.ended_boot : boot()) - task.began_boot).ns / 1'000'000'000;
        for (auto number = task.metered + 1;; ++number) {
            const auto from = static_cast<std::int64_t>(number - 1) * slice_s;
            const auto to = std::min(from + slice_s, held);
            if (to <= from || (to < from + slice_s && task.phase != Phase::ended)) break;
            for (std::uint32_t rank = 0; rank < task.desired.placement.nodes.size(); ++rank) {
                report.meters.push_back({key.first, key.second, rank, number, task.meter_from_s + from, task.meter_from_s + to});
            }
        }
        if (task.checkpoint_s > task.stored_s) {
            const auto name = fmt::format("p-{}", task.checkpoint_s);
            report.checkpoints.push_back({key.first, key.second, name, sha256(key.first.text() + name), 1000});
        }
        if (task.reported) continue;
        report.tasks.push_back(task.last);
        if (task.phase == Phase::ended && !options_.is_of_before) report.tasks.back().ago_ms = (boot() - task.ended_boot).ns / 1'000'000;
    }
    for (const auto& [key, copy] : copies_) {
        if (copy.reported || boot() < copy.there_at) continue;
        if (!report.prepared) report.prepared.emplace();
        report.prepared->push_back({key.first, key.second, copy.manifest});
    }
    std::map<JobId, int> ends;
    for (const auto& told : report.tasks) {
        if (told.state == TaskState::ended && ++ends[told.job] == 2) probes_.hit("ends of two generations in one report");
    }
    const bool empty = !report.nodes && report.meters.empty() && report.checkpoints.empty() && report.tasks.empty() && !report.prepared;
    report.sequence = empty ? sequence_ : sequence_ + 1;
    return report;
}

Duration SimSite::transit() { return milliseconds(troubled_ ? random_.between(1, 4000) : random_.between(1, 30)); }

void SimSite::send(const SiteReport& report) {
    const auto sent = boot();
    if (!connected_ || (troubled_ && random_.chance(1, 5))) {
        probes_.hit("report lost");
        return;
    }
    const auto told = std::make_shared<const SiteReport>(report);
    deliver(told, sent);
    if (troubled_ && random_.chance(1, 5)) {
        probes_.hit("report repeated");
        deliver(told, sent);
    }
}

void SimSite::deliver(const std::shared_ptr<const SiteReport>& report, Instant sent_boot) {
    timeline_.after(transit(), [this, report, sent_boot, life = agent_life_] {
        server_.report(*report, [this, report, sent_boot, life](const Result<ReportAnswer, Refusal>& answer) {
            if (!connected_ || (troubled_ && random_.chance(1, 5))) {
                probes_.hit("report answer lost");
                return;
            }
            timeline_.after(transit(), [this, report, sent_boot, life, answer] {
                if (life == agent_life_ && agent_up_ && powered_) answered(*report, sent_boot, answer);
            });
        });
    });
}

void SimSite::answered(const SiteReport& report, Instant sent_boot, const Result<ReportAnswer, Refusal>& answer) {
    if (!answer) {
        if (report.session == session_) {
            probes_.hit("agent began a new session");
            new_session();
        }
        return;
    }
    if (sent_boot < lease_base_) probes_.hit("report came out of order");
    grants_to_come_.push_back({sent_boot, *answer});
    take_grants();
    if (pending_ && pending_->session == report.session && pending_->sequence == report.sequence) acknowledge(report);
    news_ = answer->desired_revision;
    if (!list_.is_whole() || list_.revision() < news_) ask_desired();
}

/// As the agent has it: whoever hears no orders any more, and still reports, renews nothing.
void SimSite::take_grants() {
    std::erase_if(grants_to_come_, [this](const Grant& grant) {
        if (!list_.is_whole() || list_.revision() < grant.terms.desired_revision) return false;
        if (grant.sent_boot < lease_base_) return true;
        lease_base_ = grant.sent_boot;
        lease_ = milliseconds(grant.terms.lease_ms);
        run_on_lease_ = milliseconds(grant.terms.run_on_lease_ms);
        grace_ = milliseconds(grant.terms.kill_grace_ms);
        return true;
    });
    if (!grants_to_come_.empty()) probes_.hit("lease not renewed for what should run was not heard");
    for (auto& [key, task] : tasks_) {
        if (task.phase == Phase::starting || task.phase == Phase::running || task.phase == Phase::leaving)
            task.lease = std::max(task.lease, lease_end(task.desired));
    }
}

/// Asks for what should run, and asks again when no answer came for so long: whoever gives up a question hears no answer to it.
void SimSite::ask_desired() {
    constexpr Duration patience = seconds(10);
    if (asked_at_ && timeline_.now() - *asked_at_ < patience) return;
    if (asked_at_) probes_.hit("question for what should run asked again");
    asked_at_ = timeline_.now();
    const auto question = list_.ask();
    if (!connected_ || (troubled_ && random_.chance(1, 8))) return;
    timeline_.after(transit(), [this, question, life = agent_life_] {
        auto page = server_.desired(options_.name, {question.since, question.after, 2, !options_.is_of_before});
        if (!page || !connected_ || (troubled_ && random_.chance(1, 8))) return;
        if (page->full && question.since > 0) probes_.hit("changes of what should run forgotten and the full list told");
        // Whatever may damage a list on its way is modelled as a line that is not there.
        if (troubled_ && random_.chance(1, 6)) {
            if (!page->set.empty()) page->set.pop_back();
            else if (!page->removed.empty()) page->removed.pop_back();
        }
        const int copies = troubled_ && random_.chance(1, 4) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy) {
            timeline_.after(transit(), [this, number = question.number, page = *page, life] {
                if (life == agent_life_ && agent_up_ && powered_ && connected_) hear_desired(number, page);
            });
        }
    });
}

void SimSite::hear_desired(std::uint64_t number, DesiredPage page) {
    const bool full = page.full;
    switch (list_.hear(number, std::move(page))) {
        case DesiredList::Heard::ignored: probes_.hit("page of what should run came late or twice"); return;
        case DesiredList::Heard::part: probes_.hit("what should run told by pages"); break;
        case DesiredList::Heard::same: break;
        case DesiredList::Heard::changed:
            desired_ = list_.list();
            if (!full) probes_.hit("list of what should run changed by a delta");
            break;
        case DesiredList::Heard::differs: probes_.hit("digest differed and the full list was asked for"); break;
    }
    asked_at_.reset();
    take_grants();
    if (!list_.is_whole() || list_.revision() < news_) ask_desired();
}

void SimSite::acknowledge(const SiteReport& report) {
    pending_.reset();
    sequence_ = report.sequence;
    if (report.nodes && *report.nodes == options_.nodes) told_nodes_ = true;
    for (const auto& meter : report.meters) {
        const auto task = tasks_.find({meter.job, meter.generation});
        if (task != tasks_.end()) task->second.metered = std::max(task->second.metered, meter.sequence);
    }
    for (const auto& point : report.checkpoints) {
        const auto task = tasks_.find({point.job, point.generation});
        if (task != tasks_.end()) task->second.stored_s = std::max(task->second.stored_s, progress_of(point.name));
    }
    for (const auto& told : report.tasks) {
        const auto task = tasks_.find({told.job, told.generation});
        if (task != tasks_.end() && task->second.last.state == told.state) task->second.reported = true;
    }
    for (const auto& told : report.prepared.value_or(std::vector<PreparedReport>{})) {
        const auto copy = copies_.find({told.job, told.generation});
        if (copy != copies_.end() && copy->second.manifest == told.manifest) copy->second.reported = true;
    }
}

// ---- faults

void SimSite::forget_memory() {
    list_ = {};
    news_ = 0;
    asked_at_.reset();
    desired_.reset();
    lease_base_ = Instant{};
    grants_to_come_.clear();
    new_session();
}

void SimSite::kill_agent(Duration down_for) {
    agent_up_ = false;
    ++agent_life_;
    timeline_.after(down_for, [this, life = agent_life_] {
        if (life != agent_life_ || !powered_) return;
        agent_up_ = true;
        if (!tasks_.empty()) probes_.hit("agent restarted and adopted its tasks");
        forget_memory();
    });
}

void SimSite::lose_power(Duration down_for) {
    if (!powered_) return;
    for (auto& [key, task] : tasks_) {
        if (task.phase == Phase::ended) continue;
        probes_.hit("site lost power with tasks running");
        end(task, Reason::node_lost, 0, task.desired.placement.nodes.front().node);
    }
    for (auto& [at, task] : std::exchange(removed_, {})) {
        task.reported = false;
        tasks_.emplace(Key{task.desired.job, task.desired.generation}, std::move(task));
    }
    powered_ = false;
    ++agent_life_;
    timeline_.after(down_for, [this] {
        powered_ = true;
        agent_up_ = true;
        forget_memory();
    });
}

void SimSite::jump_wall(Duration by) {
    probes_.hit("wall clock of a site jumped");
    wall_offset_ = wall_offset_ + by;
}

}  // namespace weir::sim
