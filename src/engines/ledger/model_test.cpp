// Goal: for whatever a caller asks in whatever order, the ledger answers and stands as a naive one would, and the laws hold.
// Method: random command sequences from a seed, run on the ledger and on test_reference.hpp; after each batch every answer and
// every sum is compared and every law is recomputed. At the end of a sequence its facts alone must rebuild the state, and a
// snapshot must carry on like the original. Each answer there is must have been met by some seed.
#include "base/random.hpp"
#include "engines/ledger/ledger.hpp"
#include "engines/ledger/test_reference.hpp"

#include <gtest/gtest.h>

#include <set>

namespace weir::ledger {
namespace {

constexpr int sequences = 3000;
constexpr int steps = 30;
constexpr Options options{.idempotency_window = seconds(1500), .clock_ahead_max = seconds(50)};

class Sequence {
public:
    Sequence(std::uint64_t seed, std::set<TransferOutcome>& met)
        : random_(seed, "ledger model"), ledger_(options), replayed_({.hash_seed = seed + 1}), reference_(options), met_(met) {}

    void run() {
        open_accounts();
        for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
            now_ = now_ + seconds(random_.between(0, 120));
            const std::uint64_t what = random_.below(20);
            if (what == 0) {
                toggle_freeze();
            } else if (what == 1) {
                expire();
            } else if (what == 2) {
                forget();
            } else {
                batch();
            }
            compare_books();
        }
        EXPECT_EQ(ledger_.digest(), replayed_.digest()) << "the facts lead elsewhere";
        const auto restored = Ledger::import_state(ledger_.export_state(), options);
        ASSERT_TRUE(restored.has_value());
        EXPECT_EQ(restored->digest(), ledger_.digest());
    }

private:
    template <class T>
    const T& pick(const std::vector<T>& values) {
        return values[random_.below(values.size())];
    }

    void apply(const Fact& fact) {
        EXPECT_TRUE(ledger_.apply(fact).has_value());
        EXPECT_TRUE(replayed_.apply(fact).has_value());
    }

    void open_accounts() {
        const auto open = [&](LedgerId ledger, AccountCode code, std::string_view owner, Bound bound) {
            const AccountSpec spec{.id = account_id_of(ledger, code, owner), .ledger = ledger, .code = code, .bound = bound};
            const auto fact = ledger_.decide_account(spec, now_);
            ASSERT_TRUE(fact.has_value());
            apply(*fact);
            reference_.open(spec);
            accounts_.push_back(spec);
        };
        using enum AccountCode;
        open(1, appropriation, "grant", Bound::none);
        open(1, available, "pool", Bound::debits_may_not_exceed_credits);
        open(1, voucher, "v1", Bound::debits_may_not_exceed_credits);
        open(1, voucher, "v2", Bound::debits_may_not_exceed_credits);
        open(1, redeemed, "s1", Bound::none);
        open(1, expired, "lapsed", Bound::none);
        open(2, bank, "bank", Bound::none);
        open(2, buyer, "owes", Bound::credits_may_not_exceed_debits);
        open(2, supplier, "earns", Bound::none);
        open(3, cap_source, "caps", Bound::none);
        open(3, entity_cap, "cap", Bound::debits_may_not_exceed_credits);
    }

    TransferId new_id() {
        Instant made = now_;
        if (random_.chance(1, 30)) made = now_ - seconds(random_.between(1400, 2000));
        if (random_.chance(1, 40)) made = now_ + seconds(random_.between(40, 80));
        const std::uint64_t high = random_.next();
        ids_.push_back({make_uid(made, high, random_.next())});
        return ids_.back();
    }

    Transfer transfer() {
        if (!requests_.empty() && random_.chance(1, 12)) {  // a repetition, sometimes with another body
            Transfer again = pick(requests_);
            return random_.chance(1, 2) ? again : mutated(again);
        }
        Transfer t;
        t.id = new_id();
        const auto standing = reference_.standing();
        if (!standing.empty() && random_.chance(2, 5)) {
            t.pending_id = pick(standing);
            const bool captures = random_.chance(2, 3);
            t.flags = captures ? flag::post_pending : flag::void_pending;
            t.code = captures ? TransferCode::redeem : TransferCode::release;
            if (captures) t.amount = random_.chance(1, 4) ? whole_amount : random_.between(1, 60);
        } else {
            const AccountSpec& from = pick(accounts_);
            const AccountSpec* to = &pick(accounts_);
            while (to->ledger != from.ledger) to = &pick(accounts_);
            t.debit = from.id;
            t.credit = to->id;
            t.ledger = from.ledger;
            t.amount = random_.between(1, from.code == AccountCode::appropriation ? 200 : 60);
            t.code = pick(std::vector{TransferCode::award, TransferCode::hold, TransferCode::revoke});
            if (random_.chance(1, 3)) t.flags = flag::pending;
            if (t.flags != 0 && random_.chance(1, 2)) t.timeout = seconds(random_.between(1, 2000));
            if (random_.chance(1, 8)) t.flags |= flag::balancing_debit;
            if (random_.chance(1, 8)) t.amount = whole_amount;
        }
        if (random_.chance(1, 3)) t = mutated(t);
        return t;
    }

