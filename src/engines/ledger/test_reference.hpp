// engines/ledger/test_reference.hpp: the ledger once more, as naively as possible, for tests only.
//
// Maps of whole requests, sums recounted from the list of entries at every question, integers that cannot overflow, chains
// on a copy of everything. For each transfer it collects every refusal that applies and gives the one with the least number,
// which is what "descending precedence" means.
#pragma once

#include "engines/ledger/fact.hpp"
#include "engines/ledger/id_memory.hpp"
#include "engines/ledger/options.hpp"
#include "engines/ledger/outcome.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace weir::ledger {

class Reference {
public:
    __extension__ using Wide = __int128;

    struct Entry {
        Transfer request;
        Fate fate = Fate::settled;
        AccountId debit{};
        AccountId credit{};
        Wide amount = 0;  ///< Moved, held, or in the end captured.
        LedgerId ledger = 0;
        Wide expires_ns = never.ns;
        bool remembered = true;
        bool moves = true;  ///< Whether it counts in sums: a movement or a hold, not the entry that resolves one.
    };

    explicit Reference(Options options) : options_(options) {}

    void open(const AccountSpec& spec) { accounts_[spec.id] = spec; }
    void freeze(AccountId id, bool frozen) { frozen ? (void)frozen_.insert(id) : (void)frozen_.erase(id); }

    Wide sum(AccountId id, bool debit, bool pending) const {
        Wide total = 0;
        for (const auto& [transfer, entry] : entries_) {
            if (!entry.moves || (debit ? entry.debit : entry.credit) != id) continue;
            const bool posted = entry.fate == Fate::settled || entry.fate == Fate::posted;
            if (pending ? entry.fate == Fate::pending : posted) total += entry.amount;
        }
        return total;
    }

    std::vector<TransferOutcome> execute(std::span<const Transfer> batch, Instant now) {
        std::vector<TransferOutcome> outcomes(batch.size(), TransferOutcome::linked_event_failed);
        for (std::size_t first = 0; first < batch.size();) {
            std::size_t end = first;
            while (end < batch.size() && batch[end].has(flag::linked)) ++end;
            if (end == batch.size()) {
                outcomes.back() = TransferOutcome::linked_chain_open;
                return outcomes;
            }
            chain(batch.subspan(first, ++end - first), now, std::span{outcomes}.subspan(first));
            first = end;
        }
        return outcomes;
    }

    std::vector<TransferId> expire(Instant now, std::size_t limit) {
        std::vector<std::pair<std::int64_t, TransferId>> due;
        for (const auto& [id, entry] : entries_) {
            if (entry.fate != Fate::pending || entry.expires_ns > now.ns) continue;
            due.emplace_back(static_cast<std::int64_t>(entry.expires_ns), id);
        }
        std::ranges::sort(due);
        if (due.size() > limit) due.resize(limit);
        std::vector<TransferId> ended;
        for (const auto& [at, id] : due) {
            entries_.at(id).fate = Fate::expired;
            ended.push_back(id);
        }
        return ended;
    }

    void forget(std::int64_t before_ms) {
        for (auto& [id, entry] : entries_) {
            if (made_ms(id) < before_ms) entry.remembered = false;
        }
    }

    std::vector<TransferId> standing() const {
        std::vector<TransferId> ids;
        for (const auto& [id, entry] : entries_) {
            if (entry.fate == Fate::pending) ids.push_back(id);
        }
        return ids;
    }

private:
    using Outcomes = std::set<TransferOutcome>;

    void chain(std::span<const Transfer> part, Instant now, std::span<TransferOutcome> outcomes) {
        const auto before = entries_;
        std::size_t exist = 0;
        for (std::size_t i = 0; i < part.size(); ++i) {
            outcomes[i] = judge(part[i], now);
            if (outcomes[i] == TransferOutcome::exists && exist == i) {
                ++exist;
                continue;
            }
            if (outcomes[i] == TransferOutcome::applied && exist == 0) {
                apply(part[i], now);
                continue;
            }
            if (outcomes[i] == TransferOutcome::applied) outcomes[i] = TransferOutcome::linked_event_failed;
            for (std::size_t k = exist; k < i; ++k) outcomes[k] = TransferOutcome::linked_event_failed;
            entries_ = before;
            return;
        }
    }

