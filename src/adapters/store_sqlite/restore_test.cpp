// The drill: a backup of a running store, a disaster, a new store up to the moment before it, and on it goes.
#include "adapters/store_sqlite/restore.hpp"

#include "adapters/sqlite/sqlite.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "base/test_folder.hpp"
#include "ports/record_chain.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::store {
namespace {

using ports::Journal;
using ports::JournalFault;
using ports::Record;

class Restore : public testing::Test {
protected:
    /// Records `{"at":REVISION}` up to `last`.
    std::unique_ptr<Journal> append(std::uint64_t last) {
        auto journal = open_journal({.path = store_}).value();
        while (journal->head()->revision < last) {
            const std::vector<std::string> texts{fmt::format("{{\"at\":{}}}", journal->head()->revision + 1)};
            EXPECT_TRUE(journal->append(ports::records_after(journal->head().value(), texts), journal->epoch()));
        }
        return journal;
    }
    void damage(const std::string& sql) {
        auto forger = Connection::open({.path = store_, .writable = true});
        ASSERT_EQ(forger.run(sql), SQLITE_OK) << forger.message();
    }
    /// Such records, snapshots of 10 and 25, and a backup of it all.
    void make_backup(std::uint64_t last) {
        auto journal = append(last);
        for (const std::uint64_t revision : {10U, 25U}) {
            ASSERT_TRUE(journal->put_snapshot({revision, 1, {}, fmt::format("state at {}", revision)}));
        }
        const auto report = journal->backup_to(backup_);
        ASSERT_TRUE(report) << report.error().message;
        id_ = journal->identity()->store_id;
        epoch_ = journal->epoch();
    }
    std::optional<JournalFault> fault(const RestoreOptions& options) {
        const auto report = restore_store(options);
        if (report) return std::nullopt;
        message_ = report.error().message;
        return report.error().fault;
    }

    TestFolder directory_;
    std::string store_ = directory_.file("weir.db");
    std::string backup_ = directory_.file("backup.db");
    std::string target_ = directory_.file("restored.db");
    std::string id_;
    ports::Epoch epoch_;
    std::string message_;
};

TEST_F(Restore, AWholeBackupBecomesAStoreThatGoesOn) {
    make_backup(30);
    const auto report = restore_store({.source = backup_, .target = target_});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision, 30U);
    EXPECT_EQ(report->left_out, 0U);
    EXPECT_EQ(report->snapshots, 2U);

    auto journal = open_journal({.path = target_, .create = false}).value();
    EXPECT_EQ(journal->head().value(), report->head);
    EXPECT_FALSE(journal->verify(1, 30)->bad);
    EXPECT_EQ(journal->latest_snapshot(1)->found->bytes, "state at 25");
    EXPECT_GT(journal->epoch(), epoch_);
    EXPECT_NE(journal->identity()->store_id, id_);
    EXPECT_EQ(journal->identity()->lineage, fmt::format("restored from store {} at revision 30", id_));
    const std::vector<std::string> texts{"goes on"};
    EXPECT_TRUE(journal->append(ports::records_after(report->head, texts), journal->epoch()));
}

TEST_F(Restore, UpToARevisionLaterRecordsAndSnapshotsAreLeftOut) {
    make_backup(30);
    const auto report = restore_store({.source = backup_, .target = target_, .until_revision = 24});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision, 24U);
    EXPECT_EQ(report->left_out, 6U);
    EXPECT_EQ(report->snapshots, 1U);
    auto journal = open_journal({.path = target_}).value();
    EXPECT_EQ(journal->head()->revision, 24U);
    EXPECT_EQ(journal->latest_snapshot(1)->found->revision, 10U);
}

