// sim/lying_disk/lying_disk.hpp: a disk in memory that keeps only what it was asked to sync.
//
// It answers one question: after a power cut at this very operation, what would be on the disk? Whether that is enough is
// for the tests beside it to say. SQLite reaches it through lying_vfs.hpp. It is no part of any product library.
//
// What it does with unsynced writes at a power cut, sector by sector (512 bytes), each sector on its own: any number of
// its last writes are lost. So writes are lost, reordered against each other, and torn. File sizes likewise; and names:
// a file that was created or removed since its directory was last synced may be absent or back. A truncation happens
// whole or not at all; if it does not, what was written to the file after it is gone too, as with a journaling file
// system. A sync that was reported as failed leaves its bytes readable and never on the disk until they are written
// again, as Linux does.
//
// What it never does by itself: change bytes that were synced, or tear a sector.
//
// Deterministic: the same seed and the same calls give the same survivors. Operations are counted from 1: every write,
// truncation, sync, creation and removal is one. Nothing here is thread-safe; the VFS serialises.
#pragma once

#include "base/random.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::sim {

inline constexpr std::size_t sector_bytes = 512;

/// What became of unsynced data at power cuts so far: proof that a test met the rare cases.
struct CutCounts {
    std::uint64_t sectors_lost = 0;  ///< Sectors that lost at least one write.
    std::uint64_t sectors_kept = 0;  ///< Unsynced sectors that lost none.
    std::uint64_t torn_writes = 0;   ///< Writes of which some sectors were kept and some lost.
    std::uint64_t names_lost = 0;    ///< Creations or removals that did not happen.
};

/// What the disk says to one operation.
enum class Verdict : std::uint8_t {
    done = 1,
    power_off = 2,  ///< It happened or not, and nothing works any more.
    failed = 3,     ///< An I/O error; a write may have happened in part.
    full = 4,       ///< No space; a write may have happened in part.
};

/// A file, whatever its names. Its fields are the disk's business.
struct Inode {
    struct Change {
        std::uint64_t offset = 0;
        std::string bytes;             ///< Empty: a truncation to size_after.
        std::uint64_t size_after = 0;  ///< Of the file.
    };
    std::string current;          ///< What programs read.
    std::string durable;          ///< What is on the disk for certain.
    std::vector<Change> pending;  ///< Since the last sync, in order.
};

using File = std::shared_ptr<Inode>;

class LyingDisk {
public:
    explicit LyingDisk(std::uint64_t seed) : seed_{seed}, random_{seed, "lying disk"} {}

    [[nodiscard]] File find(const std::string& name) const;  ///< Null if there is none.
    [[nodiscard]] Verdict create(const std::string& name);
    /// @param sync_directory the removal, and every change of a name before it, is durable when this returns.
    [[nodiscard]] Verdict remove(const std::string& name, bool sync_directory);
    [[nodiscard]] Verdict write(Inode& file, std::uint64_t offset, std::string_view bytes);
    [[nodiscard]] Verdict truncate(Inode& file, std::uint64_t size);
    [[nodiscard]] Verdict sync(Inode& file, bool sync_directory);

    [[nodiscard]] std::uint64_t operations() const { return operations_; }
    /// At operation `number` the power goes: that operation may or may not have happened, and nothing works after it.
    void cut_power_at(std::uint64_t number) { cut_at_ = number; }
    [[nodiscard]] bool power_is_off() const { return off_; }
    /// Decides what survived a power cut now or at the operation where it went, and starts the machine again.
    void restart();
    [[nodiscard]] CutCounts counts() const { return counts_; }

    /// Operation `number`, if it is a write, a truncation or a sync, reports an I/O error.
    void fail_at(std::uint64_t number) { fail_at_ = number; }
    /// From operation `number` on, writes and creations find no space, until make_room().
    void fill_up_at(std::uint64_t number) { full_at_ = number; }
    void make_room() { full_at_ = 0; }
    void set_read_only(bool read_only) { read_only_ = read_only; }
    [[nodiscard]] bool read_only() const { return read_only_; }

private:
    enum class Mercy : std::uint8_t { none = 0, little = 1, even = 2, much = 3, all = 4 };

    [[nodiscard]] Verdict next(bool needs_space);
    void apply(Inode& file, std::uint64_t offset, std::string_view bytes);
    void sync_names();
    /// How many of `changes` survive.
    [[nodiscard]] std::size_t survivors(std::size_t changes, Mercy mercy);
    /// Brings what survives of the pending changes into `durable`.
    void settle(Inode& file, Mercy mercy);
    /// The same for writes alone, between two truncations.
    void settle_writes(Inode& file, std::span<const Inode::Change> writes, Mercy mercy);

    /// A stream of its own for what happens now: scripts that differ in one operation must not all meet the same fate.
    void draw_anew() { random_ = Random{seed_ ^ (operations_ * 0x9E3779B97F4A7C15ULL), "lying disk"}; }

    std::uint64_t seed_;
    Random random_;
    std::map<std::string, File> names_;
    std::map<std::string, File> durable_names_;
    std::map<std::string, std::vector<File>> pending_names_;  // Null: removed.
    std::uint64_t operations_ = 0;
    std::uint64_t cut_at_ = 0;
    std::uint64_t fail_at_ = 0;
    std::uint64_t full_at_ = 0;
    bool off_ = false;
    bool read_only_ = false;
    CutCounts counts_;
};

}  // namespace weir::sim
