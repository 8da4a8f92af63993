// Goal: a damaged journal or snapshot is found, with the law and both numbers; and what is stored never changes its meaning.
// Method: sound facts and states with one value bent each; golden numbers.
#include "engines/ledger/test_script.hpp"

#include <functional>
#include <limits>

namespace weir::ledger {
namespace {

class LedgerLaws : public testing::Test {
protected:
    LedgerLaws() {
        script_.run(R"(
            at 1000000
            open grant appropriation
            open pool  available
            open v1    voucher
            open red   redeemed
            move g1 grant pool 1000
            move a1 pool  v1   500
            hold h1 v1 red 200 timeout=60
        )");
    }

    Posting capture() {
        const Transfer t{.id = script_.transfer("p1"), .amount = 150, .pending_id = script_.transfer("h1"), .code = TransferCode::redeem,
                         .flags = flag::post_pending};
        return script_.ledger().decide(std::vector{t}, script_.ledger().at()).facts.at(0);
    }
    Posting movement() {
        const Transfer t{.id = script_.transfer("m1"), .debit = script_.account("v1"), .credit = script_.account("red"), .amount = 300,
                         .ledger = 1, .code = TransferCode::redeem};
        return script_.ledger().decide(std::vector{t}, script_.ledger().at()).facts.at(0);
    }

    Violation violation_of(const Fact& fact) {
        Ledger copy = script_.ledger();
        const auto done = copy.apply(fact);
        return done ? Violation{} : done.error();
    }
    Violation violation_of(Posting posting, const std::function<void(Posting&)>& bend) {
        EXPECT_EQ(violation_of(posting), Violation{}) << "the fact is sound before it is bent";
        bend(posting);
        return violation_of(Fact{posting});
    }
    Violation violation_of_state(const std::function<void(LedgerState&)>& bend) {
        LedgerState state = script_.ledger().export_state();
        bend(state);
        const auto done = Ledger::import_state(state);
        return done ? Violation{} : done.error();
    }
    Account& account_in(LedgerState& state, const std::string& name) {
        return *std::ranges::find(state.accounts, script_.account(name), &Account::id);
    }

