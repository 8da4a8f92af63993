#include "transport/api/watch_window.hpp"

#include <utility>

namespace weir::api {

bool WatchWindow::move_to(std::uint64_t revision) {
    while (!lines_.empty() && lines_.front().revision <= revision) {
        bytes_ -= lines_.front().text.size();
        lines_.pop_front();
    }
    if (!upto_ || *upto_ < revision) upto_ = revision;
    while (bytes_ < enough_) {
        auto more = fetch_(*upto_);
        // What is here already is good; that the rest is gone is told to who comes there.
        if (!more) return !lines_.empty();
        if (more->empty()) break;
        upto_ = more->back().revision;
        for (auto& line : *more) {
            bytes_ += line.text.size();
            lines_.push_back(std::move(line));
        }
    }
    return true;
}

}  // namespace weir::api