    /// One field becomes something else, likely something wrong.
    Transfer mutated(Transfer t) {
        const auto any_account = [&] { return random_.chance(1, 4) ? AccountId{{0, random_.below(2)}} : pick(accounts_).id; };
        switch (random_.below(13)) {
            case 0: t.flags = static_cast<std::uint16_t>(random_.below(34)); break;
            case 1: t.pending_id = ids_.empty() || random_.chance(1, 3) ? TransferId{{0, random_.below(2)}} : pick(ids_); break;
            case 2: t.timeout = pick(std::vector{seconds(-1), seconds(0), seconds(1), seconds(7), Duration{whole_amount}}); break;
            case 3: t.debit = any_account(); break;
            case 4: t.credit = any_account(); break;
            case 5: t.amount = pick(std::vector<std::int64_t>{-1, 0, 1, 30, 61, whole_amount - 1, whole_amount}); break;
            case 6: t.ledger = static_cast<LedgerId>(random_.below(4)); break;
            case 7: t.code = pick(std::vector{TransferCode::lapse, TransferCode::expire, TransferCode::award, TransferCode{}}); break;
            case 8: t.cause = {0, random_.below(3)}; break;
            case 9: t.actor = {0, random_.below(2)}; break;
            case 10: t.second_actor = {0, random_.below(2)}, t.actor = {0, random_.below(2)}; break;
            case 11: t.policy_version = static_cast<std::uint32_t>(random_.below(3)); break;
            default: t.id = random_.chance(1, 4) || ids_.empty() ? TransferId{} : pick(ids_); break;
        }
        return t;
    }

    void batch() {
        std::vector<Transfer> batch;
        for (std::uint64_t i = random_.below(5) + 1; i > 0; --i) {
            if (!requests_.empty() && random_.chance(1, 12)) {  // a whole batch again, or the end of it
                const std::size_t from = random_.below(requests_.size());
                batch.insert(batch.end(), requests_.begin() + static_cast<std::ptrdiff_t>(from), requests_.end());
            }
            batch.push_back(transfer());
            if (random_.chance(1, 3)) batch.back().flags |= flag::linked;
        }
        if (random_.chance(19, 20)) batch.back().flags &= static_cast<std::uint16_t>(~flag::linked);

        const auto wanted = reference_.execute(batch, now_);
        const BatchResult foreseen = ledger_.decide(batch, now_);
        BatchResult result;
        ASSERT_TRUE(ledger_.execute(batch, now_, result).has_value());
        for (const Posting& posting : result.facts) ASSERT_TRUE(replayed_.apply(Fact{posting}).has_value());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            EXPECT_EQ(name_of(result.outcomes[i]), name_of(wanted[i])) << "transfer " << i << " of " << batch.size();
            met_.insert(result.outcomes[i]);
        }
        EXPECT_EQ(foreseen.outcomes, result.outcomes);
        EXPECT_EQ(foreseen.limits, result.limits);
        EXPECT_EQ(foreseen.facts, result.facts);
        requests_ = batch;
    }

    void toggle_freeze() {
        const AccountId id = pick(accounts_).id;
        const bool frozen = !ledger_.account(id)->frozen;
        const auto fact = ledger_.decide_freeze(id, frozen, now_);
        ASSERT_TRUE(fact.has_value());
        apply(*fact);
        reference_.freeze(id, frozen);
    }

    void expire() {
        const std::size_t limit = random_.below(4);
        std::vector<TransferId> ended;
        for (const Posting& posting : ledger_.expire_due(now_, limit)) {
            ended.push_back(posting.pending_id);
            apply(posting);
        }
        EXPECT_EQ(ended, reference_.expire(now_, limit));
    }

    void forget() {
        const auto fact = ledger_.decide_forget(now_);
        if (!fact) return;
        apply(*fact);
        reference_.forget(fact->before_ms);
    }

    void compare_books() {
        for (const AccountSpec& spec : accounts_) {
            const Account& account = *ledger_.account(spec.id);
            EXPECT_TRUE(account.debits_pending == reference_.sum(spec.id, true, true));
            EXPECT_TRUE(account.debits_posted == reference_.sum(spec.id, true, false));
            EXPECT_TRUE(account.credits_pending == reference_.sum(spec.id, false, true));
            EXPECT_TRUE(account.credits_posted == reference_.sum(spec.id, false, false));
        }
        for (const TransferId id : reference_.standing()) EXPECT_NE(ledger_.hold(id), nullptr);
        EXPECT_EQ(ledger_.hold_count(), reference_.standing().size());
        EXPECT_TRUE(ledger_.verify().empty());
    }

    Random random_;
    Ledger ledger_;
    Ledger replayed_;
    Reference reference_;
    std::set<TransferOutcome>& met_;
    std::vector<AccountSpec> accounts_;
    std::vector<TransferId> ids_;
    std::vector<Transfer> requests_;
    Instant now_{1'790'000'000'000'000'000};
};

TEST(LedgerModel, AnswersAndStandsAsANaiveLedgerWould) {
    std::set<TransferOutcome> met;
    for (std::uint64_t seed = 0; seed < sequences; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Sequence(seed, met).run();
        if (HasFailure()) return;
    }
    const std::set<TransferOutcome> out_of_reach{TransferOutcome::batch_too_large, TransferOutcome::too_many_holds,
                                                 TransferOutcome::too_many_ids};
    for (int number = 1; number <= 55; ++number) {
        const auto outcome = static_cast<TransferOutcome>(number);
        if (!out_of_reach.contains(outcome)) EXPECT_TRUE(met.contains(outcome)) << "no seed meets " << name_of(outcome);
    }
}

}  // namespace
}  // namespace weir::ledger
