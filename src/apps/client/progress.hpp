// apps/client/progress.hpp: one line on the terminal that says what is waited for, and since when.
//
// It appears after a second, is renewed each second and is gone before anything else is printed. Where stderr is
// no terminal, or within another wait, it does nothing.
#pragma once

#include "apps/client/console.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace weir::cli {

class Progress {
public:
    Progress(Console& console, std::string what);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void say(std::string what);

private:
    void run(const std::stop_token& stop);

    Console& console_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::string what_;
    std::jthread thread_;
};

}  // namespace weir::cli
