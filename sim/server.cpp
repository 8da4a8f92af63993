#include "server.hpp"

#include "control/site_talk.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::sim {

using namespace control;

Server::Server(Timeline& timeline, Random random, Probes& probes, Policy policy, Catalogue catalogue)
    : timeline_{timeline}, random_{random}, probes_{probes}, policy_{policy}, catalogue_{std::move(catalogue)} {
    told_.ledger = ledger::Ledger{{.hash_seed = 0}};
}

void Server::start(bool use_snapshots) {
    // The operator may have changed the lease terms while the server was down.
    if (life_ > 0 && random_.chance(1, 3)) {
        policy_.task_lease = seconds(random_.between(15, 40));
        policy_.run_on_lease = seconds(random_.between(40, 170));
        policy_.kill_grace = seconds(random_.between(2, 8));
    }
    // Some lives carry out little at a time: what is due together takes several passes.
    const bool small = random_.chance(1, 3);
    policy_.timers_per_pass = small ? 4 : 1000;
    policy_.placements_per_pass = small ? 3 : 1000;
    journal_ = std::make_unique<MemoryJournal>(disk_);
    // Each life hashes with a secret of its own, and the fold of what was told with another: no answer may depend on it.
    policy_.hash_seed = life_ + 1;
    auto first = recover(*journal_, policy_, catalogue_, {.use_snapshots = use_snapshots, .companions = true});
    if (!first) {
        broken = "recovery failed: " + first.error();
        return;
    }
    announce();
    if (!broken.empty()) return;
    if (digest_of(first->core.state) != digest_of(told_)) broken = "what was recovered is not what the journal's texts say one by one";
    if (!disk_.records.empty())
        probes_.hit(first->snapshot_revision > 0 ? "recovered from a snapshot" : "recovered from the whole journal");
    reader_ = std::make_unique<Reader>(std::move(first->companions->reader));
    auto behind = journal_->open_reader();
    snapshots_ = std::make_unique<SnapshotKeeper>(std::move(first->companions->follower), first->snapshot_revision, *reader_, *journal_,
                                                  std::move(*behind), 1);
    writer_ = std::make_unique<Writer>(std::move(first->core), *journal_, TransactionSize{.records = 12, .bytes = 16U << 10U});
    leases_.emplace(policy_, timeline_.now(), terms_to_respect(writer_->core().state, policy_, timeline_.now() + wall_offset_));
    ++life_;
    inbox_.clear();
    answers_.clear();
    work_planned_ = false;
    submit(Request{Actor{}, StartLeader{journal_->epoch().number, "sim", 0}}, [](const Answer&) {});
    plan_work(milliseconds(200));
}

/// Entries that became durable in a life whose end came before anybody heard of them.
void Server::announce() {
    for (auto revision = announced_; revision < disk_.records.size(); ++revision) {
        const auto entry = read_entry(disk_.records[revision].text);
        if (!entry) {
            broken = "the journal holds a text that cannot be read: " + entry.error();
            return;
        }
        if (on_entry) on_entry(*entry);
        apply(told_, entry->event, entry->revision, entry->at);
    }
    announced_ = disk_.records.size();
}

void Server::crash() {
    if (!up()) return;
    if (!inbox_.empty()) probes_.hit("server crashed with commands unanswered");
    writer_.reset();
    snapshots_.reset();
    reader_.reset();
    leases_.reset();
    ++life_;
    inbox_.clear();
    answers_.clear();
}

void Server::submit(Request request, AnswerTo answer) {
    if (!up()) return;
    inbox_.push_back(std::move(request));
    answers_.push_back(std::move(answer));
    plan_work(milliseconds(random_.between(1, 20)));
}

void Server::report(const SiteReport& report, std::function<void(Result<ReportAnswer, Refusal>)> answer) {
    if (!up()) return;
    const auto reply = [this, name = report.site, life = life_, answer = std::move(answer)](const Result<Accepted, Refusal>& taken) {
        if (life != life_) return;
        if (!taken) return answer(fail(taken.error()));
        leases_->heard(name, timeline_.now());
        answer(reader_->ask([&](const Core& core) { return answer_to_report(core, name, timeline_.now() + wall_offset_); }));
    };
    if (read().sites.contains(report.site) && is_heartbeat(read(), report)) return reply(Accepted{});
    submit(Request{Actor{}, report}, [reply](const Answer& taken) { reply(taken); });
}

std::optional<DesiredPage> Server::desired(const SiteName& site, const DesiredAsk& ask) const {
    if (!up() || !read().sites.contains(site)) return std::nullopt;
    return desired_page(read(), site, ask);
}

void Server::plan_work(Duration delay) {
    if (work_planned_) return;
    work_planned_ = true;
    timeline_.after(delay, [this, life = life_] {
        if (life != life_) return;
        work_planned_ = false;
        work();
    });
}

namespace {

/// Jobs that are to be stopped by now.
std::size_t timers_due(const State& state, Instant now) {
    std::size_t due = 0;
    for (const auto& [at, job] : state.deadlines) {
        if (at > now) break;
        due += state.jobs.at(job).stop_ordered ? 0U : 1U;
    }
    return due;
}

}  // namespace

void Server::work() {
    auto requests = std::exchange(inbox_, {});
    auto answers = std::exchange(answers_, {});
    for (auto& command : leases_->due(writer_->core().state, timeline_.now())) requests.push_back(Request{Actor{}, std::move(command)});
    requests.push_back(Request{Actor{}, Tick{}});
    const auto wall = timeline_.now() + wall_offset_;
    if (timers_due(writer_->core().state, wall) > policy_.timers_per_pass) probes_.hit("more timers were due than one pass carries out");
    const auto asked = requests.size();
    auto outcome = writer_->commit(requests, wall);
    if (!outcome) {
        // The process ends; whoever waited for an answer waits in vain.
        if (outcome.error().fault == ports::JournalFault::disk_full) probes_.hit("append refused on a full disk");
        if (outcome.error().fault == ports::JournalFault::outcome_unknown) {
            probes_.hit(disk_.records.size() > announced_ ? "append outcome unknown and written" : "append outcome unknown and lost");
        }
        crash();
        return;
    }
    reader_->take(outcome->committed);
    announce();
    if (!answers.empty() && random_.chance(1, 400)) {
        probes_.hit("server crashed with commands unanswered");  // durable, and nobody was told
        crash();
        return;
    }
    const auto taken = outcome->answers.size();
    if (taken < asked) {
        probes_.hit("a transaction was full");
        // Timers and leases come again by themselves; what was asked waits for the next transaction.
        for (auto i = taken; i < answers.size(); ++i) {
            inbox_.push_back(std::move(requests[i]));
            answers_.push_back(std::move(answers[i]));
        }
        answers.resize(std::min(taken, answers.size()));
    }
    for (std::size_t i = 0; i < answers.size(); ++i) answers[i](outcome->answers[i]);
    if (up()) plan_work(milliseconds(200));
}

const State& Server::read() const {
    const State* state = nullptr;
    // One thread: nothing changes between the answer and its use.
    reader_->ask([&](const Core& core) { state = &core.state; });
    return *state;
}

void Server::keep_snapshot() {
    if (!up()) return;
    const auto before = snapshots_->kept_at();
    if (auto followed = snapshots_->follow(); !followed) broken = "a snapshot could not be kept: " + followed.error().message;
    if (snapshots_->kept_at() > before) probes_.hit("kept a snapshot");
    if (digest_of(snapshots_->state()) != digest_of(read())) broken = "what snapshots are made of is not what questions are asked of";
}

}  // namespace weir::sim
