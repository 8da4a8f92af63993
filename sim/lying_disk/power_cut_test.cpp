// Goal: whatever the disk does at a power cut, an I/O error or without space, every acknowledged record is there
// afterwards, the chain holds, and of a batch that was under way there is all or nothing.
//
// Method: a server's life is played on a lying machine from a seed: random batches, checkpoints, snapshots and reopenings,
// with a fault at a random operation; then the store is opened again and compared with what was acknowledged. Short
// scripts are cut at each of their operations. The same lives with a store that does not sync must lose records: else the
// suite could not see a loss at all.
#include "adapters/sqlite/sqlite.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "ports/record_chain.hpp"
#include "sim/lying_disk/lying_vfs.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace weir::sim {
namespace {

using ports::Head;
using ports::Journal;
using ports::JournalFault;
using ports::Record;
using store::Synchronous;

enum class Violation : std::uint8_t {
    none = 0,
    cannot_open = 1,
    lost_record = 2,
    invented_record = 3,
    broken_chain = 4,
    wrong_snapshot = 5
};

struct Verdict {
    Violation violation = Violation::none;
    std::string what;
    explicit operator bool() const { return violation != Violation::none; }
};

/// One store on one machine, and what its callers were told.
class Life {
public:
    Life(std::uint64_t seed, Synchronous synchronous) : machine_{seed}, random_{seed, "a server's life"}, synchronous_{synchronous} {}
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;

    [[nodiscard]] LyingMachine& machine() { return machine_; }
    [[nodiscard]] LyingDisk& disk() { return machine_.disk(); }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.size(); }
    [[nodiscard]] bool is_open() const { return journal_ != nullptr; }
    [[nodiscard]] std::optional<JournalFault> last_fault() const { return last_fault_; }
    void close() { journal_.reset(); }

    /// Opens the store and compares it with what was acknowledged; a power cut on the way is no violation.
    Verdict open() {
        journal_.reset();
        auto opened = store::open_journal({.path = "weir.db",
                                           .checkpoint_log_mib = 1,
                                           .page_bytes = 1024,
                                           .synchronous = synchronous_,
                                           .vfs = machine_.name(),
                                           .lock_file = false});
        if (!opened) {
            last_fault_ = opened.error().fault;
            if (disk().power_is_off() || faults_expected_) return {};
            return {Violation::cannot_open, opened.error().message};
        }
        journal_ = std::move(*opened);
        return compare();
    }

