#include "transport/http/server/loop.hpp"

#include "transport/http/server/connection.hpp"
#include "transport/http/server/render.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace weir::http {
namespace {

/// Deadlines are kept to a quarter of the shortest limit, between 5 and 250 ms.
std::int64_t tick_for(const ServerLimits& limits) {
    const Duration shortest = std::min({limits.idle, limits.stranger_idle, limits.request, limits.write, limits.linger});
    return std::clamp(shortest.ns / 4, milliseconds(5).ns, milliseconds(250).ns);
}

/// A bijection of 64 bits (splitmix64's finaliser), so that ids neither repeat nor tell the load.
std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
}

}  // namespace

Loop::Loop(Shared& shared)
    : shared_{shared}, work_{context_.get_executor()}, timer_{context_}, tick_ns_{tick_for(shared.options.limits)},
      mailbox_{std::make_shared<Mailbox>([this] { asio::post(context_, [this] { deliver_mail(); }); })} {}

Loop::~Loop() { stop(); }

void Loop::run_in_thread() {
    thread_ = std::thread{[this] { run(); }};
}

void Loop::run() {
    arm_tick();
    for (bool running = true; running;) {
        try {
            context_.run();
            running = false;
        } catch (const std::exception& error) {
            shared_.log(LogLevel::error, "http.exception", error.what());
        }
    }
    for (Slot& slot : slots_) {
        if (const auto connection = slot.connection) connection->close();
    }
}

void Loop::drain() {
    asio::post(context_, [this] {
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (const auto connection = slots_[i].connection) connection->drain();
        }
    });
}

void Loop::stop() {
    if (!thread_.joinable()) return;
    mailbox_->close();
    context_.stop();
    thread_.join();
}

void Loop::adopt(Socket socket) {
    const std::uint64_t limit = shared_.options.limits.connections;
    if (shared_.connections >= limit) close_oldest_stranger();
    if (shared_.draining || shared_.connections >= limit + refusal_room) {
        Counters::add(counters_.refused);
        close_socket(socket);
        return;
    }
    const bool refused = shared_.connections.fetch_add(1) >= limit;
    std::uint32_t index = static_cast<std::uint32_t>(slots_.size());
    if (free_.empty()) {
        slots_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    const ConnectionId id{.slot = index, .generation = ++slots_[index].generation};
    const auto connection = std::make_shared<Connection>(*this, std::move(socket), id);
    slots_[index].connection = connection;
    Counters::add(refused ? counters_.refused : counters_.accepted);
    Counters::add(counters_.open);
    connection->start(refused ? Connection::Welcome::refused : Connection::Welcome::served);
}

void Loop::meet_stranger(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    if (!slot.as_stranger) slot.as_stranger = strangers_.insert(strangers_.end(), id);
}

void Loop::forget_stranger(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    if (slot.as_stranger) strangers_.erase(*slot.as_stranger);
    slot.as_stranger.reset();
}

void Loop::close_oldest_stranger() {
    if (strangers_.empty()) return;
    const auto connection = find(strangers_.front());
    Counters::add(counters_.strangers_closed);
    connection->close();
}

void Loop::release(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    if (slot.generation != id.generation || !slot.connection) return;
    forget_stranger(id);
    slot.connection.reset();
    slot.deadline_ns = no_deadline;
    free_.push_back(id.slot);
    Counters::subtract(counters_.open);
    shared_.connections.fetch_sub(1);
    if (shared_.draining) {
        const std::scoped_lock lock{shared_.mutex};
        shared_.changed.notify_all();
    }
}

std::shared_ptr<Connection> Loop::find(ConnectionId id) const {
    const Slot& slot = slots_[id.slot];
    return slot.generation == id.generation ? slot.connection : nullptr;
}

void Loop::deliver_mail() {
    mailbox_->collect(mail_);
    for (Mail& mail : mail_) {
        if (const auto connection = find(mail.to)) {
            connection->receive(std::move(mail));
            continue;
        }
        if (mail.kind != MailKind::stream_news) Counters::add(counters_.replies_late);
        if (mail.response && mail.response->stream) mail.response->stream->detach();
    }
    mail_.clear();
}

void Loop::arm_tick() {
    timer_.expires_after(std::chrono::nanoseconds{tick_ns_});
    timer_.async_wait([this](const ErrorCode& code) {
        if (code) return;
        tick();
        arm_tick();
    });
}

void Loop::tick() {
    const std::int64_t now = now_ns();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].deadline_ns > now) continue;
        if (const auto connection = slots_[i].connection) connection->on_deadline(now);
    }
}

std::int64_t Loop::now_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string_view Loop::date() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::int64_t now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    if (now_s != date_s_) {
        date_s_ = now_s;
        date_ = http_date(now_s);
    }
    return date_;
}

std::uint64_t Loop::next_request_id() { return mix(shared_.id_seed + shared_.requests.fetch_add(1, std::memory_order_relaxed)); }

}  // namespace weir::http
