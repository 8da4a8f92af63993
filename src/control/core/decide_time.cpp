// What time brings: a leader's start, deadlines, expiries. Each pass does a bounded amount, and what is left comes next; only
// the hourly forgetting of old records is done at once.
#include "control/core/funding.hpp"
#include "control/core/lease_terms.hpp"
#include "control/core/rules.hpp"
#include "control/core/settle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

/// A site that keeps falling silent for a moment puts off the end of what it was told to stop so many times, and no more.
constexpr std::int64_t chances_to_stop = 6;

/// Whether the site of a job that was to have ended at `deadline` has had its time to say so. It has it anew where it fell silent, as it
/// may have heard nothing. One that is silent for the whole fence is the keeper of leases' business, so that one which still has the
/// job long after was heard, and answered with the order, once in each of these times at least.
bool had_its_time(const Core& core, const LiveJob& job, Instant deadline, Instant now) {
    const auto& site = core.state.sites.at(job.placement->site);
    if (!site.reachable || former_agent_may_run(core, job, now)) return false;
    const auto once = std::max(core.policy.stop_within, fence_span(core, job, now));
    return now >= site.reachable_since + core.policy.stop_within || now >= deadline + Duration{chances_to_stop * once.ns};
}

/// Jobs that do not begin, run too long, or do not end as ordered. Where a site is silent the keeper of leases says what is lost.
void stop_overdue(const Core& core, Instant now, std::vector<Event>& events) {
    for (const auto& [at, id] : core.state.deadlines) {
        if (at > now || events.size() >= core.policy.timers_per_pass) return;
        const auto& job = core.state.jobs.at(id);
        if (!job.stop_ordered) {
            events.push_back(stop_order(core, job, job.started_at ? longest_run_reached(job) : Reason::start_failed, now));
        } else if (had_its_time(core, job, at, now)) {
            end_generation(core, job, {Reason::lease_lost, 0, std::nullopt}, now, events);
        }
    }
}

/// Waiting jobs whose voucher would now end before their run could: what may pay for them is judged anew, as of now.
void judge_lapsed(const Core& core, Instant now, std::vector<Event>& events) {
    for (const auto& [last, id] : core.funding.ends) {
        if (last >= now || events.size() >= core.policy.timers_per_pass) return;
        const auto& job = core.state.jobs.at(id);
        if (job.move) {
            events.push_back(JobMoveEnded{id, MoveEnd::funding_lapsed});
        } else {
            events.push_back(JobStateChanged{id, job.generation, JobState::queued, Reason::funding_lapsed});
        }
    }
}

void end_tokens(const Core& core, Instant now, std::vector<Event>& events) {
    for (const auto& [id, token] : core.state.tokens) {
        if (events.size() >= core.policy.timers_per_pass) return;
        if (token.expires_at && *token.expires_at <= now) events.push_back(TokenEnded{id, true});
    }
}

/// A voucher that is no longer valid and backs no hold gives what is left to `expired`, as an entry of the ledger. It stays
/// as long as its id might come again: the voucher is the record that it was awarded.
void end_vouchers(const Core& core, Instant now, std::vector<Event>& events) {
    for (const auto& [id, voucher] : core.state.vouchers) {
        if (events.size() >= core.policy.timers_per_pass) return;
        if (voucher.valid_to > now || time_of(id.uid) >= now - core.policy.remember) continue;
        const auto& opened = core.state.programmes.at(voucher.programme);
        const auto* balance = core.state.ledger.account(account::voucher(opened, id));
        if (balance == nullptr || balance->debits_pending > 0) continue;
        if (balance->free_credit() > 0) {
            ledger::Transfer transfer;
            transfer.id = ledger::transfer_id_of(now, id.text() + " expire");
            transfer.debit = account::voucher(opened, id);
            transfer.credit = account::expired(opened);
            transfer.ledger = opened.voucher_ledger;
            transfer.amount = balance->free_credit();
            transfer.code = ledger::TransferCode::expire;
            transfer.cause = id.uid;
            transfer.policy_version = version_of(opened.programme);
            auto facts = post(core, {transfer}, now);
            if (!facts) continue;
            events.push_back(std::move(*facts));
        }
        events.push_back(VoucherEnded{id, Fen{balance->debits_posted}, Fen{balance->free_credit()}});
    }
}

/// Records leave in steps of an hour, so that the journal has a line an hour for it and not one a second.
void forget(const Core& core, Instant now, std::vector<Event>& events) {
    const Instant before = now - core.policy.remember;
    if (before - core.state.forgotten_before < hours(1)) return;
    const bool any = (!core.state.finished.empty() && time_of(core.state.finished.begin()->first.uid) < before) ||
                     !core.state.keys.empty() || core.state.ledger.decide_forget(now).has_value();
    if (!any) return;
    events.push_back(RecordsForgotten{before});
    if (auto fact = core.state.ledger.decide_forget(now)) events.push_back(LedgerPosted{{}, {}, *fact});
}

}  // namespace

std::uint32_t generations_above_of(Instant restored_at) {
    constexpr Instant beginning{1'735'689'600'000'000'000};  // 2025-01-01T00:00:00Z
    const auto minutes = std::max<std::int64_t>((restored_at - beginning).ns / 60'000'000'000, 1);
    return static_cast<std::uint32_t>(std::min<std::int64_t>(minutes * 256, std::int64_t{1} << 31));
}

Decision decide(const Core& core, const Actor& actor, const StartLeader& command, Instant now) {
    if (actor.kind != Actor::Kind::system) return refuse(RefusalCode::forbidden, "only the server itself starts a leader");
    return accept(fmt::format("{}", command.epoch),
                  {LeaderStarted{command.epoch, command.build, terms_of(core.policy), terms_to_respect(core.state, core.policy, now),
                                 command.generations_above == 0 ? std::nullopt : std::optional{command.generations_above}}});
}

Decision decide(const Core& core, const Actor& actor, const Tick&, Instant now) {
    if (actor.kind != Actor::Kind::system) return refuse(RefusalCode::forbidden, "only the network's own clock ticks");
    Decision decision = accept("tick", {});
    stop_overdue(core, now, decision.events);
    judge_lapsed(core, now, decision.events);
    steer_moves(core, now, decision.events);
    end_tokens(core, now, decision.events);
    end_vouchers(core, now, decision.events);
    end_data(core, now, decision.events);
    forget(core, now, decision.events);
    return decision;
}

}  // namespace weir::control
