// adapters/blobs_moved/tools.hpp: the tools that a site may carry its copies with: rclone and rsync.
//
// It answers one question: with which words is the tool begun, so that it does what the port asks, no faster than it may, and tells no
// secret to who lists the processes? Where to and with which keys stands in a file that only its user may read (rclone's configuration),
// never among those words.
//
// rclone speaks S3 and what speaks like it, WebDAV, SFTP and more; a file is sent under another name and renamed there. rsync writes
// beside and renames by itself; the far end is a folder that it reaches: of this host, `host:/folder`, or `rsync://host/module`.
#pragma once

#include "adapters/blobs_moved/tool_run.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"
#include "ports/mover.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::blobs_moved {

struct ToolOptions {
    std::string program{};          ///< rclone or rsync, or the path of one.
    std::string base{};             ///< `remote:bucket/folder` of rclone's configuration, or an absolute path; of rsync see above.
    std::string config{};           ///< rclone's configuration; empty: none. Of rsync: a file with the password of a module; empty: none.
    std::string aside{};            ///< A folder of ours for lists that the tool reads.
    std::int64_t bytes_per_s = 0;   ///< All its copies together; 0: as fast as it can.
    Duration stall = seconds(120);  ///< Without headway for so long a run is ended.
};

/// What is wrong with them, in words; nothing where they will do. Secrets do not belong into `base`, and a file with secrets is its user's
/// alone.
[[nodiscard]] std::optional<std::string> fault_of(const ToolOptions& options);

/// The option that bounds how fast the tool copies: rclone's in bytes, rsync's in KiB, rounded down and at least one.
[[nodiscard]] std::string rate_option(std::string_view program, std::int64_t bytes_per_s);

class RcloneMover final : public ports::Mover {
public:
    explicit RcloneMover(ToolOptions options) : options_{std::move(options)} {}
    [[nodiscard]] std::string text() const override { return "rclone to " + options_.base; }
    [[nodiscard]] bool names_when_whole() const override { return false; }
    [[nodiscard]] ports::MoveResult<void> send(const std::string& from, const std::string& to, ports::Copying& copying) override;
    [[nodiscard]] ports::MoveResult<void> fetch(const std::string& from, const std::string& to, std::int64_t offset,
                                                ports::Copying& copying) override;
    [[nodiscard]] ports::MoveResult<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] ports::MoveResult<void> remove(std::span<const std::string> names) override;
    [[nodiscard]] ports::MoveResult<std::vector<ports::FarFile>> list(const std::string& folder) override;
    [[nodiscard]] ports::MoveResult<std::optional<std::int64_t>> room() override;

private:
    [[nodiscard]] ToolRun run_of(std::vector<std::string> words) const;
    [[nodiscard]] std::string far(const std::string& name) const;
    ToolOptions options_;
    std::mutex paced_;  ///< Held by the one copy at a time that a bound permits.
};

class RsyncMover final : public ports::Mover {
public:
    explicit RsyncMover(ToolOptions options) : options_{std::move(options)} {}
    [[nodiscard]] std::string text() const override { return "rsync to " + options_.base; }
    [[nodiscard]] bool names_when_whole() const override { return true; }
    [[nodiscard]] ports::MoveResult<void> send(const std::string& from, const std::string& to, ports::Copying& copying) override;
    [[nodiscard]] ports::MoveResult<void> fetch(const std::string& from, const std::string& to, std::int64_t offset,
                                                ports::Copying& copying) override;
    [[nodiscard]] ports::MoveResult<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] ports::MoveResult<void> remove(std::span<const std::string> names) override;
    [[nodiscard]] ports::MoveResult<std::vector<ports::FarFile>> list(const std::string& folder) override;
    [[nodiscard]] ports::MoveResult<std::optional<std::int64_t>> room() override;

private:
    [[nodiscard]] ToolRun run_of(std::vector<std::string> words) const;
    ToolOptions options_;
    std::mutex paced_;
};

}  // namespace weir::blobs_moved
