// Goal: each answer of the ledger, at its exact boundary and in its precedence; holds, chains, time, freezing, forgetting.
// Method: cases as text (test_script.hpp). After every command the script also checks all laws, that deciding foresaw what
// executing did, and that the facts alone rebuild the state.
#include "engines/ledger/test_script.hpp"

namespace weir::ledger {
namespace {

constexpr std::string_view voucher_year = R"(
    open grant  appropriation
    open pool   available
    open v1     voucher
    open v2     voucher
    open red    redeemed
    open lapsed expired
    open taken  revoked
    move g1 grant pool 10000
    move a1 pool  v1   1000
)";

Script voucher_script(Options options = {}) {
    Script script(options);
    script.run("at 1000000");
    script.run(voucher_year);
    return script;
}

TEST(Ledger, MovementsStayWithinBounds) {
    voucher_script().run(R"(
        sums grant debits 10000 posted 0 held credits 0 posted 0 held
        sums pool  debits 1000 posted 0 held credits 10000 posted 0 held
        move m1 v1 red 1001 -> exceeds_credits 1000
        move m2 v1 red 1000 -> applied              # the exact boundary is allowed
        move m3 v1 red 1    -> exceeds_credits
        sums v1  debits 1000 posted 0 held credits 1000 posted 0 held
        sums red debits 0 posted 0 held credits 1000 posted 0 held
    )");
}

TEST(Ledger, AHoldTakesTheMoneyOutOfReach) {
    voucher_script().run(R"(
        hold h1 v1 red 600 timeout=60
        sums v1  debits 0 posted 600 held credits 1000 posted 0 held
        sums red debits 0 posted 0 held credits 0 posted 600 held
        hold h2 v1 red 401 -> exceeds_credits 400       # never over-promise: refused when held, not when captured
        hold h2 v1 red 400 -> applied
        move m1 v1 lapsed 1 -> exceeds_credits
        post p1 h1 601 -> exceeds_hold 600
        post p1 h1 250 -> applied                   # the other 350 return
        sums v1  debits 250 posted 400 held credits 1000 posted 0 held
        sums red debits 0 posted 0 held credits 250 posted 400 held
        post p2 h2 * -> applied
        sums v1  debits 650 posted 0 held credits 1000 posted 0 held
        hold h3 v1 red 350 -> applied
        void r1 h3 -> applied
        sums v1  debits 650 posted 0 held credits 1000 posted 0 held
    )");
}

TEST(Ledger, AHoldEndsOnce) {
    voucher_script().run(R"(
        hold h1 v1 red 100
        hold h2 v1 red 100
        hold h3 v1 red 100 timeout=10
        post p1 h1 100
        post p2 h1 100 -> hold_already_posted
        void r2 h1     -> hold_already_posted
        void r3 h2
        post p3 h2 100 -> hold_already_voided
        void r4 h2     -> hold_already_voided
        post p5 g1 100 -> hold_not_pending
        post p6 nobody 100 -> hold_not_found
        at 1000010                                  # half-open: at its end a hold has ended, whether or not that is booked
        post p7 h3 100 -> hold_expired
        void r7 h3     -> hold_expired
        expire 10 -> h3
        post p8 h3 100 -> hold_expired
        sums v1 debits 100 posted 0 held credits 1000 posted 0 held
    )");
}

TEST(Ledger, HoldsEndByTimeThenById) {
    Script script = voucher_script();
    script.run(R"(
        hold hc v1 red 1 timeout=30
        hold ha v1 red 1 timeout=10
        hold hz v1 red 1
        hold hb v1 red 1 timeout=20
        hold hd v1 red 1 timeout=20
        void r1 ha
        at 1000019
        expire 10 -> -
    )");
    EXPECT_EQ(script.ledger().next_expiry(), Instant{} + seconds(1000020));
    const bool b_first = script.transfer("hb") < script.transfer("hd");
    script.run(std::string{"at 1000020\nexpire 1 -> "} + (b_first ? "hb" : "hd"));
    script.run(std::string{"at 1000030\nexpire 9 -> "} + (b_first ? "hd" : "hb") + " hc");
    EXPECT_EQ(script.ledger().next_expiry(), std::nullopt);
    script.run("sums v1 debits 0 posted 1 held credits 1000 posted 0 held");
}

TEST(Ledger, AChainStandsOrFallsWhole) {
    Script script = voucher_script();
    script.run(R"(
        hold h1 v1 red 300
        move c1 pool v1 50           -> linked_event_failed &
        post c2 h1 200               -> linked_event_failed &
        hold c3 v1 red 100           -> linked_event_failed &
        void c4 c3                   -> linked_event_failed &
        move c5 v1 red 100000        -> exceeds_credits &
        move c6 v1 red 1             -> linked_event_failed
        sums v1 debits 0 posted 300 held credits 1000 posted 0 held
        post c2 h1 200 &             # nothing of the failed chain is remembered, and within a chain each sees the one before
        hold c3 v1 red 800 &
        void c4 c3
        sums v1 debits 200 posted 0 held credits 1000 posted 0 held
        move x1 pool v1 10           -> linked_event_failed &
        move x2 v1 red 811           -> exceeds_credits 810   # at that moment, inside the chain
        move d1 pool v1 5000         -> applied &
        hold d2 v1 red 5800          -> applied
    )");
    BatchResult result;
    const Transfer open_end{.id = script.transfer("e1"), .debit = script.account("pool"), .credit = script.account("v1"), .amount = 1,
                            .ledger = 1, .code = TransferCode::award, .flags = flag::linked};
    ASSERT_TRUE(script.ledger().execute(std::vector{open_end, open_end}, Instant{} + seconds(1000001), result));
    EXPECT_EQ(result.outcomes, (std::vector{TransferOutcome::linked_event_failed, TransferOutcome::linked_chain_open}));
    EXPECT_TRUE(result.facts.empty());
}

TEST(Ledger, ARepeatedChainAnswersExists) {
    voucher_script().run(R"(
        move c1 pool v1 50  &
        move c2 pool v2 60
        move c1 pool v1 50  -> exists &
        move c2 pool v2 60  -> exists
        move c1 pool v1 50  -> exists &                  # only its first part was applied before: another chain, refused
        move c3 pool v2 60  -> linked_event_failed
        move c3 pool v2 60  -> linked_event_failed &
        move c2 pool v2 60  -> exists_with_different_flags &
        move c4 pool v2 60  -> linked_event_failed
        sums v2 debits 0 posted 0 held credits 60 posted 0 held
    )");
}

TEST(Ledger, TheSameIdIsTheSameTransferOrARefusal) {
    voucher_script().run(R"(
        open big appropriation
        hold h1 v1 red 100 timeout=60 cause=7 actor=1 second=2
        hold h1 v1 red 100 timeout=60 cause=7 actor=1 second=2 -> exists
        post h1 h1 5       -> exists_with_different_flags
        hold h1 v1 red 100 timeout=60 cause=7 pending=zz       -> exists_with_different_pending_id
        hold h1 v2 red 999 timeout=61 cause=8                  -> exists_with_different_timeout
        hold h1 v2 red 999 timeout=60 cause=8                  -> exists_with_different_debit
        hold h1 v1 pool 999 timeout=60 cause=8                 -> exists_with_different_credit
        hold h1 v1 red 999 timeout=60 cause=8 ledger=2         -> exists_with_different_amount
        hold h1 v1 red 100 timeout=60 cause=8 ledger=2 code=20 -> exists_with_different_ledger
        hold h1 v1 red 100 timeout=60 cause=8 code=20          -> exists_with_different_code
        hold h1 v1 red 100 timeout=60 cause=8                  -> exists_with_different_cause
        hold h1 v1 red 100 timeout=60 cause=7 actor=1 second=3 -> exists_with_different_body
        post p1 h1 100
        hold h1 v1 red 100 timeout=60 cause=7 actor=1 second=2 -> exists       # also after it was captured
        post p1 h1 100 -> exists
    )");
}

// Each line is wrong in all the ways of the lines after it, and in one more.
TEST(Ledger, RefusalsComeInTheirDocumentedOrder) {
    voucher_script({.idempotency_window = seconds(100), .clock_ahead_max = seconds(10)}).run(R"(
        open other appropriation ledger=2
        open pool2 available     ledger=2
        hold held v1 red 10 timeout=5
        at 1000003
        freeze pool
        move nil nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=62 -> flag_is_unknown
        move nil nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=14 -> id_must_not_be_nil
        move g1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=14 -> exists_with_different_flags
        move o1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=14 made=999902 -> id_too_old
        move n1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=14 made=1000014 -> id_too_new
        move x1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=14 -> flags_exclude_each_other
        move x1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 flags=20 -> flags_exclude_each_other
        move x1  nil nil -1 pending=zz timeout=-1 code=1 actor=1 second=1 -> amount_must_not_be_negative
        move x1  nil nil 1  pending=zz timeout=-1 code=1 actor=1 second=1 flags=8 -> amount_must_be_zero
        move x1  nil nil 0  pending=zz timeout=-1 code=1 actor=1 second=1 -> amount_must_be_positive
        move x1  nil nil 1  pending=zz timeout=-1 code=1 actor=1 second=1 -> pending_id_must_be_nil
        post x1  nil 1      timeout=-1 code=1 actor=1 second=1 -> pending_id_must_not_be_nil
        move x1  nil nil 1  timeout=-1 code=1 actor=1 second=1 -> timeout_must_not_be_negative
        move x1  nil nil 1  timeout=1  code=1 actor=1 second=1 -> timeout_needs_pending
        hold x1  nil nil 1  timeout=9223372036 code=1 actor=1 second=1 -> timeout_beyond_time
        move x1  nil nil 1  code=33 actor=1 second=1 -> code_is_unknown           # lapse is the ledger's own
        move x1  nil nil 1  actor=1 second=1 -> actors_must_differ

        post x1  zz 1000 from=pool to=pool ledger=9 -> hold_not_found
        post x1  g1 1000 from=pool to=pool ledger=9 -> hold_not_pending
        post x1  held 1000 from=pool to=pool ledger=9 -> hold_has_different_debit
        post x1  held 1000 from=v1 to=pool ledger=9 -> hold_has_different_credit
        post x1  held 1000 from=v1 to=red ledger=9 -> hold_has_different_ledger
        post x1  held 11   from=v1 to=red ledger=1 -> exceeds_hold
        at 1000005
        post x1  held 1000 from=pool to=pool ledger=9 -> hold_expired

        move x1  nil nil 99999 ledger=0 -> ledger_must_not_be_zero
        move x1  nil nil 99999 ledger=9 -> debit_must_not_be_nil
        move x1  no  nil 99999 ledger=9 -> credit_must_not_be_nil
        move x1  no  no  99999 ledger=9 -> accounts_must_differ
        move x1  no  no2 99999 ledger=9 -> debit_not_found
        move x1  v1  no2 99999 ledger=9 -> credit_not_found
        move x1  v1  pool2 99999 ledger=9 -> accounts_on_different_ledgers
        move x1  v1  v2  99999 ledger=9 -> transfer_on_different_ledger
        move x1  v1  v2  99999 -> movement_not_allowed
        move x1  pool v1 * -> debit_is_frozen
        thaw pool
        sweep x1 v2 red * -> nothing_to_balance
        move x1  pool v1 9223372036854765798 -> overflows_ledger                 # 10 held, 11 000 posted
        move x1  pool v1 99999 -> exceeds_credits
    )");
}

TEST(Ledger, TheTotalOfALedgerFitsToTheLastUnit) {
    Script script;
    script.run(R"(
        at 1000000
        open from  appropriation
        open to    redeemed
        move a from to 9223372036854775806
        hold b from to 2 -> overflows_ledger 1
        hold b from to 1 -> applied
        move c from to 1 -> overflows_ledger
        post d b 1
        sums to debits 0 posted 0 held credits 9223372036854775807 posted 0 held
    )");
}

TEST(Ledger, CreditsMayBeBoundToo) {
    Script script;
    script.run(R"(
        at 1000000
        open bank     bank
        open claim    buyer bound=3
        move a bank claim 1  -> exceeds_debits
        move b claim bank 10 -> applied
        hold c bank claim 10 -> applied
        move d bank claim 1  -> exceeds_debits 0
        post e c 4
        move f bank claim 7  -> exceeds_debits 6
        move f bank claim 6  -> applied
    )");
}

TEST(Ledger, BalancingMovesWhatIsFree) {
    voucher_script().run(R"(
        hold h1 v1 red 300
        sweep s1 v1 lapsed 650 code=50 -> applied     # an upper limit below what is free
        sweep s2 v1 lapsed *   code=50 -> applied
        sums lapsed debits 0 posted 0 held credits 700 posted 0 held
        sweep s2 v1 lapsed *   code=50 -> exists      # the request is what is compared, not the amount it came to
        sweep s3 v1 lapsed *   code=50 -> nothing_to_balance
        void r1 h1
        sweep s3 v1 lapsed *   code=50 -> applied
        sums lapsed debits 0 posted 0 held credits 1000 posted 0 held
    )");
}

TEST(Ledger, VoucherValueReachesOnlyAVouchersEnds) {
    voucher_script().run(R"(
        open more appropriation
        move m1 v1 v2     1 -> movement_not_allowed
        move m2 v1 more   1 -> movement_not_allowed
        move m3 v1 red    1
        move m4 v1 lapsed 1
        move m5 v1 taken  1
        move m6 v1 pool   1
        move m7 red v1    1                            # a refund returns to the voucher
    )");
}

TEST(Ledger, FreezingStopsTheHolderNotTheAuthority) {
    voucher_script().run(R"(
        hold h1 v1 red 100
        hold h2 v1 red 100 timeout=5
        hold h3 v1 red 100
        freeze v1
        freeze v1 -> already_so
        hold x1 v1 red 1    -> debit_is_frozen
        move x2 v1 red 1    -> debit_is_frozen
        post x3 h1 100      -> debit_is_frozen
        void r1 h1          -> applied                 # what is promised to nobody any more returns
        move a2 pool v1 5   -> applied
        at 1000005
        expire 9 -> h2                                 # the clock does not stop
        move t1 v1 taken 10 code=51 -> applied
        sweep t2 v1 lapsed 10 code=50 -> applied
        thaw v1
        post p3 h3 100 -> applied
        sums v1 debits 120 posted 0 held credits 1005 posted 0 held
    )");
}

TEST(Ledger, AccountsOpenOnceAndCloseEven) {
    voucher_script().run(R"(
        open nil   nonsense ledger=0 -> id_must_not_be_nil
        open pool  nonsense ledger=0 -> ledger_must_not_be_zero
        open pool  nonsense bound=9  -> code_is_unknown
        open pool  voucher  ledger=2 bound=9 -> bound_is_unknown
        open pool  voucher  ledger=2 bound=1 -> exists_with_different_ledger
        open pool  voucher  bound=1 -> exists_with_different_code
        open pool  available bound=1 -> exists_with_different_bound
        open pool  available -> exists
        open new   voucher bound=1 -> code_requires_another_bound
        open new   treasury -> ledger_is_of_another_family
        close v1   -> balance_not_zero
        close none -> not_found
        hold h1 v1 red 1000
        close v1   -> has_holds
        post p1 h1 1000
        close v1
        close v1   -> not_found
        move m1 pool v1 5 -> credit_not_found
        open v1    voucher
        sums v1 debits 0 posted 0 held credits 0 posted 0 held
        freeze gone -> not_found
    )");
}

TEST(Ledger, LimitsRefuse) {
    Script script({.accounts_max = 3, .holds_max = 1, .ids_max = 4});
    script.run(R"(
        at 1000000
        open a appropriation
        open b redeemed
        open c redeemed
        open d redeemed -> too_many_accounts
        hold h1 a b 1
        hold h2 a b 1 -> too_many_holds
        move m2 a b 1
        post p1 h1 1
        hold h2 a b 1
        move m3 a b 1 -> too_many_ids
        void r2 h2
        hold h3 a b 1 -> too_many_ids
    )");
    BatchResult result;
    const std::vector<Transfer> batch(batch_max + 1);
    ASSERT_TRUE(script.ledger().execute(batch, Instant{} + seconds(1000000), result));
    EXPECT_EQ(result.outcomes, std::vector(batch_max + 1, TransferOutcome::batch_too_large));
}

TEST(Ledger, IdsAreForgottenAfterTheWindowAndThenRefused) {
    Script script = voucher_script({.idempotency_window = seconds(1000), .clock_ahead_max = seconds(10)});
    script.run(R"(
        hold h1 v1 red 100
        hold h2 v1 red 100
        move m1 v1 red 1
        at 1000999
        forget
        move m1 v1 red 1 -> exists
        at 1001001
        move m1 v1 red 1 -> exists                     # still remembered, though a new id of that age is refused
        move m2 v1 red 1 made=1000000 -> id_too_old
        at 1002000
        forget
        move m1 v1 red 1 -> id_too_old
        hold h1 v1 red 100 -> exists                   # a standing hold outlives the memory of its id
        hold h1 v1 red 101 -> exists_with_different_amount
        post p1 h1 60
        hold h1 v1 red 100 -> id_too_old
        post p2 h1 60 -> hold_not_found
        void r2 h2
        sums v1 debits 61 posted 0 held credits 1000 posted 0 held
    )");
    EXPECT_EQ(script.ledger().id_count(), 2U);
}

TEST(Ledger, WhatIsForgottenStaysRefusedUnderALongerWindow) {
    Script script = voucher_script({.idempotency_window = seconds(1000)});
    script.run("move m1 v1 red 1\nat 1002000\nforget");
    auto longer = Ledger::import_state(script.ledger().export_state(), {.idempotency_window = seconds(100'000)});
    ASSERT_TRUE(longer.has_value());
    const Transfer again{.id = script.transfer("m1"), .debit = script.account("v1"), .credit = script.account("red"), .amount = 1,
                         .ledger = 1, .code = TransferCode::award};
    EXPECT_EQ(longer->decide(std::vector{again}, longer->at()).outcomes, std::vector{TransferOutcome::id_too_old});
}

TEST(Ledger, TimeOfTheLedgerNeverDecreases) {
    Script script = voucher_script();
    script.run(R"(
        at 2000000
        hold h1 v1 red 1 timeout=10
        at 1999000
        hold h2 v1 red 1 timeout=10                    # counts from 2000000
    )");
    EXPECT_EQ(script.ledger().hold(script.transfer("h2"))->expires_at, Instant{} + seconds(2000010));
}

}  // namespace
}  // namespace weir::ledger
