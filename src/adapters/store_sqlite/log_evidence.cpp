#include "adapters/store_sqlite/log_evidence.hpp"

#include "adapters/store_sqlite/vfs_file.hpp"
#include "base/sha256.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace weir::store {
namespace {

constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::uint32_t magic = 0x377F0682;  // The lowest bit says that checksums read words as big-endian.
constexpr std::size_t window_bytes = 4U << 20U;

std::uint32_t big_endian(std::span<const std::uint8_t> bytes, std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at]) << 24U | static_cast<std::uint32_t>(bytes[at + 1]) << 16U |
           static_cast<std::uint32_t>(bytes[at + 2]) << 8U | bytes[at + 3];
}

struct Sum {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    friend bool operator==(const Sum&, const Sum&) = default;
};

Sum sum_of(std::span<const std::uint8_t> bytes, Sum sum, bool swapped) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
        std::uint32_t first = big_endian(bytes, at);
        std::uint32_t second = big_endian(bytes, at + 4);
        if (swapped) {
            first = __builtin_bswap32(first);
            second = __builtin_bswap32(second);
        }
        sum.a += first + sum.b;
        sum.b += second + sum.a;
    }
    return sum;
}

struct Frame {
    std::uint32_t page = 0;
    bool commits = false;
    Sum salt;
    Sum stored;
};

Frame frame_at(std::span<const std::uint8_t> bytes) {
    return {big_endian(bytes, 0),
            big_endian(bytes, 4) != 0,
            {big_endian(bytes, 8), big_endian(bytes, 12)},
            {big_endian(bytes, 16), big_endian(bytes, 20)}};
}

struct Header {
    bool sound = false;
    bool swapped = true;
    std::size_t page_bytes = 0;
    Sum salt;
    Sum stored;
};

