// transport/api/watch_window.hpp: printed events from one revision on, a bounded number of bytes of them.
//
// Those who watch are served in the order of where they stand; the window goes along with them. It prints each event once for all, and
// drops it when the next to be served stands behind it: however many places there are, only one window is in memory.
#pragma once

#include "base/id.hpp"
#include "domain/names.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weir::api {

/// Whose business an event is.
struct Audience {
    bool everybody = false;                    ///< Every subject of the network.
    ProjectName project{};                     ///< Those who may see it.
    OrganisationName organisation{};           ///< Those who may see a project of it.
    SubjectName subject{};                     ///< The subject itself.
    bool ledger = false;                       ///< Those who may see the ledger.
};

/// An event as SSE prints it.
struct WatchLine {
    std::uint64_t revision = 0;
    std::string text{};
    Audience audience{};
    std::optional<JobId> job{};
    std::string_view type{};  ///< The name of its kind.
    SiteName site{};          ///< Where it happened, or which it is about; empty: no site in particular.
    bool is_untold = false;  ///< Nobody can tell now whose job that is.
};

class WatchWindow {
public:
    /// Some of what comes after a revision, oldest first, none where that is the newest; nothing where it is no longer kept.
    using Fetch = std::function<std::optional<std::vector<WatchLine>>(std::uint64_t revision)>;

    /// The window is filled until it has `enough` bytes; one fetch more than that is the most it ever has.
    WatchWindow(Fetch fetch, std::size_t enough) : fetch_{std::move(fetch)}, enough_{enough} {}

    /// Moves on to what comes after `revision`, which is not before where it stood. False: that is no longer kept.
    [[nodiscard]] bool move_to(std::uint64_t revision);
    [[nodiscard]] const std::deque<WatchLine>& lines() const { return lines_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    Fetch fetch_;
    std::size_t enough_;
    std::deque<WatchLine> lines_;
    std::size_t bytes_ = 0;
    std::optional<std::uint64_t> upto_;        ///< All up to here was fetched.
};

}  // namespace weir::api
