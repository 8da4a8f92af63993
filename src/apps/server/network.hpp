// apps/server/network.hpp: control on a real store with real clocks: what weir-server runs behind its HTTP face.
//
// Opening recovers: the newest good snapshot, then the events after it, and then says in the journal that a leader began.
// Housekeeping (snapshots, moving the write-ahead log) runs on a thread of its own, never on the commit path.
#pragma once

#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/store_sqlite/store_watch.hpp"
#include "apps/server/site_diary.hpp"
#include "control/loop.hpp"
#include "control/reader.hpp"
#include "control/recover.hpp"
#include "control/snapshot_keeper.hpp"
#include "control/writer.hpp"
#include "ports/journal.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::server {

struct NetworkOptions {
    std::string store;                        ///< Path of the journal's file, or the address of a database (postgresql://...).
    Duration lease = seconds(10);             ///< Of a database: how long other servers wait for a leader that is not heard.
    /// Of a server that stands by: waits so long; false where it was told to end meanwhile.
    std::function<bool(Duration)> pause{};
    control::Policy policy;
    Catalogue catalogue;
    control::LoopOptions loop;
    store::TailMissing tail_missing{};        ///< What is remembered of the store beside it.
    std::uint64_t snapshot_every = 50'000;    ///< Events between two snapshots, or as many as there are jobs, if those are more.
    std::function<void(const std::string&)> say;  ///< For the operator's log.
    /// The network cannot go on, for a reason in words: the process must end now. From any thread.
    std::function<void(const std::string&)> fatal;
};

class Network {
public:
    /// The error is for an operator: what is wrong with the store and what to do.
    [[nodiscard]] static Result<std::unique_ptr<Network>, std::string> open(NetworkOptions options);
    ~Network();

    [[nodiscard]] control::Reader& reader() { return *reader_; }
    [[nodiscard]] control::Loop& loop() { return *loop_; }
    [[nodiscard]] ports::Journal& journal() { return *journal_; }
    [[nodiscard]] const control::Policy& policy() const { return options_.policy; }
    [[nodiscard]] const Catalogue& catalogue() const { return options_.catalogue; }

    /// Submits and waits for the answer; for what the server itself must have done before it serves.
    [[nodiscard]] control::Answer carry_out(control::Command command);

    /// Why no work may be sent here: the journal has failed, or the network is stopping. From any thread.
    [[nodiscard]] std::optional<std::string> obstacle() const;

    /// Whether this is the first life of the store: nobody has a role yet.
    [[nodiscard]] bool is_new() const;

    /// Whether no other server can lead at this moment. From any thread.
    [[nodiscard]] bool leads() const { return !leads_ || leads_(); }

    /// Finishes what is queued and keeps a snapshot.
    void stop();

private:
    explicit Network(NetworkOptions options) : options_{std::move(options)} {}
    /// Once a second; false where the network cannot go on.
    [[nodiscard]] bool look_after_store();
    void keep_house();
    void complain(const control::SnapshotError& error);
    void end(const std::string& why);
    /// The loop's: the journal has refused what the network decided.
    void give_up(const ports::JournalError& error);
    void look_at_clock();

    /// Opens the store, and recovers from it.
    [[nodiscard]] Result<control::Recovery, std::string> open_file();
    /// The same of a database: follows its leader until it leads itself.
    [[nodiscard]] Result<control::Recovery, std::string> open_database();

    NetworkOptions options_;
    std::unique_ptr<ports::Journal> journal_;
    std::function<bool()> leads_;     ///< Of a database.
    std::unique_ptr<control::Writer> writer_;
    std::unique_ptr<control::Reader> reader_;
    std::unique_ptr<control::SnapshotKeeper> snapshots_;
    std::unique_ptr<control::Loop> loop_;

    std::optional<SiteDiary> diary_;  ///< The housekeeper's alone.
    std::optional<store::StoreWatch> watch_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::optional<std::string> failure_;
    bool clock_is_wrong_ = false;     ///< As it was said last; the housekeeper's alone.
    std::thread housekeeper_;
};

/// Whether a store is a database that servers share, and not a file.
[[nodiscard]] bool is_database(const std::string& store);

/// The clocks of this machine.
[[nodiscard]] control::Clocks machine_clocks();

}  // namespace weir::server