bool plausible_page(std::size_t bytes) { return bytes >= 512 && bytes <= 65'536 && (bytes & (bytes - 1)) == 0; }

Header read_header(std::span<const std::uint8_t> bytes) {
    Header header;
    const std::uint32_t found = big_endian(bytes, 0);
    header.swapped = (found & 1U) == 0;
    header.page_bytes = big_endian(bytes, 8);
    header.salt = {big_endian(bytes, 16), big_endian(bytes, 20)};
    header.stored = {big_endian(bytes, 24), big_endian(bytes, 28)};
    header.sound =
        (found & ~1U) == magic && plausible_page(header.page_bytes) && sum_of(bytes.first(24), {}, header.swapped) == header.stored;
    return header;
}

/// Walks the frames of one log in order.
class Walk {
public:
    Walk(Header header, std::uint64_t frames) : header_{header}, before_{header.stored} {
        found_.log_frames = frames;
        broken_ = !header.sound;
    }

    /// @returns the evidence, once it is complete.
    std::optional<LostCommits> next(std::span<const std::uint8_t> bytes) {
        ++number_;
        const Frame frame = frame_at(bytes);
        if (number_ == 1 && !header_.sound) header_.salt = frame.salt;
        const bool ours = frame.salt == header_.salt && frame.page != 0;
        const Sum start = sum_of(bytes.first(8), before_, header_.swapped);
        const bool sound = ours && sum_of(bytes.subspan(frame_header_bytes), start, header_.swapped) == frame.stored;
        if (broken_ && sound && found_.commit_frame == number_ - 1 && number_ > 1) return found_;
        if (!broken_ && !sound) {
            broken_ = true;
            found_.broken_frame = number_;
        }
        if (broken_ && ours && frame.commits) found_.commit_frame = number_;
        before_ = frame.stored;
        return std::nullopt;
    }

private:
    Header header_;
    Sum before_;
    std::uint64_t number_ = 0;
    bool broken_ = false;
    LostCommits found_;
};

/// The page size that the database's own header names; 0 if there is none to read.
std::size_t database_page_bytes(const std::string& vfs, const std::string& path) {
    const auto file = VfsFile::open(vfs, path, FileKind::database);
    std::array<std::uint8_t, 2> bytes{};
    if (!file || file->size() < 100 || !file->read(16, bytes.data(), 2)) return 0;
    const std::size_t size = static_cast<std::size_t>(bytes[0]) << 8U | bytes[1];
    return size == 1 ? 65'536 : size;
}

/// The log of a database, read in windows.
class Log {
public:
    static std::optional<Log> open(const std::string& vfs, const std::string& path) {
        auto file = VfsFile::open(vfs, path + "-wal", FileKind::other);
        if (!file || file->size() < header_bytes + frame_header_bytes) return std::nullopt;
        std::array<std::uint8_t, header_bytes> head{};
        if (!file->read(0, head.data(), header_bytes)) return std::nullopt;
        Header header = read_header(head);
        if (!header.sound) header.page_bytes = database_page_bytes(vfs, path);
        if (!plausible_page(header.page_bytes)) return std::nullopt;
        return Log{std::move(*file), header};
    }

    [[nodiscard]] const Header& header() const { return header_; }
    [[nodiscard]] std::uint64_t frames() const { return (file_.size() - header_bytes) / frame_bytes(); }

    /// Calls `visit` with each frame's bytes in order, until it returns false or a frame cannot be read.
    template <class Visit>
    void each(Visit visit) {
        const std::uint64_t all = frames();
        const std::uint64_t per_window = std::max<std::uint64_t>(1, window_bytes / frame_bytes());
        std::vector<std::uint8_t> window(static_cast<std::size_t>(std::min(all, per_window)) * frame_bytes());
        for (std::uint64_t first = 0; first < all; first += per_window) {
            const auto count = std::min(per_window, all - first);
            if (!file_.read(header_bytes + first * frame_bytes(), window.data(), static_cast<int>(count * frame_bytes()))) return;
            for (std::uint64_t i = 0; i < count; ++i) {
                if (!visit(std::span{window}.subspan(static_cast<std::size_t>(i) * frame_bytes(), frame_bytes()))) return;
            }
        }
    }

private:
    Log(VfsFile file, Header header) : file_{std::move(file)}, header_{header} {}
    [[nodiscard]] std::size_t frame_bytes() const { return frame_header_bytes + header_.page_bytes; }

    VfsFile file_;
    Header header_;
};

/// Whether the database has every page as the log's last commit left it.
bool database_has_it_all(const std::string& vfs, const std::string& path, Log& log) {
    std::map<std::uint32_t, Digest> pages, since_commit;
    std::optional<Sum> salt;
    log.each([&](std::span<const std::uint8_t> bytes) {
        const Frame frame = frame_at(bytes);
        if (!salt) salt = frame.salt;
        if (frame.salt != *salt) return false;
        const auto page = bytes.subspan(frame_header_bytes);
        since_commit[frame.page] = sha256({reinterpret_cast<const char*>(page.data()), page.size()});
        if (!frame.commits) return true;
        for (const auto& [number, digest] : since_commit) pages[number] = digest;
        since_commit.clear();
        return true;
    });
    const auto file = VfsFile::open(vfs, path, FileKind::database);
    const auto page_bytes = log.header().page_bytes;
    std::string page(page_bytes, '\0');
    return file && std::ranges::all_of(pages, [&](const auto& entry) {
               const auto offset = (static_cast<std::uint64_t>(entry.first) - 1) * page_bytes;
               return entry.first > 0 && file->read(offset, page.data(), static_cast<int>(page_bytes)) && sha256(page) == entry.second;
           });
}

}  // namespace

std::optional<LostCommits> find_lost_commits(const std::string& vfs, const std::string& path) {
    auto log = Log::open(vfs, path);
    if (!log) return std::nullopt;
    Walk walk{log->header(), log->frames()};
    std::optional<LostCommits> lost;
    log->each([&](std::span<const std::uint8_t> bytes) {
        lost = walk.next(bytes);
        return !lost;
    });
    if (lost && !log->header().sound && database_has_it_all(vfs, path, *log)) return std::nullopt;
    return lost;
}

}  // namespace weir::store
