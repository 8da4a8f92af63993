// Goal: money that arrives is booked once, and a programme opens with terms that can be kept.
// Method: a small town; each test plays commands and reads the answer and the books.
#include "control/core/test_town.hpp"

#include <gmock/gmock.h>

namespace weir::control {
namespace {

TEST(Money, ADepositThatAColleagueRepeatsIsBookedOnce) {
    Town town;
    const auto finance = [&](const std::string& name) {
        town.must(SetRoles{SubjectName{name}, {}, {Role::finance}});
        return Actor{Actor::Kind::subject, SubjectName{name}, town.issue(name).id, {}};
    };
    const Deposit deposit{make_uid(town.now, 1, ++town.ids), OrganisationName{"lab"}, Fen{900}};
    const auto ask = [&](const Actor& actor, const Deposit& asked) {
        auto decision = decide(town.core, Request{actor, asked, "", {}}, town.now);
        for (const auto& event : decision.events) apply(town.core, event, ++town.revision, town.now);
        return decision.answer;
    };
    const auto wen = finance("wen");
    const auto lin = finance("lin");
    EXPECT_FALSE(ask(wen, deposit)->repeated);
    EXPECT_TRUE(ask(wen, deposit)->repeated);
    EXPECT_TRUE(ask(lin, deposit)->repeated);
    // More amounts than the ledger's tag of an amount can tell apart.
    for (std::int64_t other = 901; other < 901 + 400'000; ++other) {
        const auto answer = ask(lin, Deposit{deposit.transfer, deposit.organisation, Fen{other}});
        ASSERT_FALSE(answer) << other << " fen are taken for 900";
        ASSERT_EQ(answer.error().code, RefusalCode::already_exists_different);
    }
    EXPECT_EQ(town.prepaid(), Fen{900});
}

// Books at their edge would refuse the settlement of a job, which is never refused.
TEST(Money, NoneComesInWhereItCouldNotBeSettledAnyMore) {
    Town town;
    town.deposit(1'000);
    const auto job = town.submit(Town::spec());
    town.place();
    town.run(job, town.live(job).placement->site.value);
    ledger::Transfer turnover;
    turnover.id = ledger::transfer_id_of(town.now, "what many years turn over");
    turnover.ledger = cash_ledger;
    turnover.debit = account::bank();
    turnover.credit = account::prepaid(OrganisationName{"lab"});
    turnover.code = ledger::TransferCode::top_up;
    const auto* totals = town.core.state.ledger.totals(cash_ledger);
    turnover.amount = ledger::whole_amount / 8 - totals->debits_posted - totals->debits_pending - 1;
    apply(town.core, post(town.core, {turnover}, town.now).value(), ++town.revision, town.now);

    const Deposit last{make_uid(town.now, 1, ++town.ids), OrganisationName{"lab"}, Fen{1}};
    town.must(last);
    const auto refusal = town.refused(Deposit{make_uid(town.now, 1, ++town.ids), OrganisationName{"lab"}, Fen{1}});
    EXPECT_EQ(refusal.code, RefusalCode::limit_reached);
    EXPECT_EQ(refusal.message,
              "the books have turned over 11529215046068469.75 yuan of money, 0.01 more would come in, and none comes in beyond "
              "11529215046068469.75 yuan, so that all of it can still be settled; run another network for what is new");
    town.must(last);  // What came in before is not refused now.
    town.meter(job, "east", 1, 100);
    town.end(job, "east", Reason::exited, 0);
    EXPECT_EQ(town.outcome(job), JobState::succeeded);
}

TEST(Money, AProgrammeNamesWhatThereIs) {
    Town town;
    Programme programme;
    programme.name = ProgrammeName{"p"};
    programme.funder = "city";
    programme.fiscal_year = 2026;
    programme.effective_from = start;
    programme.effective_to = start + hours(1);
    programme.ratio = {{{}, std::nullopt, 500, "half"}};
    const auto refused = [&](auto change) {
        auto other = programme;
        change(other);
        return town.refused(OpenProgramme{other}).message;
    };
    using testing::HasSubstr;
    EXPECT_THAT(refused([](Programme& p) { p.models = {{"H801"}, "article 1"}; }), HasSubstr("models names 'H801'"));
    EXPECT_THAT(refused([](Programme& p) { p.sites = {{SiteName{"nosite"}}, "article 2"}; }), HasSubstr("sites names nosite"));
    EXPECT_THAT(refused([](Programme& p) { p.tiers = {{Tier::core}, ""}; }), HasSubstr("tiers.clause is empty"));
    EXPECT_THAT(refused([](Programme& p) { p.ratio.front().clause.clear(); }), HasSubstr("ratio[0].clause is empty"));
    town.must(OpenProgramme{programme});
}

}  // namespace
}  // namespace weir::control
