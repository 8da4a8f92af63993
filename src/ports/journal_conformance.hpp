// ports/journal_conformance.hpp: the one suite that every journal adapter passes.
//
// Goal: whatever the store, control sees the same promises (ports/journal.hpp).
// Method: typed tests over a World, which each adapter's test defines:
//
//     struct World {
//         JournalResult<std::unique_ptr<Journal>> open();               // the same store at each call, made by the first
//         JournalResult<std::unique_ptr<Journal>> open_without_lock();  // as a server that the process lock does not stop
//         JournalResult<std::unique_ptr<JournalReader>> open_backup(const std::string& path);
//         std::string fresh_path();                                     // where a backup may be written
//     };
//     INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JournalConformance, World);
//
// What only one adapter can do (damage to its files, its disk full) is tested beside that adapter.
#pragma once

#include "ports/journal.hpp"
#include "ports/record_chain.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace weir::ports {

inline std::vector<std::string> numbered_texts(std::size_t count, std::string_view word = "event") {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back("{\"" + std::string{word} + "\":" + std::to_string(i) + "}");
    return texts;
}

template <class World>
class JournalConformance : public testing::Test {
protected:
    std::unique_ptr<Journal> must_open() {
        auto journal = world_.open();
        if (!journal) {
            ADD_FAILURE() << journal.error().message;
            return nullptr;
        }
        return std::move(*journal);
    }
    /// Appends the texts after the head, which must succeed.
    static std::vector<Record> must_append(Journal& journal, const std::vector<std::string>& texts) {
        auto records = records_after(journal.head().value(), texts);
        const auto head = journal.append(records, journal.epoch());
        EXPECT_TRUE(head) << head.error().message;
        return records;
    }
    template <class T>
    static std::optional<JournalFault> fault(const JournalResult<T>& result) {
        if (result) return std::nullopt;
        EXPECT_FALSE(result.error().message.empty());
        return result.error().fault;
    }
    static std::vector<Record> all(JournalReader& reader) { return reader.read(1, 1'000'000, 1U << 30U).value(); }

    World world_;
};

TYPED_TEST_SUITE_P(JournalConformance);

TYPED_TEST_P(JournalConformance, ANewStoreIsEmptyAndHasAnIdentity) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->head().value(), Head{});
    EXPECT_EQ(journal->epoch().number, 1U);
    EXPECT_TRUE(this->all(*journal).empty());
    EXPECT_FALSE(journal->identity()->store_id.empty());
    EXPECT_EQ(journal->identity()->lineage, "");
    EXPECT_EQ(journal->verify(1, 100)->records, 0U);
    EXPECT_FALSE(journal->latest_snapshot(1)->found);
}

TYPED_TEST_P(JournalConformance, WhatIsAppendedIsReadBackByteForByteAndSurvivesReopening) {
    std::vector<Record> written;
    std::string store_id;
    // Bytes that a careless adapter would change: quotes, line ends, characters beyond ASCII and beyond 16 bits, invalid UTF-8.
    const std::vector<std::string> odd{"{\"a\":\"'\\\"\"}", "\r\n\t ", "堰 Weir 𝔚", std::string{"\xff\xfe"}, std::string(100'000, 'x')};
    {
        auto journal = this->must_open();
        ASSERT_TRUE(journal);
        store_id = journal->identity()->store_id;
        written = this->must_append(*journal, odd);
        for (const auto& record : this->must_append(*journal, numbered_texts(100))) written.push_back(record);
        EXPECT_EQ(journal->head()->revision, 105U);
        EXPECT_EQ(this->all(*journal), written);
    }
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->identity()->store_id, store_id);
    EXPECT_EQ(journal->head().value(), (Head{105, written.back().hash}));
    EXPECT_EQ(this->all(*journal), written);
    EXPECT_EQ(journal->verify(1, ~0ULL)->records, 105U);
    EXPECT_FALSE(journal->verify(1, ~0ULL)->bad);
}

TYPED_TEST_P(JournalConformance, ReadingIsBoundedByRecordsAndBytesButAlwaysAdvances) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    this->must_append(*journal, {"aaaa", "bbbb", "cccc", std::string(1000, 'd')});
    const auto revisions = [&](std::uint64_t from, std::size_t records, std::size_t bytes) {
        const auto read = journal->read(from, records, bytes).value();
        return read.empty() ? std::pair{std::uint64_t{0}, std::uint64_t{0}} : std::pair{read.front().revision, read.back().revision};
    };
    using Range = std::pair<std::uint64_t, std::uint64_t>;
    EXPECT_EQ(revisions(1, 2, 1000), (Range{1, 2}));
    EXPECT_EQ(revisions(0, 2, 1000), (Range{1, 2}));
    EXPECT_EQ(revisions(2, 100, 8), (Range{2, 3}));
    EXPECT_EQ(revisions(2, 100, 7), (Range{2, 2}));
    EXPECT_EQ(revisions(4, 100, 0), (Range{4, 4})) << "a record larger than max_bytes comes alone";
    EXPECT_EQ(revisions(5, 100, 1000), (Range{0, 0}));
    EXPECT_EQ(revisions(1, 0, 1000), (Range{0, 0}));
}

