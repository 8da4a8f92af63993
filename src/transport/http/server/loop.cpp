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

/// So many connections of a privileged holder are never closed for others.
constexpr std::size_t privileged_connections = 64;

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
    if (shared_.connections >= limit) make_room();
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

const Loop::Held* Loop::largest_holder() const {
    const Held* largest = nullptr;
    for (const auto& [name, held] : holders_) {
        if (held.privileged && held.connections.size() <= privileged_connections) continue;
        if (largest == nullptr || held.connections.size() > largest->connections.size()) largest = &held;
    }
    return largest;
}

std::shared_ptr<Connection> Loop::oldest_idle_of(const Held& held, ConnectionId but) const {
    for (const auto& id : held.connections) {
        const auto connection = find(id);
        if (id != but && connection && connection->is_idle()) return connection;
    }
    return nullptr;
}

void Loop::close_one_of(const Held& held) {
    const auto idle = oldest_idle_of(held, {});
    const auto connection = idle ? idle : find(held.connections.front());
    Counters::add(counters_.holders_closed);
    connection->close();
}

/// Strangers go first, unless one holder has so much more that the fault is his.
void Loop::make_room() {
    const Held* largest = largest_holder();
    const auto held = largest == nullptr ? 0 : largest->connections.size();
    const bool is_greedy = held > strangers_.size() && held > shared_.options.limits.connections / 8;
    if (!strangers_.empty() && !is_greedy) {
        const auto connection = find(strangers_.front());
        Counters::add(counters_.strangers_closed);
        return connection->close();
    }
    if (held > 1) close_one_of(*largest);
}

void Loop::let_go(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    if (slot.holder.empty()) return;
    const auto held = holders_.find(slot.holder);
    held->second.connections.erase(slot.as_held);
    if (held->second.connections.empty()) holders_.erase(held);
    slot.holder.clear();
}

bool Loop::hold(ConnectionId id, const Holder& holder) {
    if (slots_[id.slot].holder == holder.name) return true;
    let_go(id);
    if (holder.name.empty()) return true;
    const auto& limits = shared_.options.limits;
    const auto threads = static_cast<std::size_t>(std::clamp(shared_.options.io_threads, 1, 16));
    const auto each = holder.connections_max == 0 ? limits.connections_each : std::min(limits.connections_each, holder.connections_max);
    const auto most = std::max<std::size_t>(1, std::min(each, limits.connections - limits.connections / 4) / threads);
    Held& held = holders_[holder.name];
    held.privileged = holder.privileged;
    slots_[id.slot].holder = holder.name;
    slots_[id.slot].as_held = held.connections.insert(held.connections.end(), id);
    if (held.connections.size() <= most) return true;
    const auto idle = oldest_idle_of(held, id);
    if (!idle) return false;
    Counters::add(counters_.holders_closed);
    idle->close();
    return true;
}

void Loop::release(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    if (slot.generation != id.generation || !slot.connection) return;
    forget_stranger(id);
    let_go(id);
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
        const auto connection = slots_[i].connection;
        if (!connection) continue;
        connection->watch_peer(now);
        if (slots_[i].deadline_ns <= now) connection->on_deadline(now);
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
