#include "supervisor/log_ring.hpp"

#include "supervisor/text.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace weir::supervisor {

void LogRing::open(int directory, std::string_view stream, std::int64_t quota_bytes) {
    directory_ = directory;
    copy_text(stream_, stream);
    segment_bytes_ = quota_bytes / 2 < segment_bytes_min ? segment_bytes_min : quota_bytes / 2;
}

bool LogRing::name_segment(std::int64_t start, std::span<char> room) const {
    TextBuffer name{room};
    name.add(stream_).add(".").add_padded(start, 20);
    return !name.overflowed();
}

bool LogRing::begin_segment() {
    char name[64];
    if (!name_segment(end_, name)) return false;
    Fd next{openat(directory_, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!next) return false;
    if (previous_ >= 0 && name_segment(previous_, name)) unlinkat(directory_, name, 0);
    previous_ = file_ ? start_ : -1;
    start_ = end_;
    file_ = std::move(next);
    return true;
}

void LogRing::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const bool full = !file_ || end_ - start_ >= segment_bytes_;
        if (full && !begin_segment()) break;
        const auto left = static_cast<std::size_t>(segment_bytes_ - (end_ - start_));
        const auto wrote = write(file_.get(), bytes.data(), bytes.size() < left ? bytes.size() : left);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) break;
        end_ += wrote;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    dropped_ += static_cast<std::int64_t>(bytes.size());
}

}  // namespace weir::supervisor
