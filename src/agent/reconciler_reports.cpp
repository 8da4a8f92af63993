// What is to be said: cutting reports from what changed, and remembering what the server has taken in.
#include "agent/reconciler.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir::agent {

namespace {

/// A gap between two answers beyond this share of the lease (500 of 1000 ms, in ns) is a silence.
constexpr std::int64_t silence_share_ns = 500'000;

/// The first sessions after a refusal come just after the latest one known; should the server know a far later one (the clock was
/// set back, and the records were lost), the steps become hours and days.
Duration skip_after(std::uint32_t refusals) { return milliseconds(std::int64_t{1} << std::min<std::uint32_t>(4 * refusals, 36)); }

std::optional<NodeName> node_of(const GenerationRecord* record, std::int32_t rank) {
    const auto index = static_cast<std::size_t>(rank);
    if (record == nullptr || index >= record->nodes.size() || record->nodes[index].empty()) return std::nullopt;
    return record->nodes[index];
}

}  // namespace

bool Reconciler::begin_session(Instant wall) {
    const auto skip = refused_sessions_ == 0 ? Duration{} : skip_after(refused_sessions_ - 1);
    return open_book(records_.begin_session(wall, skip, random_.next(), random_.next()));
}

/// As little later than the one before as can be.
bool Reconciler::begin_next_session() {
    return open_book(records_.begin_session(Instant{0}, Duration{}, random_.next(), random_.next()));
}

bool Reconciler::open_book(const Result<std::string, std::string>& session) {
    if (!session) {
        if (session_complaint_ != session.error())
            spdlog::error("agent.session site={} why=\"{}\"", options_.site.text(), session.error());
        session_complaint_ = session.error();
        return false;
    }
    session_complaint_.clear();
    book_.begin(*session);
    return true;
}

void Reconciler::remember_vouching() {
    if (const auto saved = records_.save_vouching(doubts_.vouching()); !saved)
        spdlog::warn("agent.session site={} why=\"{}\"", options_.site.text(), saved.error());
}

void Reconciler::tell_everything_anew() {
    nodes_told_ = false;
    for (auto& [key, memory] : memory_) {
        memory.told.reset();
        memory.told_prepared.reset();
    }
}

void Reconciler::begin_first_session(Instant wall) {
    if (!stands_back_ && !book_.has_session()) (void)begin_session(wall);
}

const SiteReport* Reconciler::report(Instant wall) {
    begin_first_session(wall);
    if (session().empty()) return nullptr;
    if (book_.waiting()) return &book_.waiting_at(now_);
    auto changed = changes();
    // A session begins with a report, though there be nothing to say: only then do heartbeats count.
    if (Refusals::says_nothing(changed) && !book_.is_new()) return nullptr;
    return &book_.cut(std::move(changed), now_);
}

/// A site that is paused, or whose disk is full, has no healthy node: nothing new is placed there.
std::vector<Node> Reconciler::nodes_to_tell() const {
    auto nodes = nodes_.nodes;
    for (auto& node : nodes) node.healthy = node.healthy && !paused_ && !disk_full_;
    return nodes;
}

SiteReport Reconciler::changes() {
    SiteReport report;
    if (refusals_.greets()) return report;
    const bool apart = refusals_.tells_nodes_apart();
    if (apart) add_lines(report);
    const bool tells_nodes = (!nodes_told_ || was_silent_) && refusals_.may_tell_nodes(now_);
    if (tells_nodes && (!apart || Refusals::says_nothing(report))) {
        report.nodes = nodes_to_tell();
    }
    if (!apart) add_lines(report);
    return report;
}

void Reconciler::add_lines(SiteReport& report) {
    std::size_t generations = 0;
    for (const auto& [key, gang] : gangs_) {
        if (generations >= refusals_.generations_max()) return;
        if (refusals_.waits(key, now_)) continue;
        const auto lines = [&report] {
            return report.meters.size() + report.checkpoints.size() + report.tasks.size() + (report.prepared ? report.prepared->size() : 0);
        };
        const auto lines_before = lines();
        const auto found = memory_.find(key);
        if (found != memory_.end() && !found->second.stored.empty()) {
            // An end is told with its last checkpoint or after it, never before.
            const auto& stored = found->second.stored;
            if (report.checkpoints.size() + stored.size() > options_.lines_per_report) continue;
            for (const auto& one : stored) report.checkpoints.push_back(one.report);
        }
        const bool tells_outputs = found != memory_.end() && found->second.outputs;
        if (tells_outputs) {
            if (!report.outputs) report.outputs.emplace();
            if (report.outputs->size() >= options_.lines_per_report) continue;
            report.outputs->push_back(*found->second.outputs);
        }
        const bool all_metered = add_meters(key, gang, report);
        if (report.tasks.size() < options_.lines_per_report) add_task(key, gang, all_metered, report);
        add_prepared(key, gang, report);
        if (lines() > lines_before || tells_outputs) ++generations;
    }
}

