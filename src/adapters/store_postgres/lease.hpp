// adapters/store_postgres/lease.hpp: who leads: one server of several on one database, as long as it says so in time.
//
// The lease is a row with an end by the database's clock, which all servers share. It only decides who may try: what keeps a former leader
// from writing is the epoch, which each append compares (postgres_journal.cpp). The holder counts its own lease from before it asked for
// it, by its own clock that runs while it is stopped, so it never believes itself leader for longer than the others do.
#pragma once

#include "adapters/store_postgres/connection.hpp"
#include "base/time.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace weir::store {

struct LeaseOptions {
    std::string where;
    std::string schema = "weir";
    Duration length = seconds(10);
    bool over_the_living = false;  ///< For tests and emergencies: takes it though another's has not ended.
};

/// Takes the lease and the next epoch with this connection, which appends must then use: where its holder hangs with a transaction open,
/// the next one ends that connection. in_use where another's has not ended.
[[nodiscard]] ports::JournalResult<ports::Epoch> take_lease(PgConnection& connection, const LeaseOptions& options);

/// Renews the lease of an epoch on a thread and a connection of its own until it is destroyed, and then gives it back.
class Lease {
public:
    /// `from`: when it was asked for, by steady_now().
    Lease(LeaseOptions options, ports::Epoch epoch, Instant from);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Whether nobody else can lead now. From any thread.
    [[nodiscard]] bool holds() const { return !lost_ && steady_now().ns < until_ns_.load(std::memory_order_acquire); }
    /// A clock that runs on while this process is stopped or the machine sleeps.
    [[nodiscard]] static Instant steady_now();

private:
    void keep();
    [[nodiscard]] bool renew(PgConnection& connection);

    LeaseOptions options_;
    ports::Epoch epoch_;
    std::atomic<std::int64_t> until_ns_;
    std::atomic<bool> lost_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace weir::store
