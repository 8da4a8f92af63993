// Goal: the PostgreSQL store passes the port's suite, and no server that was overtaken writes, however it was stopped.
// Method: a real PostgreSQL server; what a crashed or frozen server leaves behind is made by connections of the test's own.
#include "adapters/store_postgres/postgres_journal.hpp"

#include "adapters/store_postgres/dump.hpp"
#include "adapters/store_postgres/test_database.hpp"
#include "base/test_folder.hpp"
#include "ports/journal_conformance.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace weir::ports {
namespace {

struct PostgresWorld {
    JournalResult<std::unique_ptr<Journal>> open() { return open({.where = where}); }
    JournalResult<std::unique_ptr<Journal>> open_without_lock() { return open({.where = where, .over_the_living = true}); }
    JournalResult<std::unique_ptr<JournalReader>> open_backup(const std::string& backup) { return store::open_dump(backup); }
    std::string fresh_path() { return directory.file("backup.dump"); }

    static JournalResult<std::unique_ptr<Journal>> open(const store::PostgresOptions& options) {
        auto journal = store::open_postgres_journal(options);
        if (!journal) return fail(journal.error());
        return std::unique_ptr<Journal>{std::move(*journal)};
    }
    TestFolder directory;
    std::string where = store::test::TestDatabase::get().fresh();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, JournalConformance, PostgresWorld);

}  // namespace
}  // namespace weir::ports

namespace weir::store {
namespace {

using ports::JournalFault;
using testing::HasSubstr;

class PostgresStore : public testing::Test {
protected:
    static std::vector<ports::Record> next(ports::Journal& journal, const std::string& text) {
        return ports::records_after(journal.head().value(), std::vector{text});
    }
    PgConnection connection() const {
        auto connection = PgConnection::open(where_);
        EXPECT_TRUE(connection) << connection.error().message;
        EXPECT_TRUE(connection->run("set search_path=weir"));
        return std::move(*connection);
    }
    std::string where_ = test::TestDatabase::get().fresh();
};

TEST_F(PostgresStore, ALeaseThatIsOverIsTakenAndItsHolderIsRefused) {
    auto old = open_postgres_journal({.where = where_, .lease = seconds(3600)}).value();
    ASSERT_TRUE(old->append(next(*old, "one"), old->epoch()));
    EXPECT_TRUE(old->leads());
    const auto refused = open_postgres_journal({.where = where_});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, JournalFault::in_use);
    EXPECT_THAT(refused.error().message, HasSubstr("whose lease ends in"));
    EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(::getpid())));
    ASSERT_TRUE(connection().run("update lease set until = clock_timestamp()")) << "as if its holder had been stopped for so long";
    auto now = open_postgres_journal({.where = where_, .lease = seconds(3600)}).value();
    EXPECT_EQ(now->epoch().number, 2U);
    ASSERT_TRUE(now->append(next(*now, "two"), now->epoch()));
    const auto late = old->append(ports::records_after(old->head().value(), std::vector<std::string>{"late"}), old->epoch());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().fault, JournalFault::fenced) << late.error().message;
    EXPECT_EQ(now->read(1, 10, 1000)->size(), 2U);
}

TEST_F(PostgresStore, AFormerLeaderThatHangsInAnAppendIsEnded) {
    { ASSERT_TRUE(open_postgres_journal({.where = where_})); }
    // What a leader leaves that was frozen between the fence and its commit.
    auto frozen = connection();
    ASSERT_TRUE(frozen.run("begin; select epoch from leader for share"));
    ASSERT_TRUE(frozen.run("insert into record values(1, 'never', null, '\\x00')"));
    ASSERT_TRUE(connection().ask("update lease set backend=$1, until=clock_timestamp()", {Param{frozen.backend()}}));
    auto now = open_postgres_journal({.where = where_});
    ASSERT_TRUE(now) << now.error().message;
    EXPECT_EQ((*now)->head()->revision, 0U);
    ASSERT_TRUE((*now)->append(next(**now, "first"), (*now)->epoch()));
    EXPECT_FALSE(frozen.run("commit")) << "its connection is gone, and with it what it held";
    EXPECT_EQ((*now)->read(1, 10, 1000)->front().text, "first");
}

TEST_F(PostgresStore, ALeaderThatWasOvertakenStopsBelievingItLeads) {
    auto old = open_postgres_journal({.where = where_, .lease = milliseconds(400)}).value();
    auto now = open_postgres_journal({.where = where_, .over_the_living = true}).value();
    while (old->leads()) std::this_thread::yield();
    EXPECT_TRUE(now->leads());
}

TEST_F(PostgresStore, ALostConnectionDuringAppendIsAnErrorAndAtACommitAnUnknownOutcome) {
    auto journal = open_postgres_journal({.where = where_}).value();
    ASSERT_TRUE(journal->append(next(*journal, "one"), journal->epoch()));
    const auto batch = next(*journal, "two");
    test::TestDatabase::get().kill_and_restart();
    const auto lost = journal->append(batch, journal->epoch());
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().fault, JournalFault::unavailable) << lost.error().message;
    journal.reset();
    ASSERT_TRUE(connection().run("update lease set until = clock_timestamp()"));
    auto again = open_postgres_journal({.where = where_}).value();
    EXPECT_EQ(again->head()->revision, 1U) << "nothing of it was written";
}

TEST_F(PostgresStore, OfAnotherFormatOrEncodingIsRefusedWithWhatToDo) {
    { ASSERT_TRUE(open_postgres_journal({.where = where_})); }
    ASSERT_TRUE(connection().run("update meta set value='99' where key='weir.format'"));
    const auto newer = open_postgres_journal({.where = where_});
    ASSERT_FALSE(newer);
    EXPECT_EQ(newer.error().fault, JournalFault::unknown_format);
    EXPECT_THAT(newer.error().message, HasSubstr("has format 99 and this program knows 1"));
    const auto none = open_postgres_reader({.where = test::TestDatabase::get().fresh()});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().fault, JournalFault::not_found);
}

TEST_F(PostgresStore, APasswordOnACommandLineIsRefusedAndNeverRepeated) {
    const auto refused = open_postgres_journal({.where = "postgresql://weir:s3cret@db.example/weir"});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("PGPASSFILE"));
    EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("s3cret")));
    EXPECT_EQ(name_of_store("postgresql://weir@db.example:5433/city"), "postgresql://db.example:5433/city");
    EXPECT_TRUE(flaw_of("postgresql://%%%"));
}

TEST_F(PostgresStore, ADatabaseThatIsDownIsSaid) {
    const auto down = open_postgres_journal({.where = "host=/nowhere/at/all dbname=x"});
    ASSERT_FALSE(down);
    EXPECT_EQ(down.error().fault, JournalFault::unavailable);
    EXPECT_THAT(down.error().message, HasSubstr("check that the database runs"));
}

TEST_F(PostgresStore, ADumpThatIsCutOffIsDamaged) {
    const TestFolder folder;
    auto journal = open_postgres_journal({.where = where_}).value();
    ASSERT_TRUE(journal->append(next(*journal, "one"), journal->epoch()));
    const auto path = folder.file("a.dump");
    ASSERT_TRUE(journal->backup_to(path));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
    const auto cut = open_dump(path);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().fault, JournalFault::damaged);
    EXPECT_EQ(open_dump(folder.file("none")).error().fault, JournalFault::not_found);
}

}  // namespace
}  // namespace weir::store