    /// Appends a random batch; false if the store refused.
    bool append() {
        std::vector<std::string> texts(1 + random_.below(5));
        for (auto& text : texts)
            text.assign(1 + random_.below(random_.chance(1, 8) ? 9'000 : 400), static_cast<char>('a' + random_.below(26)));
        const Head head_before = acknowledged_.empty() ? Head{} : Head{acknowledged_.back().revision, acknowledged_.back().hash};
        in_flight_ = ports::records_after(head_before, texts);
        const auto head = journal_->append(in_flight_, journal_->epoch());
        if (!head) {
            last_fault_ = head.error().fault;
            return false;
        }
        acknowledged_.insert(acknowledged_.end(), in_flight_.begin(), in_flight_.end());
        in_flight_.clear();
        return true;
    }
    /// Whether the open store refuses an append that would continue it.
    [[nodiscard]] bool refuses_everything() {
        const Head head = acknowledged_.empty() ? Head{} : Head{acknowledged_.back().revision, acknowledged_.back().hash};
        const std::vector<std::string> texts{"more"};
        return !journal_->append(ports::records_after(head, texts), journal_->epoch()) && !journal_->head() && !journal_->read(1, 1, 1) &&
               !journal_->checkpoint();
    }
    void checkpoint() {
        if (const auto moved = journal_->checkpoint(); !moved) last_fault_ = moved.error().fault;
    }
    /// Somebody who goes on reading what is there now, for as long as the connection lives.
    [[nodiscard]] store::Connection read_on() {
        auto reader = store::Connection::open({.path = "weir.db", .vfs = machine_.name()});
        (void)(reader && reader.run("BEGIN; SELECT count(*) FROM journal") == SQLITE_OK);
        return reader;
    }
    void snapshot() {
        const auto bytes = fmt::format("state at {}{}", acknowledged_.size(), std::string(random_.below(3'000), '.'));
        if (journal_->put_snapshot({acknowledged_.size(), 1, sha256(bytes), bytes})) snapshot_ = acknowledged_.size();
    }
    /// Runs until the store refuses an append or `steps` are done.
    Verdict live(int steps) {
        for (int i = 0; i < steps && journal_; ++i) {
            if (!append()) return {};
            if (random_.chance(1, 8)) checkpoint();
            if (random_.chance(1, 10)) snapshot();
            if (random_.chance(1, 20)) {
                if (auto verdict = open()) return verdict;
            }
        }
        return {};
    }
    /// While faults are expected an opening may be refused.
    void expect_faults(bool expected) { faults_expected_ = expected; }
    [[nodiscard]] Random& random() { return random_; }

private:
    Verdict compare() {
        const auto verified = journal_->verify(1, ~0ULL).value();
        if (verified.bad) return {Violation::broken_chain, verified.bad->problem};
        const auto records = journal_->read(1, 1'000'000, 1U << 30U).value();
        if (records.size() < acknowledged_.size()) {
            return {Violation::lost_record,
                    fmt::format("{} records are there, {} were acknowledged", records.size(), acknowledged_.size())};
        }
        std::vector<Record> with_batch = acknowledged_;
        with_batch.insert(with_batch.end(), in_flight_.begin(), in_flight_.end());
        if (records != acknowledged_ && records != with_batch) {
            return {Violation::invented_record, fmt::format("{} records are there; {} were acknowledged and {} under way", records.size(),
                                                            acknowledged_.size(), in_flight_.size())};
        }
        acknowledged_ = records;
        in_flight_.clear();
        const auto search = journal_->latest_snapshot(1).value();
        if (search.found && sha256(search.found->bytes) != search.found->state) return {Violation::wrong_snapshot, "its bytes changed"};
        if (snapshot_ > 0 && (!search.found || search.found->revision < snapshot_)) {
            return {Violation::wrong_snapshot,
                    fmt::format("the snapshot of revision {} is gone: {}", snapshot_, fmt::join(search.passed_over, "; "))};
        }
        return {};
    }

    LyingMachine machine_;
    Random random_;
    Synchronous synchronous_;
    std::unique_ptr<Journal> journal_;
    std::vector<Record> acknowledged_;
    std::vector<Record> in_flight_;
    std::uint64_t snapshot_ = 0;
    std::optional<JournalFault> last_fault_;
    bool faults_expected_ = false;
};

/// Four lives, each ended by a power cut at a random operation, and a last look.
Verdict random_cuts(std::uint64_t seed, Synchronous synchronous, CutCounts* counts = nullptr) {
    Life life{seed, synchronous};
    for (int cut = 0; cut < 4; ++cut) {
        life.disk().cut_power_at(life.disk().operations() + 1 + life.random().below(cut == 0 ? 60 : 250));
        if (auto verdict = life.open()) return verdict;
        if (life.is_open()) {
            if (auto verdict = life.live(200)) return verdict;
        }
        life.close();
        life.machine().restart();
    }
    auto verdict = life.open();
    if (counts != nullptr) {
        const auto& seen = life.disk().counts();
        counts->sectors_kept += seen.sectors_kept;
        counts->sectors_lost += seen.sectors_lost;
        counts->torn_writes += seen.torn_writes;
        counts->names_lost += seen.names_lost;
    }
    return verdict;
}

/// How many seeds to play: WEIR_SOAK_SEEDS, or a few hundred.
std::uint64_t seeds_to_play() {
    const char* asked = std::getenv("WEIR_SOAK_SEEDS");
    return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 250;
}

TEST(PowerCut, NoAcknowledgedRecordIsLostAndNoBatchIsHalved) {
    CutCounts counts;
    for (std::uint64_t seed = 0; seed < seeds_to_play(); ++seed) {
        const auto verdict = random_cuts(seed, Synchronous::full, &counts);
        ASSERT_FALSE(verdict) << "seed " << seed << ": " << verdict.what;
    }
    // The lives above did meet what they are about.
    EXPECT_GT(counts.sectors_lost, 1'000U);
    EXPECT_GT(counts.sectors_kept, 1'000U);
    EXPECT_GT(counts.torn_writes, 100U);
    EXPECT_GT(counts.names_lost, 10U);
}

// If these passed, the test above would prove nothing.
TEST(PowerCut, AStoreThatDoesNotSyncIsCaughtLosingRecords) {
    for (const auto synchronous : {Synchronous::off, Synchronous::normal}) {
        int lost = 0;
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            if (random_cuts(seed, synchronous).violation == Violation::lost_record) ++lost;
        }
        EXPECT_GT(lost, 0) << "synchronous=" << static_cast<int>(synchronous);
    }
}

/// A life that makes a store and uses all of it, without chance but for the sizes.
Verdict script(Life& life) {
    if (auto verdict = life.open()) return verdict;
    const auto batch = [&] { return life.is_open() && life.append(); };
    if (!batch() || !batch()) return {};
    life.checkpoint();
    if (!batch()) return {};
    life.snapshot();
    if (!batch()) return {};
    life.close();
    if (auto verdict = life.open()) return verdict;
    batch();
    return {};
}

std::uint64_t operations_of_script(std::uint64_t seed) {
    Life life{seed, Synchronous::full};
    EXPECT_FALSE(script(life));
    life.close();
    return life.disk().operations();
}

TEST(PowerCut, EveryOperationOfAStoresLifeMayBeTheLast) {
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
        const auto last = operations_of_script(seed);
        ASSERT_GT(last, 80U);
        for (std::uint64_t at = 1; at <= last; ++at) {
            Life life{seed, Synchronous::full};
            life.disk().cut_power_at(at);
            auto verdict = script(life);
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            life.close();
            life.machine().restart();
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            ASSERT_TRUE(life.append());
        }
    }
}

// An error of one write or sync, then a new process on the running machine, then a power cut: what a failed sync left
// readable must not be built upon.
TEST(IoError, TheOutcomeIsUnknownAndTheNextProcessBuildsOnWhatIsReallyStored) {
    std::set<JournalFault> faults;
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
        const auto last = operations_of_script(seed);
        for (std::uint64_t at = 1; at <= last; ++at) {
            Life life{seed, Synchronous::full};
            life.disk().fail_at(at);
            life.expect_faults(true);
            auto verdict = script(life);
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            if (life.last_fault()) faults.insert(*life.last_fault());
            if (life.is_open() && life.last_fault() == JournalFault::outcome_unknown) {
                EXPECT_TRUE(life.refuses_everything()) << "seed " << seed << " operation " << at;
            }
            life.close();
            life.expect_faults(false);
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            ASSERT_TRUE(life.append() && life.append());
            life.disk().cut_power_at(life.disk().operations() + 1);
            life.close();
            life.machine().restart();
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
        }
    }
    EXPECT_TRUE(faults.contains(JournalFault::outcome_unknown));
}

/// Appends go on after checkpoints, whatever came of them: the next ones overwrite the log. The first checkpoint has somebody reading
/// beside it, so that it moves a part, as beside appends; what came before is much, so that not all of it is written again soon.
void append_and_move(Life& life) {
    const auto batch = [&] { return life.is_open() && life.append(); };
    for (int i = 0; i < 8; ++i) {
        if (!batch()) return;
    }
    {
        const auto reading = life.read_on();
        if (!batch()) return;
        life.checkpoint();
    }
    if (!batch()) return;
    life.checkpoint();
    if (batch()) (void)batch();
}

Verdict script_of_checkpoints(Life& life) {
    auto verdict = life.open();
    if (!verdict) append_and_move(life);
    return verdict;
}

// An error of one write or sync of a life with many checkpoints, and a power cut in the same life.
TEST(IoError, WhatACheckpointCouldNotSyncIsNeverTakenForMoved) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        Life whole{seed, Synchronous::full};
        ASSERT_FALSE(script_of_checkpoints(whole));
        const auto last = whole.disk().operations();
        for (std::uint64_t at = 1; at <= last; ++at) {
            Life life{seed, Synchronous::full};
            life.disk().fail_at(at);
            life.expect_faults(true);
            auto verdict = script_of_checkpoints(life);
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            if (life.is_open() && life.last_fault() == JournalFault::outcome_unknown) {
                EXPECT_TRUE(life.refuses_everything()) << "seed " << seed << " operation " << at;
            }
            life.disk().cut_power_at(life.disk().operations() + 1);
            life.close();
            life.machine().restart();
            life.expect_faults(false);
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
        }
    }
}

enum class Beside : std::uint8_t {
    has_read = 1,      ///< Its transaction ended before the fault; it keeps the log's index.
    reads_on = 2,      ///< Its transaction outlives the fault and the next opening.
    reads_since = 3,   ///< It begins to read between the fault and the next opening, alone, and makes the index anew.
};

/// The same, and then a new process that shares the log's index with a program that reads the store.
void fail_beside(Beside beside) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        std::uint64_t last = 1;
        for (std::uint64_t at = 0; at <= last; ++at) {  // The first time without a fault, to count the operations.
            Life life{seed, Synchronous::full};
            ASSERT_FALSE(life.open());
            auto reader = beside == Beside::reads_since ? store::Connection{} : life.read_on();
            if (beside == Beside::has_read) (void)reader.run("COMMIT");
            const auto first = life.disk().operations();
            if (at > 0) life.disk().fail_at(first + at);
            append_and_move(life);
            if (at == 0) last = life.disk().operations() - first;
            life.close();
            life.disk().fail_at(0);
            if (beside == Beside::reads_since) reader = life.read_on();
            auto verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            ASSERT_TRUE(life.append()) << "seed " << seed << " operation " << at;
            life.disk().cut_power_at(life.disk().operations() + 1);
            life.close();
            reader = {};
            life.machine().restart();
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
        }
    }
}