TYPED_TEST_P(JournalConformance, ABatchThatDoesNotContinueTheHeadIsRefusedWhole) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    this->must_append(*journal, numbered_texts(3));
    const auto head = journal->head().value();
    const auto epoch = journal->epoch();
    const auto refused = [&](std::vector<Record> batch) { return this->fault(journal->append(batch, epoch)); };

    auto batch = records_after(head, numbered_texts(3, "next"));
    auto gap = batch;
    gap.erase(gap.begin() + 1);
    EXPECT_EQ(refused(gap), JournalFault::does_not_continue) << "a gap inside";
    EXPECT_EQ(refused({batch.begin() + 1, batch.end()}), JournalFault::does_not_continue) << "a gap before";
    EXPECT_EQ(refused(records_after({2, Digest{}}, std::vector<std::string>{"x"})), JournalFault::does_not_continue) << "a revision again";
    EXPECT_EQ(refused(records_after({3, sha256("another history")}, std::vector<std::string>{"x"})), JournalFault::does_not_continue)
        << "another chain";
    auto forged = batch;
    forged.back().text += " ";
    EXPECT_EQ(refused(forged), JournalFault::does_not_continue) << "a text that its hash does not cover";
    EXPECT_EQ(refused({}), JournalFault::limit_exceeded);

    EXPECT_EQ(journal->head().value(), head);
    EXPECT_EQ(this->all(*journal).size(), 3U) << "nothing of a refused batch is there";
    EXPECT_EQ(refused(batch), std::nullopt) << "and the journal goes on";
}

TYPED_TEST_P(JournalConformance, EverythingHasALimit) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    const auto refused = [&](const std::vector<Record>& batch) { return this->fault(journal->append(batch, journal->epoch())); };
    EXPECT_EQ(refused(records_after({}, std::vector<std::string>{""})), JournalFault::limit_exceeded);
    EXPECT_EQ(refused(records_after({}, std::vector<std::string>{std::string(max_record_bytes + 1, 'x')})), JournalFault::limit_exceeded);
    EXPECT_EQ(refused(records_after({}, std::vector<std::string>(max_batch_records + 1, "x"))), JournalFault::limit_exceeded);
    const std::vector<std::string> heavy(max_batch_bytes / max_record_bytes + 1, std::string(max_record_bytes, 'x'));
    EXPECT_EQ(refused(records_after({}, heavy)), JournalFault::limit_exceeded);
    EXPECT_EQ(refused(records_after({}, std::vector<std::string>{std::string(max_record_bytes, 'x')})), std::nullopt)
        << "the exact boundary is allowed";
    EXPECT_EQ(this->fault(journal->put_snapshot({0, 1, {}, ""})), JournalFault::limit_exceeded);
    EXPECT_EQ(this->fault(journal->set_meta("", "x", journal->epoch())), JournalFault::limit_exceeded);
    EXPECT_EQ(this->fault(journal->set_meta("weir.epoch", "9", journal->epoch())), JournalFault::limit_exceeded);
    EXPECT_EQ(this->fault(journal->set_meta("key", std::string(max_meta_bytes + 1, 'x'), journal->epoch())), JournalFault::limit_exceeded);
}

TYPED_TEST_P(JournalConformance, EachOpeningTakesANewEpochAndASecondServerIsRefused) {
    auto first = this->must_open();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->epoch().number, 1U);
    EXPECT_EQ(this->fault(this->world_.open()), JournalFault::in_use);
    this->must_append(*first, {"still ours"});
    first.reset();
    auto second = this->must_open();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->epoch().number, 2U) << "an opening that was refused took none";
}

