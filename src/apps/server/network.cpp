#include "apps/server/network.hpp"

#include "adapters/store_postgres/postgres_journal.hpp"
#include "apps/version/version.hpp"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <utility>

namespace weir::server {
namespace {

Instant wall_now() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

Instant steady_now() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

constexpr std::string_view told_to_end = "it was told to end while it stood by";

/// How often a server that stands by looks whether the lease is over: a fraction of it, so that taking over adds little to it.
constexpr std::int64_t looks_in_a_lease = 10;
constexpr Duration longest_pause = milliseconds(200);

}  // namespace

bool is_database(const std::string& store) { return store.starts_with("postgres://") || store.starts_with("postgresql://"); }

control::Clocks machine_clocks() { return {wall_now, steady_now}; }

Result<std::unique_ptr<Network>, std::string> Network::open(NetworkOptions options) {
    auto network = std::unique_ptr<Network>{new Network{std::move(options)}};
    auto& self = *network;
    auto recovery = is_database(self.options_.store) ? self.open_database() : self.open_file();
    if (!recovery) return fail(std::move(recovery).error());
    auto behind = self.journal_->open_reader();
    if (!behind) return fail(behind.error().message);
    for (const auto& remark : recovery->remarks) self.options_.say(remark);
    self.options_.say(fmt::format("recovered revision {}: snapshot of revision {} and {} events after it", recovery->core.state.revision,
                                  recovery->snapshot_revision, recovery->replayed));
    if (recovery->core.state.revision > 0) {
        self.options_.say(fmt::format("the last event is of {}, this machine's clock says {}", format_utc(recovery->core.state.now),
                                      format_utc(wall_now())));
    }
    // Three instances of what the journal says: what questions are asked of, what snapshots are made of, what is decided on.
    self.reader_ = std::make_unique<control::Reader>(std::move(recovery->companions->reader));
    self.snapshots_ =
        std::make_unique<control::SnapshotKeeper>(std::move(recovery->companions->follower), recovery->snapshot_revision, *self.reader_,
                                                  *self.journal_, std::move(*behind), self.options_.snapshot_every);
    self.writer_ = std::make_unique<control::Writer>(std::move(recovery->core), *self.journal_);
    const auto identity = self.journal_->identity();
    if (!identity) return fail(identity.error().message);
    const auto made = identity->lineage.empty() ? std::nullopt : parse_uid(identity->store_id);
    // Before the first timer: whoever placed a job without it would give a restored network's jobs numbers that sites know already.
    std::promise<control::Answer> started;
    control::Loop::First first{control::StartLeader{self.journal_->epoch().number, std::string{version()},
                                                    made ? control::generations_above_of(time_of(*made)) : 0},
                               [&started](control::Answer answer, std::uint64_t) { started.set_value(std::move(answer)); }};
    self.loop_ = std::make_unique<control::Loop>(*self.writer_, *self.reader_, machine_clocks(), self.options_.loop,
                                                 [&self](const ports::JournalError& error) { self.give_up(error); },
                                                 std::move(first));
    if (const auto answer = started.get_future().get(); !answer) return fail(answer.error().message);
    if (!is_database(self.options_.store)) {
        auto watch = store::StoreWatch::open(self.options_.store);
        if (!watch) return fail(watch.error().message);
        self.watch_.emplace(std::move(*watch));
    }
    self.diary_.emplace(*self.reader_);
    self.housekeeper_ = std::thread{[&self] { self.keep_house(); }};
    return network;
}

Result<control::Recovery, std::string> Network::open_file() {
    auto journal = store::open_journal({.path = options_.store, .tail_missing = options_.tail_missing});
    if (!journal) return fail(journal.error().message);
    journal_ = std::move(*journal);
    return control::recover(*journal_, options_.policy, options_.catalogue, {.companions = true});
}

Result<control::Recovery, std::string> Network::open_database() {
    const store::PostgresOptions database{.where = options_.store, .lease = options_.lease};
    std::unique_ptr<ports::JournalReader> reader;
    std::optional<control::Recovery> recovery;
    for (bool stands_by = false;; stands_by = true) {
        auto journal = store::open_postgres_journal(database);
        if (journal) {
            auto* leading = journal->get();
            leads_ = [leading] { return leading->leads(); };
            journal_ = std::move(*journal);
            break;
        }
        const auto& error = journal.error();
        // A database that is away for a while does not end a server that stands by.
        const bool waits = error.fault == ports::JournalFault::in_use || (stands_by && error.fault == ports::JournalFault::unavailable);
        if (!waits) return fail(error.message);
        if (!stands_by) options_.say("standing by: " + error.message);
        if (!reader) {
            if (auto opened = store::open_postgres_reader(database)) reader = std::move(*opened);
        }
        if (reader) {
            auto followed = recovery ? control::catch_up(*reader, *recovery) : Result<void, std::string>{};
            if (!recovery) {
                auto recovered = control::recover(*reader, options_.policy, options_.catalogue, {.companions = true});
                if (recovered) recovery = std::move(*recovered);
            }
            if (!followed) {  // What was folded is whole; the rest is read on a new connection.
                options_.say(followed.error());
                reader.reset();
            }
        }
        if (!options_.pause || !options_.pause(std::min(Duration{options_.lease.ns / looks_in_a_lease}, longest_pause)))
            return fail(std::string{told_to_end});
    }
    if (!recovery) return control::recover(*journal_, options_.policy, options_.catalogue, {.companions = true});
    if (auto rest = control::catch_up(*journal_, *recovery); !rest) return fail(std::move(rest).error());
    return *std::move(recovery);
}

Network::~Network() { stop(); }

control::Answer Network::carry_out(control::Command command) {
    std::promise<control::Answer> promise;
    auto answer = promise.get_future();
    loop_->submit(control::Request{control::Actor{}, std::move(command)},
                  [&promise](control::Answer given, std::uint64_t) { promise.set_value(std::move(given)); });
    return answer.get();
}

bool Network::is_new() const {
    return reader_->ask([](const control::Core& core) { return core.state.network_roles.empty(); });
}

std::optional<std::string> Network::obstacle() const {
    const std::lock_guard lock{mutex_};
    if (failure_) return failure_;
    return stopping_ ? std::optional<std::string>{"the network is stopping; ask the server that follows"} : std::nullopt;
}

void Network::end(const std::string& why) {
    {
        const std::lock_guard lock{mutex_};
        failure_ = why;
    }
    options_.fatal(why);
}

void Network::give_up(const ports::JournalError& error) {
    const auto why = fmt::format("the journal cannot go on: {}; the server ends now and replays at its next start", error.message);
    {
        // Where the store has lost its name, the housekeeper copies it as soon as the loop has ended, and ends the process then.
        const std::lock_guard lock{mutex_};
        if (failure_) return options_.say(why);
    }
    end(why);
}

void Network::complain(const control::SnapshotError& error) {
    if (error.fault == control::SnapshotFault::books_broken) return end(error.message);
    options_.say(error.message);
}

void Network::look_at_clock() {
    const auto trouble = loop_->clock_trouble();
    if (trouble.has_value() == clock_is_wrong_) return;
    clock_is_wrong_ = trouble.has_value();
    options_.say(trouble ? trouble->text() : "this machine's clock agrees again with the time that went by, and is followed");
}

bool Network::look_after_store() {
    if (const auto gone = watch_ ? watch_->trouble() : std::nullopt) {
        {
            const std::lock_guard lock{mutex_};
            failure_ = gone;
        }
        loop_->stop();  // Before the copy: whatever is acknowledged is in it.
        end(fmt::format("{}; {}", *gone, watch_->rescue()));
        return false;
    }
    look_at_clock();
    diary_->follow(options_.say);
    if (!journal_->checkpoint_due()) return true;
    const auto moved = journal_->checkpoint();
    if (moved) return true;
    if (moved.error().fault != ports::JournalFault::outcome_unknown) {
        options_.say(moved.error().message);
        return true;
    }
    end(moved.error().message);
    return false;
}

void Network::keep_house() {
    // What happened in a second takes the state for snapshots a tenth of one to follow; in small pieces nobody waits for it.
    constexpr std::chrono::milliseconds turn{100};
    constexpr int turns_of_a_second = 10;
    bool follows = true;
    for (int number = 1;; number = number % turns_of_a_second + 1) {
        {
            std::unique_lock lock{mutex_};
            wake_.wait_for(lock, turn, [&] { return stopping_; });
            if (stopping_) return;
        }
        if (!leads()) return end("another server leads, or may: this one's lease ended unrenewed; started again, it stands by");
        const bool second = number == turns_of_a_second;
        if (second && !look_after_store()) return;
        if (!follows && !second) continue;  // What failed is tried, and complained of, once a second.
        const auto followed = snapshots_->follow();
        follows = followed.has_value();
        if (!follows) complain(followed.error());
    }
}

void Network::stop() {
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) return;
        stopping_ = true;
    }
    wake_.notify_all();
    if (housekeeper_.joinable()) housekeeper_.join();
    if (loop_) loop_->stop();
    if (snapshots_ && !failure_) {
        if (auto kept = snapshots_->keep(); !kept) complain(kept.error());
    }
}

}  // namespace weir::server
