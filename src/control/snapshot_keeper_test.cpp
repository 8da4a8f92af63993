// Goal: the state that snapshots are made of is the journal's, whatever went wrong while it was followed.
#include "control/snapshot_keeper.hpp"

#include "ports/fake_journal.hpp"
#include "ports/record_chain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace weir::control {
namespace {

/// Gives `left` records more, a few at a time, and then fails once.
class FailsOnce final : public ports::FakeJournal {
public:
    explicit FailsOnce(std::size_t left) : left_{left} {}

    ports::JournalResult<std::vector<ports::Record>> read(std::uint64_t from, std::size_t most, std::size_t bytes) override {
        if (left_ == 0) {
            left_ = SIZE_MAX;
            return fail(ports::JournalError{ports::JournalFault::unavailable, "cannot read now"});
        }
        auto records = FakeJournal::read(from, std::min(most, left_), bytes);
        if (left_ != SIZE_MAX) left_ -= records->size();
        return records;
    }

private:
    std::size_t left_;
};

/// An account is opened once; a second time breaks the books.
Entry opens_account(std::uint64_t revision) {
    LedgerPosted posted;
    posted.opened.push_back({.id = {Uid{0, revision}}, .at = Instant{1}, .ledger = 1, .code = ledger::AccountCode::treasury});
    return {revision, Instant{1}, "system", Event{std::move(posted)}};
}

std::shared_ptr<const Committed> batch_of(std::uint64_t first, std::uint64_t last) {
    auto batch = std::make_shared<Committed>();
    for (auto revision = first; revision <= last; ++revision) batch->entries.push_back(opens_account(revision));
    batch->revision = last;
    return batch;
}

TEST(SnapshotKeeper, GoesOnWithinABatchWhoseReadingFailed) {
    const std::vector batches{batch_of(1, 1), batch_of(2, 5)};
    auto journal = std::make_unique<FailsOnce>(3);
    Core core;
    const State empty = core.state;
    Reader reader{std::move(core), {.batches = 1, .bytes = 1'000}};
    ports::Head head;
    for (const auto& batch : batches) {
        std::vector<std::string> texts;
        for (const auto& entry : batch->entries) write_entry(entry, texts.emplace_back());
        head = journal->append(ports::records_after(head, texts), journal->epoch()).value();
        reader.take(batch);
    }
    ports::FakeJournal snapshots;
    SnapshotKeeper keeper{empty, 0, reader, snapshots, std::move(journal), 1'000};

    ASSERT_FALSE(keeper.follow());
    EXPECT_EQ(keeper.state().revision, 3U) << "what was read is kept, up to the middle of a batch";
    ASSERT_TRUE(keeper.follow());
    EXPECT_FALSE(keeper.state().ledger_broken) << "no event was taken twice";
    EXPECT_EQ(digest_of(keeper.state()), reader.ask([](const Core& read) { return digest_of(read.state); }));
}

}  // namespace
}  // namespace weir::control
