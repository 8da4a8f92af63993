// control/prefetch.hpp: the entries of a journal in order, read and decoded ahead by a thread of its own.
//
// Decoding a journal's text costs more than folding it: while one list of entries is applied, the next are made. What waits is
// bounded, so a long journal takes no more memory than a short one.
#pragma once

#include "control/entry.hpp"
#include "ports/journal.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::control {

class Prefetch {
public:
    /// Entries from `from` to `until`, both included. Nobody else may use `journal` while this lives.
    Prefetch(ports::JournalReader& journal, std::uint64_t from, std::uint64_t until);
    ~Prefetch();
    Prefetch(const Prefetch&) = delete;
    Prefetch& operator=(const Prefetch&) = delete;

    /// The next entries; none: the end is reached. The error is for an operator, and final.
    [[nodiscard]] Result<std::vector<Entry>, std::string> next();

private:
    using List = Result<std::vector<Entry>, std::string>;
    [[nodiscard]] List read(std::uint64_t from);
    void run(std::uint64_t from);

    ports::JournalReader& journal_;
    std::uint64_t until_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<List> ready_;
    bool over_ = false;      ///< An empty list or an error is the last of `ready_`.
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::control
