// domain/data.hpp: the words of what a project keeps with the network: folders of code, files, outputs of jobs.
//
// It answers one question: what is remembered of content whose bytes lie elsewhere? Bytes are never here: a tree (domain/tree.hpp) names
// them by digest, and a store keeps them. Each project's bytes are its own: two projects with the same file keep it twice, so that who
// merely knows a digest gets nothing, and what one project removes is gone.
#pragma once

#include "base/quantity.hpp"
#include "base/sha256.hpp"
#include "base/time.hpp"
#include "codec/field.hpp"
#include "codec/unit_forms.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

namespace limits {
inline constexpr std::int64_t data_quota_bytes = std::int64_t{100} << 30;  ///< Of a project for which nothing else was set.
inline constexpr std::int64_t data_quota_bytes_max = std::int64_t{1} << 50;
inline constexpr std::int64_t retention_s_max = std::int64_t{3660} * 86'400;  ///< Of outputs: ten years.
inline constexpr std::size_t trees_per_project_max = 10'000;
inline constexpr std::size_t outputs_per_project_max = 100'000;               ///< Jobs whose outputs are kept.
inline constexpr std::size_t erasures_per_project_max = 10'000;               ///< Receipts that are remembered.
inline constexpr std::size_t erased_copies_max = 256;                         ///< Places that one receipt names.
}  // namespace limits

/// Of which nodes of a gang outputs are kept: of node rank 0, or of each below a folder `node-RANK`.
BOOST_DEFINE_ENUM_CLASS(OutputNodes, first, all)

/// What becomes of what a job leaves behind.
struct OutputAsk {
    std::optional<Seconds> keep{};       ///< From its end on; 0: not at all. Absent: as long as the network's policy says.
    std::optional<Seconds> retention{};  ///< What `keep` was called at first: one of them.
    std::optional<OutputNodes> nodes{};  ///< Absent: first.
    /// What the job asks for; nothing: the network's policy.
    [[nodiscard]] std::optional<Seconds> asked() const { return keep ? keep : retention; }
    static constexpr std::array field_rules{
        codec::Field{.name = "keep", .doc = "how long they are kept after the job's end; 0s: not at all; absent: as the policy says"},
        codec::Field{.name = "retention", .doc = "the same, by its first name"},
        codec::Field{.name = "nodes", .doc = "first: what node rank 0 leaves; all: of each node, below node-RANK/"},
    };
    bool operator==(const OutputAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutputAsk, (), (keep, retention, nodes))

/// Why outputs of a job are not kept as they are. Stable tokens.
BOOST_DEFINE_ENUM_CLASS(OutputFault, over_quota, too_many_files, store_full, store_unavailable)

/// What a tree takes: its files, each counted as often as the tree names it, and its manifest.
struct TreeSize {
    std::int64_t bytes = 0;
    std::int64_t files = 0;
    bool operator==(const TreeSize&) const = default;
};
BOOST_DESCRIBE_STRUCT(TreeSize, (), (bytes, files))

/// Why a tree is no longer kept. Stable tokens.
BOOST_DEFINE_ENUM_CLASS(DropReason, unused, displaced, replaced, removed, retention_over)

/// One place where a copy lay, and that it is gone.
struct ErasedCopy {
    std::string place;       ///< `network`, or `site:NAME`.
    Instant confirmed_at;    ///< When whoever keeps that place said so.
    std::int64_t files = 0;  ///< Removed there; what another tree of the project still names stays, and is not counted.
    std::int64_t bytes = 0;
    bool operator==(const ErasedCopy&) const = default;
};
BOOST_DESCRIBE_STRUCT(ErasedCopy, (), (place, confirmed_at, files, bytes))

}  // namespace weir
