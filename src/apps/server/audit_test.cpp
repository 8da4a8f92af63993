// Goal: an audit finds every changed column of the views, and finds nothing wrong where nothing is, though a server goes on writing.
// Method: a small network with money, a voucher and jobs, through the real writer, journal and views; a vandal changes one column of one
// row at a time; and audits beside a thread that submits and feeds the views without a pause.
#include "apps/server/audit.hpp"

#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "base/test_folder.hpp"
#include "control/recover.hpp"
#include "control/writer.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace weir::server {
namespace {

using namespace control;

constexpr Instant start{1'800'000'000'000'000'000};

Catalogue models() {
    Catalogue entries;
    entries["A100"].model = "A100";
    return entries;
}

class Audit : public testing::Test {
protected:
    Audit() {
        journal = std::move(store::open_journal({.path = folder.file("weir.db")}).value());
        writer = std::make_unique<Writer>(std::move(recover(*journal, {}, models())->core), *journal);
        views = views::Views::open(folder.file("views.db")).value();
        EXPECT_TRUE(views->follow({journal->identity()->store_id, 0}));
        found();
    }
    ~Audit() override {
        writer.reset();
        journal.reset();
        views.reset();
    }

    void must(Command command) {
        const Request request{Actor{}, std::move(command)};
        const auto outcome = writer->commit({&request, 1}, now);
        ASSERT_TRUE(outcome) << outcome.error().message;
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
        must(Deposit{make_uid(now, 1, 1), OrganisationName{"lab"}, Fen{1'000'000}});
    }
    JobId submit() {
        JobSpec spec;
        spec.name = "train";
        spec.run = "true";
        spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
        const JobId job{make_uid(now, 0, ++jobs)};
        must(SubmitJob{job, ProjectName{"vision"}, spec, sha256("body")});
        return job;
    }
    void report(JobId job, bool ends) {
        SiteReport news;
        news.site = SiteName{"east"};
        news.session = format_uid({0, 1});
        news.sequence = writer->core().state.sites.at(news.site).sequence + 1;
        const auto at = floor_seconds(now);
        news.meters = {{job, 1, 0, 1, at, at + 60}};
        news.tasks = {{job, 1, ends ? TaskState::ended : TaskState::running, ends ? Reason::exited : Reason::none, 0, std::nullopt}};
        must(news);
        now = now + seconds(60);
    }
    void catch_up() {
        while (views->watermark() < writer->core().state.revision) ASSERT_GT(views->catch_up(*journal, 1'000).value_or(0), 0U);
    }
    [[nodiscard]] bool holds_with(const std::string& views_file) const {
        testing::internal::CaptureStdout();
        const bool held = audit_store({folder.file("weir.db"), views_file}, models());
        said = testing::internal::GetCapturedStdout();
        return held;
    }

    TestFolder folder;
    std::unique_ptr<ports::Journal> journal;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<views::Views> views;
    Instant now = start;
    std::uint64_t jobs = 0;
    mutable std::string said;
};

TEST_F(Audit, NoticesEveryChangedColumnOfTheViews) {
    for (int i = 0; i < 3; ++i) report(submit(), i > 0);
    catch_up();
    ASSERT_TRUE(holds_with(folder.file("views.db"))) << said;
    const auto tampered = folder.file("tampered.db");
    int columns = 0;
    for (const auto* table : {"watermark", "job", "task", "usage", "transfer", "earning", "earned"}) {
        auto listing = store::Connection::open({.path = folder.file("views.db")});
        auto select = listing.prepare(fmt::format("select name from pragma_table_info('{}')", table));
        while (select.step() == SQLITE_ROW) {
            const auto column = std::string{select.bytes(0)};
            ASSERT_TRUE(views::Views::copy(folder.file("views.db"), tampered));
            {
                auto vandal = store::Connection::open({.path = tampered, .writable = true});
                // Of a number the next one, of a text another, of nothing something; of one row.
                const auto sql = fmt::format(
                    "pragma ignore_check_constraints=1; update {0} set {1} = case typeof({1}) when 'integer' then {1} + 1000003 when "
                    "'null' "
                    "then 1 else {1} || ' ' end where ({2}) = (select {2} from {0} order by 1 desc limit 1)",
                    table, column, table == std::string_view{"usage"} ? "job, generation, node_rank, sequence" : "1");
                ASSERT_EQ(vandal.run(sql), SQLITE_OK) << sql << vandal.message();
            }
            EXPECT_FALSE(holds_with(tampered)) << table << "." << column << "\n" << said;
            ++columns;
        }
        ASSERT_TRUE(views::Views::copy(folder.file("views.db"), tampered));
        {
            auto vandal = store::Connection::open({.path = tampered, .writable = true});
            ASSERT_EQ(vandal.run(fmt::format("delete from {}", table)), SQLITE_OK);
        }
        EXPECT_FALSE(holds_with(tampered)) << table << " emptied\n" << said;
    }
    EXPECT_GT(columns, 40);
    for (const auto& left : std::filesystem::directory_iterator(folder.path())) {
        EXPECT_EQ(left.path().filename().string().find(".audit"), std::string::npos) << "nothing is left behind: " << left.path();
    }
}

TEST_F(Audit, NeverFailsBesideAServerThatGoesOn) {
    for (int i = 0; i < 3; ++i) report(submit(), true);
    ASSERT_TRUE(keep_snapshot(*journal, writer->core().state));
    catch_up();
    std::atomic<bool> done = false;
    std::thread server{[&] {
        while (!done) {
            report(submit(), true);
            EXPECT_TRUE(keep_snapshot(*journal, writer->core().state));
            if (jobs % 3 != 0) (void)views->catch_up(*journal, 1'000);
        }
    }};
    for (int i = 0; i < 12; ++i) EXPECT_TRUE(holds_with(folder.file("views.db"))) << said;
    done = true;
    server.join();
    EXPECT_GT(jobs, 6U) << "nothing went on beside the audits";
}

TEST_F(Audit, ASnapshotThatDoesNotHoldWhatItSaysIsAFaultThoughAnOlderOneServes) {
    report(submit(), true);
    ASSERT_TRUE(keep_snapshot(*journal, writer->core().state));
    report(submit(), true);
    catch_up();
    ASSERT_TRUE(holds_with(folder.file("views.db"))) << said;
    const auto revision = writer->core().state.revision;
    ASSERT_TRUE(journal->put_snapshot({revision, state_version(), sha256("another state"), pack(writer->core().state).bytes}));
    EXPECT_FALSE(holds_with(folder.file("views.db")));
    EXPECT_NE(said.find(fmt::format("FAIL  the snapshot of revision {} says what it holds", revision)), std::string::npos) << said;
}

TEST_F(Audit, ViewsBeyondTheJournalAreAFault) {
    report(submit(), true);
    const auto backup = folder.file("early.db");
    ASSERT_TRUE(journal->backup_to(backup));
    report(submit(), true);
    catch_up();
    testing::internal::CaptureStdout();
    EXPECT_FALSE(audit_store({backup, folder.file("views.db")}, models()));
    EXPECT_NE(testing::internal::GetCapturedStdout().find("the journal ends at"), std::string::npos);
}

}  // namespace
}  // namespace weir::server
