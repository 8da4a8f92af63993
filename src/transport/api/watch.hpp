// transport/api/watch.hpp: committed events as they come, to everybody who watches, each seeing what is theirs.
//
// One thread feeds all watches. Each watch is a position: what it has been sent. It is given more when its buffer is empty,
// so a slow peer costs its buffer and nothing else; one that falls behind what the reader keeps is fed from the journal. Those who
// are live come first in each pass, a few of the others after them (watch_turns.hpp), and each event is printed once for all of
// them (watch_window.hpp).
// Visibility is judged when an event is sent, by the state of that moment.
#pragma once

#include "control/core/access.hpp"
#include "control/entry.hpp"
#include "control/reader.hpp"
#include "transport/api/old_jobs.hpp"
#include "transport/api/watch_turns.hpp"
#include "transport/api/watch_window.hpp"
#include "transport/http/stream.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::api {

class JournalText;

/// By the event alone and, for a job, the project that the state remembers; what is nobody's in particular is for auditors.
[[nodiscard]] Audience audience_of(const control::State& state, const control::Event& event);
/// Operators and auditors see every event; others what the audience says.
[[nodiscard]] bool may_see_event(const control::State& state, const control::Actor& actor, const Audience& audience);

/// What a watcher wants: empty fields want everything.
struct WatchFilter {
    ProjectName project{};
    std::optional<JobId> job{};
    SiteName site{};
    std::string type{};   ///< The name of a kind of event.
    std::string about{};  ///< A noun that names of kinds begin with: `site` of `site_set`.
    friend auto operator<=>(const WatchFilter&, const WatchFilter&) = default;
};

class WatchHub {
public:
    /// `project_of` answers for jobs that the core has forgotten.
    WatchHub(control::Reader& reader, JournalText& journal, OldJobs::Ask project_of,
             std::function<Instant()> wall, std::size_t most);
    ~WatchHub() { stop(); }
    WatchHub(const WatchHub&) = delete;
    WatchHub& operator=(const WatchHub&) = delete;

    /// Sends what comes after `since`. False where too many watch already.
    bool add(const http::Stream& stream, control::Actor actor, std::uint64_t since, WatchFilter filter);
    [[nodiscard]] std::size_t open() const { return open_.load(); }
    void stop();

private:
    struct Watch {
        http::Stream stream;
        control::Actor actor;
        std::string subject;                   ///< Whose turn it is when it is served.
        std::uint64_t sent = 0;                ///< Revision up to which it was served.
        WatchFilter filter;
    };
    struct Group;
    struct Portion;

    void run();
    /// One pass. @returns after how long the next one is due; nothing: once more is committed.
    std::optional<std::chrono::milliseconds> serve(std::vector<std::shared_ptr<Watch>>& watches);
    /// Gives these what comes next for each; a watch that is over is taken out of the list. True where any came further.
    bool serve_turn(std::vector<std::shared_ptr<Watch>>& watches, const std::vector<HungryWatch>& turn, bool& catching_up);
    Portion portion_for(const Watch& watch, const WatchWindow* window);
    /// What comes after `revision`: of the reader, or (`catching_up`) of the journal; nothing where neither has it.
    std::optional<std::vector<WatchLine>> lines_after(std::uint64_t revision, bool& catching_up);
    void tell_whose(WatchLine& line);
    static WatchLine line_of(const control::Entry& entry);

    control::Reader& reader_;
    JournalText& journal_;
    std::function<Instant()> wall_;
    std::size_t most_;
    WatchTurns turns_;
    OldJobs old_jobs_;
    bool views_are_late_ = false;  ///< In this pass they could not tell whose a job was.
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::shared_ptr<Watch>> added_;
    bool committed_ = false;
    bool stopping_ = false;
    std::atomic<std::size_t> open_ = 0;
    std::uint64_t watcher_ = 0;
    std::thread thread_;
};

}  // namespace weir::api
