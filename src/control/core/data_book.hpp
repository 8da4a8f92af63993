// control/core/data_book.hpp: what projects keep with the network, as the core knows it: names and sizes.
//
// It answers one question: which trees must a store have, and which may it let go of? Who uses a tree is derived from the jobs. A dropped
// tree stays here until somebody said that its bytes are gone.
#pragma once

#include "base/quantity.hpp"
#include "domain/data.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weir::control {

/// A tree that was uploaded for jobs.
struct KeptTree {
    TreeSize size;
    Instant used_at;       ///< When it was kept, or a job that used it ended.
    bool operator==(const KeptTree&) const = default;
};
BOOST_DESCRIBE_STRUCT(KeptTree, (), (size, used_at))

struct FilesHead {
    Digest tree;
    TreeSize size;
    bool operator==(const FilesHead&) const = default;
};
BOOST_DESCRIBE_STRUCT(FilesHead, (), (tree, size))

/// The outputs of one job: what it published last.
struct StoredOutputs {
    std::uint32_t generation = 0;
    std::string name;
    Digest tree;
    TreeSize size;
    Instant stored_at;
    Seconds retention;
    std::optional<Instant> keep_until;  ///< Set when the job has ended.
    bool operator==(const StoredOutputs&) const = default;
};
BOOST_DESCRIBE_STRUCT(StoredOutputs, (), (generation, name, tree, size, stored_at, retention, keep_until))

/// Why what a live job leaves is not kept as it is.
struct RefusedOutputs {
    std::uint32_t generation = 0;
    OutputFault fault = OutputFault::over_quota;
    std::int64_t bytes = 0;
    std::int64_t bytes_max = 0;
    bool operator==(const RefusedOutputs&) const = default;
};
BOOST_DESCRIBE_STRUCT(RefusedOutputs, (), (generation, fault, bytes, bytes_max))

/// A tree that is no longer kept and may still lie somewhere.
struct DroppedTree {
    DropReason reason = DropReason::unused;
    std::optional<SubjectName> by;
    Instant dropped_at;
    bool operator==(const DroppedTree&) const = default;
};
BOOST_DESCRIBE_STRUCT(DroppedTree, (), (reason, by, dropped_at))

/// A receipt: what DataErased said last of a tree, and where in the journal.
struct Erasure {
    std::uint64_t revision = 0;
    Instant erased_at;
    DropReason reason = DropReason::unused;
    std::optional<SubjectName> by;
    Instant dropped_at;
    Digest list;
    std::vector<ErasedCopy> copies;
    bool operator==(const Erasure&) const = default;
};
BOOST_DESCRIBE_STRUCT(Erasure, (), (revision, erased_at, reason, by, dropped_at, list, copies))

struct ProjectData {
    std::optional<std::int64_t> quota_bytes;     ///< Nothing: limits::data_quota_bytes.
    std::map<Digest, KeptTree> trees;
    std::optional<FilesHead> files;
    std::map<JobId, StoredOutputs> outputs;
    std::map<Digest, DroppedTree> dropped;
    std::map<Digest, Erasure> erased;            ///< Receipts; those of before Policy::receipts_shown have gone.
    bool operator==(const ProjectData&) const = default;
};
BOOST_DESCRIBE_STRUCT(ProjectData, (), (quota_bytes, trees, files, outputs, dropped, erased))

[[nodiscard]] inline std::int64_t quota_of(const ProjectData& data) { return data.quota_bytes.value_or(limits::data_quota_bytes); }

/// What it keeps in all: each tree as if it lay there by itself.
[[nodiscard]] std::int64_t kept_bytes(const ProjectData& data);

/// Whether anything of the project is this tree.
[[nodiscard]] bool keeps(const ProjectData& data, const Digest& tree);

}  // namespace weir::control
