// Goal: mistakes that other systems made with money cannot be made here.
// Method: each case is one public mistake of another system, told in its comment, as a script with the right ending.
#include "engines/ledger/test_script.hpp"

namespace weir::ledger {
namespace {

constexpr std::string_view books = R"(
    at 1000000
    open grant  appropriation
    open pool   available
    open v1     voucher
    open red    redeemed
    open lapsed expired
    move g1 grant pool 10000
    move a1 pool  v1   1000
)";

// A billing system settled one progressive bill twice when two workers raced (Lago 3618).
TEST(LedgerRegression, TwoWorkersSettleOneHoldOnce) {
    Script script;
    script.run(books);
    script.run(R"(
        hold h v1 red 400
        post settle h 300                              # worker one
        post settle h 300 -> exists                    # worker two, the same logical event
        post other  h 300 -> hold_already_posted       # worker two, with an id of its own
        sums v1  debits 300 posted 0 held credits 1000 posted 0 held
        sums red debits 0 posted 0 held credits 300 posted 0 held
    )");
}

// A pipeline made a new random id at each attempt and billed four times (vexa 330).
TEST(LedgerRegression, TheIdOfALogicalEventIsTheSameAtEachAttempt) {
    const Instant ended = Instant{} + seconds(1000000);
    const TransferId id = transfer_id_of(ended, "job-7 capture 3");
    EXPECT_EQ(id, transfer_id_of(ended, "job-7 capture 3"));
    EXPECT_NE(id, transfer_id_of(ended, "job-7 capture 4"));
    EXPECT_NE(id, transfer_id_of(ended + milliseconds(1), "job-7 capture 3"));
    EXPECT_EQ(time_of(id.uid), ended);
}

// A commit of several ledger entries could be applied twice by a caller that retried (OpenMeter, CommitGroup).
TEST(LedgerRegression, ARetriedGroupIsAppliedOnce) {
    Script script;
    script.run(books);
    script.run(R"(
        move c1 pool v1 10 &
        move c2 v1 red 5
        move c1 pool v1 10 -> exists &
        move c2 v1 red 5   -> exists
        sums v1 debits 5 posted 0 held credits 1010 posted 0 held
    )");
}

// The check of a project's credit forgot the new value as soon as another project had some (Waldur, ProjectCredit.save).
TEST(LedgerRegression, AwardsOfOneEntityNeverPassItsCap) {
    Script script;
    script.run(books);
    script.run(R"(
        open v2   voucher
        open caps cap_source ledger=2
        open cap  entity_cap ledger=2
        open used cap_used   ledger=2
        move f1 caps cap 500 ledger=2 code=11
        move b1 pool v1 300 &
        move b2 cap used 300 ledger=2
        move b3 pool v2 201 -> linked_event_failed &
        move b4 cap used 201 ledger=2 -> exceeds_credits
        move b5 pool v2 200 &
        move b6 cap used 200 ledger=2
        sums v2 debits 0 posted 0 held credits 200 posted 0 held
        sums cap debits 500 posted 0 held credits 500 posted 0 held
    )");
}

// Expired credit was a balance set to zero and a line in a log (Waldur): here it is an entry like any other.
TEST(LedgerRegression, ExpiryIsAnEntry) {
    Script script;
    script.run(books);
    script.run(R"(
        hold h v1 red 400 timeout=50
        at 1000050
        expire 9 -> h
        sweep e v1 lapsed * code=50
        sums v1 debits 1000 posted 0 held credits 1000 posted 0 held
        sums lapsed debits 0 posted 0 held credits 1000 posted 0 held
    )");
    const auto& lapse = std::get<Posting>(script.facts().at(script.facts().size() - 2));
    EXPECT_EQ(lapse.kind, PostingKind::expired);
    EXPECT_EQ(lapse.code, TransferCode::lapse);
    EXPECT_EQ(lapse.pending_id, script.transfer("h"));
    EXPECT_EQ(lapse.released, 400);
    EXPECT_EQ(std::get<Posting>(script.facts().back()).amount, 1000);
    EXPECT_NE(script.ledger().seen(lapse.id), nullptr) << "nobody may use the id of an expiry again";
}

// Credits of a year ended a day early (k8s.io 6245): a validity is half-open, to the nanosecond.
TEST(LedgerRegression, AHoldLastsToItsLastNanosecond) {
    Script script;
    script.run(books);
    script.run("hold h v1 red 400 timeout=50");
    const Instant end = Instant{} + seconds(1000050);
    const Transfer capture{.id = transfer_id_of(end, "capture"), .amount = 1, .pending_id = script.transfer("h"),
                           .code = TransferCode::redeem, .flags = flag::post_pending};
    const std::vector batch{capture};
    EXPECT_EQ(script.ledger().decide(batch, end - Duration{1}).outcomes.front(), TransferOutcome::applied);
    EXPECT_EQ(script.ledger().decide(batch, end).outcomes.front(), TransferOutcome::hold_expired);
    EXPECT_TRUE(script.ledger().expire_due(end - Duration{1}, 9).empty());
    EXPECT_EQ(script.ledger().expire_due(end, 9).size(), 1U);
}

// An overdrawn account was noticed only when somebody touched it (Akash): a timer is told when to look, and there is no overdraft.
TEST(LedgerRegression, ATimerKnowsTheNextExpiryWithoutBeingAsked) {
    Script script;
    script.run(books);
    script.run("hold h v1 red 600 timeout=70\nhold i v1 red 400 timeout=60\nhold j v1 red 1 -> exceeds_credits");
    EXPECT_EQ(script.ledger().next_expiry(), Instant{} + seconds(1000060));
}

// A wallet and its transactions drifted apart by a cent (Lago 4273): what was captured and what returned are what was held.
TEST(LedgerRegression, CapturedAndReturnedAreWhatWasHeld) {
    Script script;
    script.run(books);
    for (int i = 0; i < 100; ++i) {
        const std::string n = std::to_string(i);
        script.run("hold h" + n + " v1 red 7\npost p" + n + " h" + n + " " + std::to_string(1 + i % 7));
    }
    std::int64_t captured = 0;
    for (const Fact& fact : script.facts()) {
        const auto* posting = std::get_if<Posting>(&fact);
        if (posting == nullptr || posting->kind != PostingKind::posted) continue;
        EXPECT_EQ(posting->amount + posting->released, 7);
        captured += posting->amount;
    }
    EXPECT_EQ(script.ledger().account(script.account("red"))->credits_posted, captured);
    EXPECT_EQ(script.ledger().account(script.account("v1"))->free_credit(), 1000 - captured);
}

}  // namespace
}  // namespace weir::ledger
