// Goal: what happens to the files of a store outside our hands is reported in words, and never passed off as a shorter journal.
// Method: a store is written, its files are copied as a crash would leave them, one thing is damaged, and it is opened again.
#include "adapters/sqlite/sqlite.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "base/test_folder.hpp"
#include "ports/record_chain.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace weir::store {
namespace {

using ports::Journal;
using ports::JournalFault;

constexpr std::uint64_t log_header_bytes = 32;
constexpr std::uint64_t frame_bytes = 24 + 8'192;

class Damage : public testing::Test {
protected:
    static std::unique_ptr<Journal> open(const std::string& path) {
        auto journal = open_journal({.path = path});
        EXPECT_TRUE(journal) << journal.error().message;
        return journal ? std::move(*journal) : nullptr;
    }
    /// One batch per text, so that each is a commit of its own.
    static void append(Journal& journal, int count, std::size_t bytes = 100) {
        for (int i = 0; i < count; ++i) {
            const std::vector<std::string> texts{std::string(bytes, static_cast<char>('a' + i % 26))};
            const auto head = journal.append(ports::records_after(journal.head().value(), texts), journal.epoch());
            ASSERT_TRUE(head) << head.error().message;
        }
    }
    /// A store of 20 records as a killed process leaves it: 10 in the main file, 10 in the log.
    void make_crashed_store() {
        auto journal = open(live_);
        append(*journal, 10);
        ASSERT_TRUE(journal->checkpoint());
        append(*journal, 10);
        for (const std::string_view suffix : {"", "-wal"}) {
            std::filesystem::copy_file(live_ + std::string{suffix}, path_ + std::string{suffix});
        }
    }
    void make_closed_store(int records, std::size_t bytes = 100) {
        auto journal = open(path_);
        append(*journal, records, bytes);
    }
    static void flip(const std::string& file, std::uint64_t offset) {
        std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
        stream.seekg(static_cast<std::streamoff>(offset));
        const auto byte = static_cast<char>(~stream.get());
        stream.seekp(static_cast<std::streamoff>(offset));
        stream.put(byte);
        ASSERT_TRUE(stream.good());
    }
    /// Frames since the log was last started afresh: they carry the salts of its header.
    static std::uint64_t frames_in_use(const std::string& log) {
        std::ifstream stream{log, std::ios::binary};
        const std::string bytes{std::istreambuf_iterator<char>{stream}, {}};
        std::uint64_t count = 0;
        while (log_header_bytes + (count + 1) * frame_bytes <= bytes.size() &&
               bytes.compare(log_header_bytes + count * frame_bytes + 8, 8, bytes, 16, 8) == 0) {
            ++count;
        }
        return count;
    }
    void sql(const std::string& statement, const std::string& suffix = "") {
        auto connection = Connection::open({.path = path_ + suffix, .writable = true});
        ASSERT_EQ(connection.run(statement), SQLITE_OK) << connection.message();
    }
    /// The message of the refusal to open for writing, which must have this fault.
    std::string refused(JournalFault fault) {
        const auto journal = open_journal({.path = path_});
        if (journal) {
            ADD_FAILURE() << "it opened at revision " << (*journal)->head()->revision;
            return {};
        }
        EXPECT_EQ(journal.error().fault, fault) << journal.error().message;
        return journal.error().message;
    }
    static testing::AssertionResult says(const std::string& message, std::string_view part) {
        if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
        return testing::AssertionFailure() << "'" << message << "' does not say '" << part << "'";
    }

    TestFolder directory_;
    std::string live_ = directory_.file("live.db");
    std::string path_ = directory_.file("weir.db");
};

TEST_F(Damage, ACrashAloneIsNoDamage) {
    make_crashed_store();
    auto journal = open(path_);
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->head()->revision, 20U);
    EXPECT_FALSE(journal->verify(1, 20)->bad);
}

TEST_F(Damage, AFileThatIsNoDatabaseIsSaidToBeDamaged) {
    make_closed_store(5);
    for (std::uint64_t i = 0; i < 16; ++i) flip(path_, i);
    const auto message = refused(JournalFault::damaged);
    EXPECT_TRUE(says(message, path_));
    EXPECT_TRUE(says(message, "restore from the newest backup"));
    EXPECT_FALSE(open_reader(path_));
}

