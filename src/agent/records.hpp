// agent/records.hpp: the little that an agent must remember over its own death.
//
// It answers one question: what was decided for this generation that the tasks themselves cannot tell? How a task fares is read
// from its supervisor, never from here.
//
//     <directory>/session                          the latest session, so that the next one is later
//     <directory>/vouching                         the sessions after which nothing is in doubt (doubts.hpp)
//     <directory>/cards                            which cards the places of the nodes mean
//     <directory>/<job>.<generation>.json          a GenerationRecord
//
// Each file is written beside, synced and renamed; a file that does not read is set aside by its owner, not guessed at.
#pragma once

#include "agent/nodes.hpp"
#include "base/id.hpp"
#include "base/quantity.hpp"
#include "base/result.hpp"
#include "base/sha256.hpp"
#include "codec/field.hpp"
#include "domain/job.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::agent {

/// Whether a program of this protocol can be asked for a checkpoint.
[[nodiscard]] constexpr bool can_be_asked(CheckpointProtocol protocol) {
    return protocol == CheckpointProtocol::signal || protocol == CheckpointProtocol::file;
}

struct GenerationKey {
    JobId job;
    std::uint32_t generation = 0;
    friend auto operator<=>(const GenerationKey&, const GenerationKey&) = default;
    [[nodiscard]] std::string text() const { return job.text() + "." + std::to_string(generation); }
};

struct GenerationRecord {
    JobId job;
    std::uint32_t generation = 0;
    ProjectName project;
    std::vector<NodeName> nodes;  ///< In rank order.
    std::uint16_t master_port = 0;
    bool run_on = false;
    CheckpointProtocol checkpoint = CheckpointProtocol::none;
    std::int64_t kill_grace_s = 10;
    std::int64_t checkpoint_before_s = 0;  ///< How long before the end of a lease that is not renewed a checkpoint is asked for.
    std::int64_t slice_s = 10;           ///< Of its meters; must not change while they run.
    bool prepared = false;               ///< What it resumes from is in place.
    std::string resume;                  ///< Name of that checkpoint; empty: afresh.
    std::string refused;                 ///< Why it can never start; empty: it can.
    std::string disk_used_up;            ///< Why its files end it; empty: they do not.
    std::vector<std::uint64_t> metered;  ///< By rank: the last slice that the server has.
    std::string replicated;              ///< Name of the newest checkpoint that the network's store has.
    std::string replicated_edition;      ///< Which of those that bore the name.
    std::int64_t replicated_made_ns = 0; ///< When it was made; 0 where nobody knows.
    bool stopped_as_ordered = false;     ///< None of it was stopped before the order to stop it was carried out.
    bool end_known = false;              ///< The server has taken in that it ended.
    std::optional<std::int64_t> output_bytes_max{};  ///< So much of its outputs is kept; nothing: none of it.
    std::optional<bool> outputs_of_all{};            ///< Of each node's.
    std::optional<bool> outputs_settled{};           ///< They are stored and told, or cannot be.
    std::optional<bool> held{};          ///< Only a place for it is held here: it was not told to run yet.
    std::optional<Digest> prepared_of{}; ///< Of the list that what it resumes from was chosen from; absent where that is settled.
    std::optional<Digest> prepared_manifest{};  ///< Of the checkpoint that it resumes from.
    /// When it was asked for its last checkpoint, by the boot clock and in seconds since 1970.
    std::optional<std::int64_t> asked_ns{};
    std::optional<std::int64_t> asked_s{};
    std::optional<std::uint32_t> asked_for{};  ///< The last `checkpoint_wanted` that its program was asked for.
    [[nodiscard]] bool is_held() const { return held.value_or(false); }
    [[nodiscard]] GenerationKey key() const { return {job, generation}; }
    static constexpr std::array field_rules{
        codec::Field{.name = "checkpoint_before_s", .optional = true, .doc = "records of older agents have none"},
        codec::Field{.name = "disk_used_up", .optional = true, .doc = "records of older agents have none"},
        codec::Field{.name = "replicated_edition", .optional = true, .doc = "records of older agents have none"},
        codec::Field{.name = "replicated_made_ns", .optional = true, .doc = "records of older agents have none"},
        codec::Field{.name = "stopped_as_ordered", .optional = true, .doc = "records of older agents have none"},
    };
    bool operator==(const GenerationRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(GenerationRecord, (),
                      (job, generation, project, nodes, master_port, run_on, checkpoint, kill_grace_s, checkpoint_before_s, slice_s,
                       prepared, resume, refused, disk_used_up, metered, replicated, replicated_edition, replicated_made_ns,
                       stopped_as_ordered, end_known, held, prepared_of, prepared_manifest, asked_ns, asked_s, asked_for,
                       output_bytes_max, outputs_of_all, outputs_settled))

/// Sessions of this root in which nothing was in doubt, and in which life of the host.
struct Vouching {
    std::string host_boot;
    std::vector<std::string> sessions;
    bool operator==(const Vouching&) const = default;
};
BOOST_DESCRIBE_STRUCT(Vouching, (), (host_boot, sessions))

class Records {
public:
    /// Makes the directory if it is not there and reads what is in it. An error names the file. `host_boot` names the life of the host;
    /// empty where it is not known, and then no session vouches for a later agent.
    [[nodiscard]] static Result<Records, std::string> open(std::string directory, const std::string& host_boot = {});

    [[nodiscard]] const std::map<GenerationKey, GenerationRecord>& all() const { return records_; }
    [[nodiscard]] const GenerationRecord* find(const GenerationKey& key) const;
    /// Durable once it returns.
    [[nodiscard]] Result<void, std::string> save(const GenerationRecord& record);
    void remove(const GenerationKey& key);

    [[nodiscard]] const CardsOfNodes& cards() const { return cards_; }
    /// The cards of the nodes that a record names.
    [[nodiscard]] CardsOfNodes cards_in_use() const;
    /// Durable once it returns.
    [[nodiscard]] Result<void, std::string> save_cards(const CardsOfNodes& cards);

    /// A session later than every one before it: of `now`, or just after the latest where the clock went back. Durable once it returns.
    [[nodiscard]] Result<std::string, std::string> begin_session(Instant now, Duration skip, std::uint64_t chance_high,
                                                                 std::uint64_t chance_low);
    /// The latest session; empty: there was none.
    [[nodiscard]] std::string session() const { return session_.is_nil() ? std::string{} : format_uid(session_); }
    /// Sessions of this life of the host in which nothing was in doubt.
    [[nodiscard]] const std::vector<std::string>& vouching() const { return vouching_.sessions; }
    /// Durable once it returns.
    [[nodiscard]] Result<void, std::string> save_vouching(const std::vector<std::string>& sessions);
    /// Whether the latest session is of a time later than this by more than any server takes: a clock that was wrong made it.
    [[nodiscard]] bool session_is_ahead_of(Instant now) const;
    /// The next session is of its own time, whatever came before.
    void forget_session() { session_ = {}; }

private:
    explicit Records(std::string directory) : directory_{std::move(directory)} {}
    [[nodiscard]] Result<void, std::string> write(const std::string& name, const std::string& text);

    std::string directory_;
    std::map<GenerationKey, GenerationRecord> records_;
    CardsOfNodes cards_;
    Uid session_;
    Vouching vouching_;
};

}  // namespace weir::agent