TEST(IoError, WhatACheckpointCouldNotSyncIsMovedAgainBesideWhoeverHasReadTheStore) { fail_beside(Beside::has_read); }

TEST(IoError, AStoreOpensAndLosesNothingBesideABackupThatIsStillReading) { fail_beside(Beside::reads_on); }

TEST(IoError, AStoreOpensAndLosesNothingBesideABackupThatBeganAfterTheFault) { fail_beside(Beside::reads_since); }

TEST(DiskFull, ABatchThatFindsNoRoomIsRefusedWholeAndCanBeTriedAgain) {
    int refused = 0;
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
        const auto last = operations_of_script(seed);
        for (std::uint64_t at = 1; at <= last; ++at) {
            Life life{seed, Synchronous::full};
            life.disk().fill_up_at(at);
            life.expect_faults(true);
            auto verdict = script(life);
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
            if (life.last_fault()) {
                ++refused;
                // SQLite cannot tell why a file could not be made; that happens at openings only.
                const bool made = *life.last_fault() == JournalFault::disk_full;
                ASSERT_TRUE(made || (*life.last_fault() == JournalFault::unavailable && !life.is_open()))
                    << "seed " << seed << " operation " << at;
            }
            const auto before = life.acknowledged();
            life.expect_faults(false);
            life.disk().make_room();
            if (!life.is_open()) {
                verdict = life.open();
                ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
                ASSERT_EQ(life.acknowledged(), before) << "seed " << seed << " operation " << at << ": nothing of a refused batch is there";
            }
            ASSERT_TRUE(life.append()) << "seed " << seed << " operation " << at << ": there is room again";
            life.disk().cut_power_at(life.disk().operations() + 1 + at % 4);
            while (life.append()) continue;
            life.close();
            life.machine().restart();
            verdict = life.open();
            ASSERT_FALSE(verdict) << "seed " << seed << " operation " << at << ": " << verdict.what;
        }
    }
    EXPECT_GT(refused, 20);
}

TEST(ReadOnly, AStoreOnAReadOnlyMediumIsRefusedInWords) {
    Life life{1, Synchronous::full};
    ASSERT_FALSE(script(life));
    life.close();
    life.disk().set_read_only(true);
    const auto opened = store::open_journal({.path = "weir.db", .vfs = life.machine().name(), .lock_file = false});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().fault, JournalFault::read_only) << opened.error().message;
    life.disk().set_read_only(false);
    EXPECT_FALSE(life.open());
}

}  // namespace
}  // namespace weir::sim
