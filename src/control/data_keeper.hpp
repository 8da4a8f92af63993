// control/data_keeper.hpp: keeps the stores of what projects keep as the journal says.
//
// It answers two questions: is all of a tree there, so that it can be kept, and what may go? Level, not edge: each turn looks at what the
// state says and at what lies there. A tree that is no longer kept is removed, but for what another tree of the project names too; only
// then the core is told, whose event is the receipt. What nobody names at all (uploads of no tree) goes after a day.
//
// Whoever checks a tree and then has it kept pins its project: nothing is removed of it meanwhile. A file's bytes are gone before the
// receipt says so; the list of their names goes right after it.
#pragma once

#include "control/loop.hpp"
#include "control/reader.hpp"
#include "domain/tree.hpp"
#include "ports/data_store.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace weir::control {

class DataKeeper {
public:
    /// `say` is for the operator's log. All must outlive it.
    DataKeeper(Reader& reader, Loop& loop, ports::DataStores& stores, std::function<Instant()> wall,
               std::function<void(const std::string&)> say)
        : reader_{reader}, loop_{loop}, stores_{stores}, wall_{std::move(wall)}, say_{std::move(say)} {}

    /// While it lives nothing is removed of the project's store. Waits for a removal under way.
    class Pin {
    public:
        Pin(DataKeeper& keeper, ProjectName project);
        Pin(const Pin&) = delete;
        Pin& operator=(const Pin&) = delete;
        ~Pin();

    private:
        DataKeeper& keeper_;
        ProjectName project_;
    };

    [[nodiscard]] ports::DataStores& stores() { return stores_; }

    /// Removes what may go of every project; at most one tree of each, so that nobody waits long. Not from two threads at once.
    void turn();

private:
    void look_after(const ProjectName& project, bool sweeps);
    bool begin_removal(const ProjectName& project);
    void end_removal(const ProjectName& project);

    Reader& reader_;
    Loop& loop_;
    ports::DataStores& stores_;
    std::function<Instant()> wall_;
    std::function<void(const std::string&)> say_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<ProjectName, std::size_t> pins_;  ///< Never 0.
    ProjectName removing_;                     ///< Empty: none.
    Instant swept_at_;
    std::map<ProjectName, std::string> complaints_;
};

/// The blobs that a tree names, each once, without its manifest.
[[nodiscard]] std::vector<ports::SizedDigest> blobs_of(const Tree& tree);

}  // namespace weir::control
