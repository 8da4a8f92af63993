#include "memory_journal.hpp"

#include <algorithm>

namespace weir::sim {
namespace {

ports::JournalError error(ports::JournalFault fault, std::string message) { return {fault, std::move(message)}; }

}  // namespace

ports::JournalResult<ports::Head> MemoryJournal::head() {
    if (disk_.records.empty()) return ports::Head{};
    return ports::Head{disk_.records.back().revision, disk_.records.back().hash};
}

ports::JournalResult<std::vector<ports::Record>> MemoryJournal::read(std::uint64_t from, std::size_t max_records, std::size_t) {
    const auto first = std::min<std::size_t>(from == 0 ? 0 : from - 1, disk_.records.size());
    const auto count = std::min(max_records, disk_.records.size() - first);
    const auto begin = disk_.records.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<ports::Record>{begin, begin + static_cast<std::ptrdiff_t>(count)};
}

ports::JournalResult<ports::Verification> MemoryJournal::verify(std::uint64_t from, std::uint64_t to) {
    ports::Verification result;
    Digest before = from <= 1 ? Digest{} : disk_.records[from - 2].hash;
    for (const auto& record : disk_.records) {
        if (record.revision < from || record.revision > to) continue;
        const auto computed = chain(before, record.text);
        if (computed != record.hash) {
            result.bad = ports::BadRecord{record.revision, record.hash, computed, "the chain breaks"};
            return result;
        }
        before = record.hash;
        ++result.records;
        result.end = {record.revision, record.hash};
    }
    return result;
}

ports::JournalResult<ports::SnapshotSearch> MemoryJournal::latest_snapshot(std::uint32_t version, std::uint64_t at_most) {
    ports::SnapshotSearch search;
    for (const auto& [revision, snapshot] : disk_.snapshots) {
        if (revision <= at_most && snapshot.version == version) search.found = snapshot;
    }
    return search;
}

ports::JournalResult<ports::Head> MemoryJournal::append(std::span<const ports::Record> batch, ports::Epoch epoch) {
    const auto fault = std::exchange(next_, AppendFault::none);
    if (epoch.number != disk_.epochs) return fail(error(ports::JournalFault::fenced, "another opening took a newer epoch"));
    if (fault == AppendFault::refuse_full) return fail(error(ports::JournalFault::disk_full, "the simulated disk is full"));
    if (fault == AppendFault::unknown_lost) return fail(error(ports::JournalFault::outcome_unknown, "the simulated sync failed"));
    Digest before = disk_.records.empty() ? Digest{} : disk_.records.back().hash;
    for (const auto& record : batch) {
        if (record.revision != disk_.records.size() + 1 || record.hash != chain(before, record.text)) {
            return fail(error(ports::JournalFault::does_not_continue, "the batch does not follow from the head"));
        }
        before = record.hash;
        disk_.records.push_back(record);
    }
    if (fault == AppendFault::unknown_written) return fail(error(ports::JournalFault::outcome_unknown, "the simulated sync failed"));
    return head();
}

ports::JournalResult<void> MemoryJournal::put_snapshot(const ports::Snapshot& snapshot) {
    disk_.snapshots[snapshot.revision] = snapshot;
    while (disk_.snapshots.size() > ports::snapshots_kept) disk_.snapshots.erase(disk_.snapshots.begin());
    return {};
}

ports::JournalResult<ports::BackupReport> MemoryJournal::backup_to(const std::string&) {
    return fail(error(ports::JournalFault::unavailable, "the simulated disk has no backups"));
}

ports::JournalResult<std::unique_ptr<ports::JournalReader>> MemoryJournal::open_reader() {
    return std::unique_ptr<ports::JournalReader>{new MemoryJournal{disk_, epoch_}};
}

}  // namespace weir::sim
