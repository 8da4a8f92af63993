// transport/http/server/mailbox.hpp: how other threads reach the connections of an io thread.
//
// Nobody touches a connection but its own thread: a reply or a stream's news is put into the mailbox of that
// thread, addressed by number, and the thread is woken once for all that waits. A connection that is gone by
// then simply gets no mail; a mailbox outlives its thread, so a late reply is harmless.
#pragma once

#include "transport/http/message.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace weir::http {

/// Names a connection of one io thread; generations make a reused slot another address.
struct ConnectionId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    friend bool operator==(const ConnectionId&, const ConnectionId&) = default;
};

enum class MailKind : std::uint8_t {
    reply = 1,        ///< `response` answers request number `request`.
    abandoned = 2,    ///< The Reply of request number `request` was destroyed unused.
    stream_news = 3,  ///< The stream of the connection has something to take.
    repeated = 4,     ///< A Reply was called twice.
};

struct Mail {
    MailKind kind = MailKind::reply;
    ConnectionId to;
    std::uint64_t request = 0;
    std::optional<Response> response;
};

class Mailbox {
public:
    /// `knock` wakes the io thread; it is called from any thread, at most once between two collect()s.
    explicit Mailbox(std::move_only_function<void()> knock) : knock_{std::move(knock)} {}

    void post(Mail mail);
    /// Swaps the waiting mail into `into`, which is cleared first.
    void collect(std::vector<Mail>& into);
    /// Drops what waits and all that comes later. knock() is not called after this returns.
    void close();

    /// While a handler runs on the io thread, its own reply is handed over here and not by mail.
    struct Counter {
        ConnectionId to;
        std::uint64_t request = 0;
        std::optional<Mail> handed;
    };
    void open_counter(Counter* counter);

private:
    std::mutex mutex_;
    std::vector<Mail> waiting_;
    bool closed_ = false;
    std::move_only_function<void()> knock_;
    std::atomic<std::thread::id> serving_;
    Counter* counter_ = nullptr;  ///< Touched only by the thread named in serving_.
};

/// The Reply of one request.
class Ticket {
public:
    Ticket(std::shared_ptr<Mailbox> mailbox, ConnectionId to, std::uint64_t request)
        : mailbox_{std::move(mailbox)}, to_{to}, request_{request} {}
    Ticket(Ticket&&) noexcept = default;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
        if (mailbox_ && !used_) mailbox_->post({.kind = MailKind::abandoned, .to = to_, .request = request_, .response = std::nullopt});
    }
    void operator()(Response response) {
        const MailKind kind = used_ ? MailKind::repeated : MailKind::reply;
        used_ = true;
        mailbox_->post({.kind = kind, .to = to_, .request = request_, .response = std::move(response)});
    }

private:
    std::shared_ptr<Mailbox> mailbox_;
    ConnectionId to_;
    std::uint64_t request_;
    bool used_ = false;
};

}  // namespace weir::http
