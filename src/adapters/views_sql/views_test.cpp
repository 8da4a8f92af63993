// Goal: what has left the core is told by the views with its final figures, and by nothing else.
// Method: entries as the journal has them, taken in by a database of the test's own.
#include "adapters/views_sql/views.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace weir::views {
namespace {

Result<void, std::string> take(Views& views, const control::Entry& entry) {
    return views.take(std::vector{std::span{&entry, 1}});
}

TEST(Views, AVoucherIsToldOnceItHasEndedWithItsFinalFigures) {
    const TestFolder folder;
    auto views = Views::open(folder.file("views.db"));
    ASSERT_TRUE(views) << views.error();
    const Instant at{1'800'000'000'000'000'000};
    const Voucher voucher{{make_uid(at, 1, 1)}, ProgrammeName{"p1"}, OrganisationName{"lab"}, Fen{50'000}, at, at + hours(24)};
    ASSERT_TRUE(take(**views, {1, at, "system", control::VoucherAwarded{voucher}}));
    EXPECT_FALSE((*views)->voucher(voucher.id).value()) << "in force: the core tells of it";
    ASSERT_TRUE(take(**views, {2, at + hours(50), "system", control::VoucherEnded{voucher.id, Fen{60}, Fen{49'940}}}));
    const auto ended = (*views)->voucher(voucher.id).value();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->voucher, voucher);
    EXPECT_EQ(ended->redeemed, Fen{60});
    EXPECT_EQ(ended->expired, Fen{49'940});
    EXPECT_EQ(ended->ended_at, at + hours(50));
    EXPECT_FALSE((*views)->voucher({make_uid(at, 1, 2)}).value());
}

// Goal: a job that moved is shown where it is, and what each move cost is told once it is over.
TEST(Views, AJobThatMovedIsAtThePlaceThatWasHeldForIt) {
    const TestFolder folder;
    auto views = Views::open(folder.file("views.db")).value();
    const Instant at{1'800'000'000'000'000'000};
    const JobId job{make_uid(at, 1, 1)};
    const auto place = [](const std::string& site, std::int64_t fen) {
        Placement placement;
        placement.site = SiteName{site};
        placement.model = "A100";
        placement.fen_per_card_hour = Fen{fen};
        return placement;
    };
    std::uint64_t revision = 0;
    const auto happen = [&](control::Event event) {
        const auto taken = take(*views, {++revision, at + seconds(static_cast<std::int64_t>(revision)), "system", std::move(event)});
        ASSERT_TRUE(taken) << taken.error();
    };
    using namespace control;
    happen(JobSubmitted{job, ProjectName{"vision"}, SubjectName{"ann"}, {}, JobSpec{}, {}, {}});
    happen(JobPlaced{.job = job, .generation = 1, .placement = place("east", 600)});
    happen(JobMoveOrdered{job, 1, MoveCause::tenant, {}, false, {}});
    happen(JobMoveReserved{job, 2, place("far", 100), at});
    happen(JobMoveEnded{.job = job, .why = MoveEnd::called_off});
    happen(JobMoveOrdered{job, 1, MoveCause::tenant, {}, false, {}});
    happen(JobMoveReserved{job, 3, place("west", 900), at});
    happen(JobStopOrdered{.job = job, .generation = 1, .reason = Reason::moving});
    happen(JobMoved{job, 1, Reason::moving, LossCause::move, {}, {}, Fen{950}, at, at});
    happen(JobArrived{job, 3, SiteName{"east"}, SiteName{"west"}, 1'500, MilliCardSeconds{7}, true});
    happen(JobFinished{job, JobState::succeeded, Reason::exited, 0, {}, {}});
    const auto row = views->job(job).value();
    ASSERT_TRUE(row);
    EXPECT_EQ(row->generation, 3U);
    ASSERT_TRUE(row->placement);
    EXPECT_EQ(row->placement->site.value, "west");
    EXPECT_EQ(row->placement->fen_per_card_hour, Fen{950}) << "the price of the moment in which it left";
    EXPECT_EQ(row->moved,
              (std::vector{MoveDone{3, SiteName{"east"}, SiteName{"west"}, at + seconds(10), 1'500, MilliCardSeconds{7}, true}}));
}

// Goal: views know their store, so that nobody takes one's rows for another's, and a journal that is shorter than they are is noticed.
TEST(Views, OfAnotherStoreOrAheadOfItsJournalAreEmptied) {
    const TestFolder folder;
    const Instant at{1'800'000'000'000'000'000};
    EXPECT_EQ(Views::origin_of(folder.file("views.db")).value(), std::nullopt) << "there are none";
    auto views = Views::open(folder.file("views.db")).value();
    const auto fill = [&] {
        for (const std::uint64_t revision : {1U, 2U}) ASSERT_TRUE(take(*views, {revision, at, "system", control::VoucherEnded{}}));
    };
    EXPECT_FALSE(views->follow({"one", 5}).value()) << "nothing was in them";
    fill();
    EXPECT_EQ(Views::origin_of(folder.file("views.db")).value(), (Origin{"one", 2}));
    EXPECT_FALSE(views->follow({"one", 2}).value());
    EXPECT_EQ(views->watermark(), 2U);
    views = Views::open(folder.file("views.db")).value();
    EXPECT_TRUE(views->follow({"other", 2}).value());
    EXPECT_EQ(views->watermark(), 0U);
    fill();
    EXPECT_EQ(Views::origin_of(folder.file("views.db")).value(), (Origin{"other", 2}));
    ASSERT_TRUE(views->rebuild());
    EXPECT_EQ(Views::origin_of(folder.file("views.db")).value(), (Origin{"other", 0})) << "a new file is of the same store";
    fill();
    EXPECT_TRUE(views->follow({"other", 1}).value());
    EXPECT_EQ(views->watermark(), 0U);
    views.reset();
    std::filesystem::resize_file(folder.file("views.db"), 3'000);
    EXPECT_EQ(Views::origin_of(folder.file("views.db")).value(), std::nullopt) << "damaged";
}

// Goal: a page of finished jobs costs what it shows: no row of another project or of another state is walked over.
TEST(Views, FinishedJobsAreReadFromTheIndexOfTheirProjectAndState) {
    const TestFolder folder;
    auto views = Views::open(folder.file("views.db"));
    ASSERT_TRUE(views) << views.error();
    const std::vector<ProjectName> one{ProjectName{"a"}};
    const std::vector<ProjectName> two{ProjectName{"a"}, ProjectName{"b"}};
    const JobId before{make_uid(Instant{1'800'000'000'000'000'000}, 1, 1)};
    const auto steps = [&](const JobQuery& query) {
        std::string all;
        const auto plan = (*views)->plan_of(query);
        EXPECT_TRUE(plan) << plan.error();
        for (const auto& step : *plan) all += step + "; ";
        return all;
    };
    for (const auto& projects : {one, two}) {
        const auto with_state = steps({projects, JobState::cancelled, before, 5});
        EXPECT_NE(with_state.find("job_by_project_and_state (project=? AND state=? AND id<?)"), std::string::npos) << with_state;
        EXPECT_EQ(with_state.find("SCAN job"), std::string::npos) << with_state;
        const auto any_state = steps({projects, {}, before, 5});
        EXPECT_NE(any_state.find("job_by_project (project=? AND id<?)"), std::string::npos) << any_state;
    }
    const auto by_person = steps({{}, {}, before, 5, SubjectName{"ann"}});
    EXPECT_NE(by_person.find("job_by_submitter (submitter=? AND id<?)"), std::string::npos) << by_person;
    const auto by_site = steps({{}, {}, before, 5, {}, SiteName{"east"}});
    EXPECT_NE(by_site.find("job_by_site (<expr>=? AND id<?)"), std::string::npos) << by_site;
    const auto all_seen = steps({{}, JobState::cancelled, {}, 5});
    EXPECT_NE(all_seen.find("job_by_state (state=?)"), std::string::npos) << all_seen;
}

ledger::Posting posting_of(std::uint64_t number, std::string_view from, std::string_view to, std::int64_t amount,
                           ledger::PostingKind kind) {
    const Instant at{1'800'000'000'000'000'000};
    ledger::Posting posting;
    posting.id = {make_uid(at, 2, number)};
    posting.debit = ledger::account_id_of(1, ledger::AccountCode::buyer_prepaid, from);
    posting.credit = ledger::account_id_of(1, ledger::AccountCode::supplier, to);
    posting.amount = amount;
    posting.kind = kind;
    posting.code = ledger::TransferCode::charge;
    posting.ledger = 1;
    posting.at = at;
    posting.cause = make_uid(at, 3, number);
    return posting;
}

TEST(Views, AStatementHasWhatMovedOnBothSidesNewestFirstAndNoHolds) {
    using enum ledger::PostingKind;
    const TestFolder folder;
    auto views = Views::open(folder.file("views.db"));
    ASSERT_TRUE(views) << views.error();
    const Instant at{1'800'000'000'000'000'000};
    const auto lab = ledger::account_id_of(1, ledger::AccountCode::buyer_prepaid, "lab").text();
    const auto east = ledger::account_id_of(1, ledger::AccountCode::supplier, "east").text();
    control::LedgerPosted first;
    first.postings = {posting_of(1, "lab", "east", 10, moved), posting_of(2, "lab", "west", 5, posted),
                      posting_of(3, "lab", "east", 99, held)};
    control::LedgerPosted second;
    second.postings = {posting_of(4, "rival", "east", 7, moved), posting_of(5, "lab", "east", 3, moved)};
    ASSERT_TRUE(take(**views, {1, at, "system", first}));
    ASSERT_TRUE(take(**views, {2, at, "system", second}));
    const auto amounts = [&](const std::string& account, RowsBefore before = {}) {
        std::vector<std::int64_t> found;
        const auto rows = (*views)->transfers(account, before);
        EXPECT_TRUE(rows) << rows.error();
        for (const auto& row : *rows) found.push_back(row.debited ? -row.amount : row.amount);
        return found;
    };
    EXPECT_EQ(amounts(lab), (std::vector<std::int64_t>{-3, -5, -10}));
    EXPECT_EQ(amounts(east), (std::vector<std::int64_t>{3, 7, 10}));
    const auto page = (*views)->transfers(lab, {.limit = 2}).value();
    ASSERT_EQ(page.size(), 2U);
    EXPECT_EQ(page.front().other, east);
    EXPECT_EQ(amounts(lab, {page.back().revision, page.back().id, 2}), (std::vector<std::int64_t>{-10}));
}

TEST(Views, ASiteHasEarnedWhatItsBillsBroughtAndBoreTheRest) {
    const TestFolder folder;
    auto views = Views::open(folder.file("views.db"));
    ASSERT_TRUE(views) << views.error();
    const Instant at{1'800'000'000'000'000'000};
    const auto line = [](const char* site, std::int64_t used, Payer payer, std::int64_t fen) {
        return BillLine{1, SiteName{site}, "A100", false, Fen{600}, MilliCardSeconds{used}, payer, {}, Fen{fen}};
    };
    std::vector<JobId> jobs;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        jobs.push_back({make_uid(at, 1, i)});
        control::JobFinished finished;
        finished.job = jobs.back();
        finished.bill = {line("east", 4'000, Payer::tenant, 40), line("east", 1'000, Payer::provider, 0),
                         line("west", 2'000, Payer::network, 5)};
        ASSERT_TRUE(take(**views, {i, at + seconds(static_cast<std::int64_t>(i)), "system", finished}));
    }
    const auto east = (*views)->earnings(SiteName{"east"}, {.limit = 2}).value();
    EXPECT_EQ(east.jobs, 3U);
    EXPECT_EQ(east.total.used, MilliCardSeconds{12'000});
    EXPECT_EQ(east.total.lost, MilliCardSeconds{3'000});
    EXPECT_EQ(east.total.earned, Fen{120});
    ASSERT_EQ(east.rows.size(), 2U);
    EXPECT_EQ(east.rows.front().job, jobs[2]);
    EXPECT_EQ(east.rows.front().earned, Fen{40});
    const auto rest = (*views)->earnings(SiteName{"east"}, {.revision = east.rows.back().revision}).value();
    ASSERT_EQ(rest.rows.size(), 1U);
    EXPECT_EQ(rest.rows.front().job, jobs[0]);
    EXPECT_EQ((*views)->earnings(SiteName{"west"}, {}).value().total.earned, Fen{15});
    EXPECT_EQ((*views)->earnings(SiteName{"south"}, {}).value().jobs, 0U);
}

}  // namespace
}  // namespace weir::views
