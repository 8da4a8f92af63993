// supervisor/log_ring.hpp: a stream of output on disk that never grows beyond its quota and never makes its writer wait.
//
// It answers one question: where does the next byte go? Reading back is the backend's work (log_reader.hpp).
//
// A stream `0.out` is kept in at most two segments, `0.out.00000000000000000000` and so on: the number is the offset of the
// segment's first byte in the whole stream. When a segment has reached half the quota a new one begins and the one before
// the last is removed, so that the last half to whole quota of bytes is always there, an offset means the same byte for
// ever, and the end of a long log (where the traceback is) survives its beginning. Bytes that the disk refuses are dropped
// and counted; they have no offset.
#pragma once

#include "supervisor/system.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::supervisor {

inline constexpr std::int64_t segment_bytes_min = 4096;

class LogRing {
public:
    LogRing() = default;

    /// `directory` outlives the ring. Quotas below two smallest segments count as that.
    void open(int directory, std::string_view stream, std::int64_t quota_bytes);
    void append(std::string_view bytes);

    [[nodiscard]] std::int64_t end() const { return end_; }
    [[nodiscard]] std::int64_t dropped() const { return dropped_; }

private:
    [[nodiscard]] bool begin_segment();
    [[nodiscard]] bool name_segment(std::int64_t start, std::span<char> room) const;

    int directory_ = -1;
    char stream_[16] = {};
    std::int64_t segment_bytes_ = 0;
    Fd file_;
    std::int64_t start_ = 0;      ///< Offset of the current segment.
    std::int64_t previous_ = -1;  ///< Offset of the one before; -1: none.
    std::int64_t end_ = 0;
    std::int64_t dropped_ = 0;
};

}  // namespace weir::supervisor