    Script script_;
};

void expect(const Violation& found, Law law, std::int64_t left, std::int64_t right) {
    EXPECT_EQ(name_of(found.law), name_of(law));
    EXPECT_EQ(found.left, left);
    EXPECT_EQ(found.right, right);
}

TEST_F(LedgerLaws, AnEntryThatBreaksALawIsFound) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    expect(violation_of(movement(), [](Posting& p) { p.amount = 301; }), Law::debits_within_credits, 501, 500);
    expect(violation_of(movement(), [](Posting& p) { p.amount = -1; }), Law::sum_not_negative, -1, 0);
    expect(violation_of(movement(), [](Posting& p) { p.amount = most; }), Law::totals_fit, most, most - 1700);
    expect(violation_of(movement(), [](Posting& p) { p.ledger = 2; }), Law::one_ledger, 2, 1);
    expect(violation_of(movement(), [](Posting& p) { p.debit.uid.low ^= 1; }), Law::account_exists_once, 0, 1);
    expect(violation_of(movement(), [](Posting& p) { p.credit.uid.low ^= 1; }), Law::account_exists_once, 0, 1);
    expect(violation_of(movement(), [&](Posting& p) { p.id = script_.transfer("a1"); }), Law::applied_once, 2, 1);
    const std::int64_t now_ns = script_.ledger().at().ns;
    expect(violation_of(movement(), [&](Posting& p) { --p.at.ns; }), Law::time_moves_forward, now_ns - 1, now_ns);
}

TEST_F(LedgerLaws, AHoldThatDoesNotEndWholeIsFound) {
    expect(violation_of(capture(), [](Posting& p) { ++p.amount; }), Law::hold_ends_whole, 201, 200);
    expect(violation_of(capture(), [](Posting& p) { --p.released; }), Law::hold_ends_whole, 199, 200);
    expect(violation_of(capture(), [](Posting& p) { p.amount = -50, p.released = 250; }), Law::sum_not_negative, -50, 0);
    expect(violation_of(capture(), [](Posting& p) { p.pending_id.uid.low ^= 1; }), Law::hold_exists_once, 0, 1);
    expect(violation_of(capture(), [](Posting& p) { std::swap(p.debit, p.credit); }), Law::hold_exists_once, 0, 1);
}

TEST_F(LedgerLaws, AnAccountFactThatDoesNotFitIsFound) {
    const Instant now = script_.ledger().at();
    const AccountId v1 = script_.account("v1");
    const AccountId none = script_.account("none");
    const AccountOpened again{.id = v1, .at = now, .ledger = 1, .code = AccountCode::redeemed, .bound = Bound::none};
    expect(violation_of(Fact{again}), Law::account_exists_once, 1, 0);
    const AccountOpened alien{.id = none, .at = now, .ledger = 1, .code = AccountCode::treasury, .bound = Bound::none};
    expect(violation_of(Fact{alien}), Law::one_ledger, 0, 1);
    expect(violation_of(Fact{AccountFrozen{.id = none, .at = now, .frozen = true}}), Law::account_exists_once, 0, 1);
    expect(violation_of(Fact{AccountClosed{.id = none, .at = now}}), Law::account_exists_once, 0, 1);
    expect(violation_of(Fact{AccountClosed{.id = v1, .at = now, .turnover = 0}}), Law::closed_account_is_even, 500, 0);
    const IdsForgotten early{.before_ms = 1, .at = now - Duration{1}};
    expect(violation_of(Fact{early}), Law::time_moves_forward, early.at.ns, now.ns);
}

TEST_F(LedgerLaws, ADamagedSnapshotIsFound) {
    EXPECT_EQ(violation_of_state([](LedgerState&) {}), Violation{});
    expect(violation_of_state([&](LedgerState& s) { ++account_in(s, "red").credits_posted; }), Law::posted_debits_equal_posted_credits,
           1500, 1501);
    expect(violation_of_state([&](LedgerState& s) { ++account_in(s, "red").credits_pending; }), Law::holds_match_pending, 200, 201);
    expect(violation_of_state([&](LedgerState& s) { account_in(s, "v1").debits_posted = 301; }), Law::debits_within_credits, 501, 500);
    expect(violation_of_state([&](LedgerState& s) { account_in(s, "v1").debits_posted = -1; }), Law::sum_not_negative, -1, 0);
    expect(violation_of_state([&](LedgerState& s) { account_in(s, "red").code = AccountCode::buyer; }), Law::one_ledger, 3, 1);
    expect(violation_of_state([](LedgerState& s) { s.accounts.push_back(s.accounts.front()); }), Law::account_exists_once, 1, 0);
    expect(violation_of_state([](LedgerState& s) { s.holds.clear(); }), Law::holds_match_pending, 0, 200);
    expect(violation_of_state([](LedgerState& s) { s.holds.push_back(s.holds.front()); }), Law::hold_exists_once, 2, 1);
    expect(violation_of_state([](LedgerState& s) { s.holds.front().debit.uid.low ^= 1; }), Law::account_exists_once, 0, 1);
    expect(violation_of_state([](LedgerState& s) { s.seen.push_back(s.seen.front()); }), Law::applied_once, 2, 1);
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    expect(violation_of_state([&](LedgerState& s) {
               for (const char* name : {"grant", "pool"}) account_in(s, name).debits_posted = most / 2 + 1;
           }),
           Law::totals_fit, most, most);
    // A family that is not the budget's would let value leave the programme-year unseen.
    // Value on an account that is no part of the budget would have left the programme-year unseen.
    const auto alien = static_cast<AccountCode>(107);
    expect(violation_of_state([&](LedgerState& s) { account_in(s, "v1").code = alien; }), Law::budget_is_conserved, -500, 0);
}

TEST_F(LedgerLaws, TheTrialBalanceAddsUp) {
    const TrialBalance balance = script_.ledger().trial_balance(1);
    const std::vector<TrialRow> rows{
        {.code = AccountCode::appropriation, .accounts = 1, .debits_posted = 1000},
        {.code = AccountCode::available, .accounts = 1, .debits_posted = 500, .credits_posted = 1000},
        {.code = AccountCode::voucher, .accounts = 1, .debits_pending = 200, .credits_posted = 500},
        {.code = AccountCode::redeemed, .accounts = 1, .credits_pending = 200},
    };
    EXPECT_EQ(balance.rows, rows);
    EXPECT_EQ(balance.debits_posted, 1500);
    EXPECT_EQ(balance.credits_posted, 1500);
    EXPECT_EQ(balance.debits_pending, 200);
    EXPECT_EQ(balance.credits_pending, 200);
    ASSERT_EQ(script_.ledger().ledgers().size(), 1U);
    EXPECT_EQ(script_.ledger().ledgers().front().debits_posted, 1500);
    EXPECT_TRUE(script_.ledger().trial_balance(2).rows.empty());
}

TEST_F(LedgerLaws, ARestoredLedgerCarriesOnAlike) {
    auto restored = Ledger::import_state(script_.ledger().export_state());
    ASSERT_TRUE(restored.has_value());
    EXPECT_EQ(restored->next_expiry(), script_.ledger().next_expiry());
    const Posting posting = capture();
    ASSERT_TRUE(restored->apply(Fact{posting}).has_value());
    ASSERT_TRUE(script_.ledger().apply(Fact{posting}).has_value());
    EXPECT_EQ(restored->digest(), script_.ledger().digest());
}

TEST_F(LedgerLaws, EveryValueOfTheStateIsInItsDigest) {
    const LedgerState sound = script_.ledger().export_state();
    const std::vector<std::function<void(LedgerState&)>> bends{
        [](LedgerState& s) { ++s.at.ns; },
        [](LedgerState& s) { ++s.ids_floor_ms; },
        [](LedgerState& s) { ++s.accounts[0].id.uid.low; },
        [](LedgerState& s) { ++s.accounts[0].ledger; },
        [](LedgerState& s) { s.accounts[0].code = AccountCode::revoked; },
        [](LedgerState& s) { s.accounts[0].bound = Bound::credits_may_not_exceed_debits; },
        [](LedgerState& s) { s.accounts[0].frozen = true; },
        [](LedgerState& s) { ++s.accounts[0].debits_pending; },
        [](LedgerState& s) { ++s.accounts[0].debits_posted; },
        [](LedgerState& s) { ++s.accounts[0].credits_pending; },
        [](LedgerState& s) { ++s.accounts[0].credits_posted; },
        [](LedgerState& s) { ++s.holds[0].id.uid.high; },
        [](LedgerState& s) { ++s.holds[0].debit.uid.low; },
        [](LedgerState& s) { ++s.holds[0].credit.uid.low; },
        [](LedgerState& s) { ++s.holds[0].amount; },
        [](LedgerState& s) { ++s.holds[0].at.ns; },
        [](LedgerState& s) { ++s.holds[0].expires_at.ns; },
        [](LedgerState& s) { ++s.holds[0].cause.low; },
        [](LedgerState& s) { ++s.holds[0].request.body; },
        [](LedgerState& s) { ++s.holds[0].ledger; },
        [](LedgerState& s) { ++s.holds[0].policy_version; },
        [](LedgerState& s) { s.holds[0].code = TransferCode::award; },
        [](LedgerState& s) { ++s.seen[0].id.uid.low; },
        [](LedgerState& s) { ++s.seen[0].request.tags_high; },
        [](LedgerState& s) { ++s.seen[0].request.tags_low; },
        [](LedgerState& s) { s.seen[0].fate = Fate::expired; },
        [](LedgerState& s) { s.seen.pop_back(); },
    };
    for (std::size_t i = 0; i < bends.size(); ++i) {
        LedgerState bent = sound;
        bends[i](bent);
        EXPECT_NE(digest_of(bent), digest_of(sound)) << "bend " << i;
    }
}

// Stored: a change here is a change of what journals and snapshots mean.
TEST_F(LedgerLaws, WhatIsStoredNeverChanges) {
    EXPECT_EQ(script_.account("v1").text(), "acc-6gq4j9554wad4cxcq1mf0j6jv6");
    EXPECT_EQ(script_.transfer("h1").text(), "trf-0000xsnjg0vr0w1t1df8frrqwv");
    const Fingerprint request = script_.ledger().hold(script_.transfer("h1"))->request;
    EXPECT_EQ(request.body, 3346886336468825378U);
    EXPECT_EQ(request.tags_high, 156454782556611754U);
    EXPECT_EQ(request.tags_low, 14217143946573698763U);
    EXPECT_EQ(script_.ledger().digest().text(), "043d41b47450d91eca20deaa53fd86bfa6ddf77deb13b0f8ba1f08adb6c42fdc");
    EXPECT_EQ(static_cast<int>(AccountCode::revoked), 106);
    EXPECT_EQ(static_cast<int>(AccountCode::cap_used), 205);
    EXPECT_EQ(static_cast<int>(AccountCode::clawback_receivable), 313);
    EXPECT_EQ(static_cast<int>(AccountCode::quota_lapsed), 404);
    EXPECT_EQ(static_cast<int>(AccountCode::shortfall), 505);
    EXPECT_EQ(static_cast<int>(TransferCode::lapse), 33);
    EXPECT_EQ(static_cast<int>(TransferCode::congestion), 82);
    EXPECT_EQ(static_cast<int>(PostingKind::expired), 5);
    EXPECT_EQ(static_cast<int>(Fate::expired), 5);
    EXPECT_EQ(static_cast<int>(TransferOutcome::too_many_ids), 55);
    EXPECT_EQ(static_cast<int>(Law::totals_fit), 16);
}

TEST(LedgerNames, EveryAnswerHasAName) {
    for (int i = 1; i <= 55; ++i) EXPECT_NE(name_of(static_cast<TransferOutcome>(i)), "unknown") << i;
    for (int i = 1; i <= 11; ++i) EXPECT_NE(name_of(static_cast<AccountOutcome>(i)), "unknown") << i;
    for (int i = 1; i <= 16; ++i) EXPECT_NE(name_of(static_cast<Law>(i)), "unknown") << i;
    EXPECT_EQ(name_of(TransferOutcome{}), "unknown");
    EXPECT_EQ(name_of(FreezeOutcome::already_so), "already_so");
    EXPECT_EQ(name_of(CloseOutcome::has_holds), "has_holds");
}

TEST(LedgerNames, CodesKnowTheirFamilies) {
    EXPECT_FALSE(is_known(AccountCode{}));
    EXPECT_FALSE(is_known(static_cast<AccountCode>(100)));
    EXPECT_FALSE(is_known(static_cast<AccountCode>(107)));
    EXPECT_FALSE(is_known(static_cast<AccountCode>(601)));
    EXPECT_TRUE(is_known(AccountCode::appropriation));
    EXPECT_TRUE(is_known(AccountCode::shortfall));
    EXPECT_EQ(family_of(AccountCode::voucher), Family::voucher);
    EXPECT_EQ(family_of(AccountCode::cap_used), Family::cap);
    EXPECT_EQ(family_of(AccountCode::rounding), Family::cash);
    EXPECT_EQ(family_of(AccountCode::quota), Family::quantity);
    EXPECT_EQ(family_of(AccountCode::pledge), Family::pledge);
    EXPECT_NE(account_id_of(1, AccountCode::voucher, "a"), account_id_of(1, AccountCode::redeemed, "a"));
    EXPECT_NE(account_id_of(1, AccountCode::voucher, "a"), account_id_of(2, AccountCode::voucher, "a"));
}

}  // namespace
}  // namespace weir::ledger
