// sim/memory_journal.hpp: a fake journal: what is durable lives in a Disk that outlasts the server's crash.
//
// It stands in for the real stores only where thousands of crashes a second are wanted; it keeps the port's contract of
// append (whole or not at all, fenced by epoch, hash chain), and can be told to fail the next append in every way the
// port knows. Real disks that lie are tested with the real store (tests of adapters/store_sqlite).
#pragma once

#include "ports/journal.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::sim {

/// What survives.
struct Disk {
    std::vector<ports::Record> records;
    std::map<std::uint64_t, ports::Snapshot> snapshots;
    std::uint64_t epochs = 0;
};

/// What happens to the next append.
enum class AppendFault : std::uint8_t {
    none = 1,
    refuse_full = 2,             ///< disk_full, nothing written.
    unknown_written = 3,         ///< outcome_unknown, and it was written.
    unknown_lost = 4,            ///< outcome_unknown, and it was not.
};

class MemoryJournal final : public ports::Journal {
public:
    explicit MemoryJournal(Disk& disk) : disk_{disk}, epoch_{++disk.epochs} {}

    void fail_next(AppendFault fault) { next_ = fault; }

    [[nodiscard]] ports::JournalResult<ports::StoreIdentity> identity() override { return ports::StoreIdentity{"sim", 1, ""}; }
    [[nodiscard]] ports::JournalResult<ports::Head> head() override;
    [[nodiscard]] ports::JournalResult<std::vector<ports::Record>> read(std::uint64_t from, std::size_t max_records,
                                                                        std::size_t max_bytes) override;
    [[nodiscard]] ports::JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override;
    [[nodiscard]] ports::JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override;
    [[nodiscard]] ports::JournalResult<std::optional<std::string>> meta(const std::string&) override {
        return std::optional<std::string>{};
    }

    [[nodiscard]] ports::Epoch epoch() const override { return epoch_; }
    [[nodiscard]] ports::JournalResult<ports::Head> append(std::span<const ports::Record> batch, ports::Epoch epoch) override;
    [[nodiscard]] ports::JournalResult<void> set_meta(const std::string&, const std::string&, ports::Epoch) override { return {}; }
    [[nodiscard]] ports::JournalResult<void> put_snapshot(const ports::Snapshot& snapshot) override;
    [[nodiscard]] bool checkpoint_due() const override { return false; }
    [[nodiscard]] ports::JournalResult<ports::LogCheckpoint> checkpoint() override { return ports::LogCheckpoint{}; }
    [[nodiscard]] ports::JournalResult<ports::BackupReport> backup_to(const std::string&) override;
    [[nodiscard]] ports::JournalResult<std::unique_ptr<ports::JournalReader>> open_reader() override;

private:
    /// To read: takes no epoch of its own.
    MemoryJournal(Disk& disk, ports::Epoch epoch) : disk_{disk}, epoch_{epoch} {}

    Disk& disk_;
    ports::Epoch epoch_;
    AppendFault next_ = AppendFault::none;
};

}  // namespace weir::sim
