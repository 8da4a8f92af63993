// transport/api/data_words.hpp: what the API takes and answers of what projects keep, as described types.
#pragma once

#include "codec/field.hpp"
#include "control/core/data_book.hpp"
#include "domain/tree.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::api {

/// A blob that is wanted.
struct LackingBlob {
    Digest digest;
    std::int64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(LackingBlob, (), (digest, size))

struct TreeAnswer {
    std::string tree;
    bool kept = false;
    std::vector<LackingBlob> lacking;
    bool more = false;
    TreeSize size;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "Whether a folder is kept, and which of its files must be uploaded first.";
    static constexpr std::array field_rules{
        codec::Field{.name = "lacking", .doc = "upload these, then send the same request again"},
        codec::Field{.name = "more", .doc = "more than these are lacking; the next request names them"},
    };
};
BOOST_DESCRIBE_STRUCT(TreeAnswer, (), (tree, kept, lacking, more, size, revision))

struct BlobsTaken {
    std::int64_t blobs = 0;
    std::int64_t bytes = 0;
    static constexpr std::string_view doc = "How many blobs of a bundle are stored.";
};
BOOST_DESCRIBE_STRUCT(BlobsTaken, (), (blobs, bytes))

struct UploadView {
    Digest digest;
    std::int64_t offset = 0;
    std::int64_t size = 0;
    static constexpr std::string_view doc = "How far an upload in pieces has come: the next piece begins at offset.";
};
BOOST_DESCRIBE_STRUCT(UploadView, (), (digest, offset, size))

struct KeptTreeItem {
    std::string tree;
    TreeSize size;
    Instant used_at;
    std::int64_t live_jobs = 0;
};
BOOST_DESCRIBE_STRUCT(KeptTreeItem, (), (tree, size, used_at, live_jobs))

struct DataView {
    ProjectName project;
    std::int64_t quota_bytes = 0;
    std::int64_t kept_bytes = 0;
    std::int64_t trees = 0;
    std::int64_t tree_bytes = 0;
    std::int64_t files = 0;
    std::int64_t file_bytes = 0;
    std::int64_t outputs = 0;
    std::int64_t output_bytes = 0;
    std::int64_t to_erase = 0;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "What a project keeps with the network, and may keep.";
    static constexpr std::array field_rules{
        codec::Field{.name = "trees", .doc = "folders of code, of jobs that wait, run or ended lately"},
        codec::Field{.name = "outputs", .doc = "jobs whose outputs are kept"},
        codec::Field{.name = "to_erase", .doc = "trees that are no longer kept and whose bytes are still to be removed"},
    };
};
BOOST_DESCRIBE_STRUCT(DataView, (),
                      (project, quota_bytes, kept_bytes, trees, tree_bytes, files, file_bytes, outputs, output_bytes, to_erase, revision))

struct DataQuotaForm {
    std::int64_t quota_bytes = 0;
    static constexpr std::string_view doc = "What a project may keep.";
    static constexpr std::array field_rules{codec::Field{.name = "quota_bytes", .min = 0, .max = limits::data_quota_bytes_max}};
};
BOOST_DESCRIBE_STRUCT(DataQuotaForm, (), (quota_bytes))

struct ReceiptView {
    std::string tree;
    std::string state;
    std::optional<DropReason> reason;
    std::optional<SubjectName> by;
    std::optional<Instant> dropped_at;
    std::optional<Instant> erased_at;
    std::optional<Digest> list;
    std::vector<ErasedCopy> copies;
    std::uint64_t journal_revision = 0;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "What became of a tree: kept, dropped and still to be erased, or erased, with the receipt.";
    static constexpr std::array field_rules{
        codec::Field{.name = "state", .doc = "kept, dropped or erased"},
        codec::Field{.name = "list", .doc = "chain over the digests of the files that were removed: SHA-256 of the link before and the "
                                            "next digest in hexadecimal, in the order of the digests, from 32 zero bytes on"},
        codec::Field{.name = "journal_revision", .doc = "of the event that is the receipt: a link of the journal's chain"},
    };
};
BOOST_DESCRIBE_STRUCT(ReceiptView, (), (tree, state, reason, by, dropped_at, erased_at, list, copies, journal_revision, revision))

/// One file of a list.
struct FileItem {
    std::string path;
    std::string kind;
    std::int64_t size = 0;
    std::optional<Digest> digest;
    std::optional<std::string> target;
    static constexpr std::array field_rules{
        codec::Field{.name = "kind", .doc = "file, executable or link"},
        codec::Field{.name = "target", .doc = "of a link"},
    };
};
BOOST_DESCRIBE_STRUCT(FileItem, (), (path, kind, size, digest, target))

/// Why what a job leaves is not kept as it is now.
struct OutputsRefusedView {
    OutputFault fault = OutputFault::over_quota;
    std::int64_t bytes = 0;
    std::int64_t bytes_max = 0;
    static constexpr std::array field_rules{
        codec::Field{.name = "bytes", .doc = "that it has"},
        codec::Field{.name = "bytes_max", .doc = "that could have been kept"},
    };
};
BOOST_DESCRIBE_STRUCT(OutputsRefusedView, (), (fault, bytes, bytes_max))

/// What is known of a job's outputs beside their files.
struct OutputsView {
    std::uint32_t generation = 0;
    bool whole = false;
    std::optional<Instant> stored_at;
    std::optional<Instant> keep_until;
    std::optional<Seconds> keep;
    std::optional<OutputsRefusedView> refused;
    static constexpr std::array field_rules{
        codec::Field{.name = "generation", .doc = "that left them; what an earlier one left under other paths is among them"},
        codec::Field{.name = "whole", .doc = "false: what had settled while it ran"},
        codec::Field{.name = "keep_until", .doc = "absent: the job is not over"},
        codec::Field{.name = "keep", .doc = "how long they are kept after the job's end"},
        codec::Field{.name = "refused", .doc = "why what it leaves now is not kept; what was kept before stays"},
    };
};
BOOST_DESCRIBE_STRUCT(OutputsView, (), (generation, whole, stored_at, keep_until, keep, refused))

struct FileList {
    std::optional<OutputsView> outputs;
    std::optional<std::string> tree;
    TreeSize size;
    std::vector<FileItem> items;
    std::string next_cursor;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "Files of a project, or of a job's outputs, by path.";
    static constexpr std::array field_rules{codec::Field{.name = "outputs", .doc = "of a job's outputs alone"}};
};
BOOST_DESCRIBE_STRUCT(FileList, (), (outputs, tree, size, items, next_cursor, revision))

/// A file as it is put: its blob is uploaded before.
struct FileForm {
    std::string path;
    Digest digest;
    std::int64_t size = 0;
    bool executable = false;
    static constexpr std::array field_rules{
        codec::Field{.name = "size", .min = 0},
        codec::Field{.name = "executable", .optional = true},
    };
};
BOOST_DESCRIBE_STRUCT(FileForm, (), (path, digest, size, executable))

struct FilesForm {
    std::vector<FileForm> put;
    std::vector<std::string> remove;
    static constexpr std::string_view doc = "A change of a project's files, all of it or nothing.";
    static constexpr std::array field_rules{
        codec::Field{.name = "put", .optional = true, .max_length = 5'000, .doc = "their blobs are uploaded before"},
        codec::Field{.name = "remove", .optional = true, .max_length = 5'000, .doc = "a file, or with a slash at its end all files below"},
    };
};
BOOST_DESCRIBE_STRUCT(FilesForm, (), (put, remove))

struct FilesChanged {
    std::optional<std::string> tree;
    std::vector<LackingBlob> lacking;
    std::int64_t put = 0;
    std::int64_t removed = 0;
    TreeSize size;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "The files as they are now; with lacking blobs nothing was changed.";
};
BOOST_DESCRIBE_STRUCT(FilesChanged, (), (tree, lacking, put, removed, size, revision))

}  // namespace weir::api
