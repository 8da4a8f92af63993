#include "adapters/store_postgres/lease.hpp"

#include "adapters/store_postgres/schema.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>

namespace weir::store {
namespace {

using ports::Epoch;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;

/// How long a new leader waits for a commit of the old one that is under way; then it ends that connection.
constexpr int patience_ms = 200;
constexpr int attempts = 5;

std::string holder_name() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return fmt::format("{}, process {}", host.data(), ::getpid());
}

/// One transaction: looks at the lease, and takes lease and epoch where it may. The backend of who stands in the way where it hangs.
struct Attempt {
    std::optional<Epoch> epoch{};
    std::int64_t hanging = 0;
};

JournalResult<Attempt> try_once(PgConnection& connection, const LeaseOptions& options, const std::string& store) {
    const auto trouble = [&](const PgError& error) {
        auto fault = fault_of(error, store, "take the lease");
        (void)connection.run("rollback");
        return fail(std::move(fault));
    };
    if (auto begun = connection.run(fmt::format("begin; set local lock_timeout={}", patience_ms)); !begun) return trouble(begun.error());
    const auto seen = connection.ask(
        "select until <= clock_timestamp(), holder, backend, greatest(0, (extract(epoch from until - clock_timestamp()) * 1000))::bigint "
        "from lease for update");
    if (!seen && seen.error().state == "55P03") {  // Another server is taking it right now.
        (void)connection.run("rollback");
        return fail(
            JournalError{JournalFault::in_use, fmt::format("{} is being taken by another server at this moment; try again", store)});
    }
    if (!seen) return trouble(seen.error());
    if (seen->count() == 0) return trouble({"XX001", "the lease's row is gone"});
    const bool is_over = seen->bytes(0, 0) == std::string_view{"\1", 1};
    if (!is_over && !options.over_the_living) {
        auto message = fmt::format(
            "{} is led by {}, whose lease ends in {} ms unless it is renewed; stop that server first, or let this one "
            "stand by",
            store, seen->bytes(0, 1), seen->integer(0, 3));
        (void)connection.run("rollback");
        return fail(JournalError{JournalFault::in_use, std::move(message)});
    }
    const auto raised = connection.ask("update leader set epoch = epoch + 1 returning epoch");
    if (!raised && raised.error().state == "55P03") {
        (void)connection.run("rollback");
        return Attempt{{}, seen->integer(0, 2)};
    }
    if (!raised) return trouble(raised.error());
    const auto epoch = raised->integer(0, 0);
    const auto taken = connection.ask(
        "update lease set epoch=$1, holder=$2, backend=$3, until=clock_timestamp() + $4 * interval '1 microsecond'",
        {Param{epoch}, Param{holder_name()}, Param{connection.backend()}, Param{options.length.ns / 1'000}});
    if (!taken) return trouble(taken.error());
    if (auto done = connection.run("commit"); !done) return trouble(done.error());
    return Attempt{Epoch{static_cast<std::uint64_t>(epoch)}};
}

}  // namespace

JournalResult<Epoch> take_lease(PgConnection& connection, const LeaseOptions& options) {
    const auto store = name_of_store(options.where);
    for (int i = 0; i < attempts; ++i) {
        const auto attempt = WEIR_TRY(try_once(connection, options, store));
        if (attempt.epoch) return *attempt.epoch;
        // Its lease is over and it stopped in the middle of an append: nothing of that may come later.
        const auto ended = connection.ask("select pg_terminate_backend($1::bigint::int)", {Param{attempt.hanging}});
        if (!ended) return fail(fault_of(ended.error(), store, "end the connection of the former leader, which hangs in an append"));
    }
    return fail(
        JournalError{JournalFault::in_use, fmt::format("{}: the former leader's append does not end; end its connection by hand, see "
                                                       "pg_stat_activity",
                                                       store)});
}

Instant Lease::steady_now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return {now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec};
}

Lease::Lease(LeaseOptions options, Epoch epoch, Instant from)
    : options_{std::move(options)}, epoch_{epoch}, until_ns_{(from + options_.length).ns}, thread_{[this] { keep(); }} {}

Lease::~Lease() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

bool Lease::renew(PgConnection& connection) {
    if (connection.is_broken()) {
        auto again = PgConnection::open(options_.where);
        if (!again || !use_schema(*again, options_.schema, name_of_store(options_.where))) return true;  // Tried again while it lasts.
        connection = std::move(*again);
    }
    const auto from = steady_now();
    const auto renewed = connection.ask("update lease set until=clock_timestamp() + $1 * interval '1 microsecond' where epoch=$2",
                                        {Param{options_.length.ns / 1'000}, Param{static_cast<std::int64_t>(epoch_.number)}});
    if (!renewed) return true;
    if (renewed->touched() == 0) return false;
    until_ns_.store((from + options_.length).ns, std::memory_order_release);
    return true;
}

void Lease::keep() {
    PgConnection connection;
    const std::chrono::nanoseconds pause{options_.length.ns / 4};
    for (;;) {
        if (!renew(connection)) {
            lost_ = true;
            return;
        }
        std::unique_lock lock{mutex_};
        if (wake_.wait_for(lock, pause, [&] { return stopping_; })) break;
    }
    if (!connection.is_broken()) {
        // Given back, so that the next one need not wait for its end.
        (void)connection.ask("update lease set until=clock_timestamp() where epoch=$1", {Param{static_cast<std::int64_t>(epoch_.number)}});
    }
}

}  // namespace weir::store