TEST_F(Damage, ATruncatedOrEmptyFileIsSaidToBeDamaged) {
    make_closed_store(50, 2'000);
    std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
    refused(JournalFault::damaged);
    std::filesystem::resize_file(path_, 0);
    EXPECT_TRUE(says(refused(JournalFault::damaged), "empty"));
}

TEST_F(Damage, PartsWithoutTheMainFileAreNotTakenForANewStore) {
    make_crashed_store();
    std::filesystem::remove(path_);
    EXPECT_TRUE(says(refused(JournalFault::damaged), "-wal"));
    std::filesystem::rename(path_ + "-wal", path_ + ".snapshots");
    EXPECT_TRUE(says(refused(JournalFault::damaged), ".snapshots"));
}

TEST_F(Damage, BitRotInTheLogIsToldFromATornWrite) {
    make_crashed_store();
    flip(path_ + "-wal", log_header_bytes + 4 * frame_bytes + 5'000);
    const auto message = refused(JournalFault::damaged);
    EXPECT_TRUE(says(message, "breaks at frame 5 of"));
    flip(path_ + "-wal", log_header_bytes + 4 * frame_bytes + 5'000);
    flip(path_ + "-wal", 17);
    EXPECT_TRUE(says(refused(JournalFault::damaged), "breaks at frame 0 of")) << "the log's header";
    flip(path_ + "-wal", 17);

    // Inside the last commit: as a power cut before its sync would leave it.
    flip(path_ + "-wal", log_header_bytes + frames_in_use(path_ + "-wal") * frame_bytes - 10);
    auto journal = open(path_);
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->head()->revision, 19U);
}

TEST_F(Damage, ALogThatWasTakenAwayIsNoticedBySnapshotsAheadOfTheJournal) {
    {
        auto journal = open(live_);
        append(*journal, 10);
        ASSERT_TRUE(journal->checkpoint());
        append(*journal, 10);
        ASSERT_TRUE(journal->put_snapshot({20, 1, {}, "state"}));
        std::filesystem::copy_file(live_, path_);
        std::filesystem::copy_file(live_ + ".snapshots", path_ + ".snapshots");
    }
    const auto message = refused(JournalFault::damaged);
    EXPECT_TRUE(says(message, "ends at revision 10"));
    EXPECT_TRUE(says(message, "revision 20"));
}

TEST_F(Damage, AChangedRecordAtTheTailStopsTheOpening) {
    make_closed_store(20);
    sql("UPDATE journal SET text='forged' WHERE revision=15");
    EXPECT_TRUE(says(refused(JournalFault::damaged), "revision 15"));
}

TEST_F(Damage, VerifyNamesTheFirstBadRevisionWithBothHashes) {
    make_closed_store(20);
    sql("UPDATE journal SET text='forged' WHERE revision=7");
    auto reader = open_reader(path_).value();
    const auto result = reader->verify(1, 20).value();
    ASSERT_TRUE(result.bad);
    EXPECT_EQ(result.bad->revision, 7U);
    EXPECT_EQ(result.end.revision, 6U);
    EXPECT_EQ(result.bad->computed, chain(result.end.hash, "forged"));
    EXPECT_EQ(result.bad->stored, reader->read(7, 1, 1)->at(0).hash);
    EXPECT_TRUE(says(result.bad->problem, result.bad->stored.text()));
    EXPECT_TRUE(says(result.bad->problem, "until revision 6"));
    EXPECT_FALSE(reader->verify(8, 20)->bad) << "the rest still follows from the stored hash";
}

TEST_F(Damage, AMissingRecordIsNoShorterJournal) {
    make_closed_store(20);
    sql("DELETE FROM journal WHERE revision=7");
    auto reader = open_reader(path_).value();
    EXPECT_EQ(reader->verify(1, 20)->bad->revision, 7U);
    const auto read = reader->read(5, 10, 1'000);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().fault, JournalFault::damaged);
    EXPECT_TRUE(says(read.error().message, "revision 7"));
}

TEST_F(Damage, ADamagedPageIsReportedByTheRevisionThatCannotBeRead) {
    make_closed_store(200, 2'000);
    const auto size = std::filesystem::file_size(path_);
    for (std::uint64_t i = 0; i < 8'192; ++i) flip(path_, size / 2 / 8'192 * 8'192 + i);
    auto reader = open_reader(path_).value();
    const auto result = reader->verify(1, 200).value();
    ASSERT_TRUE(result.bad);
    EXPECT_EQ(result.bad->revision, result.end.revision + 1);
    const auto read = reader->read(result.bad->revision, 10, 1U << 20U);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().fault, JournalFault::damaged) << read.error().message;
}

TEST_F(Damage, ABadSnapshotFallsBackToTheOneBefore) {
    auto journal = open(path_);
    append(*journal, 20);
    ASSERT_TRUE(journal->put_snapshot({10, 1, {}, "good"}));
    ASSERT_TRUE(journal->put_snapshot({20, 1, {}, "bad"}));
    sql("UPDATE snapshot SET bytes='bed' WHERE revision=20", ".snapshots");
    const auto search = journal->latest_snapshot(1).value();
    ASSERT_TRUE(search.found);
    EXPECT_EQ(search.found->bytes, "good");
    ASSERT_EQ(search.passed_over.size(), 1U);
    EXPECT_TRUE(says(search.passed_over[0], "revision 20"));
    sql("UPDATE snapshot SET journal_hash=zeroblob(32) WHERE revision=10", ".snapshots");
    EXPECT_FALSE(journal->latest_snapshot(1)->found) << "nor one of another journal";
}

TEST_F(Damage, ASnapshotFileThatCannotBeReadCostsAReplayAndIsMadeAnew) {
    {
        auto journal = open(path_);
        append(*journal, 20);
        ASSERT_TRUE(journal->put_snapshot({20, 1, {}, "state"}));
    }
    for (std::uint64_t i = 0; i < 16; ++i) flip(path_ + ".snapshots", i);
    auto journal = open(path_);
    ASSERT_TRUE(journal);
    const auto search = journal->latest_snapshot(1).value();
    EXPECT_FALSE(search.found);
    EXPECT_EQ(search.passed_over.size(), 1U);
    ASSERT_TRUE(journal->put_snapshot({20, 1, {}, "state again"}));
    EXPECT_EQ(journal->latest_snapshot(1)->found->bytes, "state again");
}

// Found by an attack: the file could still be opened, every snapshot from then on was refused, and the words told to restore a backup.
TEST_F(Damage, ASnapshotFileThatBreaksInTheMiddleIsMadeAnewToo) {
    {
        auto journal = open(path_);
        append(*journal, 20);
        for (const std::uint64_t revision : {10, 20}) ASSERT_TRUE(journal->put_snapshot({revision, 1, {}, std::string(100'000, 's')}));
    }
    constexpr std::uint64_t page = 4096;
    for (std::uint64_t number = 1; number < 20; ++number) {
        for (std::uint64_t i = 0; i < 8; ++i) flip(path_ + ".snapshots", number * page + i);
    }
    auto journal = open(path_);
    ASSERT_TRUE(journal);
    append(*journal, 1);
    const auto search = journal->latest_snapshot(1).value();
    EXPECT_FALSE(search.found);
    ASSERT_FALSE(search.passed_over.empty());
    EXPECT_TRUE(says(search.passed_over[0], "nothing is lost")) << search.passed_over[0];
    EXPECT_FALSE(says(search.passed_over[0], "backup")) << search.passed_over[0];
    ASSERT_TRUE(journal->put_snapshot({21, 1, {}, "state"}));
    EXPECT_EQ(journal->latest_snapshot(1)->found->bytes, "state");
}

TEST_F(Damage, ANewerFormatAndAnotherProgramsFileAreRefused) {
    make_closed_store(3);
    sql("UPDATE meta SET value='2' WHERE key='weir.format'");
    EXPECT_TRUE(says(refused(JournalFault::unknown_format), "format 2"));
    sql("PRAGMA application_id=1");
    EXPECT_TRUE(says(refused(JournalFault::unknown_format), "another program"));
}

TEST_F(Damage, TheSecondServerIsToldTheFirstOnesProcess) {
    auto first = open(path_);
    EXPECT_TRUE(says(refused(JournalFault::in_use), fmt::format("process {}", ::getpid())));
    first.reset();
    EXPECT_TRUE(open(path_)) << "a lock file that is left over is no obstacle";
}

TEST_F(Damage, AMissingStoreIsNotMadeUnlessAsked) {
    const auto journal = open_journal({.path = path_, .create = false});
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().fault, JournalFault::not_found);
    EXPECT_EQ(open_reader(path_).error().fault, JournalFault::not_found);
    EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace weir::store
