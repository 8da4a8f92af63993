// Goal: the disk lies exactly as it says: unsynced data may go, in any part and order; synced data never does.
// Method: one short script over many seeds; what may happen must happen for some seed, what must not, for none.
#include "sim/lying_disk/lying_disk.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>

namespace weir::sim {
namespace {

constexpr std::uint64_t seeds = 300;

/// Contents of `name` after a restart; nothing if it is gone.
std::optional<std::string> after_restart(LyingDisk& disk, const std::string& name) {
    disk.restart();
    const auto file = disk.find(name);
    if (!file) return std::nullopt;
    return file->current;
}

/// A disk with the synced file `f` of three sectors of 'a'.
LyingDisk disk_with_file(std::uint64_t seed) {
    LyingDisk disk{seed};
    EXPECT_EQ(disk.create("f"), Verdict::done);
    EXPECT_EQ(disk.write(*disk.find("f"), 0, std::string(3 * sector_bytes, 'a')), Verdict::done);
    EXPECT_EQ(disk.sync(*disk.find("f"), true), Verdict::done);
    return disk;
}

TEST(LyingDisk, WhatWasSyncedWithItsDirectoryIsAlwaysThere) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        auto disk = disk_with_file(seed);
        EXPECT_EQ(after_restart(disk, "f"), std::string(3 * sector_bytes, 'a'));
    }
}

TEST(LyingDisk, UnsyncedWritesAreLostReorderedAndTornBySector) {
    std::set<std::string> seen;  // One letter per sector.
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        auto disk = disk_with_file(seed);
        auto& file = *disk.find("f");
        EXPECT_EQ(disk.write(file, 0, std::string(3 * sector_bytes, 'b')), Verdict::done);
        EXPECT_EQ(disk.write(file, sector_bytes, std::string(sector_bytes, 'c')), Verdict::done);
        const auto bytes = after_restart(disk, "f").value();
        ASSERT_EQ(bytes.size(), 3 * sector_bytes);
        std::string picture;
        for (std::size_t i = 0; i < 3; ++i) {
            picture += bytes[i * sector_bytes];
            EXPECT_EQ(bytes.substr(i * sector_bytes, sector_bytes), std::string(sector_bytes, picture.back())) << "a sector is never torn";
        }
        seen.insert(picture);
    }
    EXPECT_TRUE(seen.contains("aaa")) << "all lost";
    EXPECT_TRUE(seen.contains("bcb")) << "all kept";
    EXPECT_TRUE(seen.contains("baa") && seen.contains("aab")) << "torn";
    EXPECT_TRUE(seen.contains("aca")) << "the later write kept, the earlier one lost elsewhere";
    EXPECT_EQ(seen.size(), 12U) << "two choices for the outer sectors, three for the middle one";
}

TEST(LyingDisk, ATruncationHappensWholeOrNotAtAll) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        auto disk = disk_with_file(seed);
        auto& file = *disk.find("f");
        EXPECT_EQ(disk.truncate(file, 0), Verdict::done);
        EXPECT_EQ(disk.write(file, 0, std::string(2 * sector_bytes, 'b')), Verdict::done);
        const auto bytes = after_restart(disk, "f").value();
        std::string picture;
        for (std::size_t i = 0; i < bytes.size(); i += sector_bytes) picture += bytes[i] == '\0' ? '0' : bytes[i];
        seen.insert(picture);
    }
    EXPECT_EQ(seen, (std::set<std::string>{"aaa", "", "bb", "0b", "b0", "00"})) << "never old bytes beside new ones";
}

TEST(LyingDisk, NamesOfAnUnsyncedDirectoryComeAndGo) {
    bool kept = false, lost = false, removed = false, back = false;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        auto disk = disk_with_file(seed);
        EXPECT_EQ(disk.create("new"), Verdict::done);
        EXPECT_EQ(disk.sync(*disk.find("new"), false), Verdict::done);
        EXPECT_EQ(disk.remove("f", false), Verdict::done);
        disk.restart();
        (disk.find("new") ? kept : lost) = true;
        (disk.find("f") ? back : removed) = true;
        EXPECT_TRUE(!disk.find("f") || disk.find("f")->current == std::string(3 * sector_bytes, 'a'));
    }
    EXPECT_TRUE(kept && lost && removed && back);
}

TEST(LyingDisk, AFailedSyncLeavesBytesThatAreNeverStoredAndAreReadOnlyAsLongAsMemoryHasThem) {
    bool lied = false, forgotten = false;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        auto disk = disk_with_file(seed);
        auto& file = *disk.find("f");
        EXPECT_EQ(disk.write(file, 0, std::string(sector_bytes, 'b')), Verdict::done);
        disk.fail_at(disk.operations() + 1);
        EXPECT_EQ(disk.sync(file, false), Verdict::failed);
        EXPECT_TRUE(file.current[0] == 'b' || file.durable[0] == 'a');
        if (file.current[0] == 'a') forgotten = true;
        EXPECT_EQ(disk.sync(file, false), Verdict::done) << "and a second sync has nothing to do";
        const bool was_read = file.current[0] == 'b';
        if (was_read && after_restart(disk, "f")->front() == 'a') lied = true;
    }
    EXPECT_TRUE(lied && forgotten);
}

TEST(LyingDisk, NothingWorksWithoutPowerAndAFullDiskFreesUpAgain) {
    auto disk = disk_with_file(7);
    disk.fill_up_at(disk.operations() + 1);
    EXPECT_EQ(disk.write(*disk.find("f"), 0, "x"), Verdict::full);
    EXPECT_EQ(disk.create("g"), Verdict::full);
    disk.make_room();
    EXPECT_EQ(disk.write(*disk.find("f"), 0, "x"), Verdict::done);
    disk.cut_power_at(disk.operations() + 1);
    EXPECT_EQ(disk.sync(*disk.find("f"), true), Verdict::power_off);
    EXPECT_TRUE(disk.power_is_off());
    EXPECT_EQ(disk.write(*disk.find("f"), 0, "x"), Verdict::power_off);
    disk.restart();
    EXPECT_EQ(disk.write(*disk.find("f"), 0, "x"), Verdict::done);
}

TEST(LyingDisk, TheSameSeedLiesTheSameWay) {
    const auto run = [](std::uint64_t seed) {
        auto disk = disk_with_file(seed);
        EXPECT_EQ(disk.write(*disk.find("f"), 100, std::string(5000, 'b')), Verdict::done);
        return after_restart(disk, "f");
    };
    for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(run(seed), run(seed));
}

}  // namespace
}  // namespace weir::sim
