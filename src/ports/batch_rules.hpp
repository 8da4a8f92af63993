// ports/batch_rules.hpp: what every adapter refuses before it writes: limits, and batches that do not follow from the head.
#pragma once

#include "ports/journal.hpp"

#include <fmt/format.h>

#include <span>
#include <string>
#include <utility>

namespace weir::ports {

[[nodiscard]] inline JournalResult<void> check_batch(const Head& head, std::span<const Record> batch) {
    const auto too_much = [](std::string message) { return fail(JournalError{JournalFault::limit_exceeded, std::move(message)}); };
    const auto wrong = [](std::string message) { return fail(JournalError{JournalFault::does_not_continue, std::move(message)}); };
    if (batch.empty()) return too_much("a batch has 0 records; append at least 1");
    if (batch.size() > max_batch_records)
        return too_much(fmt::format("a batch has {} records, at most {} fit; split it", batch.size(), max_batch_records));
    std::size_t bytes = 0;
    for (const auto& record : batch) {
        if (record.text.empty() || record.text.size() > max_record_bytes) {
            return too_much(fmt::format("revision {} has {} bytes, a record has 1 to {}; write a smaller event", record.revision,
                                        record.text.size(), max_record_bytes));
        }
        bytes += record.text.size();
    }
    if (bytes > max_batch_bytes) return too_much(fmt::format("a batch has {} bytes, at most {} fit; split it", bytes, max_batch_bytes));
    Head end = head;
    for (const auto& record : batch) {
        if (record.revision != end.revision + 1) {
            return wrong(fmt::format("revision {} does not follow the head {}; append revision {} next", record.revision, end.revision,
                                     end.revision + 1));
        }
        const auto hash = chain(end.hash, record.text);
        if (record.hash != hash) {
            return wrong(fmt::format("revision {} comes with hash {}, its text after the head gives {}; compute it from the head's hash",
                                     record.revision, record.hash.text(), hash.text()));
        }
        end = {record.revision, hash};
    }
    return {};
}

[[nodiscard]] inline JournalResult<void> check_meta(const std::string& key, const std::string& value) {
    if (!key.empty() && key.size() <= 100 && !key.starts_with("weir.") && value.size() <= max_meta_bytes) return {};
    return fail(
        JournalError{JournalFault::limit_exceeded,
                     fmt::format("meta '{}' with {} bytes: a key has 1 to 100 bytes and does not start with 'weir.', a value has at "
                                 "most {} bytes",
                                 key.substr(0, 100), value.size(), max_meta_bytes)});
}

[[nodiscard]] inline JournalResult<void> check_snapshot(const Snapshot& snapshot, std::uint64_t durable) {
    if (snapshot.revision > durable) {
        return fail(JournalError{JournalFault::does_not_continue,
                                 fmt::format("a snapshot of revision {} is ahead of the durable head {}; take it of the reader's state",
                                             snapshot.revision, durable)});
    }
    if (snapshot.bytes.empty() || snapshot.bytes.size() > max_snapshot_bytes) {
        return fail(JournalError{JournalFault::limit_exceeded, fmt::format("a snapshot has {} bytes, 1 to {} fit; compress it",
                                                                           snapshot.bytes.size(), max_snapshot_bytes)});
    }
    return {};
}

}  // namespace weir::ports
