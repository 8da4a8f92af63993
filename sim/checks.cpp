#include "checks.hpp"

#include "codec/encode.hpp"
#include "control/core/funding.hpp"
#include "control/desired.hpp"
#include "domain/desired_list.hpp"

#include <fmt/format.h>

#include <algorithm>
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
    if (placed_[job] < generation)
        break_law(fmt::format("{} begins generation {} at {} where a place is held for it", job.text(), generation, site.value));
    generations.insert(generation);
    occupy(job, generation, 1);
}

void Jury::task_ended(JobId job, std::uint32_t generation, const SiteName&, Duration ran) {
    if (running_[job].erase(generation) > 0) occupy(job, generation, -1);
    ran_ms_[{job, generation}] += ran.ns / 1'000'000;
}

/// The cards of a generation are taken by processes, or given back.
void Jury::occupy(JobId job, std::uint32_t generation, std::int64_t sign) {
    const auto& placement = placements_.at({job, generation});
    for (const auto& node : placement.nodes) {
        for (const auto& card : node.cards) {
            auto& used = in_use_[{placement.site, node.node, card.index}];
            used += sign * card.share.value;
            if (used <= 1000) continue;
            break_law(fmt::format("card {} of {} at {} is used {} thousandths by processes when {} begins", card.index, node.node.value,
                                  placement.site.value, used, job.text()));
        }
    }
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
    if (const auto* submitted = std::get_if<JobSubmitted>(&entry.event)) specs_[submitted->job] = submitted->spec;
    if (const auto* awarded = std::get_if<VoucherAwarded>(&entry.event)) voucher_ends_[awarded->voucher.id] = awarded->voucher.valid_to;
    if (std::holds_alternative<VoucherEnded>(entry.event)) probes_.hit("voucher ended with its final figures");
    if (std::holds_alternative<NodeRemoved>(entry.event)) probes_.hit("site left out of its report a node that it had");
    if (const auto* token = std::get_if<TokenEnded>(&entry.event); token != nullptr && token->expired) probes_.hit("token ended by time");
    if (const auto* changed = std::get_if<JobStateChanged>(&entry.event); changed != nullptr && changed->reason == Reason::funding_lapsed)
        probes_.hit("voucher lapsed while a job waited");
    if (const auto* one = std::get_if<JobPlaced>(&entry.event)) placed(*one, entry.at);
    if (const auto* one = std::get_if<JobMoveReserved>(&entry.event)) reserved(*one);
    if (const auto* one = std::get_if<JobMoved>(&entry.event)) moved(*one, entry.at);
    if (const auto* one = std::get_if<JobMovePrepared>(&entry.event); one != nullptr)
        probes_.hit("checkpoint lay at a target before the pause");
    if (const auto* one = std::get_if<JobArrived>(&entry.event)) {
        probes_.hit(one->lost.value == 0 ? "job moved and lost nothing" : "job moved and lost some work");
        if (one->pause_ms < 0) break_law(fmt::format("{} was paused for {} ms", one->job.text(), one->pause_ms));
    }
    if (const auto* one = std::get_if<JobMoveEnded>(&entry.event)) probes_.hit(fmt::format("move ended: {}", codec::name_of(one->why)));
    if (const auto* meter = std::get_if<TaskMetered>(&entry.event)) metered(*meter);
    if (const auto* requeued = std::get_if<JobRequeued>(&entry.event)) {
        if (requeued->cause == LossCause::tenant_error) probes_.hit("job restarted after its own error");
        if (requeued->reason == Reason::stopped_as_ordered)
            break_law(fmt::format("{} obeyed its order to stop and begins anew", requeued->job.text()));
    }
    if (const auto* stop = std::get_if<JobStopOrdered>(&entry.event)) {
        if (stop->reason == Reason::max_duration_reached) probes_.hit("job stopped at its longest duration");
        if (stop->reason == Reason::cancelled_by_operator) probes_.hit("job cancelled while running");
        if (stop->reason == Reason::cancelled_by_operator && given_up_.contains(stop->job))
            probes_.hit("job cancelled after its start was given up");
        if (stop->reason == Reason::start_failed) given_up_.insert(stop->job);
        if (stop->reason == Reason::budget_reached) probes_.hit("job stopped at its budget");
        if (stop->reason == Reason::site_drained) probes_.hit("job stopped for its site was drained");
        if (stop->reason == Reason::site_stopped) probes_.hit("job stopped for its site was stopped");
        if (stop->reason == Reason::suspended) probes_.hit("job stopped for its organisation was suspended");
    }
    if (const auto* one = std::get_if<JobFinished>(&entry.event)) finished(*one);
}

