#include "transport/http/server/mailbox.hpp"

#include <utility>

namespace weir::http {
namespace {

/// A stream that will never be attached tells its producer.
void discard(Mail& mail) {
    if (mail.response && mail.response->stream) mail.response->stream->detach();
}

}  // namespace

void Mailbox::post(Mail mail) {
    if (serving_.load(std::memory_order_acquire) == std::this_thread::get_id() && counter_ != nullptr && counter_->to == mail.to &&
        counter_->request == mail.request && !counter_->handed && mail.kind != MailKind::stream_news) {
        counter_->handed = std::move(mail);
        return;
    }
    {
        const std::scoped_lock lock{mutex_};
        if (!closed_) {
            waiting_.push_back(std::move(mail));
            if (waiting_.size() == 1) knock_();
            return;
        }
    }
    discard(mail);
}

void Mailbox::collect(std::vector<Mail>& into) {
    into.clear();
    const std::scoped_lock lock{mutex_};
    std::swap(into, waiting_);
}

void Mailbox::close() {
    std::vector<Mail> dropped;
    {
        const std::scoped_lock lock{mutex_};
        closed_ = true;
        std::swap(dropped, waiting_);
    }
    for (Mail& mail : dropped) discard(mail);
}

void Mailbox::open_counter(Counter* counter) {
    counter_ = counter;
    serving_.store(counter != nullptr ? std::this_thread::get_id() : std::thread::id{}, std::memory_order_release);
}

}  // namespace weir::http
