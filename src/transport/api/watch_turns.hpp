// transport/api/watch_turns.hpp: which of the watches that can take more are given more in this pass.
//
// All watches that lack little are served in each pass. Of those that catch up with what was long ago, as one that begins at
// revision 0 does, only a few are, their subjects in turn: however many one subject has, the others wait for no more than that few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::api {

/// Who lacks no more revisions than this is live.
inline constexpr std::uint64_t live_within = 1'000;
/// Most of those that catch up in one pass. Each may cost reading and printing a window from the journal, some milliseconds.
inline constexpr std::size_t catching_up_at_once = 32;

/// A watch that can take more.
struct HungryWatch {
    std::size_t index = 0;        ///< The caller's.
    std::uint64_t sent = 0;       ///< It has all up to this revision.
    std::string_view subject;     ///< Whose it is.
};

/// Those to serve now, each list by revision, oldest first: the live ones before the others.
struct WatchTurn {
    std::vector<HungryWatch> live;
    std::vector<HungryWatch> catching_up;
    bool complete = true;         ///< Nobody was left for the next pass.
};

class WatchTurns {
public:
    /// `head` is the newest revision. The subject after the last one of the pass before comes first.
    [[nodiscard]] WatchTurn next(std::vector<HungryWatch> hungry, std::uint64_t head);

private:
    std::string last_;            ///< Whose turn was the last.
};

}  // namespace weir::api