void Jury::placed(const JobPlaced& placed, Instant at) {
    number(placed.job, placed.generation);
    placed_[placed.job] = placed.generation;
    given_up_.erase(placed.job);
    if (cancelled_.contains(placed.job)) break_law(fmt::format("{} was cancelled and is placed again", placed.job.text()));
    const auto before = last_site_.find(placed.job);
    if (before != last_site_.end() && before->second != placed.placement.site) probes_.hit("task lost and placed again on another site");
    last_site_[placed.job] = placed.placement.site;
    placements_[{placed.job, placed.generation}] = placed.placement;
    placed_at_[{placed.job, placed.generation}] = at;
    const auto& spec = specs_.at(placed.job);
    if (spec.resources.accelerators.front().model != placed.placement.model)
        probes_.hit("job placed by a later alternative than its first");
    promised(placed.job, placed.shares, at);
}

/// Numbers of generations have no gap, whether the job came to run with one or not.
void Jury::number(JobId job, std::uint32_t generation) {
    auto& last = numbered_[job];
    if (generation != last + 1) break_law(fmt::format("{} goes from generation {} to {}", job.text(), last, generation));
    last = generation;
}

void Jury::promised(JobId job, const std::optional<std::vector<SourceShare>>& shares, Instant at) {
    if (!shares) return;
    const auto end = floor_seconds(at + seconds(specs_.at(job).max_duration.value));
    for (const auto& share : *shares) {
        if (share.per_mille > 0 && share.until_s && end > *share.until_s)
            break_law(fmt::format("{} is placed though its voucher ends before its run must", job.text()));
    }
}

void Jury::reserved(const JobMoveReserved& reserved) {
    number(reserved.job, reserved.generation);
    placements_[{reserved.job, reserved.generation}] = reserved.target;
    if (reserved.target.site == last_site_.at(reserved.job))
        break_law(fmt::format("{} is to move from {} to the same", reserved.job.text(), reserved.target.site.value));
}

void Jury::moved(const JobMoved& moved, Instant at) {
    const auto generation = numbered_.at(moved.job);
    placed_[moved.job] = generation;
    given_up_.erase(moved.job);
    if (cancelled_.contains(moved.job)) break_law(fmt::format("{} was cancelled and goes on elsewhere", moved.job.text()));
    auto& placement = placements_.at({moved.job, generation});
    placement.fen_per_card_hour = moved.fen_per_card_hour;
    last_site_[moved.job] = placement.site;
    placed_at_[{moved.job, generation}] = at;
    if (moved.reason == Reason::moving) probes_.hit("job left one site for another as ordered");
    if (moved.reason == Reason::lease_lost) probes_.hit("job lost on its way out goes on where a place was held");
    promised(moved.job, moved.shares, at);
}

void Jury::metered(const TaskMetered& meter) {
    const auto key = std::tuple{meter.job, meter.generation, meter.node_rank};
    auto& to = metered_to_[key];
    if (meter.from_s < to)
        break_law(fmt::format("{} generation {} is metered twice for the seconds before {}", meter.job.text(), meter.generation, to));
    to = meter.to_s;
    metered_s_[key] += meter.to_s - meter.from_s;
    counted_[key] += meter.used;
    metered_at_[key] = last_at_;
    metered_[meter.job] += meter.used.value;
    if (meter.lost_to) probes_.hit("meter of an old generation came too late to count");
    if (finished_.contains(meter.job)) break_law(fmt::format("{} is metered after its bill was made", meter.job.text()));
    const auto price = placements_.at({meter.job, meter.generation}).fen_per_card_hour.value;
    for (const auto& source : specs_.at(meter.job).funding) {
        if (!source.voucher) continue;
        const auto end_s = floor_seconds(voucher_ends_.at(*source.voucher));
        // By the network's clock: a site's may be hours from it.
        const auto length = meter.to_s - meter.from_s;
        const auto from_s = std::max(std::min(meter.to_s, floor_seconds(last_at_)) - length,
                                     floor_seconds(placed_at_.at({meter.job, meter.generation})));
        const auto timely = std::clamp<std::int64_t>(end_s - from_s, 0, length);
        if (timely < meter.to_s - meter.from_s) probes_.hit("use came after its voucher's end");
        timely_[{meter.job, *source.voucher}] += *mul_div(meter.used.value * price, timely, length, Rounding::up);
    }
}