/// True where the whole meter of a generation that ended is told with this report.
bool Reconciler::add_meters(const GenerationKey& key, const Gang& gang, SiteReport& report) const {
    const auto* record = records_.find(key);
    if (record == nullptr || record->end_known) return true;
    bool all = true;
    for (std::size_t i = 0; i < gang.ranks.size() && i < record->metered.size(); ++i) {
        const auto* rank = gang.ranks[i];
        if (rank == nullptr) continue;
        const auto room = options_.lines_per_report - std::min(options_.lines_per_report, report.meters.size());
        const auto slices = ports::meter_slices(rank->meter, record->slice_s, static_cast<std::int64_t>(record->metered[i]), room);
        for (const auto& slice : slices) {
            report.meters.push_back(
                {key.job, key.generation, static_cast<std::uint32_t>(i), static_cast<std::uint64_t>(slice.seq), slice.from_s, slice.to_s});
        }
        const auto told_to_s = rank->meter.from_s + (static_cast<std::int64_t>(record->metered[i]) + std::ssize(slices)) * record->slice_s;
        all = all && told_to_s >= rank->meter.to_s;
    }
    return all;
}

/// Which checkpoint lies where a generation would resume from it that is not told to begin yet.
void Reconciler::add_prepared(const GenerationKey& key, const Gang& gang, SiteReport& report) {
    if (gang.desired == nullptr || !gang.desired->is_prepare()) return;
    const auto* record = records_.find(key);
    if (record == nullptr || !record->prepared || !record->prepared_manifest) return;
    if (memory_[key].told_prepared == record->prepared_manifest) return;
    if (!report.prepared) report.prepared.emplace();
    if (report.prepared->size() < options_.lines_per_report)
        report.prepared->push_back({key.job, key.generation, *record->prepared_manifest});
}

/// How long ago it ended, or began to run: by the boot clock where its supervisor said when, else as the clock that meters says.
std::optional<std::int64_t> Reconciler::ago_ms_of(const GangView& view) const {
    const auto since = [this](std::optional<ports::BootInstant> at, std::int64_t at_s) -> std::optional<std::int64_t> {
        if (at) return std::max<std::int64_t>((now_.ns - at->ns) / 1'000'000, 0);
        if (at_s <= 0) return std::nullopt;
        return std::max<std::int64_t>(now_s_ - at_s, 0) * 1000;
    };
    if (view.state == TaskState::ended) return since(view.ended, view.ended_at_s);
    return view.state == TaskState::running ? since(view.began, 0) : std::nullopt;
}

void Reconciler::add_task(const GenerationKey& key, const Gang& gang, bool all_metered, SiteReport& report) {
    if (gang.desired != nullptr && gang.desired->is_prepare()) return;
    const auto* record = records_.find(key);
    const bool ended = gang.view.state == TaskState::ended;
    // One that waits for its lease, or for an older generation to go, has nothing to say yet.
    if (!gang.view.any_here && !ended && record == nullptr) return;
    if (gang.desired == nullptr && (!gang.view.any_here || (record != nullptr && record->end_known))) return;
    if (ended && gang.view.any_here && (!all_metered || !checkpoints_settled(key, gang) || !outputs_settled(key, gang))) return;
    if (is_doubtful(key, gang)) return;
    if (memory_[key].told == gang.view.state) return;
    TaskReport task;
    task.job = key.job;
    task.generation = key.generation;
    task.state = gang.view.state;
    task.ago_ms = ago_ms_of(gang.view);
    if (ended) {
        task.reason = gang.view.reason;
        task.exit_code = gang.view.exit_code;
        if (gang.view.lost_node) task.blamed = node_of(record, *gang.view.first_failed);
    }
    report.tasks.push_back(std::move(task));
}

void Reconciler::hear_answer(ports::BootInstant sent_at, const Result<ReportAnswer, ports::LinkError>& answer, Instant wall) {
    if (!answer) {
        was_silent_ = true;
        if (answer.error().fault == ports::LinkFault::refused) return hear_refusal(answer.error().message, wall);
        if (answer.error().fault != ports::LinkFault::stale_sequence) return;
        return hear_stale(answer.error().message, wall);
    }
    if (stands_back_) return;
    if (book_.is_new()) hear_first_answer(*answer);
    refused_sessions_ = 0;
    was_taken_ = true;
    is_next_ = false;
    if (terms_ && sent_at.ns - terms_from_.ns > silence_share_ns * terms_->lease_ms) was_silent_ = true;
    if (!terms_ || sent_at >= terms_from_) {
        terms_ = *answer;
        terms_from_ = sent_at;
    }
    constexpr std::size_t grants_most = 32;  // A lease is asked for three times while it lasts: older ones are worth nothing.
    if (grants_to_come_.size() >= grants_most) grants_to_come_.erase(grants_to_come_.begin());
    grants_to_come_.push_back({sent_at, *answer});
    if (const auto report = book_.acknowledge(answer->sequence)) acknowledge(*report);
}