TYPED_TEST_P(JournalConformance, AnOldEpochIsFencedEvenWhereTheLockDoesNotHold) {
    auto old = this->must_open();
    ASSERT_TRUE(old);
    this->must_append(*old, numbered_texts(2));
    auto now = this->world_.open_without_lock();
    ASSERT_TRUE(now) << now.error().message;
    EXPECT_GT((*now)->epoch(), old->epoch());
    EXPECT_EQ((*now)->head()->revision, 2U);

    const auto batch = records_after(old->head().value(), std::vector<std::string>{"from the past"});
    EXPECT_EQ(this->fault(old->append(batch, old->epoch())), JournalFault::fenced);
    EXPECT_EQ(this->fault(old->append(batch, (*now)->epoch())), JournalFault::fenced) << "another's epoch is no help";
    EXPECT_EQ(this->fault(old->set_meta("key", "past", old->epoch())), JournalFault::fenced);
    EXPECT_EQ(this->fault((*now)->append(batch, old->epoch())), JournalFault::fenced);
    EXPECT_EQ(this->all(**now).size(), 2U);
    EXPECT_EQ((*now)->meta("key").value(), std::nullopt);
    this->must_append(**now, {"goes on"});
    EXPECT_EQ(this->fault(old->append(batch, old->epoch())), JournalFault::fenced);
    EXPECT_EQ(this->all(**now).back().text, "goes on");
}

TYPED_TEST_P(JournalConformance, ReadersOnOtherThreadsSeeOnlyWholeBatchesWhileTheWriterAppends) {
    constexpr std::size_t batch_size = 7;
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> torn{0}, broken{0}, errors{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        auto reader = journal->open_reader();
        ASSERT_TRUE(reader) << reader.error().message;
        threads.emplace_back([&, mine = std::move(*reader)] {
            Head seen;
            for (bool last = false; !last;) {
                last = done;
                const auto head = mine->head();
                const auto records = mine->read(seen.revision + 1, 1'000, 1U << 20U);
                if (!head || !records)
                    ++errors;
                else {
                    if (head->revision % batch_size != 0) ++torn;
                    for (const auto& record : *records) {
                        if (record.hash != chain(seen.hash, record.text)) ++broken;
                        seen = {record.revision, record.hash};
                    }
                }
            }
            if (seen.revision != 60 * batch_size) ++broken;
        });
    }
    for (int i = 0; i < 60; ++i) {
        this->must_append(*journal, numbered_texts(batch_size));
        if (i % 20 == 10) { EXPECT_TRUE(journal->checkpoint()); }
    }
    done = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(torn, 0U);
    EXPECT_EQ(broken, 0U);
    EXPECT_EQ(errors, 0U);
}

TYPED_TEST_P(JournalConformance, TheNewestSnapshotOfAVersionIsFoundAndOldOnesAreForgotten) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    this->must_append(*journal, numbered_texts(50));
    for (const std::uint64_t revision : {10U, 20U, 30U, 40U}) {
        const Snapshot snapshot{revision, 2, sha256(std::to_string(revision)), "state at " + std::to_string(revision)};
        ASSERT_TRUE(journal->put_snapshot(snapshot));
    }
    ASSERT_TRUE(journal->put_snapshot({45, 1, {}, std::string{"an older\0layout", 15}}));
    EXPECT_EQ(this->fault(journal->put_snapshot({51, 2, {}, "ahead"})), JournalFault::does_not_continue);

    const auto check = [&](JournalReader& reader) {
        const auto newest = reader.latest_snapshot(2).value();
        ASSERT_TRUE(newest.found);
        EXPECT_EQ(newest.found->revision, 40U);
        EXPECT_EQ(newest.found->bytes, "state at 40");
        EXPECT_EQ(newest.found->state, sha256("40"));
        ASSERT_EQ(newest.passed_over.size(), 1U) << "the one of version 1 is newer, and said to be of no use";
        EXPECT_NE(newest.passed_over[0].find("version 1"), std::string::npos) << newest.passed_over[0];
        EXPECT_EQ(reader.latest_snapshot(2, 39)->found->revision, 30U);
        EXPECT_EQ(reader.latest_snapshot(2, 29)->found->revision, 20U);
        EXPECT_FALSE(reader.latest_snapshot(2, 19)->found) << "only the last " << snapshots_kept << " are kept";
        EXPECT_EQ(reader.latest_snapshot(1)->found->bytes.size(), 15U);
        EXPECT_FALSE(reader.latest_snapshot(3)->found);
    };
    check(*journal);
    check(**journal->open_reader());
    journal.reset();
    check(*this->must_open());
}