void Jury::finished(const JobFinished& finished) {
    if (!finished_.insert(finished.job).second) break_law(fmt::format("{} is finished, and so billed, twice", finished.job.text()));
    if (finished.reason == Reason::quarantined) probes_.hit("job quarantined");
    if (finished.reason == Reason::dependency_failed) probes_.hit("dependent left with the job it waited for");
    std::int64_t billed = 0;
    for (const auto& line : finished.bill) billed += line.used.value;
    if (billed != metered_[finished.job]) {
        break_law(
            fmt::format("{} was metered {} milli-card-seconds and is billed {}", finished.job.text(), metered_[finished.job], billed));
    }
    if (finished.outcome == JobState::succeeded && finished.reason == Reason::exited) metered_whole(finished.job);
    paid(finished);
}

/// A site tells all that a task metered before it tells its end: all of it counts, as far as the network's time had gone by with the last.
void Jury::metered_whole(JobId job) {
    const auto generation = placed_.at(job);
    const auto cards = placements_.at({job, generation}).per_node;
    for (std::uint32_t rank = 0; std::cmp_less(rank, specs_.at(job).num_nodes); ++rank) {
        const std::tuple meter{job, generation, rank};
        const auto last = metered_at_.find(meter);
        auto ran = ran_ms_[{job, generation}];
        if (last != metered_at_.end()) ran = std::min(ran, (last->second - placed_at_.at({job, generation})).ns / 1'000'000);
        const auto counted_ms = counted_[meter].value * 1000 / cards.value;
        if (counted_ms + 2000 < ran)
            break_law(fmt::format("{} ran {} ms and {} ms of rank {} were counted", job.text(), ran, counted_ms, rank));
    }
}

void Jury::paid(const JobFinished& finished) {
    Fen owed{0};
    Fen captured{0};
    for (const auto& line : finished.bill) {
        if (line.payer == Payer::tenant) owed += line.amount;
    }
    for (const auto& part : finished.paid) {
        captured += part.captured;
        captured_[part.source.voucher] += part.captured;
        if (part.captured > part.held) break_law(fmt::format("{} pays more than was held", finished.job.text()));
        if (!part.source.voucher) continue;
        // A line is rounded by half a fen.
        const auto lines = static_cast<std::int64_t>(finished.bill.size());
        if (part.captured.value * 3'600'000 > timely_[{finished.job, *part.source.voucher}] + lines * 3'600'000)
            break_law(fmt::format("{} is paid by a voucher for use outside its validity", finished.job.text()));
    }
    if (owed != captured) break_law(fmt::format("{} owes {} fen and pays {}", finished.job.text(), owed.value, captured.value));
    const auto& budget = specs_.at(finished.job).budget;
    if (budget && captured > budget->fen)
        break_law(fmt::format("{} pays {} fen and its budget is {}", finished.job.text(), captured.value, budget->fen.value));
}

void Jury::look(const Server& server) {
    if (!server.broken.empty()) break_law(server.broken);
    if (!server.up()) return;
    const auto& state = server.core().state;
    if (state.ledger_broken) break_law("a fact broke a law of the ledger");
    if (server.core().facts_refused > 0) break_law("the scheduler refused a fact");
}

namespace {

const OrganisationName buyer{"lab"};  // The only one that has money here.

/// What a plan says, as far as it is a fact.
std::vector<std::pair<JobId, Placement>> plan_of(Core& core) {
    std::vector<std::pair<JobId, Placement>> plan;
    for (const auto& event : decide_placements(core, core.state.now)) {
        if (const auto* placed = std::get_if<JobPlaced>(&event)) plan.emplace_back(placed->job, placed->placement);
        if (const auto* held = std::get_if<JobMoveReserved>(&event)) plan.emplace_back(held->job, held->target);
    }
    return plan;
}

std::string text_of(const std::vector<std::pair<JobId, Placement>>& plan) {
    std::string text;
    for (const auto& [job, placement] : plan) {
        text += fmt::format("{}{} at {}", text.empty() ? "" : ", ", job.text(), placement.site.value);
        for (const auto& node : placement.nodes) {
            text += " " + node.node.value;
            for (const auto& card : node.cards) text += fmt::format("/{}:{}", card.index, card.share.value);
        }
    }
    return text.empty() ? "nothing" : text;
}

/// Projects without a live job may or may not be listed.
auto counted(std::map<ProjectName, std::uint32_t> live) {
    std::erase_if(live, [](const auto& entry) { return entry.second == 0; });
    return live;
}

}  // namespace

