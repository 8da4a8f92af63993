#include "apps/client/progress.hpp"

#include "apps/client/format.hpp"
#include "apps/client/table.hpp"

#include <fmt/format.h>

#include <chrono>

namespace weir::cli {
namespace {

constexpr std::size_t line_width = 78;

}  // namespace

Progress::Progress(Console& console, std::string what) : console_{console}, what_{std::move(what)} {
    if (!console.talks || console.is_waiting) return;
    console.is_waiting = true;
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

Progress::~Progress() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
    console_.is_waiting = false;
}

void Progress::say(std::string what) {
    const std::lock_guard lock{mutex_};
    what_ = std::move(what);
}

void Progress::run(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    int second = 0;
    while (!wake_.wait_for(lock, stop, std::chrono::seconds{1}, [&] { return stop.stop_requested(); }) && !stop.stop_requested()) {
        ++second;
        console_.err << "\r\x1b[K" << cut(fmt::format("{} ({} s)", visible(what_), second), line_width) << std::flush;
    }
    if (second > 0) console_.err << "\r\x1b[K" << std::flush;
}

}  // namespace weir::cli