    const Entry* known(TransferId id) const {
        const auto found = entries_.find(id);
        if (found == entries_.end()) return nullptr;
        return found->second.remembered || found->second.fate == Fate::pending ? &found->second : nullptr;
    }

    TransferOutcome judge(const Transfer& t, Instant now) const {
        Outcomes all;
        if (t.flags > flag::all) all.insert(TransferOutcome::flag_is_unknown);
        if (t.id.uid.is_nil()) all.insert(TransferOutcome::id_must_not_be_nil);
        if (const Entry* before = known(t.id)) compare(t, before->request, all);
        const std::int64_t now_ms = now.ns / 1'000'000;
        if (made_ms(t.id) < now_ms - options_.idempotency_window.ns / 1'000'000) all.insert(TransferOutcome::id_too_old);
        if (made_ms(t.id) > now_ms + options_.clock_ahead_max.ns / 1'000'000) all.insert(TransferOutcome::id_too_new);
        form(t, now, all);
        if (t.resolves()) {
            resolution(t, now, all);
        } else {
            movement(t, all);
        }
        return all.empty() ? TransferOutcome::applied : *all.begin();
    }

    static void compare(const Transfer& t, const Transfer& before, Outcomes& all) {
        using enum TransferOutcome;
        if (t.flags != before.flags) all.insert(exists_with_different_flags);
        if (t.pending_id != before.pending_id) all.insert(exists_with_different_pending_id);
        if (t.timeout != before.timeout) all.insert(exists_with_different_timeout);
        if (t.debit != before.debit) all.insert(exists_with_different_debit);
        if (t.credit != before.credit) all.insert(exists_with_different_credit);
        if (t.amount != before.amount) all.insert(exists_with_different_amount);
        if (t.ledger != before.ledger) all.insert(exists_with_different_ledger);
        if (t.code != before.code) all.insert(exists_with_different_code);
        if (t.cause != before.cause) all.insert(exists_with_different_cause);
        if (t != before) all.insert(exists_with_different_body);
        all.insert(exists);
    }

    static void form(const Transfer& t, Instant now, Outcomes& all) {
        using enum TransferOutcome;
        const int kinds = t.has(flag::pending) + t.has(flag::post_pending) + t.has(flag::void_pending);
        if (kinds > 1 || (t.has(flag::balancing_debit) && t.resolves())) all.insert(flags_exclude_each_other);
        if (t.amount < 0) all.insert(amount_must_not_be_negative);
        if (t.has(flag::void_pending) ? t.amount > 0 : t.amount == 0) {
            all.insert(t.has(flag::void_pending) ? amount_must_be_zero : amount_must_be_positive);
        }
        if (t.pending_id.uid.is_nil() == t.resolves()) all.insert(t.resolves() ? pending_id_must_not_be_nil : pending_id_must_be_nil);
        if (t.timeout.ns < 0) all.insert(timeout_must_not_be_negative);
        if (t.timeout.ns > 0 && !t.has(flag::pending)) all.insert(timeout_needs_pending);
        if (Wide{now.ns} + t.timeout.ns >= never.ns) all.insert(timeout_beyond_time);
        if (!is_known(t.code)) all.insert(code_is_unknown);
        if (!t.second_actor.is_nil() && t.actor == t.second_actor) all.insert(actors_must_differ);
    }

