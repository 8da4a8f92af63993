#include "transport/http/stream.hpp"

#include "transport/http/sse.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::http {

void StreamCore::wake_locked() {
    if (!wake_ || woken_) return;
    woken_ = true;
    wake_();
}

Push StreamCore::push(std::string_view bytes) {
    const std::scoped_lock lock{mutex_};
    if (state_ != State::open) return Push::ended;
    if (gone()) return Push::gone;
    if (waiting_.size() + bytes.size() <= options_.buffer_bytes) {
        waiting_.append(bytes);
        wake_locked();
        return Push::taken;
    }
    overflowed_.store(true, std::memory_order_relaxed);
    if (options_.kind == StreamKind::events) {
        waiting_ +=
            format_comment(fmt::format("closed: the reader fell behind, {} bytes wait and the limit is {}; reconnect with Last-Event-ID",
                                       waiting_.size() + bytes.size(), options_.buffer_bytes));
        state_ = State::ended;
    } else {
        state_ = State::cut;
    }
    wake_locked();
    return Push::overflowed;
}

std::size_t StreamCore::waiting() {
    const std::scoped_lock lock{mutex_};
    return waiting_.size();
}

void StreamCore::finish() {
    const std::scoped_lock lock{mutex_};
    if (state_ != State::open) return;
    state_ = State::ended;
    wake_locked();
}

void StreamCore::end_with(std::string_view comment) {
    const std::scoped_lock lock{mutex_};
    if (state_ != State::open) return;
    const bool has_comments = options_.kind == StreamKind::events;
    if (has_comments) waiting_ += format_comment(comment);
    state_ = has_comments ? State::ended : State::cut;
    wake_locked();
}

void StreamCore::on_gone(std::move_only_function<void()> callback) {
    {
        const std::scoped_lock lock{mutex_};
        if (!gone()) {
            on_gone_ = std::move(callback);
            return;
        }
    }
    callback();
}

void StreamCore::attach(std::move_only_function<void()> wake) {
    const std::scoped_lock lock{mutex_};
    wake_ = std::move(wake);
    woken_ = false;
}

StreamCore::State StreamCore::take(std::string& out) {
    out.clear();
    const std::scoped_lock lock{mutex_};
    std::swap(out, waiting_);
    woken_ = false;
    return state_;
}

void StreamCore::detach() {
    std::move_only_function<void()> callback;
    std::move_only_function<void()> wake;
    {
        const std::scoped_lock lock{mutex_};
        gone_.store(true, std::memory_order_relaxed);
        waiting_ = {};
        callback = std::move(on_gone_);
        wake = std::move(wake_);
    }
    if (callback) callback();
}

Stream Stream::open(StreamOptions options) {
    return Stream{std::make_shared<Producer>(std::make_shared<StreamCore>(options))};
}

}  // namespace weir::http
