#include "checks.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace weir::sim {

using namespace control;

void Jury::break_law(std::string what) {
    if (verdict_.empty()) verdict_ = fmt::format("at {}: {}", format_utc(timeline_.now()), what);
}

void Jury::task_began(JobId job, std::uint32_t generation, const SiteName& site) {
    auto& generations = running_[job];
    if (!generations.empty()) {
        break_law(fmt::format("{} runs twice: generation {} begins at {} while generation {} still runs", job.text(), generation,
                              site.value, *generations.begin()));
    }
    generations.insert(generation);
}

void Jury::task_ended(JobId job, std::uint32_t generation, const SiteName&, Duration ran) {
    running_[job].erase(generation);
    ran_ms_[{job, generation}] += ran.ns / 1'000'000;
}

void Jury::entry(const Entry& entry) {
    ++entries_;
    if (trace_) {
        std::string text;
        write_entry(entry, text);
        std::printf("%s\n", text.c_str());
    }
    if (entry.revision != last_revision_ + 1) break_law(fmt::format("revision {} follows {}", entry.revision, last_revision_));
    if (entry.at < last_at_) break_law(fmt::format("the time of revision {} is before that of the one before", entry.revision));
    last_revision_ = entry.revision;
    last_at_ = entry.at;
    if (const auto* placed = std::get_if<JobPlaced>(&entry.event)) {
        auto& generation = placed_[placed->job];
        if (placed->generation != generation + 1)
            break_law(fmt::format("{} goes from generation {} to {}", placed->job.text(), generation, placed->generation));
        generation = placed->generation;
        const auto before = last_site_.find(placed->job);
        if (before != last_site_.end() && before->second != placed->placement.site)
            probes_.hit("task lost and placed again on another site");
        last_site_[placed->job] = placed->placement.site;
    }
    if (const auto* meter = std::get_if<TaskMetered>(&entry.event)) {
        const auto key = std::tuple{meter->job, meter->generation, meter->node_rank};
        auto& to = metered_to_[key];
        if (meter->from_s < to)
            break_law(fmt::format("{} generation {} is metered twice for the seconds before {}", meter->job.text(), meter->generation, to));
        to = meter->to_s;
        metered_s_[key] += meter->to_s - meter->from_s;
        metered_[meter->job] += meter->used.value;
        if (meter->lost_to) probes_.hit("meter of an old generation came too late to count");
        if (finished_.contains(meter->job)) break_law(fmt::format("{} is metered after its bill was made", meter->job.text()));
    }
    if (const auto* requeued = std::get_if<JobRequeued>(&entry.event)) {
        if (requeued->cause == LossCause::tenant_error) probes_.hit("job restarted after its own error");
    }
    if (const auto* stop = std::get_if<JobStopOrdered>(&entry.event)) {
        if (stop->reason == Reason::max_duration_reached) probes_.hit("job stopped at its longest duration");
        if (stop->reason == Reason::cancelled_by_operator) probes_.hit("job cancelled while running");
    }
    if (const auto* finished = std::get_if<JobFinished>(&entry.event)) {
        if (!finished_.insert(finished->job).second) break_law(fmt::format("{} is finished, and so billed, twice", finished->job.text()));
        if (finished->reason == Reason::quarantined) probes_.hit("job quarantined");
        if (finished->reason == Reason::dependency_failed) probes_.hit("dependent left with the job it waited for");
        std::int64_t billed = 0;
        for (const auto& line : finished->bill) billed += line.used.value;
        if (billed != metered_[finished->job]) {
            break_law(fmt::format("{} was metered {} milli-card-seconds and is billed {}", finished->job.text(), metered_[finished->job],
                                  billed));
        }
        Fen owed{0};
        Fen captured{0};
        for (const auto& line : finished->bill) {
            if (line.payer == Payer::tenant) owed += line.amount;
        }
        for (const auto& part : finished->paid) {
            captured += part.captured;
            if (part.captured > part.held) break_law(fmt::format("{} pays more than was held", finished->job.text()));
        }
        if (owed != captured) break_law(fmt::format("{} owes {} fen and pays {}", finished->job.text(), owed.value, captured.value));
    }
}

