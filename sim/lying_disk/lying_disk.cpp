#include "sim/lying_disk/lying_disk.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace weir::sim {
namespace {

/// The sectors that a change touches: [first, last). A truncation touches none that remains.
struct Sectors {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

Sectors touched(const Inode::Change& change) {
    return {change.offset / sector_bytes, (change.offset + change.bytes.size() + sector_bytes - 1) / sector_bytes};
}

/// The part of a write that falls into one sector, put into that sector's bytes.
void write_sector(std::string& sector, std::uint64_t number, const Inode::Change& write) {
    const std::uint64_t start = number * sector_bytes;
    const auto from = std::max(start, write.offset);
    const auto to = std::min<std::uint64_t>(start + sector_bytes, write.offset + write.bytes.size());
    std::memcpy(sector.data() + (from - start), write.bytes.data() + (from - write.offset), to - from);
}

/// For each sector that was written to, the writes that did so, in order.
std::map<std::uint64_t, std::vector<std::size_t>> histories(std::span<const Inode::Change> writes) {
    std::map<std::uint64_t, std::vector<std::size_t>> result;
    for (std::size_t i = 0; i < writes.size(); ++i) {
        const auto range = touched(writes[i]);
        for (auto sector = range.first; sector < range.last; ++sector) result[sector].push_back(i);
    }
    return result;
}

}  // namespace

File LyingDisk::find(const std::string& name) const {
    const auto at = names_.find(name);
    return at == names_.end() ? nullptr : at->second;
}

Verdict LyingDisk::next(bool needs_space) {
    if (off_) return Verdict::power_off;
    ++operations_;
    if (operations_ == cut_at_) {
        off_ = true;
        return Verdict::power_off;
    }
    if (operations_ == fail_at_) return Verdict::failed;
    if (needs_space && full_at_ != 0 && operations_ >= full_at_) return Verdict::full;
    return Verdict::done;
}

void LyingDisk::apply(Inode& file, std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (file.current.size() < offset + bytes.size()) file.current.resize(offset + bytes.size());
    std::memcpy(file.current.data() + offset, bytes.data(), bytes.size());
    file.pending.push_back({offset, std::string{bytes}, file.current.size()});
}

Verdict LyingDisk::create(const std::string& name) {
    const auto verdict = next(true);
    if (verdict != Verdict::done) return verdict;
    names_[name] = std::make_shared<Inode>();
    pending_names_[name].push_back(names_[name]);
    return verdict;
}

Verdict LyingDisk::remove(const std::string& name, bool sync_directory) {
    const bool was_on = !off_;
    const auto verdict = next(false);
    if (verdict == Verdict::power_off && !was_on) return verdict;
    names_.erase(name);
    pending_names_[name].push_back(nullptr);
    if (verdict == Verdict::done && sync_directory) sync_names();
    return verdict == Verdict::failed ? Verdict::done : verdict;
}

Verdict LyingDisk::write(Inode& file, std::uint64_t offset, std::string_view bytes) {
    const bool was_on = !off_;
    const auto verdict = next(true);
    if (verdict == Verdict::done || (verdict == Verdict::power_off && was_on)) apply(file, offset, bytes);
    if (verdict == Verdict::failed || verdict == Verdict::full) apply(file, offset, bytes.substr(0, random_.below(bytes.size() + 1)));
    return verdict;
}

Verdict LyingDisk::truncate(Inode& file, std::uint64_t size) {
    const auto verdict = next(false);
    if (verdict != Verdict::done) return verdict;
    file.current.resize(size);
    file.pending.push_back({0, {}, size});
    return verdict;
}

Verdict LyingDisk::sync(Inode& file, bool sync_directory) {
    const auto verdict = next(false);
    if (verdict == Verdict::failed) {
        draw_anew();
        settle(file, static_cast<Mercy>(random_.below(4)));
        // What could not be stored counts as clean: memory may drop it at any time, and the disk's bytes are read from then on.
        if (random_.chance(1, 2)) {
            const auto size = file.current.size();
            file.current = file.durable;
            file.current.resize(size);
        }
        return verdict;
    }
    if (verdict != Verdict::done) return verdict;
    file.durable.resize(file.current.size());
    for (const auto& change : file.pending) {
        const auto range = touched(change);
        const auto from = std::min<std::uint64_t>(range.first * sector_bytes, file.current.size());
        const auto to = std::min<std::uint64_t>(range.last * sector_bytes, file.current.size());
        std::copy(file.current.begin() + static_cast<std::ptrdiff_t>(from), file.current.begin() + static_cast<std::ptrdiff_t>(to),
                  file.durable.begin() + static_cast<std::ptrdiff_t>(from));
    }
    file.pending.clear();
    if (sync_directory) sync_names();
    return verdict;
}

void LyingDisk::sync_names() {
    durable_names_ = names_;
    pending_names_.clear();
}

std::size_t LyingDisk::survivors(std::size_t changes, Mercy mercy) {
    switch (mercy) {
        case Mercy::none: return 0;
        case Mercy::little: return random_.chance(7, 8) ? 0 : changes;
        case Mercy::even: return random_.below(changes + 1);
        case Mercy::much: return random_.chance(7, 8) ? changes : random_.below(changes + 1);
        case Mercy::all: return changes;
    }
    return 0;
}

void LyingDisk::settle_writes(Inode& file, std::span<const Inode::Change> writes, Mercy mercy) {
    const auto kept_size = survivors(writes.size(), mercy);
    const auto size = kept_size == 0 ? file.durable.size() : writes[kept_size - 1].size_after;
    std::set<std::size_t> kept, lost;  // Writes with at least one sector kept, or lost.
    for (const auto& [number, changes] : histories(writes)) {
        const auto count = survivors(changes.size(), mercy);
        ++(count == changes.size() ? counts_.sectors_kept : counts_.sectors_lost);
        if (file.durable.size() < (number + 1) * sector_bytes) file.durable.resize((number + 1) * sector_bytes);
        std::string sector = file.durable.substr(number * sector_bytes, sector_bytes);
        for (std::size_t i = 0; i < changes.size(); ++i) {
            if (i < count) write_sector(sector, number, writes[changes[i]]);
            (i < count ? kept : lost).insert(changes[i]);
        }
        file.durable.replace(number * sector_bytes, sector_bytes, sector);
    }
    counts_.torn_writes += static_cast<std::uint64_t>(std::ranges::count_if(kept, [&](std::size_t write) { return lost.contains(write); }));
    file.durable.resize(size);
}

void LyingDisk::settle(Inode& file, Mercy mercy) {
    const auto is_truncation = [](const Inode::Change& change) { return change.bytes.empty(); };
    auto truncations = survivors(static_cast<std::size_t>(std::ranges::count_if(file.pending, is_truncation)), mercy);
    for (auto from = file.pending.begin();;) {
        const auto to = std::find_if(from, file.pending.end(), is_truncation);
        settle_writes(file, std::span{from, to}, mercy);
        if (to == file.pending.end() || truncations-- == 0) break;
        file.durable.resize(to->size_after);
        from = to + 1;
    }
    file.pending.clear();
}

void LyingDisk::restart() {
    draw_anew();
    const auto mercy = static_cast<Mercy>(random_.below(5));
    for (auto& [name, changes] : pending_names_) {
        const auto kept = survivors(changes.size(), mercy);
        counts_.names_lost += changes.size() - kept;
        if (kept == 0) continue;
        if (changes[kept - 1])
            durable_names_[name] = changes[kept - 1];
        else
            durable_names_.erase(name);
    }
    for (auto& [name, file] : durable_names_) {
        settle(*file, mercy);
        // A dead program may still hold the old file; it must not reach the new one.
        file = std::make_shared<Inode>(Inode{file->durable, file->durable, {}});
    }
    names_ = durable_names_;
    pending_names_.clear();
    off_ = false;
    cut_at_ = 0;
    fail_at_ = 0;
}

}  // namespace weir::sim
