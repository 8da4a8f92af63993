// ports/fake_journal.hpp: records in memory, for tests of what stands on a journal and does not ask that anything survives.
#pragma once

#include "ports/journal.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::ports {

/// Records in memory, for one writer and any reader. A fake: nothing survives it.
class FakeJournal : public Journal {
public:
    JournalResult<StoreIdentity> identity() override { return StoreIdentity{}; }
    JournalResult<Head> head() override {
        const std::lock_guard lock{mutex_};
        return head_;
    }
    JournalResult<std::vector<Record>> read(std::uint64_t from, std::size_t max_records, std::size_t) override {
        const std::lock_guard lock{mutex_};
        std::vector<Record> out;
        for (auto at = std::max<std::uint64_t>(from, 1); at <= records_.size() && out.size() < max_records; ++at)
            out.push_back(records_[at - 1]);
        return out;
    }
    JournalResult<Verification> verify(std::uint64_t, std::uint64_t) override { return Verification{}; }
    JournalResult<SnapshotSearch> latest_snapshot(std::uint32_t, std::uint64_t) override { return SnapshotSearch{}; }
    JournalResult<std::optional<std::string>> meta(const std::string&) override { return std::optional<std::string>{}; }
    [[nodiscard]] Epoch epoch() const override { return {1}; }
    JournalResult<Head> append(std::span<const Record> batch, Epoch) override {
        const std::lock_guard lock{mutex_};
        for (const auto& record : batch) {
            records_.push_back(record);
            head_ = {record.revision, record.hash};
        }
        return head_;
    }
    JournalResult<void> set_meta(const std::string&, const std::string&, Epoch) override { return {}; }
    JournalResult<void> put_snapshot(const Snapshot&) override { return {}; }
    [[nodiscard]] bool checkpoint_due() const override { return false; }
    JournalResult<LogCheckpoint> checkpoint() override { return LogCheckpoint{}; }
    JournalResult<BackupReport> backup_to(const std::string&) override { return BackupReport{}; }
    JournalResult<std::unique_ptr<JournalReader>> open_reader() override { return std::unique_ptr<JournalReader>{}; }

private:
    std::mutex mutex_;
    std::deque<Record> records_;
    Head head_;
};

}  // namespace weir::ports