void Jury::look(const Server& server) {
    if (!server.broken.empty()) break_law(server.broken);
    if (!server.up()) return;
    const auto& state = server.core().state;
    if (state.ledger_broken) break_law("a fact broke a law of the ledger");
}

void Jury::look_closely(const Server& server) {
    if (!server.up() || !verdict_.empty()) return;
    const auto& core = server.core();
    const auto& state = core.state;
    for (const auto& violation : state.ledger.verify()) {
        break_law(fmt::format("the ledger: law {}, {} and {}", static_cast<int>(violation.law), violation.left, violation.right));
    }
    std::size_t holds = 0;
    for (const auto& [id, job] : state.jobs) holds += job.holds.size();
    if (holds != state.ledger.hold_count())
        break_law(fmt::format("{} holds stand in the ledger, live jobs have {}", state.ledger.hold_count(), holds));

    const auto read = server.reader().ask([](const Core& other) { return digest_of(other.state); });
    if (read != digest_of(state)) break_law("the reader's state differs from the writer's");

    // Incremental equals from-scratch: the state through a snapshot, everything derived built anew.
    const auto packed = pack(state);
    auto copy = unpack(packed.bytes);
    if (!copy) return break_law("a snapshot of the state cannot be read: " + copy.error());
    if (copy->digest != packed.digest || digest_of(copy->state) != packed.digest)
        break_law("a state changes on its way through a snapshot");
    Core scratch;
    scratch.policy = core.policy;
    scratch.catalogue = core.catalogue;
    scratch.state = std::move(copy->state);
    rebuild(scratch);
    auto& mine = const_cast<Core&>(core);  // fingerprint() orders its tables; no answer depends on it
    if (scratch.scheduler.fingerprint() != mine.scheduler.fingerprint())
        break_law("the scheduler told step by step differs from one built from the state");
    if (scratch.state.run_ends != state.run_ends || scratch.state.jobs_by_state != state.jobs_by_state ||
        scratch.state.keys_of != state.keys_of || scratch.state.live_jobs.size() > state.live_jobs.size())
        break_law("what is derived differs from scratch");
    for (const auto& [site, log] : state.desired_log) {
        if (scratch.state.desired_log[site].digest != log.digest)
            break_law(fmt::format("the digest of what should run at {} differs from the one built from the state", site.value));
        if (digest_of(desired(state, site).tasks) != log.digest)
            break_law(fmt::format("the digest of what should run at {} is not that of its tasks", site.value));
    }
    if (!decide_placements(scratch, state.now).empty() && decide_placements(mine, state.now).empty())
        break_law("from scratch a job can be placed that waits");

    for (const auto& [id, job] : state.jobs) {
        if (!job.placement && core.scheduler.why(id.uid, state.now).reasons.empty())
            break_law(fmt::format("{} waits without a reason", id.text()));
    }
    for (const auto id : acknowledged_) {
        if (!state.jobs.contains(id) && !finished_.contains(id)) break_law(fmt::format("{} was acknowledged and is lost", id.text()));
    }
}

void Jury::look_at_rest(const Server& server) {
    look_closely(server);
    if (!server.up()) return break_law("the server is down at rest");
    for (const auto& [id, job] : server.core().state.jobs) {
        if (job.placement)
            break_law(fmt::format("{} is still {} at {} at rest", id.text(), static_cast<int>(job.state), job.placement->site.value));
    }
    for (const auto& [job, generations] : running_) {
        if (!generations.empty()) break_law(fmt::format("a process of {} is left over", job.text()));
    }
    // A meter never counts more than its task ran, but for the second that both ends are rounded by, and the drift.
    for (const auto& [key, metered] : metered_s_) {
        const auto ran = ran_ms_[{std::get<0>(key), std::get<1>(key)}];
        if (metered * 1000 > ran + 1000) {
            break_law(
                fmt::format("{} generation {} ran {} ms and was metered {} s", std::get<0>(key).text(), std::get<1>(key), ran, metered));
        }
    }
}

}  // namespace weir::sim