TYPED_TEST_P(JournalConformance, MetaIsKept) {
    {
        auto journal = this->must_open();
        ASSERT_TRUE(journal);
        EXPECT_EQ(journal->meta("witness").value(), std::nullopt);
        EXPECT_TRUE(journal->set_meta("witness", "one", journal->epoch()));
        EXPECT_TRUE(journal->set_meta("witness", "two", journal->epoch()));
    }
    EXPECT_EQ(this->must_open()->meta("witness").value(), "two");
}

TYPED_TEST_P(JournalConformance, ACheckpointLosesNothing) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    this->must_append(*journal, numbered_texts(500));
    const auto moved = journal->checkpoint();
    ASSERT_TRUE(moved) << moved.error().message;
    EXPECT_TRUE(moved->complete);
    this->must_append(*journal, numbered_texts(5));
    EXPECT_EQ(this->all(*journal).size(), 505U);
    EXPECT_FALSE(journal->verify(1, 505)->bad);
}

TYPED_TEST_P(JournalConformance, VerificationCoversExactlyTheRangeAsked) {
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    const auto records = this->must_append(*journal, numbered_texts(20));
    EXPECT_EQ(journal->verify(5, 8)->records, 4U);
    EXPECT_EQ(journal->verify(5, 8)->end, (Head{8, records[7].hash}));
    EXPECT_EQ(journal->verify(0, 99)->records, 20U);
    EXPECT_EQ(journal->verify(9, 8)->records, 0U);
    EXPECT_EQ(journal->verify(21, 30)->records, 0U);
}

TYPED_TEST_P(JournalConformance, ABackupTakenWhileTheWriterAppendsIsAWholePrefix) {
    constexpr std::size_t batch_size = 10;
    auto journal = this->must_open();
    ASSERT_TRUE(journal);
    this->must_append(*journal, std::vector<std::string>(500, std::string(500, 'x')));
    ASSERT_TRUE(journal->put_snapshot({300, 1, sha256("s"), "state at 300"}));
    const auto path = this->world_.fresh_path();
    std::atomic<bool> done{false};
    JournalResult<BackupReport> report = BackupReport{};
    std::thread backup{[&] {
        report = journal->backup_to(path);
        done = true;
    }};
    int batches = 0;
    do { this->must_append(*journal, numbered_texts(batch_size)); } while (++batches < 1'000 && !done);
    backup.join();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->head.revision % batch_size, 0U);
    EXPECT_GE(report->head.revision, 500U);
    EXPECT_GT(report->size_bytes, 250'000U);

    auto copy = this->world_.open_backup(path);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ((*copy)->head().value(), report->head);
    EXPECT_FALSE((*copy)->verify(1, ~0ULL)->bad);
    EXPECT_EQ((*copy)->identity()->store_id, journal->identity()->store_id);
    EXPECT_EQ((*copy)->latest_snapshot(1)->found->bytes, "state at 300");
    const auto there = journal->read(report->head.revision, 1, 1).value();
    EXPECT_EQ(there.at(0).hash, report->head.hash);
    EXPECT_EQ(this->fault(journal->backup_to(path)), JournalFault::already_exists);
}

REGISTER_TYPED_TEST_SUITE_P(JournalConformance, ANewStoreIsEmptyAndHasAnIdentity, WhatIsAppendedIsReadBackByteForByteAndSurvivesReopening,
                            ReadingIsBoundedByRecordsAndBytesButAlwaysAdvances, ABatchThatDoesNotContinueTheHeadIsRefusedWhole,
                            EverythingHasALimit, EachOpeningTakesANewEpochAndASecondServerIsRefused,
                            AnOldEpochIsFencedEvenWhereTheLockDoesNotHold, ReadersOnOtherThreadsSeeOnlyWholeBatchesWhileTheWriterAppends,
                            TheNewestSnapshotOfAVersionIsFoundAndOldOnesAreForgotten, MetaIsKept, ACheckpointLosesNothing,
                            VerificationCoversExactlyTheRangeAsked, ABackupTakenWhileTheWriterAppendsIsAWholePrefix);

}  // namespace weir::ports