// Found by a review: a restore to a moment before the first record made an empty network, and said that all was well.
TEST_F(Restore, OfNothingIsRefused) {
    make_backup(30);
    const auto report = restore_store({.source = backup_, .target = target_, .until_revision = 0});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().fault, JournalFault::not_found);
    EXPECT_NE(report.error().message.find("begins after what is asked for"), std::string::npos) << report.error().message;
    EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(Restore, UpToAMomentThatTheCallerReadsFromTheText) {
    make_backup(30);
    const auto before_18 = [](const Record& record) { return record.text != "{\"at\":18}"; };
    const auto report = restore_store({.source = backup_, .target = target_, .keep = before_18});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision, 17U);
    auto journal = open_journal({.path = target_}).value();
    EXPECT_EQ(journal->read(17, 2, 1'000)->back().text, "{\"at\":17}");
}

TEST_F(Restore, ARestoredStoreRemembersAllItsAncestors) {
    make_backup(30);
    ASSERT_TRUE(restore_store({.source = backup_, .target = target_}));
    const auto middle = open_reader(target_).value()->identity().value();
    const auto last = restore_store({.source = target_, .target = directory_.file("again.db"), .until_revision = 20});
    ASSERT_TRUE(last) << last.error().message;
    EXPECT_EQ(last->identity.lineage,
              fmt::format("restored from store {} at revision 20\nrestored from store {} at revision 30", middle.store_id, id_));
}

TEST_F(Restore, NothingIsEverOverwritten) {
    make_backup(30);
    EXPECT_EQ(fault({.source = backup_, .target = store_}), JournalFault::already_exists);
    EXPECT_EQ(fault({.source = backup_, .target = backup_}), JournalFault::already_exists);
    std::filesystem::copy_file(backup_, target_ + ".snapshots");
    EXPECT_EQ(fault({.source = backup_, .target = target_}), JournalFault::already_exists) << "nor are old snapshots adopted";
    EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(Restore, WhatTheSourceDoesNotHoldIsRefused) {
    make_backup(30);
    EXPECT_EQ(fault({.source = backup_, .target = target_, .until_revision = 31}), JournalFault::not_found);
    EXPECT_NE(message_.find("ends at revision 30"), std::string::npos) << message_;
    EXPECT_EQ(fault({.source = directory_.file("none.db"), .target = target_}), JournalFault::not_found);
    EXPECT_EQ(fault({.source = backup_, .target = directory_.file("no/such/place.db")}), JournalFault::unavailable);
    for (const auto& entry : std::filesystem::directory_iterator{directory_.file("")}) {
        EXPECT_EQ(entry.path().string().find("restor"), std::string::npos) << entry.path() << " is left over";
    }
}

TEST_F(Restore, RecordsBeforeTheDamageCanBeSaved) {
    make_backup(30);
    {
        auto damaged = Connection::open({.path = backup_, .writable = true});
        ASSERT_EQ(damaged.run("UPDATE journal SET text='forged' WHERE revision=21"), SQLITE_OK);
    }
    EXPECT_EQ(fault({.source = backup_, .target = target_}), JournalFault::damaged);
    EXPECT_NE(message_.find("--until-revision 20"), std::string::npos) << message_;
    const auto report = restore_store({.source = backup_, .target = target_, .until_revision = 20});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision, 20U);
}

TEST_F(Restore, WhereTheBackupEndsTheDamagedStoreGoesOn) {
    make_backup(30);
    append(60);
    damage("UPDATE journal SET text='forged' WHERE revision=12");
    EXPECT_EQ(fault({.source = store_, .target = target_}), JournalFault::damaged);
    EXPECT_NE(message_.find("--then"), std::string::npos) << message_;

    const auto report = restore_store({.source = backup_, .then = store_, .target = target_});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision, 60U);
    EXPECT_EQ(report->left_out, 0U);
    auto journal = open_journal({.path = target_, .create = false}).value();
    EXPECT_FALSE(journal->verify(1, 60)->bad);
    EXPECT_EQ(journal->read(12, 1, 100)->at(0).text, R"({"at":12})");
    EXPECT_GT(journal->epoch(), epoch_);
}

TEST_F(Restore, AFileThatIsCutOffIsReadUpToTheCut) {
    make_backup(30);
    append(2'000);
    std::filesystem::resize_file(store_, std::filesystem::file_size(store_) - 9'000);
    const auto checked = open_reader(store_).value()->verify(1, 2'000).value();
    ASSERT_TRUE(checked.bad);
    const auto good = checked.end.revision;
    EXPECT_TRUE(30 < good && good < 2'000) << good;
    EXPECT_EQ(fault({.source = backup_, .then = store_, .target = target_}), JournalFault::damaged);
    EXPECT_NE(message_.find(fmt::format("--until-revision {}", good)), std::string::npos) << message_;

    for (const auto& options : {RestoreOptions{.source = store_, .target = target_, .until_revision = good},
                                RestoreOptions{.source = backup_, .then = store_, .target = target_ + "2", .until_revision = good}}) {
        const auto report = restore_store(options);
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_EQ(report->head, checked.end);
        EXPECT_FALSE(open_journal({.path = options.target}).value()->verify(1, good)->bad);
    }
}

TEST_F(Restore, AStoppingPointMayLieInEitherSource) {
    make_backup(30);
    append(60);
    for (const std::uint64_t until : {10U, 30U, 31U, 45U, 60U}) {
        const auto target = target_ + std::to_string(until);
        const auto report = restore_store({.source = backup_, .then = store_, .target = target, .until_revision = until});
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_EQ(report->head.revision, until);
        EXPECT_EQ(report->left_out, 60 - until);
    }
    EXPECT_EQ(fault({.source = backup_, .then = store_, .target = target_, .until_revision = 61}), JournalFault::not_found);
}

TEST_F(Restore, AnotherHistoryDoesNotGoOnWhereTheBackupEnds) {
    make_backup(30);
    append(60);
    damage("UPDATE journal SET hash=zeroblob(32) WHERE revision=30");
    EXPECT_EQ(fault({.source = backup_, .then = store_, .target = target_}), JournalFault::does_not_continue);
    EXPECT_NE(message_.find("at revision 30"), std::string::npos) << message_;
    damage("DELETE FROM journal WHERE revision>=30");
    EXPECT_EQ(fault({.source = backup_, .then = store_, .target = target_}), JournalFault::does_not_continue) << "nor does a shorter one";
    EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(Restore, ABackupOfADamagedJournalIsRefused) {
    make_backup(30);
    auto journal = open_journal({.path = store_}).value();
    auto forger = Connection::open({.path = store_, .writable = true});
    ASSERT_EQ(forger.run("UPDATE journal SET text='forged' WHERE revision=21"), SQLITE_OK);
    const auto report = journal->backup_to(target_);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().fault, JournalFault::damaged);
    EXPECT_NE(report.error().message.find("revision 21"), std::string::npos) << report.error().message;
    EXPECT_FALSE(std::filesystem::exists(target_));
    EXPECT_FALSE(std::filesystem::exists(target_ + ".partial"));
}

}  // namespace
}  // namespace weir::store