/// What the bills say was paid is what the books moved. A voucher that ended gave the rest of its account away.
void Jury::compare_with_bills(const State& state) {
    for (const auto& [voucher, captured] : captured_) {
        const auto known = voucher ? state.vouchers.find(*voucher) : state.vouchers.end();
        if (voucher && known == state.vouchers.end()) continue;
        const auto id = voucher ? account::voucher(state.programmes.at(known->second.programme), *voucher) : account::prepaid(buyer);
        const auto* books = state.ledger.account(id);
        if (books != nullptr && books->debits_posted == captured.value) continue;
        break_law(fmt::format("bills took {} fen from {} and the books {}", captured.value, voucher ? voucher->text() : "prepaid money",
                              books == nullptr ? 0 : books->debits_posted));
    }
}

/// Incremental equals from-scratch: the state through a snapshot, everything derived built anew.
void Jury::compare_with_scratch(Core& core) {
    const auto& state = core.state;
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
    if (scratch.scheduler.fingerprint() != core.scheduler.fingerprint())
        break_law("the scheduler told step by step differs from one built from the state");
    if (scratch.state.deadlines != state.deadlines || scratch.state.jobs_by_state != state.jobs_by_state ||
        scratch.state.keys_of != state.keys_of || scratch.state.finished_of != state.finished_of ||
        counted(scratch.state.live_jobs) != counted(state.live_jobs) || scratch.state.moves != state.moves ||
        scratch.state.unwelcome != state.unwelcome)
        break_law("what is derived differs from scratch");
    if (scratch.funding.waiters != core.funding.waiters || scratch.funding.ends != core.funding.ends)
        break_law("what is known of waiting jobs and their vouchers differs from scratch");
    for (const auto& [site, log] : state.desired_log) {
        if (scratch.state.desired_log[site].digest != log.digest)
            break_law(fmt::format("the digest of what should run at {} differs from the one built from the state", site.value));
        if (scratch.state.desired_log[site].places_held != log.places_held)
            break_law(fmt::format("the digest of the places held at {} differs from the one built from the state", site.value));
        const auto page = desired_page(state, site, {});
        if (!page.more && digest_of(page.set) != page.digest)
            break_law(fmt::format("the digest of what {} is told is not that of its list", site.value));
        if (digest_of(desired(state, site).tasks) != log.digest)
            break_law(fmt::format("the digest of what should run at {} is not that of its tasks", site.value));
    }
    for (const auto& [id, job] : state.jobs) {
        if (!job.seeks_place()) continue;
        const auto why = core.scheduler.why(id.uid, state.now);
        if (scratch.scheduler.why(id.uid, state.now) != why)
            break_law(fmt::format("{} waits for other reasons than from scratch", id.text()));
        if (why.reasons.empty()) break_law(fmt::format("{} waits without a reason", id.text()));
    }
    const auto anew = plan_of(scratch);
    const auto as_told = plan_of(core);
    if (anew != as_told)
        break_law(
            fmt::format("from scratch other jobs are placed, or elsewhere: {}, and step by step {}", text_of(anew), text_of(as_told)));
}

void Jury::look_closely(const Server& server) {
    if (!server.up() || !verdict_.empty()) return;
    const auto& core = server.core();
    const auto& state = core.state;
    for (const auto& violation : state.ledger.verify()) {
        break_law(fmt::format("the ledger: law {}, {} and {}", static_cast<int>(violation.law), violation.left, violation.right));
    }
    compare_with_bills(state);
    std::size_t holds = 0;
    for (const auto& [id, job] : state.jobs) holds += job.holds.size();
    if (holds != state.ledger.hold_count())
        break_law(fmt::format("{} holds stand in the ledger, live jobs have {}", state.ledger.hold_count(), holds));

    const auto read = server.reader().ask([](const Core& other) { return digest_of(other.state); });
    if (read != digest_of(state)) break_law("the reader's state differs from the writer's");

    compare_with_scratch(const_cast<Core&>(core));  // a plan warms the scheduler's memory; no answer depends on it
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
        // Whoever waits now waits for something: nobody who could run is left behind.
        if (!job.waits_for.empty()) continue;
        for (const auto& reason : server.core().scheduler.why(id.uid, server.core().state.now).reasons) {
            if (reason.code == scheduler::ReasonCode::awaits_plan)
                break_law(fmt::format("{} could run at {} and waits at rest", id.text(), reason.site));
        }
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
