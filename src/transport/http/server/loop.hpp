// transport/http/server/loop.hpp: one io thread, its connections, its clock and its mail.
//
// The loop is the strand: whatever belongs to it is touched by its thread alone. Deadlines lie in one flat
// table that is swept at each tick, so that arming one is a store and ten thousand idle streams cost a scan of
// a few hundred kilobytes four times a second.
//
// Private to the server: includes Asio.
#pragma once

#include "transport/http/server/mailbox.hpp"
#include "transport/http/server/metrics.hpp"
#include "transport/http/server/server.hpp"
#include "transport/http/server/socket.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::http {

class Connection;

/// What all loops of a server share; constant but for the counts.
struct Shared {
    Router router;
    ServerOptions options;
    std::shared_ptr<BodyBudget> bodies;
    /// First part of every request id, mixed; another at each start.
    std::uint64_t id_seed = 0;
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> connections = 0;
    std::atomic<bool> draining = false;
    /// Signalled when `connections` falls while draining.
    std::mutex mutex;
    std::condition_variable changed;

    void log(LogLevel level, std::string_view event, std::string detail) const {
        if (options.log) options.log({.level = level, .event = event, .detail = std::move(detail)});
    }
};

/// Connections beyond the limit that are still told so.
constexpr std::uint64_t refusal_room = 64;

/// Never, as a deadline.
constexpr std::int64_t no_deadline = INT64_MAX;

class Loop {
public:
    explicit Loop(Shared& shared);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run_in_thread();
    /// From any thread: closes what is idle and ends streams.
    void drain();
    /// From any thread: cuts what is left and joins the thread.
    void stop();

    // ---- on the loop's thread ----

    void adopt(Socket socket);
    void release(ConnectionId id);
    /// This connection waits for the head of a request and nobody knows whose it is.
    void meet_stranger(ConnectionId id);
    /// That is over.
    void forget_stranger(ConnectionId id);
    /// The connection is on this holder's account from now on. False where that one has too many and none is idle.
    [[nodiscard]] bool hold(ConnectionId id, const Holder& holder);
    void set_deadline(ConnectionId id, std::int64_t at_ns) { slots_[id.slot].deadline_ns = at_ns; }
    /// Nanoseconds of the steady clock.
    [[nodiscard]] std::int64_t now_ns() const;
    /// Value of the Date header, at most a second old.
    [[nodiscard]] std::string_view date();
    [[nodiscard]] std::uint64_t next_request_id();
    [[nodiscard]] asio::io_context& context() { return context_; }
    [[nodiscard]] Shared& shared() { return shared_; }
    [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
    [[nodiscard]] Counters& counters() { return counters_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    struct Slot {
        std::int64_t deadline_ns = no_deadline;
        std::uint32_t generation = 0;
        std::shared_ptr<Connection> connection;
        std::optional<std::list<ConnectionId>::iterator> as_stranger;
        std::string holder;  ///< Empty: nobody's, or not known yet.
        std::list<ConnectionId>::iterator as_held;
    };
    struct Held {
        bool privileged = false;
        std::list<ConnectionId> connections;  ///< Oldest first.
    };

    /// Makes room for another connection: a stranger's, or one of whoever holds most.
    void make_room();
    void close_one_of(const Held& held);
    [[nodiscard]] const Held* largest_holder() const;
    [[nodiscard]] std::shared_ptr<Connection> oldest_idle_of(const Held& held, ConnectionId but) const;
    void let_go(ConnectionId id);
    [[nodiscard]] std::shared_ptr<Connection> find(ConnectionId id) const;
    void run();
    void deliver_mail();
    void arm_tick();
    void tick();

    Shared& shared_;
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    Timer timer_;
    std::int64_t tick_ns_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::list<ConnectionId> strangers_;  ///< Oldest first.
    std::map<std::string, Held> holders_;
    std::shared_ptr<Mailbox> mailbox_;
    std::vector<Mail> mail_;
    Counters counters_;
    std::int64_t date_s_ = 0;
    std::string date_;
    std::thread thread_;
};

}  // namespace weir::http