    void resolution(const Transfer& t, Instant now, Outcomes& all) const {
        using enum TransferOutcome;
        const Entry* hold = known(t.pending_id);
        if (hold == nullptr) return (void)all.insert(hold_not_found);
        if (hold->fate == Fate::settled) return (void)all.insert(hold_not_pending);
        if (hold->fate == Fate::posted) all.insert(hold_already_posted);
        if (hold->fate == Fate::voided) all.insert(hold_already_voided);
        if (hold->fate == Fate::expired || hold->expires_ns <= now.ns) all.insert(hold_expired);
        if (hold->fate != Fate::pending) return;
        if (!t.debit.uid.is_nil() && t.debit != hold->debit) all.insert(hold_has_different_debit);
        if (!t.credit.uid.is_nil() && t.credit != hold->credit) all.insert(hold_has_different_credit);
        if (t.ledger != 0 && t.ledger != hold->ledger) all.insert(hold_has_different_ledger);
        if (t.amount > hold->amount && t.amount != whole_amount) all.insert(exceeds_hold);
        if (t.has(flag::post_pending) && frozen_.contains(hold->debit) && !frozen_may_give(t.code)) all.insert(debit_is_frozen);
    }

    void movement(const Transfer& t, Outcomes& all) const {
        using enum TransferOutcome;
        if (t.ledger == 0) all.insert(ledger_must_not_be_zero);
        if (t.debit.uid.is_nil()) all.insert(debit_must_not_be_nil);
        if (t.credit.uid.is_nil()) all.insert(credit_must_not_be_nil);
        if (t.debit == t.credit) all.insert(accounts_must_differ);
        const auto debit = accounts_.find(t.debit);
        const auto credit = accounts_.find(t.credit);
        if (debit == accounts_.end()) all.insert(debit_not_found);
        if (credit == accounts_.end()) all.insert(credit_not_found);
        if (debit == accounts_.end() || credit == accounts_.end()) return;
        if (debit->second.ledger != credit->second.ledger) all.insert(accounts_on_different_ledgers);
        if (debit->second.ledger != t.ledger) all.insert(transfer_on_different_ledger);
        if (!may_move(debit->second.code, credit->second.code)) all.insert(movement_not_allowed);
        if (frozen_.contains(t.debit) && !frozen_may_give(t.code)) all.insert(debit_is_frozen);

        const Wide amount = amount_of(t);
        if (t.has(flag::balancing_debit) && amount <= 0) all.insert(nothing_to_balance);
        Wide total = amount;
        for (const auto& [id, account] : accounts_) {
            if (account.ledger == debit->second.ledger) total += sum(id, true, true) + sum(id, true, false);
        }
        if (total > whole_amount) all.insert(overflows_ledger);
        if (debit->second.bound == Bound::debits_may_not_exceed_credits && amount > free_of(t.debit, true)) all.insert(exceeds_credits);
        if (credit->second.bound == Bound::credits_may_not_exceed_debits && amount > free_of(t.credit, false)) all.insert(exceeds_debits);
    }

    /// What may still be debited (or credited): the other side posted, less this side held and posted.
    Wide free_of(AccountId id, bool debit) const { return sum(id, !debit, false) - sum(id, debit, false) - sum(id, debit, true); }

    Wide amount_of(const Transfer& t) const {
        return t.has(flag::balancing_debit) ? std::min<Wide>(t.amount, free_of(t.debit, true)) : t.amount;
    }

    void apply(const Transfer& t, Instant now) {
        if (t.resolves()) {
            Entry& hold = entries_.at(t.pending_id);
            hold.fate = t.has(flag::post_pending) ? Fate::posted : Fate::voided;
            if (t.has(flag::post_pending)) hold.amount = std::min<Wide>(hold.amount, t.amount);
            entries_[t.id] = {.request = t, .moves = false};
            return;
        }
        Entry entry{.request = t, .debit = t.debit, .credit = t.credit, .amount = amount_of(t), .ledger = t.ledger};
        if (t.has(flag::pending)) entry.fate = Fate::pending;
        if (t.timeout.ns > 0) entry.expires_ns = Wide{now.ns} + t.timeout.ns;
        entries_[t.id] = entry;
    }

    Options options_;
    std::map<AccountId, AccountSpec> accounts_;
    std::set<AccountId> frozen_;
    std::map<TransferId, Entry> entries_;
};

}  // namespace weir::ledger
