// Goal: what an operator relies on, on the real store: recovery, backup, a restore to a point in time, views built again.
// Method: a small network's life is written through the writer; each drill then asks whether two ways to the same state agree.
#include "adapters/store_sqlite/restore.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "base/test_folder.hpp"
#include "control/core/funding.hpp"
#include "control/recover.hpp"
#include "control/snapshot_keeper.hpp"
#include "control/writer.hpp"
#include "ports/record_chain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace weir {
namespace {

using namespace control;

constexpr Instant start{1'800'000'000'000'000'000};

Catalogue catalogue() {
    Catalogue models;
    models["A100"].model = "A100";
    return models;
}

class Drill : public testing::Test {
protected:
    Drill() {
        open();
        found();
    }
    ~Drill() override {
        writer_.reset();
        journal_.reset();
    }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_.file(name); }

    void open() {
        auto journal = store::open_journal({.path = path("weir.db")});
        ASSERT_TRUE(journal) << journal.error().message;
        journal_ = std::move(*journal);
        auto recovered = recover(*journal_, {}, catalogue());
        ASSERT_TRUE(recovered) << recovered.error();
        snapshot_used_ = recovered->snapshot_revision;
        writer_ = std::make_unique<Writer>(std::move(recovered->core), *journal_);
    }
    void close() {
        writer_.reset();
        journal_.reset();
    }
    void must(Command command) {
        const Request request{Actor{}, std::move(command)};
        auto outcome = writer_->commit({&request, 1}, now_);
        ASSERT_TRUE(outcome) << outcome.error().message;
        if (reader_) reader_->take(outcome->committed);
        ASSERT_TRUE(outcome->answers[0]) << outcome->answers[0].error().message;
    }
    void found() {
        must(SetOrganisation{{OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn", ""}});
        must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {}, {}, 1000}});
        Site site;
        site.name = SiteName{"east"};
        site.owner = OrganisationName{"lab"};
        site.region = "cn";
        site.tariff = {{"A100", Fen{600}}};
        must(SetSite{site});
        SiteReport report;
        report.site = site.name;
        report.session = format_uid({0, 1});
        report.sequence = 1;
        report.nodes = {
            {NodeName{"n1"}, {{"A100", 8, MiB{40'960}, Slicing::exclusive, true}}, MilliCpus{64'000}, MiB{262'144}, {}, true, ""}};
        must(report);
        must(Deposit{make_uid(now_, 1, 1), OrganisationName{"lab"}, Fen{1'000'000}});
    }
    /// A job that is placed, runs for `s` seconds and, where asked, ends.
    void run_job(std::uint64_t number, std::int64_t s, bool ends) {
        JobSpec spec;
        spec.name = "train";
        spec.run = "true";
        spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
        const JobId job{make_uid(now_, 0, number)};
        must(SubmitJob{job, ProjectName{"vision"}, spec, sha256("body")});
        SiteReport report;
        report.site = SiteName{"east"};
        report.session = format_uid({0, 1});
        report.sequence = writer_->core().state.sites.at(report.site).sequence + 1;
        const auto at = floor_seconds(now_);
        now_ = now_ + seconds(s);
        report.meters = {{job, 1, 0, 1, at, at + s}};
        report.tasks = {{job, 1, ends ? TaskState::ended : TaskState::running, ends ? Reason::exited : Reason::none, 0, std::nullopt}};
        must(report);
        now_ = now_ + seconds(1);
    }
    /// A posting that takes more than there is from the first account that must not be overdrawn.
    [[nodiscard]] static ledger::Posting overdraft(const State& state) {
        const auto books = state.ledger.export_state();
        const auto poor = std::ranges::find(books.accounts, ledger::Bound::debits_may_not_exceed_credits, &ledger::Account::bound);
        const auto other =
            std::ranges::find_if(books.accounts, [&](const auto& one) { return one.ledger == poor->ledger && one.id != poor->id; });
        ledger::Posting posting;
        posting.id = ledger::TransferId{make_uid(books.at, 7, 7)};
        posting.debit = poor->id;
        posting.credit = other->id;
        posting.amount = poor->credits_posted + 1;
        posting.at = books.at;
        posting.ledger = poor->ledger;
        posting.code = ledger::TransferCode::charge;
        posting.kind = ledger::PostingKind::moved;
        return posting;
    }
    [[nodiscard]] Digest state() const { return digest_of(writer_->core().state); }

    TestFolder folder_;
    std::unique_ptr<ports::Journal> journal_;
    std::unique_ptr<Writer> writer_;
    std::unique_ptr<Reader> reader_;
    std::uint64_t snapshot_used_ = 0;
    Instant now_ = start;
};

TEST_F(Drill, ARestartFindsTheSameStateBySnapshotAndByJournal) {
    for (std::uint64_t i = 1; i <= 20; ++i) run_job(i, 60, i % 3 != 0);
    ASSERT_TRUE(keep_snapshot(*journal_, writer_->core().state));
    for (std::uint64_t i = 21; i <= 30; ++i) run_job(i, 30, i % 2 == 0);
    const auto before = state();
    close();
    open();
    EXPECT_EQ(state(), before);
    EXPECT_GT(snapshot_used_, 0U);
    const auto folded = recover(*journal_, {}, catalogue(), {.use_snapshots = false});
    ASSERT_TRUE(folded) << folded.error();
    EXPECT_EQ(digest_of(folded->core.state), before);
    EXPECT_FALSE(journal_->verify(1, UINT64_MAX)->bad);
}

TEST_F(Drill, SnapshotsAreMadeOfAStateThatFollows) {
    auto twin = recover(*journal_, {}, catalogue(), {.companions = true});
    ASSERT_TRUE(twin) << twin.error();
    EXPECT_EQ(digest_of(twin->companions->reader.state), state());
    EXPECT_EQ(digest_of(twin->companions->follower), state());
    reader_ = std::make_unique<Reader>(std::move(twin->companions->reader), Reader::Kept{.batches = 3});
    auto behind = journal_->open_reader();
    ASSERT_TRUE(behind);
    SnapshotKeeper keeper{writer_->core().state, writer_->core().state.revision, *reader_, *journal_, std::move(*behind), 20};
    const auto first = keeper.kept_at();
    run_job(1, 60, true);
    ASSERT_TRUE(keeper.follow());
    EXPECT_EQ(keeper.kept_at(), first) << "fewer than 20 events";
    EXPECT_EQ(digest_of(keeper.state()), state()) << "from the reader's last batches";
    for (std::uint64_t i = 2; i <= 9; ++i) run_job(i, 60, i % 2 == 0);
    EXPECT_FALSE(reader_->since(first)) << "the reader has forgotten so much that the journal must be read";
    ASSERT_TRUE(keeper.follow());
    EXPECT_EQ(keeper.kept_at(), writer_->core().state.revision);
    EXPECT_EQ(digest_of(keeper.state()), state());
    const auto kept = journal_->latest_snapshot(state_version());
    ASSERT_TRUE(kept && kept->found);
    EXPECT_EQ(kept->found->state, state());
    run_job(10, 60, true);
    ASSERT_TRUE(keeper.keep());
    const auto again = keeper.kept_at();
    EXPECT_EQ(again, writer_->core().state.revision) << "asked for at once";
    ASSERT_TRUE(keeper.keep());
    EXPECT_EQ(keeper.kept_at(), again);
}

TEST_F(Drill, ASnapshotOfOtherBytesIsPassedOver) {
    for (std::uint64_t i = 1; i <= 5; ++i) run_job(i, 60, true);
    auto packed = pack(writer_->core().state);
    packed.bytes[packed.bytes.size() / 2] ^= 0x40;
    ASSERT_TRUE(journal_->put_snapshot({writer_->core().state.revision, state_version(), packed.digest, packed.bytes}));
    const auto before = state();
    close();
    open();
    EXPECT_EQ(state(), before);
    EXPECT_EQ(snapshot_used_, 0U);
}

TEST_F(Drill, BooksThatBreakALawAreNeitherKeptNorBelieved) {
    for (std::uint64_t i = 1; i <= 3; ++i) run_job(i, 60, true);
    const auto head = journal_->head().value();
    Core core;
    core.state = writer_->core().state;
    const auto bad = overdraft(core.state);

    // A snapshot sweeps the ledger in full, whatever the checks of each transfer said.
    ASSERT_FALSE(core.state.ledger.apply(bad));
    const auto kept = keep_snapshot(*journal_, core.state);
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().fault, SnapshotFault::books_broken);
    EXPECT_NE(kept.error().message.find("debits_within_credits"), std::string::npos) << kept.error().message;
    EXPECT_NE(kept.error().message.find("revision " + std::to_string(head.revision)), std::string::npos) << kept.error().message;
    EXPECT_FALSE(journal_->latest_snapshot(state_version())->found);

    // A writer whose decisions break the books ends before that is a fact.
    core.state.ledger_broken = true;
    Writer writer{std::move(core), *journal_};
    const Request request{Actor{}, StartLeader{9, "test", 0}};
    const auto outcome = writer.commit({&request, 1}, now_);
    ASSERT_FALSE(outcome);
    EXPECT_NE(outcome.error().message.find("law of the ledger"), std::string::npos) << outcome.error().message;
    EXPECT_EQ(journal_->head()->revision, head.revision);

    // A journal that holds such a fact all the same is not believed, and the message names the last revision that is sound.
    std::string text;
    write_entry({head.revision + 1, now_, "system", LedgerPosted{{}, {bad}, std::nullopt}}, text);
    const std::vector<std::string> texts{text};
    ASSERT_TRUE(journal_->append(ports::records_after(head, texts), journal_->epoch()));
    const auto recovered = recover(*journal_, {}, catalogue());
    ASSERT_FALSE(recovered);
    for (const auto& part : {"revision " + std::to_string(head.revision + 1), "restore up to revision " + std::to_string(head.revision)})
        EXPECT_NE(recovered.error().find(part), std::string::npos) << recovered.error();
    EXPECT_TRUE(recover(*journal_, {}, catalogue(), {.until = head.revision}));
}

TEST_F(Drill, TheSecretOfTheTablesReachesNoState) {
    for (std::uint64_t i = 1; i <= 5; ++i) run_job(i, 60, i % 2 == 0);
    ASSERT_TRUE(keep_snapshot(*journal_, writer_->core().state));
    for (std::uint64_t i = 6; i <= 9; ++i) run_job(i, 60, i % 2 == 0);
    Policy policy;
    policy.hash_seed = 0x9E37'79B9'7F4A'7C15U;
    for (const bool use_snapshots : {true, false}) {
        const auto recovered = recover(*journal_, policy, catalogue(), {.use_snapshots = use_snapshots});
        ASSERT_TRUE(recovered) << recovered.error();
        EXPECT_EQ(digest_of(recovered->core.state), state());
    }
}

// What waits for a job that failed leaves with it, a bounded number of jobs at a time, down to the last of them.
TEST_F(Drill, ThousandsThatWaitForOneJobLeaveInBoundedTransactions) {
    must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {}, {}, 10'000}});
    JobSpec spec;
    spec.name = "train";
    spec.run = "true";
    spec.resources.accelerators = {{"A100", MilliCards{16'000}, ""}};  // more than its node has: it waits
    spec.max_duration = Seconds{1};
    const JobId first{make_uid(now_, 9, 0)};
    must(SubmitJob{first, ProjectName{"vision"}, spec, sha256("body")});
    constexpr std::uint64_t count = 3'000;
    std::vector<Request> requests;
    for (std::uint64_t i = 1; i <= count; ++i) {
        // Half wait for the first, half for one of these.
        spec.after = {i <= count / 2 ? first : JobId{make_uid(now_, 9, i - count / 2)}};
        requests.push_back({Actor{}, SubmitJob{JobId{make_uid(now_, 9, i)}, ProjectName{"vision"}, spec, sha256("body")}});
    }
    auto submitted = writer_->commit(requests, now_);
    ASSERT_TRUE(submitted) << submitted.error().message;
    ASSERT_EQ(submitted->answers.size(), requests.size());
    for (const auto& answer : submitted->answers) ASSERT_TRUE(answer) << answer.error().message;
    const Request cancel{Actor{}, CancelJob{first}};
    auto outcome = writer_->commit({&cancel, 1}, now_);
    ASSERT_TRUE(outcome) << outcome.error().message;
    const std::size_t most = 2 * writer_->core().policy.timers_per_pass + 2;
    EXPECT_LE(outcome->committed->entries.size(), most);
    close();
    open();  // what is left to do is known after a restart too
    for (int pass = 0; pass < 10 && !writer_->core().state.jobs.empty(); ++pass) {
        const Request tick{Actor{}, Tick{}};
        auto next = writer_->commit({&tick, 1}, now_);
        ASSERT_TRUE(next) << next.error().message;
        EXPECT_LE(next->committed->entries.size(), most);
    }
    EXPECT_TRUE(writer_->core().state.jobs.empty());
    EXPECT_EQ(writer_->core().state.finished.size(), count + 1);
    EXPECT_EQ(writer_->core().state.ledger.export_state().holds.size(), 0U);
}

TEST_F(Drill, ATransactionThatIsFullLeavesTheRestForTheNext) {
    writer_.reset();
    auto recovered = recover(*journal_, {}, catalogue());
    ASSERT_TRUE(recovered) << recovered.error();
    writer_ = std::make_unique<Writer>(std::move(recovered->core), *journal_,
                                       TransactionSize{.records = 5, .bytes = 1U << 20U, .records_most = 8, .bytes_most = 1U << 20U});
    std::vector<Request> requests;
    for (std::uint64_t i = 1; i <= 7; ++i)
        requests.push_back({Actor{}, Deposit{make_uid(now_, 2, i), OrganisationName{"lab"}, Fen{1}}});
    std::vector<std::size_t> taken;
    for (std::size_t done = 0; done < requests.size();) {
        auto outcome = writer_->commit(std::span{requests}.subspan(done), now_);
        ASSERT_TRUE(outcome) << outcome.error().message;
        for (const auto& answer : outcome->answers) EXPECT_TRUE(answer);
        taken.push_back(outcome->answers.size());
        done += taken.back();
    }
    EXPECT_EQ(taken, (std::vector<std::size_t>{5, 2}));

    // One request that makes more than a transaction takes is refused, and leaves nothing behind.
    SiteReport report;
    report.site = SiteName{"east"};
    report.session = format_uid({0, 1});
    report.sequence = writer_->core().state.sites.at(report.site).sequence + 1;
    report.nodes.emplace();
    for (int i = 0; i < 9; ++i) report.nodes->push_back({NodeName{"n" + std::to_string(i)}, {}, MilliCpus{1000}, MiB{1024}, {}, true, ""});
    const auto before = state();
    const Request request{Actor{}, report};
    auto outcome = writer_->commit({&request, 1}, now_);
    ASSERT_TRUE(outcome) << outcome.error().message;
    ASSERT_FALSE(outcome->answers[0]);
    EXPECT_EQ(outcome->answers[0].error().code, RefusalCode::too_large);
    EXPECT_EQ(state(), before);
}

TEST_F(Drill, ABackupRestoresToAnyPointInTime) {
    for (std::uint64_t i = 1; i <= 4; ++i) run_job(i, 60, true);
    const auto wanted = writer_->core().state.revision;
    const auto then = state();
    const auto time_then = writer_->core().state.now;
    for (std::uint64_t i = 5; i <= 9; ++i) run_job(i, 60, true);
    const auto report = journal_->backup_to(path("backup.db"));
    ASSERT_TRUE(report) << report.error().message;
    run_job(10, 60, true);  // after the backup; the server runs on

    const auto by_revision = store::restore_store({.source = path("backup.db"), .target = path("revision.db"), .until_revision = wanted});
    ASSERT_TRUE(by_revision) << by_revision.error().message;
    const auto by_time =
        store::restore_store({.source = path("backup.db"), .target = path("time.db"), .keep = [&](const ports::Record& record) {
                                  const auto entry = read_entry(record.text);
                                  return entry && entry->at <= time_then;
                              }});
    ASSERT_TRUE(by_time) << by_time.error().message;
    for (const auto* name : {"revision.db", "time.db"}) {
        auto reader = store::open_reader(path(name));
        ASSERT_TRUE(reader) << reader.error().message;
        const auto recovered = recover(**reader, {}, catalogue());
        ASSERT_TRUE(recovered) << recovered.error();
        EXPECT_EQ(digest_of(recovered->core.state), then) << name;
    }
    const auto again = store::restore_store({.source = path("backup.db"), .target = path("time.db")});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().fault, ports::JournalFault::already_exists);
}

TEST_F(Drill, TwoServersOnOneStoreAreRefused) {
    const auto second = store::open_journal({.path = path("weir.db")});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, ports::JournalFault::in_use);
}

TEST_F(Drill, ViewsTrailTheJournalAndAreBuiltAgain) {
    for (std::uint64_t i = 1; i <= 12; ++i) run_job(i, 60, i % 4 != 0);
    auto views = views::Views::open(path("views.db"));
    ASSERT_TRUE(views) << views.error();
    const auto expected = [&] {
        std::vector<std::string> lines;
        for (const auto& [id, job] : writer_->core().state.jobs) {
            std::int64_t used = 0;
            for (const auto& usage : job.usage) used += (usage.secured + usage.at_risk).value;
            lines.push_back(id.text() + " " + job.project.value + " " + std::to_string(job.generation) + " " + std::to_string(used));
        }
        return lines;
    };
    const auto catch_up = [&] {
        while (true) {
            const auto taken = (*views)->catch_up(*journal_, 7);
            ASSERT_TRUE(taken) << taken.error();
            if (*taken == 0) break;
        }
    };
    catch_up();
    EXPECT_EQ((*views)->watermark(), writer_->core().state.revision);
    EXPECT_EQ((*views)->live_jobs().value(), expected());
    const auto finished = (*views)->jobs({.projects = std::nullopt, .outcome = JobState::succeeded, .before = std::nullopt, .limit = 100});
    ASSERT_TRUE(finished) << finished.error();
    EXPECT_EQ(finished->size(), writer_->core().state.finished.size());
    ASSERT_FALSE(finished->empty());
    EXPECT_EQ(finished->front().bill.size(), 1U);
    EXPECT_EQ(finished->front().bill[0].amount, Fen{10}) << "60 s of one card at 6.00 yuan an hour";
    EXPECT_TRUE((*views)->jobs({.projects = std::vector<ProjectName>{}, .outcome = {}, .before = {}, .limit = 10})->empty())
        << "of no project";

    ASSERT_TRUE((*views)->clear());
    EXPECT_EQ((*views)->watermark(), 0U);
    catch_up();
    EXPECT_EQ((*views)->live_jobs().value(), expected());
    // A commit that the views have already taken in changes nothing.
    const auto record = journal_->read(1, 5, 1'000'000);
    std::vector<Entry> entries;
    for (const auto& one : *record) entries.push_back(read_entry(one.text).value());
    EXPECT_TRUE((*views)->take(entries));
    EXPECT_EQ((*views)->watermark(), writer_->core().state.revision);
}

TEST_F(Drill, ViewsWithDamageAreSetAsideAndBuiltAgain) {
    for (std::uint64_t i = 1; i <= 6; ++i) run_job(i, 60, true);
    const auto whole = [&](views::Views& views) {
        while (views.watermark() < writer_->core().state.revision) ASSERT_GT(views.catch_up(*journal_, 1'000).value_or(0), 0U);
        const auto jobs = views.jobs({.projects = std::nullopt, .outcome = std::nullopt, .before = std::nullopt, .limit = 100});
        ASSERT_TRUE(jobs) << jobs.error();
        EXPECT_EQ(jobs->size(), 6U);
    };
    auto views = views::Views::open(path("views.db")).value();
    whole(*views);
    {
        // A row whose text is not what was written: SQLite itself sees nothing wrong with it.
        auto vandal = store::Connection::open({.path = path("views.db"), .writable = true});
        ASSERT_EQ(vandal.run("update job set spec=substr(spec, 2) where id=(select min(id) from job)"), SQLITE_OK);
    }
    const auto jobs = views->jobs({.projects = std::nullopt, .outcome = std::nullopt, .before = std::nullopt, .limit = 100});
    ASSERT_FALSE(jobs) << "a job that cannot be read is no job that is not there";
    EXPECT_TRUE(views->damaged());
    const auto rebuilt = views->rebuild();
    ASSERT_TRUE(rebuilt) << rebuilt.error();
    EXPECT_FALSE(views->damaged());
    EXPECT_EQ(views->watermark(), 0U);
    EXPECT_TRUE(std::filesystem::exists(path("views.db.damaged")));
    whole(*views);

    // A file that is no database any more is set aside at the next opening, and that is said.
    views.reset();
    std::filesystem::resize_file(path("views.db"), 3'000);
    std::string said;
    views = views::Views::open(path("views.db"), [&](const std::string& text) { said = text; }).value();
    EXPECT_NE(said.find("set aside"), std::string::npos) << said;
    whole(*views);
}

// Type numbers and names are for ever.
TEST(Journal, TypeNumbersArePinned) {
    const std::vector<std::pair<std::uint16_t, std::string_view>> pinned{{1, "leader_started"},     {10, "organisation_set"},
                                                                         {11, "project_set"},       {12, "roles_set"},
                                                                         {13, "token_issued"},      {14, "token_ended"},
                                                                         {20, "site_set"},          {21, "node_set"},
                                                                         {22, "node_removed"},      {23, "report_taken"},
                                                                         {24, "site_reachable"},    {30, "programme_opened"},
                                                                         {31, "voucher_awarded"},   {32, "voucher_ended"},
                                                                         {33, "ledger_posted"},     {40, "job_submitted"},
                                                                         {41, "job_placed"},        {42, "job_state_changed"},
                                                                         {43, "task_metered"},      {44, "checkpoint_stored"},
                                                                         {45, "job_requeued"},      {46, "job_stop_ordered"},
                                                                         {47, "job_finished"},      {50, "records_forgotten"},
                                                                         {51, "key_recorded"},      {60, "job_move_ordered"},
                                                                         {61, "job_move_reserved"}, {62, "job_move_prepared"},
                                                                         {63, "job_moved"},         {64, "job_move_ended"},
                                                                         {65, "job_arrived"},       {66, "site_duty_set"},
                                                                         {25, "accelerator_set"},   {67, "organisation_suspended"},
                                                                         {70, "tree_kept"},         {71, "tree_dropped"},
                                                                         {72, "files_set"},         {73, "outputs_stored"},
                                                                         {74, "outputs_dropped"},   {75, "data_erased"},
                                                                         {76, "data_quota_set"},    {77, "receipts_forgotten"},
                                                                         {78, "outputs_refused"}};
    for (const auto& [number, name] : pinned) EXPECT_EQ(type_name(number), name);
    EXPECT_EQ(pinned.size(), std::variant_size_v<Event>);
}

TEST(Journal, AnUnknownTypeIsNotPassedOver) {
    const auto entry = read_entry(R"({"revision":1,"type":999,"at":"2026-11-22T06:00:00Z","actor":"system","event":{}})");
    ASSERT_FALSE(entry);
    EXPECT_NE(entry.error().find("999"), std::string::npos);
}

TEST(Journal, AnEntryIsItsText) {
    const Entry entry{7, start, "agent:east", TaskMetered{JobId{{1, 2}}, 3, 1, 9, 100, 110, MilliCardSeconds{10'000}, Payer::provider}};
    std::string text;
    write_entry(entry, text);
    EXPECT_EQ(
        text,
        R"({"revision":7,"type":43,"at":"2027-01-15T08:00:00Z","actor":"agent:east","event":{"job":"job-0000000000000g000000000002",)"
                    R"("generation":3,"node_rank":1,)"
        R"("sequence":9,"from_s":100,"to_s":110,"used":10000,"lost_to":"provider"}})");
    std::string again;
    write_entry(read_entry(text).value(), again);
    EXPECT_EQ(again, text);
}

}  // namespace
}  // namespace weir
