// adapters/store_sqlite/log_evidence.hpp: shows when a write-ahead log has lost commits that were acknowledged.
//
// SQLite reads a log up to the first frame whose checksum fails and drops the rest without a word. After a power cut that
// is right: the rest is the one transaction that was never synced. After bit rot it is silent loss. The two can be
// told apart, because the next transaction's first frame is written only after the commit before it was synced: if,
// from the broken frame on, a commit mark is followed at once by a frame that continues its checksum, then that commit was
// acknowledged. (Frames that merely lie behind may be the rest of an earlier torn or refused transaction; they continue nothing.)
//
// A header that does not hold hides the whole log. That is no loss where the log was about to start afresh, as all its pages
// are in the database then; so they are compared.
//
// What remains invisible from the log alone: damage inside its very last transaction, which looks like a torn write.
//
// Nothing is written or repaired here. Frames are counted from 1. The format is SQLite's, https://sqlite.org/walformat.html.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::store {

struct LostCommits {
    std::uint64_t broken_frame = 0;  ///< The first that does not hold; 0: the log's header.
    std::uint64_t commit_frame = 0;  ///< The acknowledged commit at or after it.
    std::uint64_t log_frames = 0;    ///< Frames that the file has room for.
};

/// Looks at the log of the database at `path`; nothing if there is no log or it has lost nothing that shows.
[[nodiscard]] std::optional<LostCommits> find_lost_commits(const std::string& vfs, const std::string& path);

}  // namespace weir::store
