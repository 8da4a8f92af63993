#include "adapters/task_files/log_reader.hpp"

#include "adapters/task_files/files.hpp"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

/// Beyond what any task prints, and twice as much is still an offset: a site can give its files any name and any size.
constexpr std::int64_t offset_max = std::int64_t{1} << 60;

struct Segment {
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::string name;
};

/// By start. A segment that ends before the next one begins lost its tail with the host's memory: that gap is skipped as dropped.
std::vector<Segment> list_segments(int logs, const std::string& stream) {
    std::vector<Segment> segments;
    const auto prefix = stream + ".";
    for (const auto& name : list_folder(logs)) {
        if (!name.starts_with(prefix) || name.size() != prefix.size() + 20) continue;
        Segment segment{.name = name};
        const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), segment.start);
        struct stat facts{};
        if (error != std::errc{} || end != name.data() + name.size() || segment.start < 0 || segment.start > offset_max) continue;
        if (fstatat(logs, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(facts.st_mode)) continue;
        if (facts.st_size > offset_max) continue;
        segment.end = segment.start + facts.st_size;
        segments.push_back(std::move(segment));
    }
    return segments;
}

/// Appends what `segment` has from `offset` on. False where it is gone.
bool read_segment(int logs, const Segment& segment, std::int64_t offset, std::int64_t max_bytes, std::string& bytes) {
    const Fd file = open_regular(logs, segment.name);
    if (!file) return false;
    const auto size = static_cast<std::size_t>(std::min(max_bytes, segment.end - offset));
    const auto before = bytes.size();
    bytes.resize(before + size);
    const auto got = pread(file.get(), bytes.data() + before, size, static_cast<off_t>(offset - segment.start));
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return true;
}

}  // namespace

ports::LogChunk read_log(int logs, const std::string& stream, std::int64_t offset, std::int64_t max_bytes) {
    constexpr int looks_max = 4;
    ports::LogChunk chunk;
    for (int look = 0; look < looks_max; ++look) {
        chunk = {.offset = std::max<std::int64_t>(offset, 0)};
        bool vanished = false;
        const auto segments = list_segments(logs, stream);
        if (!segments.empty()) chunk.end = segments.back().end;
        chunk.offset = std::min(chunk.offset, chunk.end);
        for (const auto& segment : segments) {
            auto at = chunk.offset + std::ssize(chunk.bytes);
            if (segment.end <= at || std::ssize(chunk.bytes) >= max_bytes) continue;
            if (at < segment.start && !chunk.bytes.empty()) break;
            if (at < segment.start) at = chunk.offset = segment.start;
            vanished = !read_segment(logs, segment, at, max_bytes - std::ssize(chunk.bytes), chunk.bytes);
            if (vanished) break;
        }
        if (!vanished) break;
    }
    return chunk;
}

}  // namespace weir::task_files