void Reconciler::take_grants() {
    std::erase_if(grants_to_come_, [this](const Grant& grant) {
        if (!desired_ || grant.terms.desired_revision > desired_->revision) return false;
        if (!grant_ || grant.sent_at >= grant_->sent_at) grant_ = grant;
        return true;
    });
}

void Reconciler::hear_first_answer(const ReportAnswer& answer) {
    spdlog::info("agent.session site={} session={}", options_.site.text(), book_.session());
    if (doubts_.hear_answer(book_.session(), answer, desired_ ? &*desired_ : nullptr)) {
        spdlog::warn("agent.doubts site={} session_before={} why=\"another agent may have spoken for this site before\" "
                     "what_next=\"what was ordered until now and was not begun here waits until the leases of that agent are over\"",
                     options_.site.text(), answer.session_before.value_or("unknown"));
    }
    remember_vouching();
}

void Reconciler::hear_stale(const std::string& why, Instant wall) {
    spdlog::warn("agent.session site={} why=\"{}\"", options_.site.text(), why);
    if (is_next_) {
        stands_back_ = true;
        terms_.reset();
        grant_.reset();
        grants_to_come_.clear();
        spdlog::error("agent.superseded site={} why=\"another agent speaks for this site: it has this site's token and began after this "
                      "one\" what_next=\"starts nothing and says nothing; what runs here ends with its lease; stop that agent and start "
                      "this one again, or stop this one\"",
                      options_.site.text());
        return;
    }
    tell_everything_anew();
    if (was_taken_) {
        // One that could not be written down says nothing of who speaks: it is tried again.
        is_next_ = begin_next_session();
        return;
    }
    ++refused_sessions_;
    if (!begin_session(wall)) --refused_sessions_;
}

/// Nothing of the report was taken in, and a copy of it that is late must not be: its session ends. What was taken in before still is.
/// A report that says nothing stays as it is.
void Reconciler::hear_refusal(const std::string& why, Instant wall) {
    if (!book_.waiting()) return;
    const auto refused = *book_.waiting();
    refusals_.note_refused(refused, now_);
    if (Refusals::says_nothing(refused)) {
        // Made by a clock that was wrong and has been set back since: no server takes it for as long.
        if (!book_.is_new() || !records_.session_is_ahead_of(wall)) return;
        refused_sessions_ = 0;
        records_.forget_session();
        (void)begin_session(wall);
        return;
    }
    spdlog::error("report.refused site={} nodes={} meters={} checkpoints={} tasks={} why=\"{}\" what_next=\"renews the leases, and sends "
                  "it again in parts\"",
                  options_.site.text(), refused.nodes ? refused.nodes->size() : 0, refused.meters.size(), refused.checkpoints.size(),
                  refused.tasks.size(), why);
    // Not later than need be: one that began meanwhile is this site's agent then.
    if (was_taken_) {
        begin_next_session();
    } else {
        begin_session(wall);
    }
}

void Reconciler::acknowledge(const SiteReport& report) {
    refusals_.note_taken(report);
    if (report.nodes) {
        nodes_told_ = nodes_to_tell() == *report.nodes;
        was_silent_ = false;
    }
    std::map<GenerationKey, GenerationRecord> changed;
    const auto record_of = [&](const JobId& job, std::uint32_t generation) -> GenerationRecord* {
        const GenerationKey key{job, generation};
        const auto* known = records_.find(key);
        return known == nullptr ? nullptr : &changed.try_emplace(key, *known).first->second;
    };
    for (const auto& meter : report.meters) {
        auto* record = record_of(meter.job, meter.generation);
        if (record != nullptr && meter.node_rank < record->metered.size()) record->metered[meter.node_rank] = meter.sequence;
    }
    for (const auto& point : report.checkpoints) {
        auto& stored = memory_[{point.job, point.generation}].stored;
        const auto told = std::ranges::find_if(
            stored, [&](const auto& one) { return one.report.name == point.name && one.report.manifest == point.manifest; });
        if (told == stored.end()) continue;
        if (auto* record = record_of(point.job, point.generation)) {
            record->replicated = point.name;
            record->replicated_edition = told->published.edition;
            if (told->published.is_made_known()) record->replicated_made_ns = told->published.made_ns;
        }
        stored.erase(told);
    }
    if (report.prepared) {
        for (const auto& one : *report.prepared) memory_[{one.job, one.generation}].told_prepared = one.manifest;
    }
    for (const auto& line : report.outputs.value_or(std::vector<OutputReport>{})) {
        auto& told = memory_[{line.job, line.generation}].outputs;
        if (told != line) continue;
        memory_[{line.job, line.generation}].outputs_told = line;
        told.reset();
        if (line.name != outputs_final) continue;
        if (auto* record = record_of(line.job, line.generation)) record->outputs_settled = true;
    }
    for (const auto& task : report.tasks) {
        memory_[{task.job, task.generation}].told = task.state;
        if (task.state != TaskState::ended) continue;
        if (auto* record = record_of(task.job, task.generation)) record->end_known = true;
    }
    for (const auto& [key, record] : changed) save(record);
}

}  // namespace weir::agent
